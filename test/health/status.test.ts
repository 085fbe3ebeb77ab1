import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aggregate } from '../../src/health/aggregate.ts';
import type { HealthStatus } from '../../src/health/result.ts';
import { computeStatus } from '../../src/health/status.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';

const NOW = new Date('2026-01-02T03:04:05Z');

type Row = readonly [name: string, object: JsonObject, status: HealthStatus, reason?: string];

function object(apiVersion: string, kind: string, rest: JsonObject = {}): JsonObject {
  return { apiVersion, kind, metadata: { generation: 1, name: 'test', namespace: 'qual' }, ...rest };
}

function condition(type: string, status: string, reason = '', message = ''): JsonObject {
  return { type, status, reason, message };
}

const pod = (status: JsonObject, metadata: JsonObject = {}) => object('v1', 'Pod', { metadata, status });
const unschedulable = { phase: 'Pending', conditions: [condition('PodScheduled', 'False', 'Unschedulable')] };
const waiting = (reason: string) => [{ name: 'c', state: { waiting: { reason } } }];

const pods: Row[] = [
  ['podNoStatus', object('v1', 'Pod'), 'InProgress', 'PodNotObserved'],
  ['podReady', pod({ phase: 'Running', conditions: [condition('Ready', 'True')] }), 'Current'],
  ['podCompletedSuccessfully', pod({ phase: 'Succeeded', conditions: [condition('Ready', 'False')] }), 'Current'],
  ['podCompletedFailed', pod({ phase: 'Failed', conditions: [condition('Ready', 'False')] }), 'Current'],
  [
    'podBeingScheduled',
    pod(unschedulable, { creationTimestamp: '2026-01-02T03:04:00Z' }),
    'InProgress',
    'PodNotScheduled',
  ],
  ['podUnschedulable', pod(unschedulable), 'Failed', 'PodUnschedulable'],
  [
    'podUnschedulable for longer than the window',
    pod(unschedulable, { creationTimestamp: '2026-01-02T03:03:50Z' }),
    'Failed',
    'PodUnschedulable',
  ],
  [
    'podCrashLooping',
    pod({ phase: 'Running', containerStatuses: waiting('CrashLoopBackOff') }),
    'Failed',
    'ContainerCrashLooping',
  ],
  [
    'pod whose init container crash loops is not looked at',
    pod({ phase: 'Running', initContainerStatuses: waiting('CrashLoopBackOff') }),
    'InProgress',
    'PodRunningNotReady',
  ],
  ['pod pulling', pod({ phase: 'Pending', containerStatuses: waiting('ImagePull') }), 'InProgress', 'PodPending'],
  ['pod of another phase', pod({ phase: 'Unknown' }), 'Unknown'],
];

const claims: Row[] = [
  ['pvcNoStatus', object('v1', 'PersistentVolumeClaim'), 'InProgress', 'NotBound'],
  ['pvc Lost', object('v1', 'PersistentVolumeClaim', { status: { phase: 'Lost' } }), 'InProgress', 'NotBound'],
  ['pvcBound', object('v1', 'PersistentVolumeClaim', { status: { phase: 'Bound' } }), 'Current'],
];

const sts = (spec: JsonObject, status: JsonObject) => object('apps/v1', 'StatefulSet', { spec, status });
const stsGood = {
  observedGeneration: 1,
  replicas: 4,
  readyReplicas: 4,
  currentReplicas: 4,
  updatedReplicas: 4,
  currentRevision: 'a',
  updateRevision: 'a',
};
const rolling = (partition: number) => ({
  replicas: 4,
  updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
});
const statefulSets: Row[] = [
  ['stsNoStatus', object('apps/v1', 'StatefulSet'), 'InProgress', 'LessReplicas'],
  ['stsBadStatus', sts({ replicas: 4 }, { observedGeneration: 1, currentReplicas: 1 }), 'InProgress', 'LessReplicas'],
  ['stsOK', sts({ replicas: 4 }, stsGood), 'Current'],
  ['stsLessReady', sts({ replicas: 4 }, { ...stsGood, readyReplicas: 2 }), 'InProgress', 'LessReady'],
  ['stsLessCurrent', sts({ replicas: 4 }, { ...stsGood, currentReplicas: 2 }), 'InProgress', 'LessCurrent'],
  ['stsExtraPods', sts({ replicas: 4 }, { ...stsGood, replicas: 8 }), 'InProgress', 'ExtraPods'],
  [
    'sts of another revision',
    sts({ replicas: 4 }, { ...stsGood, updateRevision: 'b' }),
    'InProgress',
    'RevisionMismatch',
  ],
  ['sts with OnDelete', sts({ replicas: 4, updateStrategy: { type: 'OnDelete' } }, {}), 'Current'],
  ['sts partition rolling', sts(rolling(2), { ...stsGood, updatedReplicas: 1 }), 'InProgress', 'PartitionRollout'],
  ['sts partition done', sts(rolling(2), { ...stsGood, updatedReplicas: 2, currentReplicas: 2 }), 'Current'],
];

const ds = (status: JsonObject) => object('apps/v1', 'DaemonSet', { status });
const dsGood = {
  observedGeneration: 1,
  desiredNumberScheduled: 4,
  currentNumberScheduled: 4,
  updatedNumberScheduled: 4,
  numberAvailable: 4,
  numberReady: 4,
};
const daemonSets: Row[] = [
  ['dsNoGeneration', object('apps/v1', 'DaemonSet', { metadata: {} }), 'InProgress', 'NoGeneration'],
  ['dsNoStatus', object('apps/v1', 'DaemonSet'), 'InProgress', 'NoObservedGeneration'],
  ['dsBadStatus', ds({ observedGeneration: 1, currentNumberScheduled: 1 }), 'InProgress', 'NoDesiredNumber'],
  ['dsOK', ds(dsGood), 'Current'],
  ['dsLessCurrent', ds({ ...dsGood, currentNumberScheduled: 2 }), 'InProgress', 'LessCurrent'],
  ['dsLessUpdated', ds({ ...dsGood, updatedNumberScheduled: 2 }), 'InProgress', 'LessUpdated'],
  ['dsLessReady', ds({ ...dsGood, numberReady: 2 }), 'InProgress', 'LessReady'],
  ['dsLessAvailable', ds({ ...dsGood, numberAvailable: 2 }), 'InProgress', 'LessAvailable'],
  ['dsDifferentGeneration', ds({ ...dsGood, observedGeneration: 2 }), 'InProgress', 'LatestGenerationNotObserved'],
];

const dep = (spec: JsonObject, status: JsonObject) => object('apps/v1', 'Deployment', { spec, status });
const available = condition('Available', 'True');
const newReplicaSet = condition('Progressing', 'True', 'NewReplicaSetAvailable');
const depGood = {
  observedGeneration: 1,
  replicas: 1,
  updatedReplicas: 1,
  readyReplicas: 1,
  availableReplicas: 1,
  conditions: [newReplicaSet, available],
};
const deadline = { progressDeadlineSeconds: 45 };
const deployments: Row[] = [
  ['depNoStatus', object('apps/v1', 'Deployment'), 'InProgress', 'LessReplicas'],
  ['depOK', dep({}, depGood), 'Current'],
  [
    'depNotProgressing',
    dep(deadline, { ...depGood, conditions: [condition('Progressing', 'False', 'Some reason'), available] }),
    'InProgress',
    'ReplicaSetNotAvailable',
  ],
  ['depNoProgressDeadlineSeconds', dep({}, { ...depGood, conditions: [available] }), 'Current'],
  [
    'depNotAvailable',
    dep(deadline, { ...depGood, conditions: [newReplicaSet, condition('Available', 'False')] }),
    'InProgress',
    'DeploymentNotAvailable',
  ],
  [
    'depDeadlineExceeded',
    dep(deadline, { ...depGood, conditions: [condition('Progressing', 'False', 'ProgressDeadlineExceeded', 'late')] }),
    'Failed',
    'ProgressDeadlineExceeded',
  ],
  ['depLessUpdated', dep({}, { ...depGood, updatedReplicas: 0 }), 'InProgress', 'LessUpdated'],
  ['depExtraPods', dep({}, { ...depGood, replicas: 2 }), 'InProgress', 'ExtraPods'],
  ['depLessAvailable', dep({}, { ...depGood, availableReplicas: 0 }), 'InProgress', 'LessAvailable'],
  ['depLessReady', dep({}, { ...depGood, readyReplicas: 0 }), 'InProgress', 'LessReady'],
  [
    'depDeadlineExceeded whatever the status of the condition',
    dep(deadline, { ...depGood, conditions: [condition('Progressing', 'True', 'ProgressDeadlineExceeded')] }),
    'Failed',
    'ProgressDeadlineExceeded',
  ],
  [
    'dep whose deadline means none',
    dep({ progressDeadlineSeconds: 2147483647 }, { ...depGood, conditions: [available] }),
    'Current',
  ],
  ['extensions ReplicaSet', object('extensions/v1beta1', 'ReplicaSet'), 'InProgress', 'LessLabelled'],
  ['extensions DaemonSet', object('extensions/v1beta1', 'DaemonSet'), 'InProgress', 'NoObservedGeneration'],
  ['extensions Deployment', object('extensions/v1beta1', 'Deployment'), 'InProgress', 'LessReplicas'],
];

const rs = (status: JsonObject) => object('apps/v1', 'ReplicaSet', { spec: { replicas: 2 }, status });
const rsGood = { observedGeneration: 1, replicas: 2, readyReplicas: 2, availableReplicas: 2, fullyLabeledReplicas: 2 };
const replicaSets: Row[] = [
  ['rsNoStatus', object('apps/v1', 'ReplicaSet'), 'InProgress', 'LessLabelled'],
  ['rsOK1', rs({ ...rsGood, conditions: [condition('ReplicaFailure', 'False')] }), 'Current'],
  ['rsOK2', rs(rsGood), 'Current'],
  ['rsLessAvailable', rs({ ...rsGood, availableReplicas: 1 }), 'InProgress', 'LessAvailable'],
  ['rsLessReady', rs({ ...rsGood, readyReplicas: 1 }), 'InProgress', 'LessReady'],
  ['rsExtraPods', rs({ ...rsGood, replicas: 3 }), 'InProgress', 'ExtraPods'],
  [
    'rsReplicaFailure',
    rs({ ...rsGood, conditions: [condition('ReplicaFailure', 'True')] }),
    'InProgress',
    'ReplicaFailure',
  ],
];

const pdb = (observedGeneration: number) =>
  object('policy/v1', 'PodDisruptionBudget', { metadata: { generation: 2 }, status: { observedGeneration } });
const budgets: Row[] = [
  ['pdbNotObserved', pdb(1), 'InProgress', 'LatestGenerationNotObserved'],
  ['pdbObserved', pdb(2), 'Current'],
];

const custom = (status: JsonObject) => object('something.dev/v1', 'MyCR', { metadata: { generation: 1 }, status });
const customs: Row[] = [
  ['crdNoStatus', object('something.dev/v1', 'MyCR'), 'Current'],
  ['crdReady', custom({ conditions: [condition('Ready', 'True', 'All looks ok')] }), 'Current'],
  [
    'crdNotReady',
    custom({ conditions: [condition('Ready', 'False', 'NotReadyYet', 'wait')] }),
    'InProgress',
    'NotReadyYet',
  ],
  ['cr Ready Unknown', custom({ conditions: [condition('Ready', 'Unknown', 'Asking')] }), 'InProgress', 'Asking'],
  ['crdNoCondition', custom({ conditions: [condition('SomeCondition', 'False')] }), 'Current'],
  ['crdMismatchStatusGeneration', custom({ observedGeneration: 2 }), 'InProgress', 'LatestGenerationNotObserved'],
  ['cr Reconciling', custom({ conditions: [condition('Reconciling', 'True', 'Busy')] }), 'InProgress', 'Busy'],
  ['cr Stalled', custom({ conditions: [condition('Stalled', 'True', 'Stuck')] }), 'Failed', 'Stuck'],
  [
    'cr Stalled before Reconciling in the list',
    custom({ conditions: [condition('Stalled', 'True', 'Stuck'), condition('Reconciling', 'True', 'Busy')] }),
    'Failed',
    'Stuck',
  ],
];

const job = (spec: JsonObject, status: JsonObject) => object('batch/v1', 'Job', { spec, status });
const suspended = (status: string) => ({ conditions: [condition('Suspended', status, 'JobSuspended')] });
const jobs: Row[] = [
  ['jobNoStatus', object('batch/v1', 'Job'), 'InProgress', 'JobNotStarted'],
  ['jobComplete', job({}, { succeeded: 1, conditions: [condition('Complete', 'True')] }), 'Current'],
  ['jobFailed', job({}, { failed: 1, conditions: [condition('Failed', 'True', 'JobFailed')] }), 'Failed', 'JobFailed'],
  ['jobInProgress', job({}, { startTime: '2026-01-02T03:00:00Z', active: 1 }), 'Current'],
  ['job suspended', job({ suspend: true }, suspended('True')), 'Current'],
  ['job resumed', job({ suspend: false }, suspended('False')), 'InProgress', 'JobNotStarted'],
  ['job being suspended', job({ suspend: true }, suspended('False')), 'InProgress', 'JobNotStarted'],
  ['job being resumed', job({ suspend: false }, suspended('True')), 'InProgress', 'JobNotStarted'],
  ['cronjobNoStatus', object('batch/v1', 'CronJob'), 'Current'],
  ['cronjobWithStatus', object('batch/v1', 'CronJob', { status: { lastScheduleTime: 'x' } }), 'Current'],
];

const service = (spec: JsonObject) => object('v1', 'Service', { metadata: {}, spec });
const services: Row[] = [
  ['serviceDefault', service({}), 'Current'],
  ['serviceNodePort', service({ type: 'NodePort' }), 'Current'],
  ['serviceLBok', service({ type: 'LoadBalancer', clusterIP: '1.2.3.4' }), 'Current'],
  ['serviceLBnok', service({ type: 'LoadBalancer' }), 'InProgress', 'NoIPAssigned'],
];

const crd = (...conditions: JsonObject[]) =>
  object('apiextensions.k8s.io/v1', 'CustomResourceDefinition', { status: { conditions } });
const definitions: Row[] = [
  ['crdNoConditions', crd(), 'InProgress', 'Installing'],
  [
    'crdInstalling',
    crd(condition('NamesAccepted', 'True'), condition('Established', 'False', 'Installing')),
    'InProgress',
    'Installing',
  ],
  [
    'crdNamesNotAccepted',
    crd(condition('NamesAccepted', 'False', 'NameConflict', 'conflict')),
    'Failed',
    'NameConflict',
  ],
  ['crd not established', crd(condition('Established', 'False', 'Broken')), 'Failed', 'Broken'],
  ['crdEstablished', crd(condition('NamesAccepted', 'True'), condition('Established', 'True')), 'Current'],
];

const tables: Record<string, readonly Row[]> = {
  TestPodStatus: pods,
  TestPVCStatus: claims,
  TestStsStatus: statefulSets,
  TestDaemonsetStatus: daemonSets,
  TestDeploymentStatus: deployments,
  TestReplicasetStatus: replicaSets,
  TestPDBStatus: budgets,
  TestCRDGenericStatus: customs,
  'TestJobStatus and TestCronJobStatus': jobs,
  TestServiceStatus: services,
  TestCRDStatus: definitions,
};

for (const [test, rows] of Object.entries(tables)) {
  describe(`the cases of kstatus ${test}`, () => {
    it.each(rows.map((row) => ({ row, name: row[0] })))('$name is judged as upstream does', ({ row }) => {
      const [, live, status, reason] = row;
      const health = computeStatus(live, NOW);
      expect(health.status).toBe(status);
      if (reason !== undefined) expect(health.reason).toBe(reason);
    });
  });
}

describe('what holds for every object', () => {
  it('counts an object that is being deleted as Terminating whatever else it says', () => {
    const gone = object('v1', 'ConfigMap', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z', generation: 3 } });
    expect(computeStatus(gone, NOW).status).toBe('Terminating');
  });

  it('ignores numbers that are no whole numbers', () => {
    expect(computeStatus(dep({ replicas: 'x' }, { ...depGood }), NOW).status).toBe('Current');
    expect(computeStatus(dep({ replicas: 2.5 }, { ...depGood }), NOW).status).toBe('Current');
  });

  it('prints no control or bidi characters of a condition and cuts long text', () => {
    const text = `bad\u001b[31m \u202Eevil\u2028${'x'.repeat(5000)}`;
    const { message } = computeStatus(custom({ conditions: [condition('Ready', 'False', 'R\u0007', text)] }), NOW);
    expect(message).toMatch(/^bad \[31m\s+evil x+…$/);
    expect(message.length).toBeLessThanOrEqual(512);
  });

  it('takes inherited names for absent', () => {
    const odd = JSON.parse('{"apiVersion":"v1","kind":"constructor","__proto__":{"status":{"phase":"Bound"}}}') as Json;
    expect(computeStatus(odd, NOW).status).toBe('Current');
  });

  it('answers for any JSON without throwing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('Pod', 'Deployment', 'StatefulSet', 'Job'), (value, kind) => {
        const live = {
          apiVersion: kind === 'Pod' ? 'v1' : 'apps/v1',
          kind,
          status: value as Json,
          spec: value as Json,
        };
        expect(computeStatus(live, NOW).status).toBeTypeOf('string');
        expect(computeStatus(value as Json, NOW).status).toBeTypeOf('string');
      }),
    );
  });
});

describe('aggregate', () => {
  it.each<[readonly HealthStatus[], HealthStatus]>([
    [[], 'Current'],
    [['Current'], 'Current'],
    [['InProgress'], 'InProgress'],
    [['Current', 'Terminating'], 'InProgress'],
    [['Current', 'Unknown', 'InProgress'], 'Unknown'],
    [['Unknown', 'Failed', 'Current'], 'Failed'],
  ])('of %j is %s', (statuses, expected) => {
    expect(aggregate(statuses)).toBe(expected);
  });
});
