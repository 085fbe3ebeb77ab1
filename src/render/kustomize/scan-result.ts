import type { SottoError } from '../../core/errors.ts';
import type { Encryption } from './encryption.ts';

/**
 * What a file is to the build. It decides how secrets in it are closed (by leaf, as a whole, by line), so a file
 * with secrets has one role only.
 */
export type Role =
  | 'kustomization'
  /** Resources, patches, replacements: each encrypted leaf on its own. */
  | 'document'
  /** A value of a generated object: the file as a whole. */
  | 'generator-file'
  /** `envs` of a generator: line by line. */
  | 'env-file'
  /** Configuration of a builtin generator or transformer. */
  | 'plugin'
  /** `configurations`, `crds`, `openapi`, targets of ValueAddTransformer: nothing of them gets into an object. */
  | 'config';

/** Where something is asked for. */
export interface Place {
  readonly file: string;
  readonly line: number | undefined;
  /** Undefined for a document as a whole. */
  readonly key: string | undefined;
}

export interface ReachableFile {
  /** From the root of the repository. */
  readonly path: string;
  readonly role: Role;
  readonly encryption: Encryption;
  readonly places: readonly Place[];
}

/** Something of a Secret that stands in clear in Git: the caller's plaintext rule decides. */
export interface PlaintextSource extends Place {
  readonly what: 'literal' | 'file' | 'env-file' | 'manifest';
}

/** A document that stands inside of another file as text. */
export interface InlineDocument extends Place {
  readonly what: 'patch' | 'plugin';
  readonly text: string;
}

export interface ScanResult {
  /** Folder of the root kustomization. */
  readonly root: string;
  /** Sorted by path. */
  readonly files: readonly ReachableFile[];
  /**
   * Kustomizations and plugin configurations as the scan has read them. They are built from these and not from their
   * own text: two YAML readers that differ could otherwise see two different lists of files.
   */
  readonly rewritten: ReadonlyMap<string, Uint8Array>;
  readonly plaintext: readonly PlaintextSource[];
  readonly inline: readonly InlineDocument[];
  readonly origins: readonly Origin[];
}

/** An object as a file says it, before patches, prefixes and suffixes: where people look for it. */
export interface Origin {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly file: string;
  readonly line: number | undefined;
}

/** Files that must be looked at before more can be told. */
export interface Unread {
  readonly ok: 'later';
  readonly unread: readonly string[];
}

export type Scanned =
  | { readonly ok: true; readonly result: ScanResult }
  /** At least one. */
  | { readonly ok: false; readonly refusals: readonly SottoError[] };
