import type { Code } from '../../core/codes.ts';
import type { ReceiptKeyName } from '../../core/receipt-key.ts';
import { recipientsOf } from '../coverage.ts';
import type { SealedFile } from '../sealed-file.ts';
import type { EncryptedDocuments } from './documents.ts';
import { readReceipt, type SignedReceipt } from './read-receipt.ts';
import { type Receipt, RECEIPT_FILE, type ReceiptEntry } from './receipt.ts';
import type { RotationReceipt } from './review.ts';

/** The commit that a receipt is held against. */
export interface ReceiptSubject {
  readonly parent: string;
  /** Everything it changes but the receipt itself. */
  readonly changed: readonly { readonly path: string; readonly before: string; readonly after: string }[];
  /** What shows of its files without a key. */
  readonly reviewed: readonly RotationReceipt[];
  readonly before: EncryptedDocuments;
}

export interface ReceiptFinding {
  readonly file: string;
  readonly code: Code;
  readonly finding: string;
}

export interface ReceiptVerdict {
  /** Undefined for a file that is none, or whose signature is not good: nothing it says counts. */
  readonly signed: SignedReceipt | undefined;
  readonly findings: readonly ReceiptFinding[];
}

/**
 * Whether the receipt that a commit brings is one for exactly this commit. It needs no key, and takes nothing on trust
 * but that whoever signed has opened and compared. `pinned`: by whom it has to be signed; undefined: by anybody. Pure.
 */
export function verifyReceipt(
  content: Uint8Array,
  pinned: ReceiptKeyName | undefined,
  subject: ReceiptSubject,
): ReceiptVerdict {
  const signed = readReceipt(content);
  if (typeof signed === 'string') return noReceipt(signed);
  const { receipt, key, isGenuine } = signed;
  if (!isGenuine)
    return {
      signed: undefined,
      findings: [ofReceipt('SOTTO-ROTATE-041', `its signature is not one of ${key} over it`)],
    };
  const findings: ReceiptFinding[] = [];
  if (pinned !== undefined && key !== pinned)
    findings.push(ofReceipt('SOTTO-ROTATE-042', `is signed by ${key}, and ${pinned} is pinned`));
  const files = fileFindings(receipt, subject);
  if (receipt.parent !== subject.parent) findings.push(ofReceipt('SOTTO-ROTATE-044', otherParent(receipt, files)));
  return { signed, findings: [...findings, ...files] };
}

/** Of what stands in the place of a receipt and is none. */
export function noReceipt(why: string): ReceiptVerdict {
  return { signed: undefined, findings: [ofReceipt('SOTTO-ROTATE-040', `is no receipt: ${why}`)] };
}

export function ofReceipt(code: Code, finding: string): ReceiptFinding {
  return { file: RECEIPT_FILE, code, finding };
}

function otherParent({ parent }: Receipt, files: readonly ReceiptFinding[]): string {
  const made = `was made on top of ${parent.slice(0, 12)}, and this commit is not`;
  return files.length === 0
    ? `${made}: rebased or cherry-picked, with every file of it as it was; it says nothing of what else is there`
    : `${made}: it belongs to another commit`;
}

function fileFindings(receipt: Receipt, subject: ReceiptSubject): ReceiptFinding[] {
  const entries = new Map(receipt.files.map((entry) => [entry.path, entry]));
  const changed = new Set(subject.changed.map(({ path }) => path));
  const reviewed = new Map(subject.reviewed.map((each) => [each.file, each]));
  const olds = new Map(subject.before.sops.map(({ file }) => [file.name, file]));
  const found = subject.changed.map(({ path, before, after }) => {
    const entry = entries.get(path);
    if (entry === undefined) return { path, finding: 'is changed, and the receipt has no entry for it' };
    return { path, finding: difference(entry, { before, after }, reviewed.get(path), olds.get(path)) };
  });
  const missing = receipt.files.filter(({ path }) => !changed.has(path));
  return [
    ...found,
    ...missing.map(({ path }) => ({ path, finding: 'has an entry in the receipt, and the commit does not change it' })),
  ].flatMap(({ path, finding }) =>
    finding === undefined ? [] : [{ file: path, code: 'SOTTO-ROTATE-043' as const, finding }],
  );
}

/** In what a file is not as its entry says; undefined when in nothing. */
function difference(
  entry: ReceiptEntry,
  { before, after }: { readonly before: string; readonly after: string },
  reviewed: RotationReceipt | undefined,
  old: SealedFile | undefined,
): string | undefined {
  if (entry.before !== before) return 'was another content before than the receipt says';
  if (entry.after !== after) return 'has another content than the receipt says';
  // What is no rotation of this file is found by the review.
  if (reviewed === undefined) return undefined;
  const values = entry.kind === 'rules' ? 0 : entry.values;
  const [said, seen] = [
    [entry.kind, values, entry.added, entry.removed],
    [reviewed.kind, reviewed.values, reviewed.added, reviewed.removed],
  ];
  if (JSON.stringify(said) !== JSON.stringify(seen)) return 'has other recipients or values than the receipt says';
  if (entry.kind !== 'SOPS' || old === undefined) return undefined;
  const recipients = recipientsOf(old).groups.flat();
  const strange = entry.openedBy.find((name) => name.startsWith('age1') && !recipients.includes(name));
  return strange === undefined ? undefined : `was not encrypted for ${strange}, which the receipt says has opened it`;
}
