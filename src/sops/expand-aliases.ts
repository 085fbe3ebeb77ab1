import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { type Splice, spliceText } from '../yaml/splice.ts';
import { coreTag } from '../yaml/tag.ts';
import type { YamlDocument, YamlNode, YamlScalar, YamlToken } from '../yaml/tree.ts';
import { sopsScalar } from './scalar.ts';
import type { Selects } from './selector.ts';

/**
 * A clear YAML text in which values that are to be encrypted stand at one place each: an alias that stands for some is
 * replaced by a copy, as sops does with every alias. The others stay. Comments inside of what is copied are not
 * repeated. Throws SottoError for copies that would make the text larger than a file may be.
 */
export function expandAliases(
  text: string,
  documents: readonly YamlDocument[],
  { selects, file }: { readonly selects: Selects; readonly file: string },
): string {
  // Which values comments choose is told of whole documents, and refused with aliases (selection.ts).
  if (selects.by === 'comment') return text;
  const splices: Splice[] = [];
  let room = LIMITS.maxFileBytes;
  for (const document of documents) {
    for (const { node, path, anchorPath, token } of aliasesOf(document)) {
      const isTouched = selectsAny(node, path, selects.encrypts) || selectsAny(node, anchorPath, selects.encrypts);
      if (!isTouched) continue;
      const parts: string[] = [];
      room = copyOf(node, parts, room, file);
      if (room < 0) throw tooLarge(file, document.line);
      splices.push({ ...token, by: parts.join('') });
    }
  }
  return splices.length === 0 ? text : spliceText(text, splices);
}

interface Alias {
  /** That of the anchor. */
  readonly node: YamlNode;
  readonly path: readonly string[];
  readonly anchorPath: readonly string[];
  readonly token: YamlToken;
}

/** A node that is met again is an alias; the tokens are in the order of the document. */
function aliasesOf({ root, aliases }: YamlDocument): Alias[] {
  const found: Alias[] = [];
  const seen = new Map<YamlNode, readonly string[]>();
  const visit = (node: YamlNode, path: readonly string[]): void => {
    const anchorPath = seen.get(node);
    const token = aliases[found.length];
    if (anchorPath !== undefined && token !== undefined) {
      found.push({ node, path, anchorPath, token });
      return;
    }
    seen.set(node, path);
    if (node.kind === 'seq') for (const item of node.items) visit(item, path);
    if (node.kind !== 'map') return;
    for (const { key, value } of node.entries) {
      visit(key, path);
      visit(value, below(path, key));
    }
  };
  if (aliases.length > 0) visit(root, []);
  return found;
}

function below(path: readonly string[], key: YamlNode): readonly string[] {
  return [...path, key.kind === 'scalar' ? key.text : ''];
}

function selectsAny(node: YamlNode, path: readonly string[], encrypts: (path: readonly string[]) => boolean): boolean {
  if (node.kind === 'scalar') return encrypts(path);
  if (node.kind === 'seq') return node.items.some((item) => selectsAny(item, path, encrypts));
  return node.entries.some(({ key, value }) => selectsAny(value, below(path, key), encrypts));
}

/** Writes a node on one line, in brackets. Gives what is left of the room. */
function copyOf(node: YamlNode, into: string[], room: number, file: string): number {
  if (room < 0) return room;
  if (node.kind === 'scalar') {
    const text = scalarCopy(node, file);
    into.push(text);
    return room - text.length;
  }
  let left = room - 2;
  into.push(node.kind === 'map' ? '{' : '[');
  const entries = node.kind === 'map' ? node.entries : node.items.map((value) => ({ key: undefined, value }));
  for (const [index, { key, value }] of entries.entries()) {
    if (index > 0) into.push(', ');
    if (key !== undefined) {
      left = copyOf(key, into, left, file);
      into.push(': ');
    }
    left = copyOf(value, into, left - 4, file);
  }
  into.push(node.kind === 'map' ? '}' : ']');
  return left;
}

function scalarCopy(scalar: YamlScalar, file: string): string {
  const { text, tag, style } = scalar;
  if (tag !== undefined) return `${tagText(tag)} ${quoted(text)}`;
  if (style !== 'plain') return quoted(text);
  if (text === '<<') return text;
  if (text === '') return 'null';
  // What is no string in it has no character that brackets would give a meaning to.
  return sopsScalar(scalar, 'yaml', file).type === 'str' ? quoted(text) : text;
}

function tagText(tag: string): string {
  const core = coreTag(tag);
  return core === undefined ? `!<${tag}>` : `!!${core}`;
}

/** JSON's escapes are YAML's; what is not printable is escaped as well. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function tooLarge(file: string, line: number): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-015',
    what: 'the aliases of the document cannot be encrypted',
    why: `what they stand for is encrypted at each place, and written out it is larger than ${LIMITS.maxFileBytes} bytes`,
    next: 'write the values out at the places where they are needed',
    file,
    line,
  });
}
