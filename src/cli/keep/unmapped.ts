import { SottoError } from '../../core/errors.ts';

/** The change has no one place in a file that it could be put into. */
export function unmapped(object: string, why: string, file?: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-201',
    what: 'the change cannot be mapped back to a file',
    why,
    next: 'put it in by hand; what there is to put in stands on standard output',
    object,
    file,
  });
}

/** Of a Secret nothing is printed. */
export function secretUnmapped(object: string, why: string, next: string, file?: string): SottoError {
  return new SottoError({ code: 'SOTTO-CLI-202', what: 'the Secret cannot be kept', why, next, object, file });
}
