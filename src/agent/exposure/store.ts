import type { KeyObject } from 'node:crypto';
import { rfc3339 } from '../../core/clock.ts';
import { SottoError } from '../../core/errors.ts';
import { stringAt, stringifyJson } from '../../core/json.ts';
import { EXPOSURE_NAME } from '../../core/labels.ts';
import { LIMITS } from '../../core/limits.ts';
import { kubeError } from '../../kube/errors.ts';
import { createObject, getObject, replaceObject } from '../../kube/objects.ts';
import { CONFIG_MAPS } from '../../kube/resource.ts';
import type { Repeat } from '../../kube/retry.ts';
import type { Transport } from '../../kube/transport.ts';
import type { InventoryStore } from '../inventory-store.ts';
import type { Exposure } from './exposure.ts';
import { type ExposureRecord, openRecord, sealRecord } from './stored.ts';

const ENTRY = 'exposed';

export interface ExposureStoreOptions {
  readonly transport: Transport;
  readonly namespace: string;
  /** In force now; what the former one sealed is still opened. */
  readonly keys: () => { readonly current: KeyObject; readonly former: KeyObject | undefined };
  /** Of the key in force: another one once it was changed. */
  readonly keyId: () => string;
  readonly inventory: Pick<InventoryStore, 'inventory' | 'setExposure'>;
  readonly repeat: Repeat;
  readonly now: () => Date;
}

type Kept = Pick<ExposureRecord, 'lost' | 'exposures'>;
const NOTHING: Kept = { exposures: [] };
const NOT_OURS = 'somebody changed it, or another version of sotto wrote it';

/**
 * ConfigMap `sotto-exposure`: read once, at the start, whatever the inventory says of it: that may be damaged or an older
 * one. Ours from then on. Lives as long as the agent.
 */
export class ExposureStore {
  readonly #options: ExposureStoreOptions;
  #kept: Kept = NOTHING;
  /** In memory there is something else than in the ConfigMap. */
  #isDirty = false;
  /** Which key what is stored was sealed with; undefined: nothing is stored. */
  #sealedBy: string | undefined;
  /** Of the newest writing that is known of. */
  #serial = 0;
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: ExposureStoreOptions) {
    this.#options = options;
  }

  get exposures(): readonly Exposure[] {
    return this.#kept.exposures;
  }

  /** Why it cannot be told what is exposed. */
  get lost(): SottoError | undefined {
    const { lost } = this.#kept;
    return lost === undefined ? undefined : lostError(lost.at, lost.why);
  }

  /** Whether a pass has to look. */
  get isOpen(): boolean {
    return this.exposures.length > 0 || this.isBehind;
  }

  /** What is stored is not what is known, or was sealed with a key that is about to go. */
  get isBehind(): boolean {
    return this.#isDirty || (this.#sealedBy !== undefined && this.#sealedBy !== this.#options.keyId());
  }

  /** Throws SottoError when the API server does not say what is there. */
  async load(): Promise<void> {
    const { transport, inventory, repeat, keys, keyId, now } = this.#options;
    const mark = inventory.inventory.exposure;
    this.#serial = mark?.serial ?? 0;
    const target = this.#target();
    const answer = await repeat(() => getObject(transport, target));
    if (!answer.ok) throw kubeError(answer.failure, { verb: 'get', ...target });
    const entry = stringAt(answer.value, 'binaryData', ENTRY);
    const { current, former } = keys();
    const bytes = Buffer.from(entry ?? '', 'base64');
    const own = await openRecord(bytes, current);
    const record = own ?? (former && (await openRecord(bytes, former)));
    if (record !== undefined && record.serial >= this.#serial) {
      const { serial, lost, exposures } = record;
      this.#kept = { lost, exposures };
      this.#sealedBy = own === undefined ? '' : keyId();
      this.#serial = serial;
      if (mark?.serial !== serial) inventory.setExposure({ serial, isEmpty: isNothing(this.#kept) });
      return;
    }
    // Nothing is there, and nothing says that something was.
    if (mark === undefined ? answer.value === undefined : mark.isEmpty) return;
    const why = answer.value === undefined ? 'it is gone' : record === undefined ? NOT_OURS : 'it is an older one';
    this.#kept = { ...NOTHING, lost: { at: rfc3339(now()), why } };
  }

  /** One change after the other; what changed is stored, then into the inventory. Throws SottoError. */
  change(how: (kept: Kept) => Promise<Kept>): Promise<void> {
    const next = this.#changing.then(() => this.#change(how));
    this.#changing = next.catch(() => undefined);
    return next;
  }

  async #change(how: (kept: Kept) => Promise<Kept>): Promise<void> {
    const after = await how(this.#kept);
    if (after === this.#kept && !this.isBehind) return;
    this.#kept = after;
    this.#isDirty = true;
    await this.#write(after);
    this.#isDirty = false;
  }

  async #write({ lost, exposures }: Kept): Promise<void> {
    const { transport, namespace, keys, keyId, inventory, repeat } = this.#options;
    const serial = this.#serial + 1;
    const [key, id] = [keys().current, keyId()];
    const bytes = sealRecord({ serial, lost, exposures }, key);
    if (bytes.length > LIMITS.maxExposureBytes) throw notKept(`${bytes.length} bytes do not fit into a ConfigMap`);
    const target = this.#target();
    const labels = { 'app.kubernetes.io/managed-by': 'sotto' };
    const metadata = { name: EXPOSURE_NAME, namespace, labels };
    const binaryData = { [ENTRY]: bytes.toString('base64') };
    const text = stringifyJson({ apiVersion: 'v1', kind: 'ConfigMap', metadata, binaryData });
    const body = (): Buffer => Buffer.from(text, 'utf8');
    let answer = await repeat(() => replaceObject(transport, { ...target, body: body() }));
    const isNew = !answer.ok && answer.failure.kind === 'not-found';
    if (isNew) answer = await repeat(() => createObject(transport, { ...target, body: body() }));
    if (!answer.ok) {
      const { what, why } = kubeError(answer.failure, { verb: isNew ? 'create' : 'update', ...target });
      throw notKept(`${what}: ${why}`);
    }
    this.#serial = serial;
    this.#sealedBy = id;
    inventory.setExposure({ serial, isEmpty: isNothing({ lost, exposures }) });
  }

  #target() {
    return { resource: CONFIG_MAPS, namespace: this.#options.namespace, name: EXPOSURE_NAME };
  }
}

function isNothing({ lost, exposures }: Kept): boolean {
  return exposures.length === 0 && lost === undefined;
}

function lostError(at: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-050',
    what: 'it cannot be told any more which exposed values are still in use',
    why: `what the agent had kept of them is not there since ${at} at the latest: ${why}`,
    next: `restore ConfigMap ${EXPOSURE_NAME} and restart the agent; or change every value, then sotto rotate accept --all --reason TEXT`,
    object: `ConfigMap/${EXPOSURE_NAME}`,
  });
}

export function notKept(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-053',
    what: 'what is exposed cannot be kept',
    why,
    next: 'let the agent create and update ConfigMaps of its namespace (Role sotto in deploy/); it tries again with the next pass',
    object: `ConfigMap/${EXPOSURE_NAME}`,
  });
}
