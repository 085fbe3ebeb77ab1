import { SottoError } from '../../core/errors.ts';
import { arrayAt, type Json, memberAt, numberAt, stringAt } from '../../core/json.ts';
import type { HandledRequest } from '../../report/status.ts';
import { askAgent } from '../ask-agent.ts';
import { confirmed } from '../ask.ts';
import type { Cluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { say, writeData } from '../output.ts';
import { readStatus } from '../status-document.ts';
import { escaped, harmless } from '../terminal.ts';
import { whoAmI } from '../who.ts';

export interface FingerprintFlags {
  readonly plan?: true;
  readonly yes?: true;
  readonly output?: 'json';
}

/** For all passes with the new key. */
const TIMEOUT_MS = 300_000;

/**
 * Lets the agent change its fingerprint key: it says what that restarts and renames, somebody says yes to exactly that,
 * and it does it. The key is made in the agent and seen by nobody else.
 */
export async function rotateFingerprint(
  flags: FingerprintFlags,
  cluster: Cluster,
  context: CommandContext,
): Promise<void> {
  const tried = await ask(undefined, cluster, context);
  if (tried.outcome !== 'done') return answered(tried, context);
  const plan = await plannedIn(cluster, tried, context);
  if (flags.plan === true && flags.output === 'json')
    return writeData(context, escaped(`${JSON.stringify({ schema: PLAN_SCHEMA, ...plan.json }, undefined, 2)}\n`));
  for (const line of planLines(plan.json)) await writeData(context, `${line}\n`);
  if (flags.plan === true) return;
  const asking = { ...flags, command: `sotto rotate --fingerprint -n ${cluster.namespace}` };
  if (!(await confirmed(context, 'Change the fingerprint key?', asking))) return context.exitWith(EXIT.findings);
  const done = await ask(plan.id, cluster, context);
  await answered(done, context);
  if (done.outcome === 'refused') return;
  await say(
    context,
    'backups of keys that were made before hold the former key, and no agent takes it any more: sotto keys backup',
  );
}

const PLAN_SCHEMA = 'sotto.dev/fingerprint-plan/v1alpha1';

async function ask(plan: string | undefined, cluster: Cluster, context: CommandContext): Promise<HandledRequest> {
  const request = { kind: 'fingerprint', by: await whoAmI(cluster), ...(plan === undefined ? {} : { plan }) } as const;
  return askAgent(cluster, request, {
    signal: context.signal,
    timeoutMs: TIMEOUT_MS,
    onAccepted: () => void say(context, 'the agent is at it'),
  });
}

async function answered({ outcome, message }: HandledRequest, context: CommandContext): Promise<void> {
  await writeData(context, `${outcome}: ${harmless(message)}\n`);
  if (outcome !== 'done') context.exitWith(EXIT.findings);
}

interface Planned {
  readonly id: string;
  readonly json: { readonly [field: string]: Json };
}

async function plannedIn(cluster: Cluster, { message }: HandledRequest, context: CommandContext): Promise<Planned> {
  const plan = memberAt(await readStatus(cluster, context.signal), 'fingerprint', 'plan');
  const id = stringAt(plan, 'planId');
  if (id !== undefined && message === `plan ${id}` && typeof plan === 'object' && plan !== null && !Array.isArray(plan))
    return { id, json: plan as Planned['json'] };
  throw new SottoError({
    code: 'SOTTO-ROTATE-073',
    what: 'the agent does not say what a change of the fingerprint key does',
    why: `it answered ${JSON.stringify(harmless(message).slice(0, 60))}, and its status has no such plan`,
    next: 'use the version of sotto that the agent has (sotto version), and the same command again',
  });
}

function planLines(plan: Json): string[] {
  return [
    ...section(plan, 'restarts', 'workloads whose Pods are replaced', restartLine),
    ...section(plan, 'renames', 'generated objects that get another name (the old one is pruned)', String),
    ...section(plan, 'changes', 'other objects that refer to those', String),
    ...arrayAt(plan, 'holds').map((each) => harmless(holdLine(each))),
    'nothing else in the namespace is changed; backups of keys that were made before do not fit any more, and receipts of',
    'rotations are signed by another key: sotto keys backup and rotation.receiptKey of sotto.yaml afterwards',
  ];
}

function restartLine(restart: Json): string {
  return `${stringAt(restart, 'object')}: ${stringAt(restart, 'why')}`;
}

function holdLine(hold: Json): string {
  const [sync, why] = [stringAt(hold, 'sync'), stringAt(hold, 'why')];
  return `sync ${sync} will wait for sotto approve, and keep the former key until then: ${why}`;
}

function section(
  plan: Json,
  field: 'restarts' | 'renames' | 'changes',
  what: string,
  line: (each: Json) => string,
): string[] {
  const listed = arrayAt(plan, field);
  const total = numberAt(plan, 'total', field) ?? listed.length;
  const more = total > listed.length ? [`  … and ${total - listed.length} more`] : [];
  return [`${what}: ${total}`, ...listed.map((each) => `  ${harmless(line(each))}`), ...more];
}
