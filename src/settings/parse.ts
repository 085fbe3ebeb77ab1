import { safeParse } from 'valibot';
import type { BaseIssue } from 'valibot';
import { SottoError } from '../core/errors.ts';
import type { ErrorText } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { nearest } from './nearest.ts';
import { notBuiltUses } from './not-built.ts';
import type { NotBuiltUse } from './not-built.ts';
import type { FieldPath } from './path.ts';
import { showPath, startsWith } from './path.ts';
import { brokenRules } from './rules.ts';
import { settingsSchema } from './schema.ts';
import type { Settings } from './settings.ts';
import { readSettingsText } from './text.ts';
import type { SettingsText } from './text.ts';
import { toSettings } from './to-settings.ts';
import { unknownFields } from './unknown-fields.ts';

export type ParsedSettings =
  | { readonly ok: true; readonly settings: Settings }
  /** At least one problem, in the order of the lines. */
  | { readonly ok: false; readonly problems: readonly SottoError[] };

/**
 * Reads sotto.yaml: every problem is reported, not only the first, and nothing is ever ignored.
 * `file` is what messages call it (`sotto.yaml`, `ConfigMap/sotto`). Throws nothing but defects.
 */
export function parseSettings(text: string, file: string): ParsedSettings {
  if (Buffer.byteLength(text) > LIMITS.maxSettingsBytes) return { ok: false, problems: [tooLarge(file)] };
  const read = readSettingsText(text, file);
  if (!read.ok) return { ok: false, problems: [read.problem] };

  const { document } = read.text;
  const place = placer(read.text, file);
  const version = otherVersion(document, place);
  if (version !== undefined) return { ok: false, problems: [version] };

  const parsed = safeParse(settingsSchema, document);
  const problems = findProblems(document, parsed.issues ?? [], place);
  if (parsed.success && problems.length === 0) return { ok: true, settings: toSettings(parsed.output) };
  return { ok: false, problems: problems.toSorted((a, b) => (a.place.line ?? 0) - (b.place.line ?? 0)) };
}

type Place = (path: FieldPath) => Pick<ErrorText, 'file' | 'line' | 'key'>;

/** The line of a field; of the nearest enclosing one when the field itself is missing. */
function placer(text: SettingsText, file: string): Place {
  return (path) => {
    for (let length = path.length; length >= 0; length -= 1) {
      const line = text.lineOf(path.slice(0, length));
      if (line !== undefined) return { file, line, key: showPath(path) };
    }
    return { file, key: showPath(path) };
  };
}

function findProblems(document: unknown, issues: readonly BaseIssue<unknown>[], place: Place): SottoError[] {
  const unknown = unknownFields(settingsSchema, document);
  const rules = brokenRules(document);
  const formIssues = issues.map((issue) => ({ path: pathOf(issue), issue }));
  const notBuilt = notBuiltUses(document).filter((use) => !formIssues.some(({ path }) => samePath(path, use.path)));

  // Below a feature that is refused as a whole, its own mistakes are noise; a URL with credentials is told once.
  const isHeard = (path: FieldPath): boolean =>
    !notBuilt.some((use) => path.length > use.path.length && startsWith(path, use.path));
  const isTold = (path: FieldPath): boolean => rules.some((rule) => samePath(rule.path, path));
  return [
    ...unknown.filter(({ path }) => isHeard(path)).map(({ path, known }) => unknownField(path, known, place)),
    ...rules.filter(({ path }) => isHeard(path)).map((rule) => new SottoError({ ...rule, ...place(rule.path) })),
    ...formIssues
      .filter(({ path }) => isHeard(path) && !isTold(path))
      .map(({ path, issue }) => wrongForm(path, issue, place)),
    ...notBuilt.map((use) => notInThisVersion(use, place)),
  ];
}

function pathOf(issue: BaseIssue<unknown>): FieldPath {
  return (issue.path ?? []).map((item) => (typeof item.key === 'number' ? item.key : String(item.key)));
}

function samePath(a: FieldPath, b: FieldPath): boolean {
  return a.length === b.length && startsWith(a, b);
}

function unknownField(path: FieldPath, known: readonly string[], place: Place): SottoError {
  const name = String(path.at(-1));
  const meant = nearest(name, known);
  const fields = known.length === 0 ? 'no field is known here' : `known here: ${known.join(', ')}`;
  return new SottoError({
    code: 'SOTTO-CONF-002',
    what: `there is no setting ${showPath(path)}`,
    ...place(path),
    why: meant === undefined ? fields : `the nearest known one is ${meant}`,
    next: meant === undefined ? 'remove it' : `write ${meant}, or remove it`,
  });
}

function wrongForm(path: FieldPath, issue: BaseIssue<unknown>, place: Place): SottoError {
  const isMissing = issue.kind === 'schema' && issue.path?.at(-1)?.origin === 'key';
  if (isMissing) {
    return new SottoError({
      code: 'SOTTO-CONF-004',
      what: `${showPath(path)} is missing`,
      ...place(path),
      why: 'it has no default',
      next: `add ${String(path.at(-1))} there`,
    });
  }
  return new SottoError({
    code: 'SOTTO-CONF-001',
    what: `${showPath(path)} has a value that cannot be used`,
    ...place(path),
    why: `it must be ${issue.message}`,
    next: isUnquoted(issue) ? 'put the value in quotes if it is meant as text' : 'change the value',
  });
}

/** YAML reads `1.0`, `on` and `no` as number and booleans where a text was meant. */
function isUnquoted(issue: BaseIssue<unknown>): boolean {
  return issue.type === 'string' && (typeof issue.input === 'number' || typeof issue.input === 'boolean');
}

function notInThisVersion(use: NotBuiltUse, place: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-CONF-003',
    what: `not in this version: ${showPath(use.path)}`,
    ...place(use.path),
    why: 'the feature behind this value is not built yet, and a setting is never ignored',
    next: use.instead,
  });
}

function otherVersion(document: Readonly<Record<string, unknown>>, place: Place): SottoError | undefined {
  for (const [field, expected] of [
    ['apiVersion', 'sotto.dev/v1alpha1'],
    ['kind', 'Config'],
  ] as const) {
    if (Object.hasOwn(document, field) && document[field] === expected) continue;
    return new SottoError({
      code: 'SOTTO-CONF-010',
      what: `these are not settings of this version: ${field} is not ${expected}`,
      ...place([field]),
      why: 'apiVersion and kind say what the fields mean',
      next: 'begin the file with "apiVersion: sotto.dev/v1alpha1" and "kind: Config"',
    });
  }
  return undefined;
}

function tooLarge(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CONF-009',
    what: 'the settings were not read',
    file,
    why: `they are larger than ${LIMITS.maxSettingsBytes} bytes`,
    next: 'shorten the file, or divide the syncs between agents',
  });
}
