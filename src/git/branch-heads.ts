import { type Checkout, expectOutput, runInCheckout, textOf } from './checkout.ts';
import { type CommitId, isCommitId, parseHeads } from './output.ts';

/** A commit that branches point at, here or at a remote as last fetched. */
export interface BranchHead {
  readonly commit: CommitId;
  /** `main`, `origin/main`. */
  readonly branches: readonly string[];
}

export async function branchHeads(checkout: Checkout): Promise<BranchHead[]> {
  const args = ['for-each-ref', '--format=%(objectname) %(symref) %(refname:short)', 'refs/heads', 'refs/remotes'];
  const output = expectOutput(await runInCheckout(checkout, { args }), 'git for-each-ref').toString('utf8');
  const found = new Map<CommitId, string[]>();
  for (const line of output.split('\n')) {
    // A symbolic one (origin/HEAD) points at another that is listed.
    const [, commit = '', name] = /^([0-9a-f]{40})  (.+)$/.exec(line) ?? [];
    if (name !== undefined && isCommitId(commit)) found.set(commit, [...(found.get(commit) ?? []), name]);
  }
  return [...found].map(([commit, branches]) => ({ commit, branches }));
}

/**
 * Brings what is known of the branches of every remote up to date. False when one could not be asked, or has a branch that
 * does not get here: a clone may be of one branch alone.
 */
export async function fetchBranches(checkout: Checkout): Promise<boolean> {
  if (!(await runInCheckout(checkout, { args: ['fetch', '--quiet', '--all', '--no-recurse-submodules'] })).ok)
    return false;
  const known = new Set<string>((await branchHeads(checkout)).map(({ commit }) => commit));
  const remotes = textOf(await runInCheckout(checkout, { args: ['remote'] })).split('\n');
  for (const remote of remotes.filter(Boolean)) {
    const listed = await runInCheckout(checkout, { args: ['ls-remote', '--heads', '--', remote] });
    if (!listed.ok) return false;
    const heads = parseHeads(listed.output.toString('utf8'));
    if ([...heads.values()].some((commit) => !known.has(commit))) return false;
  }
  return true;
}
