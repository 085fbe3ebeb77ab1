import type { JsonObject } from '../../src/core/json.ts';
import type { World } from './world.ts';

/** Writes the status of an object as its controller or kubelet would. */
export async function setStatus(world: World, path: string, status: JsonObject): Promise<void> {
  const { plane } = world.own;
  const answer = await plane.admin('PATCH', `${path}/status`, { status }, 'application/merge-patch+json');
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
}

const NOW = '2026-01-02T03:04:05Z';

/** As the Job controller writes it when every Pod of a Job has ended well. */
export async function completeJob(world: World, name: string): Promise<void> {
  const condition = (type: string): JsonObject => ({ type, status: 'True', lastTransitionTime: NOW });
  await setStatus(world, jobPath(world, name), {
    startTime: NOW,
    completionTime: NOW,
    succeeded: 1,
    conditions: [condition('SuccessCriteriaMet'), condition('Complete')],
  });
}

export async function failJob(world: World, name: string): Promise<void> {
  const condition = (type: string): JsonObject => ({
    type,
    status: 'True',
    reason: 'BackoffLimitExceeded',
    message: 'Job has reached the specified backoff limit',
    lastTransitionTime: NOW,
  });
  await setStatus(world, jobPath(world, name), {
    startTime: NOW,
    failed: 1,
    conditions: [condition('FailureTarget'), condition('Failed')],
  });
}

export function jobPath(world: World, name: string): string {
  return `/apis/batch/v1/namespaces/${world.namespace}/jobs/${name}`;
}

/** A Deployment all of whose Pods run, as its controller writes it. */
export async function rollOut(world: World, name: string, generation = 1): Promise<void> {
  await setStatus(world, deploymentPath(world, name), {
    observedGeneration: generation,
    replicas: 1,
    updatedReplicas: 1,
    readyReplicas: 1,
    availableReplicas: 1,
    conditions: [
      { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', lastTransitionTime: NOW },
      { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', lastTransitionTime: NOW },
    ],
  });
}

export function deploymentPath(world: World, name: string): string {
  return `/apis/apps/v1/namespaces/${world.namespace}/deployments/${name}`;
}
