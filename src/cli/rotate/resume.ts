import { openCheckout } from '../../git/checkout.ts';
import { removeJournal } from '../../git/rotation-journal.ts';
import { withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { say } from '../output.ts';
import type { RotateFlags } from './flags.ts';
import { followHere, pushRecorded } from './carry-out.ts';
import { openJournal } from './journal.ts';
import { checkSameCluster, followCommit, restarted, sayLater } from './lookout.ts';

/** Exactly what was begun: the push, the branch with its files, and what is left to do with the agent. */
export async function resumeRotation(
  flags: Pick<RotateFlags, 'kubeconfig' | 'context' | 'timeout'>,
  context: CommandContext,
): Promise<void> {
  const checkout = await openCheckout(context.cwd, context.env, context.signal);
  const { path, journal } = await openJournal(checkout);
  await pushRecorded(checkout, path, journal, context);
  await followHere(checkout, path, journal);
  const { here, to, push: target, agent } = journal;
  if (here !== undefined)
    await say(context, `done: branch ${here.branch} is at ${to.slice(0, 12)}, as are files and index`);
  if (agent === undefined) return;
  if (target === undefined) return sayLater(agent, context);
  const { kubeconfig = agent.kubeconfig, context: name = agent.context } = flags;
  const named = { namespace: agent.namespace, ...(kubeconfig && { kubeconfig }), ...(name && { context: name }) };
  await withCluster(named, context, async (cluster) => {
    checkSameCluster(cluster, agent);
    const following = { checkout, commit: to, target, agent, timeoutMs: flags.timeout };
    await finishWithAgent(path, () => followCommit(cluster, following, context));
  });
}

/** The journal goes when everything is done, and stays where the agent is not there yet. Throws SOTTO-ROTATE-016. */
export async function finishWithAgent(path: string, follow: () => Promise<readonly string[]>): Promise<void> {
  const changed = await follow();
  removeJournal(path);
  if (changed.length > 0) throw restarted(changed);
}
