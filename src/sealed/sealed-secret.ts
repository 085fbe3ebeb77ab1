import type { CipherSource, Ciphertext } from '../core/closed.ts';
import { SottoError } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject, member, stringAt } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { decodeBlob } from './blob.ts';
import { isEntryName, isNamespaceName, isSecretName } from './names.ts';
import { Reading, type SealedPlace } from './reading.ts';
import { type Annotations, type Binding, scopeOf, sealLabel } from './scope.ts';
import { parseTemplate, type SealedTemplate } from './template.ts';

export type { SealedPlace } from './reading.ts';

/** One entry of `encryptedData`. The text is ciphertext and may be shown. */
export interface SealedItem extends Ciphertext {
  /** Name of the entry in the Secret's `data`. It is not bound to the ciphertext. */
  readonly key: string;
  readonly line: number;
}

/** A SealedSecret as it is readable without a key; checked. */
export interface SealedObject extends CipherSource, Binding {
  readonly format: 'sealed';
  /** 1-based line at which the document starts. */
  readonly line: number;
  /** What every item is bound to; the OAEP label. From the object's own metadata, never from the template's. */
  readonly label: Uint8Array;
  readonly items: readonly SealedItem[];
  readonly template: SealedTemplate;
}

/**
 * Reads a SealedSecret strictly. The stock controller turns some malformed objects into empty Secrets
 * (spec section 1); here every wrong shape is an error with its place. Throws SOTTO-SEAL-003 to -010.
 */
export function parseSealed(manifest: Json, place: SealedPlace): SealedObject {
  const reading = new Reading(place, `bitnami.com/SealedSecret/${stringAt(manifest, 'metadata', 'name') ?? '?'}`);
  if (!isJsonObject(manifest)) throw reading.wrongShape([], 'a SealedSecret is a mapping');
  checkKind(manifest, reading);
  const metadata = reading.object(manifest, ['metadata']) ?? {};
  const name = checkName(metadata, reading);
  const namespace = checkNamespace(metadata, place.namespace, reading);
  const annotations: Annotations = reading.stringMap(manifest, ['metadata', 'annotations']);
  const binding = { scope: scopeOf(annotations), namespace, name };
  const spec = reading.object(manifest, ['spec']);
  if (spec === undefined) throw reading.wrongShape(['spec'], 'spec is missing');
  refuseDeprecatedData(spec, binding, reading);
  const items = parseItems(manifest, reading);
  const template = parseTemplate(manifest, reading);
  return {
    format: 'sealed',
    file: place.file,
    line: place.line,
    ...binding,
    label: sealLabel(binding),
    items,
    template,
  };
}

function checkKind(manifest: JsonObject, reading: Reading): void {
  if (manifest['kind'] !== 'SealedSecret') throw reading.wrongShape(['kind'], 'kind is not SealedSecret');
  if (manifest['apiVersion'] !== 'bitnami.com/v1alpha1') {
    throw reading.wrongShape(['apiVersion'], 'apiVersion is not bitnami.com/v1alpha1');
  }
}

function checkName(metadata: JsonObject, reading: Reading): string {
  const name = member(metadata, 'name');
  if (typeof name === 'string' && isSecretName(name)) return name;
  throw new SottoError({
    code: 'SOTTO-SEAL-006',
    what: 'the SealedSecret has no usable name',
    why: 'its items are bound to metadata.name, which must be a lower case Kubernetes name',
    next: 'set metadata.name to the name it was sealed for, in quotes if it looks like a number',
    ...reading.at(['metadata', 'name']),
  });
}

function checkNamespace(metadata: JsonObject, namespaceDefault: string, reading: Reading): string {
  const namespace = member(metadata, 'namespace') ?? namespaceDefault;
  if (typeof namespace === 'string' && isNamespaceName(namespace)) return namespace;
  throw new SottoError({
    code: 'SOTTO-SEAL-006',
    what: 'the SealedSecret has no usable namespace',
    why: 'its items are bound to metadata.namespace, which must be the name of a namespace',
    next: 'set metadata.namespace to the namespace it was sealed for',
    ...reading.at(['metadata', 'namespace']),
  });
}

function refuseDeprecatedData(spec: JsonObject, { namespace, name }: Binding, reading: Reading): void {
  if ((member(spec, 'data') ?? null) === null) return;
  throw new SottoError({
    code: 'SOTTO-SEAL-010',
    what: 'the SealedSecret uses the deprecated field spec.data',
    why: 'it holds a whole sealed Secret in one blob, a form that newer controllers refuse too',
    next: `while the Secret is live, seal it again: kubectl get secret ${name} -n ${namespace} -o yaml | sotto seal --cert CERTIFICATE -`,
    ...reading.at(['spec', 'data']),
  });
}

function parseItems(manifest: JsonObject, reading: Reading): readonly SealedItem[] {
  const encrypted = reading.object(manifest, ['spec', 'encryptedData']);
  if (encrypted === undefined) {
    throw reading.wrongShape(['spec', 'encryptedData'], 'encryptedData is missing ({} is an empty Secret)');
  }
  const items = Object.keys(encrypted).map((key) => parseItem(key, encrypted[key], reading));
  const totalBytes = items.reduce((sum, item) => sum + item.key.length + item.text.length, 0);
  if (totalBytes > LIMITS.maxObjectBytes) {
    throw new SottoError({
      code: 'SOTTO-SEAL-008',
      what: `the SealedSecret holds ${totalBytes} bytes of sealed text`,
      why: `Kubernetes stores no object of more than ${LIMITS.maxObjectBytes} bytes`,
      next: 'split it into several SealedSecrets',
      ...reading.at(['spec', 'encryptedData']),
    });
  }
  return items;
}

function parseItem(key: string, text: Json | undefined, reading: Reading): SealedItem {
  const path = ['spec', 'encryptedData', key];
  if (!isEntryName(key)) throw badEntryName(key, path, reading);
  if (typeof text !== 'string') throw reading.wrongShape(path, 'a sealed item is text');
  const item = { key, text, line: reading.line(path) };
  try {
    decodeBlob(text);
  } catch (thrown) {
    throw thrown instanceof SottoError ? thrown.at({ ...reading.at(path), key }) : thrown;
  }
  return item;
}

function badEntryName(key: string, path: readonly string[], reading: Reading): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-007',
    what: 'an item has a name that no entry of a Secret can have',
    why: 'names are letters, digits, dots, dashes and underscores, at most 253',
    next: 'rename the item; its name is not part of what was sealed, so the text stays valid',
    ...reading.at(path),
    key: key.slice(0, 253),
  });
}
