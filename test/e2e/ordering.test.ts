import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type JsonObject, stringAt } from '../../src/core/json.ts';
import { attentionOf, codesOf, passed, stateOf, untilReady, untilTried } from '../harness/attention.ts';
import { configMapPath, editByHand } from '../harness/objects.ts';
import { runOnce } from '../harness/once.ts';
import { describeReal } from '../harness/real.ts';
import { requestsFromNow, shown } from '../harness/requests.ts';
import { completeJob, deploymentPath, failJob, jobPath, rollOut } from '../harness/status-of.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const DEPENDS_ON = 'config.kubernetes.io/depends-on';
const WAVE = 'argocd.argoproj.io/sync-wave';
const HOOK = 'argocd.argoproj.io/hook';

type Annotations = Readonly<Record<string, string>>;

function job(name: string, annotations: Annotations = {}): string {
  const pod = { restartPolicy: 'Never', containers: [{ name: 'c', image: 'example.com/c:1' }] };
  return JSON.stringify({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, annotations },
    spec: { backoffLimit: 0, template: { spec: pod } },
  });
}

function deployment(name: string, annotations: Annotations = {}, pod: JsonObject = {}): string {
  const labels = { app: name };
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, annotations },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'example.com/c:1', ...pod }] } },
    },
  });
}

function map(name: string, annotations: Annotations = {}): string {
  const plain = configMap(name, { color: 'blue' });
  return JSON.stringify({ ...plain, metadata: { name, annotations } });
}

function service(name: string, annotations: Annotations = {}): string {
  const spec = { selector: { app: name }, ports: [{ port: 80 }] };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name, annotations }, spec });
}

const afterJob = (world: World, name: string) => ({ [DEPENDS_ON]: `batch/namespaces/${world.namespace}/Job/${name}` });

async function exists(world: World, path: string): Promise<boolean> {
  return (await world.get(path)) !== undefined;
}

async function untilThere(world: World, path: string): Promise<void> {
  await eventually(`${path} is there`, async () => ((await exists(world, path)) ? true : undefined));
}

describeReal('the order in which a commit is applied', TOOLS, () => {
  test('what depends on a Job waits for it to be complete, costs nothing meanwhile, and holds up nothing else', async () => {
    await using world = await createWorld();
    const db = await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.json');
    const web = deployment('web', afterJob(world, 'migrate'), { envFrom: [{ secretRef: { name: 'db' } }] });
    const first = await world.repository.commit(
      {
        'deploy/db.json': db,
        'deploy/web.json': web,
        'deploy/a.json': map('a'),
        'deploy/migrate.json': job('migrate'),
      },
      'first',
    );
    await using agent = await world.start();
    await passed(agent, first);
    const waits = await untilTried(world, first);
    expect(attentionOf(waits)).toEqual([
      {
        object: 'apps/Deployment/web',
        code: 'SOTTO-PLAN-060',
        file: 'deploy/web.json',
        text: 'the object waits for its turn: batch/Job/migrate has to be ready before (JobNotStarted: Job not started) — nothing to do: it is applied as soon as that is ready',
      },
    ]);
    expect(stateOf(waits)).toBe('Progressing');
    expect(await exists(world, deploymentPath(world, 'web'))).toBe(false);

    const log = await requestsFromNow(world);
    await editByHand(world, configMapPath(world.namespace, 'a'), { data: { color: 'red' } });
    await eventually('the edit is undone', async () =>
      stringAt(await world.get(configMapPath(world.namespace, 'a')), 'data', 'color') === 'blue' ? true : undefined,
    );
    await sleep(3_000);
    const writes = (await log.writes()).filter(({ name }) => name !== 'sotto-status' && name !== 'sotto-inventory');
    expect(
      writes.filter(({ resource }) => resource !== 'events').map(({ verb, name }) => `${verb} ${name}`),
      shown(writes).join('\n'),
    ).toEqual(['patch a']);

    // A commit that comes meanwhile does not wait for anything.
    const second = await world.repository.commit({ 'deploy/b.json': map('b') }, 'second');
    await passed(agent, second);
    expect(await exists(world, configMapPath(world.namespace, 'b'))).toBe(true);
    await completeJob(world, 'migrate');
    await untilThere(world, deploymentPath(world, 'web'));
    await rollOut(world, 'web');
    await untilReady(world, second);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('what depends on what failed is not applied and says why; mended, it follows by itself', async () => {
    await using world = await createWorld();
    const first = await world.repository.commit(
      {
        ...(await world.canaryFile()),
        'deploy/web.json': deployment('web', afterJob(world, 'migrate')),
        'deploy/a.json': map('a'),
        'deploy/migrate.json': job('migrate'),
      },
      'first',
    );
    await using agent = await world.start();
    await passed(agent, first);
    await failJob(world, 'migrate');
    const failed = await world.until(
      'it failed',
      (status) => codesOf(status)['apps/Deployment/web'] === 'SOTTO-PLAN-061',
    );
    expect(codesOf(failed)).toEqual({ 'apps/Deployment/web': 'SOTTO-PLAN-061', 'batch/Job/migrate': 'SOTTO-PLAN-011' });
    expect(stateOf(failed)).toBe('Degraded');
    expect(await exists(world, configMapPath(world.namespace, 'a'))).toBe(true);
    expect(await exists(world, deploymentPath(world, 'web'))).toBe(false);
    const second = await world.repository.commit(
      { 'deploy/migrate.json': job('migrate-2'), 'deploy/web.json': deployment('web', afterJob(world, 'migrate-2')) },
      'second',
    );
    await passed(agent, second);
    // The old Job stays until everything of the commit is there.
    expect(await exists(world, jobPath(world, 'migrate'))).toBe(true);
    await completeJob(world, 'migrate-2');
    await untilThere(world, deploymentPath(world, 'web'));
    await rollOut(world, 'web');
    await untilReady(world, second);
    await eventually('the old Job is pruned', async () =>
      (await exists(world, jobPath(world, 'migrate'))) ? undefined : true,
    );
  });

  test('a circle, and a workload whose Secret is refused, are held back alone', async () => {
    await using world = await createWorld();
    const on = (name: string) => ({ [DEPENDS_ON]: `/namespaces/${world.namespace}/ConfigMap/${name}` });
    const commit = await world.repository.commit(
      {
        ...(await world.canaryFile()),
        'deploy/a.json': map('a', on('b')),
        'deploy/b.json': map('b', on('a')),
        'deploy/after.json': map('after', on('a')),
        'deploy/plain.json': JSON.stringify(secret('plain', { password: 'example-only' })),
        'deploy/web.json': deployment('web', {}, { envFrom: [{ secretRef: { name: 'plain' } }] }),
        'deploy/free.json': map('free'),
      },
      'first',
    );
    await using agent = await world.start();
    const tried = await untilTried(world, commit);
    expect(codesOf(tried)).toEqual({
      'ConfigMap/a': 'SOTTO-PLAN-062',
      'ConfigMap/b': 'SOTTO-PLAN-062',
      'ConfigMap/after': 'SOTTO-PLAN-061',
      'Secret/plain': 'SOTTO-PLAN-004',
      'apps/Deployment/web': 'SOTTO-PLAN-061',
    });
    const [first] = attentionOf(tried).filter(({ object }) => object === 'ConfigMap/a');
    expect(first?.text).toContain(
      'ConfigMap/a (deploy/a.json:1) → ConfigMap/b (deploy/b.json:1) → ConfigMap/a (deploy/a.json:1)',
    );
    expect(await exists(world, configMapPath(world.namespace, 'free'))).toBe(true);
    const mended = await world.repository.commit(
      { 'deploy/b.json': map('b'), 'deploy/plain.json': null, 'deploy/web.json': null },
      'mended',
    );
    await untilReady(world, mended);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('waves and hooks are taken one after the other, after a restart too', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit(
      {
        ...(await world.canaryFile()),
        'deploy/before.json': job('before', { [HOOK]: 'PreSync' }),
        'deploy/early.json': deployment('early', { [WAVE]: '-1' }),
        'deploy/a.json': map('a'),
        'deploy/after.json': job('after', { [HOOK]: 'PostSync' }),
      },
      'first',
    );
    const there = async (): Promise<string[]> => {
      const paths = {
        before: jobPath(world, 'before'),
        early: deploymentPath(world, 'early'),
        a: configMapPath(world.namespace, 'a'),
        after: jobPath(world, 'after'),
      };
      const found = await Promise.all(
        Object.entries(paths).map(async ([name, path]) => ((await exists(world, path)) ? [name] : [])),
      );
      return found.flat();
    };
    {
      await using agent = await world.start();
      await passed(agent, commit);
      expect(await there()).toEqual(['before']);
      await completeJob(world, 'before');
      await untilThere(world, deploymentPath(world, 'early'));
      expect(await there()).toEqual(['before', 'early']);
    }
    await rollOut(world, 'early');
    await using agent = await world.start(['--take-over']);
    await untilThere(world, jobPath(world, 'after'));
    expect(await there()).toEqual(['before', 'early', 'a', 'after']);
    await completeJob(world, 'after');
    await untilReady(world, commit);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('what left Git goes in the reverse order, configuration last, after a restart too', async () => {
    await using world = await createWorld({ sync: '  prune: { maxShare: 100% }' });
    const first = await world.repository.commit(
      {
        ...(await world.canaryFile()),
        'deploy/before.json': service('before', { [HOOK]: 'PreSync' }),
        'deploy/early.json': service('early', { [WAVE]: '-1' }),
        'deploy/plain.json': service('plain'),
        'deploy/on.json': service('on', { [DEPENDS_ON]: `/namespaces/${world.namespace}/Service/plain` }),
        'deploy/late.json': service('late', { [WAVE]: '5' }),
        'deploy/config.json': map('config', { [WAVE]: '9' }),
      },
      'first',
    );
    {
      await using agent = await world.start();
      await untilReady(world, first);
      expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
    }
    const names = ['before', 'early', 'plain', 'on', 'late', 'config'];
    const second = await world.repository.commit(
      Object.fromEntries(names.map((name) => [`deploy/${name}.json`, null])),
      'second',
    );
    const log = await requestsFromNow(world);
    await using agent = await world.start(['--take-over']);
    const ended = await passed(agent, second);
    expect(ended['pruned']).toBe(names.length);
    const deletes = (await log.writes()).filter(({ verb }) => verb === 'delete');
    expect(
      deletes.map(({ name }) => name),
      shown(deletes).join('\n'),
    ).toEqual(['late', 'on', 'plain', 'early', 'before', 'config']);
  });

  test('one pass on the command line waits for what is ready in time, and says what is not', async () => {
    await using world = await createWorld({ sync: '  timeout: 5s' });
    await world.repository.commit(
      {
        ...(await world.canaryFile()),
        'deploy/a.json': map('a', afterJob(world, 'migrate')),
        'deploy/migrate.json': job('migrate'),
      },
      'first',
    );
    const late = await runOnce(world);
    expect(late.code).toBe(1);
    expect(await exists(world, configMapPath(world.namespace, 'a'))).toBe(false);
    const ending = runOnce(world);
    await completeJob(world, 'migrate');
    expect(await ending).toMatchObject({ code: 0 });
    expect(await exists(world, configMapPath(world.namespace, 'a'))).toBe(true);
  });
});
