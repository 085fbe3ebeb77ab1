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
  | 'base64';

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
