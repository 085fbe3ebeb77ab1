import type { LeafForm } from '../../core/closed.ts';
import { ownedBytes, Sensitive } from '../../core/sensitive.ts';
import { decodeBase64 } from '../../kube/base64-bytes.ts';

/** A value as its Pods get it, so that it is the same one under `data` and `stringData`. Takes it over; the caller wipes the result. */
export function bareValue(value: Sensitive, form: LeafForm): Sensitive {
  if (form !== 'base64') return value;
  const bytes = value.reveal();
  const digits = ownedBytes(bytes.length);
  let length = 0;
  for (const byte of bytes) {
    if (byte === 0x0a || byte === 0x0d) continue;
    digits[length] = byte;
    length += 1;
  }
  const decoded = decodeBase64(digits, 0, length);
  digits.fill(0);
  if (decoded === undefined) return value;
  value.wipe();
  return Sensitive.adopt(decoded);
}
