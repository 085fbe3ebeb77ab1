import { type Checkout, expectOutput, gitFailed, runInCheckout } from './checkout.ts';
import { type CommitId, isCommitId } from './output.ts';

/** A commit, and when it was made (RFC 3339). */
export interface DatedCommit {
  readonly commit: CommitId;
  readonly at: string;
}

/** The commits of a branch whose files match. */
export interface NamingCommits {
  readonly newest: DatedCommit;
  readonly oldest: DatedCommit;
  /** From one to the other, both included. */
  readonly count: number;
  /** False where older ones were not looked at. */
  readonly isWhole: boolean;
}

/** The line of a branch, newest first. */
export interface BranchLine {
  readonly commits: readonly DatedCommit[];
  /** It goes back to the first commit. */
  readonly isWhole: boolean;
}

/** What a person who reverts may go back to. */
const MAX_COMMITS = 1_000;

export async function branchLine(checkout: Checkout, tip: CommitId): Promise<BranchLine> {
  const args = ['log', '--first-parent', `--max-count=${MAX_COMMITS}`, '--format=%H %cI', tip];
  const lines = expectOutput(await runInCheckout(checkout, { args }), 'git log')
    .toString('utf8')
    .split('\n');
  const commits = lines.flatMap((line) => {
    const [commit = '', at = ''] = line.split(' ');
    return isCommitId(commit) ? [{ commit, at }] : [];
  });
  const shallow = await runInCheckout(checkout, { args: ['rev-parse', '--is-shallow-repository'] });
  return { commits, isWhole: commits.length < MAX_COMMITS && shallow.output.toString('utf8').trim() === 'false' };
}

/**
 * Which commits of a line have a file with a text of this form (POSIX extended). Git is asked where the number of such
 * texts changed, and at the ends of what it says whether there is any: the files of each commit are not read.
 */
export async function namingCommits(
  checkout: Checkout,
  line: BranchLine,
  pattern: string,
): Promise<NamingCommits | undefined> {
  const { commits } = line;
  const [tip] = commits;
  if (tip === undefined) return undefined;
  const changes = await changesOf(checkout, tip.commit, pattern);
  const at = commits.flatMap(({ commit }, index) => (changes.has(commit) ? [index] : []));
  const matches = (index: number): Promise<boolean> => holds(checkout, commits[index]?.commit, pattern);
  const newest = (await matches(0)) ? 0 : at[0] === undefined ? -1 : at[0] + 1;
  const newestCommit = commits[newest];
  if (newestCommit === undefined) return undefined;
  const first = at.at(-1);
  // Below the oldest change nothing changes: what is there stays there.
  const goesOn = first === undefined || (await matches(first + 1));
  const oldest = goesOn ? commits.length - 1 : first;
  const oldestCommit = commits[oldest];
  if (oldestCommit === undefined || oldest < newest) return undefined;
  return {
    newest: newestCommit,
    oldest: oldestCommit,
    count: oldest - newest + 1,
    // Where a clone was cut short everything looks as if it had begun there.
    isWhole: line.isWhole || (!goesOn && oldest < commits.length - 1),
  };
}

async function changesOf(checkout: Checkout, tip: CommitId, pattern: string): Promise<ReadonlySet<string>> {
  const limits = ['--first-parent', '-m', '--root', '--no-renames', '--no-textconv', '--no-ext-diff'];
  const range = await newerThanLine(checkout, tip);
  const args = ['log', ...limits, '--format=%H', '--pickaxe-regex', '-S', pattern, tip, ...range];
  const output = expectOutput(await runInCheckout(checkout, { args }), 'git log').toString('utf8');
  return new Set(output.split('\n').filter((line) => line !== ''));
}

/** A walk that looks at files must end: `--max-count` counts what it finds, not what it looks at. */
async function newerThanLine(checkout: Checkout, tip: CommitId): Promise<string[]> {
  const args = ['rev-list', '--first-parent', `--skip=${MAX_COMMITS}`, '--max-count=1', tip];
  const below = expectOutput(await runInCheckout(checkout, { args }), 'git rev-list')
    .toString('utf8')
    .trim();
  return isCommitId(below) ? [`^${below}`] : [];
}

async function holds(checkout: Checkout, commit: CommitId | undefined, pattern: string): Promise<boolean> {
  if (commit === undefined) return false;
  const args = ['grep', '--quiet', '--text', '-E', '-e', pattern, commit, '--'];
  const found = await runInCheckout(checkout, { args });
  if (!found.ok && found.complaint !== '') throw gitFailed('git grep', found.complaint);
  return found.ok;
}
