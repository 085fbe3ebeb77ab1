import type { RotationGoal } from '../../authoring/rotation/plan.ts';
import type { RotationKeys } from '../../authoring/rotation/prepare.ts';
import { SottoError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { fileWord, shellWord } from '../../core/shell-word.ts';
import { isCompromised } from '../../plan/request.ts';
import { askAgent } from '../ask-agent.ts';
import type { Cluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { say, writeData } from '../output.ts';
import { whoAmI } from '../who.ts';
import type { ClusterKeys } from './cluster-keys.ts';
import { type Asked, type ExposureReport, exposureReport, exposureTable } from './exposure-report.ts';

/** Opening a thousand sealed values takes a while. */
const ANSWER_MS = 5 * 60_000;

/** Why, as one line of the commit. */
export function reasonLine(reason: string | undefined): string | undefined {
  const line = reason
    ?.replace(/[\s\p{C}]+/gu, ' ')
    .trim()
    .slice(0, LIMITS.maxRequestReason);
  return line === '' ? undefined : line;
}

/** Of a key in wrong hands, what it could open; undefined where it is not said to be. */
export async function exposureOf(
  { checkout, documents, goal, keys }: Asked,
  reason: string | undefined,
  context: CommandContext,
): Promise<ExposureReport | undefined> {
  if (!isCompromised(reason)) return undefined;
  return exposureReport({ checkout, documents, goal, keys }, (line) => say(context, line));
}

/** Sealed items do not say their key: every sealing key of the agent but the one that is sealed for gives way. */
export function keysGivingWay(
  { goal, keys }: { readonly goal: RotationGoal; readonly keys: RotationKeys },
  { secrets }: ClusterKeys,
): string[] {
  const sealing = secrets.flatMap(({ sealingKey }) => sealingKey?.fingerprint ?? []);
  const others = sealing.filter((fingerprint) => fingerprint !== keys.certificate?.fingerprint);
  return [...(goal.age === undefined ? [] : [goal.age.old]), ...(goal.seals ? others : [])];
}

export async function showExposure(report: ExposureReport, context: CommandContext): Promise<void> {
  const { rows, untold } = report;
  if (rows.length > 0) await writeData(context, exposureTable(report));
  const files = new Set(rows.map(({ file }) => file)).size;
  await say(context, `the old key can open ${rows.length} values of ${files} files as they are now`);
  if (rows.some(({ certainty }) => certainty === 'older'))
    await say(
      context,
      'note: “or before”: a version before that is not in this clone, does not open, or was not looked at',
    );
  if (untold.length > 0)
    await say(context, `note: no key at hand tells for which key these are sealed: ${untold.join(', ')}`);
}

/** Before anything is encrypted for other keys: afterwards no file names the old ones. Throws SOTTO-ROTATE-051. */
export async function exposeAtAgent(
  cluster: Cluster,
  keys: readonly string[],
  reason: string,
  context: CommandContext,
): Promise<void> {
  const by = await whoAmI(cluster);
  for (const key of keys) {
    const asking = { signal: context.signal, timeoutMs: ANSWER_MS, onAccepted: () => undefined };
    const { outcome, message } = await askAgent(cluster, { kind: 'expose', key, reason, by }, asking);
    if (outcome !== 'done') throw notFollowed(message, cluster.namespace);
    await say(context, `${key}: ${message}   (sotto status -n ${cluster.namespace})`);
  }
}

function notFollowed(why: string, namespace: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-051',
    what: 'nothing was encrypted for the new key, because the agent does not follow what the old one could open',
    why,
    next: `sotto status -n ${namespace}; then the same command again: it takes the key that was made`,
  });
}

/** What is left to do once the keys are other ones. */
export async function toChange(
  report: ExposureReport | undefined,
  isFollowed: boolean,
  context: CommandContext,
): Promise<void> {
  const [first] = report?.rows ?? [];
  if (report === undefined || first === undefined) return;
  const who = isFollowed ? 'sotto status lists those that are left' : 'no agent was asked to follow that';
  await say(context, `note: ${report.rows.length} values have to change, because the old key could open them; ${who}`);
  await say(context, `next: sotto secret set ${fileWord(first.file)} ${shellWord(first.key)}`);
}
