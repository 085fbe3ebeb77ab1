import type { Code } from '../../core/codes.ts';
import { SottoError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { isReceiptKeyName, type ReceiptKeyName } from '../../core/receipt-key.ts';
import { RECEIPT_FILE } from '../../authoring/rotation/receipt.ts';
import { reviewRotation, type RotationReceipt } from '../../authoring/rotation/review.ts';
import {
  noReceipt,
  ofReceipt,
  type ReceiptFinding,
  type ReceiptSubject,
  type ReceiptVerdict,
  verifyReceipt,
} from '../../authoring/rotation/verify-receipt.ts';
import { type Checkout, openCheckout, runInCheckout, textOf } from '../../git/checkout.ts';
import { type CommitId, isCommitId } from '../../git/output.ts';
import { type ChangedPath, changedPaths } from '../../git/push.ts';
import { listCommit, readFiles } from '../../git/read-commit.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { jsonText, say, table, writeData } from '../output.ts';
import { pinnedReceiptKey } from '../sealing-pin.ts';
import { readDocuments } from './documents.ts';

export interface ReviewFlags {
  readonly output?: 'json';
  readonly receiptKey?: string;
  readonly requireReceipt?: true;
}

/** What a commit did, as far as it shows without a key; and what its receipt, if it brings one, says besides. */
interface Review {
  readonly commit: CommitId;
  readonly parent: CommitId;
  readonly receipts: readonly RotationReceipt[];
  readonly findings: readonly { readonly file: string; readonly code: Code; readonly finding: string }[];
  /** Undefined: the commit brings none. */
  readonly verdict: ReceiptVerdict | undefined;
  readonly pinned: ReceiptKeyName | undefined;
}

/** `sotto check --rotation`: what a commit did with each file, and what of it is no rotation. */
export async function checkRotation(revision: string, flags: ReviewFlags, context: CommandContext): Promise<void> {
  const checkout = await openCheckout(context.cwd, context.env, context.signal);
  const review = await reviewCommit(checkout, revision, flags, context);
  if (review.findings.length > 0) context.exitWith(EXIT.findings);
  if (flags.output === 'json') return writeData(context, jsonText(reviewJson(review)));
  const { commit, receipts, findings } = review;
  const rows = findings.map(({ file, code, finding }) => [file, code, finding]);
  if (rows.length > 0) await writeData(context, table(['FILE', 'CODE', 'FINDING'], rows));
  const values = receipts.reduce((sum, receipt) => sum + receipt.values, 0);
  const others = new Set(findings.map(({ file }) => file)).size;
  await say(
    context,
    `${commit.slice(0, 12)}: ${receipts.length} files only have other keys, ${values} values new ciphertext; ${others} are otherwise`,
  );
  for (const line of exchangedLines(receipts)) await say(context, line);
  for (const line of receiptLines(review)) await say(context, line);
}

/** Who came for whom, once for all files in which it is the same. */
function exchangedLines(receipts: readonly RotationReceipt[]): string[] {
  const counts = new Map<string, number>();
  for (const { added, removed } of receipts) {
    const [came, went] = [added, removed].map((names) => (names.length === 0 ? 'nobody' : names.join(', ')));
    const line = `${came} in the place of ${went}`;
    if (added.length + removed.length > 0) counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return [...counts].map(([line, files]) => `recipients: ${line}, in ${files} files`);
}

async function reviewCommit(
  checkout: Checkout,
  revision: string,
  flags: ReviewFlags,
  context: CommandContext,
): Promise<Review> {
  const commitAt = async (name: string): Promise<string> =>
    textOf(
      await runInCheckout(checkout, {
        args: ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`],
      }),
    );
  const [commit, parent] = [await commitAt(revision), await commitAt(`${revision}^1`)];
  if (!isCommitId(commit) || !isCommitId(parent)) throw noCommit(revision);
  const [before, after] = [await readDocuments(checkout, parent), await readDocuments(checkout, commit)];
  const paths = await changedPaths(checkout, parent, commit);
  const brought = paths.find(({ path, mode }) => path === RECEIPT_FILE && mode !== GONE);
  const changed = paths.filter((each) => each !== brought);
  const { receipts, findings } = reviewRotation(before, after, changed);
  const isRequired = flags.requireReceipt === true;
  // Settings are read only where they have a say.
  const pinned = brought !== undefined || isRequired ? await pinOf(flags, context) : undefined;
  const subject = { parent, changed, reviewed: receipts, before };
  const verdict = brought === undefined ? undefined : await verdictOn(checkout, commit, brought, pinned, subject);
  const all = [
    ...findings.map((each) => ({ ...each, code: 'SOTTO-ROTATE-018' as const })),
    ...(verdict?.findings ?? []),
    ...(isRequired ? unmet(verdict, pinned) : []),
  ];
  return { commit, parent, receipts, findings: all, verdict, pinned };
}

const GONE = '000000';

async function verdictOn(
  checkout: Checkout,
  commit: CommitId,
  { mode }: ChangedPath,
  pinned: ReceiptKeyName | undefined,
  subject: ReceiptSubject,
): Promise<ReceiptVerdict> {
  const stored = (await listCommit(checkout, commit)).find(({ path }) => path === RECEIPT_FILE);
  if (stored === undefined || !mode.startsWith('100')) return noReceipt('it is not a plain file');
  if (stored.sizeBytes > LIMITS.maxReceiptBytes) return noReceipt(`it has more than ${LIMITS.maxReceiptBytes} bytes`);
  const content = (await readFiles(checkout, [stored])).get(RECEIPT_FILE);
  return content === undefined ? noReceipt('it cannot be read') : verifyReceipt(content, pinned, subject);
}

/** What --require-receipt asks for besides. */
function unmet(verdict: ReceiptVerdict | undefined, pinned: ReceiptKeyName | undefined): ReceiptFinding[] {
  if (verdict === undefined) return [ofReceipt('SOTTO-ROTATE-045', 'is not in this commit, and is required')];
  if (verdict.signed === undefined || pinned !== undefined) return [];
  return [ofReceipt('SOTTO-ROTATE-042', `is signed by ${verdict.signed.key}, and no key is pinned`)];
}

/** What is told of the receipt besides findings. */
function receiptLines({ verdict, pinned }: Review): string[] {
  if (verdict === undefined) return ['no receipt: that values are equal only a key can show'];
  const { signed, findings } = verdict;
  if (signed === undefined) return ['the receipt says nothing that counts'];
  const { receipt, key } = signed;
  const who = `the agent of namespace ${receipt.namespace}, ${receipt.at}`;
  const whose = pinned === key ? 'which is pinned' : 'which this repository does not pin';
  const what =
    findings.length > 0 ? 'it is not for this commit as it is' : 'every file opened, and equal to what it was';
  const lines = [`receipt: signed by ${key}, ${whose}; ${who}: ${what}`];
  if (pinned !== undefined) return lines;
  return [
    ...lines,
    `note: anybody can make a key; compare with that of the agent: sotto keys export -n ${receipt.namespace}, or receipts.publicKey in sotto status -n ${receipt.namespace} -o json`,
    `note: if it is the same, put it into sotto.yaml: rotation: { receiptKey: "${key}" }`,
  ];
}

function reviewJson({ commit, parent, receipts, findings, verdict, pinned }: Review): object {
  const signed = verdict?.signed;
  const receipt = verdict && {
    file: RECEIPT_FILE,
    signedBy: signed?.key ?? null,
    pinned: pinned ?? null,
    // Not the signature alone: for this commit, and by whom it has to be.
    isVerified: signed !== undefined && pinned !== undefined && verdict.findings.length === 0,
    ...(signed === undefined ? {} : contentJson(signed.receipt)),
  };
  return { commit, parent, receipts, receipt: receipt ?? null, findings };
}

function contentJson({ parent, at, namespace, keys, files }: NonNullable<ReceiptVerdict['signed']>['receipt']): object {
  return { madeOn: parent, at, agent: { namespace }, keys, files };
}

async function pinOf({ receiptKey }: ReviewFlags, context: CommandContext): Promise<ReceiptKeyName | undefined> {
  if (receiptKey === undefined) return pinnedReceiptKey(context);
  if (isReceiptKeyName(receiptKey)) return receiptKey;
  throw new SottoError({
    code: 'SOTTO-CLI-001',
    what: '--receipt-key is no key that signs receipts',
    why: 'it has to be ed25519: and 44 characters of base64',
    next: 'sotto keys export -n NAMESPACE prints that of the agent',
  });
}

function noCommit(revision: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-120',
    what: `revision ${JSON.stringify(revision.slice(0, 100))} cannot be read`,
    why: 'this clone has no such commit, or it has none before it',
    next: 'git fetch, then name a branch, tag or commit that git log shows',
  });
}
