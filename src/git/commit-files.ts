import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SottoError } from '../core/errors.ts';
import { shellWord } from '../core/shell-word.ts';
import { type Checkout, expectOutput, firstLine, gitFailed, runInCheckout, textOf } from './checkout.ts';
import { type CommitId, isCommitId } from './output.ts';

export interface CommitRequest {
  readonly parent: CommitId;
  /** Content by path from the root of the repository; undefined removes the file. A file keeps its mode. */
  readonly files: ReadonlyMap<string, Uint8Array | undefined>;
  /** First line, blank line, text. */
  readonly message: string;
}

/**
 * A commit on top of `parent` with the files as given, on no branch yet. Neither working tree nor index nor HEAD is
 * touched, and no filter or hook runs: the bytes are the content. Author, committer and signature are those of
 * `git commit`. Throws SOTTO-CLI-194 to -196; what was made until then nothing points at.
 */
export async function commitFiles(checkout: Checkout, request: CommitRequest): Promise<CommitId> {
  await checkIdentity(checkout);
  const tree = await writeTree(checkout, request);
  const signed = textOf(await runInCheckout(checkout, { args: ['config', '--type=bool', '--get', 'commit.gpgSign'] }));
  const sign = signed === 'true' ? ['-S'] : [];
  const args = ['-c', 'i18n.commitEncoding=UTF-8', 'commit-tree', ...sign, '-p', request.parent, '-F', '-', tree];
  const made = await runInCheckout(checkout, { args, input: messageText(request.message) });
  const commit = textOf(made);
  if (isCommitId(commit)) return commit;
  throw sign.length > 0 ? notSigned(made.complaint) : gitFailed('git commit-tree', made.complaint);
}

/** Whether a name can be that of a new branch. Throws SOTTO-CLI-193. */
export async function checkNewBranch(checkout: Checkout, name: string): Promise<void> {
  const form = await runInCheckout(checkout, { args: ['check-ref-format', `refs/heads/${name}`] });
  if (!form.ok || name.startsWith('-')) throw badBranch(name, 'it is no name that git allows for a branch');
  const args = ['for-each-ref', '--format=%(refname)', `refs/heads/${name}`];
  const found = expectOutput(await runInCheckout(checkout, { args }), 'git for-each-ref').toString('utf8');
  const [first] = found.split('\n').filter((ref) => ref !== '');
  if (first === `refs/heads/${name}`) throw branchExists(name);
  if (first !== undefined) throw badBranch(name, `there are branches below it, such as ${first.slice(11)}`);
  const parts = name.split('/').slice(0, -1);
  const above = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  for (const each of above) {
    const taken = await runInCheckout(checkout, { args: ['show-ref', '--verify', '--quiet', `refs/heads/${each}`] });
    if (taken.ok) throw badBranch(name, `there is a branch ${each}, and git has no other below it`);
  }
}

/** A new branch at a commit; one that somebody made meanwhile stays as it is. Throws SOTTO-CLI-193. */
export async function createBranch(checkout: Checkout, name: string, commit: CommitId, why: string): Promise<void> {
  await checkNewBranch(checkout, name);
  await moveRef(checkout, name, { from: undefined, to: commit, why });
}

/**
 * Lets a branch point at another commit, if it still points at `from` (undefined: if it is not there). The branch that
 * is checked out must not be moved so: its working tree would stay behind.
 */
export async function moveRef(
  checkout: Checkout,
  name: string,
  { from, to, why }: { readonly from: CommitId | undefined; readonly to: CommitId; readonly why: string },
): Promise<void> {
  const before = from ?? '0'.repeat(40);
  const args = ['update-ref', '-m', why, `refs/heads/${name}`, to, before];
  // Whoever keeps a book of references by a hook wants to know of this one as well.
  const moved = await runInCheckout(checkout, { args, hooks: true });
  if (!moved.ok) throw badBranch(name, firstLine(moved.complaint) || 'git did not make it');
}

/** What another content of a file changes, as git shows it to people. The content is stored, and nothing points at it. */
export async function diffOf(checkout: Checkout, commit: CommitId, path: string, content: Uint8Array): Promise<string> {
  const stored = await storeFiles(checkout, new Map([[path, content]]), new Map());
  const blob = stored.get(path)?.blob ?? '';
  const args = ['diff', '--no-color', '--no-ext-diff', '--no-textconv', `${commit}:${path}`, blob];
  const shown = expectOutput(await runInCheckout(checkout, { args }), 'git diff').toString('utf8');
  const start = shown.indexOf('\n@@ ');
  return `--- a/${path}\n+++ b/${path}\n${start === -1 ? '' : shown.slice(start + 1)}`;
}

/** Hooks that `git commit` would have run. They look at the working tree, which does not hold the new files. */
export async function skippedHooks(checkout: Checkout): Promise<string[]> {
  const names = ['pre-commit', 'prepare-commit-msg', 'commit-msg', 'post-commit'];
  const folder = textOf(await runInCheckout(checkout, { args: ['rev-parse', '--git-path', 'hooks'], hooks: true }));
  const found = await Promise.all(
    names.map((name) =>
      access(resolve(checkout.root, folder, name), constants.X_OK).then(
        () => [name],
        () => [],
      ),
    ),
  );
  return found.flat();
}

async function checkIdentity(checkout: Checkout): Promise<void> {
  for (const name of ['GIT_AUTHOR_IDENT', 'GIT_COMMITTER_IDENT']) {
    const ident = await runInCheckout(checkout, { args: ['var', name] });
    if (ident.ok) continue;
    throw new SottoError({
      code: 'SOTTO-CLI-194',
      what: 'git does not know who makes the commit',
      why: 'user.name or user.email is not set',
      next: "git config --global user.name 'Your Name' && git config --global user.email you@example.com",
    });
  }
}

/** An index of its own in a folder of its own: it holds names and ids, never content. */
async function writeTree(checkout: Checkout, { parent, files }: CommitRequest): Promise<string> {
  const before = await entriesOf(checkout, parent, files);
  const after = await storeFiles(checkout, files, before);
  const folder = await mkdtemp(join(tmpdir(), 'sotto-index-'));
  const indexFile = join(folder, 'index');
  const git = async (args: readonly string[], input?: string): Promise<string> => {
    const plain = ['-c', 'core.splitIndex=false', '-c', 'core.untrackedCache=false', '-c', 'index.sparse=false'];
    const run = { args: [...plain, ...args], indexFile, ...(input === undefined ? {} : { input }) };
    return expectOutput(await runInCheckout(checkout, run), `git ${args[0] ?? ''}`).toString('utf8');
  };
  try {
    await git(['read-tree', parent]);
    await git(['update-index', '-z', '--index-info'], [...after].map(indexLine).join(''));
    const tree = (await git(['write-tree'])).trim();
    // Git skips a path that it does not allow, and says so on the side only.
    const changed = (await git(['diff-tree', '-r', '-z', '--no-renames', '--name-only', parent, tree])).split('\0');
    const expected = [...after].flatMap(([path, entry]) => (isSameEntry(entry, before.get(path)) ? [] : [path]));
    if (!isSameSet(changed.filter(Boolean), expected)) throw gitFailed('git update-index', 'a path is not allowed');
    return tree;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Entry {
  readonly mode: string;
  readonly blob: string;
}

/** The files as they stand in the commit; a path that is not there is missing. Throws for what is no plain file. */
async function entriesOf(
  checkout: Checkout,
  parent: CommitId,
  files: CommitRequest['files'],
): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  const listing = await runInCheckout(checkout, { args: ['ls-tree', '-r', '-t', '-z', '--full-tree', parent] });
  for (const record of expectOutput(listing, 'git ls-tree').toString('utf8').split('\0')) {
    const [, mode, blob, path] = /^([0-7]{6}) [a-z]+ ([0-9a-f]+)\t(.+)$/s.exec(record) ?? [];
    if (mode === undefined || blob === undefined || path === undefined || !files.has(path)) continue;
    if (!mode.startsWith('100')) throw gitFailed('git ls-tree', `${path} is not a plain file`);
    entries.set(path, { mode, blob });
  }
  return entries;
}

/**
 * Each content as a blob, bytes as they are. By one git for all of them: a process for each takes longer than
 * everything else. It reads them from a folder of its own, under names that need no quotes.
 */
async function storeFiles(
  checkout: Checkout,
  files: CommitRequest['files'],
  before: ReadonlyMap<string, Entry>,
): Promise<Map<string, Entry | undefined>> {
  const after = new Map<string, Entry | undefined>();
  const contents = [...files].flatMap(([path, content]) => (content === undefined ? [] : [{ path, content }]));
  for (const [path, content] of files) if (content === undefined) after.set(path, undefined);
  const folder = await mkdtemp(join(tmpdir(), 'sotto-blobs-'));
  try {
    const names: string[] = [];
    for (const [index, { content }] of contents.entries()) {
      const name = join(folder, String(index));
      await writeFile(name, content, { mode: 0o600 });
      names.push(name);
    }
    const args = ['hash-object', '-w', '-t', 'blob', '--no-filters', '--stdin-paths'];
    const stored = await runInCheckout(checkout, { args, input: names.map((name) => `${name}\n`).join('') });
    const blobs = expectOutput(stored, 'git hash-object').toString('utf8').split('\n').filter(Boolean);
    if (blobs.length !== contents.length) throw gitFailed('git hash-object', 'it did not store every file');
    for (const [index, { path }] of contents.entries())
      after.set(path, { mode: before.get(path)?.mode ?? '100644', blob: blobs[index] ?? '' });
    return after;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function indexLine([path, entry]: readonly [string, Entry | undefined]): string {
  return entry === undefined ? `0 ${'0'.repeat(40)}\t${path}\0` : `${entry.mode} ${entry.blob}\t${path}\0`;
}

function isSameEntry(a: Entry | undefined, b: Entry | undefined): boolean {
  return a?.mode === b?.mode && a?.blob === b?.blob;
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return new Set(a).size === new Set(b).size && a.every((each) => b.includes(each));
}

function messageText(message: string): string {
  return message.endsWith('\n') ? message : `${message}\n`;
}

function branchExists(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-193',
    what: `branch ${name} is not made`,
    why: 'there is one of this name already',
    next: `choose another name with --branch, or remove it if it is not needed: git branch -D ${shellWord(name)}`,
  });
}

function badBranch(name: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-193',
    what: `branch ${JSON.stringify(name.slice(0, 100))} is not made`,
    why,
    next: 'choose another name with --branch',
  });
}

function notSigned(complaint: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-195',
    what: 'the commit is not signed, so it is not made',
    why: `commit.gpgSign is set, and signing failed: ${firstLine(complaint) || 'no reason was given'}`,
    next: 'try `git commit --allow-empty -S -m test` on a branch of your own; it must work before this does',
  });
}
