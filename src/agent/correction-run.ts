import { type ApplyOutcome, applyOwned, applyProbe } from '../apply/apply.ts';
import type { BodyBuffer } from '../apply/body.ts';
import type { SottoError } from '../core/errors.ts';
import type { ObjectKey } from '../core/ids.ts';
import { type Json, stringAt } from '../core/json.ts';
import { type Correction, type CorrectionStep, planCorrection, planForeignItems } from '../drift/correction.ts';
import type { FieldPath } from '../drift/fields.ts';
import { dropBeforeFirstApply } from '../drift/fold.ts';
import { adoptFutile, isFutile, type StepOutcome } from '../drift/futility.ts';
import { type JudgeContext, judgeAnswer } from '../drift/judge.ts';
import { withYielded } from '../drift/record.ts';
import type { Drifted } from '../drift/verdict.ts';
import { kubeError } from '../kube/errors.ts';
import { jsonPatch, mergePatch } from '../kube/objects.ts';
import type { Resource } from '../kube/resource.ts';
import { compareResourceVersions } from '../kube/resource-version.ts';
import type { Opener } from '../open/opener.ts';
import type { DesiredObject } from '../render/desired.ts';
import { recordApplied, versionIn } from './applied.ts';
import type { AgentContext } from './context.ts';
import { policyOf } from './drift-policy.ts';
import type { Finding } from './live.ts';
import type { SyncRuntime } from './sync-runtime.ts';
import { applyUnblocked } from './unblock.ts';
import { writerOf } from './writer.ts';
import { withoutYielded } from './yielding.ts';

/** One object that is not as Git wants it, with everything a correction of it needs. */
export interface Case {
  readonly key: ObjectKey;
  readonly sync: SyncRuntime;
  readonly object: DesiredObject;
  readonly resource: Resource;
  readonly finding: Finding;
  readonly seenMs: number;
  /** It had to wait, because somebody writes the same fields again and again. */
  readonly held: boolean;
}

/** The lane of the object, for the time of the correction. */
export interface Hand {
  readonly opener: Opener;
  readonly body: BodyBuffer;
}

export type CaseEnd =
  /** `futile`: the server sees no difference; what is there is adopted. */
  | { readonly kind: 'done'; readonly wrote: boolean; readonly created: boolean; readonly futile: boolean }
  | {
      readonly kind: 'failed';
      readonly error: SottoError;
      readonly again: boolean;
      readonly retryAfterMs?: number | undefined;
    };

/** Corrects one object: the steps that its finding asks for, the baseline from the answer, and one look at that. */
export async function correctCase(agent: AgentContext, found: Case, hand: Hand): Promise<CaseEnd> {
  const first = await runSteps(agent, found, stepsFor(agent, found), hand);
  if (first.kind === 'failed') return escalate(agent, found, first, hand);
  if (first.last === undefined) return { kind: 'done', wrote: false, created: false, futile: false };
  const drift = driftOf(found);
  const record = recordApplied(agent, found.sync.settings.name, found.object, found.resource, first.last);
  const yielded = yieldedBy(found);
  if (yielded.length > 0) agent.live.setRecord(found.key, withYielded(record, yielded));
  const extra = judgeAnswer(first.last, record, judgeContext(agent, found.key));
  if (drift !== undefined && isFutile(drift, first.outcomes, record)) {
    agent.live.setRecord(found.key, adoptFutile(record, extra));
    return { kind: 'done', wrote: false, created: false, futile: true };
  }
  const wrote = first.created || first.outcomes.some(({ rvBefore, rvAfter }) => rvBefore !== rvAfter);
  if (drift?.entryAbsent === true) await dropLeftovers(agent, found, first.last);
  else if (extra !== undefined && onlyApplied(first.outcomes)) await removeExtra(agent, found, extra, first.last, hand);
  return { kind: 'done', wrote, created: first.created, futile: false };
}

function driftOf({ finding }: Case): Drifted | undefined {
  return finding.kind === 'judged' && finding.verdict.kind === 'drifted' ? finding.verdict : undefined;
}

function onlyApplied(outcomes: readonly StepOutcome[]): boolean {
  return outcomes.every(({ kind }) => kind === 'apply');
}

function stepsFor(agent: AgentContext, { finding, object, key }: Case): Correction {
  if (finding.kind === 'deleted') return [{ kind: 'apply', force: finding.action === 'force' }];
  const { verdict } = finding;
  if (verdict.kind !== 'drifted' && verdict.kind !== 'suspect' && verdict.kind !== 'lost-object') return [];
  return planCorrection(verdict, finding.object, {
    apiVersion: object.apiVersion,
    policy: judgeContext(agent, key).policy,
  });
}

type StepsEnd =
  | {
      readonly kind: 'sent';
      readonly outcomes: readonly StepOutcome[];
      readonly last: Json | undefined;
      readonly created: boolean;
    }
  | Extract<CaseEnd, { kind: 'failed' }>;

/** Sends the steps in order; a failed one ends it. */
async function runSteps(agent: AgentContext, found: Case, steps: Correction, hand: Hand): Promise<StepsEnd> {
  const outcomes: StepOutcome[] = [];
  let rvBefore = seenVersion(agent, found);
  let last: Json | undefined;
  let created = false;
  for (const step of steps) {
    const outcome = await send(agent, step, found, hand);
    if (outcome.kind === 'failed') return outcome;
    last = outcome.answer;
    created ||= outcome.created;
    const rvAfter = versionIn(last);
    outcomes.push({ kind: step.kind, rvBefore, rvAfter });
    rvBefore = rvAfter;
  }
  return { kind: 'sent', outcomes, last, created };
}

/** The newest version known: an event after the finding may have been judged in sync. */
function seenVersion(agent: AgentContext, { key, finding }: Case): string {
  const found = finding.object === undefined ? '' : versionIn(finding.object);
  const record = agent.live.record(key);
  const isSame = record !== undefined && stringAt(finding.object, 'metadata', 'uid') === record.uid;
  return isSame && compareResourceVersions(found, record.goodRv) < 0 ? record.goodRv : found;
}

async function send(agent: AgentContext, step: CorrectionStep, found: Case, hand: Hand): Promise<ApplyOutcome> {
  const { object, resource, sync } = found;
  if (step.kind === 'fold') return sendPatch(agent, found, step.patch, 'fold');
  if (step.kind === 'null-patch') return sendPatch(agent, found, step.body, 'null-patch');
  const { transport, place, random, signal } = agent;
  const context = {
    ...hand,
    transport,
    random,
    signal,
    setId: place.setId,
    adopt: sync.settings.adopt,
    isKnown: true,
    asUser: writerOf(place, sync.settings),
  };
  const wanted = withoutYielded(agent, found.key, object, yieldedBy(found));
  const once = step.force ? applyOwned : applyProbe;
  return applyUnblocked(object, resource, context, () => once(wanted, resource, context));
}

async function sendPatch(
  { transport, place }: AgentContext,
  { object, resource, sync }: Case,
  patch: Json,
  kind: 'fold' | 'null-patch',
): Promise<ApplyOutcome> {
  const target = { resource, namespace: object.id.namespace, name: object.id.name };
  const asUser = writerOf(place, sync.settings);
  const answer = await (kind === 'fold' ? jsonPatch : mergePatch)(transport, { ...target, patch, asUser });
  if (answer.ok) return { kind: 'applied', answer: answer.value.object, created: false };
  const { failure } = answer;
  return {
    kind: 'failed',
    error: kubeError(failure, { verb: 'patch', ...target, user: asUser }),
    again: !failure.permanent,
  };
}

function yieldedBy({ finding }: Case): readonly FieldPath[] {
  if (finding.kind !== 'judged') return [];
  const { verdict } = finding;
  return verdict.kind === 'drifted' || verdict.kind === 'suspect' ? verdict.yielded : [];
}

/** A Service port renumbered by hand: our apply alone is invalid, so the foreign item is taken over first (row 40). */
async function escalate(
  agent: AgentContext,
  found: Case,
  failed: Extract<CaseEnd, { kind: 'failed' }>,
  hand: Hand,
): Promise<CaseEnd> {
  const record = agent.live.record(found.key);
  const isInvalid = failed.error.code === 'SOTTO-KUBE-009';
  if (!isInvalid || record === undefined || found.finding.kind !== 'judged') return failed;
  const target = { apiVersion: found.object.apiVersion, policy: judgeContext(agent, found.key).policy };
  const steps = planForeignItems(found.finding.object, record, target);
  if (steps === undefined) return failed;
  const end = await runSteps(agent, found, steps, hand);
  if (end.kind === 'failed') return end;
  if (end.last !== undefined) recordApplied(agent, found.sync.settings.name, found.object, found.resource, end.last);
  return { kind: 'done', wrote: true, created: false, futile: false };
}

/** After wiped managedFields: the entry the server made for everything that was there (row 71). */
async function dropLeftovers(agent: AgentContext, found: Case, answer: Json): Promise<void> {
  const patch = dropBeforeFirstApply(answer);
  if (patch === undefined) return;
  const outcome = await sendPatch(agent, found, patch, 'fold');
  if (outcome.kind === 'applied')
    agent.live.baseline(found.key, outcome.answer, found.resource.secret ? 'meta' : 'full');
}

/** Additions that the answer to our own apply shows: taken out once, with the answer as the judged object. */
async function removeExtra(agent: AgentContext, found: Case, extra: Drifted, answer: Json, hand: Hand): Promise<void> {
  const again: Case = { ...found, finding: { kind: 'judged', verdict: extra, object: answer } };
  const end = await runSteps(agent, again, stepsFor(agent, again), hand);
  if (end.kind === 'failed' || end.last === undefined) return;
  const record = recordApplied(agent, found.sync.settings.name, found.object, found.resource, end.last);
  if (isFutile(extra, end.outcomes, record)) {
    agent.live.setRecord(found.key, adoptFutile(record, judgeAnswer(end.last, record, judgeContext(agent, found.key))));
  }
}

export function judgeContext(agent: AgentContext, key: ObjectKey): JudgeContext {
  return {
    macKey: agent.live.macKey,
    policy: policyOf(agent.syncs, agent.inventory.row(key), key),
    setId: agent.place.setId,
    applyInFlight: false,
    unordered: false,
    autoscaled: undefined,
  };
}
