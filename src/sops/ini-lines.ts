import { SottoError } from '../core/errors.ts';

export interface IniLine {
  /** With its line break. */
  readonly text: string;
  /** 1-based. */
  readonly line: number;
  readonly start: number;
  readonly end: number;
}

/** The lines of an INI file one after the other: values run over several. A byte order mark is passed over. */
export class IniLines {
  readonly #text: string;
  #at: number;
  #line = 0;
  #atEnd = false;

  constructor(text: string) {
    this.#text = text;
    this.#at = text.startsWith('\uFEFF') ? 1 : 0;
  }

  /** Where the next line starts. */
  get at(): number {
    return this.#at;
  }

  /** The last line was read: the one without a line break, be it an empty one. */
  get atEnd(): boolean {
    return this.#atEnd;
  }

  next(): IniLine {
    const start = this.#at;
    const newline = this.#text.indexOf('\n', start);
    if (newline === -1) this.#atEnd = true;
    this.#at = newline === -1 ? this.#text.length : newline + 1;
    this.#line += 1;
    return { text: this.#text.slice(start, this.#at), line: this.#line, start, end: this.#at };
  }
}

/** A line that sops would not read. */
export function unreadable(file: string, line: number, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-040',
    what: 'a line of an INI file is not readable',
    why,
    next: 'mend the line; sops does not read it either',
    file,
    line,
  });
}
