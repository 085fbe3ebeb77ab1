import { SottoError } from '../core/errors.ts';
import type { YamlNode } from '../yaml/tree.ts';

/** Where a value stands in a document: names of mappings, and numbers of list elements from 0, in order. */
export type KeyPath = readonly [string, ...string[]];

const BRACKET = /\[\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\d+))\s*\]/y;
const NAME = /(?:[^.[\]\\]|\\.)+/y;

/** `data.tls\.crt`, or `["data"]["tls.crt"][0]` as sops writes it, or both mixed. Throws SOTTO-CLI-090. */
export function parseKeyPath(text: string): KeyPath {
  const steps: string[] = [];
  let at = 0;
  while (at < text.length) {
    BRACKET.lastIndex = at;
    const bracket = BRACKET.exec(text);
    if (bracket !== null) {
      steps.push(bracket[1] === undefined ? (bracket[2] ?? bracket[3] ?? '') : unescaped(bracket[1]));
      at = BRACKET.lastIndex;
      continue;
    }
    if (at > 0 && text[at] === '.') at += 1;
    else if (at > 0) throw badPath('a dot or bracket is expected after a name');
    NAME.lastIndex = at;
    const name = NAME.exec(text)?.[0];
    if (name === undefined) throw badPath('a name is missing');
    steps.push(unescaped(name));
    at = NAME.lastIndex;
  }
  const [first, ...rest] = steps;
  if (first === undefined) throw badPath('it is empty');
  return [first, ...rest];
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/gs, '$1');
}

/** As it is shown and can be given again. */
export function formatKeyPath(path: readonly string[]): string {
  return path
    .map((step) => (/^[^.[\]\\]+$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`))
    .join('')
    .replace(/^\./, '');
}

/** Undefined where there is nothing; in a list only a number leads on. */
export function nodeAt(root: YamlNode, path: readonly string[]): YamlNode | undefined {
  let node: YamlNode | undefined = root;
  for (const step of path) node = node === undefined ? undefined : childOf(node, step);
  return node;
}

export function childOf(node: YamlNode, step: string): YamlNode | undefined {
  if (node.kind === 'scalar') return undefined;
  if (node.kind === 'seq') return /^\d{1,9}$/.test(step) ? node.items[Number(step)] : undefined;
  return node.entries.find(({ key }) => key.kind === 'scalar' && key.text === step)?.value;
}

function badPath(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-090',
    what: 'the path of the value is not readable',
    why,
    next: 'write it like stringData.password, or like \'["stringData"]["tls.crt"]\' where a name has dots',
  });
}
