import type { Json, JsonObject } from './json.ts';
import { isJsonObject } from './json.ts';

/**
 * The closed representation: an object as it is in Git whose secret leaves are references. A reference says where
 * the ciphertext is and which key path it belongs to; it never holds a value. Only `open` makes them and only the
 * fill step of `apply` has them opened.
 */
export type Closed = null | boolean | number | bigint | string | SecretRef | readonly Closed[] | ClosedObject;
export interface ClosedObject {
  readonly [key: string]: Closed;
}

/** How the opened bytes become an entry of a Secret's `data`. */
export type LeafForm =
  /** The bytes are the value (`stringData`, a SealedSecret's item). */
  | 'value'
  /** The bytes are base64 text of the value (a `data` leaf of a SOPS file). */
  | 'base64'
  /** The bytes are a string of the object: outside a Secret, where settings allow it. */
  | 'text';

/** What a stage needs to know of the ciphertext behind a reference. The codec's own type extends it. */
export interface Ciphertext {
  /** Text as it stands in Git: `ENC[…]` or a base64 blob. Not secret. */
  readonly text: string;
  /** The type tag of a SOPS value (`str`, `int`, …); a SealedSecret's items have none. */
  readonly type?: string;
}

/** One encrypted document: `open` knows how its ciphertexts are opened. Compared by identity. */
export interface CipherSource {
  readonly format: 'sops' | 'sealed';
  readonly file: string;
}

export class SecretRef {
  readonly source: CipherSource;
  readonly cipher: Ciphertext;
  readonly form: LeafForm;
  /** 1-based line in `source.file`. */
  readonly line: number;

  constructor(source: CipherSource, cipher: Ciphertext, form: LeafForm, line: number) {
    this.source = source;
    this.cipher = cipher;
    this.form = form;
    this.line = line;
  }
}

/**
 * A part of a text that has secrets in it. What is literal was written by a renderer, which never had a value; whether
 * a value fits into its place is known only to the fill step, which sees it.
 */
export type Piece =
  | { readonly kind: 'literal'; readonly bytes: Uint8Array }
  /** The bytes of a value as they are. */
  | { readonly kind: 'value'; readonly ref: SecretRef }
  /** Inside of a string of a JSON text. */
  | { readonly kind: 'json'; readonly of: readonly Piece[] }
  /** A whole scalar of a YAML text. */
  | { readonly kind: 'yaml'; readonly scalar: YamlPiece }
  | { readonly kind: 'base64'; readonly of: readonly Piece[]; readonly alphabet: Base64Alphabet };

export interface Base64Alphabet {
  readonly letters: 'standard' | 'url';
  readonly padded: boolean;
}

export interface YamlPiece {
  /** How it stands in the text; what cannot be written like that is written in double quotes. */
  readonly style: 'plain' | 'single' | 'double' | 'literal' | 'folded' | 'comment';
  readonly inFlow: boolean;
  /** The text as it is written, values raw. */
  readonly written: readonly Piece[];
  /** What it means. */
  readonly meaning: readonly Piece[];
}

/** Where in the object a composed value stands: for errors of the fill step. */
export interface ComposedPlace {
  readonly object: string;
  readonly key: string;
}

/**
 * A leaf that is put together of text and values: `postgres://app:…@db`. It stands where a reference can stand; its
 * ciphertext is the list of what it is made of, so that two of them are equal when their texts are.
 */
export class ComposedRef extends SecretRef {
  readonly pieces: readonly Piece[];
  /** The result must be text: it came from `stringData`, or goes where no bytes can be. */
  readonly mustBeText: boolean;
  readonly place: ComposedPlace;

  constructor(first: SecretRef, pieces: readonly Piece[], cipher: Ciphertext, options: ComposedOptions) {
    super(first.source, cipher, options.form, first.line);
    this.pieces = pieces;
    this.mustBeText = options.mustBeText;
    this.place = options.place;
  }
}

export interface ComposedOptions {
  readonly form: LeafForm;
  readonly mustBeText: boolean;
  readonly place: ComposedPlace;
}

export function isClosedObject(value: Closed | undefined): value is ClosedObject {
  return isJsonObject(value) && !((value as unknown) instanceof SecretRef);
}

export interface PlacedRef {
  readonly path: readonly string[];
  readonly ref: SecretRef;
}

/** All references of a tree with the path at which each stands (list indices as decimal strings). */
export function secretRefs(tree: Closed, path: readonly string[] = []): PlacedRef[] {
  if (tree instanceof SecretRef) return [{ path, ref: tree }];
  if (typeof tree !== 'object' || tree === null) return [];
  if (Array.isArray(tree)) return tree.flatMap((item: Closed, index) => secretRefs(item, [...path, String(index)]));
  return Object.entries(tree as ClosedObject).flatMap(([key, value]) => secretRefs(value, [...path, key]));
}

/** True when a tree holds no reference, so that it can be printed. */
export function isOpenTree(tree: Closed): tree is Json {
  return secretRefs(tree).length === 0;
}

/** The tree with every reference replaced by a fixed mark: for display and digests of structure. */
export function withoutSecrets(tree: ClosedObject, mark: string): JsonObject {
  const walk = (value: Closed): Json => {
    if (value instanceof SecretRef) return mark;
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item: Closed) => walk(item));
    return Object.fromEntries(Object.entries(value as ClosedObject).map(([key, item]) => [key, walk(item)]));
  };
  return walk(tree) as JsonObject;
}
