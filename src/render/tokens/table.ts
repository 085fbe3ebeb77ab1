import type { SecretRef } from '../../core/closed.ts';
import { TOKEN_LENGTH, type Token, type TokenPlace } from './token.ts';

/** What a token stands for, and how its bytes are got again. Never the value. */
export interface TokenEntry {
  readonly token: Token;
  readonly ref: SecretRef;
  readonly role: TokenPlace['role'];
  readonly file: string;
  readonly line: number;
  /** Key path or name of the variable; undefined for a file as a whole. */
  readonly key: string | undefined;
}

/** Characters in a row that give a token away when it is not whole. */
export const PIECE_LENGTH = 8;

/** Together a few megabytes while a tree is accounted for, and nothing after it. */
const MAX_CLEAR_LENGTH = 128;
const MAX_CLEAR_TEXTS = 20_000;

/** The tokens issued for one tree, and nothing else: only these are ever filled. */
export class TokenTable {
  readonly #entries = new Map<string, TokenEntry>();
  /** Lower-case pieces of all tokens. */
  readonly #pieces = new Map<string, TokenEntry>();
  /** Short texts that were searched: keys and names come again with every object. */
  readonly #clear = new Set<string>();

  constructor(entries: readonly TokenEntry[]) {
    for (const entry of entries) {
      // Equal tokens stand for equal values: any of them will do.
      if (this.#entries.has(entry.token)) continue;
      this.#entries.set(entry.token, entry);
      const small = entry.token.toLowerCase();
      for (let at = 0; at + PIECE_LENGTH <= TOKEN_LENGTH; at += 1) {
        this.#pieces.set(small.slice(at, at + PIECE_LENGTH), entry);
      }
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  entries(): IterableIterator<TokenEntry> {
    return this.#entries.values();
  }

  find(token: string): TokenEntry | undefined {
    return this.#entries.get(token);
  }

  /** Whether the text was searched for traces of these tokens before, and had none. */
  isClear(text: string): boolean {
    return this.#clear.has(text);
  }

  noteClear(text: string): void {
    if (text.length <= MAX_CLEAR_LENGTH && this.#clear.size < MAX_CLEAR_TEXTS) this.#clear.add(text);
  }

  /** Of `PIECE_LENGTH` characters in lower case. */
  findPiece(piece: string): TokenEntry | undefined {
    return this.#pieces.get(piece);
  }
}
