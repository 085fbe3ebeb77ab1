import { isStringSpan, objectMembers, stringAtSpan } from '../kube/json-bytes.ts';

/** Named texts of a credential file. They are secret, and so they stay bytes. */
export type Fields = ReadonlyMap<string, Uint8Array>;

const [SPACE, QUOTE, SINGLE, HASH, BACKSLASH, OPEN_BRACE] = [0x20, 0x22, 0x27, 0x23, 0x5c, 0x7b];
const MAX_LINES = 1000;

/** A JSON object of texts, or flat YAML: a name, a colon and a text on every line. Undefined for anything else. */
export function fieldsOf(bytes: Uint8Array): Fields | undefined {
  const text = trimmed(bytes);
  return text[0] === OPEN_BRACE ? fieldsOfJson(text) : fieldsOfLines(linesOf(text), ':');
}

/** Members that are no texts are left out; texts are as JSON writes them, backslashes and all. */
export function fieldsOfJson(bytes: Uint8Array): Fields | undefined {
  try {
    const fields = new Map<string, Uint8Array>();
    for (const { key, value } of objectMembers(bytes, 0)) {
      if (isStringSpan(bytes, value))
        fields.set(stringAtSpan(bytes, key), bytes.subarray(value.start + 1, value.end - 1));
    }
    return fields;
  } catch {
    return undefined;
  }
}

/** A section of an INI file such as those of the `aws` program; undefined when there is none of that name. */
export function fieldsOfSection(bytes: Uint8Array, section: string): Fields | undefined {
  const lines = linesOf(bytes);
  const start = lines.findIndex((line) => isHeader(line) && headerOf(line) === section);
  if (start === -1) return undefined;
  const length = lines.slice(start + 1).findIndex(isHeader);
  return fieldsOfLines(lines.slice(start + 1, length === -1 ? undefined : start + 1 + length), '=');
}

function isHeader(line: Uint8Array): boolean {
  return line[0] === 0x5b;
}

function headerOf(line: Uint8Array): string {
  return Buffer.from(line).toString('latin1').slice(1).replace(/\].*$/, '').trim();
}

function fieldsOfLines(lines: readonly Uint8Array[], separator: ':' | '='): Fields | undefined {
  const fields = new Map<string, Uint8Array>();
  for (const line of lines) {
    if (line.length === 0 || line[0] === HASH || isMark(line)) continue;
    const end = line.indexOf(separator.charCodeAt(0));
    const name = Buffer.from(line.subarray(0, Math.max(end, 0))).toString('latin1');
    const value = end === -1 ? undefined : scalarOf(trimmed(line.subarray(end + 1)));
    // What is not understood may be anything, a secret too: nothing of it is told.
    if (value === undefined || !/^"?[\w-]+"?\s*$/.test(name)) return undefined;
    fields.set(name.replaceAll('"', '').trim(), value);
  }
  return fields;
}

/** `---` */
function isMark(line: Uint8Array): boolean {
  return line.length === 3 && line.every((byte) => byte === 0x2d);
}

function scalarOf(text: Uint8Array): Uint8Array | undefined {
  const first = text[0] ?? 0;
  if (first === QUOTE || first === SINGLE) {
    const inner = text.subarray(1, -1);
    const isWhole = text.length > 1 && text.at(-1) === first && !inner.includes(first) && !inner.includes(BACKSLASH);
    return isWhole ? inner : undefined;
  }
  // Anchors, tags, blocks and collections of YAML.
  if ('|>&*!{[%@`'.includes(String.fromCharCode(first || SPACE))) return undefined;
  const comment = text.findIndex((byte, at) => byte === HASH && text[at - 1] === SPACE);
  return comment === -1 ? text : trimmed(text.subarray(0, comment));
}

/** Blanks before a line are kept where they say that it belongs to another. */
function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let start = 0; start < bytes.length && lines.length < MAX_LINES; ) {
    const found = bytes.indexOf(0x0a, start);
    const end = found === -1 ? bytes.length : found;
    const line = bytes.subarray(start, end);
    lines.push(line[0] === SPACE && trimmed(line).length > 0 ? line : trimmed(line));
    start = end + 1;
  }
  return lines;
}

/** Without blanks around it: files end in a line break. */
export function trimmed(bytes: Uint8Array): Uint8Array {
  let [start, end] = [0, bytes.length];
  while (start < end && (bytes[start] ?? 0) <= 32) start += 1;
  while (end > start && (bytes[end - 1] ?? 0) <= 32) end -= 1;
  return bytes.subarray(start, end);
}
