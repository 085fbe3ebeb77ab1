import { SottoError } from '../core/errors.ts';

/** sops reads `1 t T TRUE true True` as true. */
export function isTrue(bytes: Uint8Array): boolean {
  return bytes[0] === 49 || bytes[0] === 84 || bytes[0] === 116;
}

/** The digits of an integer, if that is what they are: the type a file gives a value is vouched for by nobody. */
export function wholeNumber(bytes: Uint8Array, file: string): Uint8Array {
  const digits = bytes[0] === 45 ? bytes.subarray(1) : bytes;
  const isWhole = digits.length > 0 && digits.every((byte) => byte >= 48 && byte <= 57);
  if (isWhole && (digits.length === 1 || digits[0] !== 48)) return bytes;
  throw unknownForm(file, 'a number is not of the form in which sops holds it');
}

/** A time as sops holds it: RFC 3339. */
export function timeText(bytes: Uint8Array, file: string): Uint8Array {
  const isTime = bytes.length >= 20 && bytes.every((byte) => '0123456789-:.TZ+'.includes(String.fromCharCode(byte)));
  if (isTime) return bytes;
  throw unknownForm(file, 'a time is not of the form in which sops holds it');
}

export function unknownForm(file: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-021',
    what: 'a decrypted file cannot be written as sops writes it',
    why,
    next: 'change that in the file with sops edit, or encrypt the file as binary: sops encrypt --input-type binary',
    file,
  });
}
