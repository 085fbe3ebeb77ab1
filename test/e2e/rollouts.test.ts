import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, type JsonObject, memberAt, numberAt, stringAt } from '../../src/core/json.ts';
import { attentionOf, codesOf, passed, stateOf, untilReady, untilTried } from '../harness/attention.ts';
import { configMapPath, secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { type RequestLog, requestsFromNow, requestsSince, shown } from '../harness/requests.ts';
import { deploymentPath } from '../harness/status-of.ts';
import {
  IMAGES,
  podsOf,
  releasePods,
  ROLLING_TOOLS,
  type RollingCluster,
  startRollingCluster,
} from '../harness/rolling-cluster.ts';
import { claim, createVolume, imageOf, jobSpec, object, podWatches, workload } from '../harness/workloads.ts';
import { configMap, createWorld, eventually, secret, syncOf, type World } from '../harness/world.ts';

const TOOLS = [...ROLLING_TOOLS, 'sops', 'age-keygen'] as const;
const QUIET_MS = 2_000;

/** One of every kind that becomes ready, and what they need. */
async function everyKind(world: World): Promise<Record<string, string>> {
  const db = await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.json');
  const env = { envFrom: [{ secretRef: { name: 'db' } }, { configMapRef: { name: 'colors' } }] };
  return {
    'deploy/db.json': db,
    'deploy/colors.json': JSON.stringify(configMap('colors', { color: 'blue' })),
    'deploy/web.json': workload('Deployment', 'web', IMAGES.ready, env, { replicas: 3 }),
    'deploy/store.json': workload('StatefulSet', 'store', IMAGES.ready, env, { replicas: 2, serviceName: 'store' }),
    'deploy/agent.json': workload('DaemonSet', 'agent', IMAGES.ready),
    'deploy/migrate.json': object('batch/v1', 'Job', 'migrate', jobSpec('migrate')),
    'deploy/nightly.json': object('batch/v1', 'CronJob', 'nightly', {
      schedule: '0 3 29 2 *',
      jobTemplate: { spec: jobSpec('nightly') },
    }),
    'deploy/data.json': claim(world),
    'deploy/scaler.json': object('autoscaling/v2', 'HorizontalPodAutoscaler', 'scaler', {
      minReplicas: 1,
      maxReplicas: 2,
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'store' },
    }),
  };
}

const twoOf = (image: string) => ({ 'deploy/web.json': workload('Deployment', 'web', image, {}, { replicas: 2 }) });

const version = (name: string, image: string) => ({
  [`deploy/${name}.json`]: JSON.stringify(configMap(name, { color: name })),
  'deploy/web.json': workload('Deployment', 'web', image, { envFrom: [{ configMapRef: { name } }] }),
});

const countsOf = (status: Json | undefined): Json | undefined => memberAt(syncOf(status ?? null), 'counts');
const errorsOf = ({ log }: { log: readonly { level: string }[] }) => log.filter(({ level }) => level === 'error');

describeReal('rollouts of real controllers', TOOLS, () => {
  let cluster: RollingCluster;
  beforeAll(async () => {
    cluster = await startRollingCluster();
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  const worldOf = (sync = ''): Promise<World> => createWorld({ plane: cluster.plane, sync, retryInterval: '10m' });

  test('every kind is applied and becomes ready, and readiness costs no request', async () => {
    await using world = await worldOf();
    const mark = await world.own.plane.auditMark();
    const commit = await world.repository.commit(await everyKind(world), 'first');
    await using agent = await world.start();
    await passed(agent, commit);
    const waiting = await world.until('all but the claim are ready', (status) => {
      const counts = countsOf(status) ?? null;
      return numberAt(counts, 'current') === 8 && numberAt(counts, 'inProgress') === 1;
    });
    expect([stateOf(waiting), codesOf(waiting)]).toEqual(['Progressing', {}]);
    await createVolume(world);
    const ready = await untilReady(world, commit);
    expect(countsOf(ready)).toMatchObject({ desired: 9, current: 9, inProgress: 0, failed: 0 });
    const job = await world.get(`/apis/batch/v1/namespaces/${world.namespace}/jobs/migrate`);
    expect(numberAt(job ?? null, 'status', 'succeeded')).toBe(1);
    expect(await podsOf(world, 'app=web')).toHaveLength(3);
    // One request for each object. What the controllers did came by the watches.
    const calls = await requestsSince(world, mark).calls();
    // Objects of the agent, and what has no name: the kinds that the API server serves.
    const ofObjects = calls.filter(({ name }) => !/^(?:sotto.*|sops-age|git-auth|)$/.test(name));
    expect(ofObjects.map(({ verb, resource, name }) => `${verb} ${resource}/${name}`).toSorted()).toEqual([
      'patch configmaps/colors',
      'patch cronjobs/nightly',
      'patch daemonsets/agent',
      'patch deployments/web',
      'patch horizontalpodautoscalers/scaler',
      'patch jobs/migrate',
      'patch persistentvolumeclaims/data',
      'patch secrets/db',
      'patch statefulsets/store',
    ]);
    expect(shown(calls.filter(({ verb }) => verb === 'list'))).toEqual([]);
    expect(await podWatches(world, mark)).toEqual([]);
    expect(errorsOf(agent)).toEqual([]);
  });

  test('a changed image rolls out: Progressing while it does, without a request, and Ready when the last Pod is', async () => {
    await using world = await worldOf();
    const first = await world.repository.commit({ ...(await world.canaryFile()), ...twoOf(IMAGES.ready) }, 'first');
    await using agent = await world.start();
    await untilReady(world, first);
    const second = await world.repository.commit(twoOf(IMAGES.slow), 'second');
    const rolling = await world.until(
      'it rolls out',
      (status) =>
        stateOf(status) === 'Progressing' && stringAt(syncOf(status), 'appliedRevision')?.endsWith(second) === true,
    );
    expect(stringAt(syncOf(rolling), 'message')).toBe('1 object of 2 not ready yet');
    const slow = await eventually('its new Pod runs', async () => {
      const pods = await podsOf(world, 'app=web');
      const found = pods.filter(
        (pod) => imageOf(pod) === IMAGES.slow && stringAt(pod, 'status', 'phase') === 'Running',
      );
      return found.length > 0 ? found : undefined;
    });
    expect(slow.length).toBeGreaterThan(0);
    const requests = await requestsFromNow(world);
    await sleep(QUIET_MS);
    // The agent's own records are written after the pass; of the rollout nothing is asked.
    expect(await ofOthers(requests)).toEqual([]);
    await eventually('the rollout ends', async () => {
      await releasePods(world, 'app=web');
      const live = await world.get(deploymentPath(world, 'web'));
      return numberAt(live ?? null, 'status', 'updatedReplicas') === 2 &&
        numberAt(live ?? null, 'status', 'readyReplicas') === 2 &&
        numberAt(live ?? null, 'status', 'replicas') === 2
        ? true
        : undefined;
    });
    await untilReady(world, second);
    expect((await podsOf(world, 'app=web')).map(imageOf)).toEqual([IMAGES.slow, IMAGES.slow]);
    expect(await ofOthers(requests)).toEqual([]);
    expect(errorsOf(agent)).toEqual([]);
  });

  test('a rollout that does not become ready is named when its timeout is over, and is Ready again by itself', async () => {
    await using world = await worldOf('  timeout: 3s\n');
    const commit = await world.repository.commit(
      {
        ...(await world.canaryFile()),
        'deploy/web.json': workload('Deployment', 'web', IMAGES.slow),
        'deploy/ok.json': workload('Deployment', 'ok', IMAGES.ready),
      },
      'first',
    );
    await using agent = await world.start();
    const late = await world.until(
      'it alone is late',
      (status) => JSON.stringify(codesOf(status)) === '{"apps/Deployment/web":"SOTTO-PLAN-011"}',
    );
    expect([stateOf(late), stringAt(syncOf(late), 'reason')]).toEqual(['Degraded', 'ReadinessTimeout']);
    expect(attentionOf(late)).toEqual([
      {
        object: 'apps/Deployment/web',
        code: 'SOTTO-PLAN-011',
        file: 'deploy/web.json',
        text: `the object is not ready in time: LessAvailable: Available: 0/1 — kubectl describe deployment web -n ${world.namespace}`,
      },
    ]);
    await releasePods(world, 'app=web');
    await untilReady(world, commit);
    expect(errorsOf(agent)).toEqual([]);
  });

  test('a workload whose Secret of the same sync is refused is not applied, and rolls out when the Secret is mended', async () => {
    await using world = await worldOf();
    const db = await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.json');
    const env = { envFrom: [{ secretRef: { name: 'db' } }] };
    const first = await world.repository.commit(
      {
        'deploy/db.json': db.replace(/"mac": "ENC\[[^"]*"/, '"mac": "ENC[broken]"'),
        'deploy/web.json': workload('Deployment', 'web', IMAGES.ready, env),
      },
      'first',
    );
    await using agent = await world.start();
    const refused = await untilTried(world, first);
    expect(codesOf(refused)).toMatchObject({ 'apps/Deployment/web': 'SOTTO-PLAN-061' });
    expect(await world.get(deploymentPath(world, 'web'))).toBeUndefined();
    const second = await world.repository.commit({ 'deploy/db.json': db }, 'second');
    await untilReady(world, second);
    // The controller never saw a Pod without its Secret.
    const order = await agentWrites(world);
    expect(order.indexOf('secrets/db')).toBeLessThan(order.indexOf('deployments/web'));
    expect(errorsOf(agent)).toEqual([]);
    expect(order.indexOf('secrets/db')).toBeGreaterThanOrEqual(0);
  });

  test('configuration that left Git stays while a Pod of the old version runs, and goes when the last one has gone', async () => {
    await using world = await worldOf();
    const first = await world.repository.commit(
      { ...(await world.canaryFile()), ...version('one', IMAGES.ready) },
      'first',
    );
    await using agent = await world.start();
    await untilReady(world, first);
    const second = await world.repository.commit({ 'deploy/one.json': null, ...version('two', IMAGES.slow) }, 'second');
    const waiting = await untilTried(world, second);
    expect(codesOf(waiting)).toMatchObject({ 'ConfigMap/one': 'SOTTO-PLAN-083' });
    await sleep(QUIET_MS);
    expect(await world.get(configMapPath(world.namespace, 'one'))).toBeDefined();
    await releasePods(world, 'app=web');
    await eventually('the old configuration is gone', async () =>
      (await world.get(configMapPath(world.namespace, 'one'))) === undefined ? true : undefined,
    );
    const pods = await podsOf(world, 'app=web');
    expect(pods.filter((pod) => !isTerminating(pod)).map(imageOf)).toEqual([IMAGES.slow]);
    await untilReady(world, second);
    // And with the workload itself.
    const third = await world.repository.commit({ 'deploy/two.json': null, 'deploy/web.json': null }, 'third');
    await untilReady(world, third);
    await eventually('all is gone', async () => {
      const left = await podsOf(world, 'app=web');
      const map = await world.get(configMapPath(world.namespace, 'two'));
      return left.length === 0 && map === undefined ? true : undefined;
    });
    expect(await world.get(secretPath(world.namespace, 'canary'))).toBeDefined();
    expect(errorsOf(agent)).toEqual([]);
  });

  test('a changed value replaces the Pods that read it, once; one that was only encrypted again replaces none', async () => {
    await using world = await worldOf();
    const db = async (index: number) => ({
      'deploy/db.json': await world.sops(JSON.stringify(secret('db', { password: world.value(index) })), 'db.json'),
    });
    const env = { envFrom: [{ secretRef: { name: 'db' } }] };
    const web = JSON.parse(workload('Deployment', 'web', IMAGES.ready, env, { replicas: 2 })) as JsonObject;
    const restarted = { ...web, metadata: { name: 'web', annotations: { 'sotto.dev/restart-on-change': 'true' } } };
    const first = await world.repository.commit(
      { ...(await db(0)), 'deploy/web.json': JSON.stringify(restarted) },
      'first',
    );
    await using agent = await world.start();
    await untilReady(world, first);
    const before = await uidsOf(world, 'app=web');
    expect(before.size).toBe(2);
    await untilReady(world, await world.repository.commit(await db(0), 'encrypted again'));
    expect(await uidsOf(world, 'app=web')).toEqual(before);
    await untilReady(world, await world.repository.commit(await db(1), 'another value'));
    await eventually('new Pods run', async () => {
      const now = await uidsOf(world, 'app=web');
      return now.size === 2 && [...now].every((uid) => !before.has(uid)) ? true : undefined;
    });
    await sleep(QUIET_MS);
    const sets = await world.get(`/apis/apps/v1/namespaces/${world.namespace}/replicasets`);
    expect(arrayAt(sets ?? null, 'items')).toHaveLength(2);
    expect(errorsOf(agent)).toEqual([]);
  });

  test('with wait: false readiness is counted and decides nothing', async () => {
    await using world = await worldOf('  wait: false\n  timeout: 1s\n');
    const commit = await world.repository.commit(
      { ...(await world.canaryFile()), 'deploy/web.json': workload('Deployment', 'web', IMAGES.slow) },
      'first',
    );
    await using agent = await world.start();
    const ready = await untilReady(world, commit);
    expect([countsOf(ready), codesOf(ready)]).toMatchObject([{ desired: 2, current: 1, inProgress: 1 }, {}]);
    expect(errorsOf(agent)).toEqual([]);
  });
});

async function uidsOf(world: World, labels: string): Promise<ReadonlySet<string>> {
  const pods = await podsOf(world, labels);
  return new Set(pods.filter((pod) => !isTerminating(pod)).map((pod) => stringAt(pod, 'metadata', 'uid') ?? ''));
}

function isTerminating(pod: Json): boolean {
  return stringAt(pod, 'metadata', 'deletionTimestamp') !== undefined;
}

async function ofOthers(requests: RequestLog): Promise<readonly string[]> {
  return shown((await requests.calls()).filter(({ name }) => !name.startsWith('sotto')));
}

/** In the order in which they were answered. */
async function agentWrites(world: World): Promise<string[]> {
  const writes = await requestsSince(world, 0).writes();
  return writes.map(({ resource, name }) => `${resource}/${name}`);
}
