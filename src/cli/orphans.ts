import { arrayAt, memberAt, numberAt, stringAt } from '../core/json.ts';
import { confirmed } from './ask.ts';
import type { Cluster } from './cluster.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { say } from './output.ts';
import { request, type RequestFlags } from './request-flags.ts';
import { readStatus } from './status-document.ts';

export interface OrphanFlags extends RequestFlags {
  readonly orphans?: true;
  readonly sync?: string;
  readonly yes?: true;
}

const WHAT = {
  prune: ['they are deleted, with what depends on them', 'Delete them?'],
  adopt: ['they come into the inventory again; what Git does not have is pruned by the rules of prune', 'Adopt them?'],
} as const;

/** Shows the objects that no sync has, asks, and lets the agent delete or adopt exactly these. */
export async function askAboutOrphans(
  kind: 'prune' | 'adopt',
  flags: OrphanFlags,
  cluster: Cluster,
  context: CommandContext,
): Promise<void> {
  const orphans = memberAt(await readStatus(cluster, context.signal), 'orphans');
  const plan = stringAt(orphans, 'planId');
  if (plan === undefined) return say(context, 'every labelled object is in a sync: there is nothing to do');
  const objects = arrayAt(orphans, 'objects').map(String);
  const total = numberAt(orphans, 'total') ?? objects.length;
  for (const object of objects) await say(context, `  - ${object}`);
  if (total > objects.length) await say(context, `  … and ${total - objects.length} more`);
  const [what, question] = WHAT[kind];
  await say(context, `${total} labelled ${total === 1 ? 'object is' : 'objects are'} not in Git: ${what}`);
  if (!(await confirmed(context, question, { ...flags, command: `sotto ${kind} --orphans` })))
    return context.exitWith(EXIT.findings);
  const { sync } = flags;
  await request({ kind, plan, ...(sync === undefined ? {} : { sync }) }, flags, cluster, context);
}
