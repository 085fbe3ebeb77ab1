import { asSottoError, SottoError } from '../core/errors.ts';
import type { Json } from '../core/json.ts';
import { askAgent } from './ask-agent.ts';
import { confirmed } from './ask.ts';
import { type Cluster, discoverKinds } from './cluster.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { readInventory } from './inventory-rows.ts';
import {
  depart,
  type Departure,
  departureOf,
  type Leaving,
  listSealed,
  SEALED_SECRETS,
  waitsForYes,
} from './leave-controller.ts';
import { say, writeData } from './output.ts';
import type { RequestFlags } from './request-flags.ts';
import { readStatus } from './status-document.ts';
import { harmless } from './terminal.ts';
import { whoAmI } from './who.ts';

type Ready = Extract<Departure, { kind: 'ready' }>;

const GONE_MS = 60_000;

export interface LeaveFlags extends RequestFlags {
  readonly yes?: true;
}

/** `sotto adopt --from sealed-secrets [NAME]`: shows what it would do, asks, does it one Secret after the other. */
export async function leaveController(
  object: string | undefined,
  flags: LeaveFlags,
  cluster: Cluster,
  context: CommandContext,
): Promise<void> {
  const { signal } = context;
  const catalog = await discoverKinds(cluster, signal);
  const { group, version, kind } = SEALED_SECRETS;
  if (catalog.find(`${group}/${version}`, kind) === undefined)
    throw nothingToLeave('the API server serves no SealedSecrets');
  const inventory = await readInventory(cluster, signal);
  const goneMs = Math.min(flags.timeout, GONE_MS);
  const leaving: Leaving = { cluster, namespace: inventory?.targetNamespace ?? cluster.namespace, signal, goneMs };
  const sealed = await chosen(object, leaving);
  const departures = await departuresOf(sealed, leaving, flags, context);
  const ready = departures.filter((each) => each.kind === 'ready');
  for (const each of departures) await say(context, planLine(each));
  if (departures.some((each) => each.kind === 'refused')) context.exitWith(EXIT.findings);
  if (ready.length === 0) return;
  const asking = { ...flags, command: `sotto adopt --from sealed-secrets${object === undefined ? '' : ` ${object}`}` };
  if (!(await confirmed(context, 'Take them over?', asking))) return context.exitWith(EXIT.findings);
  const failures = await departAll(ready, leaving, context);
  const gone = ready.filter(({ name }) => !failures.has(name));
  await takeOver(gone, flags, leaving, context);
  if (failures.size > 0) context.exitWith(EXIT.partly);
}

async function chosen(object: string | undefined, leaving: Leaving): Promise<ReadonlyMap<string, string>> {
  const all = await listSealed(leaving);
  if (all.size === 0) throw nothingToLeave(`there is no SealedSecret in namespace ${leaving.namespace}`);
  if (object === undefined) return all;
  const name = object.slice(object.lastIndexOf('/') + 1);
  const uid = all.get(name);
  if (uid === undefined)
    throw nothingToLeave(`there is no SealedSecret ${JSON.stringify(name)} in namespace ${leaving.namespace}`);
  return new Map([[name, uid]]);
}

/** A pass first: what the agent says must be true now, and the answer has the status written at once. */
async function departuresOf(
  sealed: ReadonlyMap<string, string>,
  leaving: Leaving,
  flags: LeaveFlags,
  context: CommandContext,
): Promise<readonly Departure[]> {
  await say(context, 'asking the agent for a pass');
  const status = await passed(leaving, flags);
  const found: Departure[] = [];
  for (const [name, uid] of sealed) found.push(await departureOf(leaving, name, uid, status));
  return found;
}

async function passed({ cluster, signal }: Leaving, flags: LeaveFlags): Promise<Json | undefined> {
  const request = { kind: 'sync', by: await whoAmI(cluster) } as const;
  await askAgent(cluster, request, { signal, timeoutMs: flags.timeout, onAccepted: () => undefined });
  return readStatus(cluster, signal);
}

function planLine(departure: Departure): string {
  if (departure.kind === 'refused') return `= SealedSecret/${departure.name} stays: ${departure.why}`;
  return `- SealedSecret/${departure.name} goes, Secret/${departure.name} stays and is applied by sotto from now on`;
}

async function departAll(
  ready: readonly Ready[],
  leaving: Leaving,
  context: CommandContext,
): Promise<ReadonlyMap<string, SottoError>> {
  const failures = new Map<string, SottoError>();
  for (const departure of ready) {
    try {
      await depart(leaving, departure);
    } catch (thrown) {
      leaving.signal.throwIfAborted();
      const error = asSottoError(thrown);
      failures.set(departure.name, error);
      await say(context, error.text());
    }
  }
  return failures;
}

/** Nobody's now: equal ones are taken over by the pass, the others when somebody says so, as it was said here. */
async function takeOver(gone: readonly Ready[], flags: LeaveFlags, leaving: Leaving, context: CommandContext) {
  const { cluster, signal } = leaving;
  if (gone.length === 0) return;
  const by = await whoAmI(cluster);
  let status = await passed(leaving, flags);
  for (const { name } of gone.filter(({ name: each }) => waitsForYes(status, each))) {
    const request = { kind: 'adopt', object: `Secret/${name}`, by } as const;
    await askAgent(cluster, request, { signal, timeoutMs: flags.timeout, onAccepted: () => undefined });
  }
  status = await readStatus(cluster, signal);
  for (const { name, sealedUid } of gone) {
    const left = await departureOf(leaving, name, sealedUid, status);
    const isTaken = left.kind === 'ready' && !waitsForYes(status, name);
    await writeData(
      context,
      harmless(isTaken ? `taken over: Secret/${name}` : `free, but not applied by sotto: Secret/${name}`) + '\n',
    );
    if (!isTaken) context.exitWith(EXIT.partly);
  }
}

function nothingToLeave(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-110',
    what: 'there is nothing to take over from the SealedSecrets controller',
    why,
    next: 'check the namespace (-n); a Secret without a SealedSecret is taken over by: sotto adopt secret/NAME',
  });
}
