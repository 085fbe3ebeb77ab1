import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, type JsonObject, memberAt, numberAt, stringAt } from '../../src/core/json.ts';
import { attentionOf, codesOf, passed, stateOf, untilReady, untilTried } from '../harness/attention.ts';
import { configMapPath, secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { requestsFromNow, requestsSince, shown } from '../harness/requests.ts';
import { deploymentPath } from '../harness/status-of.ts';
import {
  IMAGES,
  podsOf,
  releasePods,
  ROLLING_TOOLS,
  type RollingCluster,
  startRollingCluster,
} from '../harness/rolling-cluster.ts';
import { AGENT_RULES, configMap, createWorld, eventually, secret, syncOf, type World } from '../harness/world.ts';

const TOOLS = [...ROLLING_TOOLS, 'sops', 'age-keygen'] as const;
const QUIET_MS = 2_000;
const STRICT = '  health: { strict: true }\n  prune: { minimum: 50 }\n';

function podTemplate(name: string, image: string, pod: JsonObject = {}): JsonObject {
  return { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image, ...pod }] } };
}

function workload(kind: string, name: string, image: string, pod: JsonObject = {}, spec: JsonObject = {}): string {
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name },
    spec: { selector: { matchLabels: { app: name } }, template: podTemplate(name, image, pod), ...spec },
  });
}

function jobSpec(name: string, image: string = IMAGES.ready): JsonObject {
  const { metadata, spec } = podTemplate(name, image) as { metadata: JsonObject; spec: JsonObject };
  return { backoffLimit: 0, template: { metadata, spec: { ...spec, restartPolicy: 'Never' } } };
}

const object = (apiVersion: string, kind: string, name: string, spec: JsonObject): string =>
  JSON.stringify({ apiVersion, kind, metadata: { name }, spec });

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
    'deploy/data.json': object('v1', 'PersistentVolumeClaim', 'data', {
      accessModes: ['ReadWriteOnce'],
      storageClassName: '',
      volumeName: `data-${world.namespace}`,
      resources: { requests: { storage: '1Gi' } },
    }),
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

/** What the claim of `everyKind` is bound to. */
async function createVolume(world: World): Promise<void> {
  await world.create('/api/v1/persistentvolumes', {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `data-${world.namespace}` },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/nowhere' } },
  });
}

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
    expect(shown(await requests.calls())).toEqual([]);
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
    expect(shown((await requests.calls()).filter(({ name }) => name !== 'sotto-status'))).toEqual([]);
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
    const late = await world.until('it is late', (status) => codesOf(status)['apps/Deployment/web'] !== undefined);
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

  test('with strict health an image that cannot be had fails its workload at once, Pod and image named', async () => {
    await using world = await worldOf(STRICT);
    const mark = await world.own.plane.auditMark();
    const kinds = ['Deployment', 'StatefulSet', 'DaemonSet'];
    const broken = kinds.map((kind) => [`deploy/${kind}.json`, workload(kind, kind.toLowerCase(), IMAGES.missing)]);
    await world.repository.commit(
      {
        ...(await world.canaryFile()),
        ...Object.fromEntries(broken),
        'deploy/job.json': object('batch/v1', 'Job', 'job', jobSpec('job', IMAGES.missing)),
        'deploy/slow.json': workload('Deployment', 'slow', IMAGES.slow),
      },
      'first',
    );
    await using agent = await world.start();
    const failed = await world.until('four have failed', (status) => Object.keys(codesOf(status)).length === 4);
    expect([stateOf(failed), stringAt(syncOf(failed), 'message')]).toEqual(['Degraded', '4 objects of 6 failed']);
    const told = attentionOf(failed).map(({ object: of, code, text }) => [of, code, text.split(' — ')[0]]);
    expect(told).toEqual(
      ['apps/DaemonSet/daemonset', 'apps/Deployment/deployment', 'apps/StatefulSet/statefulset', 'batch/Job/job'].map(
        (of) => [
          of,
          'SOTTO-PLAN-011',
          expect.stringMatching(
            new RegExp(
              `^the object failed: ImagePullBackOff: Container c of Pod ${of.split('/')[2]}-.* does not start. Back-off pulling image "example.com/missing:1"$`,
            ),
          ),
        ],
      ),
    );
    expect(await podCalls(world, mark)).toEqual([]);

    // The Pod of the version before is there until the new one is ready, and says nothing of it.
    const second = await world.repository.commit(
      {
        'deploy/Deployment.json': workload('Deployment', 'deployment', IMAGES.slow),
        'deploy/DaemonSet.json': workload('DaemonSet', 'daemonset', IMAGES.ready),
        'deploy/StatefulSet.json': null,
        'deploy/job.json': null,
      },
      'second',
    );
    const rolling = await world.until(
      'it rolls out',
      (status) =>
        stateOf(status) === 'Progressing' && stringAt(syncOf(status), 'appliedRevision')?.endsWith(second) === true,
    );
    expect(codesOf(rolling)).toEqual({});
    const images = new Set((await podsOf(world, 'app=deployment')).map(imageOf));
    expect(images).toEqual(new Set([IMAGES.missing, IMAGES.slow]));
    await releasePods(world, 'app=deployment');
    await releasePods(world, 'app=slow');
    await untilReady(world, second);
    await eventually('nobody watches Pods any more', async () =>
      (await podWatches(world, mark)).every(({ stage }) => stage === 'ResponseComplete') ? true : undefined,
    );
    const watched = (await podWatches(world, mark)).map(({ resource }) => resource);
    expect(new Set(watched)).toEqual(new Set(['pods', 'replicasets']));
    expect(await podCalls(world, mark)).toEqual([]);
    expect(errorsOf(agent)).toEqual([]);
  });

  test('with strict health a claim whose volume is gone has failed', async () => {
    await using world = await worldOf(STRICT);
    await createVolume(world);
    const files = await everyKind(world);
    const claim = { 'deploy/data.json': files['deploy/data.json'] ?? '' };
    const commit = await world.repository.commit({ ...(await world.canaryFile()), ...claim }, 'first');
    await using agent = await world.start();
    await untilReady(world, commit);
    const path = `/api/v1/persistentvolumes/data-${world.namespace}`;
    await world.own.plane.admin('DELETE', path);
    await world.own.plane.admin('PATCH', path, { metadata: { finalizers: null } });
    const lost = await world.until('it is lost', (status) => Object.keys(codesOf(status)).length > 0);
    expect(attentionOf(lost).map(({ object: of, text }) => [of, text.split('. ')[0]])).toEqual([
      ['PersistentVolumeClaim/data', expect.stringMatching(/^the object failed: ClaimLost: PVC has lost its volume/)],
    ]);
    expect(stateOf(lost)).toBe('Degraded');
    expect(errorsOf(agent)).toEqual([]);
  });

  test('without the right to look at Pods that is said, and nothing else is different', async () => {
    const rules = AGENT_RULES.filter(
      ({ resources }) => !resources.includes('pods') && !resources.includes('replicasets'),
    );
    const pods = { apiGroups: [''], resources: ['pods'], verbs: ['get'] };
    await using world = await createWorld({ plane: cluster.plane, sync: STRICT, rules: [...rules, pods] });
    await world.repository.commit(
      { ...(await world.canaryFile()), 'deploy/web.json': workload('Deployment', 'web', IMAGES.missing) },
      'first',
    );
    await using agent = await world.start();
    const status = await world.until('it is said', (document) => Object.keys(codesOf(document)).length > 0);
    expect(attentionOf(status).map(({ code, text }) => [code, text])).toEqual([
      [
        'SOTTO-PLAN-140',
        'why Pods of workloads do not start cannot be told: the agent may not list and watch pods and replicasets — apply the Role of deploy/rights/role.yaml, or set health.strict: false',
      ],
    ]);
    expect(stateOf(status)).toBe('Progressing');
    const second = await world.repository.commit(
      { 'deploy/web.json': workload('Deployment', 'web', IMAGES.ready) },
      'second',
    );
    await untilReady(world, second);
    expect(errorsOf(agent)).toEqual([]);
  });
});

function imageOf(pod: Json): string | undefined {
  return stringAt(arrayAt(pod, 'spec', 'containers')[0], 'image');
}

async function uidsOf(world: World, labels: string): Promise<ReadonlySet<string>> {
  const pods = await podsOf(world, labels);
  return new Set(pods.filter((pod) => !isTerminating(pod)).map((pod) => stringAt(pod, 'metadata', 'uid') ?? ''));
}

function isTerminating(pod: Json): boolean {
  return stringAt(pod, 'metadata', 'deletionTimestamp') !== undefined;
}

/** In the order in which they were answered. */
async function agentWrites(world: World): Promise<string[]> {
  const writes = await requestsSince(world, 0).writes();
  return writes.map(({ resource, name }) => `${resource}/${name}`);
}

async function podWatches(world: World, mark: number) {
  const entries = await requestsSince(world, mark).entries();
  return entries.filter(({ verb, resource }) => verb === 'watch' && ['pods', 'replicasets'].includes(resource));
}

async function podCalls(world: World, mark: number): Promise<readonly string[]> {
  const calls = await requestsSince(world, mark).calls();
  return shown(calls.filter(({ resource }) => ['pods', 'replicasets'].includes(resource)));
}
