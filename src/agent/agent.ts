import type { SottoError } from '../core/errors.ts';
import { INVENTORY_NAME } from '../core/labels.ts';
import { CONFIG_MAPS, SECRETS } from '../kube/resource.ts';
import { watchResource } from '../kube/watch.ts';
import { NO_SETTINGS, type SettingsState } from '../settings/last-good.ts';
import type { Settings } from '../settings/settings.ts';
import { type Assembled, assemble, type InForce } from './assemble.ts';
import { wakeDependents } from './dependents.ts';
import { isHeldByOther, otherAgent } from './fence.ts';
import { takenOver } from './inventory-store.ts';
import type { AgentEnd } from './options.ts';
import { settleFingerprint } from './change-fingerprint.ts';
import { endPauses } from './pausing.ts';
import { patienceMs } from './sync-order.ts';
import type { ProbeView } from './serve/probes.ts';
import { statusWithTimes } from './serve/status-json.ts';
import { followSettings, readSettings, type SettingsOrigin } from './settings-source.ts';
import { rendererLine } from './renderer.ts';
import { repeating } from './repeating.ts';
import type { AgentSetup } from './setup.ts';
import { LIST_GRACE_MS } from './watching.ts';
import { viewSync } from './status-view.ts';
import type { SyncRuntime } from './sync-runtime.ts';
import type { UndoneEdit } from './undone-edits.ts';

/** How often the loop looks at what is due in memory; a probe that is older than a few of these is a stuck loop. */
const TICK_MS = 1_000;
const STUCK_MS = 60_000;
const READY_POLL_MS = 100;

/** The long-running process: starts from what is stored, runs the syncs, ends in order. */
export class Agent {
  readonly #setup: AgentSetup;
  readonly #origin: SettingsOrigin;
  readonly #stop = new AbortController();
  #inForce: InForce | undefined;
  #settings: SettingsState = NO_SETTINGS;
  #parts: Assembled | undefined;
  #defect: unknown;
  #isRestart = false;
  #tickedMs: number;

  constructor(setup: AgentSetup) {
    this.#setup = setup;
    this.#origin =
      setup.settingsFile === undefined
        ? { kind: 'configmap', namespace: setup.agentNamespace }
        : { kind: 'file', path: setup.settingsFile };
    this.#tickedMs = setup.clock.elapsedMs();
  }

  /** Reads settings, keys and inventory and takes the namespace over. Throws SottoError; may be called again then. */
  async start(signal: AbortSignal): Promise<void> {
    this.#stopWith(signal);
    const { transport, agentNamespace, takeOver, instance, pod, log } = this.#setup;
    const repeat = repeating(this.#setup, this.#stop.signal);
    this.#settings = await readSettings(this.#origin, transport, repeat);
    const [problem] = this.#settings.problems;
    if (this.#settings.current === undefined) throw problem ?? new TypeError('no settings and no problem');
    this.#inForce = { state: this.#settings, current: this.#settings.current };
    const parts = await assemble(this.#setup, this.#inForce, {
      signal: this.#stop.signal,
      repeat,
      onDefect: (thrown) => this.#fail(thrown),
    });
    const { holder } = parts.inventory.inventory;
    if (!takeOver && holder !== undefined && (await isHeldByOther(transport, agentNamespace, holder, pod, repeat))) {
      throw otherAgent(holder);
    }
    await parts.inventory.hold({ instance, pod });
    this.#parts = parts;
    // Which Secrets hold keys is told by their labels: the stream comes before the reading.
    await this.#watchSecrets(parts);
    await parts.keys.load();
    parts.syncs.define(this.#inForce.current);
    this.#setup.onSettings(this.#inForce.current);
    log.info('started', { namespace: agentNamespace, epoch: parts.inventory.inventory.epoch, instance });
  }

  /** The Secrets' metadata of the agent's namespace, before anything is opened: keys may have changed. */
  async #watchSecrets(parts: Assembled): Promise<void> {
    const { agentNamespace, transport, clock, random } = this.#setup;
    await parts.watching.cover([SECRETS]);
    if (parts.place.targetNamespace === agentNamespace) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    watchResource({
      mode: 'metadata',
      resource: SECRETS,
      transport,
      clock,
      random,
      signal: this.#stop.signal,
      namespace: agentNamespace,
      onEvent: (event) => {
        parts.onOwnSecret(event);
        if (event.type === 'synced') resolve();
        if (event.type === 'state' && event.state === 'stale') setTimeout(resolve, LIST_GRACE_MS).unref();
        else if (event.type === 'state') resolve();
      },
    }).catch((thrown: unknown) => this.#fail(thrown));
    this.#stop.signal.addEventListener('abort', () => resolve(), { once: true });
    if (!this.#stop.signal.aborted) await promise;
  }

  /** Until the signal, or until something happens that must not happen. `restart`: settings ask for a new beginning. */
  async run(signal: AbortSignal): Promise<'ended' | 'restart'> {
    const parts = this.#parts;
    if (parts === undefined || this.#inForce === undefined) return 'ended';
    const { log } = this.#setup;
    this.#stopWith(signal);
    this.#follow(parts);
    parts.context.last.begin();
    parts.syncs.start(parts.context);
    parts.desk.run().catch((thrown: unknown) => this.#fail(thrown));
    await this.#ticks(parts);
    log.info('stopping');
    await parts.syncs.ended();
    if (this.#defect !== undefined) throw this.#defect;
    return this.#isRestart ? 'restart' : 'ended';
  }

  /** One pass of every sync, readiness included; then how it went. */
  async once(signal: AbortSignal): Promise<AgentEnd> {
    const parts = this.#parts;
    if (parts === undefined) return { isReady: false, problems: [] };
    this.#stopWith(signal);
    const { context, syncs } = parts;
    await syncs.visitOnce(context);
    await this.#untilSettled(parts);
    if (this.#defect !== undefined) throw this.#defect;
    const views = [...syncs.runtimes.values()].map((sync) => viewSync(context, sync));
    const problems = views.flatMap(({ source, attention }) => [
      ...(source.error === undefined ? [] : [source.error.code]),
      ...attention.map(({ code }) => code),
    ]);
    return { isReady: views.every(({ state }) => state === 'Ready' || state === 'Suspended'), problems };
  }

  #stopWith(signal: AbortSignal): void {
    signal.addEventListener('abort', () => this.#stop.abort(), { once: true });
    if (signal.aborted) this.#stop.abort();
  }

  async #untilSettled({ context, syncs }: Assembled): Promise<void> {
    const { clock } = this.#setup;
    const fromMs = clock.elapsedMs();
    const isUnsettled = (): boolean =>
      [...syncs.runtimes.values()].some(
        (sync) =>
          viewSync(context, sync).state === 'Progressing' &&
          clock.elapsedMs() < fromMs + patienceMs(sync.settings.name, context.settings().syncs),
      );
    while (!this.#stop.signal.aborted && isUnsettled()) {
      await delay(READY_POLL_MS, this.#stop.signal);
      wakeDependents(context);
      if ([...syncs.runtimes.values()].some(isTurn)) await syncs.visitOnce(context);
    }
  }

  /** In order: no new work, the object in hand, the inventory, the last status. */
  async close(): Promise<void> {
    this.#stop.abort();
    const parts = this.#parts;
    if (parts === undefined) return;
    this.#parts = undefined;
    parts.corrector.close();
    parts.keys.close();
    await parts.context.lanes.idle();
    await parts.watching.ended();
    const { log } = this.#setup;
    try {
      await parts.inventory.release();
      await parts.publisher.flush();
      log.info('stopped');
    } catch (thrown) {
      // Nothing is lost: the next start finds rows that are older and looks closer.
      log.warn('the inventory could not be stored at the end', { error: thrown });
    } finally {
      // Where the inventory could not be stored, a status that is tried again and again would keep the process alive.
      parts.publisher.close();
    }
  }

  probes(): ProbeView {
    const { metrics, clock } = this.#setup;
    return {
      healthy: () => {
        const idleMs = clock.elapsedMs() - this.#tickedMs;
        const isStuck = this.#parts !== undefined && idleMs > STUCK_MS;
        return { ok: !isStuck, lines: isStuck ? [`the loop has not moved for ${Math.round(idleMs / 1000)} s`] : [] };
      },
      ready: () => this.#ready(),
      metrics: () => metrics.render(),
      certificate: () => this.#parts?.keys.ring?.sealingCertificate?.pem,
    };
  }

  /** For `/status.json`. */
  status(): unknown {
    const parts = this.#parts;
    return parts === undefined ? undefined : statusWithTimes(parts.document(), parts.syncs.runtimes);
  }

  /** Changes of people that were undone, for `/status.json`. */
  undone(): readonly UndoneEdit[] {
    return this.#parts?.undone() ?? [];
  }

  /** Something beside the agent has changed that the status document tells. */
  changed(): void {
    this.#parts?.publisher.changed();
  }

  #ready(): ReturnType<ProbeView['ready']> {
    const parts = this.#parts;
    if (parts === undefined) return { ok: false, lines: ['settings, inventory or API server: not there yet'] };
    const troubled = parts.watching.troubled().map(({ resource, state, why }) => `watch ${resource}: ${state} ${why}`);
    const problems = this.#settings.problems.map((problem: SottoError) => `settings: ${problem.code}`);
    const renderer = this.#setup.renderer.status();
    const sources = [...parts.syncs.runtimes.values()].flatMap(sourceLine);
    return {
      ok: true,
      lines: [...troubled, ...problems, ...sources, ...(renderer === undefined ? [] : [rendererLine(renderer)])],
    };
  }

  /** Settings and inventory are watched: the one to follow a change, the other to notice another agent. */
  #follow(parts: Assembled): void {
    const { transport, clock, random, log, agentNamespace } = this.#setup;
    const signal = this.#stop.signal;
    const common = { transport, clock, random, signal };
    const onDefect = (thrown: unknown): void => this.#fail(thrown);
    followSettings(this.#settings, {
      ...common,
      origin: this.#origin,
      onDefect,
      onChange: (state) => this.#newSettings(parts, state),
    }).catch(onDefect);
    watchResource({
      ...common,
      mode: 'metadata',
      resource: CONFIG_MAPS,
      namespace: agentNamespace,
      fieldSelector: `metadata.name=${INVENTORY_NAME}`,
      onEvent: (event) => {
        // Our own writes come back as events as well, mostly after their answer.
        const isOwn = 'resourceVersion' in event && event.resourceVersion === parts.inventory.resourceVersion;
        if (event.type === 'modified' && !isOwn) this.#checkFence(parts).catch(onDefect);
        if (event.type === 'deleted') log.warn('the inventory was deleted: it is stored again with the next change');
      },
    }).catch(onDefect);
  }

  async #checkFence(parts: Assembled): Promise<void> {
    const { inventory } = parts;
    if (await inventory.isHeldByUs(this.#setup.instance)) return;
    this.#fail(takenOver());
  }

  #newSettings(parts: Assembled, state: SettingsState): void {
    const { log } = this.#setup;
    this.#settings = state;
    const inForce = this.#inForce;
    if (inForce === undefined) return;
    inForce.state = state;
    for (const problem of state.problems) log.warn('settings', { code: problem.code, error: problem });
    if (state.current === undefined || state.current === inForce.current) return parts.publisher.changed();
    if (isOtherPlace(state.current, inForce.current)) return this.#restart();
    inForce.current = state.current;
    log.info('settings changed');
    this.#setup.onSettings(inForce.current);
    parts.keys
      .load()
      .catch((thrown: unknown) => log.warn('keys could not be read', { error: thrown }))
      .then(() => parts.syncs.update(inForce.current))
      .catch((thrown: unknown) => this.#fail(thrown));
  }

  /** Another target namespace or fingerprint key: every stream and record is another one, so the agent begins anew. */
  #restart(): void {
    this.#setup.log.info('settings changed in a way that needs a new beginning');
    this.#isRestart = true;
    this.#stop.abort();
  }

  /** What is due in memory: the inventory. */
  async #ticks(parts: Assembled): Promise<void> {
    const { clock, log } = this.#setup;
    while (!this.#stop.signal.aborted) {
      this.#tickedMs = clock.elapsedMs();
      const dueMs = parts.inventory.dueAtMs();
      if (dueMs !== undefined && dueMs <= this.#tickedMs) {
        // Not awaited: a write that is repeated must not look like a loop that is stuck.
        void parts.inventory.store().catch((thrown: unknown) => this.#inventoryFailed(thrown));
      }
      // Not awaited either: it waits for passes.
      void parts.syncs.clearLeft(parts.context).catch((thrown: unknown) => this.#fail(thrown));
      void settleFingerprint(parts.context).catch((thrown: unknown) => this.#fail(thrown));
      parts.rotations.settle(parts.context);
      await endPauses(parts.context).catch((thrown: unknown) => this.#fail(thrown));
      await delay(TICK_MS, this.#stop.signal);
    }
    log.debug('ticks ended');
  }

  #inventoryFailed(thrown: unknown): void {
    const { log } = this.#setup;
    const isFence = thrown instanceof Error && 'code' in thrown && thrown.code === 'SOTTO-PLAN-010';
    if (isFence) return this.#fail(thrown);
    log.warn('the inventory could not be stored', { error: thrown });
  }

  #fail(thrown: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#defect ??= thrown;
    this.#setup.log.error('the agent ends', { error: thrown });
    this.#stop.abort();
  }
}

/** Git does not answer, or cannot be used: what is held meanwhile. */
function sourceLine({ settings, trouble, report, standIn }: SyncRuntime): string[] {
  if (trouble === undefined) return [];
  const head = `sync ${settings.name}: ${trouble.error.code}`;
  if (standIn?.kind === 'unusable') return [`${head}, nothing is held: ${standIn.error.code}`];
  const held = standIn?.revision ?? report?.appliedRevision;
  if (standIn === undefined) return [held === undefined ? head : `${head}, ${held} is held`];
  const missing = standIn.missing === 0 ? '' : `, ${standIn.missing} are not in it`;
  return [`${head}, ${held ?? 'what was applied last'} is held by sotto-last: ${standIn.objects} objects${missing}`];
}

/** Objects, or the sync as a whole, waited for others, which are ready now. */
function isTurn({ stale, report }: SyncRuntime): boolean {
  return stale && report !== undefined && (report.waits.length > 0 || report.syncWait !== undefined);
}

function isOtherPlace(next: Settings, current: Settings): boolean {
  return next.targetNamespace !== current.targetNamespace || next.fingerprintSecret !== current.fingerprintSecret;
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
