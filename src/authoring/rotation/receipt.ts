import type { ReceiptKeyName } from '../../core/receipt-key.ts';
import type { ReceiptSigner } from '../../keys/receipt-key.ts';

/** Where a rotation puts its receipt, from the root of the repository. No sync reads it: the folder has a dot. */
export const RECEIPT_FILE = '.sotto/rotation.json';
export const RECEIPT_SCHEMA = 'sotto.dev/rotation-receipt/v1alpha1';

interface ReceiptFile {
  /** From the root of the repository. */
  readonly path: string;
  /** Ids of git of the content before and after. */
  readonly before: string;
  readonly after: string;
  /** Age recipients that came and went. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** What whoever rotated says of one file. */
export type ReceiptEntry = ReceiptFile &
  (
    | {
        readonly kind: 'SOPS' | 'SealedSecret';
        /** Public names of the keys that opened it: age recipients, fingerprints. */
        readonly openedBy: readonly string[];
        /** Encrypted values: all with new ciphertext, opened again and equal to those of before. */
        readonly values: number;
      }
    | { readonly kind: 'rules' }
  );

export interface Receipt {
  /** The commit that everything was read from. */
  readonly parent: string;
  /** RFC 3339, whole seconds. */
  readonly at: string;
  /** Of the agent. */
  readonly namespace: string;
  /** Public names of the keys that give way and of those that come. */
  readonly keys: { readonly old: readonly string[]; readonly made: readonly string[] };
  /** Sorted by path, each once. */
  readonly files: readonly ReceiptEntry[];
}

/**
 * The bytes of the file: JSON in one form only, so that every byte of it counts, with a line for each file of the
 * rotation. Signed is all of it but the last member.
 */
export function signReceipt(receipt: Receipt, signer: ReceiptSigner): Buffer {
  const text = signedText(receipt);
  return Buffer.concat([text, signatureText(signer.name, signer.sign(text))]);
}

export function signedText({ parent, at, namespace, keys, files }: Receipt): Buffer {
  const head = { schema: RECEIPT_SCHEMA, parent, at, agent: { namespace }, keys: { old: keys.old, made: keys.made } };
  const members = Object.entries(head).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)},\n`);
  const entries = files.map((entry) => JSON.stringify(entryJson(entry))).join(',\n');
  return Buffer.from(`{\n${members.join('')}"files": [\n${entries}\n],\n`);
}

export function signatureText(key: ReceiptKeyName, signature: Uint8Array): Buffer {
  const value = Buffer.from(signature).toString('base64');
  return Buffer.from(`"signature": ${JSON.stringify({ key, value })}\n}\n`);
}

/** What is always so is said too: people read it. */
function entryJson(entry: ReceiptEntry): object {
  const { path, kind, before, after, added, removed } = entry;
  const file = { path, kind, before, after, added, removed };
  if (entry.kind === 'rules') return file;
  return { ...file, openedBy: entry.openedBy, values: entry.values, reencrypted: true, equal: true };
}
