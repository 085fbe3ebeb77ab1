import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { memberAt, stringAt } from '../../src/core/json.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createCanaries, needlesOf, scanProcess } from '../../src/demo/memory-scan.ts';
import type { CanarySet, ScanResult } from '../../src/demo/memory-scan.ts';
import type { PolicyRule } from '../../src/demo/control-plane.ts';
import { loadConnection } from '../../src/kube/connection.ts';
import { discover } from '../../src/kube/discovery.ts';
import { kubeError } from '../../src/kube/errors.ts';
import { currentVersion, listMetadata, listObjects } from '../../src/kube/lists.ts';
import type { Outcome } from '../../src/kube/objects.ts';
import {
  applyObject,
  deleteObject,
  getMetadata,
  getObject,
  jsonPatch,
  mergePatch,
  replaceObject,
} from '../../src/kube/objects.ts';
import { CONFIG_MAPS, resourceOf, SECRETS } from '../../src/kube/resource.ts';
import type { Resource } from '../../src/kube/resource.ts';
import { readSecret } from '../../src/kube/secret-reader.ts';
import { Transport } from '../../src/kube/transport.ts';
import { watchResource } from '../../src/kube/watch.ts';
import type { WatchEvent, WatchOptions } from '../../src/kube/watch.ts';
import { namespaceForTest } from '../harness/control-plane.ts';
import type { TestNamespace } from '../harness/control-plane.ts';
import { describeReal } from '../harness/real.ts';

const VERBS = ['get', 'list', 'watch', 'create', 'patch', 'update', 'delete'];
const RULES: PolicyRule[] = [
  { apiGroups: ['', 'apps'], resources: ['configmaps', 'secrets', 'deployments'], verbs: VERBS },
];

interface Door extends Disposable {
  readonly own: TestNamespace;
  readonly transport: Transport;
  target<Kind extends Resource>(resource: Kind, name: string): { resource: Kind; namespace: string; name: string };
  body(resource: Resource, name: string, more: JsonObject, metadata?: JsonObject): Uint8Array;
  /** As an administrator: a hand edit. */
  edit(plural: string, name: string, patch: JsonObject, manager?: string): Promise<void>;
}

async function openDoor(rules: readonly PolicyRule[] = RULES): Promise<Door> {
  const own = await namespaceForTest(rules);
  const connection = await loadConnection({ kubeconfig: own.account.kubeconfigPath, env: {}, clock: systemClock });
  const transport = new Transport(connection, { clock: systemClock });
  const { namespace } = own;
  return {
    own,
    transport,
    target: (resource, name) => ({ resource, namespace, name }),
    body: (resource, name, more, metadata = {}) => {
      const object = { apiVersion: 'v1', kind: resource.kind, metadata: { name, namespace, ...metadata }, ...more };
      return new TextEncoder().encode(JSON.stringify(object));
    },
    edit: async (plural, name, patch, manager = 'kubectl-edit') => {
      const path = `/api/v1/namespaces/${namespace}/${plural}/${name}?fieldManager=${manager}`;
      const answer = await own.plane.admin('PATCH', path, patch);
      expect(answer.status).toBe(200);
    },
    [Symbol.dispose]: () => {
      transport.close();
      own[Symbol.dispose]();
    },
  };
}

function valueOf<Value>(outcome: Outcome<Value>): Value {
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.failure));
  return outcome.value;
}

interface Following extends AsyncDisposable {
  readonly events: WatchEvent[];
  until(fits: (event: WatchEvent) => boolean): Promise<WatchEvent>;
}

function follow(door: Door, more: Partial<WatchOptions> = {}): Following {
  const events: WatchEvent[] = [];
  const abort = new AbortController();
  const { transport } = door;
  const ended = watchResource({
    mode: 'full',
    resource: CONFIG_MAPS,
    transport,
    namespace: door.own.namespace,
    signal: abort.signal,
    onEvent: (event: WatchEvent) => events.push(event),
    clock: systemClock,
    random: Math.random,
    ...more,
  } as WatchOptions);
  return {
    events,
    until: async (fits) => {
      for (;;) {
        const found = events.find((event) => fits(event));
        if (found !== undefined) return found;
        await sleep(5);
      }
    },
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await ended;
    },
  };
}

const isObject = (type: string, name: string) => (event: WatchEvent) =>
  event.type === type && 'name' in event && event.name === name && !event.initial;
const isSynced = (event: WatchEvent) => event.type === 'synced';

describeReal('the door to a real API server', ['kube-apiserver', 'etcd'], () => {
  test.each<[string, Resource, JsonObject, JsonObject]>([
    ['ConfigMap', CONFIG_MAPS, { data: { a: '1' } }, { data: { a: '2' } }],
    ['Secret', SECRETS, { data: { a: 'MQ==' } }, { data: { a: 'Mg==' } }],
  ])(
    'a forced apply with a version no %s has creates what is absent and refuses what exists',
    async (_kind, resource, one, two) => {
      using door = await openDoor();
      const apply = (content: JsonObject, resourceVersion: string) =>
        applyObject(door.transport, {
          ...door.target(resource, 'first'),
          force: true,
          body: door.body(resource, 'first', content, { resourceVersion }),
        });
      const created = valueOf(await apply(one, '1'));
      expect(created.created).toBe(true);
      expect(await apply(two, '1')).toMatchObject({ ok: false, failure: { kind: 'changed', status: 409 } });
      expect(await apply(one, '1')).toMatchObject({ ok: false, failure: { kind: 'changed' } });
      const version = stringAt(created.object, 'metadata', 'resourceVersion') ?? '';
      expect(valueOf(await apply(two, version)).created).toBe(false);
      // "0" is no precondition: it would take over what exists.
      expect(valueOf(await apply(one, '0')).created).toBe(false);
    },
  );

  test('answers about Secrets hold metadata only: apply, dry run, patch, read and list', async () => {
    using door = await openDoor();
    const target = door.target(SECRETS, 'db');
    const data = { password: Buffer.from('hunter2').toString('base64') };
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ data }) };
    const apply = (dryRun: boolean) =>
      applyObject(door.transport, {
        ...target,
        force: true,
        dryRun,
        body: door.body(SECRETS, 'db', { data }, { annotations }),
      });
    const answers = [
      valueOf(await apply(true)).object,
      valueOf(await apply(false)).object,
      valueOf(await mergePatch(door.transport, { ...target, patch: { metadata: { labels: { a: 'b' } } } })).object,
      valueOf(await getMetadata(door.transport, target)),
      ...valueOf(await listMetadata(door.transport, SECRETS, { namespace: door.own.namespace })).items,
    ];
    expect(answers).toHaveLength(5);
    for (const answer of answers) {
      expect(stringAt(answer, 'metadata', 'name')).toBe('db');
      expect(memberAt(answer, 'data')).toBeUndefined();
      expect(JSON.stringify(answer)).not.toContain(data.password);
    }
    const content = await readSecret(door.transport, door.own.namespace, 'db');
    expect(Buffer.from(content?.entries.get('password')?.reveal() ?? []).toString()).toBe('hunter2');
    expect(await readSecret(door.transport, door.own.namespace, 'none')).toBeUndefined();
  });

  test('refusals of a Secret name the field and never the value', async () => {
    using door = await openDoor();
    const target = door.target(SECRETS, 'db');
    const send = (more: JsonObject, metadata: JsonObject = {}) =>
      applyObject(door.transport, { ...target, force: true, body: door.body(SECRETS, 'db', more, metadata) });
    valueOf(await send({ immutable: true, data: { a: 'MQ==' } }));
    const refusals: [string, Outcome<unknown>][] = [
      ['SOTTO-KUBE-011', await send({ data: { a: 987654321 } })],
      ['SOTTO-KUBE-009', await send({ immutable: true, data: { a: 'MQ==' } }, { labels: { a: '987654321 !' } })],
      ['SOTTO-KUBE-010', await send({ immutable: true, data: { a: 'OTg3NjU0MzIx' } })],
      ['SOTTO-KUBE-009', await mergePatch(door.transport, { ...target, patch: { data: { a: 987654321 } } })],
    ];
    for (const [code, outcome] of refusals) {
      if (outcome.ok) throw new Error('accepted');
      const error = kubeError(outcome.failure, { verb: 'patch', ...target });
      expect(error.code).toBe(code);
      expect(outcome.failure.permanent).toBe(true);
      expect(`${error.text()}${JSON.stringify(outcome.failure)}`).not.toMatch(/987654321|OTg3NjU0MzIx/);
    }
  });

  test('an unforced apply names the managers it met', async () => {
    using door = await openDoor();
    const target = door.target(CONFIG_MAPS, 'shared');
    const send = (force: boolean) =>
      applyObject(door.transport, { ...target, force, body: door.body(CONFIG_MAPS, 'shared', { data: { a: '1' } }) });
    valueOf(await send(true));
    await door.edit('configmaps', 'shared', { data: { a: 'by hand' } });
    expect(await send(false)).toMatchObject({
      failure: {
        kind: 'conflict',
        conflictManagers: ['kubectl-edit'],
        causes: [{ field: '.data.a' }],
        permanent: true,
      },
    });
    expect(memberAt(valueOf(await send(true)).object, 'data', 'a')).toBe('1');
  });

  test('conditional writes: JSON patch with a test, replace with an old version, delete with another uid', async () => {
    using door = await openDoor();
    const target = door.target(CONFIG_MAPS, 'a');
    const body = door.body(CONFIG_MAPS, 'a', { data: { a: '1' } });
    const created = valueOf(await applyObject(door.transport, { ...target, force: true, body })).object;
    const uid = stringAt(created, 'metadata', 'uid') ?? '';
    const resourceVersion = stringAt(created, 'metadata', 'resourceVersion') ?? '';
    const patch = [
      { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion },
      { op: 'add', path: '/data/b', value: '2' },
    ];
    expect(memberAt(valueOf(await jsonPatch(door.transport, { ...target, patch })).object, 'data', 'b')).toBe('2');
    expect(await jsonPatch(door.transport, { ...target, patch })).toMatchObject({ ok: false });
    const old = door.body(CONFIG_MAPS, 'a', {}, { resourceVersion });
    expect(await replaceObject(door.transport, { ...target, body: old })).toMatchObject({
      failure: { kind: 'changed' },
    });
    const other = '00000000-0000-4000-8000-000000000000';
    expect(await deleteObject(door.transport, { ...target, uid: other })).toMatchObject({
      failure: { kind: 'changed' },
    });
    expect(await deleteObject(door.transport, { ...target, uid })).toEqual({ ok: true, value: 'accepted' });
    expect(await deleteObject(door.transport, { ...target, uid })).toEqual({ ok: true, value: 'gone' });
    expect(await getObject(door.transport, target)).toEqual({ ok: true, value: undefined });
  });

  test('what is missing has its own code: the right to create, the namespace, the kind', async () => {
    using door = await openDoor([
      { apiGroups: ['', 'example.com'], resources: ['configmaps', 'widgets'], verbs: ['patch', 'get'] },
    ]);
    const target = door.target(CONFIG_MAPS, 'a');
    const refused = await applyObject(door.transport, {
      ...target,
      force: true,
      body: door.body(CONFIG_MAPS, 'a', {}),
    });
    expect(refused).toMatchObject({ failure: { kind: 'forbidden', missingVerb: 'create' } });
    const facts = {
      group: 'example.com',
      version: 'v1',
      kind: 'Widget',
      plural: 'widgets',
      namespaced: true,
      verbs: [],
    };
    expect(
      await getObject(door.transport, { ...door.target(CONFIG_MAPS, 'a'), resource: { ...facts, secret: false } }),
    ).toMatchObject({
      failure: { kind: 'no-resource' },
    });
    const admin = await loadConnection({
      kubeconfig: door.own.plane.access.adminKubeconfigPath,
      env: {},
      clock: systemClock,
    });
    const transport = new Transport(admin, { clock: systemClock });
    const elsewhere = {
      ...target,
      namespace: 'no-such-namespace',
      force: true,
      body: new TextEncoder().encode('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}'),
    };
    expect(await applyObject(transport, elsewhere)).toMatchObject({ failure: { kind: 'no-namespace' } });
    transport.close();
  });

  test('discovery takes two requests and knows what is served', async () => {
    using door = await openDoor();
    const since = await door.own.plane.auditMark();
    const catalog = valueOf(await discover(door.transport));
    expect(catalog.find('apps/v1', 'Deployment')).toMatchObject({
      plural: 'deployments',
      namespaced: true,
      secret: false,
    });
    expect(catalog.find('v1', 'Secret')?.secret).toBe(true);
    expect(catalog.find('v1', 'Namespace')?.namespaced).toBe(false);
    expect(catalog.find('apps/v1beta1', 'Deployment')).toBeUndefined();
    expect(catalog.unknownGroups).toEqual([]);
    const entries = await door.own.plane.auditEntries({ user: door.own.account.user, since });
    expect(entries.map(({ uri }) => uri)).toEqual(['/api', '/apis']);
  });

  test('a list is read in pages and from the store itself', async () => {
    using door = await openDoor();
    for (const name of ['a', 'b', 'c']) {
      const body = door.body(CONFIG_MAPS, name, {}, { labels: { part: 'x' } });
      valueOf(await applyObject(door.transport, { ...door.target(CONFIG_MAPS, name), force: true, body }));
    }
    const selection = { namespace: door.own.namespace, labelSelector: 'part=x' };
    const listed = valueOf(await listObjects(door.transport, CONFIG_MAPS, selection));
    expect(listed.items.map((item) => stringAt(item, 'metadata', 'name'))).toEqual(['a', 'b', 'c']);
    expect(valueOf(await currentVersion(door.transport, CONFIG_MAPS, selection))).toMatch(/^\d+$/);
  });

  test('a watch lists on its stream, and sees changes, deletions and a lost label with the old content', async () => {
    using door = await openDoor();
    const labels = { part: 'x' };
    const apply = (name: string, value: string) =>
      applyObject(door.transport, {
        ...door.target(CONFIG_MAPS, name),
        force: true,
        body: door.body(CONFIG_MAPS, name, { data: { a: value } }, { labels }),
      });
    const { object } = valueOf(await apply('one', '1'));
    valueOf(await apply('two', '1'));
    const since = await door.own.plane.auditMark();
    await using watch = follow(door, { labelSelector: 'part=x' });
    const synced = await watch.until(isSynced);
    expect(synced.type === 'synced' && [...synced.present.keys()].toSorted()).toEqual(['one', 'two']);
    await door.edit('configmaps', 'one', { data: { a: 'by hand' } });
    expect(await watch.until(isObject('modified', 'one'))).toMatchObject({
      object: { kind: 'ConfigMap', data: { a: 'by hand' } },
    });
    await door.edit('configmaps', 'one', { metadata: { labels: { part: 'y' } } });
    // The new version with the old content: the label that was lost is still in it.
    const lost = await watch.until(isObject('deleted', 'one'));
    expect(lost).toMatchObject({ object: { metadata: { labels }, data: { a: 'by hand' } } });
    await door.own.plane.admin('DELETE', `/api/v1/namespaces/${door.own.namespace}/configmaps/two`);
    await watch.until(isObject('deleted', 'two'));
    expect(stringAt(object, 'metadata', 'uid')).toBe('uid' in lost ? lost.uid : '');
    const entries = await door.own.plane.auditEntries({ user: door.own.account.user, since });
    expect(entries.map(({ verb }) => verb)).toEqual(['watch']);
  });

  test('a watch of Secrets shows who owns what and no value', async () => {
    using door = await openDoor();
    const target = door.target(SECRETS, 'db');
    const body = door.body(SECRETS, 'db', { data: { a: 'aHVudGVyMg==' } });
    valueOf(await applyObject(door.transport, { ...target, force: true, body }));
    await using watch = follow(door, { mode: 'metadata', resource: SECRETS });
    await watch.until(isSynced);
    await door.edit('secrets', 'db', { data: { a: 'b3RoZXI=' } });
    const edited = await watch.until(isObject('modified', 'db'));
    expect(JSON.stringify(edited)).toContain('kubectl-edit');
    expect(JSON.stringify(watch.events.filter(({ type }) => type !== 'synced'))).not.toMatch(/aHVudGVyMg|b3RoZXI/);
  });

  test('a watch resumes where a stream ended and misses nothing', async () => {
    using door = await openDoor();
    const apply = (value: string) =>
      applyObject(door.transport, {
        ...door.target(CONFIG_MAPS, 'a'),
        force: true,
        body: door.body(CONFIG_MAPS, 'a', { data: { a: value } }),
      });
    valueOf(await apply('0'));
    // Streams of one second: several end while it is written.
    await using watch = follow(door, { timing: { streamMs: 1_000, shortestLifeMs: 0 } });
    await watch.until(isSynced);
    for (let count = 1; count <= 30; count += 1) {
      valueOf(await apply(String(count)));
      await sleep(100);
    }
    await watch.until((event) => event.type === 'modified' && memberAt(event.object, 'data', 'a') === '30');
    const seen = watch.events.flatMap((event) =>
      event.type === 'modified' ? [memberAt(event.object, 'data', 'a')] : [],
    );
    expect(seen).toEqual(Array.from({ length: 30 }, (_, index) => String(index + 1)));
    expect(watch.events.filter(isSynced)).toHaveLength(1);
    expect(watch.events.some((event) => event.type === 'state' && event.state !== 'live')).toBe(false);
  });

  test('a watch without the right, or of a kind that is not served, says so', async () => {
    using door = await openDoor([{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }]);
    await using forbidden = follow(door);
    await forbidden.until((event) => event.type === 'state' && event.state === 'forbidden');
    using other = await openDoor([{ apiGroups: ['example.com'], resources: ['widgets'], verbs: ['watch'] }]);
    const facts = {
      group: 'example.com',
      version: 'v1',
      kind: 'Widget',
      plural: 'widgets',
      namespaced: true,
      verbs: [],
    };
    await using gone = follow(other, { mode: 'metadata', resource: resourceOf(facts) });
    await gone.until((event) => event.type === 'state' && event.state === 'gone');
  });

  test('leaves no value in the memory of a process that has sent and read Secrets', async () => {
    using door = await openDoor();
    const canaries = createCanaries(240);
    const held = await scanSender(door, canaries, 'keep');
    expect(held.valuesFound).toBe(canaries.values.length);
    const result = await scanSender(door, canaries, '');
    expect(result).toMatchObject({ valuesFound: 0, partials: 0 });
  });
});

const PER_SECRET = 4;

async function scanSender(door: Door, canaries: CanarySet, keep: string): Promise<ScanResult> {
  const folder = await mkdtemp(join(tmpdir(), 'sotto-sender-'));
  try {
    const records: Buffer[] = [];
    for (let index = 0; index * PER_SECRET < canaries.values.length; index += 1) {
      const values = canaries.values.slice(index * PER_SECRET, (index + 1) * PER_SECRET);
      const data = Object.fromEntries(values.map((value, at) => [`k${at}`, Buffer.from(value).toString('base64')]));
      const body = door.body(SECRETS, `s${index}`, { data });
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.length);
      records.push(length, Buffer.from(body.map((byte) => byte ^ 0xff)));
    }
    const bodies = join(folder, 'bodies');
    await writeFile(bodies, Buffer.concat(records));
    const program = join(import.meta.dirname, 'kube-sender.ts');
    const args = [program, door.own.account.kubeconfigPath, door.own.namespace, bodies, keep];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    try {
      await Promise.race([once(child.stdout, 'data'), ended.then(() => Promise.reject(new Error('the sender ended')))]);
      await sleep(500);
      return scanProcess(child.pid ?? 0, needlesOf(canaries), { freeze: true });
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
