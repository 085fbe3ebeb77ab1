import type { Json } from '../core/json.ts';
import { memberAt, stringAt } from '../core/json.ts';
import { conditionsOf, isTrue } from './conditions.ts';
import type { Health } from './result.ts';
import { current, failed, inProgress, integerAt } from './result.ts';

/** The API server's "no deadline". */
const NO_DEADLINE = 2 ** 31 - 1;

/** One comparison of a rule: the first that holds is the answer. */
type Check = readonly [holds: boolean, reason: string, message: string];

function firstOf(checks: readonly Check[]): Health | undefined {
  const found = checks.find(([holds]) => holds);
  return found === undefined ? undefined : inProgress(found[1], found[2]);
}

export function deploymentStatus(deployment: Json): Health {
  const conditions = conditionsOf(deployment);
  const progress = conditions.filter((condition) => condition.type === 'Progressing');
  const stalled = progress.find((condition) => condition.reason === 'ProgressDeadlineExceeded');
  if (stalled !== undefined) return failed(stalled.reason, stalled.message || 'Progress deadline exceeded');
  const progressing =
    integerAt(deployment, NO_DEADLINE, 'spec', 'progressDeadlineSeconds') === NO_DEADLINE ||
    progress.some((condition) => condition.status === 'True' && condition.reason === 'NewReplicaSetAvailable');
  const wanted = integerAt(deployment, 1, 'spec', 'replicas');
  const total = integerAt(deployment, 0, 'status', 'replicas');
  const updated = integerAt(deployment, 0, 'status', 'updatedReplicas');
  const available = integerAt(deployment, 0, 'status', 'availableReplicas');
  const ready = integerAt(deployment, 0, 'status', 'readyReplicas');
  return (
    firstOf([
      [wanted > total, 'LessReplicas', `Replicas: ${total}/${wanted}`],
      [wanted > updated, 'LessUpdated', `Updated: ${updated}/${wanted}`],
      [total > wanted, 'ExtraPods', `Pending termination: ${total - wanted}`],
      [updated > available, 'LessAvailable', `Available: ${available}/${updated}`],
      [wanted > ready, 'LessReady', `Ready: ${ready}/${wanted}`],
      [!progressing, 'ReplicaSetNotAvailable', 'ReplicaSet is not available'],
      [!isTrue(conditions, 'Available'), 'DeploymentNotAvailable', 'Deployment is not available'],
    ]) ?? current(`Deployment is available. Replicas: ${total}`)
  );
}

export function statefulSetStatus(set: Json): Health {
  if (stringAt(set, 'spec', 'updateStrategy', 'type') === 'OnDelete') {
    return current('StatefulSet is using the OnDelete update strategy');
  }
  const wanted = integerAt(set, 1, 'spec', 'replicas');
  const total = integerAt(set, 0, 'status', 'replicas');
  const ready = integerAt(set, 0, 'status', 'readyReplicas');
  const updated = integerAt(set, 0, 'status', 'updatedReplicas');
  const partition = integerAt(set, -1, 'spec', 'updateStrategy', 'rollingUpdate', 'partition');
  const short = firstOf([
    [wanted > total, 'LessReplicas', `Replicas: ${total}/${wanted}`],
    [wanted > ready, 'LessReady', `Ready: ${ready}/${wanted}`],
    [total > wanted, 'ExtraPods', `Pending termination: ${total - wanted}`],
  ]);
  if (short !== undefined) return short;
  if (partition !== -1) {
    return updated < wanted - partition
      ? inProgress('PartitionRollout', `Updated: ${updated}/${wanted - partition}`)
      : current(`Partition rollout complete. Updated: ${updated}`);
  }
  const inRevision = integerAt(set, 0, 'status', 'currentReplicas');
  const revision = stringAt(set, 'status', 'currentRevision') ?? '';
  const target = stringAt(set, 'status', 'updateRevision') ?? '';
  return (
    firstOf([
      [wanted > inRevision, 'LessCurrent', `Current: ${inRevision}/${wanted}`],
      [revision !== target, 'RevisionMismatch', 'Waiting for updated revision to match current'],
    ]) ?? current(`All replicas scheduled as expected. Replicas: ${total}`)
  );
}

export function replicaSetStatus(set: Json): Health {
  if (isTrue(conditionsOf(set), 'ReplicaFailure')) {
    return inProgress('ReplicaFailure', 'Replica failure condition. Check Pods');
  }
  const wanted = integerAt(set, 1, 'spec', 'replicas');
  const total = integerAt(set, 0, 'status', 'replicas');
  const labelled = integerAt(set, 0, 'status', 'fullyLabeledReplicas');
  const available = integerAt(set, 0, 'status', 'availableReplicas');
  const ready = integerAt(set, 0, 'status', 'readyReplicas');
  return (
    firstOf([
      [wanted > labelled, 'LessLabelled', `Labelled: ${labelled}/${wanted}`],
      [wanted > available, 'LessAvailable', `Available: ${available}/${wanted}`],
      [wanted > ready, 'LessReady', `Ready: ${ready}/${wanted}`],
      [total > wanted, 'ExtraPods', `Pending termination: ${total - wanted}`],
    ]) ?? current(`ReplicaSet is available. Replicas: ${total}`)
  );
}

export function daemonSetStatus(set: Json): Health {
  const desired = integerAt(set, -1, 'status', 'desiredNumberScheduled');
  const scheduled = integerAt(set, 0, 'status', 'currentNumberScheduled');
  const updated = integerAt(set, 0, 'status', 'updatedNumberScheduled');
  const available = integerAt(set, 0, 'status', 'numberAvailable');
  const ready = integerAt(set, 0, 'status', 'numberReady');
  return (
    firstOf([
      [missing(set, 'metadata', 'generation'), 'NoGeneration', 'metadata.generation not found'],
      [missing(set, 'status', 'observedGeneration'), 'NoObservedGeneration', 'status.observedGeneration not found'],
      [desired === -1, 'NoDesiredNumber', 'status.desiredNumberScheduled not found'],
      [desired > scheduled, 'LessCurrent', `Current: ${scheduled}/${desired}`],
      [desired > updated, 'LessUpdated', `Updated: ${updated}/${desired}`],
      [desired > available, 'LessAvailable', `Available: ${available}/${desired}`],
      [desired > ready, 'LessReady', `Ready: ${ready}/${desired}`],
    ]) ?? current(`All replicas scheduled as expected. Replicas: ${desired}`)
  );
}

function missing(object: Json, ...path: readonly string[]): boolean {
  return typeof memberAt(object, ...path) !== 'number';
}
