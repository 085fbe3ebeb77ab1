import { SottoError } from '../../core/errors.ts';
import type { TokenEntry } from './table.ts';
import type { Trace } from './traces.ts';

/** Where in a rendered object something was found. */
export interface Place {
  readonly object: string;
  readonly key: string;
}

/** A trace where no secret may be, or where it cannot be filled. */
export function unusableTrace(trace: Trace, place: Place): SottoError {
  switch (trace.kind) {
    case 'whole':
      return new SottoError({
        code: 'SOTTO-RENDER-047',
        what: 'a secret does not fit into the text around it',
        why: 'it stands there in a form that cannot be written again with the value in it',
        next: 'give the secret an entry of its own, and let the program put the text together',
        ...sourceOf(trace.entry),
        ...place,
      });
    case 'piece':
      return new SottoError({
        code: 'SOTTO-RENDER-043',
        what: 'a secret came out of the renderer changed',
        why: 'a piece of its placeholder was found, or the whole of it in another case',
        next: 'remove what cuts or changes the value (a delimiter, a function), and store the value as it is to be used',
        ...(trace.entry === undefined ? {} : sourceOf(trace.entry)),
        ...place,
      });
    case 'unknown':
      return new SottoError({
        code: 'SOTTO-RENDER-044',
        what: 'a text looks like a placeholder but is none',
        why: 'it has the form of those that stand for secrets, but this render has none like it',
        next: 'remove the text',
        ...place,
      });
    default:
      return trace satisfies never;
  }
}

export function outsideSecret(entry: TokenEntry, kind: string, place: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-006',
    what: 'an encrypted value stands outside a Secret',
    why: `the value${nameOf(entry)} would be readable for everybody who may read a ${kind}`,
    next: 'keep the value in a Secret and refer to it, or leave it unencrypted if it is no secret',
    ...sourceOf(entry),
    ...place,
  });
}

function nameOf(entry: TokenEntry): string {
  return entry.key === undefined ? ` of ${entry.file}` : ` of ${entry.key}`;
}

export function sourceOf(entry: TokenEntry): { readonly file: string; readonly line: number } {
  return { file: entry.file, line: entry.line };
}
