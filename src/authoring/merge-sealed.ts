import { SottoError } from '../core/errors.ts';
import { isJsonObject, type Json, memberAt, stringAt } from '../core/json.ts';
import type { Binding } from '../sealed/scope.ts';
import { parseSealed, type SealedObject } from '../sealed/sealed-secret.ts';
import { replaceScalar } from '../sops/encrypt-splice.ts';
import { parseJsonTree } from '../yaml/json-tree.ts';
import { lineFinder, resolveManifest } from '../yaml/manifest.ts';
import { parseYaml } from '../yaml/parse.ts';
import { type Splice, spliceText } from '../yaml/splice.ts';
import { entryOf, type YamlDocument, type YamlMap, type YamlNode } from '../yaml/tree.ts';

/** A file with one SealedSecret, into which items are put; everything else in it stays character by character. */
export interface MergeTarget {
  readonly text: string;
  readonly file: string;
  readonly sealed: SealedObject;
  readonly document: YamlDocument;
}

/**
 * The SealedSecret of a file. `namespace` counts where it names none: what an item is bound to must be known, and is
 * taken from the target alone, so that no item can be made that does not open there. Throws SottoError.
 */
export function mergeTarget(text: string, file: string, namespace: string): MergeTarget {
  const found = documentsOf(text, file).filter(({ manifest }) => stringAt(manifest, 'kind') === 'SealedSecret');
  const [first, second] = found;
  if (first === undefined || second !== undefined) {
    throw refused(
      first === undefined ? 'it holds no SealedSecret' : 'it holds more than one SealedSecret',
      'name a file with exactly one; other documents may stand beside it',
      file,
    );
  }
  const { document, manifest } = first;
  const place = { file, line: document.line, namespace, lineAt: lineFinder(document) };
  return { text, file, sealed: parseSealed(manifest, place), document };
}

/** What new items of the target are sealed for. */
export function bindingOf({ sealed: { scope, namespace, name } }: MergeTarget): Binding {
  return { scope, namespace, name };
}

/** The text with the items in it: an item that is there gets the new text in its place, the others stand at the end. */
export function mergeItems(target: MergeTarget, items: ReadonlyMap<string, string>): string {
  const { text, file, document, sealed } = target;
  const holder = entryOf(entryOf(document.root, 'spec')?.value ?? document.root, 'encryptedData')?.value;
  if (holder === undefined) throw refused('it has no encryptedData', 'add encryptedData: {} to its spec', file);
  const splices: Splice[] = [];
  const added: [string, string][] = [];
  for (const [key, value] of items) {
    const present = entryOf(holder, key)?.value;
    if (present === undefined) added.push([key, value]);
    else if (present.kind === 'scalar') splices.push(...replaceScalar(text, present, value));
  }
  if (added.length > 0) splices.push(insertion(text, holder, added));
  const merged = spliceText(text, splices);
  checkMerged(merged, target, new Map([...sealed.items.map((item) => [item.key, item.text] as const), ...items]));
  return merged;
}

function insertion(text: string, holder: YamlNode, added: readonly (readonly [string, string])[]): Splice {
  const isBlock = holder.kind === 'map' && !holder.flow && holder.entries.length > 0;
  if (isBlock) return insertLines(text, holder, added);
  const pairs = added.map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(', ');
  if (holder.kind !== 'map') return { start: holder.start, end: holder.end, by: ` {${pairs}}` };
  const close = text.lastIndexOf('}', holder.end - 1);
  const last = holder.entries.at(-1)?.value.end ?? text.indexOf('{', holder.start) + 1;
  // A comma may stand behind the last entry already.
  const hasComma = holder.entries.length === 0 || text.slice(last, close).includes(',');
  return {
    start: last,
    end: last,
    by: hasComma && holder.entries.length > 0 ? `, ${pairs}` : `${holder.entries.length === 0 ? '' : ', '}${pairs}`,
  };
}

/** In the form of the entries that are there: one to a line, in their column. */
function insertLines(text: string, { entries }: YamlMap, added: readonly (readonly [string, string])[]): Splice {
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const first = entries[0]?.key.start ?? 0;
  const lineStart = Math.max(text.lastIndexOf('\n', first - 1), text.lastIndexOf('\r', first - 1)) + 1;
  const indent = ' '.repeat(first - lineStart);
  const last = entries.at(-1)?.value.end ?? first;
  const rest = /[^\r\n]*/y;
  rest.lastIndex = last;
  const isAtLineStart = last > 0 && /[\r\n]/.test(text[last - 1] ?? '');
  // Behind the last value, and behind a comment on its line.
  const end = isAtLineStart ? last : last + (rest.exec(text)?.[0].length ?? 0);
  const lines = added.map(([key, value]) => `${indent}${keyText(key)}: ${value}`);
  if (isAtLineStart) return { start: end, end, by: lines.map((line) => line + eol).join('') };
  return { start: end, end, by: lines.map((line) => eol + line).join('') };
}

/** Names that YAML 1.1 would read as something else are quoted, for everybody who reads the file. */
function keyText(key: string): string {
  const isPlain = /^[A-Za-z][-_.A-Za-z0-9]*$/.test(key) && !/^(?:y|n|yes|no|on|off|true|false|null)$/i.test(key);
  return isPlain ? key : JSON.stringify(key);
}

/** Read again before it is written: a form of YAML that was not thought of must not cost an item. */
function checkMerged(merged: string, target: MergeTarget, wanted: ReadonlyMap<string, string>): void {
  const { file, sealed } = target;
  const again = mergeTarget(merged, file, sealed.namespace);
  const isSame = JSON.stringify(bindingOf(again)) === JSON.stringify(bindingOf(target));
  const found = new Map(again.sealed.items.map(({ key, text }) => [key, text]));
  const isWhole = found.size === wanted.size && [...wanted].every(([key, text]) => found.get(key) === text);
  const others = (text: string): string =>
    JSON.stringify(documentsOf(text, file).map(({ manifest }) => withoutItems(manifest)));
  if (isSame && isWhole && others(merged) === others(target.text)) return;
  throw refused('its encryptedData has a form that cannot be added to', 'write encryptedData as a plain mapping', file);
}

function withoutItems(manifest: Json): Json {
  if (!isJsonObject(manifest) || stringAt(manifest, 'kind') !== 'SealedSecret') return manifest;
  const spec = memberAt(manifest, 'spec');
  if (!isJsonObject(spec)) return manifest;
  const { encryptedData: _items, ...rest } = spec;
  return { ...manifest, spec: rest };
}

function documentsOf(text: string, file: string): { readonly document: YamlDocument; readonly manifest: Json }[] {
  const documents = file.endsWith('.json') ? [parseJsonTree(text, { file })] : parseYaml(text, { file });
  return documents.map((document) => ({
    document,
    manifest: resolveManifest<never>(document.root, { file, leafAt: () => undefined }),
  }));
}

function refused(why: string, next: string, file: string): SottoError {
  return new SottoError({ code: 'SOTTO-SEAL-024', what: 'nothing can be merged into the file', why, next, file });
}
