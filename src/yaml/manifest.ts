import { SottoError } from '../core/errors.ts';
import type { Json } from '../core/json.ts';
import { parseJsonTree } from './json-tree.ts';
import type { ParseLimits } from './limits.ts';
import { keyText, manifestScalar } from './manifest-scalar.ts';
import { parseYaml } from './parse.ts';
import { coreTag } from './tag.ts';
import type { YamlDocument, YamlEntry, YamlMap, YamlNode, YamlScalar } from './tree.ts';

/** One document of a file as kubectl reads it. */
export interface Manifest {
  readonly value: Json;
  /** 1-based line at which it starts. */
  readonly line: number;
  /** 1-based line of a key path (list indices as decimal strings); undefined for a path that is not there. */
  lineAt(path: readonly string[]): number | undefined;
}

/**
 * The documents of a manifest file, typed as kubectl types them; empty documents are left out. A name that ends in
 * `.json` is read as JSON. Throws SottoError with file and line.
 */
export function readManifests(
  text: string,
  file: string,
  limits?: Partial<ParseLimits>,
  format: 'yaml' | 'json' = file.endsWith('.json') ? 'json' : 'yaml',
): Manifest[] {
  const options = limits === undefined ? { file } : { file, limits };
  const documents = format === 'json' ? [parseJsonTree(text, options)] : parseYaml(text, options);
  return documents.flatMap((document) => {
    const value = resolveManifest<never>(document.root, { file, leafAt: () => undefined });
    return value === null || value === undefined ? [] : [{ value, line: document.line, lineAt: lineFinder(document) }];
  });
}

/** A manifest tree in which some scalars are something else: the encrypted leaves of a SOPS file. */
export type Resolved<L> = null | boolean | number | bigint | string | L | readonly Resolved<L>[] | ResolvedObject<L>;
export interface ResolvedObject<L> {
  readonly [key: string]: Resolved<L>;
}

/** An element that is left out of its list: sops keeps the comments of a list as elements. */
export const DROPPED = Symbol('dropped');

export interface ResolveOptions<L> {
  readonly file: string;
  /** What stands for a scalar instead of its plain value; undefined for the value. `place` is the path kubectl sees. */
  leafAt(scalar: YamlScalar, place: readonly string[]): L | typeof DROPPED | undefined;
}

/** A node as kubectl (goyaml.v2 through sigs.k8s.io/yaml) reads it. */
export function resolveManifest<L>(
  node: YamlNode,
  options: ResolveOptions<L>,
  place: readonly string[] = [],
): Resolved<L> {
  const value = resolve(node, options, place);
  return value === DROPPED ? null : value;
}

function resolve<L>(
  node: YamlNode,
  options: ResolveOptions<L>,
  place: readonly string[],
): Resolved<L> | typeof DROPPED {
  if (node.kind === 'scalar') {
    const leaf = options.leafAt(node, place);
    return leaf === undefined ? manifestScalar(node, options.file) : leaf;
  }
  if (node.kind === 'map') return resolveMap(node, options, place);
  const items: Resolved<L>[] = [];
  for (const item of node.items) {
    const value = resolve(item, options, [...place, String(items.length)]);
    if (value !== DROPPED) items.push(value);
  }
  return items;
}

function resolveMap<L>(node: YamlMap, options: ResolveOptions<L>, place: readonly string[]): ResolvedObject<L> {
  const into: Record<string, Resolved<L>> = {};
  const written = new Set<string>();
  for (const { key, value } of node.entries) {
    if (isMerge(key)) {
      mergeInto(into, value, options, place);
      continue;
    }
    const name = keyText(key, options.file);
    if (written.has(name)) throw duplicateKey(key, name, options.file);
    written.add(name);
    setMember(into, name, resolveManifest(value, options, [...place, name]));
  }
  return into;
}

/** goyaml applies a merge where it stands, so a merge after a key replaces it; of a list, earlier mappings win. */
function mergeInto<L>(
  into: Record<string, Resolved<L>>,
  source: YamlNode,
  options: ResolveOptions<L>,
  place: readonly string[],
): void {
  const maps = source.kind === 'seq' ? source.items.toReversed() : [source];
  for (const map of maps) {
    if (map.kind !== 'map') throw badMerge(map, options.file);
    const merged = resolveMap(map, options, place);
    for (const name of Object.keys(merged)) setMember(into, name, merged[name] ?? null);
  }
}

export function isMerge(key: YamlNode): boolean {
  if (key.kind !== 'scalar' || key.text !== '<<') return false;
  return coreTag(key.tag) === 'merge' || (key.tag === undefined && key.style === 'plain');
}

/** `__proto__` is a key like any other. */
function setMember<L>(into: Record<string, Resolved<L>>, name: string, value: Resolved<L>): void {
  if (name !== '__proto__') into[name] = value;
  else Object.defineProperty(into, name, { value, writable: true, enumerable: true, configurable: true });
}

/** Finds lines in a tree that stays in memory as long as the function does. */
export function lineFinder(document: YamlDocument): (path: readonly string[]) => number | undefined {
  const indexes = new Map<YamlMap, EntryIndex>();
  return (path) => {
    let at: YamlNode = document.root;
    let line = document.line;
    for (const step of path) {
      const child = childOf(at, step, indexes);
      if (child === undefined) return undefined;
      line = child.line;
      at = child.node;
    }
    return line;
  };
}

/** The entries of a mapping by their names, merged ones too. Made once, when somebody asks: there may be many of both. */
type EntryIndex = ReadonlyMap<string, YamlEntry>;

function childOf(
  node: YamlNode,
  step: string,
  indexes: Map<YamlMap, EntryIndex>,
): { node: YamlNode; line: number } | undefined {
  if (node.kind === 'scalar') return undefined;
  if (node.kind === 'seq') {
    const item = node.items[Number(step)];
    return item === undefined ? undefined : { node: item, line: item.line };
  }
  const entry = indexOf(node, indexes).get(step);
  return entry === undefined ? undefined : { node: entry.value, line: entry.key.line };
}

function indexOf(node: YamlMap, indexes: Map<YamlMap, EntryIndex>): EntryIndex {
  const known = indexes.get(node);
  if (known !== undefined) return known;
  const index = new Map<string, YamlEntry>();
  const add = (name: string, entry: YamlEntry): void => void (index.has(name) || index.set(name, entry));
  for (const entry of node.entries) {
    if (!isMerge(entry.key) && entry.key.kind === 'scalar') add(keyText(entry.key, ''), entry);
  }
  // What a mapping has itself counts before what it merges, and of that the first.
  for (const { key, value } of node.entries) {
    if (!isMerge(key)) continue;
    for (const source of value.kind === 'seq' ? value.items : [value]) {
      if (source.kind === 'map') for (const [name, entry] of indexOf(source, indexes)) add(name, entry);
    }
  }
  indexes.set(node, index);
  return index;
}

export function duplicateKey(key: YamlNode, name: string, file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-YAML-008',
    what: 'a key occurs twice in one mapping',
    why: 'kubectl would take the last one without a word',
    next: 'remove one of the two',
    file,
    line: key.line,
    key: name,
  });
}

function badMerge(node: YamlNode, file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-YAML-012',
    what: 'a merge key has no mapping to merge',
    why: 'the value of << is a mapping or a list of mappings',
    next: 'point << at an anchor of a mapping',
    file,
    line: node.line,
  });
}
