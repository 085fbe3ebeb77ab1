import { ByteWriter } from './byte-writer.ts';
import { scientific } from './go-float.ts';
import { scalarTraits, styleOf, writeInline, writeLiteral } from './go-scalar.ts';
import { isTrue, timeText, unknownForm, wholeNumber } from './plain-scalar.ts';
import type { PlainMap, PlainNode, PlainScalar, PlainSeq } from './plain-tree.ts';
import { isUtf8 } from './utf8.ts';

/** What sops indents by when nobody tells it otherwise. */
const INDENT = 4;
/** Longer keys are written in a form of their own. */
const MAX_KEY_BYTES = 128;

/**
 * Documents as `sops -d` writes them as YAML, byte by byte. Throws SottoError for what has a form that is not known
 * here. The caller wipes the result.
 */
export function emitYaml(documents: readonly PlainMap[], file: string): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(4096);
  try {
    documents.forEach((document, index) => {
      if (index > 0) writer.ascii('---\n');
      if (document.entries.length > 0) writeMap(document, 0, { writer, file }, false);
      else if (document.trailing.length > 0) throw unknownForm(file, 'a document holds nothing but comments');
      else writer.ascii('{}\n');
    });
    return writer.take();
  } finally {
    writer.wipe();
  }
}

interface Emitter {
  readonly writer: ByteWriter;
  readonly file: string;
}

/** `started`: the first entry goes on behind a dash. */
function writeMap(map: PlainMap, column: number, emitter: Emitter, started: boolean): void {
  const { writer, file } = emitter;
  map.entries.forEach(({ key, value, comments, inline }, index) => {
    if (index > 0 || !started) {
      writeComments(comments, column, emitter);
      blanks(writer, column);
    }
    if (scalarTraits(key).multiline) throw unknownForm(file, 'a key has several lines');
    const isLong = key.length > MAX_KEY_BYTES;
    if (isLong) writer.ascii('? ');
    const style = styleOf(key, { inFlow: false, isKey: true });
    writeInline(key, style === 'literal' ? 'double' : style, writer);
    if (isLong) blanks(writer.byte(10), column);
    writer.byte(58);
    if (isLong && value.kind !== 'scalar' && !isEmptyCollection(value)) {
      writeBehindColon(value, column, inline, emitter);
      return;
    }
    writeValue(value, { column, deeper: nextLevel(column), inline }, emitter);
  });
  writeComments(map.trailing, column, emitter);
}

/** The collection of a long key starts on the line of the colon. */
function writeBehindColon(
  value: PlainMap | PlainSeq,
  column: number,
  inline: readonly Uint8Array[],
  emitter: Emitter,
): void {
  if (inline.length > 0 || leadOf(value).length > 0)
    throw unknownForm(emitter.file, 'a comment stands behind a long key');
  const deeper = nextLevel(column);
  blanks(emitter.writer, deeper - column - 1);
  if (value.kind === 'map') writeMap(value, deeper, emitter, true);
  else writeSeq(value, deeper, emitter, true);
}

function writeSeq(seq: PlainSeq, column: number, emitter: Emitter, started: boolean): void {
  const { writer } = emitter;
  seq.items.forEach(({ value, comments, inline }, index) => {
    if (index > 0 || !started) {
      writeComments([...comments, ...leadOf(value)], column, emitter);
      blanks(writer, column);
    }
    writer.byte(45);
    const isEmpty = value.kind !== 'scalar' && isEmptyCollection(value);
    if (value.kind === 'scalar' || isEmpty) {
      writeValue(value, { column, deeper: column + 2, inline }, emitter);
      return;
    }
    if (inline.length > 0) throw unknownForm(emitter.file, 'a comment stands beside a dash');
    writer.byte(32);
    if (value.kind === 'map') writeMap(value, column + 2, emitter, true);
    else writeSeq(value, column + 2, emitter, true);
  });
  const last = seq.items.at(-1);
  if (seq.trailing.length > 0 && last?.value.kind !== 'scalar') {
    throw unknownForm(emitter.file, 'a comment stands at the end of a list');
  }
  writeComments(seq.trailing, column, emitter);
}

/** The comments before the first entry of an element go above its dash. */
function leadOf(value: PlainNode): readonly Uint8Array[] {
  if (value.kind === 'scalar') return [];
  const first = value.kind === 'map' ? value.entries[0] : value.items[0];
  if (first === undefined) return [];
  return [...first.comments, ...leadOf(value.kind === 'map' ? EMPTY : first.value)];
}

const EMPTY: PlainNode = { kind: 'seq', items: [], trailing: [] };

interface ValuePlace {
  /** Of the entry. */
  readonly column: number;
  /** Where what belongs to the value stands. */
  readonly deeper: number;
  readonly inline: readonly Uint8Array[];
}

function writeValue(value: PlainNode, place: ValuePlace, emitter: Emitter): void {
  const { writer, file } = emitter;
  if (place.inline.length > 1) throw unknownForm(file, 'several comments stand beside one value');
  const [comment] = place.inline;
  if (value.kind !== 'scalar' && !isEmptyCollection(value)) {
    if (comment !== undefined) throw unknownForm(file, 'a comment stands beside a key');
    writer.byte(10);
    if (value.kind === 'map') writeMap(value, place.deeper, emitter, false);
    else writeSeq(value, place.deeper, emitter, false);
    return;
  }
  writer.byte(32);
  if (value.kind === 'scalar') {
    if (writeScalar(value, place.deeper, comment, emitter)) return;
  } else {
    if (value.trailing.length > 0) throw unknownForm(file, 'a collection holds nothing but comments');
    writer.ascii(value.kind === 'map' ? '{}' : '[]');
  }
  if (comment !== undefined) writer.ascii(' #').bytes(comment);
  writer.byte(10);
}

function isEmptyCollection(value: PlainMap | PlainSeq): boolean {
  return value.kind === 'map' ? value.entries.length === 0 : value.items.length === 0;
}

/** True when the line has ended with it: a block scalar does that. */
function writeScalar(scalar: PlainScalar, column: number, comment: Uint8Array | undefined, emitter: Emitter): boolean {
  const { writer, file } = emitter;
  const { bytes, type } = scalar;
  if (type !== 'str') {
    writer.bytes(bareText(scalar, file));
    return false;
  }
  if (!isUtf8(bytes)) throw unknownForm(file, 'a value is not UTF-8 text');
  if (scalarTraits(bytes).oddBreaks && styleOf(bytes, BLOCK_VALUE) !== 'double') {
    throw unknownForm(file, 'a value holds a line separator of Unicode');
  }
  const style = styleOf(bytes, BLOCK_VALUE);
  if (style !== 'literal') {
    writeInline(bytes, style, writer);
    return false;
  }
  // sops itself makes null of it.
  if (bytes[0] === 9) throw unknownForm(file, 'a value of several lines starts with a tab, and sops would lose it');
  writeLiteral(bytes, writer, { column, indent: INDENT, comment });
  return true;
}

const BLOCK_VALUE = { inFlow: false, isKey: false } as const;

function bareText({ bytes, type }: PlainScalar, file: string): Uint8Array {
  switch (type) {
    case 'null':
      return Buffer.from('null');
    case 'bool':
      return Buffer.from(isTrue(bytes) ? 'true' : 'false');
    case 'float': {
      const text = scientific(bytes, { smallest: -4, tooLarge: 6, special: ['.inf', '-.inf', '.nan'] });
      if (text !== undefined) return text;
      throw unknownForm(file, 'a number is not of the form in which sops holds it');
    }
    case 'int':
      return wholeNumber(bytes, file);
    case 'time':
      return timeText(bytes, file);
    case 'str':
      return bytes;
    default:
      return type satisfies never;
  }
}

function writeComments(comments: readonly Uint8Array[], column: number, { writer, file }: Emitter): void {
  for (const comment of comments) {
    if (comment.some((byte) => byte === 10 || byte === 13)) throw unknownForm(file, 'a comment holds a line break');
    blanks(writer, column);
    writer.byte(35).bytes(comment).byte(10);
  }
}

function blanks(writer: ByteWriter, count: number): void {
  for (let at = 0; at < count; at += 1) writer.byte(32);
}

function nextLevel(column: number): number {
  return INDENT * Math.floor((column + INDENT) / INDENT);
}
