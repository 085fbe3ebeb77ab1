import type { YamlComment } from './tree.ts';

/**
 * What stands between the tokens of a document, which the event reader does not tell: comments, the header of a
 * block scalar, the closing bracket of a flow collection. Tokens are handed in in the order of the text.
 */
export class Gaps {
  readonly comments: YamlComment[] = [];
  readonly #text: string;
  #tokenEnd: number;
  /** The first `#` at or after the last token; kept so that a text without comments is searched once. */
  #nextHash: number;

  constructor(text: string, start: number) {
    this.#text = text;
    this.#tokenEnd = start;
    this.#nextHash = this.#indexOfHash(start);
  }

  /** Offset behind the last token. */
  get tokenEnd(): number {
    return this.#tokenEnd;
  }

  token(start: number, end: number): void {
    this.#collectComments(start);
    this.#tokenEnd = Math.max(this.#tokenEnd, end);
  }

  rest(end: number): void {
    this.#collectComments(end);
  }

  closing(bracket: '}' | ']'): void {
    const at = this.#find(this.#tokenEnd, this.#text.length, (char) => char === bracket);
    this.token(at, at + 1);
  }

  /** The `|` or `>` whose value starts at `valueStart`. */
  blockHeader(from: number | undefined, valueStart: number): number {
    const start = Math.max(from ?? 0, this.#tokenEnd);
    const at = this.#find(start, valueStart, (char) => char === '|' || char === '>');
    this.#collectComments(at);
    this.#tokenEnd = Math.max(this.#tokenEnd, at);
    // A comment behind the header is the last thing in this gap.
    this.#collectComments(valueStart);
    return at;
  }

  /** First character that fits, comments left out. Only indicators and blanks stand in a gap, and directives. */
  #find(from: number, to: number, fits: (char: string) => boolean): number {
    let at = from;
    while (at < to) {
      const char = this.#text.charAt(at);
      if (this.#isComment(at) || (char === '%' && this.#isLineStart(at))) at = this.#lineEnd(at);
      else if (fits(char)) return at;
      else at += 1;
    }
    return Math.min(at, to);
  }

  #collectComments(to: number): void {
    let at = this.#tokenEnd;
    while (at < to) {
      if (this.#nextHash < at) this.#nextHash = this.#indexOfHash(at);
      at = this.#nextHash;
      if (at >= to) return;
      const end = this.#lineEnd(at);
      if (this.#isComment(at)) this.#addComment({ start: at, end });
      at = this.#isComment(at) ? end : at + 1;
    }
  }

  #addComment(comment: YamlComment): void {
    const last = this.comments.at(-1);
    if (last === undefined || comment.start > last.start) this.comments.push(comment);
  }

  #isComment(at: number): boolean {
    if (this.#text.charCodeAt(at) !== 35) return false;
    const before = at === 0 ? 32 : this.#text.charCodeAt(at - 1);
    return before === 32 || before === 9 || before === 10 || before === 13 || before === 0xfeff;
  }

  #isLineStart(at: number): boolean {
    return at === 0 || this.#text.charCodeAt(at - 1) === 10 || this.#text.charCodeAt(at - 1) === 13;
  }

  #lineEnd(from: number): number {
    let at = from;
    while (at < this.#text.length) {
      const char = this.#text.charCodeAt(at);
      if (char === 10 || char === 13) return at;
      at += 1;
    }
    return at;
  }

  #indexOfHash(from: number): number {
    const at = this.#text.indexOf('#', from);
    return at === -1 ? this.#text.length : at;
  }
}
