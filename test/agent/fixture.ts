import { createHash, createSecretKey } from 'node:crypto';
import type { AgentContext } from '../../src/agent/context.ts';
import { Awaited } from '../../src/agent/awaited.ts';
import { EndingNamespace } from '../../src/agent/ending-namespace.ts';
import { ExposureStore } from '../../src/agent/exposure/store.ts';
import { exposureKey } from '../../src/agent/exposure/stored.ts';
import type { FingerprintKeys } from '../../src/agent/fingerprint.ts';
import { InventoryStore } from '../../src/agent/inventory-store.ts';
import { Lanes } from '../../src/agent/lanes.ts';
import { lastKeys } from '../../src/agent/last-parts.ts';
import { LastStore } from '../../src/agent/last-store.ts';
import { type Finding, LiveStore } from '../../src/agent/live.ts';
import { newRuntime, type SyncRuntime } from '../../src/agent/sync-runtime.ts';
import { vetoRules } from '../../src/agent/veto-rules.ts';
import { type ObjectKey, objectKey, type Revision, type SourceDigest } from '../../src/core/ids.ts';
import { KSTATUS_RULES } from '../../src/expression/health-rules.ts';
import { computeStatus } from '../../src/health/status.ts';
import { catalogOf } from '../../src/kube/discovery.ts';
import { CONFIG_MAPS, resourceOf, SECRETS } from '../../src/kube/resource.ts';
import { type Repeat, unrepeated } from '../../src/kube/retry.ts';
import { Transport } from '../../src/kube/transport.ts';
import { Opener } from '../../src/open/opener.ts';
import type { InventoryRow } from '../../src/plan/inventory.ts';
import type { DesiredObject, DesiredSet } from '../../src/render/desired.ts';
import type { Snapshot } from '../../src/source/snapshot.ts';
import type { CommitId } from '../../src/git/output.ts';
import { createLogger } from '../../src/report/log.ts';
import { createMetrics } from '../../src/report/metrics.ts';
import { NO_SERVICES } from '../../src/services/rules.ts';
import type { Settings, SyncSettings } from '../../src/settings/settings.ts';
import { GUARD, SET_ID } from '../drift/objects.ts';
import { manualClock } from '../kube/fake-api.ts';

export const JOBS = resourceOf({
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  plural: 'jobs',
  namespaced: true,
  verbs: ['get', 'list', 'watch'],
});

/** For parts that ask nobody: the port is closed. */
export function nobody(): Transport {
  const connection = {
    server: new URL('https://127.0.0.1:1'),
    namespace: 'team',
    tls: {},
    authorize: () => Promise.resolve({}),
    user: 'tester',
    warnings: [],
  };
  return new Transport(connection, { clock: manualClock() });
}

export const mac = (bytes: Uint8Array): Uint8Array => createHash('sha256').update('key').update(bytes).digest();

export function keyOf(kind: string, name: string): ObjectKey {
  return objectKey({ group: kind === 'Job' ? 'batch' : '', kind, namespace: 'team', name });
}

export function row(kind: string, name: string, more: Partial<InventoryRow> = {}): InventoryRow {
  return {
    key: keyOf(kind, name),
    apiVersion: kind === 'Job' ? 'batch/v1' : 'v1',
    sync: 'a',
    file: `a/${name}.yaml`,
    line: 1,
    digest: 'd1' as SourceDigest,
    uid: 'uid-1',
    resourceVersion: '100',
    generation: 0,
    setDigest: '',
    ownTime: '',
    keep: false,
    done: false,
    failed: false,
    encrypted: false,
    yielded: undefined,
    accepted: undefined,
    restart: undefined,
    rank: undefined,
    ...more,
  };
}

export function wanted(kind: string, name: string, more: Partial<DesiredObject> = {}): DesiredObject {
  const id = { group: kind === 'Job' ? 'batch' : '', kind, namespace: 'team', name };
  const apiVersion = kind === 'Job' ? 'batch/v1' : 'v1';
  return {
    id,
    key: objectKey(id),
    apiVersion,
    tree: { apiVersion, kind, metadata: { name, namespace: 'team' } },
    digest: 'd1' as SourceDigest,
    file: `${name}.yaml`,
    line: 1,
    encrypted: false,
    ...more,
  };
}

export function setOf(...objects: readonly DesiredObject[]): DesiredSet {
  return { objects, refusals: [], skipped: [], warnings: [] };
}

export function snapshot(commit = '1'): Snapshot {
  return {
    revision: `main@sha1:${commit}` as Revision,
    commit: commit as CommitId,
    path: '',
    files: [],
    skipped: [],
    isEmpty: false,
  };
}

export function syncSettings(name: string, more: Partial<SyncSettings> = {}): SyncSettings {
  return {
    name,
    source: {
      git: {
        url: 'https://git.example.com/app.git',
        branch: 'main',
        secretName: undefined,
        intervalMs: 60_000,
        requireFastForward: false,
      },
      ignore: [],
    },
    path: name,
    postBuild: undefined,
    decryption: { secretNames: [], services: NO_SERVICES },
    sealedSecrets: 'auto',
    serviceAccountName: undefined,
    adopt: 'equal',
    intervalMs: 600_000,
    timeoutMs: 300_000,
    wait: true,
    retryIntervalMs: 30_000,
    suspend: false,
    prune: { enabled: true, maxSharePercent: 50, minimum: 5, ask: [] },
    dependsOn: [],
    deletionPolicy: 'orphan',
    skip: [],
    drift: { policy: 'guard', ignore: [] },
    health: KSTATUS_RULES,
    secretsIn: [],
    ...more,
  };
}

export function runtime(name: string, more: Partial<SyncRuntime> = {}): SyncRuntime {
  return { ...newRuntime(syncSettings(name)), ...more };
}

/** What a sync looks like after a pass over `commit`. */
export function passed(sync: SyncRuntime, commit: string): void {
  sync.report = {
    attemptedRevision: `main@sha1:${commit}` as Revision,
    refusals: [],
    waiting: [],
    waits: [],
    rollouts: [],
    warnings: [],
    desired: 0,
    pruned: 0,
    paused: 0,
    retry: false,
  };
}

export const SETTINGS: Settings = {
  targetNamespace: undefined,
  fingerprintSecret: 'sotto-fingerprint',
  decryption: { secretNames: [], services: NO_SERVICES },
  sealing: { enabled: false, secretNames: [], certificate: undefined, recovery: [] },
  rotation: { receiptKey: undefined, recipients: [] },
  plaintextSecrets: 'refuse',
  liftedVetoes: [],
  pageListen: undefined,
  syncs: [],
};

/** An agent without loops and watches: tests call its parts and hand it events. */
export function testAgent(transport: Transport, syncs: readonly SyncRuntime[] = [], repeat: Repeat = unrepeated) {
  const clock = manualClock();
  const stop = new AbortController();
  const findings: { key: ObjectKey; finding: Finding }[] = [];
  const changes: ObjectKey[] = [];
  const inventory = new InventoryStore({
    transport,
    clock,
    namespace: 'team',
    targetNamespace: 'team',
    setId: SET_ID,
    version: '0',
    mac,
    repeat,
    onStored: () => undefined,
  });
  const fingerprint: FingerprintKeys = {
    current: { keyObject: createSecretKey(Buffer.alloc(32, 7)) },
    former: undefined,
    carried: new Set(),
    plan: undefined,
    resourceVersion: '',
    settling: undefined,
    notBeforeMs: 0,
    trouble: undefined,
  };
  const last = new LastStore({
    transport,
    namespace: 'team',
    version: '0',
    keys: () => ({ current: lastKeys(fingerprint.current, 'team'), former: undefined }),
    inventory,
    repeat,
    onBroken: () => undefined,
  });
  const live: LiveStore = new LiveStore({
    macKey: createSecretKey(Buffer.alloc(32, 7)),
    setId: SET_ID,
    policyOf: () => GUARD,
    judgeHealth: (_key, object) => computeStatus(object, clock.now()),
    onYield: () => undefined,
    elapsedMs: () => clock.elapsedMs(),
    row: (key) => inventory.row(key),
    isInFlight: (key) => lanes.isBusy(key),
    onFinding: (key, finding) => findings.push({ key, finding }),
    onCarried: (key, carried) => {
      const known = inventory.row(key);
      if (known !== undefined) inventory.set({ ...known, ...carried });
    },
    onChange: (key) => changes.push(key),
  });
  const lanes = new Lanes(2, (key) => live.settle(key));
  const context: AgentContext = {
    place: { agentNamespace: 'team', targetNamespace: 'team', setId: SET_ID, instance: 'i', version: '0' },
    transport,
    clock,
    random: () => 0,
    log: createLogger({ stream: { write: () => undefined }, level: 'error' }),
    metrics: createMetrics('0'),
    inventory,
    last,
    exposures: new ExposureStore({
      transport,
      namespace: 'team',
      keys: () => ({ current: exposureKey(fingerprint.current, 'team'), former: undefined }),
      keyId: () => 'id',
      inventory,
      repeat,
      now: () => clock.now(),
    }),
    live,
    lanes,
    ending: new EndingNamespace(),
    awaited: new Awaited(() => true),
    signal: stop.signal,
    fingerprint,
    exclusively: (task) => task(),
    told: () => Promise.resolve(),
    renderer: undefined,
    rotate: () => Promise.resolve({ outcome: 'failed', message: 'not in this fixture' }),
    syncs: new Map(syncs.map((sync) => [sync.settings.name, sync])),
    settings: () => SETTINGS,
    vetoes: () => vetoRules(SETTINGS, 'team', undefined, new Set()),
    catalog: () => catalogOf([CONFIG_MAPS, SECRETS, JOBS], []),
    rediscover: () => Promise.resolve(),
    checkKinds: () => undefined,
    podTrouble: () => undefined,
    wake: () => undefined,
    keysOf: () => ({ ageIdentities: [], pgpIdentities: [], sealingKeys: [] }),
    opener: () => new Opener({ ageIdentities: [], sealingKeys: [] }),
    configMaps: () => Promise.resolve(new Map()),
    cover: () => Promise.resolve(),
    isSeen: () => true,
    isAutoscaled: () => Promise.resolve('no'),
    fresh: () => undefined,
    found: () => undefined,
    ask: () => Promise.resolve(),
    tell: () => undefined,
    corrected: () => undefined,
    undone: () => false,
    changed: () => undefined,
  };
  return { context, inventory, live, lanes, findings, changes, clock, stop };
}
