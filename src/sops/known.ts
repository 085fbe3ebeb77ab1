import { hash, randomBytes } from 'node:crypto';

/** An encrypted value or comment of a file that is to be written anew. */
export interface KnownEntry {
  /** Of its start in the file: equal ones are taken in this order. */
  readonly at: number;
  /** What is put in its place when it did not change: `ENC[…]` with its quotes, or the text of a comment in clear. */
  readonly token: string;
  /** Digests under which it is found. */
  readonly keys: readonly string[];
  used: boolean;
}

/**
 * What a file held before a change, so that what stayed keeps its ciphertext, nonce included, as sops does. Values are
 * known by salted digests only. Never share one between files or data keys: a nonce belongs to one of both.
 */
export class KnownEntries {
  readonly #salt = randomBytes(32);
  readonly #entries: KnownEntry[] = [];
  #found: Map<string, Queue> | undefined;

  /** A digest of a kind of content at a path. */
  keyOf(kind: 'source' | 'comment' | `value ${string}`, path: readonly string[], content: Uint8Array): string {
    const head = Buffer.from(`${kind}\0${path.length}\0${path.join('\0')}\0`);
    const bytes = Buffer.concat([this.#salt, head, content]);
    const digest = hash('sha256', bytes, 'base64');
    bytes.fill(0);
    return digest;
  }

  add(at: number, token: string, keys: readonly string[]): void {
    this.#entries.push({ at, token, keys, used: false });
  }

  /** Makes everything takeable again: for another attempt at the same file. */
  reset(): void {
    for (const entry of this.#entries) entry.used = false;
    for (const queue of this.#found?.values() ?? []) queue.next = 0;
  }

  /** The token of the first entry under one of the keys that was not taken yet: two equal values keep two nonces. */
  take(keys: readonly string[]): string | undefined {
    this.#found ??= indexed(this.#entries);
    for (const key of keys) {
      const entry = firstUnused(this.#found.get(key));
      if (entry === undefined) continue;
      entry.used = true;
      return entry.token;
    }
    return undefined;
  }
}

/** Entries under one key. */
interface Queue {
  readonly entries: KnownEntry[];
  /** All before it are used. */
  next: number;
}

function firstUnused(queue: Queue | undefined): KnownEntry | undefined {
  if (queue === undefined) return undefined;
  while (queue.entries[queue.next]?.used === true) queue.next += 1;
  return queue.entries[queue.next];
}

function indexed(entries: readonly KnownEntry[]): Map<string, Queue> {
  const found = new Map<string, Queue>();
  for (const entry of entries.toSorted((a, b) => a.at - b.at)) {
    for (const key of entry.keys) {
      const queue = found.get(key);
      if (queue === undefined) found.set(key, { entries: [entry], next: 0 });
      else queue.entries.push(entry);
    }
  }
  return found;
}

/** The text of a scalar as it stands in a file, without the line breaks that end a block. */
export function sourceOf(text: string): Uint8Array {
  return Buffer.from(text.replace(/[\r\n]+$/, ''), 'utf8');
}
