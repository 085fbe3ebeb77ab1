import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { KeyStatus, SyncCounts, SyncStateName } from './status.ts';
import { SYNC_STATES } from './status.ts';

export type PassOutcome = 'applied' | 'unchanged' | 'held' | 'failed';
export const WATCH_STATES = ['listing', 'live', 'broken', 'forbidden'] as const;
export type WatchState = (typeof WATCH_STATES)[number];

/** What the agent counts. Labels are sync, kind, verb: never the name of an object, so that their number stays small. */
export interface Metrics {
  passEnded(pass: PassMeasure): void;
  /** Current counts of a sync and what of it is refused. */
  objects(sync: string, counts: SyncCounts, refused: number): void;
  state(sync: string, state: SyncStateName): void;
  corrected(correction: { readonly kind: string; readonly tookMs: number }): void;
  uncorrectable(kind: string): void;
  /** A correction had to wait, because somebody writes the object each time it is restored. */
  fought(kind: string): void;
  watch(kind: string, state: WatchState): void;
  /** The kind is watched no more: its series go. */
  unwatched(kind: string): void;
  apiRequest(request: { readonly verb: string; readonly resource: string; readonly code: number | 'none' }): void;
  sourceAsked(sync: string, at: Date): void;
  sourceFailed(sync: string, at: Date): void;
  decrypted(format: 'sops' | 'sealed', outcome: 'opened' | 'failed'): void;
  /** All that the agent has, as the status tells them. */
  keys(keys: readonly Pick<KeyStatus, 'kind' | 'state' | 'since' | 'until'>[]): void;
  /** The last time that somebody showed that everything comes back. */
  rehearsed(at: Date): void;
  inventory(size: { readonly objects: number; readonly bytes: number }): void;
  /** Values in use that a key in wrong hands could open. */
  exposed(values: number): void;
  /** The sync left the settings: its series go. */
  forgetSync(sync: string): void;
  /** Prometheus text format 0.0.4. */
  render(): Promise<string>;
  readonly contentType: string;
}

export interface PassMeasure {
  readonly sync: string;
  readonly outcome: PassOutcome;
  readonly tookMs: number;
  readonly applied: number;
  readonly pruned: number;
}

/** Seconds. A quiet pass takes milliseconds, a first one of a thousand objects several seconds. */
const PASS_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const CORRECTION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

/** A registry of its own: two agents in one process (tests) do not mix, and nothing else can add to it. */
export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  const series = defineSeries(registry);
  defineProcess(registry, version);
  return {
    passEnded(pass) {
      series.passes.inc({ sync: pass.sync, outcome: pass.outcome });
      series.passSeconds.observe({ sync: pass.sync }, pass.tookMs / 1000);
      series.applied.inc({ sync: pass.sync }, pass.applied);
      series.pruned.inc({ sync: pass.sync }, pass.pruned);
    },
    objects(sync, counts, refused) {
      const { desired, current, inProgress, failed, held, paused } = counts;
      const states = { desired, current, in_progress: inProgress, failed, held, paused, refused };
      for (const [state, value] of Object.entries(states)) series.objects.set({ sync, state }, value);
    },
    state: (sync, state) => {
      for (const each of SYNC_STATES) series.syncState.set({ sync, state: each }, each === state ? 1 : 0);
    },
    corrected({ kind, tookMs }) {
      series.corrections.inc({ kind });
      series.correctionSeconds.observe(tookMs / 1000);
    },
    uncorrectable: (kind) => series.uncorrectable.inc({ kind }),
    fought: (kind) => series.fought.inc({ kind }),
    watch(kind, state) {
      for (const each of WATCH_STATES) series.watch.set({ kind, state: each }, each === state ? 1 : 0);
    },
    unwatched: (kind) => {
      for (const state of WATCH_STATES) series.watch.remove({ kind, state });
    },
    apiRequest: ({ verb, resource, code }) => series.requests.inc({ verb, resource, code: String(code) }),
    sourceAsked: (sync, at) => series.asked.set({ sync }, at.getTime() / 1000),
    sourceFailed: (sync, at) => series.sourceFailed.set({ sync }, at.getTime() / 1000),
    decrypted: (format, outcome) => series.decrypts.inc({ format, outcome }),
    keys: (keys) => setKeys(series, keys),
    rehearsed: (at) => series.rehearsed.set(at.getTime() / 1000),
    inventory({ objects, bytes }) {
      series.inventoryObjects.set(objects);
      series.inventoryBytes.set(bytes);
    },
    exposed: (values) => series.exposed.set(values),
    forgetSync: (sync) => forgetSync(series, sync),
    render: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

type Series = ReturnType<typeof defineSeries>;

function defineSeries(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> =>
    new Gauge({ name, help, labelNames: [...labelNames], registers });
  return {
    passes: counter('sotto_passes_total', 'Passes ended, by outcome', ['sync', 'outcome']),
    passSeconds: new Histogram({
      name: 'sotto_pass_duration_seconds',
      help: 'Time of one pass, readiness not included',
      labelNames: ['sync'],
      buckets: PASS_BUCKETS,
      registers,
    }),
    applied: counter('sotto_applied_objects_total', 'Objects written by passes', ['sync']),
    pruned: counter('sotto_pruned_objects_total', 'Objects deleted because they left Git', ['sync']),
    objects: gauge('sotto_objects', 'Objects of a sync now, by state', ['sync', 'state']),
    syncState: gauge('sotto_sync_state', '1 for the state a sync is in, 0 for the others', ['sync', 'state']),
    corrections: counter('sotto_corrections_total', 'Changes made outside Git that were undone', ['kind']),
    correctionSeconds: new Histogram({
      name: 'sotto_correction_duration_seconds',
      help: 'Time from the watch event of a change to its correction',
      buckets: CORRECTION_BUCKETS,
      registers,
    }),
    uncorrectable: counter('sotto_uncorrectable_total', 'Changes that an apply could not undo', ['kind']),
    fought: counter(
      'sotto_held_corrections_total',
      'Corrections that wait, because another writer repeats the change',
      ['kind'],
    ),
    watch: gauge('sotto_watch_state', '1 for the state the watch of a kind is in, 0 for the others', ['kind', 'state']),
    requests: counter('sotto_api_requests_total', 'Requests to the API server', ['verb', 'resource', 'code']),
    asked: gauge('sotto_source_asked_timestamp_seconds', 'When the source was last asked for its head', ['sync']),
    sourceFailed: gauge('sotto_source_failed_timestamp_seconds', 'When asking the source last failed', ['sync']),
    decrypts: counter(
      'sotto_decrypts_total',
      'Encrypted documents and items opened to be checked, and those that did not open',
      ['format', 'outcome'],
    ),
    keys: gauge('sotto_keys', 'Keys of the agent now', ['kind', 'state']),
    keySince: gauge('sotto_key_since_timestamp_seconds', 'Since when the oldest key is there', ['kind', 'state']),
    keyUntil: gauge('sotto_key_until_timestamp_seconds', 'The next end that is set for a key that only opens', [
      'kind',
    ]),
    rehearsed: gauge(
      'sotto_last_rehearsal_timestamp_seconds',
      'When somebody last showed that everything comes back with the recovery identity; 0 for never',
      [],
    ),
    inventoryObjects: gauge('sotto_inventory_objects', 'Objects in the inventory', []),
    exposed: gauge('sotto_exposed_values', 'Values in use that a key in wrong hands could open', []),
    inventoryBytes: gauge('sotto_inventory_bytes', 'Stored size of the inventory', []),
  };
}

/** What is not there any more has no series: a key that went must not look old. */
function setKeys(series: Series, keys: Parameters<Metrics['keys']>[0]): void {
  for (const each of [series.keys, series.keySince, series.keyUntil]) each.reset();
  for (const group of Map.groupBy(keys, ({ kind, state }) => `${kind} ${state}`).values()) {
    const [{ kind, state } = { kind: 'age', state: 'active' }] = group;
    series.keys.set({ kind, state }, group.length);
    const since = earliest(group.map((key) => key.since));
    if (since !== undefined) series.keySince.set({ kind, state }, since);
    const until = state === 'decrypt-only' ? earliest(group.map((key) => key.until)) : undefined;
    if (until !== undefined) series.keyUntil.set({ kind }, until);
  }
}

/** In seconds, of times in RFC 3339. */
function earliest(times: readonly (string | undefined)[]): number | undefined {
  const found = times.flatMap((time) => (time === undefined ? [] : [new Date(time).getTime() / 1000]));
  return found.length === 0 ? undefined : Math.min(...found);
}

/** The two cheap ones of the usual process metrics, under their usual names; the rest costs memory and says little. */
function defineProcess(registry: Registry, version: string): void {
  const registers: Registry[] = [];
  const labelNames = ['version'];
  const build = new Gauge({ name: 'sotto_build_info', help: 'Version of this agent', labelNames, registers });
  build.set({ version }, 1);
  const resident = new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  const cpu = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  for (const metric of [build, resident, cpu]) registry.registerMetric(metric);
}

/** prom-client removes one label set at a time: the label sets of the sync are looked up first. */
function forgetSync(series: Series, sync: string): void {
  for (const outcome of ['applied', 'unchanged', 'held', 'failed'] satisfies PassOutcome[]) {
    series.passes.remove({ sync, outcome });
  }
  for (const state of SYNC_STATES) series.syncState.remove({ sync, state });
  for (const state of ['desired', 'current', 'in_progress', 'failed', 'held', 'paused', 'refused']) {
    series.objects.remove({ sync, state });
  }
  series.passSeconds.remove({ sync });
  series.applied.remove({ sync });
  series.pruned.remove({ sync });
  series.asked.remove({ sync });
  series.sourceFailed.remove({ sync });
}
