import { SottoError } from '../core/errors.ts';
import type { ObjectKey } from '../core/ids.ts';
import { type JsonObject, stringAt, stringifyJson } from '../core/json.ts';
import { LAST_PREFIX } from '../core/labels.ts';
import { LIMITS } from '../core/limits.ts';
import { kubeError } from '../kube/errors.ts';
import { createObject, getObject, replaceObject, type Target } from '../kube/objects.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import type { Repeat } from '../kube/retry.ts';
import type { Transport } from '../kube/transport.ts';
import type { LastRecord } from '../plan/inventory.ts';
import type { InventoryStore } from './inventory-store.ts';
import { type LastKeys, type LastObject, layOut, objectsIn, openPart } from './last-parts.ts';

const ENTRY = 'objects';

export interface LastStoreOptions {
  readonly transport: Transport;
  readonly namespace: string;
  readonly version: string;
  /** In force now; parts that the former ones sealed are still opened. */
  readonly keys: () => { readonly current: LastKeys; readonly former: LastKeys | undefined };
  readonly inventory: Pick<InventoryStore, 'inventory' | 'setLast'>;
  readonly repeat: Repeat;
  /** What is stored is not what the inventory says; it is written anew by the next pass. */
  readonly onBroken: (error: SottoError) => void;
}

/** Of a sync, what is to be kept. */
export interface Keeping {
  readonly sync: string;
  readonly shape: string;
  readonly objects: readonly LastObject[];
  /** All syncs of the settings: what is kept of others is emptied. */
  readonly syncs: ReadonlySet<string>;
}

/**
 * ConfigMaps `sotto-last-N`: what was applied last, closed and sealed. The inventory says which of them count and with
 * which content, so that an older one, or one of somebody else, is none. Lives as long as the agent.
 */
export class LastStore {
  readonly #options: LastStoreOptions;
  /** Undefined: the agent makes one pass only and leaves them alone. */
  #checked: Promise<void> | undefined;
  readonly #broken = new Set<number>();

  constructor(options: LastStoreOptions) {
    this.#options = options;
  }

  get isUsed(): boolean {
    return this.#checked !== undefined;
  }

  /** For an agent that stays. Looks whether what is stored can be used, so that it is there when it is needed. */
  begin(): void {
    this.#checked = this.#check();
  }

  async #check(): Promise<void> {
    const { inventory, version } = this.#options;
    for (const [sync, record] of Object.entries(inventory.inventory.last)) {
      if (record.version !== version) continue;
      for (const part of record.parts) {
        const read = await this.#part(sync, record, part);
        if (read !== 'lost') continue;
        this.#broken.add(part.at);
        this.#options.onBroken(unusable(`ConfigMap ${nameOf(part.at)} is missing or was changed`));
      }
    }
  }

  /** The compressed objects of a part. A server that does not answer says nothing about it. */
  async #part(sync: string, { version }: LastRecord, { at, id }: Part): Promise<Buffer | 'lost' | SottoError> {
    const { transport, repeat } = this.#options;
    const { current, former } = this.#options.keys();
    const target = this.#target(at);
    const answer = await repeat(() => getObject(transport, target));
    if (!answer.ok) return kubeError(answer.failure, { verb: 'get', ...target });
    const entry = stringAt(answer.value, 'binaryData', ENTRY);
    const bytes = entry === undefined ? undefined : Buffer.from(entry, 'base64');
    if (bytes === undefined) return 'lost';
    const place = { sync, version, id };
    return openPart(bytes, current, place) ?? (former && openPart(bytes, former, place)) ?? 'lost';
  }

  /** What a sync applied last. Throws SottoError: SOTTO-KUBE-046 when it cannot be used, others when nobody answers. */
  async read(sync: string, shape: string): Promise<readonly LastObject[]> {
    const record = this.#options.inventory.inventory.last[sync];
    if (record === undefined) throw unusable('nothing was kept yet');
    if (record.version !== this.#options.version) throw unusable(`it was kept by sotto ${record.version}`);
    if (record.shape !== shape) throw unusable('the settings of the sync have changed since');
    const objects: LastObject[] = [];
    for (const part of record.parts) {
      const read = await this.#part(sync, record, part);
      if (read instanceof SottoError) throw read;
      const found = read === 'lost' ? undefined : objectsIn(read);
      if (found === undefined) {
        this.#broken.add(part.at);
        throw unusable(`ConfigMap ${nameOf(part.at)} is missing or was changed`);
      }
      objects.push(...found);
    }
    return objects;
  }

  /** Writes what changed, and into the inventory where it is: who calls stores that. Throws SottoError. */
  async keep({ sync, shape, objects, syncs }: Keeping): Promise<{ readonly leftOut: readonly ObjectKey[] }> {
    await this.#checked;
    const { inventory, version } = this.#options;
    const keys = this.#options.keys().current;
    await this.#emptyOthers(syncs);
    const before = inventory.inventory.last[sync];
    const isSame = before?.version === version;
    const known = isSame ? before.parts.map(({ at, id }) => (this.#broken.has(at) ? '' : id)) : [];
    if (objects.length === 0 && before === undefined) return { leftOut: [] };
    const { maxLastPartBytes: maxBytes, maxLastParts: maxParts } = LIMITS;
    const laidOut = layOut(objects, { keys, sync, version, known, maxBytes, maxParts });
    if (laidOut === undefined) throw notKept(`the objects of the sync do not fit into ${maxParts} ConfigMaps`);
    const places = this.#places(laidOut.parts.length, before);
    const parts = laidOut.parts.map(({ id }, index) => ({ at: places[index] ?? 0, id }));
    for (const [index, { bytes }] of laidOut.parts.entries()) {
      if (bytes !== undefined) await this.#write(places[index] ?? 0, { [ENTRY]: bytes.toString('base64') });
    }
    for (const { at } of (before?.parts ?? []).slice(places.length)) await this.#write(at, {});
    inventory.setLast(sync, { version, shape, parts });
    return { leftOut: laidOut.leftOut };
  }

  /** Those it has already, then the lowest that no sync has. */
  #places(count: number, before: LastRecord | undefined): number[] {
    const { inventory } = this.#options;
    const taken = new Set(Object.values(inventory.inventory.last).flatMap(({ parts }) => parts.map(({ at }) => at)));
    const places = (before?.parts ?? []).map(({ at }) => at).slice(0, count);
    for (let at = 0; places.length < count; at += 1) if (!taken.has(at)) places.push(at);
    return places;
  }

  /** What is kept of a sync that has left the settings goes; its ConfigMap stays for the next one that needs it. */
  async #emptyOthers(syncs: ReadonlySet<string>): Promise<void> {
    const { inventory } = this.#options;
    for (const [name, { parts }] of Object.entries(inventory.inventory.last)) {
      if (syncs.has(name)) continue;
      for (const { at } of parts) await this.#write(at, {});
      inventory.setLast(name, undefined);
    }
  }

  /** Until it is written whole nobody knows what is there. */
  async #write(at: number, binaryData: JsonObject): Promise<void> {
    const { transport, namespace, repeat } = this.#options;
    const target = this.#target(at);
    this.#broken.add(at);
    const labels = { 'app.kubernetes.io/managed-by': 'sotto' };
    const metadata = { name: target.name, namespace, labels };
    const text = stringifyJson({ apiVersion: 'v1', kind: 'ConfigMap', metadata, binaryData });
    const body = (): Buffer => Buffer.from(text, 'utf8');
    let answer = await repeat(() => replaceObject(transport, { ...target, body: body() }));
    const isNew = !answer.ok && answer.failure.kind === 'not-found';
    if (isNew) answer = await repeat(() => createObject(transport, { ...target, body: body() }));
    if (!answer.ok) throw kubeError(answer.failure, { verb: isNew ? 'create' : 'update', ...target });
    this.#broken.delete(at);
  }

  #target(at: number): Target & { readonly resource: typeof CONFIG_MAPS } {
    return { resource: CONFIG_MAPS, namespace: this.#options.namespace, name: nameOf(at) };
  }
}

type Part = LastRecord['parts'][number];

function nameOf(at: number): string {
  return `${LAST_PREFIX}${at}`;
}

export function unusable(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KUBE-046',
    what: 'what was applied last cannot be used in place of Git',
    why,
    next: 'restore the source: until then changes by hand stay, and with the next pass it is kept anew',
  });
}

export function notKept(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KUBE-047',
    what: 'what was applied last is not kept',
    why,
    next: 'nothing while Git answers: only a restart without Git would wait for it; split the sync if it is too large',
  });
}
