import { SottoError } from '../../core/errors.ts';
import { rfc3339 } from '../../core/clock.ts';
import type { CommitId } from '../../git/output.ts';
import { askAgent } from '../ask-agent.ts';
import type { Cluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { say } from '../output.ts';
import { whoAmI } from '../who.ts';
import { proveCanary } from './canary.ts';
import { type ClusterKeys, markState, secretOf } from './cluster-keys.ts';
import type { SealingCertificate } from '../../sealed/certificate.ts';
import type { RotationGoal } from '../../authoring/rotation/plan.ts';
import { changedGenerations, generations, untilApplied } from './settle.ts';

/** The agent's side of a rotation: before the commit, and after it. */
export interface Lookout {
  /** The commit is on the branch that the agent follows. Throws SOTTO-ROTATE-015 and -016. */
  follow(commit: CommitId): Promise<void>;
  /** The commit gets there later: what is to be done then. */
  later(): Promise<void>;
}

const APPLIED_MS = 5 * 60_000;

/** The canary, and how the workloads are now. Throws SOTTO-ROTATE-014, before anything is encrypted for the new key. */
export async function lookAhead(
  cluster: Cluster,
  keys: ClusterKeys,
  { age, certificate }: { readonly age: RotationGoal['age']; readonly certificate: SealingCertificate | undefined },
  until: Date,
  context: CommandContext,
): Promise<Lookout> {
  for (const key of [age?.made, certificate]) {
    if (key === undefined) continue;
    const holders = await proveCanary(cluster, key, context);
    await say(context, `the agent has opened a canary for the new key; syncs that open with it: ${holders.join(', ')}`);
    const without = keys.settings.syncs.map(({ name }) => name).filter((name) => !holders.includes(name));
    if (without.length > 0)
      await say(context, `note: these have keys of their own and would not open with it: ${without.join(', ')}`);
  }
  const { targetNamespace } = keys.settings;
  const namespace = targetNamespace ?? cluster.namespace;
  const before = await generations(cluster, namespace, context.signal);
  const secret = age === undefined ? undefined : secretOf(keys, age.old)?.name;
  return {
    follow: async (commit) => {
      await askForSync(cluster, context);
      await untilApplied(cluster, commit, { signal: context.signal, timeoutMs: APPLIED_MS });
      const after = await generations(cluster, namespace, context.signal);
      const changed = before && after && changedGenerations(before, after);
      const restarts = changed === undefined ? 'workloads may not be listed' : `${changed.length} workloads changed`;
      await say(context, `the agent runs ${commit.slice(0, 12)}; ${restarts}`);
      if (secret !== undefined) {
        await markState(cluster, secret, 'decrypt-only', until);
        await say(context, `Secret ${secret} with the old key only opens from now on, until ${rfc3339(until)}`);
      }
      if (changed !== undefined && changed.length > 0) throw restarted(changed);
    },
    later: async () => {
      if (secret === undefined) return;
      const mark = `sotto.dev/state=decrypt-only sotto.dev/until=${rfc3339(until)}`;
      await say(
        context,
        `next, once the agent runs it: kubectl annotate secret ${secret} -n ${cluster.namespace} ${mark}`,
      );
    },
  };
}

/** So that nobody waits for an interval. What comes of it is looked at afterwards. */
async function askForSync(cluster: Cluster, context: CommandContext): Promise<void> {
  const request = { kind: 'sync', by: await whoAmI(cluster), reason: 'a rotation' } as const;
  await askAgent(cluster, request, { signal: context.signal, timeoutMs: APPLIED_MS, onAccepted: () => undefined });
}

function restarted(workloads: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-016',
    what: 'workloads have another generation than before the rotation',
    why: `${workloads.join(', ')}: the rotation changes no value, so somebody changed them at the same time`,
    next: 'sotto events, and kubectl rollout history',
  });
}
