import { SottoError } from '../../core/errors.ts';
import type { Json } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseJsonTree } from '../../yaml/json-tree.ts';
import { lineFinder, resolveManifest } from '../../yaml/manifest.ts';
import { parseYaml } from '../../yaml/parse.ts';
import type { YamlDocument, YamlNode } from '../../yaml/tree.ts';

/** One document with values, in the terms of its file. */
export interface ReadDocument {
  readonly value: Json;
  readonly root: YamlNode;
  readonly lineAt: (path: readonly string[]) => number | undefined;
}

export interface Nodes {
  readonly documents: readonly YamlDocument[];
  /** Of all documents, every alias counted as what it stands for: what a renderer that expands them has to hold. */
  readonly count: number;
}

/** Structure only, under the caps on depth, aliases and expanded nodes. Throws SottoError with file and line. */
export function readNodes(bytes: Uint8Array, file: string): Nodes {
  const text = textOf(bytes, file);
  // The one kind of file that is larger than any object: the OpenAPI document of a cluster, always JSON.
  const limits = { maxNodesPerDocument: LIMITS.maxRenderNodes };
  const documents = isJson(text, file) ? [parseJsonTree(text, { file, limits })] : parseYaml(text, { file });
  return { documents, count: documents.reduce((sum, { root }) => sum + expandedNodes(root, new Map()), 0) };
}

/** Documents with their values; empty ones are left out. */
export function readValues(nodes: Nodes, file: string): ReadDocument[] {
  return nodes.documents.flatMap((document) => {
    const value = resolveManifest<never>(document.root, { file, leafAt: () => undefined });
    return value === null ? [] : [{ value, root: document.root, lineAt: lineFinder(document) }];
  });
}

/** By name as sops and kubectl have it; and a text that starts as JSON does is not worth a second reading of YAML. */
function isJson(text: string, file: string): boolean {
  return file.endsWith('.json') && /^\s*[[{]/.test(text);
}

/** An alias is the very node of its anchor, so counting remembers: a bomb has few nodes and many ways to them. */
function expandedNodes(node: YamlNode, known: Map<YamlNode, number>): number {
  const before = known.get(node);
  if (before !== undefined) return before;
  const inner = node.kind === 'scalar' ? [] : node.kind === 'seq' ? node.items : node.entries.map(({ value }) => value);
  const count = inner.reduce((sum, each) => sum + expandedNodes(each, known), 1);
  known.set(node, count);
  return count;
}

function textOf(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new SottoError({
      code: 'SOTTO-YAML-002',
      what: 'the file is not UTF-8 text',
      why: 'what a kustomization names as resource, patch or configuration is read as UTF-8',
      next: 'save the file as UTF-8',
      file,
    });
  }
}
