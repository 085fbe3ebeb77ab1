/** The parts of an encrypted scalar, still base64 (spec/sops.md, section 1). */
export interface Enc {
  readonly data: string;
  readonly iv: string;
  readonly tag: string;
  readonly type: EncType;
}

export const ENC_TYPES = ['str', 'int', 'float', 'bool', 'bytes', 'time', 'comment'] as const;
export type EncType = (typeof ENC_TYPES)[number];

export const ENC_START = 'ENC[AES256_GCM,data:';

/** GCM tag length in bytes. */
export const TAG_BYTES = 16;

/**
 * The parts, or undefined for text that is not of the form. Reads what sops reads: anchored at the start only, so
 * text behind the last `]` of the first line is ignored; done from the back, as the greedy groups of sops match, and
 * without a regular expression that could be made to backtrack.
 */
export function parseEnc(text: string): Enc | undefined {
  if (!text.startsWith(ENC_START)) return undefined;
  const newline = text.indexOf('\n');
  const line = newline === -1 ? text : text.slice(0, newline);
  const end = line.lastIndexOf(']');
  const type = line.lastIndexOf(',type:', end);
  const tag = line.lastIndexOf(',tag:', type - 1);
  const iv = line.lastIndexOf(',iv:', tag - 1);
  if (end === -1 || type === -1 || tag === -1 || iv < ENC_START.length) return undefined;
  const typeName = ENC_TYPES.find((name) => name === line.slice(type + 6, end));
  const enc = {
    data: line.slice(ENC_START.length, iv),
    iv: line.slice(iv + 4, tag),
    tag: line.slice(tag + 5, type),
  };
  if (typeName === undefined || !isBase64(enc.data) || !isBase64(enc.iv) || !isBase64(enc.tag)) return undefined;
  return byteLength(enc.tag) === TAG_BYTES ? { ...enc, type: typeName } : undefined;
}

export function formatEnc(enc: Enc): string {
  return `${ENC_START}${enc.data},iv:${enc.iv},tag:${enc.tag},type:${enc.type}]`;
}

/** Standard base64 with its padding, at least one byte. `Buffer.from` would skip over anything else. */
export function isBase64(text: string): boolean {
  return text.length > 0 && text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text);
}

/** Bytes that a base64 text decodes to. */
export function byteLength(base64: string): number {
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
  return (base64.length / 4) * 3 - padding;
}
