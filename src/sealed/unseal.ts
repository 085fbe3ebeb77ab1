import { constants, type KeyObject, privateDecrypt, subtle } from 'node:crypto';
import { asSottoError, SottoError } from '../core/errors.ts';
import type { Json } from '../core/json.ts';
import { Sensitive } from '../core/sensitive.ts';
import { decodeBlob, NONCE, type SealedBlob, SESSION_KEY_BYTES, TAG_BYTES } from './blob.ts';
import { type Binding, describeBinding, SCOPES, sealLabel } from './scope.ts';
import { readSealed, type SealedItem, type SealedObject, type SealedPlace, summaryOf } from './sealed-secret.ts';
import type { UnsealKey } from './sealing-key.ts';

/** An opened value, which the caller wipes, and the key that opened it. */
export interface Unsealed<Key extends UnsealKey> {
  readonly value: Sensitive;
  readonly key: Key;
}

/**
 * Opens one item, trying the keys in the order given: no ciphertext names its key.
 * Throws SOTTO-SEAL-001 when no key fits, -002 when the content was changed.
 */
export async function unsealItem<Key extends UnsealKey>(
  sealed: SealedObject,
  item: SealedItem,
  keys: readonly Key[],
): Promise<Unsealed<Key>> {
  const opened = await open(item, sealed.label, keys).catch((thrown: unknown) => {
    throw asSottoError(thrown).at(placeOf(sealed, item));
  });
  if (opened === undefined) throw noKeyFits(sealed, item, keys);
  return opened;
}

/**
 * Opens every item, or none: any failure fails the whole object, as in the stock controller, and one error names
 * every failing item. The caller wipes the values.
 */
export async function unsealAll<Key extends UnsealKey>(
  sealed: SealedObject,
  keys: readonly Key[],
): Promise<ReadonlyMap<string, Unsealed<Key>>> {
  const opened = new Map<string, Unsealed<Key>>();
  const failures: SottoError[] = [];
  let isComplete = false;
  try {
    for (const item of sealed.items) {
      try {
        opened.set(item.key, await unsealItem(sealed, item, keys));
      } catch (thrown) {
        failures.push(asSottoError(thrown));
      }
    }
    isComplete = failures.length === 0;
  } finally {
    if (!isComplete) for (const { value } of opened.values()) value.wipe();
  }
  if (failures.length === 0) return opened;
  throw summaryOf(failures, sealed.items.length);
}

/**
 * The object of a manifest, for whoever opens it next. With malformed items it does not open whatever the keys are;
 * then the items that no key opens are named in the same error. Throws SottoError.
 */
export async function parseForOpening(
  manifest: Json,
  place: SealedPlace,
  keys: readonly UnsealKey[],
): Promise<SealedObject> {
  const read = readSealed(manifest, place);
  if (read.kind === 'whole') return read.sealed;
  const { others, failures } = read;
  const all = [...failures];
  for (const item of others.items) {
    try {
      (await unsealItem(others, item, keys)).value.wipe();
    } catch (thrown) {
      all.push(asSottoError(thrown));
    }
  }
  throw summaryOf(all, others.items.length + failures.length);
}

/** What a text holds that was sealed for a label of its own; undefined when no key opens it, or it was changed. */
export async function unsealText(
  text: string,
  label: Uint8Array,
  keys: readonly UnsealKey[],
): Promise<Sensitive | undefined> {
  try {
    return (await open({ key: '', text, line: 1 }, label, keys))?.value;
  } catch (thrown) {
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
}

/** The key that unwraps an item, without opening its value: whether a SealedSecret is ours to unseal. */
export function keyFor<Key extends UnsealKey>(
  sealed: SealedObject,
  item: SealedItem,
  keys: readonly Key[],
): Key | undefined {
  return fittingKey(decodeBlob(item.text), sealed.label, keys);
}

function fittingKey<Key extends UnsealKey>(blob: SealedBlob, label: Uint8Array, keys: readonly Key[]): Key | undefined {
  const unwrapped = unwrapWith(blob, label, keys);
  unwrapped?.sessionKey.wipe();
  return unwrapped?.key;
}

async function open<Key extends UnsealKey>(
  item: SealedItem,
  label: Uint8Array,
  keys: readonly Key[],
): Promise<Unsealed<Key> | undefined> {
  const blob = decodeBlob(item.text);
  const unwrapped = unwrapWith(blob, label, keys);
  if (unwrapped === undefined) return undefined;
  using sessionKey = unwrapped.sessionKey;
  return { value: await decryptBody(blob.body, sessionKey), key: unwrapped.key };
}

interface Unwrapped<Key extends UnsealKey> {
  readonly key: Key;
  /** The caller wipes it. */
  readonly sessionKey: Sensitive;
}

function unwrapWith<Key extends UnsealKey>(
  blob: SealedBlob,
  label: Uint8Array,
  keys: readonly Key[],
): Unwrapped<Key> | undefined {
  for (const key of keys) {
    const sessionKey = unwrap(blob.wrappedKey, label, key.privateKey);
    if (sessionKey !== undefined) return { key, sessionKey };
  }
  return undefined;
}

/**
 * RSA-OAEP with SHA-256 for both hashes. Unlike PKCS#1 v1.5, whose padding errors OpenSSL hides behind random
 * output, OAEP throws for a key or label that does not fit.
 */
function unwrap(wrappedKey: Uint8Array, label: Uint8Array, privateKey: KeyObject): Sensitive | undefined {
  const modulusBits = privateKey.asymmetricKeyDetails?.modulusLength ?? 0;
  if (wrappedKey.length !== Math.ceil(modulusBits / 8)) return undefined;
  try {
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    return Sensitive.adopt(
      privateDecrypt({ key: privateKey, padding, oaepHash: 'sha256', oaepLabel: label }, wrappedKey),
    );
  } catch (thrown) {
    if (isOpensslError(thrown)) return undefined;
    throw thrown;
  }
}

function isOpensslError(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('ERR_OSSL_');
}

/** WebCrypto, because decipher.update() leaves a copy of the plaintext behind (spec/memory.md, R2). */
async function decryptBody(body: Uint8Array<ArrayBuffer>, sessionKey: Sensitive): Promise<Sensitive> {
  try {
    // Go would take AES-128 and -192 as well; sealing has only ever made 256-bit keys.
    if (sessionKey.length !== SESSION_KEY_BYTES) throw changed();
    const key = await subtle.importKey('raw', sessionKey.reveal(), 'AES-GCM', false, ['decrypt']);
    const parameters = { name: 'AES-GCM', iv: NONCE, tagLength: TAG_BYTES * 8 };
    return Sensitive.adopt(new Uint8Array(await subtle.decrypt(parameters, key, body)));
  } catch (thrown) {
    throw thrown instanceof DOMException && thrown.name === 'OperationError' ? changed() : thrown;
  }
}

function changed(): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-002',
    what: 'a sealed item was changed after it was sealed',
    why: 'a held key fits, but the content does not match its authentication tag',
    next: 'take the text of the item from an earlier commit, or seal the value again with sotto seal --raw',
  });
}

function placeOf(sealed: SealedObject, item: SealedItem) {
  return { file: sealed.file, line: item.line, key: item.key, object: `bitnami.com/SealedSecret/${sealed.name}` };
}

function noKeyFits(sealed: SealedObject, item: SealedItem, keys: readonly UnsealKey[]): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-001',
    what: `no held sealing key opens the item as sealed ${describeBinding(sealed)}`,
    ...causeOf(sealed, item, keys),
    ...placeOf(sealed, item),
  });
}

/**
 * The ciphertext tells neither key nor scope, but a held key that fits under another binding does: most failures
 * are a changed name, namespace or annotation, and then the exact edit can be named.
 */
function causeOf(sealed: SealedObject, item: SealedItem, keys: readonly UnsealKey[]): { why: string; next: string } {
  if (keys.length === 0) {
    return {
      why: 'no sealing key is at hand',
      next: 'restore the key Secret (label sealedsecrets.bitnami.com/sealed-secrets-key=active), or give --key-file',
    };
  }
  const blob = decodeBlob(item.text);
  const fits = otherBindings(sealed).find((binding) => fittingKey(blob, sealLabel(binding), keys) !== undefined);
  if (fits === undefined) {
    return {
      why: 'it was sealed for another key, or the name, namespace or scope annotation was changed since',
      next: 'undo that change, add the private key it was sealed for, or seal the value again for the certificate in use',
    };
  }
  return { why: `it was sealed ${describeBinding(fits)}`, next: editFor(sealed, fits) };
}

/** The object's own place in the other scopes, and the place the template still remembers in all of them. */
function otherBindings(sealed: SealedObject): readonly Binding[] {
  const { namespace, name, template } = sealed;
  const places = [
    { namespace, name },
    { namespace: template.namespace ?? namespace, name: template.name ?? name },
  ];
  return places.flatMap((place) => SCOPES.map((scope) => ({ scope, ...place })));
}

function editFor(sealed: SealedObject, fits: Binding): string {
  const edits: string[] = [];
  if (fits.scope !== sealed.scope && sealed.scope !== 'strict') {
    edits.push(`remove the annotation sealedsecrets.bitnami.com/${sealed.scope}`);
  }
  if (fits.scope !== sealed.scope && fits.scope !== 'strict') {
    edits.push(`set the annotation sealedsecrets.bitnami.com/${fits.scope}: "true"`);
  }
  if (fits.scope === 'strict' && fits.name !== sealed.name) edits.push(`set metadata.name to ${fits.name}`);
  if (fits.scope !== 'cluster-wide' && fits.namespace !== sealed.namespace) {
    edits.push(`set metadata.namespace to ${fits.namespace}`);
  }
  return `${edits.join(' and ')} in the SealedSecret’s own metadata, or seal the value again as it stands now`;
}
