import { ByteWriter } from '../../sops/byte-writer.ts';
import { styleOf, writeInline, writeLiteral } from '../../sops/go-scalar.ts';
import { SottoError } from '../../core/errors.ts';
import { keyText, manifestScalar } from '../../yaml/manifest-scalar.ts';
import { isMerge } from '../../yaml/manifest.ts';
import { parseYaml } from '../../yaml/parse.ts';
import type { YamlDocument, YamlNode, YamlScalar } from '../../yaml/tree.ts';
import { doesNotFit } from './refusals.ts';

/**
 * Flux writes an object as YAML, replaces in that text and reads it again: a value is typed anew, and what has to be in
 * quotes stands in them already. Here the same is done with one scalar, which has to stay one.
 */

/** A string as Flux writes it, without the line breaks that it puts into long lines. */
export function scalarText(value: string, isKey: boolean): string {
  const bytes = Buffer.from(value, 'utf8');
  // goyaml.v2 takes a tab for nothing that can stand in a text; v3, which the style is told by otherwise, does.
  const style = value.includes('\t') ? 'double' : styleOf(bytes, { inFlow: false, isKey });
  const writer = new ByteWriter(bytes.length + 16);
  if (style === 'literal') writeLiteral(bytes, writer, { column: INDENT, indent: INDENT, comment: undefined });
  else writeInline(bytes, style, writer);
  return Buffer.from(writer.written).toString('utf8');
}

const INDENT = 2;
const PROBE = 'v';
const PROBE_PREFIX = `${PROBE}: `;

type Scalar = null | boolean | number | bigint | string;

/** A value as it reads after the replacing; `before` is its text before. Throws SottoError when it is no scalar now. */
export function readScalar(text: string, before: string): Scalar {
  const { key, value, document } = readPair(PROBE_PREFIX + text);
  if (key.kind !== 'scalar' || key.text !== PROBE) throw doesNotFit(OTHER_STRUCTURE);
  const wasBlock = before.startsWith('|');
  return resolved(plainOrQuoted(value, { text: PROBE_PREFIX + text, document, asBlock: wasBlock }), (scalar) =>
    manifestScalar(scalar, ''),
  );
}

export function readKey(text: string): string {
  const { key, value, document } = readPair(`${text}: ${PROBE}`);
  if (value.kind !== 'scalar' || value.start !== text.length + 2) throw doesNotFit(OTHER_STRUCTURE);
  if (isMerge(key)) throw doesNotFit('it makes a merge of a key');
  return resolved(plainOrQuoted(key, { text, document, asBlock: false }), (scalar) => keyText(scalar, ''));
}

const OTHER_STRUCTURE = 'with these values it would be a mapping, a list or several values in YAML, and no longer one';

interface Pair {
  readonly key: YamlNode;
  readonly value: YamlNode;
  readonly document: YamlDocument;
}

function readPair(text: string): Pair {
  const [document, ...more] = parsed(text);
  const root = document?.root;
  const [entry, ...others] = root?.kind === 'map' && !root.flow ? root.entries : [];
  if (document === undefined || entry === undefined) throw doesNotFit(OTHER_STRUCTURE);
  if (more.length > 0 || others.length > 0 || root?.tag !== undefined) throw doesNotFit(OTHER_STRUCTURE);
  return { ...entry, document };
}

function parsed(text: string): readonly YamlDocument[] {
  try {
    return parseYaml(text, { file: '' });
  } catch (thrown) {
    if (!(thrown instanceof SottoError)) throw thrown;
    throw doesNotFit('with these values it would not be valid YAML');
  }
}

interface Reading {
  readonly text: string;
  readonly document: YamlDocument;
  readonly asBlock: boolean;
}

/** YAML 1.1, and with it goyaml.v2, has no escape of a slash. */
const ESCAPED_SLASH = /(?<!\\)(?:\\\\)*\\\//;

/** One scalar and nothing besides: no tag, no anchor, no comment that a value brought along. */
function plainOrQuoted(node: YamlNode, { text, document, asBlock }: Reading): YamlScalar {
  if (node.kind !== 'scalar') throw doesNotFit(OTHER_STRUCTURE);
  if (document.comments.length > 0) throw doesNotFit('a part of it would be a comment in YAML');
  if (node.start !== node.tokenStart || document.aliases.length > 0) {
    throw doesNotFit('it would be a tag, an anchor or an alias in YAML');
  }
  const isBlock = node.style === 'literal' || node.style === 'folded';
  if (isBlock !== asBlock) throw doesNotFit('with these values it would be text of another form in YAML');
  const isBadEscape = node.style === 'double' && ESCAPED_SLASH.test(text.slice(node.tokenStart, node.end));
  if (isBadEscape || /\p{Cs}/u.test(node.text))
    throw doesNotFit('with these values it has an escape that is none in YAML');
  return node;
}

function resolved<T>(scalar: YamlScalar, read: (scalar: YamlScalar) => T): T {
  try {
    return read(scalar);
  } catch (thrown) {
    if (!(thrown instanceof SottoError)) throw thrown;
    throw doesNotFit('with these values it would be a number without a form in JSON, or a key that is none');
  }
}
