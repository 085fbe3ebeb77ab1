import type { CipherSource } from '../core/closed.ts';
import { asSottoError, SottoError } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject, member, memberAt, stringAt } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { decodeBlob } from './blob.ts';
import { isEntryName, isNamespaceName, isSecretName } from './names.ts';
import { Reading, type SealedPlace } from './reading.ts';
import type { SealedItem } from './sealed-item.ts';
import { type Annotations, type Binding, scopeOf, sealLabel } from './scope.ts';
import { parseTemplate, type SealedTemplate } from './template.ts';

export type { SealedPlace } from './reading.ts';
export type { SealedItem } from './sealed-item.ts';

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

/** An object that can be opened; or one with malformed items, of which the others can still be tried. */
export type SealedRead =
  | { readonly kind: 'whole'; readonly sealed: SealedObject }
  | { readonly kind: 'malformed'; readonly others: SealedObject; readonly failures: readonly SottoError[] };

/**
 * Reads a SealedSecret strictly. The stock controller turns some malformed objects into empty Secrets
 * (spec section 1); here every wrong shape is an error with its place. Throws SOTTO-SEAL-003 to -010.
 */
export function parseSealed(manifest: Json, place: SealedPlace): SealedObject {
  const read = readSealed(manifest, place);
  if (read.kind === 'whole') return read.sealed;
  throw summaryOf(read.failures, read.others.items.length + read.failures.length);
}

/** As `parseSealed`, for somebody with keys: malformed items are told together with those that no key opens. */
export function readSealed(manifest: Json, place: SealedPlace): SealedRead {
  const head = parseHead(manifest, place);
  refuseDeprecatedData(head.spec, head.binding, head.reading);
  const { items, failures } = parseItems(head.manifest, head.reading);
  if (failures.length > 0)
    return { kind: 'malformed', others: sealedObject(place, head.binding, items, NO_TEMPLATE), failures };
  const template = parseTemplate(head.manifest, items, head.reading);
  return { kind: 'whole', sealed: sealedObject(place, head.binding, items, template) };
}

/** In place of `encryptedData`: the one item is a whole Secret, sealed (`spec.data`, the form of 2018). */
export interface SealedWhole {
  readonly sealed: SealedObject;
  readonly item: SealedItem;
}

/** Undefined for a SealedSecret of today's form; what is wrong with it `parseSealed` says. Throws like it. */
export function parseSealedWhole(manifest: Json, place: SealedPlace): SealedWhole | undefined {
  if ((memberAt(manifest, 'spec', 'data') ?? null) === null) return undefined;
  const { reading, binding } = parseHead(manifest, place);
  const path = ['spec', 'data'];
  const text = memberAt(manifest, ...path);
  if (typeof text !== 'string') throw reading.wrongShape(path, 'spec.data is not text');
  if (Object.keys(reading.object(manifest, ['spec', 'encryptedData']) ?? {}).length > 0) {
    throw reading.wrongShape(path, 'spec.data and encryptedData exclude each other');
  }
  if (text.length > LIMITS.maxObjectBytes) throw tooLarge(text.length, reading, path);
  const item = { key: path.join('.'), text, line: reading.line(path) };
  try {
    decodeBlob(text);
  } catch (thrown) {
    throw thrown instanceof SottoError ? thrown.at(reading.at(path)) : thrown;
  }
  return { sealed: sealedObject(place, binding, [item], NO_TEMPLATE), item };
}

const NO_TEMPLATE: SealedTemplate = {
  type: undefined,
  immutable: undefined,
  labels: {},
  annotations: {},
  finalizers: [],
  name: undefined,
  namespace: undefined,
  data: new Map(),
};

function sealedObject(
  { file, line }: Pick<SealedPlace, 'file' | 'line'>,
  binding: Binding,
  items: readonly SealedItem[],
  template: SealedTemplate,
): SealedObject {
  return { format: 'sealed', file, line, ...binding, label: sealLabel(binding), items, template };
}

/** What opening one item needs to know of the object it stands in, without the object: its place and what it is bound to. */
export function unreadSealed(place: Pick<SealedPlace, 'file' | 'line'>, binding: Binding): SealedObject {
  return sealedObject(place, binding, [], NO_TEMPLATE);
}

function parseHead(manifest: Json, place: SealedPlace) {
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
  return { reading, binding, spec, manifest };
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

interface ItemsRead {
  readonly items: readonly SealedItem[];
  readonly failures: readonly SottoError[];
}

function parseItems(manifest: JsonObject, reading: Reading): ItemsRead {
  const encrypted = reading.object(manifest, ['spec', 'encryptedData']);
  if (encrypted === undefined) {
    throw reading.wrongShape(['spec', 'encryptedData'], 'encryptedData is missing ({} is an empty Secret)');
  }
  const items: SealedItem[] = [];
  const failures: SottoError[] = [];
  for (const [key, text] of Object.entries(encrypted)) {
    try {
      items.push(parseItem(key, text, reading));
    } catch (thrown) {
      failures.push(asSottoError(thrown));
    }
  }
  const totalBytes = items.reduce((sum, item) => sum + item.key.length + item.text.length, 0);
  if (totalBytes > LIMITS.maxObjectBytes) throw tooLarge(totalBytes, reading, ['spec', 'encryptedData']);
  return { items, failures };
}

/** One error that names every failing item, and every kind of failure; the advice is that of the first. */
export function summaryOf(failures: readonly SottoError[], count: number): SottoError {
  const [first] = failures;
  if (first === undefined) throw new TypeError('nothing failed');
  if (failures.length === 1) return first;
  const { code, why, next, place } = first;
  const keys = failures.map((failure) => failure.place.key ?? '').toSorted();
  const kinds = [...new Set(failures.map(({ what }) => what))].join('; ');
  const told = `${failures.length} of ${count} items do not open (${kinds})`;
  return new SottoError({ code, what: told, why, next, ...place, key: keys.join(', ') });
}

function tooLarge(totalBytes: number, reading: Reading, path: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-008',
    what: `the SealedSecret holds ${totalBytes} bytes of sealed text`,
    why: `Kubernetes stores no object of more than ${LIMITS.maxObjectBytes} bytes`,
    next: 'split it into several SealedSecrets',
    ...reading.at(path),
  });
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
