import type { Clock } from '../core/clock.ts';
import { SottoError } from '../core/errors.ts';
import type { ObjectKey, SourceDigest } from '../core/ids.ts';
import { type JsonObject, stringAt, stringifyJson } from '../core/json.ts';
import { FINGERPRINT_ANNOTATION, INVENTORY_NAME } from '../core/labels.ts';
import { LIMITS } from '../core/limits.ts';
import { kubeError } from '../kube/errors.ts';
import type { FailureKind } from '../kube/failure.ts';
import { createObject, getObject, type Outcome, replaceObject, type Target, type Written } from '../kube/objects.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import type { Repeat } from '../kube/retry.ts';
import type { Transport } from '../kube/transport.ts';
import { APPLYSET_ID_LABEL, APPLYSET_KINDS, APPLYSET_NAMESPACES, APPLYSET_TOOLING } from '../plan/applyset.ts';
import type { Approval } from '../plan/hold.ts';
import {
  decodeInventory,
  EMPTY_INVENTORY,
  encodeInventory,
  type ExposureMark,
  groupKinds,
  type Holder,
  type Inventory,
  type InventoryRow,
  type LastRecord,
  type LeavingRule,
  type Mac,
  type Rehearsal,
} from '../plan/inventory.ts';
import type { Pause } from '../plan/pause.ts';
import type { TokenMemory } from '../render/tokens/content.ts';
import type { Token } from '../render/tokens/token.ts';

const ENTRY = 'inventory';
/** After a correction the row is stored when it was quiet for 2 s, and at least every 10 s (spec/drift.md 3.8 F). */
const QUIET_MS = 2_000;
const AT_MOST_MS = 10_000;
const MAX_RETRY_MS = 60_000;
/** How often a lost answer or a label of somebody is met in one write. */
const MAX_ROUNDS = 3;
/** Another version than ours is stored: somebody else's, or ours whose answer was lost. */
const IS_THERE: ReadonlySet<FailureKind> = new Set<FailureKind>(['changed', 'already-exists']);

export interface InventoryStoreOptions {
  readonly transport: Transport;
  readonly namespace: string;
  readonly targetNamespace: string;
  readonly setId: string;
  readonly version: string;
  readonly mac: Mac;
  /** Of the key before, while something made with it may be left. */
  readonly formerMac?: () => Mac | undefined;
  /** Of the key in force. */
  readonly keyId?: () => string;
  readonly repeat: Repeat;
  readonly clock: Clock;
  readonly onStored: (size: { readonly objects: number; readonly bytes: number }) => void;
}

/** ConfigMap `sotto-inventory`: read once, then ours alone; every write has the resourceVersion of the last one. */
export class InventoryStore {
  readonly #options: InventoryStoreOptions;
  #rows = new Map<ObjectKey, InventoryRow>();
  #header: Omit<Inventory, 'rows'> = EMPTY_INVENTORY;
  #resourceVersion: string | undefined;
  /** The entry as we stored it: how a foreign label on the ConfigMap is told from another agent. */
  #stored: string | undefined;
  #dirtySinceMs: number | undefined;
  #touchedMs = 0;
  /** The entry sent last: a write whose answer was lost may have been stored. */
  #sent: string | undefined;
  #failures = 0;
  #notBeforeMs = 0;
  #writing: Promise<void> = Promise.resolve();
  /** The stored record could not be trusted; nothing is pruned until it was made anew. */
  lost = false;
  /** Of a record that could not be trusted, the id of the key it was made with, as it says itself. */
  madeWith: string | undefined;
  /** `Deployment.apps`, as the ConfigMap says them: kinds to look for what was applied once. Nothing vouches for them. */
  hintedKinds: readonly string[] = [];

  constructor(options: InventoryStoreOptions) {
    this.#options = options;
  }

  get inventory(): Inventory {
    return { ...this.#header, rows: this.#rows };
  }

  get resourceVersion(): string | undefined {
    return this.#resourceVersion;
  }

  /** Reads the stored inventory. Its absence is a first start; a wrong MAC is a loss, and both begin with no rows. */
  async load(): Promise<void> {
    const { transport, namespace, repeat } = this.#options;
    const target = { resource: CONFIG_MAPS, namespace, name: INVENTORY_NAME };
    const answer = await repeat(() => getObject(transport, target));
    if (!answer.ok) throw kubeError(answer.failure, { verb: 'get', ...target });
    if (answer.value === undefined) return;
    this.#resourceVersion = stringAt(answer.value, 'metadata', 'resourceVersion');
    const entry = stringAt(answer.value, 'binaryData', ENTRY);
    this.#stored = entry;
    const known = entry === undefined ? undefined : this.#decode(entry);
    if (known === undefined) {
      this.madeWith = stringAt(answer.value, 'metadata', 'annotations', FINGERPRINT_ANNOTATION);
      this.lost = true;
      this.hintedKinds = stringAt(answer.value, 'metadata', 'annotations', APPLYSET_KINDS)?.split(',') ?? [];
      return;
    }
    const { rows, ...header } = known.inventory;
    this.#header = header;
    this.#rows = new Map(rows);
    if (known.isFormer) this.forgetTokens();
  }

  #decode(entry: string): { readonly inventory: Inventory; readonly isFormer: boolean } | undefined {
    const { mac, formerMac } = this.#options;
    const bytes = Buffer.from(entry, 'base64');
    const inventory = decodeInventory(bytes, mac);
    if (inventory !== undefined) return { inventory, isFormer: false };
    const before = formerMac?.();
    const former = before && decodeInventory(bytes, before);
    return former && { inventory: former, isFormer: true };
  }

  /** The fingerprint key is another one: what stood for secrets is made anew, and everything is stored with the new key. */
  forgetTokens(): void {
    this.#header = { ...this.#header, tokens: {} };
    this.#touch();
  }

  /** Takes the inventory over: a new epoch, so that an older agent notices at its next write that it is out. */
  async hold(holder: Holder): Promise<void> {
    this.#header = { ...this.#header, epoch: this.#header.epoch + 1, holder };
    await this.#write();
  }

  /** False when another agent has written the inventory since our last write; an unreachable server proves nothing. */
  async isHeldByUs(instance: string): Promise<boolean> {
    await this.#writing;
    const { transport, namespace } = this.#options;
    const live = await getObject(transport, { resource: CONFIG_MAPS, namespace, name: INVENTORY_NAME });
    if (!live.ok || live.value === undefined) return true;
    const entry = stringAt(live.value, 'binaryData', ENTRY);
    if (entry === undefined || entry === this.#stored) return true;
    const known = this.#decode(entry);
    return known === undefined || known.inventory.holder?.instance === instance;
  }

  /** A clean stop: whoever starts next need not ask whether we are alive. */
  async release(): Promise<void> {
    this.#header = { ...this.#header, holder: undefined };
    await this.#write();
  }

  row(key: ObjectKey): InventoryRow | undefined {
    return this.#rows.get(key);
  }

  set(row: InventoryRow): void {
    this.#rows.set(row.key, row);
    this.#touch();
  }

  delete(key: ObjectKey): void {
    if (this.#rows.delete(key)) this.#touch();
  }

  setRevision(sync: string, revision: string): void {
    if (this.#header.revisions[sync] === revision) return;
    this.#header = { ...this.#header, revisions: { ...this.#header.revisions, [sync]: revision } };
    this.#touch();
  }

  setPauses(pauses: readonly Pause[]): void {
    this.#header = { ...this.#header, pauses };
    this.#touch();
  }

  /** Undefined: as if there had been none, where it could not be stored. */
  setRehearsal(rehearsal: Rehearsal | undefined): void {
    this.#header = { ...this.#header, rehearsal };
    this.#touch();
  }

  /** Somebody's yes to a plan of a sync; undefined when that plan is done or is not the plan any more. */
  setApproval(sync: string, approval: Approval | undefined): void {
    const { [sync]: before, ...others } = this.#header.approvals;
    if (approval === undefined && before === undefined) return;
    this.#header = { ...this.#header, approvals: approval === undefined ? others : { ...others, [sync]: approval } };
    this.#touch();
  }

  /** What happens with the objects of a sync once the settings do not have it; undefined: they stay. */
  setLeaving(sync: string, rule: LeavingRule | undefined): void {
    const { [sync]: before, ...others } = this.#header.leaving;
    if (JSON.stringify(before) === JSON.stringify(rule)) return;
    this.#header = { ...this.#header, leaving: rule === undefined ? others : { ...others, [sync]: rule } };
    this.#touch();
  }

  /** Where a sync comes from; undefined: its rows are another one's. */
  setSource(sync: string, source: SourceDigest | undefined): void {
    const { [sync]: before, ...others } = this.#header.sources;
    if (before === source) return;
    this.#header = { ...this.#header, sources: source === undefined ? others : { ...others, [sync]: source } };
    this.#touch();
  }

  /** Where what a sync applied last is kept; undefined: nowhere. */
  setLast(sync: string, record: LastRecord | undefined): void {
    const { [sync]: before, ...others } = this.#header.last;
    if (JSON.stringify(before) === JSON.stringify(record)) return;
    this.#header = { ...this.#header, last: record === undefined ? others : { ...others, [sync]: record } };
    this.#touch();
  }

  setExposure(exposure: ExposureMark): void {
    this.#header = { ...this.#header, exposure };
    this.#touch();
  }

  tokens(sync: string, digest: SourceDigest): TokenMemory | undefined {
    const found = this.#header.tokens[sync]?.find((each) => each.digest === digest);
    // Only what our own MAC vouches for is ever loaded, so these are tokens that we made.
    return found === undefined ? undefined : { ...found, tokens: found.tokens.map((token) => token as Token | '') };
  }

  /** What stands for the secrets of a sync from now on; nothing where it renders nothing. */
  setTokens(sync: string, memories: readonly TokenMemory[]): void {
    const { [sync]: before = [], ...others } = this.#header.tokens;
    const isSame =
      before.length === memories.length && before.every(({ digest }, at) => digest === memories[at]?.digest);
    if (isSame) return;
    this.#header = { ...this.#header, tokens: memories.length === 0 ? others : { ...others, [sync]: memories } };
    this.#touch();
  }

  #touch(): void {
    this.#touchedMs = this.#options.clock.elapsedMs();
    this.#dirtySinceMs ??= this.#touchedMs;
  }

  /** When the rows should be stored next; undefined when nothing changed. */
  dueAtMs(): number | undefined {
    if (this.#dirtySinceMs === undefined) return undefined;
    const dueMs = Math.min(this.#touchedMs + QUIET_MS, this.#dirtySinceMs + AT_MOST_MS);
    return Math.max(dueMs, this.#notBeforeMs);
  }

  /** Stores what changed. Writes follow one another, each with the version of the one before. */
  async store(): Promise<void> {
    if (this.#dirtySinceMs === undefined) await this.#writing;
    // A write that was under way may have failed: then there is something to store after all.
    if (this.#dirtySinceMs !== undefined) await this.#write(() => this.#dirtySinceMs !== undefined);
  }

  /** Of many who ask while a write is under way the first stores for all. */
  #write(isNeeded = (): boolean => true): Promise<void> {
    const next = this.#writing.then(() => (isNeeded() ? this.#put() : undefined));
    // A failed write must not fail the next one; whoever asked for it gets the error.
    this.#writing = next.catch(() => undefined);
    return next;
  }

  /** After a failure the changes are still due: later and later, because the next tick is a second away. */
  async #put(): Promise<void> {
    const before = this.#dirtySinceMs ?? this.#options.clock.elapsedMs();
    this.#dirtySinceMs = undefined;
    try {
      await this.#putOnce();
      this.#failures = 0;
      this.#notBeforeMs = 0;
    } catch (thrown) {
      this.#dirtySinceMs = before;
      this.#failures += 1;
      this.#notBeforeMs = this.#options.clock.elapsedMs() + Math.min(MAX_RETRY_MS, 1_000 * 2 ** this.#failures);
      throw thrown;
    }
  }

  async #putOnce(): Promise<void> {
    const { namespace, mac, repeat } = this.#options;
    const packed = encodeInventory(this.inventory, mac);
    if (packed.length > LIMITS.maxInventoryBytes) throw tooLarge(packed.length);
    const entry = packed.toString('base64');
    const target = { resource: CONFIG_MAPS, namespace, name: INVENTORY_NAME };
    const earlier = this.#sent;
    this.#sent = entry;
    let answer = await repeat(() => this.#send(target, entry));
    for (let round = 0; round < MAX_ROUNDS && !answer.ok && IS_THERE.has(answer.failure.kind); round += 1) {
      if (!(await this.#isStillOurs(target, earlier))) throw takenOver();
      answer = await repeat(() => this.#send(target, entry));
    }
    if (!answer.ok && answer.failure.kind === 'not-found') {
      // Deleted by somebody: what is in memory is still what was applied.
      this.#resourceVersion = undefined;
      answer = await this.#send(target, entry);
    }
    if (answer.ok) {
      this.#resourceVersion = stringAt(answer.value.object, 'metadata', 'resourceVersion');
      this.#stored = entry;
      this.#options.onStored({ objects: this.#rows.size, bytes: packed.length });
      return;
    }
    if (IS_THERE.has(answer.failure.kind)) throw takenOver();
    throw kubeError(answer.failure, { verb: this.#resourceVersion === undefined ? 'create' : 'update', ...target });
  }

  async #send(target: Target, entry: string): Promise<Outcome<Written>> {
    const body = Buffer.from(stringifyJson(this.#manifest(entry)), 'utf8');
    const { transport } = this.#options;
    const isNew = this.#resourceVersion === undefined;
    return isNew ? createObject(transport, { ...target, body }) : replaceObject(transport, { ...target, body });
  }

  /** Somebody labelled the ConfigMap, or another agent wrote it: the entry tells. */
  async #isStillOurs(target: Target & { resource: typeof CONFIG_MAPS }, earlier: string | undefined): Promise<boolean> {
    const { transport, repeat } = this.#options;
    const live = await repeat(() => getObject(transport, target));
    if (!live.ok || live.value === undefined) return false;
    const entry = stringAt(live.value, 'binaryData', ENTRY);
    if (entry !== this.#stored && entry !== this.#sent && entry !== earlier) return false;
    this.#resourceVersion = stringAt(live.value, 'metadata', 'resourceVersion');
    return true;
  }

  #manifest(entry: string): JsonObject {
    const { namespace, targetNamespace, setId, version, keyId } = this.#options;
    const madeWith = keyId?.();
    return {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: INVENTORY_NAME,
        namespace,
        labels: { [APPLYSET_ID_LABEL]: setId, 'app.kubernetes.io/managed-by': 'sotto' },
        annotations: {
          [APPLYSET_TOOLING]: `sotto/v${version}`,
          [APPLYSET_KINDS]: groupKinds(this.inventory),
          ...(madeWith === undefined ? {} : { [FINGERPRINT_ANNOTATION]: madeWith }),
          ...(targetNamespace === namespace ? {} : { [APPLYSET_NAMESPACES]: targetNamespace }),
        },
        ...(this.#resourceVersion === undefined ? {} : { resourceVersion: this.#resourceVersion }),
      },
      binaryData: { [ENTRY]: entry },
    };
  }
}

export function takenOver(): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-010',
    what: 'another agent has taken over this namespace',
    why: `ConfigMap ${INVENTORY_NAME} was written by somebody else`,
    next: 'sotto status   (this agent stops; only one may write)',
    object: `ConfigMap/${INVENTORY_NAME}`,
  });
}

function tooLarge(bytes: number): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-013',
    what: `the inventory is too large (${bytes} bytes)`,
    why: `a ConfigMap holds at most ${LIMITS.maxInventoryBytes} bytes of it, about 8,000 objects`,
    next: 'split the repository between two agents',
    object: `ConfigMap/${INVENTORY_NAME}`,
  });
}
