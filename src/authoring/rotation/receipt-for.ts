import { setImmediate as nextTurn } from 'node:timers/promises';
import { rfc3339 } from '../../core/clock.ts';
import { SottoError } from '../../core/errors.ts';
import { blobIdOf } from '../../git/blob-id.ts';
import type { ReceiptSigner } from '../../keys/receipt-key.ts';
import { documentsOf, type EncryptedDocuments } from './documents.ts';
import { readReceipt } from './read-receipt.ts';
import { type Receipt, RECEIPT_FILE, type ReceiptEntry, signReceipt } from './receipt.ts';
import { reviewRotation, type RotationReceipt } from './review.ts';

/** A rotation that was prepared: everything opened, encrypted anew, opened again and compared. */
export interface PreparedRotation {
  /** The commit that `before` was read from. */
  readonly parent: string;
  readonly at: Date;
  /** Of the agent. */
  readonly namespace: string;
  readonly keys: Receipt['keys'];
  readonly before: EncryptedDocuments;
  /** What `prepareRotation` has made: new content by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** As `openingKeys` gives it. */
  readonly openedBy: ReadonlyMap<string, readonly string[]>;
}

/** Files that are judged in one go: a few milliseconds for each. */
const BATCH = 10;

/**
 * The content of RECEIPT_FILE for a rotation. The files are judged as by whoever reviews them without a key, so that no
 * receipt is signed that its own check would not take. The agent goes on with everything else between them. Throws
 * SOTTO-ROTATE-046.
 */
export async function receiptFor(rotation: PreparedRotation, signer: ReceiptSigner): Promise<Buffer> {
  const { parent, at, namespace, keys, files } = rotation;
  const old = contentsOf(rotation.before);
  const paths = [...files.keys()].toSorted(byCodeUnit);
  const entries: ReceiptEntry[] = [];
  for (let start = 0; start < paths.length; start += BATCH) {
    await nextTurn();
    entries.push(...entriesFor(rotation, old, paths.slice(start, start + BATCH)));
  }
  const content = signReceipt({ parent, at: rfc3339(at), namespace, keys, files: entries }, signer);
  const read = readReceipt(content);
  if (typeof read === 'string') throw noReceipt(`nobody would read it: ${read}`, RECEIPT_FILE);
  return content;
}

/** Of some of the files, judged with all rules beside them. */
function entriesFor(
  { before, files, openedBy }: PreparedRotation,
  old: ReadonlyMap<string, Uint8Array>,
  paths: readonly string[],
): ReceiptEntry[] {
  const pick = (from: ReadonlyMap<string, Uint8Array>): (readonly [string, Uint8Array])[] =>
    [...paths, ...before.policies.map(({ path }) => path)].flatMap((path) => {
      const content = from.get(path);
      return content === undefined ? [] : [[path, content] as const];
    });
  const then = documentsOf(new Map(pick(old)), '');
  const now = documentsOf(new Map([...pick(old), ...pick(files)]), '');
  const changed = paths.map((path) => ({ path, isSameMode: true }));
  const { receipts, findings } = reviewRotation(then, now, changed);
  const [finding] = findings;
  if (finding !== undefined) throw noReceipt(`the new content ${finding.finding}`, finding.file);
  return receipts.map((receipt) => {
    const [was, is] = [old.get(receipt.file), files.get(receipt.file)];
    if (was === undefined || is === undefined) throw noReceipt('nothing is known of its content', receipt.file);
    return entryOf(receipt, blobIdOf(was), blobIdOf(is), openedBy.get(receipt.file) ?? []);
  });
}

function entryOf(
  { file: path, kind, added, removed, values }: RotationReceipt,
  before: string,
  after: string,
  openedBy: readonly string[],
): ReceiptEntry {
  if (kind === 'rules') return { path, kind, before, after, added, removed };
  if (openedBy.length === 0) throw noReceipt('nothing says which key opened it', path);
  return { path, kind, before, after, added, removed, openedBy, values };
}

function contentsOf({ policies, sops, sealed }: EncryptedDocuments): Map<string, Uint8Array> {
  return new Map([
    ...[...policies, ...sealed].map(({ path, text }) => [path, Buffer.from(text)] as const),
    ...sops.map(({ file }) => [file.name, file.bytes] as const),
  ]);
}

/** As the receipt is sorted. */
function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function noReceipt(why: string, file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-046',
    what: 'no receipt was signed for the rotation, so nothing was committed',
    why,
    next: 'look at the file: a rotation changes keys and ciphertext only; if it is in order, this is a defect of sotto',
    file,
  });
}
