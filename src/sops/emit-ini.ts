import { SottoError } from '../core/errors.ts';
import { ByteWriter } from './byte-writer.ts';
import type { EncType } from './enc.ts';
import { scientific } from './go-float.ts';
import { trimGoBytes } from './go-space.ts';
import { DEFAULT_SECTION } from './ini.ts';
import { isTrue, timeText, unknownForm, wholeNumber } from './plain-scalar.ts';

/** An INI file as sops holds it once it is opened: bytes, because values are in it. */
export interface ClearIniSection {
  readonly name: string;
  readonly comment: Uint8Array | undefined;
  readonly keys: readonly ClearIniKey[];
}

export interface ClearIniKey {
  readonly name: string;
  readonly value: Uint8Array;
  readonly comment: Uint8Array | undefined;
}

/** Quotes around a value. */
export type QuotesOf = (value: Uint8Array) => '' | '"""' | '`' | '"' | "'";

/** Of the keys of one section, with the blanks behind them. */
const MAX_ALIGNED_BYTES = 16 * 1024 * 1024;
const NEWLINE = 10;
const HASH = 35;
const SEMICOLON = 59;
const BACKTICK = 96;

/**
 * The text that sops writes: a comment above its key, equals signs below each other, an empty line between sections.
 * The caller wipes it. Throws SottoError for a comment over which sops falls.
 */
export function emitIni(
  sections: readonly ClearIniSection[],
  file: string,
  quotesOf: QuotesOf = stockQuotes,
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(4096);
  try {
    for (const [index, { name, comment, keys }] of sections.entries()) {
      if (comment !== undefined) writeComment(writer, comment, 'section', file);
      const hasHeader = index > 0 || name.toUpperCase() !== DEFAULT_SECTION;
      if (hasHeader) writer.text(`[${name}]\n`);
      else if (keys.length === 0) continue;
      emitKeys(writer, keys, quotesOf, file);
      if (index < sections.length - 1) writer.byte(NEWLINE);
    }
    return writer.take();
  } finally {
    writer.wipe();
  }
}

function emitKeys(writer: ByteWriter, keys: readonly ClearIniKey[], quotesOf: QuotesOf, file: string): void {
  const names = keys.map(({ name }) => quotedName(name));
  const width = names.reduce((widest, name) => Math.max(widest, Buffer.byteLength(name)), 0);
  // One long name widens every line.
  if (width * names.length > MAX_ALIGNED_BYTES) throw grows(file);
  for (const [index, { value, comment }] of keys.entries()) {
    if (comment !== undefined) writeComment(writer, comment, 'key', file);
    const name = names[index] ?? '';
    const quotes = quotesOf(value);
    writer.text(name).ascii(' '.repeat(width - Buffer.byteLength(name)));
    writer.ascii(` = ${quotes}`).bytes(value).ascii(quotes).byte(NEWLINE);
  }
}

export function quotedName(name: string): string {
  if (/["=:]/.test(name)) return `\`${name}\``;
  return name.includes('`') ? `"""${name}"""` : name;
}

/** The lines of one comment. */
export function emitComment(comment: Uint8Array, of: 'section' | 'key', file: string): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(comment.length + 4);
  writeComment(writer, comment, of, file);
  return writer.take();
}

function writeComment(writer: ByteWriter, comment: Uint8Array, of: 'section' | 'key', file: string): void {
  if (comment.length === 0) return;
  for (let start = 0; start <= comment.length; ) {
    const newline = comment.indexOf(NEWLINE, start);
    const end = newline === -1 ? comment.length : newline;
    const line = comment.subarray(start, end);
    if (line.length === 0) throw emptyCommentLine(file);
    const isMarked = line[0] === HASH || line[0] === SEMICOLON;
    writer.byte(isMarked ? (line[0] ?? SEMICOLON) : SEMICOLON).byte(32);
    if (isMarked) writer.bytes(trimGoBytes(line.subarray(1)));
    else writer.bytes(of === 'key' ? trimGoBytes(line) : line);
    writer.byte(NEWLINE);
    start = end + 1;
  }
}

/** As sops puts them, which does not always read back as the same value. */
export function stockQuotes(value: Uint8Array): ReturnType<QuotesOf> {
  if (value.includes(NEWLINE) || value.includes(BACKTICK)) return '"""';
  if (value.includes(HASH) || value.includes(SEMICOLON)) return '`';
  return trimGoBytes(value).length === value.length ? '' : '"';
}

/** The text of an opened value; only a file that came from another format has any but strings. */
export function iniValue(type: EncType, opened: Uint8Array, file: string): Uint8Array {
  switch (type) {
    case 'int':
      return wholeNumber(opened, file);
    case 'bool':
      return Buffer.from(isTrue(opened) ? 'true' : 'false');
    case 'time':
      return timeText(opened, file);
    case 'float':
      return floatText(opened, file);
    case 'str':
    case 'bytes':
    case 'comment':
      return opened;
    default:
      return type satisfies never;
  }
}

/** Never without a point or exponent, so that it is no integer. */
function floatText(opened: Uint8Array, file: string): Uint8Array {
  const text = scientific(opened, { smallest: -4, tooLarge: 6, special: ['+Inf', '-Inf', 'NaN'] });
  if (text === undefined) throw unknownForm(file, 'a number is not of the form in which sops holds it');
  const writer = new ByteWriter(text.length + 2);
  for (const byte of text) writer.byte(byte === 101 ? 69 : byte);
  if (text.every((byte) => byte === 45 || (byte >= 48 && byte <= 57))) writer.ascii('.0');
  if (text !== opened) text.fill(0);
  return writer.take();
}

function grows(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-043',
    what: 'an INI file cannot be written as sops writes it',
    why: `equals signs stand below each other, and with its longest key a section would take more than ${MAX_ALIGNED_BYTES} bytes`,
    next: 'shorten the longest key of the file, or encrypt the file as binary: sotto encrypt --input-type binary',
    file,
  });
}

function emptyCommentLine(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-041',
    what: 'a comment of an INI file cannot be written',
    why: 'it begins with a line that is empty but for its marker, over which sops fails when it decrypts the file',
    next: 'take the empty line out of the comment in the file in clear, and encrypt that again',
    file,
  });
}
