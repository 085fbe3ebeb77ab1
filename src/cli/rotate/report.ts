import type { RotationRow } from '../../authoring/rotation/rows.ts';
import { jsonText, table } from '../output.ts';
import { harmless } from '../terminal.ts';
import type { exposureJson } from './exposure-report.ts';

/** Every key is written out once, below, in full: a shortened one is one that somebody else can have too. */
export function planTable(rows: readonly RotationRow[], old?: string): string {
  const keys = [...new Set(rows.flatMap(({ recipients, openedBy }) => [...recipients, ...namesIn(openedBy)]))];
  const marks = (names: readonly string[]): string => names.map((name) => `[${keys.indexOf(name) + 1}]`).join(' ');
  const cells = rows.map(({ file, kind, recipients, openedBy, change }) => [
    file,
    kind,
    kind === 'rules' ? '-' : openedBy === undefined ? 'no key' : marks(namesIn(openedBy)),
    change,
    marks(recipients),
  ]);
  const legend = keys.map((key) => `${marks([key])} ${harmless(key)}${key === old ? '  gives way' : ''}\n`);
  const shown = table(['FILE', 'KIND', 'OPENED BY', 'CHANGE', 'FOR'], cells);
  return [shown, ...(legend.length === 0 ? [] : ['\n']), ...legend].join('');
}

function namesIn(openedBy: string | undefined): string[] {
  return openedBy === undefined ? [] : openedBy.split(' and ');
}

export function planJson(rows: readonly RotationRow[], exposure?: ReturnType<typeof exposureJson>): string {
  const documents = rows.map(({ openedBy, ...row }) => ({ ...row, openedBy: openedBy ?? null }));
  return jsonText({ schema: 'sotto.dev/rotation/v1alpha1', documents, exposure });
}
