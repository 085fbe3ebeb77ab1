import { type ApplyOutcome, applyOwned, applyProbe } from '../apply/apply.ts';
import type { BodyBuffer } from '../apply/body.ts';
import { withoutFields } from '../apply/without-fields.ts';
import { asSottoError, SottoError } from '../core/errors.ts';
import { displayObject, type ObjectKey } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import { type Correction, type CorrectionStep, planCorrection, planForeignItems } from '../drift/correction.ts';
import { pathsOf, setOf, union } from '../drift/fields.ts';
import { type FutilityKey, futilityKey } from '../drift/futility.ts';
import { afterCorrection, askFight, type Fight } from '../drift/fight.ts';
import { driftedPointers, judgeAnswer } from '../drift/judge.ts';
import { unpackSet } from '../drift/packed.ts';
import type { Drifted } from '../drift/verdict.ts';
import { driftManagers } from '../drift/verdict.ts';
import { kubeError } from '../kube/errors.ts';
import { jsonPatch, mergePatch } from '../kube/objects.ts';
import type { Resource } from '../kube/resource.ts';
import type { Opener } from '../open/opener.ts';
import type { DesiredObject } from '../render/desired.ts';
import { recordApplied, versionIn } from './applied.ts';
import { type AgentContext, desiredOf } from './context.ts';
import { DEFAULT_POLICY } from './drift-policy.ts';
import type { Finding } from './live.ts';
import { reportCorrection, type Undone } from './report-correction.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/** One object that is not as Git wants it, with everything a correction of it needs. */
interface Case {
  readonly key: ObjectKey;
  readonly sync: SyncRuntime;
  readonly object: DesiredObject;
  readonly resource: Resource;
  readonly finding: Finding;
  readonly seenMs: number;
  /** It had to wait, because somebody writes the same fields again and again. */
  readonly held: boolean;
}

/** Undoes what was changed outside Git, one object at a time, rendering nothing. Lives as long as the agent. */
export class Corrector {
  readonly #agent: AgentContext;
  readonly #fights = new Map<ObjectKey, Fight>();
  readonly #futile = new Map<ObjectKey, FutilityKey>();
  /** Corrections that are queued and not begun: the newest finding counts. */
  readonly #queued = new Map<ObjectKey, Finding>();
  /** Corrections that wait: the newest finding counts when the time is over. */
  readonly #waiting = new Map<ObjectKey, { finding: Finding; timer: NodeJS.Timeout }>();

  constructor(agent: AgentContext) {
    this.#agent = agent;
  }

  /** Called by the live store for every finding; never throws and never waits. */
  handle(key: ObjectKey, finding: Finding): void {
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) waiting.finding = finding;
    else if (this.#queued.has(key)) this.#queued.set(key, finding);
    else this.#consider(key, finding, false);
  }

  /** A commit changed the object: what was fought over is over. */
  reset(key: ObjectKey): void {
    this.#fights.delete(key);
    this.#futile.delete(key);
  }

  close(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  #consider(key: ObjectKey, finding: Finding, held: boolean): void {
    const agent = this.#agent;
    const wanted = desiredOf(agent, key);
    const resource = wanted && agent.catalog().find(wanted.object.apiVersion, wanted.object.id.kind);
    if (wanted === undefined || resource === undefined || wanted.sync.settings.suspend) {
      // Git was not read yet, the kind is gone, or people asked for quiet: the next pass looks at it.
      agent.live.doubt(key);
      return;
    }
    const nowMs = agent.clock.elapsedMs();
    const fight = held ? undefined : askFight(this.#fights.get(key), nowMs, agent.random());
    if (fight?.kind === 'hold') return this.#hold(key, finding, fight.delayMs);
    const found: Case = { key, ...wanted, resource, finding, seenMs: nowMs, held };
    this.#queued.set(key, finding);
    void agent.lanes
      .run(key, 'drift', (body) => {
        const latest = this.#queued.get(key) ?? finding;
        this.#queued.delete(key);
        return this.#correct({ ...found, finding: latest }, body);
      })
      .catch((thrown: unknown) => this.#failed(found, thrown));
  }

  #hold(key: ObjectKey, finding: Finding, delayMs: number): void {
    this.#agent.log.warn('a correction waits: the same object is changed again and again', { object: key, delayMs });
    const timer = setTimeout(() => {
      const latest = this.#waiting.get(key)?.finding ?? finding;
      this.#waiting.delete(key);
      this.#consider(key, latest, true);
    }, delayMs);
    this.#waiting.set(key, { finding, timer });
  }

  async #correct(found: Case, body: BodyBuffer): Promise<void> {
    const { key, finding } = found;
    const agent = this.#agent;
    if (agent.signal.aborted || agent.inventory.row(key) === undefined) return;
    if (finding.kind === 'judged' && finding.verdict.kind === 'ask-autoscaler') return this.#askAutoscaler(found);
    if (finding.kind === 'judged' && finding.verdict.kind === 'conflict') {
      agent.log.warn('an object carries the label of another set', { object: displayObject(found.object.id) });
      return;
    }
    if (this.#isKnownFutile(found)) return;
    using opener = agent.opener(found.sync);
    const done = await this.#run(found, this.#stepsFor(found), opener, body);
    if (done === undefined) return;
    if (done.wrote) this.#fights.set(key, afterCorrection(this.#fights.get(key), agent.clock.elapsedMs(), found.held));
    const undone = undoneBy(found, done.wrote);
    if (undone !== undefined) await reportCorrection(agent, undone, agent.clock.elapsedMs() - found.seenMs);
  }

  #stepsFor({ finding, object }: Case): Correction {
    if (finding.kind === 'deleted') return [{ kind: 'apply', force: finding.action === 'force' }];
    const { verdict } = finding;
    if (verdict.kind !== 'drifted' && verdict.kind !== 'suspect' && verdict.kind !== 'lost-object') return [];
    return planCorrection(verdict, finding.object, {
      apiVersion: object.apiVersion,
      policy: DEFAULT_POLICY,
    });
  }

  /** A pair of document and live state that an apply did not bring together before: adopted without asking again. */
  #isKnownFutile({ key, finding, object }: Case): boolean {
    if (finding.kind !== 'judged' || finding.verdict.kind !== 'drifted') return false;
    const { seen } = finding.verdict;
    if (this.#futile.get(key) !== futilityKey(object.digest, seen)) return false;
    this.#agent.live.setRecord(key, seen);
    return true;
  }

  /** Sends the steps in order; undefined when one failed and was reported. */
  async #run(
    found: Case,
    steps: Correction,
    opener: Opener,
    body: BodyBuffer,
  ): Promise<{ readonly wrote: boolean } | undefined> {
    const agent = this.#agent;
    let before = found.finding.object === undefined ? '' : versionIn(found.finding.object);
    let wrote = false;
    let last: Json | undefined;
    for (const step of steps) {
      const outcome = await this.#send(step, found, opener, body);
      if (outcome.kind === 'failed') return this.#refused(found, outcome, opener, body, steps);
      last = outcome.answer;
      const after = versionIn(last);
      wrote ||= after !== before || outcome.created;
      before = after;
    }
    if (last === undefined) return { wrote };
    const record = recordApplied(agent, found.sync.settings.name, found.object, found.resource, last);
    this.#noteFutile(found, wrote);
    const extra = judgeAnswer(last, record, this.#judgeContext());
    const isSecondLook = steps.some((step) => step.kind !== 'apply');
    if (extra === undefined || isSecondLook) return { wrote };
    return this.#removeAdditions(found, extra, last, opener, body);
  }

  /** Additions that the answer to our own apply shows: taken out once, with the answer as the judged object. */
  async #removeAdditions(found: Case, extra: Drifted, answer: Json, opener: Opener, body: BodyBuffer) {
    const finding: Finding = { kind: 'judged', verdict: extra, object: answer };
    const again: Case = { ...found, finding };
    await this.#run(again, this.#stepsFor(again), opener, body);
    return { wrote: true };
  }

  #noteFutile({ key, finding, object }: Case, wrote: boolean): void {
    if (wrote || finding.kind !== 'judged' || finding.verdict.kind !== 'drifted') return;
    this.#futile.set(key, futilityKey(object.digest, finding.verdict.seen));
    this.#agent.metrics.uncorrectable(object.id.kind);
  }

  async #send(step: CorrectionStep, found: Case, opener: Opener, body: BodyBuffer): Promise<ApplyOutcome> {
    const { transport, place } = this.#agent;
    const { object, resource, sync } = found;
    const target = { resource, namespace: object.id.namespace, name: object.id.name };
    if (step.kind === 'apply') {
      const context = { transport, opener, body, setId: place.setId, adopt: sync.settings.adopt };
      const wanted = this.#withoutYielded(found);
      return step.force ? applyOwned(wanted, resource, context) : applyProbe(wanted, resource, context);
    }
    const patch = step.kind === 'fold' ? (step.patch as Json) : step.body;
    const send = step.kind === 'fold' ? jsonPatch : mergePatch;
    const answer = await send(transport, { ...target, patch });
    if (answer.ok) return { kind: 'applied', answer: answer.value.object, created: false };
    const { failure } = answer;
    return { kind: 'failed', error: kubeError(failure, { verb: 'patch', ...target }), again: !failure.permanent };
  }

  /** Paths left to an autoscaler are not sent: force would steal them back. */
  #withoutYielded({ key, finding, object }: Case): DesiredObject {
    const record = this.#agent.live.record(key);
    const fresh =
      finding.kind === 'judged' && (finding.verdict.kind === 'drifted' || finding.verdict.kind === 'suspect')
        ? finding.verdict.yielded
        : [];
    const paths = pathsOf(union(unpackSet(record?.yielded), setOf(fresh)));
    return paths.length === 0 ? object : { ...object, tree: withoutFields(object.tree, paths) };
  }

  #judgeContext() {
    return {
      macKey: this.#agent.live.macKey,
      policy: DEFAULT_POLICY,
      setId: this.#agent.place.setId,
      applyInFlight: false,
      unordered: false,
      autoscaled: undefined,
    };
  }

  async #refused(
    found: Case,
    outcome: Extract<ApplyOutcome, { kind: 'failed' }>,
    opener: Opener,
    body: BodyBuffer,
    tried: Correction,
  ): Promise<{ readonly wrote: boolean } | undefined> {
    const record = this.#agent.live.record(found.key);
    const { finding, object } = found;
    const mayEscalate =
      finding.kind === 'judged' && record !== undefined && !tried.some((step) => step.kind === 'fold');
    const more = mayEscalate
      ? planForeignItems(finding.object, record, { apiVersion: object.apiVersion, policy: DEFAULT_POLICY })
      : undefined;
    if (more !== undefined && outcome.error.code === 'SOTTO-KUBE-009') return this.#run(found, more, opener, body);
    this.#failed(found, outcome.error, outcome.again, outcome.retryAfterMs);
    return undefined;
  }

  /** The object stays in doubt: the next pass tries again, sooner when trying again may help. */
  #failed(found: Case, thrown: unknown, again = false, retryAfterMs = 1_000): void {
    const agent = this.#agent;
    const error = thrown instanceof SottoError ? thrown : asSottoError(thrown);
    agent.live.doubt(found.key);
    agent.log.warn('a correction failed', { object: displayObject(found.object.id), code: error.code, error });
    if (again && !agent.signal.aborted && !this.#waiting.has(found.key)) {
      this.#hold(found.key, found.finding, retryAfterMs);
      return;
    }
    found.sync.blocked.set(found.key, { digest: found.object.digest, error, sinceMs: agent.clock.elapsedMs() });
    agent.changed();
  }

  /** Replicas went to nobody: only whether an autoscaler targets the object tells a person from KEDA (row 16, 106). */
  async #askAutoscaler(found: Case): Promise<void> {
    const { key, object, resource, finding } = found;
    const autoscaled = await this.#agent.isAutoscaled(object.id);
    this.#agent.live.setAutoscaled(key, autoscaled);
    if (finding.object !== undefined) {
      setImmediate(() => this.#agent.live.observe(resource, object.id.namespace, finding.object ?? null, true));
    }
  }
}

/** What to tell people; undefined when nothing was undone. */
function undoneBy(found: Case, wrote: boolean): Undone | undefined {
  const { finding, object, sync } = found;
  if (!wrote) return undefined;
  const common = { object, revision: sync.report?.appliedRevision ?? '' };
  if (finding.kind === 'deleted') return { ...common, operation: 'delete', paths: [], manager: undefined };
  const { verdict } = finding;
  if (verdict.kind === 'drifted') {
    const [first] = driftManagers(verdict);
    return {
      ...common,
      operation: first?.operation ?? 'Update',
      paths: driftedPointers(verdict),
      manager: first?.manager,
    };
  }
  return {
    ...common,
    operation: 'Update',
    paths: verdict.kind === 'lost-object' ? ['/metadata'] : [],
    manager: undefined,
  };
}
