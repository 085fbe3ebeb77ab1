import { createSecretKey, randomBytes } from 'node:crypto';
import { LIMITS } from '../core/limits.ts';
import { fingerprintId } from '../keys/fingerprint.ts';
import { discover, type ResourceCatalog } from '../kube/discovery.ts';
import { kubeError } from '../kube/errors.ts';
import { apiVersionOf, CONFIG_MAPS } from '../kube/resource.ts';
import type { Repeat } from '../kube/retry.ts';
import { accountOf } from '../kube/service-account.ts';
import type { WatchEvent } from '../kube/watch.ts';
import { Opener } from '../open/opener.ts';
import type { CorrectionStatus, StatusDocument } from '../report/status.ts';
import type { SettingsState } from '../settings/last-good.ts';
import type { Settings, SyncSettings } from '../settings/settings.ts';
import { Awaited } from './awaited.ts';
import { isAutoscaled } from './autoscaled.ts';
import { tidier } from './collect-garbage.ts';
import type { AgentContext, Place } from './context.ts';
import { Corrector } from './correct.ts';
import { isAnyWaiting, wakeDependents } from './dependents.ts';
import { computeStatus } from '../health/status.ts';
import { policyOf } from './drift-policy.ts';
import { EndingNamespace } from './ending-namespace.ts';
import { EventRecorder } from './event-recorder.ts';
import { loadExposures } from './exposure/load.ts';
import { inventoryMac, loadFingerprint, refuseOtherFingerprint, withBoth } from './fingerprint.ts';
import { measureStatus } from './measure-status.ts';
import { observeFingerprint } from './fingerprint-watch.ts';
import { InventoryStore } from './inventory-store.ts';
import { KeyStore } from './key-store.ts';
import { changedKinds, isOfKind, Kinds, waitedFor } from './kinds.ts';
import { Lanes } from './lanes.ts';
import { lastKeys } from './last-parts.ts';
import { LastStore } from './last-store.ts';
import { LiveStore } from './live.ts';
import { PodFaults } from './pod-faults.ts';
import { reportYield } from './report-correction.ts';
import { RequestDesk } from './request-desk.ts';
import { Rotations } from './rotation/rotations.ts';
import { type AgentSetup, placeOf } from './setup.ts';
import { StatusPublisher } from './status-publisher.ts';
import { nextLateMs } from './readiness.ts';
import { statusOf } from './status-view.ts';
import { VariableMaps } from './variable-maps.ts';
import { type UndoneEdit, UndoneEdits } from './undone-edits.ts';
import { vetoRules } from './veto-rules.ts';
import { SyncSet } from './sync-set.ts';
import { isSoFar } from './waits.ts';
import { Watching } from './watching.ts';

/** The settings in force, and what is wrong with the newest text. */
export interface InForce {
  state: SettingsState;
  current: Settings;
}

/** A whole agent, wired and not yet running. */
export interface Assembled {
  readonly place: Place;
  readonly context: AgentContext;
  readonly keys: KeyStore;
  /** A Secret of the agent's namespace, seen as metadata. */
  readonly onOwnSecret: (event: WatchEvent) => void;
  readonly inventory: InventoryStore;
  readonly watching: Watching;
  readonly corrector: Corrector;
  readonly publisher: StatusPublisher;
  readonly desk: RequestDesk;
  readonly syncs: SyncSet;
  readonly rotations: Rotations;
  readonly document: () => StatusDocument;
  readonly undone: () => readonly UndoneEdit[];
}

export interface Hooks {
  readonly repeat: Repeat;
  /** Ends the agent: a defect or a lost fence. */
  readonly onDefect: (thrown: unknown) => void;
  readonly signal: AbortSignal;
}

/** Objects written at once: enough to keep the API server busy, few enough to be a polite client. */
const PARALLEL = 8;

/** Reads what an agent starts from (kinds, fingerprint, inventory) and wires its parts. Throws SottoError. */
export async function assemble(setup: AgentSetup, inForce: InForce, hooks: Hooks): Promise<Assembled> {
  const { transport, clock, random, log, metrics } = setup;
  const { signal, onDefect, repeat } = hooks;
  const place = placeOf(setup, inForce.current);
  const first = await discoverKinds(setup, repeat);
  const fingerprint = await loadFingerprint(transport, place.agentNamespace, inForce.current.fingerprintSecret, repeat);
  const macs = () => withBoth(fingerprint, (key) => inventoryMac(key, place.agentNamespace));
  const inventory = new InventoryStore({
    transport,
    clock,
    namespace: place.agentNamespace,
    targetNamespace: place.targetNamespace,
    setId: place.setId,
    version: place.version,
    repeat,
    mac: (bytes) => macs().current(bytes),
    formerMac: () => macs().former,
    keyId: () => fingerprintId(fingerprint.current),
    onStored: (size) => metrics.inventory(size),
  });
  await inventory.load();
  refuseOtherFingerprint(fingerprint, inventory.madeWith, {
    namespace: place.agentNamespace,
    name: inForce.current.fingerprintSecret,
  });
  const last = new LastStore({
    transport,
    namespace: place.agentNamespace,
    version: place.version,
    keys: () => withBoth(fingerprint, (key) => lastKeys(key, place.agentNamespace)),
    inventory,
    repeat,
    onBroken: (error) => log.warn('what was applied last cannot be used', { code: error.code, error }),
  });
  const exposures = await loadExposures(setup, { place, fingerprint, inventory, repeat });
  const account = accountOf(await transport.connection.authorize(false));
  if (inventory.lost) log.error('the inventory cannot be trusted: nothing is pruned until it was made anew');

  const corrections: CorrectionStatus[] = [];
  const undone = new UndoneEdits();
  const startedAt = clock.now();
  const keys = new KeyStore({
    transport,
    clock,
    namespace: place.agentNamespace,
    allowSources: setup.allowSources,
    repeat,
    settings: () => inForce.current,
    onChange: () => {
      log.info('keys changed');
      syncs.wakeAll();
    },
    onError: (error) => log.warn('keys could not be read', { code: error.code, error }),
    onMade: (name) => log.info('a sealing key was made', { object: `Secret/${name}` }),
  });
  const rotations = new Rotations(keys, setup.workDir);
  const syncs = new SyncSet({ workDir: setup.workDir, keys, signal, onDefect });
  const live: LiveStore = new LiveStore({
    macKey: createSecretKey(randomBytes(32)),
    setId: place.setId,
    policyOf: (of) => policyOf(syncs.runtimes, inventory.row(of), of),
    judgeHealth: (of, object) => {
      const rules = syncs.runtimes.get(inventory.row(of)?.sync ?? '')?.settings.health;
      const own = computeStatus(object, clock.now(), rules);
      if (rules?.strict === true) return pods.judge(of, object, own);
      pods.forget(of);
      return own;
    },
    elapsedMs: () => clock.elapsedMs(),
    row: (of) => inventory.row(of),
    isInFlight: (of) => lanes.isBusy(of),
    onFinding: (of, finding) => corrector.handle(of, finding),
    onYield: (of, yielded) => reportYield(context, of, yielded),
    onCarried: (of, carried) => {
      const row = inventory.row(of);
      if (row !== undefined) inventory.set({ ...row, ...carried });
    },
    onChange: (of) => {
      if (live.uid(of) === undefined) pods.forget(of);
      context.changed();
      for (const name of awaited.changed(of)) syncs.wake(name);
    },
  });
  const awaited = new Awaited((until, of) => isSoFar({ inventory, live }, until, of));
  const pods: PodFaults = new PodFaults({
    transport,
    clock,
    random,
    signal,
    targetNamespace: place.targetNamespace,
    catalog: () => kinds.catalog,
    uid: (of) => (inventory.row(of) === undefined ? undefined : live.uid(of)),
    onChange: (of, health) => live.rejudge(of, health),
    onTrouble: () => context.changed(),
    onDefect,
  });
  const lanes = new Lanes(PARALLEL, (of) => live.settle(of));
  const watching = new Watching({
    transport,
    clock,
    random,
    signal,
    targetNamespace: place.targetNamespace,
    setId: place.setId,
    live,
    rows: () => inventory.inventory.rows.values(),
    onSecret: (event) => {
      if (place.targetNamespace === place.agentNamespace) onOwnSecret(event);
    },
    onState: (resource, state, why) => {
      metrics.watch(resource.kind, state === 'stale' || state === 'gone' ? 'broken' : state);
      if (state !== 'live') log.warn('a watch is not live', { kind: resource.kind, state, why });
      kinds.check();
    },
    onSeen: (resource) => syncs.wakeForKind(resource),
    onBack: (resource) => syncs.wakeBlocked(resource),
    onDefect,
  });
  const onOwnSecret = (event: WatchEvent): void => {
    keys.observe(event);
    observeFingerprint(context, event);
  };
  const variableMaps = new VariableMaps({
    transport,
    clock,
    random,
    signal,
    targetNamespace: place.targetNamespace,
    named: () => new Set(inForce.current.syncs.flatMap(variableMapNames)),
    onChange: (name) => {
      log.info('variables changed', { configMap: name });
      for (const sync of syncs.runtimes.values()) {
        if (variableMapNames(sync.settings).includes(name)) syncs.wake(sync.settings.name);
      }
    },
    onDefect,
  });
  const kinds: Kinds = new Kinds(first, {
    random,
    discover: () => discoverKinds(setup, repeat),
    waiting: () =>
      waitedFor(syncs.runtimes.values(), inventory.inventory.rows.values(), kinds.catalog, watching.gone()),
    onAsked: (before, now) => {
      const changed = changedKinds(before, now);
      if (changed.size > 0) syncs.wakeForKinds(changed);
      for (const resource of watching.gone()) {
        if (now.find(apiVersionOf(resource), resource.kind) !== undefined) watching.retry(resource);
      }
    },
    onError: (thrown) => log.warn('the kinds of the API server could not be asked for', { error: thrown }),
  });
  signal.addEventListener('abort', () => kinds.close(), { once: true });
  if (signal.aborted) kinds.close();
  const events = new EventRecorder(transport, { instance: place.instance }, clock, log);
  const tidy = tidier();
  const collect = debounced(() => void tidy().catch(onDefect), COLLECT_AFTER_MS);
  const context: AgentContext = {
    place,
    transport,
    clock,
    random,
    log,
    metrics,
    inventory,
    last,
    exposures,
    live,
    lanes,
    ending: new EndingNamespace(),
    awaited,
    renderer: setup.renderer.renderer,
    signal,
    fingerprint,
    exclusively: (task) => syncs.exclusively(task),
    told: () => publisher.answered(),
    syncs: syncs.runtimes,
    settings: () => inForce.current,
    vetoes: () => vetoRules(inForce.current, place.agentNamespace, account, keys.markedSecrets()),
    catalog: () => kinds.catalog,
    rediscover: () => kinds.refresh(),
    checkKinds: () => {
      const rows = [...inventory.inventory.rows.values()];
      for (const resource of watching.gone()) {
        const isNeeded = rows.some((row) => isOfKind(row, resource));
        if (!isNeeded && !watching.forget(resource)) metrics.unwatched(resource.kind);
      }
      kinds.check();
      pods.check();
    },
    podTrouble: () => pods.trouble,
    keysOf: (sync) => keys.keysOf(sync.settings),
    // It opens files without an opener.
    rotate: (request, sync) => rotations.rotate(context, request, sync).finally(collect),
    opener: (sync) =>
      new Opener(keys.keysOf(sync.settings), {
        onVerified: (format, outcome) => metrics.decrypted(format, outcome),
        onDispose: collect,
      }),
    configMaps: (names) => variableMaps.read(names),
    cover: (wanted) =>
      watching.cover(wanted.flatMap(({ apiVersion, kind }) => kinds.catalog.find(apiVersion, kind) ?? [])),
    isSeen: (resource) => watching.isSeen(resource),
    isAutoscaled: (id) => isAutoscaled(transport, kinds.catalog, id),
    tell: (event) => {
      events.record(event).catch((thrown: unknown) => log.warn('an Event could not be written', { error: thrown }));
    },
    found: (of, finding) => void setImmediate(() => corrector.handle(of, finding)),
    wake: (name) => syncs.wake(name),
    fresh: (of) => corrector.reset(of),
    corrected: (correction) => {
      corrections.unshift(correction);
      corrections.length = Math.min(corrections.length, LIMITS.maxCorrections);
      publisher.changed();
    },
    undone: (facts) => undone.remember(facts),
    ask: (sync) => syncs.ask(sync),
    changed: () => changed(),
  };
  // What the status tells is what other syncs may wait for.
  const lookAtDependents = coalesced(() => wakeDependents(context), DEPENDENTS_AFTER_MS, signal);
  const changed = (): void => {
    publisher.changed();
    if (isAnyWaiting(context)) lookAtDependents();
  };
  const desk: RequestDesk = new RequestDesk({ agent: context, answered: () => publisher.answered(), onDefect });
  const corrector: Corrector = new Corrector(context);
  const document = (): StatusDocument =>
    statusOf({
      agent: context,
      startedAt,
      settings: inForce.state,
      ring: keys.ring,
      renderer: setup.renderer.status(),
      rotations: rotations.status(syncs.runtimes),
      corrections,
      handled: desk.handled,
    });
  const publisher: StatusPublisher = new StatusPublisher({
    transport,
    namespace: place.agentNamespace,
    key: () => fingerprint.current,
    clock,
    log,
    lookAgainAtMs: () => nextLateMs(context),
    build: () => {
      const status = document();
      measureStatus(metrics, status);
      return status;
    },
  });
  return {
    place,
    context,
    onOwnSecret,
    keys,
    inventory,
    watching,
    corrector,
    publisher,
    desk,
    syncs,
    rotations,
    document,
    undone: () => undone.list(),
  };
}

/** Key material goes at the next collection: soon after the last file was closed, not after each. */
const COLLECT_AFTER_MS = 100;

/** One look at many changes: an apply of thousands of objects tells of each. */
const DEPENDENTS_AFTER_MS = 50;

function coalesced(action: () => void, afterMs: number, signal: AbortSignal): () => void {
  let timer: NodeJS.Timeout | undefined;
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      if (!signal.aborted) action();
    }, afterMs).unref();
  };
}

function debounced(action: () => void, afterMs: number): () => void {
  let timer: NodeJS.Timeout | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, afterMs);
    timer.unref();
  };
}

function variableMapNames({ postBuild }: SyncSettings): readonly string[] {
  return postBuild === undefined ? [] : postBuild.substituteFrom.map(({ name }) => name);
}

async function discoverKinds({ transport, agentNamespace }: AgentSetup, repeat: Repeat): Promise<ResourceCatalog> {
  const found = await repeat(() => discover(transport));
  if (found.ok) return found.value;
  throw kubeError(found.failure, { verb: 'get', resource: CONFIG_MAPS, namespace: agentNamespace });
}
