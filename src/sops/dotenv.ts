import { SottoError } from '../core/errors.ts';
import type { YamlEntry, YamlMap, YamlNode, YamlScalar } from '../yaml/tree.ts';

/**
 * dotenv as sops reads it (spec/sops.md, section 10): no quotes, no trimming, no `export`. Not one of the dotenv
 * libraries: they unquote, trim and expand.
 */
export interface DotenvLine {
  /** 1-based. */
  readonly line: number;
  /** Undefined for a comment, whose text is the value. */
  readonly key: string | undefined;
  /** As it stands in the file: a line break is written `\n`. */
  readonly text: string;
}

/** Names of the sops block. */
export const ENV_METADATA_PREFIX = 'sops_';

export interface DotenvFile {
  /** Without those of the sops block. */
  readonly lines: readonly DotenvLine[];
  /** The sops block, as a tree of strings. */
  readonly metadata: YamlMap;
}

/** Throws SottoError for what sops would refuse. */
export function parseDotenv(text: string, file: string): DotenvFile {
  const lines: DotenvLine[] = [];
  const metadata: FlatField[] = [];
  text.split('\n').forEach((content, index) => {
    if (content === '') return;
    const line = index + 1;
    if (content.startsWith('#')) {
      lines.push({ line, key: undefined, text: content.slice(1) });
      return;
    }
    const at = content.indexOf('=');
    if (at === -1) throw noVariable(file, line);
    const [key, value] = [content.slice(0, at), content.slice(at + 1)];
    if (key.startsWith(ENV_METADATA_PREFIX)) {
      metadata.push({ line, name: key.slice(ENV_METADATA_PREFIX.length), text: value });
    } else lines.push({ line, key, text: value });
  });
  return { lines, metadata: unflatten(metadata, file) };
}

/** A field of a sops block in a format without nesting. */
export interface FlatField {
  readonly line: number;
  readonly name: string;
  readonly text: string;
}

/** The deepest field of a block is `key_groups__list_0__map_age__list_0__map_enc`. */
const MAX_DEPTH = 16;

/** `age__list_0__map_enc` → age: [{enc: …}]; spec/sops.md, 6.4. */
export function unflatten(fields: readonly FlatField[], file: string): YamlMap {
  const root: Branch = { kind: 'map', line: fields[0]?.line ?? 1, children: new Map() };
  for (const { line, name: path, text } of fields) {
    const steps = path.split(/(?=__(?:map|list)_)/, MAX_DEPTH + 1);
    if (steps.length > MAX_DEPTH) throw badBlock(file, line, 'a field of it is nested too deeply');
    let at = root;
    steps.forEach((step, index) => {
      const name = step.replace(/^__(?:map|list)_/, '');
      const following = steps[index + 1];
      if (following === undefined) {
        if (at.children.has(name)) throw badBlock(file, line, 'a field of it occurs twice');
        at.children.set(name, scalar(text.replaceAll('\\n', '\n'), line));
        return;
      }
      const kind = following.startsWith('__list_') ? 'seq' : 'map';
      const child = at.children.get(name) ?? { kind, line, children: new Map<string, Branch | YamlScalar>() };
      if (child.kind !== kind || !('children' in child)) throw badBlock(file, line, 'a field of it is of two kinds');
      at.children.set(name, child);
      at = child;
    });
  }
  return nodeOf(root, file) as YamlMap;
}

interface Branch {
  readonly kind: 'map' | 'seq';
  readonly line: number;
  readonly children: Map<string, Branch | YamlScalar>;
}

function nodeOf(branch: Branch, file: string): YamlNode {
  const place = { start: 0, end: 0, line: branch.line, tag: undefined, flow: false } as const;
  const children = [...branch.children].map(
    ([name, child]) => [name, 'children' in child ? nodeOf(child, file) : child] as const,
  );
  if (branch.kind === 'map') {
    const entries: YamlEntry[] = children.map(([name, value]) => ({ key: scalar(name, value.line), value }));
    return { kind: 'map', ...place, entries };
  }
  const items = children.toSorted(([a], [b]) => Number(a) - Number(b));
  if (items.some(([name], index) => name !== String(index))) throw badBlock(file, branch.line, 'a list of it has gaps');
  return { kind: 'seq', ...place, items: items.map(([, value]) => value) };
}

function scalar(text: string, line: number): YamlScalar {
  const place = { start: 0, end: 0, tokenStart: 0, line };
  return { kind: 'scalar', style: 'double', text, tag: undefined, inFlow: false, ...place };
}

/** A line that sops would not read. */
export function noVariable(file: string, line: number): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-022',
    what: 'a line of a dotenv file is not readable',
    why: 'each line is NAME=value, a comment that starts with #, or empty; sops reads nothing else',
    next: 'mend the line',
    file,
    line,
  });
}

function badBlock(file: string, line: number, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-003',
    what: 'the sops block is not usable',
    why,
    next: 'restore the sops block from Git history',
    file,
    line,
    key: 'sops',
  });
}
