import type { Sensitive } from '../core/sensitive.ts';

/** What is known of a Secret without reading it. */
export interface SecretMark {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** When the Secret was made (RFC 3339), where it was read. */
  readonly createdAt?: string | undefined;
}

/** A Secret that was read, because it is for keys or credentials. Whoever read it wipes the entries. */
export interface KeySecret extends SecretMark {
  /** `Opaque`, `kubernetes.io/tls`, … */
  readonly type: string;
  readonly resourceVersion: string;
  /** Decoded entries of `data` by name. */
  readonly entries: ReadonlyMap<string, Sensitive>;
}

export function wipeEntries(secret: KeySecret): void {
  for (const value of secret.entries.values()) value.wipe();
}

/** The value of a label or annotation; names such as `constructor` are only what the Secret itself says. */
export function markOf(marks: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(marks, name) ? marks[name] : undefined;
}

/**
 * The bytes of an entry, for the parsers of keys and credentials. The one place of this room that opens a Sensitive:
 * do not keep the bytes, they are wiped with the entry.
 */
export function entryBytes(secret: KeySecret, entry: string): Uint8Array | undefined {
  return secret.entries.get(entry)?.reveal();
}
