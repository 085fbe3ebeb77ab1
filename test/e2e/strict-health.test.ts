import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringAt } from '../../src/core/json.ts';
import { attentionOf, codesOf, stateOf, untilReady } from '../harness/attention.ts';
import { runOnce } from '../harness/once.ts';
import { describeReal } from '../harness/real.ts';
import {
  IMAGES,
  podsOf,
  releasePods,
  ROLLING_TOOLS,
  type RollingCluster,
  startRollingCluster,
} from '../harness/rolling-cluster.ts';
import { claim, createVolume, imageOf, jobSpec, object, podCalls, podWatches, workload } from '../harness/workloads.ts';
import { AGENT_RULES, createWorld, eventually, syncOf, type World } from '../harness/world.ts';

const TOOLS = [...ROLLING_TOOLS, 'sops', 'age-keygen'] as const;
const STRICT = '  health: { strict: true }\n  prune: { minimum: 50 }\n';

const oneOf = (image: string) => ({ 'deploy/web.json': workload('Deployment', 'web', image) });
const errorsOf = ({ log }: { log: readonly { level: string }[] }) => log.filter(({ level }) => level === 'error');

describeReal('strict health beside real controllers', TOOLS, () => {
  let cluster: RollingCluster;
  beforeAll(async () => {
    cluster = await startRollingCluster();
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  const worldOf = (): Promise<World> => createWorld({ plane: cluster.plane, sync: STRICT, retryInterval: '10m' });

  test('an image that cannot be had fails its workload at once, Pod and image named', async () => {
    await using world = await worldOf();
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

  test('a claim whose volume is gone has failed', async () => {
    await using world = await worldOf();
    await createVolume(world);
    const files = { ...(await world.canaryFile()), 'deploy/data.json': claim(world) };
    const commit = await world.repository.commit(files, 'first');
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

  test('one pass on the command line waits for a rollout, and no longer than there is hope', async () => {
    await using world = await worldOf();
    await world.repository.commit({ ...(await world.canaryFile()), ...oneOf(IMAGES.ready) }, 'ready');
    expect(await runOnce(world)).toMatchObject({ code: 0 });
    expect(stateOf(await world.status())).toBe('Ready');
    // Of its timeout of five minutes nothing is waited.
    await world.repository.commit(oneOf(IMAGES.missing), 'missing');
    expect(await runOnce(world)).toMatchObject({ code: 1 });
    const status = await world.status();
    expect(stringAt(syncOf(status ?? null), 'reason')).toBe('ObjectsFailed');
    expect(JSON.stringify(attentionOf(status))).toContain('ImagePullBackOff');
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
