import { type ErrorPlace, SottoError } from '../core/errors.ts';
import { isJsonObject, type Json, type JsonObject, memberAt } from '../core/json.ts';

/** Where a SealedSecret stands. */
export interface SealedPlace {
  readonly file: string;
  /** 1-based line at which the document starts. */
  readonly line: number;
  /** For an object that names none; the items are bound to it. */
  readonly namespace: string;
  /** The line of a key path, where the reader of the file knows it. */
  readonly lineAt?: (path: readonly string[]) => number | undefined;
}

/** Typed access to one document in which every surprise is an error with file, line and key. */
export class Reading {
  readonly #place: SealedPlace;
  readonly #object: string;

  constructor(place: SealedPlace, object: string) {
    this.#place = place;
    this.#object = object;
  }

  line(path: readonly string[]): number {
    return this.#place.lineAt?.(path) ?? this.#place.line;
  }

  at(path: readonly string[]): ErrorPlace {
    const key = path.length === 0 ? undefined : path.join('.');
    return { file: this.#place.file, line: this.line(path), key, object: this.#object };
  }

  wrongShape(path: readonly string[], why: string): SottoError {
    return new SottoError({
      code: 'SOTTO-SEAL-003',
      what: 'the SealedSecret has the wrong shape',
      why,
      next: 'correct the field, or take the file from an earlier commit',
      ...this.at(path),
    });
  }

  /** The mapping at a path; undefined when it is absent or null. */
  object(root: Json, path: readonly string[]): JsonObject | undefined {
    const found = memberAt(root, ...path) ?? null;
    if (found === null) return undefined;
    if (!isJsonObject(found)) throw this.wrongShape(path, `${path.join('.')} is not a mapping`);
    return found;
  }

  /** A mapping of texts, such as labels; empty when it is absent or null. */
  stringMap(root: Json, path: readonly string[]): Readonly<Record<string, string>> {
    const entries = Object.entries(this.object(root, path) ?? {}).map(([name, value]): [string, string] => {
      if (typeof value === 'string') return [name, value];
      throw this.wrongShape(
        [...path, name],
        'the value is not text: YAML reads unquoted numbers, true, yes and n otherwise',
      );
    });
    return Object.fromEntries(entries);
  }
}
