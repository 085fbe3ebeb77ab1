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

/**
 * The content of RECEIPT_FILE for a rotation. The files are judged as by whoever reviews them without a key, so that no
 * receipt is signed that its own check would not take. Pure. Throws SOTTO-ROTATE-046.
 */
export function receiptFor(rotation: PreparedRotation, signer: ReceiptSigner): Buffer {
  const { parent, at, namespace, keys, before, files, openedBy } = rotation;
  const old = contentsOf(before);
  const changed = [...files.keys()].toSorted(byCodeUnit).map((path) => ({ path, isSameMode: true }));
  const after = documentsOf(new Map([...old, ...files]), '');
  const { receipts, findings } = reviewRotation(before, after, changed);
  const [finding] = findings;
  if (finding !== undefined) throw noReceipt(`the new content ${finding.finding}`, finding.file);
  const entries = receipts.map((receipt): ReceiptEntry => {
    const [then, now] = [old.get(receipt.file), files.get(receipt.file)];
    if (then === undefined || now === undefined) throw noReceipt('nothing is known of its content', receipt.file);
    return entryOf(receipt, blobIdOf(then), blobIdOf(now), openedBy.get(receipt.file) ?? []);
  });
  const content = signReceipt({ parent, at: rfc3339(at), namespace, keys, files: entries }, signer);
  const read = readReceipt(content);
  if (typeof read === 'string') throw noReceipt(`nobody would read it: ${read}`, RECEIPT_FILE);
  return content;
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
