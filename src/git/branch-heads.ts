import { type Checkout, expectOutput, runInCheckout } from './checkout.ts';
import { type CommitId, isCommitId } from './output.ts';

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

/** Brings what is known of the branches of every remote up to date. False when one could not be asked. */
export async function fetchBranches(checkout: Checkout): Promise<boolean> {
  return (await runInCheckout(checkout, { args: ['fetch', '--quiet', '--all', '--no-recurse-submodules'] })).ok;
}
