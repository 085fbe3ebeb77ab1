import { delimiter, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, numberAt, stringAt } from '../../src/core/json.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { codesOf, passed, sourceErrorOf, stateOf, untilReady } from '../harness/attention.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { lastOpened, lastRecords } from '../harness/last-opened.ts';
import { listenerOf } from '../harness/listener.ts';
import { configMapPath, editByHand, remove, secretPath } from '../harness/objects.ts';
import { runOnce, runSotto } from '../harness/once.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { requestsFromNow, shown } from '../harness/requests.ts';
import { configMap, createWorld, eventually, secret, syncOf, type World } from '../harness/world.ts';
import { sealerOf } from './leak-fixture.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kustomize', 'kubeseal'] as const;
const DOWN = { kind: 'status', status: 503 } as const;

async function files(world: World): Promise<Record<string, string>> {
  return {
    'deploy/a.json': JSON.stringify(configMap('a', { color: 'blue' })),
    'deploy/b.json': JSON.stringify(configMap('b', { color: 'blue' })),
    'deploy/s.yaml': await world.sops(
      [secret('s', { password: world.value(0) }), secret('t', { password: world.value(1) })]
        .map((each) => JSON.stringify(each))
        .join('\n---\n'),
      's.yaml',
    ),
  };
}

/** What changes of it is made anew. */
const fixed = (color: string): string => JSON.stringify({ ...configMap('fixed', { color }), immutable: true });

const colorOf = async (world: World, name: string): Promise<string | undefined> =>
  stringAt(await world.get(configMapPath(world.namespace, name)), 'data', 'color');

async function passwordOf(world: World, name: string, key = 'password'): Promise<string> {
  const live = await world.get(secretPath(world.namespace, name));
  return Buffer.from(stringAt(live, 'data', key) ?? '', 'base64').toString();
}

async function partsOf(world: World): Promise<Readonly<Record<string, string>>> {
  const list = await world.get(`/api/v1/namespaces/${world.namespace}/configmaps`);
  const parts = arrayAt(list, 'items').filter((item) => nameOf(item).startsWith('sotto-last-'));
  return Object.fromEntries(parts.map((item) => [nameOf(item), stringAt(item, 'metadata', 'resourceVersion') ?? '']));
}

function nameOf(item: Json): string {
  return stringAt(item, 'metadata', 'name') ?? '';
}

/** Both are stored a moment after the pass. */
function untilKept(world: World, sync = 'app'): Promise<true> {
  return eventually('what was applied last is kept, and the inventory says where', async () => {
    const [records, opened] = [
      await lastRecords(world.own.plane, world.namespace),
      await lastOpened(world.own.plane, world.namespace),
    ];
    const kept = opened.filter((part) => part.sync === sync).length;
    return records[sync] !== undefined && kept === records[sync].parts.length ? true : undefined;
  });
}

function untilBlue(world: World, ...names: readonly string[]): Promise<true> {
  return eventually(`${names.join(', ')} are blue`, async () => {
    for (const name of names) if ((await colorOf(world, name)) !== 'blue') return undefined;
    return true;
  });
}

/** The first agent has applied the commit and is gone. */
async function applied(world: World, commit: string, start = () => world.start()): Promise<void> {
  const first = await start();
  await untilReady(world, commit);
  await untilKept(world);
  expect(await first.kill('SIGTERM')).toBe(0);
}

function standsIn(agent: RunningAgent) {
  return agent.line('it stands in', ({ msg }) => msg === 'what was applied last stands in for Git');
}

async function decrypts(agent: RunningAgent): Promise<readonly string[]> {
  const metrics = await (await listenerOf(agent)).text('/metrics');
  return metrics.split('\n').filter((line) => line.startsWith('sotto_decrypts_total{') && !line.endsWith(' 0'));
}

describeReal('what was applied last', TOOLS, () => {
  beforeAll(() => {
    process.env['PATH'] = [dirname(toolPath('kustomize')), process.env['PATH'] ?? ''].join(delimiter);
  });

  test('is kept once, not again for a restart, a correction or a status, and holds no value that was opened', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit(await files(world), 'first');
    await applied(world, commit);
    const kept = await partsOf(world);
    expect(Object.keys(kept)).toEqual(['sotto-last-0']);
    const [part] = await lastOpened(world.own.plane, world.namespace);
    expect(part?.text).toContain('ENC[AES256_GCM');
    expect(part?.text).not.toContain(world.value(0));
    const log = await requestsFromNow(world);
    await using second = await world.start();
    await passed(second, commit);
    await editByHand(world, configMapPath(world.namespace, 'a'), { data: { color: 'red' } });
    await untilBlue(world, 'a');
    await sleep(3_000);
    const own = new Set(['sotto-inventory', 'sotto-status', 'a']);
    const others = (await log.writes()).filter(({ name, resource }) => !own.has(name) && resource !== 'events');
    expect(shown(others)).toEqual([]);
    expect(await decrypts(second)).toEqual([]);
    expect(await partsOf(world)).toEqual(kept);
    expect(second.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('stands in for Git after a restart: nothing is written or opened at rest, and changes by hand are undone', async () => {
    await using world = await createWorld();
    const sealed = await (await sealerOf(world)).seal(0, 'u', { password: world.value(2) });
    const commit = await world.repository.commit({ ...(await files(world)), 'deploy/u.yaml': sealed }, 'first');
    await applied(world, commit);
    world.git.setFault(DOWN);
    const log = await requestsFromNow(world);
    await using second = await world.start();
    expect(await standsIn(second)).toMatchObject({ objects: 5, missing: 0 });
    const status = await world.until('Git is down', (said) => sourceErrorOf(said) === 'SOTTO-GIT-013');
    await sleep(2_000);
    const own = new Set(['sotto-inventory', 'sotto-status']);
    expect(shown((await log.writes()).filter(({ name }) => !own.has(name)))).toEqual([]);
    const opened = (await log.calls()).filter(({ resource, verb }) => resource === 'secrets' && verb === 'get');
    expect(new Set(opened.map(({ name }) => name))).toEqual(
      new Set(['sops-age', 'git-auth', 'sealing-key', 'sotto-fingerprint']),
    );
    expect(await decrypts(second)).toEqual([]);

    expect(stateOf(status)).toBe('Degraded');
    const sync = syncOf(status) ?? null;
    expect(memberAt(sync, 'lastApplied')).toEqual({ revision: `main@sha1:${commit}`, objects: 5, missing: 0 });
    expect(stringAt(sync, 'appliedRevision')).toBe(`main@sha1:${commit}`);
    expect(stringAt(sync, 'message')).toContain(`main@sha1:${commit} is held meanwhile`);
    const ready = await (await listenerOf(second)).get('/readyz');
    expect(ready).toMatchObject({ status: 200 });
    expect(ready.body).toContain(`sync app: SOTTO-GIT-013, main@sha1:${commit} is held by sotto-last: 5 objects`);
    const { stdout } = await runSotto([
      'status',
      '-n',
      world.namespace,
      '--kubeconfig',
      world.own.account.kubeconfigPath,
    ]);
    expect(stdout).toContain(`held meanwhile: main@sha1:${commit.slice(0, 12)} as it was applied last, 5 objects`);

    await editByHand(world, configMapPath(world.namespace, 'a'), { data: { color: 'red' } });
    await editByHand(world, secretPath(world.namespace, 's'), { stringData: { password: 'by hand' } });
    await remove(world, secretPath(world.namespace, 't'));
    await remove(world, secretPath(world.namespace, 'u'));
    await untilBlue(world, 'a');
    await eventually('the Secrets are as in Git', async () => {
      for (const [at, name] of ['s', 't', 'u'].entries()) {
        if ((await passwordOf(world, name)) !== world.value(at)) return undefined;
      }
      return true;
    });
    expect(second.log.filter(({ level }) => level === 'error')).toEqual([]);
    expect(await second.kill('SIGTERM')).toBe(0);
  });

  test('undoes at the start what was changed while nobody looked, and follows Git when that answers', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit(await files(world), 'first');
    await applied(world, commit);
    await editByHand(world, configMapPath(world.namespace, 'a'), { data: { color: 'red' } });
    await editByHand(world, secretPath(world.namespace, 's'), { stringData: { password: 'by hand' } });
    await remove(world, configMapPath(world.namespace, 'b'));
    world.git.setFault({ kind: 'hang' });
    await using second = await world.start();
    await untilBlue(world, 'a', 'b');
    await eventually('the Secret is as in Git', async () =>
      (await passwordOf(world, 's')) === world.value(0) ? true : undefined,
    );
    const next = await world.repository.commit(
      { 'deploy/b.json': null, 'deploy/a.json': JSON.stringify(configMap('a', { color: 'green' })) },
      'second',
    );
    world.git.setFault(null);
    await passed(second, next);
    await untilReady(world, next);
    expect(await colorOf(world, 'a')).toBe('green');
    expect(await world.get(configMapPath(world.namespace, 'b'))).toBeUndefined();
    const status = await world.status();
    expect(memberAt(syncOf(status ?? null), 'lastApplied')).toBeUndefined();
    expect(second.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('of an object that was changed or removed by another commit since then says nothing', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit(await files(world), 'first');
    await applied(world, commit);
    const kept = await partsOf(world);
    await world.repository.commit(
      { 'deploy/b.json': null, 'deploy/a.json': JSON.stringify(configMap('a', { color: 'green' })) },
      'second',
    );
    // One pass elsewhere, which leaves alone what an agent keeps for itself.
    const once = await runOnce(world);
    expect(once.code, once.stderr).toBe(0);
    expect(await partsOf(world)).toEqual(kept);
    world.git.setFault(DOWN);
    const next = await world.start();
    expect(await standsIn(next)).toMatchObject({ objects: 2, missing: 1 });
    await editByHand(world, configMapPath(world.namespace, 'a'), { data: { color: 'red' } });
    await editByHand(world, secretPath(world.namespace, 's'), { stringData: { password: 'by hand' } });
    await eventually('the Secret is as in Git', async () =>
      (await passwordOf(world, 's')) === world.value(0) ? true : undefined,
    );
    await sleep(2_000);
    expect(await colorOf(world, 'a')).toBe('red');
    expect(await world.get(configMapPath(world.namespace, 'b'))).toBeUndefined();
    world.git.setFault(null);
    await eventually('a is green again', async () => ((await colorOf(world, 'a')) === 'green' ? true : undefined));
    await next.kill('SIGTERM');
  });

  test('of an object that a commit had changed when the agent was killed, before the inventory said so, says nothing', async () => {
    await using world = await createWorld();
    const { plane, account } = world.own;
    await using proxy = await startFaultProxy({ access: plane.access, kubeconfigPath: account.kubeconfigPath });
    const more = {
      'deploy/c.json': JSON.stringify(configMap('c', { color: 'blue' })),
      'deploy/fixed.json': fixed('blue'),
    };
    const commit = await world.repository.commit({ ...(await files(world)), ...more }, 'first');
    await applied(world, commit);
    const first = await world.start([], { kubeconfig: proxy.kubeconfigPath });
    await passed(first, commit);
    // The time of a manager is in whole seconds.
    await sleep(1_100);
    proxy.setFault(({ method, path }) => (method !== 'GET' && path.includes('/sotto-') ? { kind: 'hang' } : undefined));
    const secrets = [secret('s', { password: world.value(2) }), secret('t', { password: world.value(1) })];
    const next = await world.repository.commit(
      {
        'deploy/a.json': JSON.stringify(configMap('a', { color: 'green' })),
        'deploy/fixed.json': fixed('green'),
        'deploy/s.yaml': await world.sops(secrets.map((each) => JSON.stringify(each)).join('\n---\n'), 's.yaml'),
      },
      'second',
    );
    await eventually('the second commit is applied', async () => {
      const colors = [await colorOf(world, 'a'), await colorOf(world, 'fixed')];
      return colors.join() === 'green,green' && (await passwordOf(world, 's')) === world.value(2) ? true : undefined;
    });
    await first.kill('SIGKILL');
    proxy.setFault(() => undefined);
    world.git.setFault(DOWN);
    const changed = [
      configMapPath(world.namespace, 'a'),
      configMapPath(world.namespace, 'fixed'),
      secretPath(world.namespace, 's'),
    ];
    const versions = () =>
      Promise.all(changed.map(async (path) => stringAt(await world.get(path), 'metadata', 'resourceVersion')));
    const before = await versions();
    await editByHand(world, configMapPath(world.namespace, 'b'), { data: { color: 'red' } });
    await remove(world, configMapPath(world.namespace, 'c'));

    await using second = await world.start(['--take-over']);
    expect(await standsIn(second)).toMatchObject({ objects: 3, missing: 3 });
    await untilBlue(world, 'b', 'c');
    await editByHand(world, configMapPath(world.namespace, 'b'), { data: { color: 'yellow' } });
    await untilBlue(world, 'b');
    await world.until('it says so', (said) => numberAt(syncOf(said) ?? null, 'lastApplied', 'missing') === 3);
    await sleep(2_000);
    expect(await versions()).toEqual(before);
    world.git.setFault(null);
    await passed(second, next);
    await untilReady(world, next);
    expect(await versions()).toEqual(before);
    await editByHand(world, configMapPath(world.namespace, 'a'), { data: { color: 'red' } });
    await eventually('a is green again', async () => ((await colorOf(world, 'a')) === 'green' ? true : undefined));
    expect(second.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('makes nothing again that a commit had removed when the agent was killed, before the inventory said so', async () => {
    await using world = await createWorld();
    const { plane, account } = world.own;
    await using proxy = await startFaultProxy({ access: plane.access, kubeconfigPath: account.kubeconfigPath });
    const commit = await world.repository.commit(await files(world), 'first');
    await applied(world, commit);
    const first = await world.start([], { kubeconfig: proxy.kubeconfigPath });
    await passed(first, commit);
    let isDeleted = false;
    proxy.setFault(({ method, path }) => {
      if (isDeleted) return { kind: 'hang' };
      if (method !== 'DELETE' || !path.includes('/configmaps/b')) return undefined;
      isDeleted = true;
      return { kind: 'cut', afterForward: true };
    });
    const next = await world.repository.commit({ 'deploy/b.json': null }, 'second');
    const path = configMapPath(world.namespace, 'b');
    await eventually('b is pruned', async () => ((await world.get(path)) === undefined ? true : undefined));
    await first.kill('SIGKILL');
    world.git.setFault(DOWN);
    await remove(world, configMapPath(world.namespace, 'a'));

    await using second = await world.start(['--take-over']);
    expect(await standsIn(second)).toMatchObject({ objects: 3, missing: 0 });
    await untilBlue(world, 'a');
    await sleep(2_000);
    expect(await world.get(path)).toBeUndefined();
    world.git.setFault(null);
    expect(await passed(second, next)).toMatchObject({ applied: 0, refused: 0 });
    await untilReady(world, next);
    expect(await world.get(path)).toBeUndefined();
    expect(second.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('is not used when somebody changed it, is said to be so, and is kept anew with the next pass', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit(await files(world), 'first');
    await applied(world, commit);
    const path = configMapPath(world.namespace, 'sotto-last-0');
    const bytes = Buffer.from(stringAt(await world.get(path), 'binaryData', 'objects') ?? '', 'base64');
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await editByHand(world, path, { binaryData: { objects: bytes.toString('base64') } });
    world.git.setFault(DOWN);
    const second = await world.start();
    const status = await world.until('it is not used', (said) =>
      Object.values(codesOf(said)).includes('SOTTO-KUBE-046'),
    );
    expect(memberAt(syncOf(status), 'lastApplied')).toBeUndefined();
    const readyz = (await (await listenerOf(second)).get('/readyz')).body;
    expect(readyz).toContain('sync app: SOTTO-GIT-013, nothing is held: SOTTO-KUBE-046');
    await editByHand(world, configMapPath(world.namespace, 'a'), { data: { color: 'red' } });
    await sleep(1_500);
    expect(await colorOf(world, 'a')).toBe('red');
    world.git.setFault(null);
    await untilBlue(world, 'a');
    await untilKept(world);
    await second.kill('SIGTERM');
    await remove(world, path);
    // Git answers: it is looked at all the same, so that it is there when it is needed.
    const third = await world.start();
    await third.line('it is said', ({ code }) => code === 'SOTTO-KUBE-046');
    await untilKept(world);
    await third.kill('SIGTERM');
    world.git.setFault(DOWN);
    await using fourth = await world.start();
    expect(await standsIn(fourth)).toMatchObject({ objects: 4, missing: 0 });
  });

  test('of a kustomization is opened from what is kept, with no renderer asked', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit(
      {
        'base/kustomization.yaml': 'resources: [db.json]\n',
        'base/db.json': await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.json'),
        'deploy/kustomization.yaml':
          'namePrefix: prod-\nresources: [../base]\nsecretGenerator:\n- name: app\n  envs: [app.env]\n',
        'deploy/app.env': await world.sops(`TOKEN=${world.value(1)}\nPLAIN=x\n`, 'app.env', []),
      },
      'first',
    );
    await applied(world, commit);
    world.git.setFault(DOWN);
    process.env['PATH'] = (process.env['PATH'] ?? '').split(delimiter).slice(1).join(delimiter);
    await using second = await world.start();
    expect(await standsIn(second)).toMatchObject({ objects: 2, missing: 0 });
    const list = await world.get(`/api/v1/namespaces/${world.namespace}/secrets`);
    const generated =
      arrayAt(list, 'items')
        .map(nameOf)
        .find((name) => name.startsWith('prod-app-')) ?? '';
    await editByHand(world, secretPath(world.namespace, generated), { stringData: { TOKEN: 'by hand' } });
    await editByHand(world, secretPath(world.namespace, 'prod-db'), { stringData: { password: 'by hand' } });
    await eventually('both are as in Git', async () => {
      const [token, password] = [await passwordOf(world, generated, 'TOKEN'), await passwordOf(world, 'prod-db')];
      return token === world.value(1) && password === world.value(0) ? true : undefined;
    });
    expect(second.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
