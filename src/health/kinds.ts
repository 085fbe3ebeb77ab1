import type { Json } from '../core/json.ts';
import { memberAt, stringAt } from '../core/json.ts';
import { conditionsOf } from './conditions.ts';
import { JOB_RUNNING, JOB_SUSPENDED } from './dependency.ts';
import { podStatus } from './pod.ts';
import type { Health } from './result.ts';
import { current, failed, inProgress, integerAt } from './result.ts';
import { daemonSetStatus, deploymentStatus, replicaSetStatus, statefulSetStatus } from './workloads.ts';

export type KindRule = (object: Json, now: Date) => Health;

const always: KindRule = () => current('Resource is always ready');

/** Rules by `<group>/<kind>`, bare kind for the core group; the version does not matter (spec/health.md 4.2). */
export const KIND_RULES: ReadonlyMap<string, KindRule> = new Map<string, KindRule>([
  ['ConfigMap', always],
  ['Secret', always],
  ['batch/CronJob', always],
  ['policy/PodDisruptionBudget', () => current('AllowedDisruptions has been computed.')],
  ['Service', serviceStatus],
  ['PersistentVolumeClaim', claimStatus],
  ['Pod', podStatus],
  ['batch/Job', jobStatus],
  ['apps/Deployment', deploymentStatus],
  ['extensions/Deployment', deploymentStatus],
  ['apps/StatefulSet', statefulSetStatus],
  ['apps/ReplicaSet', replicaSetStatus],
  ['extensions/ReplicaSet', replicaSetStatus],
  ['apps/DaemonSet', daemonSetStatus],
  ['extensions/DaemonSet', daemonSetStatus],
  ['apiextensions.k8s.io/CustomResourceDefinition', definitionStatus],
  ['bitnami.com/SealedSecret', sealedSecretStatus],
]);

function serviceStatus(service: Json): Health {
  const waits = stringAt(service, 'spec', 'type') === 'LoadBalancer' && !stringAt(service, 'spec', 'clusterIP');
  return waits
    ? inProgress('NoIPAssigned', 'ClusterIP is not set. Service type: LoadBalancer')
    : current('Service is ready');
}

function claimStatus(claim: Json): Health {
  const phase = stringAt(claim, 'status', 'phase') ?? 'unknown';
  return phase === 'Bound' ? current('PVC is Bound') : inProgress('NotBound', `PVC is not Bound. phase: ${phase}`);
}

/** A running Job is Current, as in kstatus. */
function jobStatus(job: Json): Health {
  const suspended = memberAt(job, 'spec', 'suspend') === true;
  const wanted = integerAt(job, 1, 'spec', 'completions');
  const succeeded = integerAt(job, 0, 'status', 'succeeded');
  const failures = integerAt(job, 0, 'status', 'failed');
  for (const { type, status } of conditionsOf(job)) {
    if (status !== 'True') continue;
    if (type === 'Complete') return current(`Job completed. succeeded: ${succeeded}/${wanted}`);
    if (type === 'Failed') return failed('JobFailed', `Job failed. failed: ${failures}/${wanted}`);
    if (type === 'Suspended' && suspended) return current('Job is suspended', JOB_SUSPENDED);
  }
  if (!stringAt(job, 'status', 'startTime')) return inProgress('JobNotStarted', 'Job not started');
  return current(`Job in progress. succeeded: ${succeeded}/${wanted}, failed: ${failures}`, JOB_RUNNING);
}

/** The controller sets no condition that kstatus knows: `Synced`, without a reason, and with its error as message. */
function sealedSecretStatus(sealed: Json): Health {
  for (const { type, status, message } of conditionsOf(sealed)) {
    if (type === 'Synced' && status === 'False') return failed('NotSynced', message);
    if (type === 'Synced' && status === 'True') return current('SealedSecret is unsealed');
  }
  return inProgress('NotUnsealed', 'The SealedSecrets controller has not unsealed it yet');
}

function definitionStatus(definition: Json): Health {
  for (const { type, status, reason, message } of conditionsOf(definition)) {
    if (type === 'NamesAccepted' && status === 'False') return failed(reason, message);
    if (type !== 'Established') continue;
    if (status === 'False' && reason !== 'Installing') return failed(reason, message);
    if (status === 'True') return current('CRD is established');
  }
  return inProgress('Installing', 'Install in progress');
}
