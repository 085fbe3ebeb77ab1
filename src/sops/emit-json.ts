import { ByteWriter } from './byte-writer.ts';
import { isTrue, unknownForm, wholeNumber } from './plain-scalar.ts';
import { scientific } from './go-float.ts';
import type { PlainMap, PlainNode, PlainScalar } from './plain-tree.ts';
import { codePointAt } from './utf8.ts';

/** A document as `sops -d` writes it as JSON: tabs, and the escapes of Go. The caller wipes the result. */
export function emitJson(document: PlainMap, file: string): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(4096);
  try {
    writeNode(document, 0, writer, file);
    return writer.byte(10).take();
  } finally {
    writer.wipe();
  }
}

function writeNode(node: PlainNode, depth: number, writer: ByteWriter, file: string): void {
  if (node.kind === 'scalar') return writeScalar(node, writer, file);
  const isMap = node.kind === 'map';
  const parts: readonly { readonly key: Uint8Array | undefined; readonly value: PlainNode }[] = isMap
    ? node.entries
    : node.items.map(({ value }) => ({ key: undefined, value }));
  writer.ascii(isMap ? '{' : '[');
  parts.forEach(({ key, value }, index) => {
    if (index > 0) writer.byte(44);
    newLine(writer, depth + 1);
    if (key !== undefined) {
      writeGoJson(key, writer);
      writer.ascii(': ');
    }
    writeNode(value, depth + 1, writer, file);
  });
  if (parts.length > 0) newLine(writer, depth);
  writer.ascii(isMap ? '}' : ']');
}

function newLine(writer: ByteWriter, tabs: number): void {
  writer.byte(10);
  for (let at = 0; at < tabs; at += 1) writer.byte(9);
}

function writeScalar({ type, bytes }: PlainScalar, writer: ByteWriter, file: string): void {
  if (type === 'null') writer.ascii('null');
  else if (type === 'bool') writer.ascii(isTrue(bytes) ? 'true' : 'false');
  else if (type === 'int') writer.bytes(wholeNumber(bytes, file));
  else if (type === 'float') {
    const text = scientific(bytes, { smallest: -6, tooLarge: 21, special: undefined });
    if (text === undefined) throw unknownForm(file, 'a number is not of the form in which sops holds it');
    writer.bytes(text);
  } else writeGoJson(bytes, writer);
}

/** Control characters, what means something in HTML, and the line separators of Unicode; lower case, unlike YAML's. */
const ESCAPES: ReadonlyMap<number, string> = new Map([
  ...[...Array(0x20).keys(), 0x3c, 0x3e, 0x26, 0x2028, 0x2029].map((code): [number, string] => [
    code,
    `\\u${code.toString(16).padStart(4, '0')}`,
  ]),
  [8, '\\b'],
  [9, '\\t'],
  [10, '\\n'],
  [12, '\\f'],
  [13, '\\r'],
  [34, '\\"'],
  [92, '\\\\'],
]);

/** A JSON string with its quotes, as encoding/json writes it. Bytes that are not UTF-8 become U+FFFD there. */
export function writeGoJson(text: Uint8Array, writer: ByteWriter): void {
  writer.byte(34);
  writeGoJsonBody(text, writer);
  writer.byte(34);
}

export function writeGoJsonBody(text: Uint8Array, writer: ByteWriter): void {
  for (let at = 0; at < text.length; ) {
    const point = codePointAt(text, at);
    const escape = point === undefined ? '\\ufffd' : ESCAPES.get(point.code);
    const length = point?.length ?? 1;
    if (escape === undefined) writer.bytes(text.subarray(at, at + length));
    else writer.ascii(escape);
    at += length;
  }
}
