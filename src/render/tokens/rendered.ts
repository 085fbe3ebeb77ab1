import {
  type Closed,
  type ClosedObject,
  ComposedRef,
  type LeafForm,
  type Piece,
  SecretRef,
} from '../../core/closed.ts';
import { sourceDigest } from '../../core/digest.ts';
import { asSottoError, SottoError } from '../../core/errors.ts';
import { displayObject, groupOf, type SourceDigest } from '../../core/ids.ts';
import { arrayAt, canonicalJson, isJsonObject, type Json, type JsonObject, stringAt } from '../../core/json.ts';
import { compose } from './compose.ts';
import { outsideSecret, type Place, sourceOf, unusableTrace } from './findings.ts';
import { refsOf } from './pieces.ts';
import type { TokenEntry, TokenTable } from './table.ts';
import { findTrace } from './traces.ts';

/** An object of a renderer, closed again: tokens are references. */
export interface ClosedRendered {
  readonly tree: ClosedObject;
  /** Of the object with its tokens: the same for the same values however they are encrypted. */
  readonly digest: SourceDigest;
  readonly hasSecrets: boolean;
}

/** One object that must not be applied. */
export interface RefusedRendered {
  readonly tree: JsonObject;
  readonly error: SottoError;
}

export interface Accounted {
  readonly objects: readonly ClosedRendered[];
  readonly refused: readonly RefusedRendered[];
  /** Secrets that are in no object: deleted by a patch, or of a file that nothing uses. No error. */
  readonly unused: readonly TokenEntry[];
}

/** Objects other than Secrets that may hold secrets, because settings name them. */
export interface TextAllowed {
  mayHoldSecrets(object: JsonObject): boolean;
}

/**
 * Every object of a renderer with references where its tokens were. Each token must be accounted for: whole, and in a
 * value of a Secret; an object in which one is not is refused, and the others stand.
 */
export function closeRendered(objects: readonly Json[], table: TokenTable, allowed?: TextAllowed): Accounted {
  const closed: ClosedRendered[] = [];
  const refused: RefusedRendered[] = [];
  const seen = new Set<SecretRef>();
  for (const tree of objects.flatMap(flattenList)) {
    const object = nameOf(tree, table);
    try {
      const result = closeOne(tree, object, table, allowed);
      for (const ref of result.refs) seen.add(ref);
      const digest = sourceDigest('rendered', canonicalJson(tree));
      closed.push({ tree: result.tree, digest, hasSecrets: result.refs.length > 0 });
    } catch (thrown) {
      refused.push({ tree, error: asSottoError(thrown).at({ object }) });
    }
  }
  const unused = [...table.entries()].filter(({ ref }) => !seen.has(ref));
  return { objects: closed, refused, unused };
}

const HIDDEN = '…';

interface ClosedOne {
  readonly tree: ClosedObject;
  readonly refs: readonly SecretRef[];
}

function closeOne(tree: JsonObject, object: string, table: TokenTable, allowed: TextAllowed | undefined): ClosedOne {
  const fields = isSecret(tree) ? (['data', 'stringData'] as const) : [];
  const refs: SecretRef[] = [];
  const closed: Record<string, Closed> = { ...tree };
  for (const field of fields) {
    const values = tree[field];
    if (!isJsonObject(values)) continue;
    closed[field] = Object.fromEntries(
      Object.entries(values).map(([key, value]) => {
        const place = { object, key: `${field}.${key}` };
        refuseKey(key, [field], { object, table, kind: 'Secret' });
        if (typeof value !== 'string') return [key, value];
        const ref = field === 'data' ? dataValue(value, place, table) : textValue(value, place, table);
        if (ref !== undefined) refs.push(...refsBehindLeaf(ref));
        return [key, ref ?? value];
      }),
    );
  }
  const rest = Object.fromEntries(Object.entries(tree).filter(([key]) => !fields.some((field) => field === key)));
  const name = stringAt(tree, 'kind') ?? 'object';
  const kind = findTrace(name, table) === undefined ? name : 'object of its kind';
  if (!isSecret(tree) && allowed?.mayHoldSecrets(tree) === true) {
    const opened = closeTexts(rest, [], { object, table, kind, refs });
    return { tree: opened as ClosedObject, refs };
  }
  refuseIn(rest, [], { object, table, kind });
  return { tree: closed, refs };
}

/** A value under `stringData`: text, whatever it is made of. */
function textValue(value: string, place: Place, table: TokenTable): SecretRef | undefined {
  const pieces = compose(Buffer.from(value, 'utf8'), { table, place });
  return pieces === undefined ? undefined : composed(pieces, place, 'value', true);
}

/** A value under `data`: base64 of what is filled; a token in its own place stands for text that is base64 already. */
function dataValue(value: string, place: Place, table: TokenTable): SecretRef | undefined {
  // kustomize folds long base64 text.
  const packed = value.replace(/\s+/g, '');
  const entry = table.find(packed);
  if (entry !== undefined) return composed([{ kind: 'value', ref: entry.ref }], place, 'base64', false);
  // Of another build: no base64 that anybody has begins with the mark and has this length.
  if (/^soTTo[A-Za-z0-9]{43}$/.test(packed)) refuseTraces(packed, place, table, 'Secret');
  const raw = findRaw(value, table);
  if (raw !== undefined) throw joinedUnderData(raw, place);
  const bytes = Buffer.from(packed, 'base64');
  if (bytes.toString('base64') !== packed) {
    refuseTraces(value, place, table, 'Secret');
    return undefined;
  }
  const pieces = compose(bytes, { table, place });
  return pieces === undefined ? undefined : composed(pieces, place, 'value', false);
}

/** A token that stands in the text itself. Base64 of one never looks like that. */
function findRaw(text: string, table: TokenTable): TokenEntry | undefined {
  const [match] = text.matchAll(/soTTo[A-Za-z0-9]{43}/g);
  return match === undefined ? undefined : table.find(match[0]);
}

function composed(pieces: readonly Piece[], place: Place, form: LeafForm, mustBeText: boolean): SecretRef {
  const [first] = refsOf(pieces);
  if (first === undefined) throw new TypeError('a composed text without a secret');
  const text = pieces.map(describe).join('\n');
  return new ComposedRef(first, pieces, { text: sourceDigest('composed', form, text) }, { form, mustBeText, place });
}

/** Tells compositions apart by what they are made of: ciphertext and public text. */
function describe(piece: Piece): string {
  switch (piece.kind) {
    case 'literal':
      return `literal ${Buffer.from(piece.bytes).toString('hex')}`;
    case 'value':
      return `value ${sourceDigest(piece.ref.source.file, piece.ref.cipher.text)}`;
    case 'yaml':
      return `yaml ${piece.scalar.style} [${piece.scalar.written.map(describe).join(' ')}]`;
    case 'json':
      return `json [${piece.of.map(describe).join(' ')}]`;
    case 'base64':
      return `base64 ${piece.alphabet.letters} ${piece.alphabet.padded} [${piece.of.map(describe).join(' ')}]`;
    default:
      return piece satisfies never;
  }
}

function refsBehindLeaf(ref: SecretRef): readonly SecretRef[] {
  return ref instanceof ComposedRef ? refsOf(ref.pieces) : [ref];
}

interface Search {
  readonly object: string;
  readonly kind: string;
  readonly table: TokenTable;
}

/** Everything but the values of a Secret: names, labels, types, numbers, and all keys. */
function refuseIn(value: Json, path: readonly string[], search: Search): void {
  const place = { object: search.object, key: path.join('.') };
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') {
    refuseTraces(String(value), place, search.table, search.kind);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    value.forEach((item: Json, index) => refuseIn(item, [...path, String(index)], search));
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    refuseKey(key, path, search);
    refuseIn(item, [...path, key], search);
  }
}

/** An object that may hold secrets: in its strings, as text. */
function closeTexts(value: Json, path: readonly string[], search: Search & { readonly refs: SecretRef[] }): Closed {
  const place = { object: search.object, key: path.join('.') };
  if (typeof value === 'string' && (path[0] === 'data' || path[0] === 'spec')) {
    const pieces = compose(Buffer.from(value, 'utf8'), { table: search.table, place });
    if (pieces === undefined) return value;
    const ref = composed(pieces, place, 'text', true);
    search.refs.push(...refsBehindLeaf(ref));
    return ref;
  }
  if (typeof value !== 'object' || value === null) {
    refuseIn(value, path, search);
    return value;
  }
  if (Array.isArray(value)) {
    return value.map((item: Json, index) => closeTexts(item, [...path, String(index)], search));
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      refuseKey(key, path, search);
      return [key, closeTexts(item, [...path, key], search)];
    }),
  );
}

/** A key with a token in it is not named: tokens are not printed. */
function refuseKey(key: string, path: readonly string[], { object, table, kind }: Search): void {
  refuseTraces(key, { object, key: [...path, HIDDEN].join('.') }, table, kind);
}

function refuseTraces(text: string, place: Place, table: TokenTable, kind: string): void {
  const trace = findTrace(text, table);
  if (trace === undefined) return;
  throw trace.kind === 'whole' ? outsideSecret(trace.entry, kind, place) : unusableTrace(trace, place);
}

function joinedUnderData(entry: TokenEntry, place: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-045',
    what: 'a secret is joined with other text under data',
    why: 'data holds base64 text, and base64 texts that are joined are not the base64 of the joined values',
    next: 'put the entry under stringData',
    ...sourceOf(entry),
    ...place,
  });
}

/** `v1` and `Secret`, to the letter: a Secret of another group is an ordinary object. */
function isSecret(tree: JsonObject): boolean {
  return tree['apiVersion'] === 'v1' && tree['kind'] === 'Secret';
}

/** kustomize flattens lists, helm does not. */
function flattenList(value: Json): JsonObject[] {
  if (!isJsonObject(value)) return [];
  const isList = stringAt(value, 'kind')?.endsWith('List') === true && Array.isArray(value['items']);
  return isList ? arrayAt(value, 'items').flatMap(flattenList) : [value];
}

/** The parts of it that hold a token are not named. */
function nameOf(tree: JsonObject, table: TokenTable): string {
  const [group, kind, name] = [
    groupOf(stringAt(tree, 'apiVersion') ?? ''),
    stringAt(tree, 'kind') ?? '?',
    stringAt(tree, 'metadata', 'name') ?? '?',
  ].map((part) => (findTrace(part, table) === undefined ? part : HIDDEN));
  return displayObject({ group: group ?? '', kind: kind ?? '?', namespace: '', name: name ?? '?' });
}
