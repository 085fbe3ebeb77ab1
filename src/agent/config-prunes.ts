import { SottoError } from '../core/errors.ts';
import { displayObject, type ObjectId, type ObjectKey, objectIdOf, objectKey } from '../core/ids.ts';
import { arrayAt, type Json, memberAt, stringAt } from '../core/json.ts';
import { MEMBER_LABEL } from '../core/labels.ts';
import { shellWord } from '../core/shell-word.ts';
import { kubeError } from '../kube/errors.ts';
import { listObjects } from '../kube/lists.ts';
import type { Plan, PruneStep } from '../plan/plan.ts';
import { podUses } from '../plan/pod-uses.ts';
import { POD_SPEC_PATHS } from '../core/pod-spec.ts';
import type { AgentContext } from './context.ts';
import { isSoFar } from './waits.ts';

/** What Pods need while they run and when they start again. */
const CONFIGURATION: ReadonlySet<string> = new Set([
  '/ConfigMap',
  '/Secret',
  '/ServiceAccount',
  'rbac.authorization.k8s.io/Role',
  'rbac.authorization.k8s.io/RoleBinding',
]);
/** While these roll out, Pods of the version before still run, and start again. */
const ROLLING: ReadonlySet<string> = new Set(['apps/Deployment', 'apps/StatefulSet', 'apps/DaemonSet']);

const typeOf = ({ group, kind }: Pick<ObjectId, 'group' | 'kind'>): string => `${group}/${kind}`;

export function isConfiguration(step: PruneStep): boolean {
  return CONFIGURATION.has(typeOf(step.id));
}

export interface ConfigPrunes {
  readonly now: readonly PruneStep[];
  readonly later: Plan['waiting'];
  /** Workloads that hold up what is later. */
  readonly rollouts: readonly ObjectKey[];
}

/**
 * Which configuration may go now: none while a rollout of the sync is not done, and none that a live workload of ours
 * refers to. Asked of the API server, because what runs may be another version than what Git has (a pause, a refusal).
 */
export async function settledPrunes(
  agent: AgentContext,
  /** Name of the sync. */
  sync: string,
  steps: readonly PruneStep[],
): Promise<ConfigPrunes> {
  if (steps.length === 0) return { now: [], later: [], rollouts: [] };
  const rollouts = rollingOf(agent, sync);
  const [first] = rollouts;
  if (first !== undefined)
    return { now: [], later: steps.map(({ row, id }) => ({ row, error: rollsOut(id, first) })), rollouts };
  const users = await usersOf(agent);
  if (users instanceof SottoError)
    return { now: [], later: steps.map(({ row }) => ({ row, error: users })), rollouts: [] };
  const userOf = ({ id }: PruneStep): string | undefined => users.get(objectKey(id));
  return {
    now: steps.filter((step) => userOf(step) === undefined),
    later: steps.flatMap((step) => {
      const user = userOf(step);
      return user === undefined ? [] : [{ row: step.row, error: stillUsed(step.id, user) }];
    }),
    rollouts: [],
  };
}

function rollingOf(agent: Pick<AgentContext, 'inventory' | 'live'>, sync: string): ObjectKey[] {
  return [...agent.inventory.inventory.rows.values()]
    .filter((row) => row.sync === sync && ROLLING.has(typeOf(objectIdOf(row.key))))
    .map(({ key }) => key)
    .filter((key) => !isSoFar(agent, 'settled', key));
}

/** By object of configuration: the first live workload of ours that refers to it. */
async function usersOf(agent: AgentContext): Promise<ReadonlyMap<ObjectKey, string> | SottoError> {
  const { transport, place, signal, inventory } = agent;
  const users = new Map<ObjectKey, string>();
  const kinds = new Map(
    [...inventory.inventory.rows.values()].map((row) => [`${row.apiVersion} ${objectIdOf(row.key).kind}`, row]),
  );
  for (const row of kinds.values()) {
    const { group, kind } = objectIdOf(row.key);
    const path = POD_SPEC_PATHS[typeOf({ group, kind })];
    const resource = agent.catalog().find(row.apiVersion, kind);
    if (path === undefined || resource === undefined || resource.secret) continue;
    const selection = { namespace: place.targetNamespace, labelSelector: `${MEMBER_LABEL}=${place.setId}`, signal };
    const answer = await listObjects(transport, resource, selection);
    if (!answer.ok) return kubeError(answer.failure, { verb: 'list', resource, namespace: place.targetNamespace });
    for (const item of answer.value.items) {
      const id = { group, kind, namespace: place.targetNamespace, name: stringAt(item, 'metadata', 'name') ?? '' };
      if (isOver(item)) continue;
      for (const { key: used } of podUses(memberAt(item, ...path), place.targetNamespace)) {
        if (!users.has(used)) users.set(used, displayObject(id));
      }
    }
  }
  return users;
}

/** Deleted, or a Job that has ended: it starts no Pod any more. */
function isOver(item: Json): boolean {
  if (stringAt(item, 'metadata', 'deletionTimestamp') !== undefined) return true;
  return arrayAt(item, 'status', 'conditions').some(
    (condition) =>
      ['Complete', 'Failed'].includes(stringAt(condition, 'type') ?? '') &&
      stringAt(condition, 'status') === 'True' &&
      stringAt(item, 'kind') === 'Job',
  );
}

function rollsOut(id: ObjectId, key: ObjectKey): SottoError {
  const workload = objectIdOf(key);
  return new SottoError({
    code: 'SOTTO-PLAN-083',
    what: 'the object left Git and is not pruned yet',
    why: `${displayObject(workload)} is not ready, so Pods of the version before may still need it`,
    next: `nothing to do: it is pruned when that is ready   (kubectl rollout status ${workload.kind.toLowerCase()}/${shellWord(workload.name)} -n ${workload.namespace})`,
    object: displayObject(id),
  });
}

function stillUsed(id: ObjectId, user: string): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-084',
    what: 'the object left Git and is not pruned',
    why: `${user}, as it runs now, still refers to it`,
    next: `let ${user} in Git do without it, or resume it if it is paused: sotto resume ${shellWord(user)}`,
    object: displayObject(id),
  });
}
