import { type Closed, type ClosedObject, ComposedRef, type PlacedRef, SecretRef, secretRefs } from '../core/closed.ts';
import { SottoError } from '../core/errors.ts';
import { type Json, stringifyJson } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { copySecret, type Sensitive } from '../core/sensitive.ts';
import { fileWord } from '../core/shell-word.ts';
import { ByteWriter } from '../sops/byte-writer.ts';
import { writeGoJsonBody } from '../sops/emit-json.ts';
import { base64Length, type BodyBuffer, isBase64Text, writeBase64 } from './body.ts';
import { composeText, referencesIn, type ValueOf } from './compose.ts';

/** Opens one reference; the caller wipes what it gets. */
export interface ValueOpener {
  open(ref: SecretRef): Promise<Sensitive>;
}

/**
 * The request body of one object. This is the only place where a value meets the object it belongs to: the bytes go
 * from the codec into the lane's buffer as base64, and everything else of them is wiped before this returns.
 * The caller sends the body in one write and wipes the lane.
 */
export async function fillBody(tree: ClosedObject, opener: ValueOpener, lane: BodyBuffer): Promise<Uint8Array> {
  const refs = secretRefs(tree);
  if (refs.length === 0) return Buffer.from(stringifyJson(tree as Json), 'utf8');
  const values = new Map<SecretRef, Sensitive>();
  const fillings: Filling[] = [];
  try {
    for (const { ref } of refs) {
      for (const each of ref instanceof ComposedRef ? referencesIn(ref.pieces) : [ref]) {
        if (!values.has(each)) values.set(each, await opener.open(each));
      }
    }
    const valueOf = (ref: SecretRef): Uint8Array => {
      const value = values.get(ref);
      if (value === undefined) throw new TypeError('a reference was not opened');
      return value.reveal();
    };
    for (const placed of refs) fillings.push(fillingOf(placed, valueOf));
    return assemble(skeleton(tree), fillings, lane);
  } finally {
    for (const value of values.values()) value.wipe();
    for (const { bytes, isOwned } of fillings) if (isOwned) bytes.fill(0);
  }
}

/** What goes between two pieces of JSON text. */
interface Filling {
  readonly bytes: Uint8Array;
  readonly form: SecretRef['form'];
  /** A composed text, in memory of its own. */
  readonly isOwned: boolean;
}

function fillingOf(placed: PlacedRef, valueOf: ValueOf): Filling {
  const { ref } = placed;
  const isOwned = ref instanceof ComposedRef;
  const bytes = isOwned ? composeText(ref, valueOf) : valueOf(ref);
  if (ref.form === 'base64' && !isBase64Text(bytes)) {
    if (isOwned) bytes.fill(0);
    throw notBase64(placed);
  }
  if (ref.form !== 'text') return { bytes, form: ref.form, isOwned };
  const writer = new ByteWriter(bytes.length + 16);
  writeGoJsonBody(bytes, writer);
  if (isOwned) bytes.fill(0);
  return { bytes: writer.take(), form: ref.form, isOwned: true };
}

/** The JSON text between the values: n + 1 pieces for n references, in the order of `secretRefs`. */
function skeleton(tree: ClosedObject): string[] {
  const pieces = [''];
  const add = (text: string): void => {
    pieces[pieces.length - 1] += text;
  };
  const walk = (value: Closed): void => {
    if (value instanceof SecretRef) {
      add('"');
      pieces.push('"');
      return;
    }
    if (typeof value !== 'object' || value === null) return add(stringifyJson(value));
    const isList = Array.isArray(value);
    const items: [string, Closed][] = isList
      ? value.map((item: Closed): [string, Closed] => ['', item])
      : Object.entries(value as ClosedObject).map(([key, item]): [string, Closed] => [`${JSON.stringify(key)}:`, item]);
    add(isList ? '[' : '{');
    items.forEach(([prefix, item], index) => {
      add(index === 0 ? prefix : `,${prefix}`);
      walk(item);
    });
    add(isList ? ']' : '}');
  };
  walk(tree);
  return pieces;
}

function assemble(pieces: readonly string[], fillings: readonly Filling[], lane: BodyBuffer): Uint8Array {
  const text = pieces.map((piece) => Buffer.from(piece, 'utf8'));
  const textBytes = text.reduce((sum, piece) => sum + piece.length, 0);
  const valueBytes = fillings.reduce((sum, { bytes, form }) => sum + encodedLength(bytes, form), 0);
  const length = textBytes + valueBytes;
  if (length > LIMITS.maxObjectBytes) throw tooLarge(length);
  const body = lane.take(length);
  let at = 0;
  text.forEach((piece, index) => {
    body.set(piece, at);
    at += piece.length;
    const filling = fillings[index];
    if (filling !== undefined) at = writeValue(filling, body, at);
  });
  return at === length ? body : body.subarray(0, at);
}

function encodedLength(bytes: Uint8Array, form: SecretRef['form']): number {
  return form === 'value' ? base64Length(bytes.length) : bytes.length;
}

function writeValue({ bytes, form }: Filling, body: Uint8Array, offset: number): number {
  if (form === 'value') return writeBase64(bytes, body, offset);
  if (form === 'text') {
    copySecret(bytes, body, offset);
    return offset + bytes.length;
  }
  let at = offset;
  for (const byte of bytes) {
    // Line breaks are legal in base64 text but not inside a JSON string.
    if (byte === 0x0a || byte === 0x0d) continue;
    body[at] = byte;
    at += 1;
  }
  return at;
}

function notBase64({ path, ref }: PlacedRef): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-011',
    what: 'a value under data is not base64',
    why: 'data holds base64 text; plain text belongs under stringData',
    next: `sops edit ${fileWord(ref.source.file)}   (move the entry to stringData, or encode it)`,
    file: ref.source.file,
    line: ref.line,
    key: path.join('.'),
  });
}

function tooLarge(length: number): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-013',
    what: `the object is too large (${length} bytes)`,
    why: `the API server takes at most ${LIMITS.maxObjectBytes} bytes for one object`,
    next: 'split the object',
  });
}
