import {
  type CipherSource,
  type Closed,
  type ClosedObject,
  ComposedRef,
  type LeafForm,
  type Piece,
  SecretRef,
  secretRefs,
  type YamlPiece,
} from '../core/closed.ts';
import { isJsonObject, type Json, type JsonObject, parseJson, stringifyJson } from '../core/json.ts';
import type { Scope } from '../sealed/scope.ts';
import { type SealedItem, type SealedObject, unreadSealed } from '../sealed/sealed-secret.ts';
import { parseEnc } from '../sops/enc.ts';
import { SopsLeaf } from '../sops/leaf.ts';
import type { WholeFormat } from '../sops/scalar.ts';
import { SopsEnvLine, SopsWhole } from '../sops/whole.ts';
import type { SopsSource } from './opener.ts';
import { WholeEntry } from './whole-secret.ts';

/**
 * Closed objects as data, with the ciphertext that their references need, so that they can be opened without the files
 * they came from. Equal references stay one: what is opened once is not opened twice.
 */
export interface StoredTrees {
  readonly sources: readonly StoredSource[];
  /** Files that are one secret as a whole. */
  readonly wholes: readonly StoredWhole[];
  readonly refs: readonly StoredRef[];
  readonly trees: readonly StoredTree[];
}

type StoredSource =
  | { readonly format: 'sops'; readonly file: string; readonly metadata: SopsSource['metadata'] }
  | {
      readonly format: 'sealed';
      readonly file: string;
      readonly line: number;
      readonly scope: Scope;
      readonly namespace: string;
      readonly name: string;
    };

interface StoredWhole {
  readonly text: string;
  readonly format: WholeFormat;
  readonly file: string;
}

interface StoredRef {
  readonly source: number;
  readonly form: LeafForm;
  readonly line: number;
  readonly cipher: StoredCipher;
}

type StoredCipher =
  | {
      readonly kind: 'leaf';
      readonly text: string;
      readonly path: readonly string[];
      readonly place: readonly string[];
      readonly line: number;
    }
  | { readonly kind: 'whole'; readonly whole: number }
  | { readonly kind: 'line'; readonly whole: number; readonly key: string; readonly index: number }
  | { readonly kind: 'item'; readonly item: SealedItem };

/** JSON text of the tree, because whole numbers are exact there. It has null where `leaves` says what belongs there. */
interface StoredTree {
  readonly text: string;
  readonly leaves: readonly { readonly path: readonly string[]; readonly leaf: number | StoredComposed }[];
}

interface StoredComposed {
  readonly source: number;
  readonly line: number;
  readonly form: LeafForm;
  readonly text: string;
  readonly mustBeText: boolean;
  readonly place: ComposedRef['place'];
  readonly pieces: readonly StoredPiece[];
}

type StoredPiece =
  | { readonly kind: 'literal'; readonly base64: string }
  | { readonly kind: 'value'; readonly ref: number }
  | { readonly kind: 'json'; readonly of: readonly StoredPiece[] }
  | {
      readonly kind: 'yaml';
      readonly style: YamlPiece['style'];
      readonly inFlow: boolean;
      readonly written: readonly StoredPiece[];
      readonly meaning: readonly StoredPiece[];
    }
  | {
      readonly kind: 'base64';
      readonly of: readonly StoredPiece[];
      readonly alphabet: Extract<Piece, { kind: 'base64' }>['alphabet'];
    };

/** Things in the order in which they were met first, each once. */
class Table<Thing, Stored> {
  readonly #places = new Map<Thing, number>();
  readonly stored: Stored[] = [];
  readonly #store: (thing: Thing) => Stored;

  constructor(store: (thing: Thing) => Stored) {
    this.#store = store;
  }

  place(thing: Thing): number {
    const known = this.#places.get(thing);
    if (known !== undefined) return known;
    const stored = this.#store(thing);
    this.#places.set(thing, this.stored.length);
    this.stored.push(stored);
    return this.stored.length - 1;
  }
}

/**
 * Whether an object says nothing that was learned by opening it. Of a Secret that was sealed as a whole, names, labels
 * and annotations were.
 */
export function isStorable(tree: ClosedObject): boolean {
  return !secretRefs(tree).some(({ ref }) => ref.cipher instanceof WholeEntry);
}

/** Same trees, same data. Throws TypeError for what is not storable. */
export function storeTrees(trees: readonly ClosedObject[]): StoredTrees {
  const sources = new Table<CipherSource, StoredSource>(storedSource);
  const wholes = new Table<SopsWhole, StoredWhole>(({ text, format, file }) => ({ text, format, file }));
  const refs = new Table<SecretRef, StoredRef>((ref) => ({
    source: sources.place(ref.source),
    form: ref.form,
    line: ref.line,
    cipher: storedCipher(ref, wholes),
  }));
  const leafOf = (ref: SecretRef): number | StoredComposed => {
    if (!(ref instanceof ComposedRef)) return refs.place(ref);
    const { line, form, mustBeText, place, pieces, cipher } = ref;
    const of = pieces.map((piece) => storedPiece(piece, refs));
    return { source: sources.place(ref.source), line, form, text: cipher.text, mustBeText, place, pieces: of };
  };
  const stored = trees.map((tree) => ({
    text: stringifyJson(withNulls(tree)),
    leaves: secretRefs(tree).map(({ path, ref }) => ({ path, leaf: leafOf(ref) })),
  }));
  return { sources: sources.stored, wholes: wholes.stored, refs: refs.stored, trees: stored };
}

function storedSource(source: CipherSource): StoredSource {
  if (isSealed(source)) {
    const { file, line, scope, namespace, name } = source;
    return { format: 'sealed', file, line, scope, namespace, name };
  }
  if (!isSops(source)) throw new TypeError(`unknown source ${source.format}`);
  return { format: 'sops', file: source.file, metadata: source.metadata };
}

function storedCipher({ cipher, source }: SecretRef, wholes: Table<SopsWhole, StoredWhole>): StoredCipher {
  if (cipher instanceof SopsLeaf) {
    const { text, path, place, line } = cipher;
    return { kind: 'leaf', text, path, place, line };
  }
  if (cipher instanceof SopsWhole) return { kind: 'whole', whole: wholes.place(cipher) };
  if (cipher instanceof SopsEnvLine) {
    const { whole, key, index } = cipher;
    return { kind: 'line', whole: wholes.place(whole), key, index };
  }
  if (!isSealed(source) || !isItem(cipher)) throw new TypeError('unknown ciphertext');
  const { key, text, line } = cipher;
  return { kind: 'item', item: { key, text, line } };
}

function storedPiece(piece: Piece, refs: Table<SecretRef, StoredRef>): StoredPiece {
  const all = (of: readonly Piece[]): StoredPiece[] => of.map((each) => storedPiece(each, refs));
  switch (piece.kind) {
    case 'literal':
      return { kind: 'literal', base64: Buffer.from(piece.bytes).toString('base64') };
    case 'value':
      return { kind: 'value', ref: refs.place(piece.ref) };
    case 'json':
      return { kind: 'json', of: all(piece.of) };
    case 'yaml': {
      const { style, inFlow, written, meaning } = piece.scalar;
      return { kind: 'yaml', style, inFlow, written: all(written), meaning: all(meaning) };
    }
    case 'base64':
      return { kind: 'base64', of: all(piece.of), alphabet: piece.alphabet };
    default:
      return piece satisfies never;
  }
}

/** The trees again. Only for what a key of ours vouches for: it is not checked, and defects throw TypeError. */
export function restoreTrees({ sources, wholes, refs, trees }: StoredTrees): ClosedObject[] {
  const allSources = sources.map(restoredSource);
  const allWholes = wholes.map(({ text, format, file }) => new SopsWhole(text, format, file));
  const sourceAt = (at: number): CipherSource => present(allSources[at]);
  const allRefs = refs.map(({ source, form, line, cipher }) => {
    return new SecretRef(sourceAt(source), restoredCipher(cipher, allWholes), form, line);
  });
  const refAt = (at: number): SecretRef => present(allRefs[at]);
  const restored = (leaf: number | StoredComposed): SecretRef => {
    if (typeof leaf === 'number') return refAt(leaf);
    const { source, line, form, text, mustBeText, place, pieces } = leaf;
    const of = pieces.map((piece) => restoredPiece(piece, refAt));
    const first = new SecretRef(sourceAt(source), { text }, form, line);
    return new ComposedRef(first, of, { text }, { form, mustBeText, place });
  };
  return trees.map(({ text, leaves }) => {
    const tree = parseJson(text);
    if (!isJsonObject(tree)) throw new TypeError('a stored object is none');
    const at = new Map(leaves.map(({ path, leaf }) => [JSON.stringify(path), restored(leaf)]));
    return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, withLeaves(value, [key], at)]));
  });
}

function restoredSource(stored: StoredSource): SopsSource | SealedObject {
  if (stored.format === 'sops') return stored;
  const { file, line, ...binding } = stored;
  return unreadSealed({ file, line }, binding);
}

function restoredCipher(cipher: StoredCipher, wholes: readonly SopsWhole[]) {
  switch (cipher.kind) {
    case 'leaf': {
      const { text, path, place, line } = cipher;
      return new SopsLeaf({ text, enc: present(parseEnc(text)), path, line }, place);
    }
    case 'whole':
      return present(wholes[cipher.whole]);
    case 'line':
      return new SopsEnvLine(present(wholes[cipher.whole]), cipher.key, cipher.index);
    case 'item':
      return cipher.item;
    default:
      return cipher satisfies never;
  }
}

function restoredPiece(piece: StoredPiece, refAt: (at: number) => SecretRef): Piece {
  const all = (of: readonly StoredPiece[]): Piece[] => of.map((each) => restoredPiece(each, refAt));
  switch (piece.kind) {
    case 'literal':
      return { kind: 'literal', bytes: Buffer.from(piece.base64, 'base64') };
    case 'value':
      return { kind: 'value', ref: refAt(piece.ref) };
    case 'json':
      return { kind: 'json', of: all(piece.of) };
    case 'yaml': {
      const { style, inFlow, written, meaning } = piece;
      return { kind: 'yaml', scalar: { style, inFlow, written: all(written), meaning: all(meaning) } };
    }
    case 'base64':
      return { kind: 'base64', of: all(piece.of), alphabet: piece.alphabet };
    default:
      return piece satisfies never;
  }
}

function withNulls(tree: ClosedObject): JsonObject {
  const walk = (value: Closed): Json => {
    if (value instanceof SecretRef) return null;
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item: Closed) => walk(item));
    return withNulls(value as ClosedObject);
  };
  return Object.fromEntries(Object.entries(tree).map(([key, item]) => [key, walk(item)]));
}

function withLeaves(value: Json, path: readonly string[], leaves: ReadonlyMap<string, SecretRef>): Closed {
  if (value === null) return leaves.size === 0 ? null : (leaves.get(JSON.stringify(path)) ?? null);
  if (typeof value !== 'object') return value;
  if (Array.isArray(value)) {
    return value.map((item: Json, index) => withLeaves(item, [...path, String(index)], leaves));
  }
  return Object.fromEntries(
    Object.entries(value as JsonObject).map(([key, item]) => [key, withLeaves(item, [...path, key], leaves)]),
  );
}

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new TypeError('a stored object refers to nothing');
  return value;
}

function isSops(source: CipherSource): source is SopsSource {
  return source.format === 'sops';
}

function isSealed(source: CipherSource): source is SealedObject {
  return source.format === 'sealed';
}

function isItem(cipher: SecretRef['cipher']): cipher is SealedItem {
  return 'key' in cipher && 'line' in cipher;
}
