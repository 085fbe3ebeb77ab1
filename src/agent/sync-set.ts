import { join } from 'node:path';
import { type ObjectKey, objectIdOf } from '../core/ids.ts';
import { type Json, stringifyJson } from '../core/json.ts';
import type { HealthRules } from '../expression/health-rules.ts';
import type { Resource } from '../kube/resource.ts';
import type { Settings, SyncSettings } from '../settings/settings.ts';
import { createGitSource, type GitSource } from '../source/git-source.ts';
import type { AgentContext } from './context.ts';
import type { KeyStore } from './key-store.ts';
import { kindOfRow } from './kinds.ts';
import { clearLeft, isDue } from './leaving.ts';
import { SyncLoop } from './sync-loop.ts';
import { inTurn } from './sync-order.ts';
import { newRuntime, type SyncRuntime } from './sync-runtime.ts';

export interface SyncSetOptions {
  readonly workDir: string;
  readonly keys: KeyStore;
  readonly signal: AbortSignal;
  /** The loop of a sync ended with a defect. */
  onDefect(thrown: unknown): void;
}

interface Running {
  readonly loop: SyncLoop;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** The syncs of the settings in force. A change of settings starts, stops and updates them without a restart. */
export class SyncSet {
  readonly runtimes = new Map<string, SyncRuntime>();
  readonly #options: SyncSetOptions;
  readonly #running = new Map<string, Running>();
  #agent: AgentContext | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #updating: Promise<void> = Promise.resolve();
  #folders = 0;
  #isClearing = false;
  #clearedMs: number | undefined;

  constructor(options: SyncSetOptions) {
    this.#options = options;
  }

  /** The syncs as values, without running them: for one pass. */
  define(settings: Settings): void {
    for (const sync of settings.syncs) this.runtimes.set(sync.name, newRuntime(sync));
  }

  /** One loop for each sync, until the signal. */
  start(agent: AgentContext): void {
    this.#agent = agent;
    for (const sync of this.runtimes.values()) this.#startLoop(agent, sync);
  }

  /**
   * One visit of each sync, those that come first before the others, and another one of those that could not end
   * without the others: prunes wait until each sync of a repository has seen the commit, and an object may go over from
   * one to another.
   */
  async visitOnce(agent: AgentContext): Promise<void> {
    const visits = inTurn([...this.runtimes.values()]).map((sync) => ({
      sync,
      loop: this.#loopOf(agent, sync, this.#options.signal),
    }));
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      for (const { sync, loop } of visits) if (round === 0 || isUnfinished(sync)) await loop.visit();
    }
    for (const { loop } of visits) await loop.close();
    await this.clearLeft(agent);
  }

  /** Every sync is passed again: keys changed. */
  wakeAll(): void {
    for (const [name, sync] of this.runtimes) {
      sync.retryAll = true;
      this.wake(name);
    }
  }

  /** Asks the source of one sync now and passes, whether anything is new or not; resolves when that pass has ended. */
  async ask(name: string): Promise<void> {
    await this.#running.get(name)?.loop.ask();
  }

  /** The sync is visited at once and passed: something that it depends on has changed. */
  wake(name: string): void {
    const sync = this.runtimes.get(name);
    if (sync !== undefined) sync.stale = true;
    this.#running.get(name)?.loop.wake();
  }

  /** Kinds came or went: whoever waits for one, or has objects of one, is passed again. */
  wakeForKinds(changed: ReadonlySet<string>): void {
    const agent = this.#agent;
    if (agent === undefined) return;
    const owners = new Set(
      [...agent.inventory.inventory.rows.values()].filter((row) => changed.has(kindOfRow(row))).map((row) => row.sync),
    );
    for (const [name, sync] of this.runtimes) {
      if (!owners.has(name) && !sync.unknownKinds.some((kind) => changed.has(kind))) continue;
      sync.stale = true;
      this.wake(name);
    }
  }

  /** A kind can be watched that could not be: a right was given, or it is served again. What was refused may go now. */
  wakeForKind(resource: Resource): void {
    for (const [name, sync] of this.runtimes) {
      const ours = [...sync.blocked.keys(), ...sync.wanted].filter((key) => isOfResource(key, resource));
      if (ours.length === 0) continue;
      for (const key of ours) sync.blocked.delete(key);
      sync.stale = true;
      this.wake(name);
    }
  }

  /**
   * The server was away and answers again. While it starts it refuses what it will allow a moment later (kube-apiserver
   * serves before it has read the Roles), so what was refused meanwhile is tried once more.
   */
  wakeBlocked(resource: Resource): void {
    for (const [name, sync] of this.runtimes) {
      const refused = [...sync.blocked.keys()].filter((key) => isOfResource(key, resource));
      for (const key of refused) sync.blocked.delete(key);
      if (refused.length > 0) this.wake(name);
    }
  }

  /** One after the other: a loop that is still stopping belongs to the settings before. */
  update(settings: Settings): Promise<void> {
    const next = this.#updating.then(() => this.#update(settings));
    this.#updating = next.catch(() => undefined);
    return next;
  }

  async #update(settings: Settings): Promise<void> {
    const agent = this.#agent;
    if (agent === undefined) return;
    const wanted = new Map(settings.syncs.map((sync) => [sync.name, sync]));
    doubtHealth(agent, wanted, this.runtimes);
    for (const [name, sync] of this.runtimes) {
      const next = wanted.get(name);
      if (next !== undefined && isSameSource(next, sync.settings)) {
        if (next.sealedSecrets !== sync.settings.sealedSecrets) sync.opened.clear();
        sync.settings = next;
        sync.stale = true;
        sync.retryAll = true;
        this.#running.get(name)?.loop.wake();
        continue;
      }
      await this.#stopLoop(name);
      // Its rows wait for a sync of that name, or for the end of its objects (leaving.ts).
      this.runtimes.delete(name);
      agent.awaited.forget(name);
      if (next === undefined) agent.metrics.forgetSync(name);
    }
    for (const sync of settings.syncs) {
      if (this.runtimes.has(sync.name)) continue;
      const runtime = newRuntime(sync);
      this.runtimes.set(sync.name, runtime);
      this.#startLoop(agent, runtime);
    }
    agent.changed();
  }

  /** Objects of syncs that have left the settings and say that they go then. */
  async clearLeft(agent: AgentContext): Promise<void> {
    if (this.#isClearing || !isDue(agent, this.#clearedMs)) return;
    this.#isClearing = true;
    try {
      await this.exclusively(() => clearLeft(agent));
    } finally {
      this.#clearedMs = agent.clock.elapsedMs();
      this.#isClearing = false;
    }
  }

  async ended(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  #startLoop(agent: AgentContext, sync: SyncRuntime): void {
    const stop = new AbortController();
    const loop = this.#loopOf(agent, sync, AbortSignal.any([this.#options.signal, stop.signal]));
    const ended = loop.run().catch((thrown: unknown) => this.#options.onDefect(thrown));
    this.#running.set(sync.settings.name, { loop, stop, ended });
  }

  async #stopLoop(name: string): Promise<void> {
    const running = this.#running.get(name);
    this.#running.delete(name);
    running?.stop.abort();
    running?.loop.wake();
    await running?.ended;
  }

  #loopOf(agent: AgentContext, sync: SyncRuntime, signal: AbortSignal): SyncLoop {
    return new SyncLoop({
      agent,
      sync,
      signal,
      openSource: (of) => this.#openSource(of.settings, signal),
      exclusively: (task) => this.exclusively(task),
    });
  }

  /** One pass at a time in the whole agent; what must not meet one goes here too. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    const next = this.#queue.then(task, task);
    this.#queue = next.catch(() => undefined);
    return next;
  }

  #openSource(sync: SyncSettings, signal: AbortSignal): Promise<GitSource> {
    this.#folders += 1;
    const { git, ignore } = sync.source;
    return createGitSource(
      {
        url: git.url,
        branch: git.branch,
        path: sync.path,
        ignore,
        requireFastForward: git.requireFastForward,
        workDir: join(this.#options.workDir, `source-${this.#folders}`),
        timeoutMs: GIT_TIMEOUT_MS,
      },
      { access: () => this.#options.keys.access(sync), signal },
    );
  }
}

/** An object that goes over to another sync costs two: the one lets go, the other takes. */
const MAX_ROUNDS = 3;

function isUnfinished({ trouble, stale, report }: SyncRuntime): boolean {
  return trouble === undefined && (stale || report?.waitsFor !== undefined);
}

/** For one git command. A first fetch of a large repository is slow; a silent server is cut off sooner by git itself. */
const GIT_TIMEOUT_MS = 120_000;

/** Objects are not kept in memory: by other rules their health is known from the answer to an apply. */
function doubtHealth(
  agent: AgentContext,
  wanted: ReadonlyMap<string, SyncSettings>,
  before: ReadonlyMap<string, SyncRuntime>,
): void {
  const isOther = (name: string): boolean => {
    const [next, known] = [wanted.get(name)?.health, before.get(name)?.settings.health];
    return next !== undefined && known !== undefined && stringifyJson(textsOf(next)) !== stringifyJson(textsOf(known));
  };
  const changed = new Set([...wanted.keys()].filter(isOther));
  for (const row of agent.inventory.inventory.rows.values()) if (changed.has(row.sync)) agent.live.doubt(row.key);
}

function textsOf({ strict, expressions }: HealthRules): Json {
  const texts = expressions.map(({ group, kind, inProgress, failed, current }) => [
    group,
    kind,
    inProgress?.text ?? null,
    failed?.text ?? null,
    current.text,
  ]);
  return [strict, texts];
}

function isOfResource(key: ObjectKey, { group, kind }: Resource): boolean {
  const id = objectIdOf(key);
  return id.group === group && id.kind === kind;
}

function isSameSource(a: SyncSettings, b: SyncSettings): boolean {
  return a.path === b.path && JSON.stringify(a.source) === JSON.stringify(b.source);
}
