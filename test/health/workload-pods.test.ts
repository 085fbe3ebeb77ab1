import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { computeStatus } from '../../src/health/status.ts';
import { faultOfRollout, podFaultOf, replicaSetOf, rolloutOf } from '../../src/health/workload-pods.ts';

const NOW = new Date('2026-01-02T03:04:05Z');
const REVISION = 'deployment.kubernetes.io/revision';

function owned(uid: string, metadata: JsonObject = {}): JsonObject {
  return { name: 'p', uid: `uid-${uid}`, ownerReferences: [{ uid, controller: true }], ...metadata };
}

function pod(owner: string, reason: string, metadata: JsonObject = {}): Json {
  const containerStatuses = [{ name: 'c', state: { waiting: { reason, message: 'no such image' } } }];
  return { metadata: owned(owner, metadata), status: { phase: 'Pending', containerStatuses } };
}

function workload(kind: string, annotations: JsonObject = {}, status: JsonObject = {}): JsonObject {
  const apiVersion = kind === 'Job' ? 'batch/v1' : 'apps/v1';
  const metadata = { name: 'w', uid: 'w1', generation: 2, annotations };
  return { apiVersion, kind, metadata, spec: {}, status: { observedGeneration: 2, ...status } };
}

const set = (owner: string, uid: string, revision: string): Json => ({
  metadata: { ...owned(owner), uid, annotations: { [REVISION]: revision } },
});

function health(of: JsonObject, pods: readonly Json[], sets: readonly Json[] = []) {
  const own = computeStatus(of, NOW);
  const rollout = rolloutOf(of, own);
  if (rollout === undefined) return own.reason;
  const faults = pods.map(podFaultOf).filter((fault) => fault !== undefined);
  const replicaSets = sets.map(replicaSetOf).filter((each) => each !== undefined);
  return faultOfRollout(rollout, faults, replicaSets)?.message ?? own.reason;
}

const hash = (value: string) => ({ labels: { 'controller-revision-hash': value } });
const generation = (value: string) => ({ labels: { 'pod-template-generation': value } });
const condition = (type: string) => ({ conditions: [{ type, status: 'True' }] });
const waiting = (name: string) => [{ name, state: { waiting: { reason: 'ErrImagePull' } } }];

const FAILED = 'Container c of Pod p does not start. no such image';

describe('a workload that is not ready', () => {
  it('has failed when a Pod of the ReplicaSet of its revision has no image, and not for one of another', () => {
    const web = workload('Deployment', { [REVISION]: '2' });
    const sets = [set('w1', 'old', '1'), set('w1', 'new', '2'), set('other', 'foreign', '2')];
    expect(health(web, [pod('new', 'ImagePullBackOff')], sets)).toBe(FAILED);
    expect(health(web, [pod('old', 'ImagePullBackOff')], sets)).toBe('LessReplicas');
    expect(health(web, [pod('foreign', 'ImagePullBackOff')], sets)).toBe('LessReplicas');
    expect(health(workload('Deployment'), [pod('new', 'ErrImagePull')], sets)).toBe('LessReplicas');
  });

  it('of kind StatefulSet or DaemonSet has its Pods told apart by what their controllers write on them', () => {
    const store = workload('StatefulSet', {}, { updateRevision: 'store-2' });
    expect(health(store, [pod('w1', 'ErrImagePull', hash('store-2'))])).toBe(FAILED);
    expect(health(store, [pod('w1', 'ErrImagePull', hash('store-1'))])).toBe('LessReplicas');
    expect(health(workload('StatefulSet'), [pod('w1', 'ErrImagePull', hash(''))])).toBe('LessReplicas');
    const agent = workload('DaemonSet', { 'deprecated.daemonset.template.generation': '3' });
    expect(health(agent, [pod('w1', 'InvalidImageName', generation('3'))])).toBe(FAILED);
    expect(health(agent, [pod('w1', 'InvalidImageName', generation('2'))])).toBe('NoDesiredNumber');
  });

  it('of kind Job or ReplicaSet has one version of Pods', () => {
    const running = workload('Job', {}, { startTime: '2026-01-02T03:04:00Z' });
    expect(health(running, [pod('w1', 'CreateContainerConfigError')])).toBe(FAILED);
    expect(health(workload('Job'), [pod('w1', 'ErrImagePull')])).toBe(FAILED);
    expect(health(workload('ReplicaSet'), [pod('w1', 'ErrImagePull')])).toBe(FAILED);
    expect(health(workload('ReplicaSet'), [pod('w2', 'ErrImagePull')])).toBe('LessLabelled');
  });

  it('says by itself what it is before its controller has seen the change, when it is ready, and when it failed', () => {
    const broken = [pod('w1', 'ErrImagePull')];
    const unseen = workload('Job', {}, { observedGeneration: 1 });
    expect(health(unseen, broken)).toBe('LatestGenerationNotObserved');
    expect(health(workload('Job', {}, condition('Complete')), broken)).toBe('Current');
    expect(health(workload('Job', {}, condition('Failed')), broken)).toBe('JobFailed');
    expect(health({ ...workload('Job'), kind: 'CronJob' }, broken)).toBe('Current');
  });
});

describe('a Pod', () => {
  it('of nobody, one that goes, one that starts and one in a crash loop fail no workload', () => {
    expect(podFaultOf({ metadata: { name: 'p' }, status: {} })).toBeUndefined();
    const goes = pod('w1', 'ErrImagePull', { deletionTimestamp: '2026-01-02T03:04:05Z' });
    expect([goes, pod('w1', 'ContainerCreating'), pod('w1', 'CrashLoopBackOff')].map(podFaultOf)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(podFaultOf('no object')).toBeUndefined();
  });

  it('tells of init containers first', () => {
    const status = { containerStatuses: waiting('c'), initContainerStatuses: waiting('first') };
    expect(podFaultOf({ metadata: owned('w1'), status })?.health.message).toBe(
      'Container first of Pod p does not start.',
    );
  });
});
