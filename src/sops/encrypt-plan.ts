import { LOCAL_LIMITS } from '../yaml/limits.ts';
import { SottoError } from '../core/errors.ts';
import { duplicateKey } from '../yaml/manifest.ts';
import { isNullScalar, type YamlDocument, type YamlMap, type YamlNode, type YamlScalar } from '../yaml/tree.ts';
import { expandAliases } from './expand-aliases.ts';
import { notAMapping, parseDocuments } from './file.ts';
import { isSopsKey } from './sops-key.ts';
import { type SopsFormat, type SopsValue, sopsScalar } from './scalar.ts';
import { type Selection, selectionOf } from './selection.ts';
import type { Selects } from './selector.ts';
import { mapKey } from './walk.ts';

/** One scalar of a document that is to be encrypted, null and empty strings left out where they are not touched. */
export interface PlainValue {
  readonly scalar: YamlScalar;
  readonly value: Exclude<SopsValue, { type: 'null' }>;
  readonly path: readonly string[];
  readonly selected: boolean;
}

export interface PlanContext {
  readonly text: string;
  readonly format: SopsFormat;
  readonly file: string;
  readonly selects: Selects;
}

/** A document with a mapping in it; empty documents have no plan. */
export interface DocumentPlan {
  readonly document: YamlDocument;
  readonly map: YamlMap;
  readonly values: readonly PlainValue[];
  readonly selection: Selection;
}

interface Collecting extends PlanContext {
  readonly selection: Selection;
  readonly into: PlainValue[];
}

export interface EncryptionPlan {
  /** The clear text with the aliases written out that stand for what is encrypted. */
  readonly text: string;
  readonly plans: readonly DocumentPlan[];
}

/** What is to be encrypted in a clear text. Throws SottoError. */
export function planText(clear: string, { format, file, selects }: Omit<PlanContext, 'text'>): EncryptionPlan {
  const documents = parseDocuments(clear, format, file, LOCAL_LIMITS);
  const text = expandAliases(clear, documents, { selects, file });
  const parsed = text === clear ? documents : parseDocuments(text, format, file, LOCAL_LIMITS);
  return { text, plans: planEncryption(parsed, { text, format, file, selects }) };
}

/** Checks that sops could hold the documents, and lists their values in order. Throws SottoError. */
export function planEncryption(documents: readonly YamlDocument[], context: PlanContext): DocumentPlan[] {
  const plans = documents.flatMap((document, index) => {
    const { root } = document;
    if (isNullScalar(root) && index > 0) return [];
    if (isNullScalar(root)) throw nothing(context.file);
    if (root.kind !== 'map') throw notAMapping({ file: context.file, line: root.line });
    const values: PlainValue[] = [];
    const selection = selectionOf(context.selects, document, root, context);
    collectMap(root, [], { ...context, selection, into: values });
    return [{ document, map: root, values, selection }];
  });
  if (plans.length === 0) throw nothing(context.file);
  return plans;
}

function collectMap(map: YamlMap, path: readonly string[], context: Collecting): void {
  const seen = new Set<string>();
  for (const { key, value } of map.entries) {
    if (path.length === 0 && isSopsKey(key)) throw alreadyEncrypted(context.file, key.line);
    const name = mapKey(key, context.format, context.file);
    // sops keeps the duplicates of JSON and refuses those of YAML.
    if (seen.has(name) && context.format === 'yaml') throw duplicateKey(key, name, context.file);
    seen.add(name);
    collect(value, [...path, name], context);
  }
}

function collect(node: YamlNode, path: readonly string[], context: Collecting): void {
  if (node.kind === 'map') return collectMap(node, path, context);
  if (node.kind === 'seq') {
    for (const item of node.items) collect(item, path, context);
    return;
  }
  const value = sopsScalar(node, context.format, context.file);
  if (value.type === 'null') return;
  context.into.push({ scalar: node, value, path, selected: context.selection.value(node, path) });
}

function nothing(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-018',
    what: 'there is nothing to encrypt',
    why: 'the file has no document, or its first one is empty',
    next: 'put a mapping into the first document',
    file,
  });
}

function alreadyEncrypted(file: string, line: number): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-016',
    what: 'the file is already encrypted',
    why: 'it has a top-level key sops',
    next: 'decrypt it first: sotto decrypt -i',
    file,
    line,
  });
}
