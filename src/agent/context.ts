import type { Clock } from '../core/clock.ts';
import type { SottoError } from '../core/errors.ts';
import type { ObjectId, ObjectKey } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import type { ResourceCatalog } from '../kube/discovery.ts';
import type { Resource } from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import type { CanaryKeys } from '../keys/canary.ts';
import type { Opener } from '../open/opener.ts';
import type { DesiredObject } from '../render/desired.ts';
import type { Renderer } from '../render/kustomize/renderer.ts';
import type { VetoRules } from '../render/veto-rules.ts';
import type { EventFacts } from '../report/events.ts';
import type { Logger } from '../report/log.ts';
import type { Metrics } from '../report/metrics.ts';
import type { RotateRequest } from '../plan/request.ts';
import type { Answer, CorrectionStatus } from '../report/status.ts';
import type { Settings } from '../settings/settings.ts';
import type { Autoscaled } from './autoscaled.ts';
import type { ExposureStore } from './exposure/store.ts';
import type { InventoryStore } from './inventory-store.ts';
import type { Lanes } from './lanes.ts';
import type { LastStore } from './last-store.ts';
import type { Awaited } from './awaited.ts';
import type { EndingNamespace } from './ending-namespace.ts';
import type { FingerprintKeys } from './fingerprint.ts';
import type { Finding, LiveStore } from './live.ts';
import type { SyncRuntime } from './sync-runtime.ts';
import type { UndoneFacts } from './undone-edits.ts';

/** Where an agent works. The two namespaces are apart in code from the first day; equal by default. */
export interface Place {
  readonly agentNamespace: string;
  readonly targetNamespace: string;
  /** Id of the ConfigMap `sotto-inventory` as an ApplySet parent. */
  readonly setId: string;
  /** Pod name, or a random word outside a cluster. */
  readonly instance: string;
  readonly version: string;
}

/** What passes and corrections share. */
export interface AgentContext {
  readonly place: Place;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly inventory: InventoryStore;
  readonly last: LastStore;
  readonly exposures: ExposureStore;
  readonly live: LiveStore;
  readonly lanes: Lanes;
  readonly ending: EndingNamespace;
  readonly awaited: Awaited;
  /** Runs kustomize; undefined where nobody can. */
  readonly renderer: Renderer | undefined;
  readonly signal: AbortSignal;
  readonly syncs: ReadonlyMap<string, SyncRuntime>;
  /** In force now. */
  settings(): Settings;
  /** What Git may not touch now. */
  vetoes(): VetoRules;
  /** The kinds the API server serves, as last asked. */
  catalog(): ResourceCatalog;
  /** Asks the API server again which kinds it serves. */
  rediscover(): Promise<void>;
  /** Something may have begun to wait for a kind, or ceased to. */
  checkKinds(): void;
  /** Why Pods of workloads are not looked at, for syncs with `health.strict`. */
  podTrouble(): SottoError | undefined;
  /** The keys of all digests that leave memory. */
  readonly fingerprint: FingerprintKeys;
  /** No pass is under way meanwhile. */
  exclusively<T>(task: () => Promise<T>): Promise<T>;
  /** Resolves when the status says what is so now. */
  told(): Promise<void>;
  /** What files of a sync are opened with now. */
  keysOf(sync: SyncRuntime): CanaryKeys;
  /** A rotation by the agent itself; one at a time. */
  rotate(request: RotateRequest, sync: SyncRuntime): Promise<Answer>;
  /** Keys of a sync, for one pass or one correction. */
  opener(sync: SyncRuntime): Opener;
  /** ConfigMaps of the target namespace that syncs take variables from; those that do not exist are left out. */
  configMaps(names: readonly string[]): Promise<ReadonlyMap<string, Json>>;
  /** Resolves when the live state of every kind named is known. */
  cover(kinds: readonly { readonly apiVersion: string; readonly kind: string }[]): Promise<void>;
  /** Whether objects of the kind were listed and are watched: otherwise their absence means nothing. */
  isSeen(resource: Resource): boolean;
  /** Whether an HPA or ScaledObject targets the object: asked when replicas went to nobody, and before they are taken back. */
  isAutoscaled(id: ObjectId): Promise<Autoscaled>;
  /** Something to be corrected that no event told; taken up once the lane of the object is free. */
  found(key: ObjectKey, finding: Finding): void;
  /** The sync of that name is visited at once. */
  wake(sync: string): void;
  /** An object was applied as Git has it now: what was fought over is over. */
  fresh(key: ObjectKey): void;
  /** A pass of a sync from the start, for somebody who waits; resolves when it has ended, however it ended. */
  ask(sync: string): Promise<void>;
  /** An Event on an object; never waits, never fails. */
  tell(event: EventFacts): void;
  corrected(correction: CorrectionStatus): void;
  /** What somebody had changed, for `sotto keep`; false: it cannot be kept from there. */
  undone(facts: UndoneFacts): boolean;
  /** Something that the status document tells has changed. */
  changed(): void;
}

/** The sync that wants an object, with what it wants; undefined while Git was not read. */
export function desiredOf(
  agent: Pick<AgentContext, 'syncs'>,
  key: ObjectKey,
): { readonly sync: SyncRuntime; readonly object: DesiredObject } | undefined {
  for (const sync of agent.syncs.values()) {
    const object = sync.desired.get(key);
    if (object !== undefined) return { sync, object };
  }
  return undefined;
}
