import type { RecipientChange } from '../agent/preview/previewed.ts';
import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { looksEncrypted, parseSopsFile } from '../sops/file.ts';
import { holderOf } from '../sops/key-entry.ts';
import type { FileTree, WorkingFile } from './working-tree.ts';

/**
 * For whom files are encrypted now and were not before, and the other way round: public, and what a review should see,
 * because whoever may push could add a recipient and wait. Files that are new or cannot be read tell nothing here.
 */
export async function recipientChanges(
  files: readonly WorkingFile[],
  before: Pick<FileTree, 'read'>,
): Promise<RecipientChange[]> {
  const changes: RecipientChange[] = [];
  for (const { path, bytes } of files) {
    const now = recipientsIn(path, bytes);
    if (now === undefined) continue;
    const old = await before.read(path, LIMITS.maxFileBytes);
    const then = old instanceof Uint8Array ? recipientsIn(path, old) : undefined;
    if (then === undefined) continue;
    const added = now.filter((recipient) => !then.includes(recipient));
    const removed = then.filter((recipient) => !now.includes(recipient));
    if (added.length + removed.length > 0) changes.push({ file: path, added, removed });
  }
  return changes;
}

function recipientsIn(path: string, bytes: Uint8Array): string[] | undefined {
  const text = Buffer.from(bytes).toString('utf8');
  if (!looksEncrypted(text)) return undefined;
  try {
    const { groups } = parseSopsFile(text, path.endsWith('.json') ? 'json' : 'yaml', path).metadata;
    return [...new Set(groups.flat().map((entry) => holderOf(entry).trim()))];
  } catch (thrown) {
    // Its fault is told where it is opened.
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
}
