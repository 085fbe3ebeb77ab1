import type { CipherSource, SecretRef } from '../core/closed.ts';
import type { Sensitive } from '../core/sensitive.ts';
import type { SecretContent } from '../kube/secret-reader.ts';
import type { Json } from '../core/json.ts';
import type { SealedItem, SealedObject, SealedPlace, SealedWhole } from '../sealed/sealed-secret.ts';
import type { UnsealKey } from '../sealed/sealing-key.ts';
import { keyFor, parseForOpening, unsealAll, unsealItem } from '../sealed/unseal.ts';
import type { Identity } from '../sops/identity.ts';
import { type DataKey, openLeaf, unwrapDataKey } from '../sops/data-key.ts';
import type { ServiceIdentity } from '../sops/identity.ts';
import { openWholeEntry, openWholeSecret, WholeEntry } from './whole-secret.ts';
import { verifyMac } from '../sops/mac.ts';
import { type SopsFile, SopsLeaf } from '../sops/file.ts';
import {
  openEnvLine,
  openEnvVariables,
  type OpenedVariable,
  openWhole,
  SopsEnvLine,
  SopsWhole,
} from '../sops/whole.ts';

/** The keys a sync may open with. */
export interface OpenKeys {
  readonly ageIdentities: readonly Identity[];
  readonly pgpIdentities?: readonly Identity[];
  readonly sealingKeys: readonly UnsealKey[];
  /** Asks the key services that are allowed; undefined: none is. */
  readonly services?: ServiceIdentity | undefined;
}

/** What the owner of an opener is told: counts, and when key material can be collected. */
export interface OpenerNotices {
  readonly onVerified?: (format: CipherSource['format'], outcome: 'opened' | 'failed') => void;
  readonly onDispose?: () => void;
}

/** A SOPS file as far as filling needs it: its wrapped data key. The rest is not kept in memory. */
export interface SopsSource extends CipherSource {
  readonly format: 'sops';
  readonly metadata: SopsFile['metadata'];
}

/**
 * Opens references with the keys at hand. Lives for one pass or one correction: the data keys it unwrapped are kept
 * so that a file is unwrapped once, and dropped with it (spec/memory.md, R7).
 */
export class Opener implements Disposable {
  readonly #keys: OpenKeys;
  readonly #dataKeys = new Map<SopsSource, Promise<DataKey>>();
  readonly #notices: OpenerNotices;

  constructor(keys: OpenKeys, notices: OpenerNotices = {}) {
    this.#keys = keys;
    this.#notices = notices;
  }

  /** Checks that a SOPS file opens and is unchanged. */
  async verifySops(source: SopsSource, sops: SopsFile): Promise<void> {
    await this.#counted('sops', async () => verifyMac(sops, await this.#dataKey(source)));
  }

  /** Whether there is a key for SealedSecrets at all. */
  get canUnseal(): boolean {
    return this.#keys.sealingKeys.length > 0;
  }

  /** A SealedSecret as it stands; what is malformed in it is told with what our keys do not open. Throws SottoError. */
  parseSealed(manifest: Json, place: SealedPlace): Promise<SealedObject> {
    return parseForOpening(manifest, place, this.#keys.sealingKeys);
  }

  /** Checks that every item of a SealedSecret opens. */
  async verifySealed(source: SealedObject): Promise<void> {
    await this.#counted('sealed', async () => {
      for (const { value } of (await unsealAll(source, this.#keys.sealingKeys)).values()) value.wipe();
    });
  }

  /** The Secret of `spec.data`, whose entries nobody knows without opening it. The caller wipes them. */
  async openWhole(whole: SealedWhole): Promise<SecretContent> {
    let content: SecretContent | undefined;
    await this.#counted('sealed', async () => {
      content = await openWholeSecret(whole, this.#keys.sealingKeys);
    });
    if (content === undefined) throw new TypeError('opened without content');
    return content;
  }

  async #counted(format: CipherSource['format'], verify: () => Promise<void>): Promise<void> {
    const { onVerified } = this.#notices;
    try {
      await verify();
    } catch (thrown) {
      onVerified?.(format, 'failed');
      throw thrown;
    }
    onVerified?.(format, 'opened');
  }

  /** The bytes behind one reference. The caller wipes them. */
  async open(ref: SecretRef): Promise<Sensitive> {
    const { source } = ref;
    if (isSopsSource(source)) return this.#openSops(source, ref);
    if (ref.cipher instanceof WholeEntry) return openWholeEntry(ref.cipher, this.#keys.sealingKeys);
    if (isSealedSource(source)) {
      return (await unsealItem(source, ref.cipher as SealedItem, this.#keys.sealingKeys)).value;
    }
    throw new TypeError(`unknown source ${source.format}`);
  }

  /** Checks that a file that is one secret opens and is unchanged. */
  async verifyWhole(source: SopsSource, whole: SopsWhole): Promise<void> {
    await this.#counted('sops', async () => verifyMac(whole, await this.#dataKey(source)));
  }

  /** The variables of an encrypted env file. The caller wipes their values. */
  async openVariables(source: SopsSource, whole: SopsWhole): Promise<OpenedVariable[]> {
    return openEnvVariables(whole, await this.#dataKey(source));
  }

  async #openSops(source: SopsSource, { cipher }: SecretRef): Promise<Sensitive> {
    const dataKey = await this.#dataKey(source);
    if (cipher instanceof SopsWhole) return openWhole(cipher, dataKey);
    if (cipher instanceof SopsEnvLine) return openEnvLine(cipher, dataKey);
    if (cipher instanceof SopsLeaf) return openLeaf(source, cipher, dataKey);
    throw new TypeError('a composed text is not opened, but what it is composed of');
  }

  #dataKey(source: SopsSource): Promise<DataKey> {
    const known = this.#dataKeys.get(source);
    if (known !== undefined) return known;
    const { ageIdentities, pgpIdentities = [], services } = this.#keys;
    const identities = [...ageIdentities, ...pgpIdentities, ...(services === undefined ? [] : [services])];
    const unwrapped = unwrapDataKey(source, identities);
    this.#dataKeys.set(source, unwrapped);
    return unwrapped;
  }

  [Symbol.dispose](): void {
    for (const key of this.#dataKeys.values()) {
      // A file that did not open has no key to wipe; its error was reported where it was awaited.
      key.then((dataKey) => dataKey[Symbol.dispose]()).catch(() => undefined);
    }
    this.#dataKeys.clear();
    this.#notices.onDispose?.();
  }
}

export function isSopsSource(source: CipherSource): source is SopsSource {
  return source.format === 'sops';
}

function isSealedSource(source: CipherSource): source is SealedObject {
  return source.format === 'sealed';
}

/** Whether one of the keys opens a sealed value. No ciphertext says its key, so it is tried. */
export function isSealedFor({ source, cipher }: SecretRef, keys: readonly UnsealKey[]): boolean {
  if (cipher instanceof WholeEntry) return keyFor(cipher.whole.sealed, cipher.whole.item, keys) !== undefined;
  return isSealedSource(source) && keyFor(source, cipher as SealedItem, keys) !== undefined;
}
