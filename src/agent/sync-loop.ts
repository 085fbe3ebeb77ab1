import { setTimeout as sleep } from 'node:timers/promises';
import { asSottoError, SottoError } from '../core/errors.ts';
import type { GitSource } from '../source/git-source.ts';
import { isAtRest } from './at-rest.ts';
import { nextTryMs } from './blocked.ts';
import type { AgentContext } from './context.ts';
import { standIn } from './last-applied.ts';
import { runPass } from './pass.ts';
import { judgeResumed } from './pausing.ts';
import { completed, type Wanted } from './reach.ts';
import type { SyncRuntime, Trouble } from './sync-runtime.ts';

export interface SyncLoopOptions {
  readonly agent: AgentContext;
  readonly sync: SyncRuntime;
  /** Made when first needed: a bad URL or branch is a trouble of this sync, not of the agent. */
  openSource(sync: SyncRuntime): Promise<GitSource>;
  /** One pass at a time in the whole agent; asking and fetching are not in it. */
  exclusively<T>(task: () => Promise<T>): Promise<T>;
  readonly signal: AbortSignal;
}

/** One sync: asks its source, passes what is new, tries again what failed. Ends with its signal. */
export class SyncLoop {
  readonly #options: SyncLoopOptions;
  #source: GitSource | undefined;
  #wake = Promise.withResolvers<void>();
  #asked: number | undefined;
  #passed: number | undefined;
  /** Who asked for a pass that has not begun yet. */
  #asking: (() => void)[] = [];

  constructor(options: SyncLoopOptions) {
    this.#options = options;
  }

  /** Something the sync depends on changed: visit it now. */
  wake(): void {
    this.#wake.resolve();
  }

  /** A pass from the start, for somebody who waits; resolves when it has ended, however it ended. */
  async ask(): Promise<void> {
    if (this.#options.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#asking.push(resolve);
    this.wake();
    await promise;
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      const asking = this.#asking;
      this.#asking = [];
      if (asking.length > 0) this.#fromTheStart();
      await this.visit();
      for (const answer of asking) answer();
      if (this.#asking.length === 0) await this.#wait();
    }
    for (const answer of this.#asking) answer();
    await this.close();
  }

  #fromTheStart(): void {
    const { sync } = this.#options;
    sync.stale = true;
    sync.retryAll = true;
  }

  async close(): Promise<void> {
    await this.#source?.[Symbol.asyncDispose]();
    this.#source = undefined;
  }

  /** Asks the source and passes if there is a reason to. Whatever goes wrong is the trouble of this sync. */
  async visit(): Promise<void> {
    const { agent, sync, signal } = this.#options;
    if (isAtRest(agent, sync) || signal.aborted) return;
    // A source that neither answers nor refuses.
    const late = setTimeout(() => void this.#standIn(), STAND_IN_AFTER_MS);
    late.unref();
    const snapshot = await this.#snapshot();
    clearTimeout(late);
    // Suspended or paused while the source was asked: then nothing of it is done any more.
    if (signal.aborted || isAtRest(agent, sync)) return;
    if (snapshot !== undefined) await this.#visitAt(snapshot);
    // Git does not answer, or no pass got so far: a resumed object is kept as it was wanted last.
    if (sync.resumed.size > 0) {
      await this.#options.exclusively(() => judgeResumed(agent, sync, [...sync.desired.values()]));
    }
    if (sync.trouble !== undefined) await this.#standIn();
  }

  async #visitAt(snapshot: Wanted): Promise<void> {
    const { agent, sync } = this.#options;
    if (!this.#needsPass(snapshot)) return;
    sync.snapshot = snapshot;
    if (snapshot.refusal !== undefined) return this.#setTrouble({ error: snapshot.refusal, needsPerson: true });
    try {
      const errors = await this.#options.exclusively(() => this.#pass(snapshot));
      this.#passed = agent.clock.elapsedMs();
      this.#setTrouble(troubleWith(errors));
      if (errors.length > 0) sync.stale = true;
    } catch (thrown) {
      sync.stale = true;
      this.#setTrouble(this.#troubleOf(thrown));
    }
  }

  /** What was applied last, while no pass was made since the start. Whatever goes wrong there leaves things as they are. */
  async #standIn(): Promise<void> {
    const { agent, sync, signal } = this.#options;
    if (signal.aborted || sync.report !== undefined) return;
    try {
      await this.#options.exclusively(async () => {
        if (!isAtRest(agent, sync)) await standIn(agent, sync);
      });
    } catch (thrown) {
      agent.log.error('what was applied last does not stand in', { sync: sync.settings.name, error: thrown });
    }
  }

  async #pass(snapshot: Wanted): Promise<readonly SottoError[]> {
    const { agent, sync } = this.#options;
    // While it waited for its turn, too.
    if (isAtRest(agent, sync)) {
      sync.stale = true;
      return [];
    }
    const [startedAt, startedMs] = [agent.clock.now(), agent.clock.elapsedMs()];
    // Not at its end: what changes while it runs is looked at by the next one.
    sync.stale = false;
    if (sync.retryAll) sync.blocked.clear();
    sync.retryAll = false;
    try {
      return await runPass(agent, sync, snapshot);
    } finally {
      sync.lastPass = { startedAt, tookMs: agent.clock.elapsedMs() - startedMs };
    }
  }

  async #snapshot(): Promise<Wanted | undefined> {
    const { agent, sync } = this.#options;
    const at = agent.clock.now();
    try {
      this.#source ??= await this.#options.openSource(sync);
      this.#asked = agent.clock.elapsedMs();
      agent.metrics.sourceAsked(sync.settings.name, at);
      sync.askedAt = at;
      const head = await this.#source.ask();
      if (sync.snapshot?.commit === head) {
        if (isSourceTrouble(sync.trouble)) this.#setTrouble(undefined);
        return sync.snapshot;
      }
      const pulled = await this.#source.pull(sync.snapshot ?? this.#lastApplied(), head);
      const snapshot = await completed(pulled, this.#source, sync.snapshot?.files ?? []);
      if (snapshot.rewound !== undefined) {
        const from = snapshot.rewound.from.slice(0, 12);
        agent.log.warn('rewound: the branch was rewritten', {
          sync: sync.settings.name,
          from,
          revision: snapshot.revision,
        });
      }
      return snapshot;
    } catch (thrown) {
      agent.metrics.sourceFailed(sync.settings.name, at);
      this.#setTrouble(this.#troubleOf(thrown));
      return undefined;
    }
  }

  /** After a restart the commit applied last is remembered, so that a rewritten branch is still noticed. */
  #lastApplied() {
    const { agent, sync } = this.#options;
    const revision = agent.inventory.inventory.revisions[sync.settings.name];
    const commit = revision?.replace(/^.*@sha1:/, '');
    return commit === undefined ? undefined : { commit, files: [] };
  }

  #needsPass(snapshot: Wanted): boolean {
    const { agent, sync } = this.#options;
    if (
      sync.snapshot !== snapshot ||
      sync.stale ||
      sync.resumed.size > 0 ||
      sync.report === undefined ||
      sync.report.retry
    )
      return true;
    const nowMs = agent.clock.elapsedMs();
    if ((nextTryMs(sync) ?? Number.POSITIVE_INFINITY) <= nowMs) return true;
    const passed = this.#passed ?? Number.NEGATIVE_INFINITY;
    return nowMs - passed >= sync.settings.intervalMs;
  }

  #troubleOf(thrown: unknown): Trouble {
    const error = thrown instanceof SottoError ? thrown : asSottoError(thrown);
    return { error, needsPerson: !MENDS_ITSELF.has(error.code) };
  }

  #setTrouble(trouble: Trouble | undefined): void {
    const { agent, sync } = this.#options;
    const before = sync.trouble;
    sync.trouble = trouble;
    if (textOf(trouble) === textOf(before)) return;
    if (trouble !== undefined) {
      for (const error of trouble.all ?? [trouble.error]) {
        agent.log.warn('the sync does not get on', { sync: sync.settings.name, code: error.code, error });
      }
    }
    agent.changed();
  }

  /** Until something is due, or until somebody wakes the loop. */
  async #wait(): Promise<void> {
    const { signal } = this.#options;
    const timer = new AbortController();
    const abort = (): void => timer.abort();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const due = sleep(this.#waitMs(), undefined, { signal: timer.signal }).catch(() => undefined);
    await Promise.race([due, this.#wake.promise]);
    this.#wake = Promise.withResolvers<void>();
    timer.abort();
    signal.removeEventListener('abort', abort);
  }

  #waitMs(): number {
    const { agent, sync } = this.#options;
    const { settings, report, trouble } = sync;
    if (isAtRest(agent, sync)) return MAX_WAIT_MS;
    const nowMs = agent.clock.elapsedMs();
    const due = [(this.#asked ?? nowMs) + settings.source.git.intervalMs, ...asList(nextTryMs(sync))];
    // With trouble the last good pass is long ago: what is due by then must not be due at once, again and again.
    if (trouble !== undefined || report?.retry === true) due.push(nowMs + settings.retryIntervalMs);
    else if (this.#passed !== undefined) due.push(this.#passed + settings.intervalMs);
    return Math.min(MAX_WAIT_MS, Math.max(100, Math.min(...due) - nowMs));
  }
}

function textOf(trouble: Trouble | undefined): string {
  return [trouble?.error, ...(trouble?.all ?? [])].map((error) => error?.text()).join('\n');
}

function asList(due: number | undefined): number[] {
  return due === undefined ? [] : [due];
}

/** A first fetch takes longer in a large repository; the pass after it undoes what this made. */
const STAND_IN_AFTER_MS = 5_000;

/** Timers hold at most 2^31 ms; a longer one fires at once. */
const MAX_WAIT_MS = 24 * 3_600_000;

/** Errors that may go by themselves: the agent tries again and says so. Everything else needs a person. */
const MENDS_ITSELF: ReadonlySet<string> = new Set([
  'SOTTO-GIT-001',
  'SOTTO-GIT-012',
  'SOTTO-GIT-013',
  'SOTTO-GIT-014',
  'SOTTO-GIT-034',
  'SOTTO-KUBE-001',
  'SOTTO-KUBE-015',
  'SOTTO-KUBE-016',
  'SOTTO-RENDER-064',
  'SOTTO-RENDER-067',
  'SOTTO-RENDER-068',
]);

/** Nothing of the path could be told. What may mend by itself is tried again at once, the rest too: keys may come. */
function troubleWith(errors: readonly SottoError[]): Trouble | undefined {
  const [error] = errors;
  if (error === undefined) return undefined;
  return { error, all: errors, needsPerson: errors.some(({ code }) => !MENDS_ITSELF.has(code)) };
}

function isSourceTrouble(trouble: Trouble | undefined): boolean {
  return (
    trouble?.error.code.startsWith('SOTTO-GIT-') === true || trouble?.error.code.startsWith('SOTTO-KEYS-') === true
  );
}
