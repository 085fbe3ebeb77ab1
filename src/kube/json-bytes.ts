/**
 * Finding places in JSON text that is kept as bytes, because a value in it must never become a JavaScript string
 * (spec/memory.md, R1). Structure is only followed, not checked: whoever uses it blanks what is secret and gives the
 * rest to JSON.parse, which refuses what is not JSON.
 */

/** Half-open range of bytes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface MemberSpan {
  /** Quotes included. */
  readonly key: Span;
  readonly value: Span;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Members of the object that starts at or after `at`, in order; nothing when the value there is no object. */
export function* objectMembers(bytes: Uint8Array, at: number): Generator<MemberSpan> {
  let position = skipSpace(bytes, at);
  if (bytes[position] !== OPEN_BRACE) return;
  position = skipSpace(bytes, position + 1);
  while (bytes[position] !== CLOSE_BRACE) {
    if (bytes[position] !== QUOTE) throw notJson(position);
    const key = { start: position, end: endOfString(bytes, position) };
    const colon = skipSpace(bytes, key.end);
    if (bytes[colon] !== COLON) throw notJson(colon);
    const value = valueSpan(bytes, colon + 1);
    yield { key, value };
    position = nextItem(bytes, value.end, CLOSE_BRACE);
  }
}

/** Items of the array that starts at or after `at`; nothing when the value there is no array. */
export function* arrayItems(bytes: Uint8Array, at: number): Generator<Span> {
  let position = skipSpace(bytes, at);
  if (bytes[position] !== OPEN_BRACKET) return;
  position = skipSpace(bytes, position + 1);
  while (bytes[position] !== CLOSE_BRACKET) {
    const value = valueSpan(bytes, position);
    yield value;
    position = nextItem(bytes, value.end, CLOSE_BRACKET);
  }
}

/** The value that starts at or after `at`, without the white space around it. */
export function valueSpan(bytes: Uint8Array, at: number): Span {
  const start = skipSpace(bytes, at);
  const first = bytes[start];
  if (first === undefined) throw notJson(start);
  if (first === QUOTE) return { start, end: endOfString(bytes, start) };
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return { start, end: endOfNested(bytes, start) };
  return { start, end: endOfScalar(bytes, start) };
}

/** The text of a JSON string that is not secret: a key, a name. */
export function stringAtSpan(bytes: Uint8Array, span: Span): string {
  const text: unknown = JSON.parse(
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8', span.start, span.end),
  );
  if (typeof text !== 'string') throw notJson(span.start);
  return text;
}

export function isStringSpan(bytes: Uint8Array, span: Span): boolean {
  return bytes[span.start] === QUOTE;
}

/** Overwrites the content of every string in the span with `x`, so that the text stays JSON of the same length. */
export function blankStrings(bytes: Uint8Array, span: Span): void {
  let position = span.start;
  while (position < span.end) {
    if (bytes[position] !== QUOTE) {
      position += 1;
      continue;
    }
    const end = endOfString(bytes, position);
    bytes.fill(0x78, position + 1, end - 1);
    position = end;
  }
}

function endOfString(bytes: Uint8Array, quote: number): number {
  let position = quote + 1;
  while (position < bytes.length) {
    const byte = bytes[position];
    if (byte === QUOTE) return position + 1;
    position += byte === BACKSLASH ? 2 : 1;
  }
  throw notJson(position);
}

// A counter and no recursion: the depth is the sender's choice.
function endOfNested(bytes: Uint8Array, open: number): number {
  let depth = 0;
  let position = open;
  while (position < bytes.length) {
    const byte = bytes[position];
    if (byte === QUOTE) {
      position = endOfString(bytes, position);
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
    if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1;
    position += 1;
    if (depth === 0) return position;
  }
  throw notJson(position);
}

function endOfScalar(bytes: Uint8Array, start: number): number {
  let position = start;
  while (position < bytes.length && !endsScalar(bytes[position])) position += 1;
  if (position === start) throw notJson(start);
  return position;
}

function endsScalar(byte: number | undefined): boolean {
  return byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte === COLON || isSpace(byte);
}

function nextItem(bytes: Uint8Array, at: number, close: number): number {
  const position = skipSpace(bytes, at);
  if (bytes[position] === close) return position;
  if (bytes[position] !== COMMA) throw notJson(position);
  const next = skipSpace(bytes, position + 1);
  if (bytes[next] === close) throw notJson(next);
  return next;
}

function skipSpace(bytes: Uint8Array, at: number): number {
  let position = at;
  while (isSpace(bytes[position])) position += 1;
  return position;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function notJson(position: number): SyntaxError {
  return new SyntaxError(`not JSON at byte ${position}`);
}
