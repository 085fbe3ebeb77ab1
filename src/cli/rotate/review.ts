import { SottoError } from '../../core/errors.ts';
import { openCheckout, runInCheckout, textOf } from '../../git/checkout.ts';
import { isCommitId } from '../../git/output.ts';
import { changedPaths } from '../../git/push.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { say, table, writeData } from '../output.ts';
import { reviewRotation } from '../../authoring/rotation/review.ts';
import { readDocuments } from './documents.ts';

const CODE = 'SOTTO-ROTATE-018';

/** `sotto check --rotation`: what a commit did with each file, and what of it is no rotation. */
export async function checkRotation(
  revision: string,
  output: 'json' | undefined,
  context: CommandContext,
): Promise<void> {
  const checkout = await openCheckout(context.cwd, context.env, context.signal);
  const commitAt = async (name: string): Promise<string> =>
    textOf(
      await runInCheckout(checkout, {
        args: ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`],
      }),
    );
  const [commit, parent] = [await commitAt(revision), await commitAt(`${revision}^1`)];
  if (!isCommitId(commit) || !isCommitId(parent)) throw noCommit(revision);
  const [before, after] = [await readDocuments(checkout, parent), await readDocuments(checkout, commit)];
  const changed = await changedPaths(checkout, parent, commit);
  const { receipts, findings } = reviewRotation(before, after, changed);
  if (findings.length > 0) context.exitWith(EXIT.findings);
  if (output === 'json') {
    const report = { commit, parent, receipts, findings: findings.map((each) => ({ ...each, code: CODE })) };
    return writeData(context, `${JSON.stringify(report, undefined, 2)}\n`);
  }
  const rows = findings.map(({ file, finding }) => [file, CODE, finding]);
  if (rows.length > 0) await writeData(context, table(['FILE', 'CODE', 'FINDING'], rows));
  const values = receipts.reduce((sum, receipt) => sum + receipt.values, 0);
  await say(
    context,
    `${commit.slice(0, 12)}: ${receipts.length} files only have other keys, ${values} values new ciphertext; ${findings.length} are otherwise`,
  );
}

function noCommit(revision: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-120',
    what: `revision ${JSON.stringify(revision.slice(0, 100))} cannot be read`,
    why: 'this clone has no such commit, or it has none before it',
    next: 'git fetch, then name a branch, tag or commit that git log shows',
  });
}
