import { SottoError } from '../../core/errors.ts';
import type { RequestText, RotatedKeys } from '../../plan/request.ts';
import type { HandledRequest } from '../../report/status.ts';
import { askAgent } from '../ask-agent.ts';
import { confirmed } from '../ask.ts';
import type { Cluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { say, writeData } from '../output.ts';
import { harmless } from '../terminal.ts';
import { whoAmI } from '../who.ts';
import { reasonLine } from './exposed.ts';
import { KEEP_OLD_MS } from './flags.ts';

/** Until the agent has rotated all of it. */
const ROTATED_MS = 30 * 60_000;

/** The flags of `sotto rotate` that count for a rotation by the agent. */
export interface InClusterFlags {
  readonly branch?: string;
  readonly newSecret?: true;
  readonly newSealing?: true;
  readonly sync?: string;
  readonly old?: string;
  /** Milliseconds. */
  readonly keepOld?: number;
  readonly timeout?: number;
  readonly reason?: string;
  readonly plan?: true;
  readonly yes?: true;
}

/** Shows what the agent would do, and lets it do exactly that. */
export async function rotateInCluster(flags: InClusterFlags, cluster: Cluster, context: CommandContext): Promise<void> {
  const reason = reasonLine(flags.reason);
  const keys = keysOf(flags);
  const request: RequestText = {
    kind: 'rotate',
    reason,
    sync: flags.sync,
    branch: flags.branch,
    keys,
    old: flags.old,
    keepOld: `${Math.round((flags.keepOld ?? KEEP_OLD_MS) / 1000)}s`,
    by: await whoAmI(cluster),
  };
  const shown = await ask(request, flags, cluster, context);
  await writeData(context, `${shown.outcome}: ${harmless(shown.message)}\n`);
  if (shown.outcome !== 'done') return context.exitWith(EXIT.findings);
  if (flags.plan === true) return;
  const question = 'Let the agent make the key and push the branch?';
  if (!(await confirmed(context, question, { command: 'sotto rotate --in-cluster …', ...flags }))) return;
  const done = await ask({ ...request, plan: planIn(shown) }, flags, cluster, context);
  await writeData(context, `${done.outcome}: ${harmless(done.message)}\n`);
  if (done.outcome !== 'done') return context.exitWith(EXIT.findings);
  await say(context, `later: sotto rotate status -n ${cluster.namespace}`);
}

function ask(
  request: RequestText,
  { timeout: timeoutMs = ROTATED_MS }: InClusterFlags,
  cluster: Cluster,
  context: CommandContext,
): Promise<HandledRequest> {
  const onAccepted = (): void => void say(context, 'the agent is at it');
  return askAgent(cluster, request, { signal: context.signal, timeoutMs, onAccepted });
}

/** Without a flag it is an age key, as it was before there were two. */
function keysOf({ newSecret, newSealing }: InClusterFlags): RotatedKeys {
  if (newSealing !== true) return 'age';
  return newSecret === true ? 'age,sealing' : 'sealing';
}

function planIn({ message }: HandledRequest): string {
  const [, id] = /^plan ([0-9a-f]{16}): /.exec(message) ?? [];
  if (id !== undefined) return id;
  throw new SottoError({
    code: 'SOTTO-CLI-046',
    what: 'the agent has shown no plan',
    why: 'its answer has none: it is of another version than this command',
    next: 'bring both to the same version (sotto version), then the same command again',
  });
}
