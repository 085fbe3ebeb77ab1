/** A code point read from bytes: never through a string, because the bytes may be a secret. */
export interface CodePoint {
  readonly code: number;
  readonly length: number;
}

/** The code point at an offset; undefined where the bytes are not UTF-8. */
export function codePointAt(bytes: Uint8Array, at: number): CodePoint | undefined {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return { code: first, length: 1 };
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > bytes.length) return undefined;
  let code = first & (0x7f >> length);
  for (let next = at + 1; next < at + length; next += 1) {
    const byte = bytes[next] ?? 0;
    if ((byte & 0xc0) !== 0x80) return undefined;
    code = (code << 6) | (byte & 0x3f);
  }
  const smallest = length === 4 ? 0x10000 : length === 3 ? 0x800 : 0x80;
  const isSurrogate = code >= 0xd800 && code <= 0xdfff;
  return code < smallest || code > 0x10ffff || isSurrogate ? undefined : { code, length };
}

/** Characters that YAML lets stand unescaped, line breaks left out. */
export function isPrintable(code: number): boolean {
  if (code === 9 || (code >= 0x20 && code <= 0x7e)) return true;
  if (code < 0xa0 || code === 0x2028 || code === 0x2029 || code === 0xfeff) return false;
  return (code & 0xfffe) !== 0xfffe;
}

export function isUtf8(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; ) {
    const point = codePointAt(bytes, at);
    if (point === undefined) return false;
    at += point.length;
  }
  return true;
}
