import type {
  Differences,
  KeyChange,
  Preview,
  Previewed,
  RecipientChange,
  Stands,
} from '../agent/preview/previewed.ts';
import { formatPlace, type SottoError } from '../core/errors.ts';
import { type Json, stringifyJson } from '../core/json.ts';
import type { FieldChange } from '../plan/tree-diff.ts';
import { EXIT, type ExitCode, exitOfFinding } from './exit-codes.ts';
import { harmless, type Paint } from './terminal.ts';

const MAX_TEXT = 200;

/** What a pass would do, for people. Values of Secrets are not in it, because the preview has none. */
export function diffText(found: Preview, paint: Paint): string {
  const lines = diffLines(found, paint);
  return [...lines, ...(lines.length === 0 ? [] : ['']), ...diffSummary(found), ''].join('\n');
}

export function diffLines(found: Preview, paint: Paint): string[] {
  return [
    ...found.changes.flatMap((change) => changeLines(change, paint)),
    ...(found.recipients ?? []).flatMap((change) => recipientLines(change, paint)),
  ];
}

function recipientLines({ file, added, removed }: RecipientChange, paint: Paint): string[] {
  return [
    `${paint('yellow', '~ recipients')} of ${harmless(file)}`,
    ...added.map((recipient) => paint('green', `    + ${harmless(recipient)}  can read it from now on`)),
    ...removed.map((recipient) => paint('red', `    - ${harmless(recipient)}  (has read what was in it)`)),
  ];
}

function changeLines(change: Previewed, paint: Paint): string[] {
  switch (change.kind) {
    case 'create':
      return [`${paint('green', '+ create')}  ${stands(change, paint)}`, ...unopenedLines(change.unopened)];
    case 'change':
      return [`${paint('yellow', '~ change')}  ${stands(change, paint)}`, ...differenceLines(change, paint)];
    case 'recreate':
      return [
        `${paint('red', '± recreate')} ${stands(change, paint)}`,
        '    a field cannot be changed in place: it is deleted and made anew',
        ...differenceLines(change, paint),
      ];
    case 'rewritten':
      return [
        `${paint('dim', '= same')}    ${stands(change, paint)}`,
        `    ${change.encrypted ? 'only encrypted again' : 'only written in another way'}: nothing of the object changes`,
      ];
    case 'unknown':
      return [`${paint('yellow', '? unknown')} ${stands(change, paint)}`, ...unopenedLines(change.unopened)];
    case 'prune':
      return [`${paint('red', '- prune')}   ${harmless(change.object)}  ${paint('dim', '(not in the checkout)')}`];
    case 'kept':
      return [
        `= kept    ${harmless(change.object)}  ${paint('dim', '(not in the checkout)')}`,
        ...(change.error === undefined ? [`    ${harmless(change.why)}`] : errorLines(change.error)),
      ];
    case 'held':
      return [
        `${paint('red', '! held')}    sync ${harmless(change.sync)}  would be held: none of it would be done`,
        ...errorLines(change.error),
      ];
    case 'refused':
      break;
  }
  return refusedLines(change, paint);
}

function stands({ object, file, line }: Stands, paint: Paint): string {
  return `${harmless(object)}  ${paint('dim', `(${harmless(file)}:${line})`)}`;
}

function errorLines(error: SottoError): string[] {
  return [`    ${error.code}: ${harmless(error.what)}: ${harmless(error.why)}`, `    next: ${harmless(error.next)}`];
}

function unopenedLines(error: SottoError | undefined): string[] {
  if (error === undefined) return [];
  return [`    values are not compared: ${error.code}: ${harmless(error.what)}: ${harmless(error.why)}`];
}

function refusedLines(change: Extract<Previewed, { kind: 'refused' }>, paint: Paint): string[] {
  const { error } = change;
  const where = formatPlace({ ...error.place, object: undefined });
  const object = error.place.object === undefined ? '' : `  ${harmless(error.place.object)}`;
  return [
    `${paint('red', '! refused')}${object}${where === '' ? '' : `  ${paint('dim', `(${harmless(where)})`)}`}`,
    ...errorLines(error),
    ...differenceLines(change, paint),
  ];
}

function differenceLines(
  { fields, keys, ...rest }: Differences & { readonly unopened?: SottoError | undefined },
  paint: Paint,
): string[] {
  return [
    ...fields.flatMap((field) => fieldLines(field, paint)),
    ...keyLines(keys, paint),
    ...unopenedLines(rest.unopened),
  ];
}

function fieldLines({ path, before, after }: FieldChange, paint: Paint): string[] {
  return [
    `    ${harmless(path)}`,
    ...(before === undefined ? [] : [paint('red', `      - ${shortText(before)}`)]),
    ...(after === undefined ? [] : [paint('green', `      + ${shortText(after)}`)]),
  ];
}

function shortText(value: Json): string {
  const text = harmless(stringifyJson(value));
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

const KEY_SIGNS = {
  added: ['green', '+', ''],
  removed: ['red', '-', ''],
  changed: ['yellow', '~', '  another value (values are never shown)'],
  unknown: ['dim', '?', '  whether its value differs is not known'],
} as const;

function keyLines(keys: readonly KeyChange[], paint: Paint): string[] {
  return keys.flatMap(({ key, change }) => {
    if (change === 'same') return [];
    const [style, sign, more] = KEY_SIGNS[change];
    return [paint(style, `    ${sign} key ${harmless(key)}${more}`)];
  });
}

const COUNTED = [
  ['create', 'to create'],
  ['change', 'to change'],
  ['recreate', 'to recreate'],
  ['prune', 'to prune'],
  ['kept', 'kept'],
  ['refused', 'refused'],
  ['unknown', 'not known'],
  ['rewritten', 'the same, written anew'],
] as const;
const ALWAYS_COUNTED: ReadonlySet<string> = new Set(['create', 'change', 'prune', 'refused']);

/** Counts, and what is not in them. */
export function diffSummary({ changes, unchanged, suspended, prunesShown, hasKeys }: Preview): string[] {
  const count = (kind: Previewed['kind']): number => changes.filter((change) => change.kind === kind).length;
  const counts = COUNTED.filter(([kind]) => ALWAYS_COUNTED.has(kind) || count(kind) > 0);
  const isNothing = changes.every(
    (change) => change.kind === 'rewritten' || (change.kind === 'kept' && change.error === undefined),
  );
  return [
    isNothing
      ? `nothing to do: ${unchanged + count('rewritten')} objects are as in the checkout`
      : [...counts.map(([kind, text]) => `${count(kind)} ${text}`), `${unchanged} unchanged`].join(', '),
    ...suspended.map((sync) => `sync ${harmless(sync)} is suspended: nothing of it is done before it is resumed`),
    ...(hasKeys || count('unknown') === 0 ? [] : ['values are not compared without a key: --key-file']),
    ...(prunesShown ? [] : ['what left Git is not shown: prunes are left out with --sync']),
  ];
}

/**
 * How the command ends for each of them; the strongest counts. Whoever brings no key compares structure and knows it; a
 * key that opens nothing is a finding.
 */
export function exitOfChange(change: Previewed, hasKeys: boolean): ExitCode {
  switch (change.kind) {
    case 'prune':
    case 'recreate':
      return EXIT.findings;
    case 'create':
    case 'change':
      return change.unopened === undefined || !hasKeys ? EXIT.findings : exitOfFinding(change.unopened.code);
    case 'unknown':
      return hasKeys ? exitOfFinding(change.unopened.code) : EXIT.ok;
    case 'held':
    case 'refused':
      return exitOfFinding(change.error.code);
    case 'rewritten':
      return EXIT.ok;
    case 'kept':
      break;
  }
  return change.error === undefined ? EXIT.ok : exitOfFinding(change.error.code);
}
