import { rfc3339 } from '../../core/clock.ts';
import { count } from '../../core/count.ts';
import { asSottoError, SottoError } from '../../core/errors.ts';
import type { ObjectKey } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { type FingerprintKey, newDigestKey } from '../../keys/fingerprint.ts';
import { isSealedFor, isSopsSource } from '../../open/opener.ts';
import type { Request } from '../../plan/request.ts';
import type { Answer } from '../../report/status.ts';
import { isAtRest } from '../at-rest.ts';
import { type AgentContext, desiredOf } from '../context.ts';
import { type ExposedValue, type Exposure, placeOf, stillExposed } from './exposure.ts';
import { Openers } from './openers.ts';
import { type AppliedValue, appliedValues, names } from './values.ts';

/**
 * A key is in wrong hands: every value that it could open, of what is applied now, is followed from here on until it is
 * another one. Asked for before files get another key, because they do not name the old one afterwards.
 */
export async function expose(
  agent: AgentContext,
  { key, by, reason }: Extract<Request, { kind: 'expose' }>,
): Promise<Answer> {
  await Promise.all(unreadSyncs(agent).map((name) => agent.ask(name)));
  const [unread] = unreadSyncs(agent);
  if (unread !== undefined) throw notExposed(`sync ${unread} has made no pass since the agent was started`);
  // Not during a pass: at its end it would close what it replaces just now, and what took its place would be followed by nobody.
  const open = await agent.exclusively(() => follow(agent, { key, by, reason }));
  await agent.inventory.store();
  agent.changed();
  return { outcome: 'done', message: followedText(open) };
}

/** Tells how many values of the key are followed now. */
async function follow(
  agent: AgentContext,
  { key, by, reason }: Pick<Extract<Request, { kind: 'expose' }>, 'key' | 'by' | 'reason'>,
): Promise<number> {
  let open = 0;
  await agent.exposures.change(async (kept) => {
    const before = kept.exposures.find((each) => each.key === key);
    const digestKey = before?.digestKey ?? newDigestKey();
    const taken = await valuesOf(agent, key, digestKey);
    const known = new Set((before?.values ?? []).map(markOf));
    const fresh = taken.filter((value) => !known.has(markOf(value)));
    const others = kept.exposures.filter((each) => each !== before);
    const values = inOrder([...(before?.values ?? []), ...fresh]);
    open = values.length;
    if (fresh.length === 0) return kept;
    checkRoom([...others.map((each) => each.values.length), open]);
    const since = before?.since ?? rfc3339(agent.clock.now());
    const [total, accepted] = [(before?.total ?? 0) + fresh.length, before?.accepted ?? 0];
    return { ...kept, exposures: [...others, { key, since, reason, by, digestKey, total, accepted, values }] };
  });
  return open;
}

/** A key with a typing error opens nothing either: whoever has one is not to go home. Pure. */
export function followedText(open: number): string {
  if (open === 0)
    return 'no value that is applied is one that this key opens; is it the right key? sotto keys list, sotto recipients list';
  return `${count(open, 'value')} that this key opens ${open === 1 ? 'is' : 'are'} applied; each is followed until it changes`;
}

function markOf(value: ExposedValue): string {
  return `${placeOf(value)}\0${value.digest}`;
}

/** What one key opens of all that is applied. */
async function valuesOf(agent: AgentContext, key: string, digestKey: FingerprintKey): Promise<ExposedValue[]> {
  using openers = new Openers(agent);
  const found: ExposedValue[] = [];
  for (const value of allApplied(agent)) {
    if (!isOf(agent, value, key)) continue;
    const { file, key: at, object, cipher } = value;
    const digest = await openers.digest(value, digestKey);
    if (digest !== '') found.push({ file, key: at, object, cipher, digest });
    if (found.length > LIMITS.maxExposedValues) checkRoom([found.length]);
  }
  return found;
}

function isOf(agent: AgentContext, { ref, sync }: AppliedValue, key: string): boolean {
  if (isSopsSource(ref.source)) return names(ref.source, key);
  return isSealedFor(
    ref,
    agent.keysOf(sync).sealingKeys.filter(({ fingerprint }) => fingerprint === key),
  );
}

/** After a pass: values that are other ones now, or nowhere any more, are closed. Nothing to do where none is exposed. */
export async function lookAtExposed(agent: AgentContext): Promise<void> {
  const { exposures, inventory, log, signal } = agent;
  // Without the rows of before nothing says which objects there are besides those that are known.
  if (!exposures.isOpen || signal.aborted || inventory.lost || unreadSyncs(agent).length > 0) return;
  const before = exposures.exposures;
  try {
    await exposures.change(async (kept) => {
      const next: Exposure[] = [];
      for (const exposure of kept.exposures) next.push(await lookAt(agent, exposure));
      if (next.every((exposure, at) => exposure === kept.exposures[at])) return kept;
      return { ...kept, exposures: next.filter(({ values }) => values.length > 0) };
    });
  } catch (thrown) {
    const error = asSottoError(thrown);
    log.warn('what is exposed could not be looked at', { code: error.code, error });
  }
  if (exposures.exposures !== before) agent.changed();
}

async function lookAt(agent: AgentContext, exposure: Exposure): Promise<Exposure> {
  using openers = new Openers(agent);
  const { key, digestKey, values: before } = exposure;
  const values = await stillExposed(before, {
    now: allApplied(agent),
    isUnknown: (object) => isUnknown(agent, object),
    digestOf: (value) => openers.digestIfOpens(value, digestKey),
  });
  if (values.length === before.length && values.every((value, at) => isSameValue(value, before[at]))) return exposure;
  const closed = before.length - values.length;
  if (closed > 0) agent.log.info('exposed values have changed', { key, closed, open: values.length });
  return { ...exposure, values: inOrder(values) };
}

/** By place: they were applied in any order. */
function inOrder(values: readonly ExposedValue[]): ExposedValue[] {
  return values.toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
}

function isSameValue(a: ExposedValue, b: ExposedValue | undefined): boolean {
  return b !== undefined && placeOf(a) === placeOf(b) && a.cipher === b.cipher && a.object === b.object;
}

/** Somebody says that a value need not change: it is no secret, or it is settled. */
export async function acceptExposed(
  agent: AgentContext,
  { value: named }: Extract<Request, { kind: 'accept' }>,
): Promise<Answer> {
  let [accepted, open] = [0, 0];
  await agent.exposures.change((kept) => {
    if (named === undefined) {
      accepted = kept.exposures.reduce((sum, { values }) => sum + values.length, 0);
      if (accepted === 0 && kept.lost === undefined) throw noSuchValue('nothing is exposed');
      return Promise.resolve({ exposures: [] });
    }
    const exposures = kept.exposures.map((exposure) => {
      const values = exposure.values.filter((value) => placeOf(value) !== placeOf(named));
      const gone = exposure.values.length - values.length;
      accepted += gone;
      open += values.length;
      return gone === 0 ? exposure : { ...exposure, values, accepted: exposure.accepted + gone };
    });
    if (accepted === 0) throw noSuchValue('no exposed value stands there');
    return Promise.resolve({ ...kept, exposures: exposures.filter(({ values }) => values.length > 0) });
  });
  await agent.inventory.store();
  agent.changed();
  return { outcome: 'done', message: `${accepted} accepted as they are; ${open} are to be changed` };
}

/** The same value at the same place, in two syncs, is one. */
function allApplied(agent: AgentContext): AppliedValue[] {
  const all = [...agent.syncs.values()].flatMap(appliedValues);
  return [...new Map(all.map((value) => [`${placeOf(value)}\0${value.cipher}`, value])).values()];
}

/** The object exists, or shall, and is not as Git has it: then it may have the value still. */
function isUnknown(agent: AgentContext, object: ObjectKey): boolean {
  if (desiredOf(agent, object) !== undefined) return false;
  return (
    agent.inventory.row(object) !== undefined || [...agent.syncs.values()].some(({ wanted }) => wanted.has(object))
  );
}

/** A sync that makes no pass keeps its objects, and their rows say so. */
function unreadSyncs(agent: AgentContext): string[] {
  const unread = [...agent.syncs.values()].filter((sync) => sync.report === undefined && !isAtRest(agent, sync));
  return unread.map(({ settings }) => settings.name);
}

function checkRoom(counts: readonly number[]): void {
  const values = counts.reduce((sum, each) => sum + each, 0);
  if (counts.length > LIMITS.maxExposures) throw notExposed(`${LIMITS.maxExposures} keys are exposed already`);
  if (values > LIMITS.maxExposedValues) throw notExposed(`they are more than ${LIMITS.maxExposedValues} values in all`);
}

function notExposed(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-051',
    what: 'the values that the key could open are not followed',
    why,
    next: 'sotto status; then the same command again, or rotate without --reason compromised and keep a list of your own',
  });
}

function noSuchValue(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-052',
    what: 'there is nothing to accept',
    why,
    next: 'sotto status   (names what is exposed: file from the root of the repository, and key)',
  });
}
