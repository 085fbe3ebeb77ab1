import { isMerge } from '../../yaml/manifest.ts';
import { coreTag } from '../../yaml/tag.ts';
import type { YamlNode, YamlScalar } from '../../yaml/tree.ts';

/** Texts to be written in place of others, as a whole. */
export type Instead = ReadonlyMap<string, string>;

const NOTHING: Instead = new Map();

/**
 * A document on one line in which every YAML reader finds the same structure and texts: braces, brackets, quotes, no
 * anchors. What is written plain stays plain where readers may take it for a number, a boolean or a date: kustomize
 * reads kustomizations and plugins with two readers that differ in that (`n` is false for the one, text for the other).
 */
export function canonicalYaml(node: YamlNode, instead = NOTHING): string {
  if (node.kind === 'seq') return `[${node.items.map((item) => canonicalYaml(item, instead)).join(', ')}]`;
  if (node.kind === 'scalar') return scalar(node, instead);
  const members = node.entries.map(
    ({ key, value }) => `${isMerge(key) ? '<<' : canonicalYaml(key)}: ${canonicalYaml(value, instead)}`,
  );
  return `{${members.join(', ')}}`;
}

function scalar(node: YamlScalar, instead: Instead): string {
  const text = instead.get(node.text);
  if (text !== undefined) return quoted(text);
  const tag = coreTag(node.tag);
  const mark = tag === undefined ? '' : `!!${tag} `;
  if (node.style !== 'plain' || !MAY_BE_TYPED.test(node.text)) return `${mark}${quoted(node.text)}`;
  return `${mark}${node.text === '' ? 'null' : node.text}`;
}

/** Words, numbers and dates; everything else is text to all readers. */
const MAY_BE_TYPED = /^(?:[A-Za-z0-9_.+~-]*|[0-9][0-9:. TtZz+-]*)$/;

/** JSON, but for what YAML folds or forbids inside of double quotes. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const UNSAFE = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

/** Documents of one file. */
export function canonicalDocuments(roots: readonly YamlNode[]): string {
  return roots.map((root) => `${canonicalYaml(root)}\n`).join('---\n');
}
