import type { Code } from './codes.ts';

/** Where something went wrong: a place in a file (1-based line), a key inside it, an object, or several of them. */
export interface ErrorPlace {
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly key?: string | undefined;
  /** As a person types it: `apps/Deployment/web`. */
  readonly object?: string | undefined;
}

export interface ErrorText extends ErrorPlace {
  readonly code: Code;
  /** What did not happen, as a sentence without a full stop. Never a secret value, never text from a server about a Secret. */
  readonly what: string;
  readonly why: string;
  /** The exact next command or edit. */
  readonly next: string;
}

export interface ErrorJson extends ErrorPlace {
  readonly code: Code;
  readonly message: string;
  readonly next: string;
}

/**
 * The one error a person may see. It is made where the knowledge is, carries a code with a page
 * (`sotto errors CODE`) and never a value. Everything else that is thrown is a defect of sotto.
 */
export class SottoError extends Error {
  readonly code: Code;
  readonly what: string;
  readonly why: string;
  readonly next: string;
  readonly place: ErrorPlace;

  constructor(text: ErrorText, options?: { cause?: unknown }) {
    super(`${text.code}: ${text.what}`, options);
    this.name = 'SottoError';
    this.code = text.code;
    this.what = text.what;
    this.why = text.why;
    this.next = text.next;
    this.place = { file: text.file, line: text.line, key: text.key, object: text.object };
  }

  /** The same error with more of its place known: inner layers know the line, outer ones the file or object. */
  at(place: ErrorPlace): SottoError {
    return new SottoError(
      {
        code: this.code,
        what: this.what,
        why: this.why,
        next: this.next,
        file: this.place.file ?? place.file,
        line: this.place.line ?? place.line,
        key: this.place.key ?? place.key,
        object: this.place.object ?? place.object,
      },
      { cause: this.cause },
    );
  }

  /** `code: what (where) — why — next`, the one text form. */
  text(): string {
    const where = formatPlace(this.place);
    return `${this.code}: ${this.what}${where === '' ? '' : ` (${where})`} — ${this.why} — ${this.next}`;
  }

  toJSON(): ErrorJson {
    return { code: this.code, message: `${this.what}: ${this.why}`, ...this.place, next: this.next };
  }
}

/** `deploy/db.yaml:12, key data.password, Secret/db`. */
export function formatPlace(place: ErrorPlace): string {
  const file = place.file === undefined ? [] : [place.line === undefined ? place.file : `${place.file}:${place.line}`];
  const line = place.file === undefined && place.line !== undefined ? [`line ${place.line}`] : [];
  const key = place.key === undefined ? [] : [`key ${place.key}`];
  const object = place.object === undefined ? [] : [place.object];
  return [...file, ...line, ...key, ...object].join(', ');
}

/** Narrow an unknown catch value; anything that is not ours is rethrown, because it is a defect and not a report. */
export function asSottoError(thrown: unknown): SottoError {
  if (thrown instanceof SottoError) return thrown;
  throw thrown;
}
