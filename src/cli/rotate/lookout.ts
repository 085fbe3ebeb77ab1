import type { RotationGoal } from '../../authoring/rotation/plan.ts';
import { rfc3339 } from '../../core/clock.ts';
import { SottoError } from '../../core/errors.ts';
import { shellWord } from '../../core/shell-word.ts';
import type { Checkout } from '../../git/checkout.ts';
import type { CommitId } from '../../git/output.ts';
import { fetchTip, hasCommit, isAncestor } from '../../git/push.ts';
import type { AgentSteps, PushTarget } from '../../git/rotation-journal.ts';
import type { SealingCertificate } from '../../sealed/certificate.ts';
import { askAgent } from '../ask-agent.ts';
import type { Cluster, ClusterFlags } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { say } from '../output.ts';
import { whoAmI } from '../who.ts';
import { proveCanary } from './canary.ts';
import { type ClusterKeys, markState, secretOf, stateOf } from './cluster-keys.ts';
import { changedGenerations, generations, untilApplied } from './settle.ts';

/** Until the agent runs the commit. */
const APPLIED_MS = 5 * 60_000;

export interface Proving {
  readonly age: RotationGoal['age'];
  readonly certificate: SealingCertificate | undefined;
  /** End of the old key. */
  readonly until: Date;
  readonly flags: ClusterFlags;
}

/**
 * The canary, and how the workloads are now: what is to be done once the agent has the commit. Throws SOTTO-ROTATE-014,
 * before anything is encrypted for the new key.
 */
export async function lookAhead(
  cluster: Cluster,
  keys: ClusterKeys,
  { age, certificate, until, flags }: Proving,
  context: CommandContext,
): Promise<AgentSteps> {
  for (const key of [age?.made, certificate]) {
    if (key === undefined) continue;
    const holders = await proveCanary(cluster, key, context);
    await say(context, `the agent has opened a canary for the new key; syncs that open with it: ${holders.join(', ')}`);
    const without = keys.settings.syncs.map(({ name }) => name).filter((name) => !holders.includes(name));
    if (without.length > 0)
      await say(context, `note: these have keys of their own and would not open with it: ${without.join(', ')}`);
  }
  const workloads = keys.settings.targetNamespace ?? cluster.namespace;
  return {
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    server: cluster.connection.server.href,
    namespace: cluster.namespace,
    workloads,
    secret: age === undefined ? undefined : secretOf(keys, age.old)?.name,
    until: rfc3339(until),
    generations: await generations(cluster, workloads, context.signal),
  };
}

export interface Following {
  readonly checkout: Checkout;
  readonly commit: CommitId;
  readonly target: PushTarget;
  readonly agent: AgentSteps;
  /** How long the agent is waited for; 5 minutes where nobody says. */
  readonly timeoutMs?: number | undefined;
}

/**
 * The commit is on the branch that the agent follows: it is waited for, and the old key marked. Each step may be done
 * already. The workloads that have another generation than before. Throws SOTTO-ROTATE-015.
 */
export async function followCommit(
  cluster: Cluster,
  following: Following,
  context: CommandContext,
): Promise<readonly string[]> {
  const { commit, agent } = following;
  await say(context, 'waiting for the agent; should this end before it is there: sotto rotate --resume');
  const timeoutMs = following.timeoutMs ?? APPLIED_MS;
  const deadlineMs = performance.now() + timeoutMs;
  await askForSync(cluster, timeoutMs, context);
  const holds = (revision: CommitId): Promise<boolean | undefined> => comesAfter(following, revision);
  const leftMs = Math.max(0, deadlineMs - performance.now());
  await untilApplied(cluster, { commit, holds }, { signal: context.signal, timeoutMs: leftMs });
  const after = await generations(cluster, agent.workloads, context.signal);
  const changed = agent.generations && after && changedGenerations(agent.generations, after);
  const restarts = changed === undefined ? 'workloads may not be listed' : `${changed.length} workloads changed`;
  await say(context, `the agent runs ${commit.slice(0, 12)}; ${restarts}`);
  await markOld(cluster, agent, context);
  return changed ?? [];
}

/** A revision that others have pushed on top is one too; it may have to be fetched first. */
async function comesAfter({ checkout, target, commit }: Following, revision: CommitId): Promise<boolean | undefined> {
  if (!(await hasCommit(checkout, revision))) await fetchTip(checkout, target);
  if (!(await hasCommit(checkout, revision))) return undefined;
  return isAncestor(checkout, commit, revision);
}

async function markOld(cluster: Cluster, { secret, until }: AgentSteps, context: CommandContext): Promise<void> {
  if (secret === undefined) return;
  // Whoever resumes may come late: what was retired since, or is gone, stays so.
  const state = await stateOf(cluster, secret, context.signal);
  if (state === 'retired' || state === undefined)
    return say(context, `Secret ${secret} with the old key is ${state ?? 'not there any more'}`);
  await markState(cluster, secret, 'decrypt-only', new Date(until));
  await say(context, `Secret ${secret} with the old key only opens from now on, until ${until}`);
}

/** The commit gets there later: what is to be done then. */
export async function sayLater({ secret, until, namespace }: AgentSteps, context: CommandContext): Promise<void> {
  if (secret === undefined) return;
  const mark = `sotto.dev/state=decrypt-only sotto.dev/until=${until}`;
  await say(context, `next, once the agent runs it: kubectl annotate secret ${secret} -n ${namespace} ${mark}`);
}

/** So that nobody waits for an interval. What comes of it is looked at afterwards, also where it takes too long. */
async function askForSync(cluster: Cluster, timeoutMs: number, context: CommandContext): Promise<void> {
  const request = { kind: 'sync', by: await whoAmI(cluster), reason: 'a rotation' } as const;
  const asking = { signal: context.signal, timeoutMs, onAccepted: () => undefined };
  await askAgent(cluster, request, asking).catch((thrown: unknown) => {
    if (!(thrown instanceof SottoError && thrown.code === 'SOTTO-CLI-047')) throw thrown;
  });
}

/** The same name may lead to another cluster by now. Throws SOTTO-ROTATE-080. */
export function checkSameCluster({ connection }: Cluster, { server, context }: AgentSteps): void {
  if (connection.server.href === server) return;
  const named = context === undefined ? '' : ` (context ${shellWord(context)})`;
  throw new SottoError({
    code: 'SOTTO-ROTATE-080',
    what: 'the rotation is not resumed with this cluster',
    why: `it began with the API server ${server}, and ${connection.server.href} is the one that answers now${named}`,
    next: 'kubectl config get-contexts, then sotto rotate --resume --context NAME',
  });
}

export function restarted(workloads: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-016',
    what: 'workloads have another generation than before the rotation',
    why: `${workloads.join(', ')}: the rotation changes no value, so somebody changed them at the same time`,
    next: 'sotto events, and kubectl rollout history',
  });
}
