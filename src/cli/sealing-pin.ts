import { join, relative } from 'node:path';
import type { ReceiptKeyName } from '../core/receipt-key.ts';
import { parseSettings } from '../settings/parse.ts';
import type { Settings } from '../settings/settings.ts';
import type { CommandContext } from './context.ts';
import { readInput, textOf } from './files.ts';
import { findUpwards } from './working-tree.ts';

/**
 * `sealing.certificate` of the sotto.yaml upwards from the working directory: the one certificate that may be sealed to
 * here. Undefined without one. Settings that cannot be read are an error, because nobody knows then what they pin.
 */
export async function pinnedCertificate(context: CommandContext): Promise<string | undefined> {
  return (await settingsHere(context))?.sealing.certificate;
}

/** `sealing.recovery` of the same file: to whom each new key is encrypted. */
export async function recoveryRecipients(context: CommandContext): Promise<readonly string[]> {
  return (await settingsHere(context))?.sealing.recovery ?? [];
}

/** `rotation.receiptKey` of the same file: by whom receipts of rotations have to be signed. */
export async function pinnedReceiptKey(context: CommandContext): Promise<ReceiptKeyName | undefined> {
  return (await settingsHere(context))?.rotation.receiptKey;
}

async function settingsHere(context: CommandContext): Promise<Settings | undefined> {
  const folder = await findUpwards(context.cwd, 'sotto.yaml');
  if (folder === undefined) return undefined;
  const path = join(folder, 'sotto.yaml');
  const parsed = parseSettings(textOf(await readInput(context, path)), relative(context.cwd, path));
  if (parsed.ok) return parsed.settings;
  const [problem] = parsed.problems;
  throw problem ?? new TypeError('settings without a problem');
}
