import { type Checkout, expectOutput, firstLine, runInCheckout, textOf } from './checkout.ts';
import { type CommitId, isCommitId } from './output.ts';
import type { PushTarget } from './rotation-journal.ts';

/** How a push ended: `behind`, when the branch there has moved. */
export type PushEnd =
  /** What the remote said: often a link for a pull request. */
  | { readonly kind: 'pushed'; readonly remarks: readonly string[] }
  | { readonly kind: 'behind' }
  | { readonly kind: 'refused'; readonly why: string };

/** Where `git push` of a branch goes: its upstream, else a branch of the same name at the only or usual remote. */
export async function pushTarget(checkout: Checkout, branch: string): Promise<PushTarget | undefined> {
  const config = async (key: string): Promise<string> =>
    textOf(await runInCheckout(checkout, { args: ['config', '--get', key] }));
  const remote = await config(`branch.${branch}.remote`);
  const merge = await config(`branch.${branch}.merge`);
  if (remote !== '' && remote !== '.' && merge.startsWith('refs/heads/'))
    return { remote, branch: merge.slice('refs/heads/'.length) };
  const remotes = textOf(await runInCheckout(checkout, { args: ['remote'] }))
    .split('\n')
    .filter(Boolean);
  const usual = remotes.length === 1 ? remotes[0] : remotes.find((name) => name === 'origin');
  return usual === undefined ? undefined : { remote: usual, branch };
}

/** The address that a push to a remote goes to. */
export async function remoteUrl(checkout: Checkout, remote: string): Promise<string> {
  // A branch may name an address where others name a remote.
  return textOf(await runInCheckout(checkout, { args: ['remote', 'get-url', '--push', remote] })) || remote;
}

/** A target as messages name it. A branch may name an address instead of a remote, with a password in it. */
export function targetName({ remote, branch }: PushTarget): string {
  return `${remote.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, '$1')}/${branch}`;
}

/**
 * The branch that is checked out, its files and the index to a commit that comes after it, as `git pull --ff-only` would.
 * False where a file that changes is not as it was: then nothing is.
 */
export async function fastForward(checkout: Checkout, commit: CommitId): Promise<boolean> {
  const args = ['merge', '--ff-only', '--quiet', '--no-verify-signatures', '--no-autostash', commit];
  return (await runInCheckout(checkout, { args })).ok;
}

/** Lets a branch at the remote point at a commit that comes after it; never by force. */
export async function push(checkout: Checkout, target: PushTarget, commit: CommitId): Promise<PushEnd> {
  const refspec = `${commit}:refs/heads/${target.branch}`;
  const end = await runInCheckout(checkout, { args: ['push', '--porcelain', target.remote, refspec], hooks: true });
  if (end.ok) return { kind: 'pushed', remarks: remarksOf(end.complaint) };
  const report = `${end.output.toString('utf8')}\n${end.complaint}`;
  const isRace = /\[rejected\]|cannot lock ref|failed to update ref|incorrect old value/.test(report);
  if (isRace) return { kind: 'behind' };
  const why = reasonOf(end.output.toString('utf8')) || firstLine(end.complaint) || 'no reason was given';
  return { kind: 'refused', why: [why, ...remarksOf(end.complaint)].join(' ').slice(0, MOST_WORDS) };
}

/** The commit of the branch at the remote, with everything it needs. Undefined when it cannot be had. */
export async function fetchTip(checkout: Checkout, { remote, branch }: PushTarget): Promise<CommitId | undefined> {
  const args = ['fetch', '--quiet', '--no-tags', '--no-recurse-submodules', remote, `refs/heads/${branch}`];
  const fetched = await runInCheckout(checkout, { args });
  if (!fetched.ok) return undefined;
  const tip = textOf(
    await runInCheckout(checkout, { args: ['rev-parse', '--verify', '--quiet', 'FETCH_HEAD^{commit}'] }),
  );
  return isCommitId(tip) ? tip : undefined;
}

export async function hasCommit(checkout: Checkout, commit: CommitId): Promise<boolean> {
  return (await runInCheckout(checkout, { args: ['cat-file', '-e', `${commit}^{commit}`] })).ok;
}

export async function isAncestor(checkout: Checkout, older: CommitId, newer: CommitId): Promise<boolean> {
  return (await runInCheckout(checkout, { args: ['merge-base', '--is-ancestor', older, newer] })).ok;
}

/** Where a branch points. */
export async function branchTip(checkout: Checkout, branch: string): Promise<CommitId | undefined> {
  const args = ['rev-parse', '--verify', '--quiet', `refs/heads/${branch}^{commit}`];
  const tip = textOf(await runInCheckout(checkout, { args }));
  return isCommitId(tip) ? tip : undefined;
}

/** A plain file that one commit changes of another. */
export interface ChangedFile {
  readonly path: string;
  readonly mode: string;
  readonly before: string;
  readonly after: string;
}

export async function changedFiles(checkout: Checkout, from: CommitId, to: CommitId): Promise<ChangedFile[]> {
  const args = ['diff-tree', '-r', '-z', '--no-renames', '--raw', '--full-index', from, to];
  const records = expectOutput(await runInCheckout(checkout, { args }), 'git diff-tree')
    .toString('utf8')
    .split('\0');
  const files: ChangedFile[] = [];
  for (let at = 0; at + 1 < records.length; at += 2) {
    const [, mode, before, after] =
      /^:[0-7]{6} ([0-7]{6}) ([0-9a-f]{40}) ([0-9a-f]{40}) M$/.exec(records[at] ?? '') ?? [];
    const path = records[at + 1];
    if (mode !== undefined && before !== undefined && after !== undefined && path !== undefined)
      files.push({ path, mode, before, after });
  }
  return files;
}

/** A path that differs between two commits, whatever it is. What is not there has mode 000000 and an id of zeros. */
export interface ChangedPath {
  readonly path: string;
  readonly isSameMode: boolean;
  readonly mode: string;
  readonly before: string;
  readonly after: string;
}

export async function changedPaths(checkout: Checkout, from: CommitId, to: CommitId): Promise<ChangedPath[]> {
  const args = ['diff-tree', '-r', '-z', '--no-renames', '--raw', '--full-index', from, to];
  const records = expectOutput(await runInCheckout(checkout, { args }), 'git diff-tree')
    .toString('utf8')
    .split('\0');
  const paths: ChangedPath[] = [];
  for (let at = 0; at + 1 < records.length; at += 2) {
    const [, old = '', mode = '', before = '', after = ''] = RAW_CHANGE.exec(records[at] ?? '') ?? [];
    paths.push({ path: records[at + 1] ?? '', isSameMode: old === mode, mode, before, after });
  }
  return paths;
}

const RAW_CHANGE = /^:([0-7]{6}) ([0-7]{6}) ([0-9a-f]{40}) ([0-9a-f]{40}) /;

/** Hooks can be talkative; what counts comes first. */
const MOST_WORDS = 500;

function remarksOf(complaint: string): string[] {
  return complaint.split('\n').flatMap((line) => /^remote:\s*(\S.*)$/.exec(line)?.[1]?.trim() ?? []);
}

function reasonOf(report: string): string {
  return /^!\t\S*\t(.*)$/m.exec(report)?.[1] ?? '';
}
