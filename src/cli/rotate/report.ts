import type { RotationRow } from '../../authoring/rotation/rows.ts';
import { jsonText, table } from '../output.ts';
import type { exposureJson } from './exposure-report.ts';

export function planTable(rows: readonly RotationRow[]): string {
  const cells = rows.map(({ file, kind, recipients, openedBy, change }) => [
    file,
    kind,
    kind === 'rules' ? '-' : (openedBy ?? 'no key at hand'),
    change,
    recipients.join(', '),
  ]);
  return table(['FILE', 'KIND', 'OPENED BY', 'CHANGE', 'RECIPIENTS'], cells);
}

export function planJson(rows: readonly RotationRow[], exposure?: ReturnType<typeof exposureJson>): string {
  const documents = rows.map(({ openedBy, ...row }) => ({ ...row, openedBy: openedBy ?? null }));
  return jsonText({ schema: 'sotto.dev/rotation/v1alpha1', documents, exposure });
}
