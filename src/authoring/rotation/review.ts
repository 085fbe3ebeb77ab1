import { asSottoError } from '../../core/errors.ts';
import { sealedDocuments, withItems } from '../reseal-sealed.ts';
import { decodeBlob } from '../../sealed/blob.ts';
import { byteLength } from '../../sops/enc.ts';
import { metadataOf } from '../../sops/rekey.ts';
import { withoutBlock } from '../../sops/replace-block.ts';
import { withReplaced } from '../sops-config.ts';
import { coverageOf, recipientsOf } from '../coverage.ts';
import { differences } from '../coverage.ts';
import type { CommittedPolicy, EncryptedDocuments, SealedSecretFile, SopsDocument } from './documents.ts';

/** A file of a commit that does more than a rotation. */
export interface RotationFinding {
  readonly file: string;
  readonly finding: string;
}

/** What a commit did with a file, as far as it shows without a key. */
export interface RotationReceipt {
  readonly file: string;
  readonly kind: 'SOPS' | 'SealedSecret' | 'rules';
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Encrypted values, all with new ciphertext of the same length and type. */
  readonly values: number;
}

export interface RotationReview {
  readonly receipts: readonly RotationReceipt[];
  readonly findings: readonly RotationFinding[];
}

/**
 * Whether a commit changes keys and ciphertext and nothing else, without a key. What shows: that text, structure, types
 * and lengths are as before, that every ciphertext is new, and that recipients are those of .sops.yaml. That values are
 * equal only a key can show. Pure.
 */
export function reviewRotation(
  before: EncryptedDocuments,
  after: EncryptedDocuments,
  changed: readonly { readonly path: string; readonly isSameMode: boolean }[],
): RotationReview {
  const receipts: RotationReceipt[] = [];
  const findings: RotationFinding[] = [];
  const pairs = new Map(after.sops.map((document) => [document.file.name, document]));
  const olds = new Map(before.sops.map((document) => [document.file.name, document]));
  const sealed = new Map(after.sealed.map((file) => [file.path, file]));
  const oldSealed = new Map(before.sealed.map((file) => [file.path, file]));
  const rules = new Map(after.policies.map((policy) => [policy.path, policy]));
  const oldRules = new Map(before.policies.map((policy) => [policy.path, policy]));
  for (const { path, isSameMode } of changed) {
    const result = attempt(() => {
      if (!isSameMode) return 'has another mode, or was added or removed';
      const [sops, oldSops] = [pairs.get(path), olds.get(path)];
      if (sops !== undefined && oldSops !== undefined) return reviewSops(oldSops, sops);
      const [now, then] = [sealed.get(path), oldSealed.get(path)];
      if (now !== undefined && then !== undefined) return reviewSealed(then, now);
      const [rule, oldRule] = [rules.get(path), oldRules.get(path)];
      if (rule !== undefined && oldRule !== undefined) return reviewRules(oldRule, rule);
      return 'is not an encrypted file before and after, so a rotation would not change it';
    });
    if (typeof result === 'string') findings.push({ file: path, finding: result });
    else receipts.push(result);
  }
  const pair = pairOf(receipts);
  const isOff = (receipt: RotationReceipt): boolean => otherPair(receipt, pair) !== undefined;
  return {
    receipts: receipts.filter((receipt) => !isOff(receipt)),
    findings: [
      ...findings,
      ...receipts.flatMap((receipt) => {
        const finding = otherPair(receipt, pair);
        return finding === undefined ? [] : { file: receipt.file, finding };
      }),
    ],
  };
}

/** Who came and who went in a commit: as its rules say, else as the first of its files. */
function pairOf(receipts: readonly RotationReceipt[]): RotationReceipt | undefined {
  const isPair = ({ added, removed }: RotationReceipt): boolean => added.length === 1 && removed.length === 1;
  return receipts.find((receipt) => receipt.kind === 'rules' && isPair(receipt)) ?? receipts.find(isPair);
}

/** A rotation puts one recipient in the place of another, the same in every file; undefined when that is so. */
function otherPair({ added, removed }: RotationReceipt, pair: RotationReceipt | undefined): string | undefined {
  const [came, went] = [added, removed].map((names) => names.join(', '));
  if (added.length === 0 && removed.length === 0) return undefined;
  if (removed.length !== 1 || added.length > 1)
    return `does not put one recipient in the place of another: came ${came || 'nobody'}; went ${went || 'nobody'}`;
  // The new key was a recipient of the file before.
  const isSame = removed[0] === pair?.removed[0] && (added.length === 0 || added[0] === pair?.added[0]);
  if (isSame || (added.length === 0 && pair === undefined)) return undefined;
  return `came ${came || 'nobody'} in the place of ${went}, and elsewhere in this commit it is ${pair?.added[0] ?? ''} in the place of ${pair?.removed[0] ?? ''}`;
}

function attempt(review: () => RotationReceipt | string): RotationReceipt | string {
  try {
    return review();
  } catch (thrown) {
    const { code, what, why } = asSottoError(thrown);
    return `cannot be read (${code}): ${what}: ${why}`;
  }
}

function reviewSops(before: SopsDocument, after: SopsDocument): RotationReceipt | string {
  const { file } = after;
  const [old, made] = [before.file, file].map(({ text, format, name }) => bare(withoutBlock(text, format, name)));
  if (old === undefined || made === undefined || before.file.format !== file.format) return 'has another format';
  if (old.text !== made.text) return 'differs in more than ciphertext: in text, or in type or length of a value';
  const known = new Set(old.tokens);
  if (made.tokens.some((token) => known.has(token)))
    return 'has a value with the ciphertext of before: its data key is not new';
  const [then, now] = [before.file, file].map(({ text, format, name }) => metadataOf({ text, format, file: name }));
  const isSame =
    JSON.stringify([then?.selector, then?.macOnlyEncrypted]) === JSON.stringify([now?.selector, now?.macOnlyEncrypted]);
  if (!isSame) return 'selects other values for encryption than before';
  const coverage = after.policy && coverageOf(file, after.policy.policy);
  const off = coverage === undefined || 'error' in coverage ? [] : differences(coverage);
  if (coverage !== undefined && !('error' in coverage) && coverage.rule === undefined)
    return 'is named by no rule of .sops.yaml';
  if (off[0] !== undefined) return off[0];
  const [had, has] = [recipientsOf(before.file), recipientsOf(file)].map(({ groups }) => groups.flat());
  const added = (has ?? []).filter((name) => !(had ?? []).includes(name));
  const removed = (had ?? []).filter((name) => !(has ?? []).includes(name));
  return { file: file.name, kind: 'SOPS', added, removed, values: made.tokens.length };
}

const TOKEN = /ENC\[AES256_GCM,data:([A-Za-z0-9+/=]*),iv:[A-Za-z0-9+/=]+,tag:[A-Za-z0-9+/=]+,type:(\w+)\]/g;

/** Ciphertext by type and length, which GCM leaves as they are. */
function bare(text: string): { readonly text: string; readonly tokens: readonly string[] } {
  const tokens: string[] = [];
  const bareText = text.replaceAll(TOKEN, (token: string, data: string, type: string) => {
    tokens.push(token);
    return `ENC[${data === '' ? 0 : byteLength(data)},${type}]`;
  });
  return { text: bareText, tokens };
}

function reviewSealed(before: SealedSecretFile, after: SealedSecretFile): RotationReceipt | string {
  const [old, made] = [before, after].map(withoutItems);
  if (old === undefined || made === undefined || old.text !== made.text)
    return 'differs in more than ciphertext: in text, or in the length of a value';
  const known = new Set(old.items);
  if (made.items.some((item) => known.has(item))) return 'has an item that is sealed as before';
  return { file: after.path, kind: 'SealedSecret', added: [], removed: [], values: made.items.length };
}

function withoutItems({ text, path }: SealedSecretFile): { readonly text: string; readonly items: readonly string[] } {
  // Where a SealedSecret names no namespace, any will do to read its items.
  const documents = sealedDocuments(text, path, 'any');
  const items = documents.flatMap(({ sealed }) => sealed.items.map((item) => item.text));
  // By its place: lines of it may be broken, and the same text may stand elsewhere.
  const bareText = withItems(text, path, documents, (item) => `SEALED${decodeBlob(item).body.length}`);
  return { text: bareText, items };
}

/** One recipient in the place of another, wherever it stood; or in the place beside it. */
function reviewRules(before: CommittedPolicy, after: CommittedPolicy): RotationReceipt | string {
  const [had, has] = [before, after].map(({ policy }) => [
    ...new Set(policy.rules.flatMap(({ groups }) => groups.flat())),
  ]);
  const added = (has ?? []).filter((name) => !(had ?? []).includes(name));
  const removed = (had ?? []).filter((name) => !(has ?? []).includes(name));
  const [old, second] = removed;
  const candidates = added.length === 0 && old !== undefined ? stayedFor(old, before, after) : added;
  const [made] = candidates;
  if (made === undefined || old === undefined || added.length > 1 || second !== undefined)
    return 'does not put one recipient in the place of another';
  const isSo = (name: string): boolean =>
    withReplaced(before.text, before.path, { field: 'age', text: old }, name) === after.text;
  if (!candidates.some(isSo)) return 'differs in more than that recipient';
  return { file: after.path, kind: 'rules', added, removed, values: 0 };
}

const MOST_TRIED = 20;

/** Who is named now wherever the old recipient was: one of them has its place. */
function stayedFor(old: string, before: CommittedPolicy, after: CommittedPolicy): string[] {
  const had = before.policy.rules.flatMap(({ groups }, rule) =>
    groups.flatMap((names, group) => (names.includes(old) ? [after.policy.rules[rule]?.groups[group] ?? []] : [])),
  );
  const [first, ...others] = had.map((names) => new Set(names));
  return [...(first ?? [])].filter((name) => others.every((names) => names.has(name))).slice(0, MOST_TRIED);
}
