import { asSottoError, SottoError } from '../core/errors.ts';
import type { Answer, FingerprintPlan } from '../report/status.ts';
import { isAtRest } from './at-rest.ts';
import type { AgentContext } from './context.ts';
import { planFingerprint } from './fingerprint-plan.ts';
import { removeFormer, storeNewKey } from './fingerprint-secret.ts';
import { notCarried } from './fingerprint-carried.ts';
import { leftOf } from './status-view.ts';

/** Tries out what another fingerprint key would change, for the status. */
export async function showFingerprintPlan(agent: AgentContext): Promise<Answer> {
  await passEach(agent);
  const found = await agent.exclusively(() => planned(agent));
  return { outcome: 'done', message: `plan ${found.planId}` };
}

/** As Git is now: what is planned for an older commit would be another plan a second later. */
async function passEach(agent: AgentContext): Promise<void> {
  const awake = [...agent.syncs.values()].filter((sync) => !isAtRest(agent, sync));
  await Promise.all(awake.map(({ settings }) => agent.ask(settings.name)));
}

async function planned(agent: AgentContext): Promise<FingerprintPlan> {
  if (agent.fingerprint.former !== undefined) throw beingChanged(agent);
  const found = await planFingerprint(agent);
  agent.fingerprint.plan = found;
  agent.changed();
  return found;
}

/**
 * Changes the fingerprint key, for somebody who has seen what that does. From the one write of the Secret on both keys
 * are there; everything is made anew with the new one, in any order and however often it is begun again, and only then
 * the former one is taken away (`settleFingerprint`).
 */
export async function changeFingerprint(agent: AgentContext, planId: string): Promise<Answer> {
  await passEach(agent);
  await agent.exclusively(async () => {
    const found = await planned(agent);
    if (found.planId !== planId) throw otherPlan(planId);
    turnTo(agent, await storeNewKey(agent));
    await agent.inventory.store();
  });
  agent.log.info('the fingerprint key was changed: what was made with the one before is made anew');
  await passEach(agent);
  await settleFingerprint(agent);
  if (agent.fingerprint.former === undefined)
    return { outcome: 'done', message: 'nothing made with the former key is left' };
  const left = leftOf(agent) ?? 'it cannot be taken out of its Secret yet, and that is tried again (sotto logs)';
  return { outcome: 'failed', message: `the key is changed, and the former one is still needed: ${left}` };
}

function turnTo({ fingerprint, inventory, syncs }: AgentContext, next: AgentContext['fingerprint']['current']): void {
  fingerprint.former = fingerprint.current;
  fingerprint.current = next;
  fingerprint.plan = undefined;
  fingerprint.carried.clear();
  inventory.forgetTokens();
  for (const sync of syncs.values()) {
    sync.built = undefined;
    sync.keptOf = undefined;
    sync.stale = true;
  }
}

/** Takes the former key away once inventory, status and every sync are made with the new one. Called again until then. */
export async function settleFingerprint(agent: AgentContext): Promise<void> {
  const { fingerprint, clock, signal } = agent;
  const isDue = fingerprint.former !== undefined && notCarried(agent).length === 0;
  if (!isDue || signal.aborted || clock.elapsedMs() < fingerprint.notBeforeMs) return;
  fingerprint.settling ??= settle(agent).finally(() => {
    fingerprint.settling = undefined;
  });
  await fingerprint.settling;
}

/** What is carried over stays so: whatever a pass writes meanwhile is made with the new key. */
async function settle(agent: AgentContext): Promise<void> {
  const { fingerprint, inventory, log, clock } = agent;
  try {
    forgetMarksOfOthers(agent);
    await inventory.store();
    await agent.told();
    if (agent.signal.aborted) return;
    await removeFormer(agent);
  } catch (thrown) {
    const error = asSottoError(thrown);
    log.warn('the former fingerprint key cannot be removed yet', { code: error.code, error });
    fingerprint.notBeforeMs = clock.elapsedMs() + RETRY_MS;
    return;
  }
  fingerprint.former = undefined;
  fingerprint.carried.clear();
  log.info('the former fingerprint key is gone');
  agent.changed();
}

/** Until the Secret is tried again. */
const RETRY_MS = 30_000;

/** Of objects that no sync has: what their Pods read is looked at when one takes them. */
function forgetMarksOfOthers({ inventory, syncs }: AgentContext): void {
  for (const row of inventory.inventory.rows.values()) {
    if (row.restart !== undefined && !syncs.has(row.sync)) inventory.set({ ...row, restart: undefined });
  }
}

function beingChanged(agent: AgentContext): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-071',
    what: 'the fingerprint key is being changed already',
    why: leftOf(agent) ?? 'the former key is about to go',
    next: 'sotto status; it goes on by itself, also after a restart of the agent',
  });
}

function otherPlan(planId: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-072',
    what: 'the fingerprint key was not changed',
    why: `what it would change is not what plan ${planId.slice(0, 16)} says any more: a commit, the settings or the key are others`,
    next: 'sotto rotate --fingerprint --plan',
  });
}
