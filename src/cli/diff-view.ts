import type { Preview, Previewed } from '../agent/preview.ts';
import { formatPlace } from '../core/errors.ts';
import { type Json, stringifyJson } from '../core/json.ts';
import { harmless, type Paint } from './terminal.ts';

const MAX_TEXT = 200;

/** What a pass would do, for people. Values of Secrets are not in it, because the preview has none. */
export function diffText(found: Preview, paint: Paint): string {
  const lines = found.changes.flatMap((change) => changeLines(change, paint));
  return [...lines, ...(lines.length === 0 ? [] : ['']), summary(found), ''].join('\n');
}

function changeLines(change: Previewed, paint: Paint): string[] {
  switch (change.kind) {
    case 'create':
      return [`${paint('green', '+ create')}  ${harmless(change.object)}  ${place(change, paint)}`];
    case 'prune':
      return [`${paint('red', '- prune')}   ${harmless(change.object)}  ${paint('dim', '(not in the checkout)')}`];
    case 'refused':
      return refusedLines(change, paint);
    case 'change':
      break;
  }
  return [
    `${paint('yellow', '~ change')}  ${harmless(change.object)}  ${place(change, paint)}`,
    ...change.fields.flatMap((field) => fieldLines(field, paint)),
    ...secretLines(change, paint),
  ];
}

function place({ file, line }: { readonly file: string; readonly line: number }, paint: Paint): string {
  return paint('dim', `(${harmless(file)}:${line})`);
}

function refusedLines({ error }: Extract<Previewed, { kind: 'refused' }>, paint: Paint): string[] {
  const where = formatPlace({ ...error.place, object: undefined });
  const object = error.place.object === undefined ? '' : `  ${harmless(error.place.object)}`;
  return [
    `${paint('red', '! refused')}${object}  ${paint('dim', `(${harmless(where)})`)}`,
    `    ${error.code}: ${harmless(error.what)}: ${harmless(error.why)}`,
    `    next: ${harmless(error.next)}`,
  ];
}

interface Field {
  readonly path: string;
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

function fieldLines({ path, before, after }: Field, paint: Paint): string[] {
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

const VALUES = {
  changed: 'at least one value differs (values are never shown)',
  same: 'every value is the same',
  unknown: 'whether values differ needs a key: --key-file',
} as const;

function secretLines({ keys, values }: Extract<Previewed, { kind: 'change' }>, paint: Paint): string[] {
  if (values === undefined) return [];
  const named = keys.filter(({ change }) => change !== 'same' && change !== 'changed or same');
  const styles = { added: 'green', removed: 'red' } as const;
  const lines = named.flatMap(({ key, change }) =>
    change === 'added' || change === 'removed'
      ? [paint(styles[change], `    ${change === 'added' ? '+' : '-'} key ${harmless(key)}`)]
      : [],
  );
  return [...lines, `    ${VALUES[values]}`];
}

function summary({ changes, unchanged }: Preview): string {
  const count = (kind: Previewed['kind']): number => changes.filter((change) => change.kind === kind).length;
  if (changes.length === 0) return `nothing to do: ${unchanged} objects are as in the checkout`;
  return (
    `${count('create')} to create, ${count('change')} to change, ${count('prune')} to prune, ` +
    `${count('refused')} refused, ${unchanged} unchanged`
  );
}
