import {
  describeValue,
  type OpenedValue,
  openOrMake,
  openValue,
  type ValueOpening,
  type ValueSource,
} from '../change-values.ts';
import type { CommandContext } from '../context.ts';
import { say } from '../output.ts';
import { openUp, type Up, type UpFlags } from './open-up.ts';
import { sendValue } from './send-value.ts';

/** Where a change of a value goes, and how its file is opened for that. */
export interface ValuePlace {
  readonly opening: ValueOpening;
  /** Undefined: into the file on the disk. */
  readonly up: Up | undefined;
  readonly open: (source?: ValueSource) => Promise<OpenedValue>;
}

export async function placeOf(
  opening: ValueOpening & { readonly flags: UpFlags },
  context: CommandContext,
): Promise<ValuePlace> {
  const up = await openUp(opening.file, opening.flags, context);
  const opener = opening.anything === true ? openValue : openOrMake;
  return { opening, up, open: (source = up?.source) => opener(context, opening, source) };
}

/** Puts what `edit` makes of the clear text where it belongs, and says so. Throws SottoError. */
export async function writeValue(
  { up, open, opening }: ValuePlace,
  opened: OpenedValue,
  verb: string,
  edit: (opened: OpenedValue) => string,
  context: CommandContext,
): Promise<void> {
  const key = opening.path;
  const isWritten = await (up === undefined
    ? opened.write(edit(opened))
    : sendValue(up, opened, { key, verb, open, edit }, context));
  if (!isWritten) return say(context, `${opened.name}: nothing changed, nothing written`);
  const note = opened.isBase64 ? ' (base64, as data of a Secret has to be)' : '';
  const made = opened.isNew ? ' to a new file' : '';
  await say(context, `${describeValue(opened, key)}: ${up === undefined ? 'written' : 'committed'}${made}${note}`);
}
