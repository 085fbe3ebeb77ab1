import type { BodyBuffer } from '../apply/body.ts';
import { foreignOwner } from '../apply/first-contact.ts';
import { SottoError } from '../core/errors.ts';
import { displayObject, type ObjectKey, shortRevision } from '../core/ids.ts';
import { MEMBER_LABEL } from '../core/labels.ts';
import { afterCorrection, askFight, type Fight, peaceAtMs } from '../drift/fight.ts';
import { type FutilityKey, futilityKey } from '../drift/futility.ts';
import { driftedPointers } from '../drift/judge.ts';
import { handFields } from '../drift/undone-fields.ts';
import { driftManagers } from '../drift/verdict.ts';
import { pauseOf } from '../plan/pause.ts';
import { block, wakeSuspended } from './blocked.ts';
import { type AgentContext, desiredOf } from './context.ts';
import { type Case, type CaseEnd, correctCase } from './correction-run.ts';
import type { Finding } from './live.ts';
import { reportCorrection, reportFight, reportUncorrectable, type Undone } from './report-correction.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/** Undoes what was changed outside Git, one object at a time, rendering nothing. Lives as long as the agent. */
export class Corrector {
  readonly #agent: AgentContext;
  readonly #fights = new Map<ObjectKey, Fight>();
  readonly #futile = new Map<ObjectKey, FutilityKey>();
  /** Corrections that are queued and not begun: the newest finding counts. */
  readonly #queued = new Map<ObjectKey, Finding>();
  /** Corrections that wait: the newest finding counts when the time is over. */
  readonly #waiting = new Map<ObjectKey, { finding: Finding; timer: NodeJS.Timeout }>();

  /** Failures in a row of corrections, and before when the next one is not tried. */
  readonly #failures = new Map<ObjectKey, Failing>();
  /** Looks whether a fight is over, when nobody may have written for long enough. */
  readonly #peace = new Map<ObjectKey, NodeJS.Timeout>();

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

  /** A pass applied the object: what was fought over is over, and what was found before is. */
  reset(key: ObjectKey): void {
    this.#fights.delete(key);
    this.#futile.delete(key);
    this.#failures.delete(key);
    clearTimeout(this.#waiting.get(key)?.timer);
    this.#waiting.delete(key);
    clearTimeout(this.#peace.get(key));
    this.#peace.delete(key);
  }

  close(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    for (const timer of this.#peace.values()) clearTimeout(timer);
    this.#waiting.clear();
    this.#peace.clear();
  }

  #consider(key: ObjectKey, finding: Finding, held: boolean): void {
    const agent = this.#agent;
    const wanted = desiredOf(agent, key);
    const resource = wanted && agent.catalog().find(wanted.object.apiVersion, wanted.object.id.kind);
    if (wanted === undefined || resource === undefined || isQuiet(agent, key, wanted.sync)) {
      // Git was not read yet, the kind is gone, or people asked for quiet: the next pass looks at it, or the end of the pause.
      agent.live.doubt(key);
      return;
    }
    const seenMs = agent.clock.elapsedMs();
    const found: Case = { key, ...wanted, resource, finding, seenMs, held };
    const fight = held ? undefined : askFight(this.#fights.get(key), seenMs, agent.random());
    if (fight?.kind === 'hold') return this.#fought(found, fight.delayMs);
    const restMs = (this.#failures.get(key)?.notBeforeMs ?? 0) - seenMs;
    if (!held && restMs > 0) return this.#wait(found, restMs);
    this.#queued.set(key, finding);
    void agent.lanes
      .run(key, 'drift', (body) => {
        const latest = this.#queued.get(key) ?? finding;
        this.#queued.delete(key);
        // A commit may have been applied while this waited for the object: never the older version over the newer one.
        const now = desiredOf(agent, key);
        if (now !== undefined) return this.#correct({ ...found, ...now, finding: latest }, body);
        // The settings replaced the sync: its first pass has to look at the object.
        agent.live.doubt(key);
        return Promise.resolve(undefined);
      })
      .then(
        (undone) => undone && reportCorrection(agent, undone, agent.clock.elapsedMs() - seenMs),
        (thrown: unknown) => this.#failed(found, thrown),
      );
  }

  #wait(found: Case, delayMs: number): void {
    const { key, finding } = found;
    const timer = setTimeout(() => {
      const latest = this.#waiting.get(key)?.finding ?? finding;
      this.#waiting.delete(key);
      this.#consider(key, latest, true);
    }, delayMs);
    this.#waiting.set(key, { finding, timer });
  }

  /** Somebody writes the same fields each time they are restored: slower and slower, and said who (spec/drift.md 3.7). */
  #fought(found: Case, delayMs: number): void {
    const { object, sync, key } = found;
    const error = fightError(found);
    if (!sync.fights.has(key)) reportFight(this.#agent, undoneBy(found, false));
    sync.fights.set(key, error);
    this.#agent.metrics.fought(object.id.kind);
    this.#agent.log.warn('a correction waits', { object: displayObject(object.id), code: error.code, error, delayMs });
    this.#agent.changed();
    this.#wait(found, delayMs);
    this.#watchPeace(key);
  }

  /** A fight ends without an event: when nobody has written for long, status ceases to tell of it. */
  #watchPeace(key: ObjectKey): void {
    const leftMs = peaceAtMs(this.#fights.get(key)) - this.#agent.clock.elapsedMs();
    clearTimeout(this.#peace.get(key));
    this.#peace.delete(key);
    if (leftMs > 0 || this.#waiting.has(key) || this.#queued.has(key)) {
      const timer = setTimeout(() => this.#watchPeace(key), Math.max(leftMs, PEACE_POLL_MS));
      this.#peace.set(key, timer);
      return;
    }
    this.#fights.delete(key);
    const told = [...this.#agent.syncs.values()].filter((sync) => sync.fights.delete(key));
    if (told.length > 0) this.#agent.changed();
  }

  async #correct(found: Case, body: BodyBuffer): Promise<Undone | undefined> {
    const { key, finding } = found;
    const agent = this.#agent;
    if (agent.signal.aborted || agent.inventory.row(key) === undefined) return undefined;
    // Paused while it waited for its lane.
    if (isQuiet(agent, key, found.sync)) {
      agent.live.doubt(key);
      return undefined;
    }
    if (finding.kind === 'judged' && finding.verdict.kind === 'ask-autoscaler') {
      await this.#askAutoscaler(found);
      return undefined;
    }
    if (finding.kind === 'judged' && finding.verdict.kind === 'conflict') {
      const set = finding.verdict.owner;
      this.#failed(found, foreignOwner({ name: `another tool (set ${set})`, set }, this.#agent.place.setId));
      return undefined;
    }
    if (this.#isKnownFutile(found)) return undefined;
    const refusal = agent.ending.refusal(agent.clock.elapsedMs());
    if (refusal !== undefined) return this.#suspended(found, refusal);
    using opener = agent.opener(found.sync);
    const end = await correctCase(agent, found, { opener, body });
    if (end.kind === 'failed' && agent.ending.take(end.error, agent.clock.elapsedMs())) {
      return this.#suspended(found, end.error);
    }
    if (end.kind === 'failed') {
      this.#failed(found, end.error, end.again, end.retryAfterMs);
      return undefined;
    }
    if (end.created) wakeSuspended(agent);
    this.#remember(found, end);
    return end.wrote ? undoneBy(found, end.created) : undefined;
  }

  /** Nothing can be made in the namespace: told, and left to the passes. */
  #suspended(found: Case, error: SottoError): undefined {
    const agent = this.#agent;
    agent.live.doubt(found.key);
    const told = error.at({ file: found.object.file, line: found.object.line, object: displayObject(found.object.id) });
    block(
      found.sync,
      found.key,
      { action: 'apply', digest: found.object.digest, error: told },
      agent.clock.elapsedMs(),
    );
    agent.changed();
  }

  #remember(found: Case, end: Extract<CaseEnd, { kind: 'done' }>): void {
    const { key, finding, object, sync, held } = found;
    sync.blocked.delete(key);
    this.#failures.delete(key);
    if (end.wrote) {
      const nowMs = this.#agent.clock.elapsedMs();
      this.#fights.set(key, afterCorrection(this.#fights.get(key), nowMs, held));
      if (!held && sync.fights.delete(key)) this.#agent.changed();
    }
    if (!end.futile || finding.kind !== 'judged' || finding.verdict.kind !== 'drifted') return;
    this.#futile.set(key, futilityKey(object.digest, finding.verdict.seen));
    this.#agent.metrics.uncorrectable(object.id.kind);
    // Additions that come back are mostly defaults of the server: nothing that anybody has to know of.
    const { lost, changed } = finding.verdict;
    if (lost.length + changed.length > 0) reportUncorrectable(this.#agent, undoneBy(found, false));
  }

  /** A pair of document and live state that an apply did not bring together before: adopted without asking again. */
  #isKnownFutile({ key, finding, object }: Case): boolean {
    if (finding.kind !== 'judged' || finding.verdict.kind !== 'drifted') return false;
    const { seen } = finding.verdict;
    if (this.#futile.get(key) !== futilityKey(object.digest, seen)) return false;
    this.#agent.live.setRecord(key, seen);
    return true;
  }

  /** The object stays in doubt: the next pass tries again, sooner when trying again may help. */
  #failed(found: Case, thrown: unknown, again = false, retryAfterMs = 1_000): void {
    const agent = this.#agent;
    const object = displayObject(found.object.id);
    const count = (this.#failures.get(found.key)?.count ?? 0) + 1;
    const delayMs = retryMs(count, retryAfterMs);
    this.#failures.set(found.key, { count, notBeforeMs: agent.clock.elapsedMs() + delayMs });
    agent.live.doubt(found.key);
    if (!(thrown instanceof SottoError)) {
      agent.log.error('defect in a correction', { object, error: thrown });
      return;
    }
    const error = thrown.at({ file: found.object.file, line: found.object.line, object });
    agent.log.warn('a correction failed', { object, code: error.code, error });
    // What the same request would meet again waits for a pass; another event of the object does not hasten it.
    if (again && !agent.signal.aborted && !this.#waiting.has(found.key)) {
      this.#wait(error.code === 'SOTTO-KUBE-005' ? unseen(found) : found, delayMs);
      if (count < FAILURES_TO_TELL) return;
    }
    const { digest } = found.object;
    block(found.sync, found.key, { action: 'apply', digest, error }, agent.clock.elapsedMs());
    agent.changed();
  }

  /** Replicas went to nobody: only whether an autoscaler targets the object tells a person from KEDA (rows 16, 106). */
  async #askAutoscaler({ key, object, resource, finding }: Case): Promise<void> {
    // Not allowed to look counts as no: then a person scaled, as far as anybody can tell.
    this.#agent.live.setAutoscaled(key, (await this.#agent.isAutoscaled(object.id)) === 'yes');
    const seen = finding.object;
    // Judged again once the lane of the object is free.
    if (seen !== undefined) setImmediate(() => this.#agent.live.observe(resource, object.id.namespace, seen, true));
  }
}

function isQuiet({ inventory, live }: AgentContext, key: ObjectKey, { settings, standIn }: SyncRuntime): boolean {
  if (standIn !== undefined && live.isAppliedSince(key)) return true;
  return settings.suspend || pauseOf(inventory.inventory.pauses, key, settings.name) !== undefined;
}

interface Failing {
  readonly count: number;
  readonly notBeforeMs: number;
}

const FAILURES_TO_TELL = 3;
const PEACE_POLL_MS = 60_000;
const MAX_RETRY_MS = 300_000;

/** A right that was withdrawn or a namespace that ends must not cost a request a second for each object. */
function retryMs(failures: number, atLeastMs: number): number {
  return Math.max(atLeastMs, Math.min(MAX_RETRY_MS, 1_000 * 3 ** (failures - 1)));
}

/** The object moved on while its correction was on the way: what is there now is found out by an apply, not by the same patch. */
function unseen(found: Case): Case {
  const { finding } = found;
  if (finding.kind !== 'judged') return found;
  const verdict = { kind: 'suspect', why: 'own-time-moved', yielded: [] } as const;
  return { ...found, finding: { ...finding, verdict } };
}

const MEMBER_LABEL_PATH = `/metadata/labels/${MEMBER_LABEL.replace('/', '~1')}`;

/** What to tell people about a correction that wrote. */
function undoneBy({ finding, object, sync }: Case, created: boolean): Undone {
  const held = sync.standIn?.kind === 'holds' ? sync.standIn.revision : undefined;
  const revision = sync.report?.appliedRevision ?? held;
  const { name } = sync.settings;
  const shown = revision === undefined ? 'the last commit' : shortRevision(revision);
  const common = { object, sync: name, revision: shown, exactRevision: revision, fields: [] };
  if (created) return { ...common, operation: 'delete', paths: [], manager: undefined };
  // A DELETED event of an object that is still there: it had lost the label that the stream selects by.
  const isLabelLoss = finding.kind === 'deleted' || finding.verdict.kind === 'lost-object';
  if (isLabelLoss) return { ...common, operation: 'Update', paths: [MEMBER_LABEL_PATH], manager: undefined };
  const { verdict } = finding;
  if (verdict.kind !== 'drifted') return { ...common, operation: 'Update', paths: [], manager: undefined };
  const [first] = driftManagers(verdict);
  const operation = first?.operation ?? 'Update';
  const fields = object.id.kind === 'Secret' ? [] : handFields(verdict, finding.object);
  return { ...common, operation, paths: driftedPointers(verdict), manager: first?.manager, fields };
}

function fightError({ finding, object }: Case): SottoError {
  const drift = finding.kind === 'judged' && finding.verdict.kind === 'drifted' ? finding.verdict : undefined;
  const who = drift === undefined ? [] : driftManagers(drift).map(({ manager }) => manager);
  const paths = drift === undefined ? [] : driftedPointers(drift).slice(0, 5);
  return new SottoError({
    code: 'SOTTO-PLAN-012',
    what: 'the object is changed again each time it is restored',
    why: `${who.length === 0 ? 'somebody' : who.join(', ')} writes ${paths.length === 0 ? 'it' : paths.join(', ')}, and corrections are slowed down`,
    next: 'decide who owns the fields: take them out of Git, or stop the other writer',
    file: object.file,
    line: object.line,
    object: displayObject(object.id),
  });
}
