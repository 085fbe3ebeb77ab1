import { type Closed, type ClosedObject, type PlacedRef, SecretRef, secretRefs } from '../core/closed.ts';
import { SottoError } from '../core/errors.ts';
import { type Json, stringifyJson } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import type { Sensitive } from '../core/sensitive.ts';
import { base64Length, type BodyBuffer, isBase64Text, writeBase64 } from './body.ts';

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
  const values: { value: Sensitive; placed: PlacedRef }[] = [];
  try {
    for (const placed of refs) {
      const value = await opener.open(placed.ref);
      values.push({ value, placed });
      if (placed.ref.form === 'base64' && !isBase64Text(value.reveal())) throw notBase64(placed);
    }
    return assemble(
      skeleton(tree),
      values.map(({ value, placed }) => ({ value, form: placed.ref.form })),
      lane,
    );
  } finally {
    for (const { value } of values) value.wipe();
  }
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

interface Filling {
  readonly value: Sensitive;
  readonly form: SecretRef['form'];
}

function assemble(pieces: readonly string[], fillings: readonly Filling[], lane: BodyBuffer): Uint8Array {
  const text = pieces.map((piece) => Buffer.from(piece, 'utf8'));
  const textBytes = text.reduce((sum, piece) => sum + piece.length, 0);
  const valueBytes = fillings.reduce((sum, { value, form }) => sum + encodedLength(value, form), 0);
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

function encodedLength(value: Sensitive, form: SecretRef['form']): number {
  return form === 'value' ? base64Length(value.length) : value.length;
}

function writeValue({ value, form }: Filling, body: Uint8Array, offset: number): number {
  const bytes = value.reveal();
  if (form === 'value') return writeBase64(bytes, body, offset);
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
    next: `sops edit ${ref.source.file}   (move the entry to stringData, or encode it)`,
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
