import { SottoError } from '../core/errors.ts';
import { canonicalJson, type Json } from '../core/json.ts';
import { parseJsonTree } from '../yaml/json-tree.ts';
import { resolveManifest } from '../yaml/manifest.ts';
import { parseYaml } from '../yaml/parse.ts';
import type { YamlDocument } from '../yaml/tree.ts';
import { type ManifestEdit, type Step, stepsOf, withSteps } from './edit.ts';
import { spliceStep } from './splice-step.ts';

export interface ParsedDocument {
  readonly document: YamlDocument;
  /** As kubectl reads it. */
  readonly value: Json;
}

/** The documents of a manifest file, empty ones too. Throws SottoError. */
export function parseManifests(text: string, file: string): ParsedDocument[] {
  const documents = isJson(file) ? [parseJsonTree(text, { file })] : parseYaml(text, { file });
  return documents.map((document) => ({
    document,
    value: resolveManifest<never>(document.root, { file, leafAt: () => undefined }),
  }));
}

/**
 * The text of a manifest file with edits of one of its documents done and every other character as it was: comments,
 * order, quotes, line ends, other documents. What comes out is read again: unless it says exactly what it should and
 * nothing else, SOTTO-CLI-199 is thrown.
 */
export function editManifest(text: string, file: string, index: number, edits: readonly ManifestEdit[]): string {
  const before = parseManifests(text, file).map(({ value }) => value);
  let wanted = before[index];
  if (wanted === undefined) throw notEdited('the file has no such document', file);
  let edited = text;
  for (const edit of edits) {
    const steps = stepsOf(wanted, edit);
    if (steps === undefined) throw notEdited('it has no such place', file, edit);
    for (const step of steps) edited = done(edited, file, index, step);
    wanted = withSteps(wanted, steps);
  }
  const expected = before.with(index, wanted).map((value) => canonicalJson(value));
  const found = attempt(() => parseManifests(edited, file).map(({ value }) => canonicalJson(value)));
  if (expected.length === found?.length && expected.every((each, at) => each === found[at])) return edited;
  throw notEdited('an anchor, alias or merge key, or a form of YAML that is not known, is in the way', file, edits[0]);
}

function done(text: string, file: string, index: number, step: Step): string {
  const format = isJson(file) ? 'json' : 'yaml';
  const after = attempt(() => {
    const document = parseManifests(text, file)[index]?.document;
    return document === undefined ? undefined : spliceStep({ text, format, file, document }, step);
  });
  if (after === undefined) throw notEdited('it has a form that is not known', file, step);
  return after;
}

/** The file could be read before: what is refused of it now, by the codecs too, an edit has done. */
function attempt<Result>(task: () => Result | undefined): Result | undefined {
  try {
    return task();
  } catch (thrown) {
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
}

function isJson(file: string): boolean {
  return file.endsWith('.json');
}

function notEdited(why: string, file: string, at?: Pick<ManifestEdit, 'path'>): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-199',
    what: 'the change cannot be put into the file',
    why,
    next: 'put it in by hand',
    file,
    ...(at === undefined ? {} : { key: at.path.join('.').slice(0, 253) }),
  });
}
