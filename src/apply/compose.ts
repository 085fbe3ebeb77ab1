import type { Base64Alphabet, ComposedRef, Piece, SecretRef, YamlPiece } from '../core/closed.ts';
import { SottoError } from '../core/errors.ts';
import { ByteWriter } from '../sops/byte-writer.ts';
import { writeGoJsonBody } from '../sops/emit-json.ts';
import { isText, scalarTraits, writeInline } from '../sops/go-scalar.ts';
import { isUtf8 } from '../sops/utf8.ts';
import { base64Length, writeBase64 } from './body.ts';

/** The bytes of an opened reference: not a copy, and wiped by who opened it. */
export type ValueOf = (ref: SecretRef) => Uint8Array;

/**
 * A composed text with its values in it, in memory that the caller wipes. Whether a value fits into the text around it
 * is decided here, where it is seen, and only by its bytes. Throws SottoError.
 */
export function composeText(ref: ComposedRef, valueOf: ValueOf): Uint8Array<ArrayBuffer> {
  const bytes = joined(ref.pieces, { ref, valueOf });
  if (!ref.mustBeText || isUtf8(bytes)) return bytes;
  bytes.fill(0);
  throw notText(ref);
}

/** What a text is composed of, each reference once. */
export function referencesIn(pieces: readonly Piece[]): SecretRef[] {
  const found = new Set<SecretRef>();
  const walk = (list: readonly Piece[]): void => {
    for (const piece of list) {
      if (piece.kind === 'value') found.add(piece.ref);
      else if (piece.kind === 'yaml') walk(piece.scalar.meaning);
      else if (piece.kind !== 'literal') walk(piece.of);
    }
  };
  walk(pieces);
  return [...found];
}

interface Context {
  readonly ref: ComposedRef;
  readonly valueOf: ValueOf;
}

function joined(pieces: readonly Piece[], context: Context): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(256);
  try {
    for (const piece of pieces) write(piece, writer, context);
    return writer.take();
  } finally {
    writer.wipe();
  }
}

function write(piece: Piece, writer: ByteWriter, context: Context): void {
  switch (piece.kind) {
    case 'literal':
      writer.bytes(piece.bytes);
      return;
    case 'value':
      writer.bytes(context.valueOf(piece.ref));
      return;
    case 'json':
      return wiping(joined(piece.of, context), (inner) => {
        if (!isUtf8(inner)) throw notText(context.ref);
        writeGoJsonBody(inner, writer);
      });
    case 'base64':
      return wiping(joined(piece.of, context), (inner) => writeBase64Text(inner, piece.alphabet, writer));
    case 'yaml':
      return writeYaml(piece.scalar, writer, context);
    default:
      return piece satisfies never;
  }
}

function wiping(bytes: Uint8Array, use: (bytes: Uint8Array) => void): void {
  try {
    use(bytes);
  } finally {
    bytes.fill(0);
  }
}

function writeBase64Text(bytes: Uint8Array, { letters, padded }: Base64Alphabet, writer: ByteWriter): void {
  const text = Buffer.from(new ArrayBuffer(base64Length(bytes.length)));
  try {
    writeBase64(bytes, text, 0);
    for (const byte of text) {
      if (byte === 61 && !padded) continue;
      writer.byte(letters === 'standard' ? byte : byte === 43 ? 45 : byte === 47 ? 95 : byte);
    }
  } finally {
    text.fill(0);
  }
}

/** As it stands in the text where that means the same, else in double quotes. */
function writeYaml(scalar: YamlPiece, writer: ByteWriter, context: Context): void {
  const written = joined(scalar.written, context);
  const meaning = joined(scalar.meaning, context);
  try {
    if (!isUtf8(meaning)) throw notText(context.ref);
    if (scalar.style === 'comment') {
      if (written.includes(10) || written.includes(13)) throw inComment(context.ref);
      writer.bytes(written);
      return;
    }
    if (meansTheSame(scalar, meaning, context)) {
      writer.bytes(written);
      return;
    }
    writeInline(meaning, 'double', writer);
    if (endsLine(scalar)) writer.byte(10);
  } finally {
    written.fill(0);
    meaning.fill(0);
  }
}

/** A block scalar ends with its line. */
function endsLine({ style, written }: YamlPiece): boolean {
  const last = written.at(-1);
  const isBlock = style === 'literal' || style === 'folded';
  return isBlock && (last?.kind !== 'literal' || last.bytes.at(-1) === 10);
}

function meansTheSame(scalar: YamlPiece, meaning: Uint8Array, context: Context): boolean {
  const { style, inFlow } = scalar;
  if (style === 'plain') {
    const { plainInFlow, plainInBlock } = scalarTraits(meaning);
    return isText(meaning) && (inFlow ? plainInFlow : plainInBlock);
  }
  const isFolded = scalar.written.some((piece) => piece.kind === 'literal' && piece.bytes.includes(10));
  return scalar.written.every((piece) => {
    if (piece.kind === 'literal') return true;
    const value = joined([piece], context);
    try {
      return fitsQuotes(value, style) && (!isFolded || !hasOuterBlank(value));
    } finally {
      value.fill(0);
    }
  });
}

function fitsQuotes(value: Uint8Array, style: YamlPiece['style']): boolean {
  const traits = scalarTraits(value);
  if (value.length === 0 || traits.multiline || !traits.single) return false;
  if (style === 'single') return !value.includes(39);
  return style !== 'double' || (!value.includes(34) && !value.includes(92));
}

function hasOuterBlank(value: Uint8Array): boolean {
  return value[0] === 32 || value.at(-1) === 32;
}

function placeOf({ source, line, place }: ComposedRef) {
  return { file: source.file, line, object: place.object, key: place.key };
}

function notText(ref: ComposedRef): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-046',
    what: 'a secret that is not text stands where text belongs',
    why: 'its bytes are not UTF-8, which can be a whole entry under data of a Secret and nothing else',
    next: 'put the file under files of a secretGenerator, as an entry of its own',
    ...placeOf(ref),
  });
}

function inComment(ref: ComposedRef): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-047',
    what: 'a secret does not fit into the text around it',
    why: 'it has several lines and stands in a comment of a YAML text',
    next: 'remove the comment',
    ...placeOf(ref),
  });
}
