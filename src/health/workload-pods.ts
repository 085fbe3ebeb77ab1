import { groupOf } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import { arrayAt, member, stringAt } from '../core/json.ts';
import { JOB_RUNNING } from './dependency.ts';
import type { Health } from './result.ts';
import { failed, GENERATION_NOT_OBSERVED } from './result.ts';
import { NEVER_STARTS, stuckContainer } from './stuck-container.ts';

/** Which Pods a workload wants now: those of a version that it replaces say nothing of the new one. */
export interface Rollout {
  readonly uid: string;
  /** By what its Pods are told from those before; `any`: its template never changes. */
  readonly by: 'replica-set' | 'revision-hash' | 'template-generation' | 'any';
  /** Empty while the controller has not said: no Pod is the right one then. */
  readonly revision: string;
}

/** A ReplicaSet, as far as it stands between a Deployment and its Pods. */
export interface ReplicaSet {
  readonly uid: string;
  readonly owner: string;
  readonly revision: string;
}

/** A Pod that does not start and will not without a change. */
export interface PodFault {
  readonly owner: string;
  readonly revisionHash: string;
  readonly templateGeneration: string;
  readonly health: Health;
}

const REVISION = 'deployment.kubernetes.io/revision';
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

const ROLLOUTS: Readonly<Record<string, (workload: Json) => Omit<Rollout, 'uid'>>> = {
  'apps/Deployment': (workload) => ({ by: 'replica-set', revision: annotation(workload, REVISION) }),
  'apps/StatefulSet': (workload) => ({
    by: 'revision-hash',
    revision: stringAt(workload, 'status', 'updateRevision') ?? '',
  }),
  'apps/DaemonSet': (workload) => ({ by: 'template-generation', revision: annotation(workload, TEMPLATE_GENERATION) }),
  'apps/ReplicaSet': () => ({ by: 'any', revision: '' }),
  'batch/Job': () => ({ by: 'any', revision: '' }),
};

/** What of a workload its Pods can say more about; undefined where its own status says it all. */
export function rolloutOf(workload: Json, own: Health): Rollout | undefined {
  const isOpen = own.status === 'InProgress' || (own.status === 'Current' && own.reason === JOB_RUNNING);
  // Which Pods are the new ones is known when the controller has seen the change.
  if (!isOpen || own.reason === GENERATION_NOT_OBSERVED) return undefined;
  const group = groupOf(stringAt(workload, 'apiVersion') ?? '');
  const rule = ROLLOUTS[`${group}/${stringAt(workload, 'kind') ?? ''}`];
  const uid = stringAt(workload, 'metadata', 'uid') ?? '';
  return rule === undefined || uid === '' ? undefined : { uid, ...rule(workload) };
}

export function replicaSetOf(set: Json): ReplicaSet | undefined {
  const owner = controllerOf(set);
  if (owner === undefined) return undefined;
  return { uid: stringAt(set, 'metadata', 'uid') ?? '', owner, revision: annotation(set, REVISION) };
}

export function podFaultOf(pod: Json): PodFault | undefined {
  const owner = controllerOf(pod);
  if (owner === undefined || stringAt(pod, 'metadata', 'deletionTimestamp') !== undefined) return undefined;
  const stuck = stuckContainer(pod, NEVER_STARTS);
  if (stuck === undefined) return undefined;
  const name = stringAt(pod, 'metadata', 'name') ?? '?';
  return {
    owner,
    revisionHash: label(pod, 'controller-revision-hash'),
    templateGeneration: label(pod, 'pod-template-generation'),
    health: failed(stuck.reason, `Container ${stuck.name} of Pod ${name} does not start. ${stuck.message}`),
  };
}

/** The first Pod of the version that is wanted now which cannot start. */
export function faultOfRollout(
  rollout: Rollout,
  faults: Iterable<PodFault>,
  sets: Iterable<ReplicaSet>,
): Health | undefined {
  const owner = ownerOf(rollout, sets);
  for (const fault of faults) if (fault.owner === owner && isOfVersion(rollout, fault)) return fault.health;
  return undefined;
}

function ownerOf({ uid, by, revision }: Rollout, sets: Iterable<ReplicaSet>): string | undefined {
  if (by !== 'replica-set') return uid;
  for (const set of sets) if (set.owner === uid && revision !== '' && set.revision === revision) return set.uid;
  return undefined;
}

function isOfVersion({ by, revision }: Rollout, fault: PodFault): boolean {
  if (by === 'revision-hash') return revision !== '' && fault.revisionHash === revision;
  if (by === 'template-generation') return revision !== '' && fault.templateGeneration === revision;
  return true;
}

function controllerOf(object: Json): string | undefined {
  const owner = arrayAt(object, 'metadata', 'ownerReferences').find((each) => member(each, 'controller') === true);
  return stringAt(owner, 'uid');
}

function annotation(object: Json, name: string): string {
  return stringAt(object, 'metadata', 'annotations', name) ?? '';
}

function label(object: Json, name: string): string {
  return stringAt(object, 'metadata', 'labels', name) ?? '';
}
