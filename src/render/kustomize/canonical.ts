import { isMerge } from '../../yaml/manifest.ts';
import { coreTag } from '../../yaml/tag.ts';
import type { YamlNode, YamlScalar } from '../../yaml/tree.ts';

/** Text that stands in place of the scalar at a path. */
export type Instead = (path: readonly string[]) => string | undefined;

/**
 * A document on one line in which every YAML reader finds the same structure and texts: braces, brackets, quotes, no
 * anchors. What is written plain stays plain where readers may take it for a number, a boolean or a date: kustomize
 * reads kustomizations and plugins with two readers that differ in that (`n` is false for the one, text for the other).
 */
export function canonicalYaml(
  node: YamlNode,
  instead: Instead = () => undefined,
  path: readonly string[] = [],
): string {
  if (node.kind === 'seq') {
    return `[${node.items.map((item, index) => canonicalYaml(item, instead, [...path, String(index)])).join(', ')}]`;
  }
  if (node.kind === 'map') {
    const members = node.entries.map(({ key, value }) => {
      const name = key.kind === 'scalar' ? key.text : '';
      return `${isMerge(key) ? '<<' : canonicalYaml(key)}: ${canonicalYaml(value, instead, [...path, name])}`;
    });
    return `{${members.join(', ')}}`;
  }
  const text = instead(path);
  return text === undefined ? scalar(node) : quoted(text);
}

function scalar(node: YamlScalar): string {
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
