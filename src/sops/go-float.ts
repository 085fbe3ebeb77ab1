import { ByteWriter } from './byte-writer.ts';
import { equals, without } from './go-resolve.ts';

interface FloatForm {
  /** Exponents below this, and from `tooLarge` on, are written out. */
  readonly smallest: number;
  readonly tooLarge: number;
  readonly special: readonly [infinite: string, negative: string, none: string] | undefined;
}

/**
 * A float in the fixed notation in which sops holds it, as Go writes it with the fewest digits; undefined for bytes
 * that are not such a number. From bytes to bytes: a number can be a secret.
 */
export function scientific(fixed: Uint8Array, form: FloatForm): Uint8Array | undefined {
  const special = ['+Inf', '-Inf', 'NaN'].findIndex((word) => equals(fixed, word));
  if (special !== -1) return form.special === undefined ? undefined : Buffer.from(form.special[special] ?? '');
  const negative = fixed[0] === 45;
  const body = negative ? fixed.subarray(1) : fixed;
  const point = body.indexOf(46);
  const whole = point === -1 ? body : body.subarray(0, point);
  const digits = without(body, 46);
  try {
    if (whole.length === 0 || point === body.length - 1 || digits.some((byte) => byte < 48 || byte > 57))
      return undefined;
    let first = 0;
    while (first < digits.length - 1 && digits[first] === 48) first += 1;
    let last = digits.length;
    while (last > first + 1 && digits[last - 1] === 48) last -= 1;
    const exponent = digits[first] === 48 ? 0 : whole.length - 1 - first;
    if (exponent >= form.smallest && exponent < form.tooLarge) return fixed;
    const writer = new ByteWriter(fixed.length + 8);
    if (negative) writer.byte(45);
    writer.byte(digits[first] ?? 48);
    if (last > first + 1) writer.byte(46).bytes(digits.subarray(first + 1, last));
    const size = String(Math.abs(exponent));
    writer.ascii(`e${exponent < 0 ? '-' : '+'}`).ascii(form.special === undefined ? size : size.padStart(2, '0'));
    return writer.take();
  } finally {
    digits.fill(0);
  }
}
