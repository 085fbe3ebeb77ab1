import { NO_KEY_FITS } from '../../agent/preview/open-files.ts';
import type { Rehearsal } from '../../agent/preview/rehearse.ts';
import { formatPlace, type SottoError } from '../../core/errors.ts';
import { jsonText, table } from '../output.ts';
import { harmless } from '../terminal.ts';
import type { Opening } from './verify.ts';

export interface Rehearsed {
  readonly commit: string;
  /** The recipient of the recovery identity, for the next command. */
  readonly recovery: string;
  readonly openings: readonly Opening[];
  /** Undefined: without a cluster. */
  readonly rehearsal: Rehearsal | undefined;
}

const WORDS = { taken: 'would be created', closed: 'not opened', refused: 'refused' } as const;

/** What opened each document and what became of each object; then what failed, with the next command. Pure. */
export function rehearsalText({ openings, rehearsal, recovery }: Rehearsed): string {
  const objects = rehearsal?.objects ?? [];
  const documents = openings.map(({ file, by, error }) => [file, by ?? error?.code ?? '']);
  const rows = objects.map(({ object, file, outcome, error }) => [
    object ?? '-',
    file ?? '-',
    error === undefined ? WORDS[outcome] : `${WORDS[outcome]} ${error.code}`,
  ]);
  return [
    documents.length === 0 ? '' : table(['DOCUMENT', 'OPENED BY'], documents),
    rows.length === 0 ? '' : table(['OBJECT', 'FILE', 'RESULT'], rows),
    ...openings.flatMap(({ file, error }) => (error === undefined ? [] : [problem(error.at({ file }), recovery)])),
    ...objects.flatMap(({ outcome, error }) =>
      outcome === 'refused' && error !== undefined ? [problem(error, recovery)] : [],
    ),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function problem(error: SottoError, recovery: string): string {
  const place = formatPlace(error.place);
  return [
    harmless(`${error.code}${place === '' ? '' : ` ${place}`}`),
    `  ${harmless(`${error.what}: ${error.why}`)}`,
    `  next: ${harmless(nextOf(error, recovery))}`,
    '',
  ].join('\n');
}

/** Whoever rehearses has not lost the key yet: it, or the file, can still be encrypted to the recovery recipient. */
function nextOf({ code, next }: SottoError, recovery: string): string {
  if (!NO_KEY_FITS.has(code)) return next;
  return `sotto keys backup --recipient ${recovery} --out keys.age, or sotto recipients add ${recovery}`;
}

export function rehearsalJson({ commit, openings, rehearsal, recovery }: Rehearsed, recorded: boolean): string {
  const document = {
    schema: 'sotto.dev/rehearsal/v1alpha1',
    commit,
    documents: openings.map(({ file, kind, by, error }) => ({
      file,
      kind,
      openedBy: by ?? null,
      ...failure(error, recovery),
    })),
    objects:
      rehearsal?.objects.map(({ object, file, outcome, error }) => ({
        object,
        file,
        outcome,
        ...failure(error, recovery),
      })) ?? null,
    recorded,
  };
  return jsonText(document);
}

function failure(error: SottoError | undefined, recovery: string) {
  if (error === undefined) return {};
  return { code: error.code, why: `${error.what}: ${error.why}`, next: nextOf(error, recovery) };
}
