import { expect, test } from 'vitest';
import { type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import { codesOf, untilReady, untilTried } from '../harness/attention.ts';
import { configMapPath, secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const uidOf = (object: Json | undefined): string | undefined => stringAt(object, 'metadata', 'uid');
const labels = { app: 'x' };

function frozen(name: string, color: string): string {
  return JSON.stringify({ ...configMap(name, { color }), immutable: true });
}

function job(name: string, image: string, annotations: JsonObject = {}): string {
  const containers = [{ name: 'c', image }];
  const template = { metadata: { labels }, spec: { restartPolicy: 'Never', containers } };
  return JSON.stringify({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, annotations },
    spec: { template },
  });
}

function statefulSet(serviceName: string): string {
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'example.com/c:1' }] } };
  const spec = { serviceName, selector: { matchLabels: labels }, template };
  return JSON.stringify({ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'db' }, spec });
}

function claim(mode: string): string {
  const spec = { accessModes: [mode], resources: { requests: { storage: '1Gi' } } };
  return JSON.stringify({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' }, spec });
}

function frozenSecret(world: World, name: string, index: number, more: JsonObject = {}): Promise<string> {
  const object = { ...secret(name, { password: world.value(index) }), immutable: true, ...more };
  return world.sops(JSON.stringify(object), `${name}.json`);
}

const jobPath = (world: World, name: string): string => `/apis/batch/v1/namespaces/${world.namespace}/jobs/${name}`;
const setPath = (world: World): string => `/apis/apps/v1/namespaces/${world.namespace}/statefulsets/db`;
const claimPath = (world: World): string => `/api/v1/namespaces/${world.namespace}/persistentvolumeclaims/data`;

describeReal('a field that cannot be changed in place', TOOLS, () => {
  test('what somebody puts in the place of an immutable object, with our label, is undone, also from a time without the agent', async () => {
    await using world = await createWorld();
    const { namespace } = world;
    const { plane } = world.own;
    const files = { 'deploy/cm.json': frozen('cm', 'blue'), 'deploy/s.json': await frozenSecret(world, 's', 0) };
    const commit = await world.repository.commit(files, 'first');
    const paths = [configMapPath(namespace, 'cm'), secretPath(namespace, 's')];
    {
      await using agent = await world.start();
      await untilReady(world, commit);
      expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
    }
    for (const path of paths) {
      const { kind, metadata } = (await world.get(path)) as JsonObject;
      const [name, labelled] = [stringAt(metadata, 'name') ?? '', memberAt(metadata, 'labels') ?? {}];
      await plane.admin('DELETE', path);
      const data = kind === 'Secret' ? { stringData: { password: 'theirs' } } : { data: { color: 'theirs' } };
      const other = { apiVersion: 'v1', kind, metadata: { name, labels: labelled }, immutable: true, ...data };
      expect((await plane.admin('POST', path.slice(0, path.lastIndexOf('/')), other as JsonObject)).status).toBe(201);
    }
    await using agent = await world.start();
    await eventually('both are as Git has them', async () => {
      const [cm, s] = await Promise.all(paths.map((path) => world.get(path)));
      const password = Buffer.from(stringAt(s, 'data', 'password') ?? '', 'base64').toString();
      return stringAt(cm, 'data', 'color') === 'blue' && password === world.value(0) ? true : undefined;
    });
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('immutable Secrets and ConfigMaps are made anew; Jobs, volumes and StatefulSets only when their manifest says so', async () => {
    await using world = await createWorld();
    const { namespace } = world;
    const allowed = { 'sotto.dev/recreate': 'allowed' };
    const first = await world.repository.commit(
      {
        'deploy/cm.json': frozen('cm', 'blue'),
        'deploy/s.json': await frozenSecret(world, 's', 0),
        'deploy/kept-job.json': job('kept', 'example.com/c:1'),
        'deploy/again.json': job('again', 'example.com/c:1', allowed),
        'deploy/db.json': statefulSet('one'),
        'deploy/data.json': claim('ReadWriteOnce'),
        'deploy/soft.json': JSON.stringify(configMap('soft', { color: 'blue' })),
      },
      'first',
    );
    await using agent = await world.start();
    await untilTried(world, first);
    const paths = {
      cm: configMapPath(namespace, 'cm'),
      s: secretPath(namespace, 's'),
      kept: jobPath(world, 'kept'),
      again: jobPath(world, 'again'),
      db: setPath(world),
      data: claimPath(world),
      soft: configMapPath(namespace, 'soft'),
    };
    const uids = async (): Promise<Record<string, string | undefined>> =>
      Object.fromEntries(
        await Promise.all(Object.entries(paths).map(async ([name, path]) => [name, uidOf(await world.get(path))])),
      );
    const before = await uids();
    const second = await world.repository.commit(
      {
        'deploy/cm.json': frozen('cm', 'red'),
        'deploy/s.json': await frozenSecret(world, 's', 1),
        'deploy/kept-job.json': job('kept', 'example.com/c:2'),
        'deploy/again.json': job('again', 'example.com/c:2', allowed),
        'deploy/db.json': statefulSet('two'),
        'deploy/data.json': claim('ReadWriteMany'),
        'deploy/soft.json': JSON.stringify(configMap('soft', { color: 'red' })),
      },
      'second',
    );
    const status = await untilTried(world, second);
    expect(codesOf(status)).toMatchObject({
      'batch/Job/kept': 'SOTTO-KUBE-010',
      'apps/StatefulSet/db': 'SOTTO-KUBE-010',
      'PersistentVolumeClaim/data': 'SOTTO-KUBE-010',
    });
    expect(JSON.stringify(status)).toContain('sotto.dev/recreate: allowed');
    const after = await uids();
    expect(Object.keys(after).filter((name) => after[name] !== before[name])).toEqual(['cm', 's', 'again']);
    expect(memberAt(await world.get(paths.cm), 'data')).toEqual({ color: 'red' });
    const password = stringAt(await world.get(paths.s), 'data', 'password') ?? '';
    expect(Buffer.from(password, 'base64').toString()).toBe(world.value(1));
    // What was deleted is not taken for somebody's deletion, and goes on being watched.
    const recreated = agent.log.filter(({ msg }) => msg === 'recreated').map(({ object }) => object);
    expect(recreated.map(String).toSorted()).toEqual(['ConfigMap/cm', 'Secret/s', 'batch/Job/again']);
    await world.own.plane.admin('DELETE', paths.cm);
    await eventually('it is made again', async () => ((await world.get(paths.cm)) === undefined ? undefined : true));
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('an immutable Secret with keys of others stays, and one that the API server would not take anew does too', async () => {
    await using world = await createWorld();
    const { namespace } = world;
    const first = await world.repository.commit(
      {
        'deploy/s.json': await world.sops(JSON.stringify(secret('s', { password: world.value(0) })), 's.json'),
        'deploy/cm.json': frozen('cm', 'blue'),
      },
      'first',
    );
    await using agent = await world.start();
    await untilReady(world, first);
    const path = `${secretPath(namespace, 's')}?fieldManager=some-operator`;
    const theirs = { stringData: { theirs: world.value(2) }, immutable: true };
    await world.own.plane.admin('PATCH', path, theirs, 'application/merge-patch+json');
    const before = uidOf(await world.get(secretPath(namespace, 's')));
    const cm = uidOf(await world.get(configMapPath(namespace, 'cm')));
    const wrong = JSON.stringify({ ...configMap('cm', { 'not a key': 'x' }), immutable: true });
    const second = await world.repository.commit(
      { 'deploy/s.json': await frozenSecret(world, 's', 1), 'deploy/cm.json': wrong },
      'second',
    );
    const status = await untilTried(world, second);
    expect(codesOf(status)['Secret/s']).toBe('SOTTO-PLAN-080');
    expect(codesOf(status)['ConfigMap/cm']).toMatch(/^SOTTO-KUBE-0(09|10)$/);
    expect(uidOf(await world.get(secretPath(namespace, 's')))).toBe(before);
    expect(uidOf(await world.get(configMapPath(namespace, 'cm')))).toBe(cm);
    const third = await world.repository.commit(
      {
        'deploy/s.json': await frozenSecret(world, 's', 1, {
          metadata: { name: 's', annotations: { 'sotto.dev/recreate': 'allowed' } },
        }),
        'deploy/cm.json': frozen('cm', 'blue'),
      },
      'third',
    );
    await untilReady(world, third);
    expect(uidOf(await world.get(secretPath(namespace, 's')))).not.toBe(before);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
