import { SottoError } from '../core/errors.ts';
import type { BranchName } from './address.ts';
import type { GitAccess } from './credential.ts';
import { type CommitId, isCommitId } from './output.ts';
import type { GitRepository } from './repository.ts';

export interface BareCommit {
  readonly parent: CommitId;
  /** Content by path from the root of the repository. A file keeps its mode. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** First line, blank line, text. */
  readonly message: string;
  readonly by: { readonly name: string; readonly email: string };
  readonly at: Date;
}

const PLAIN = '100644';

/**
 * A commit on top of one that was fetched, in the bare repository and on no branch. One git takes everything on its
 * input, so that no file is written on the way. Contents that stay need not be here; those that change do, because a push
 * sends differences from them. Throws SottoError.
 */
export async function commitBare(repository: GitRepository, commit: BareCommit): Promise<CommitId> {
  const before = await plainFiles(repository, commit.parent);
  const stream = importStream(commit, (path) => before.get(path)?.mode ?? PLAIN);
  const output = repository.outputOf(await repository.run(['fast-import', '--quiet', '--done'], stream));
  const made = output.trim();
  if (!isCommitId(made)) throw notMade('it gave no id for the commit');
  // Git takes a path that stands in the way of another out of its way.
  const changed = repository.outputOf(
    await repository.run(['diff-tree', '-r', '-z', '--no-renames', '--name-only', commit.parent, made]),
  );
  const strange = changed.split('\0').find((path) => path !== '' && !commit.files.has(path));
  if (strange !== undefined) throw notMade(`${JSON.stringify(strange)} would be changed as well`);
  return made;
}

/** What `git fast-import` reads. Pure. Contents are UTF-8, and the length of each comes before it. */
export function importStream({ parent, files, message, by, at }: BareCommit, modeOf: (path: string) => string): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const who = `${plainName(by.name)} <${plainName(by.email)}> ${Math.floor(at.getTime() / 1000)} +0000`;
  const parts = ['feature done\ncommit refs/sotto/made\nmark :1\n', `committer ${who}\n`, data(message)];
  parts.push(`from ${parent}\n`);
  for (const [path, content] of files) {
    parts.push(`M ${modeOf(path)} inline ${quoted(path)}\n`, data(decoder.decode(content)));
  }
  return `${parts.join('')}\nget-mark :1\ndone\n`;
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}

/** As fast-import unquotes it; all other bytes stand for themselves. */
function quoted(path: string): string {
  return `"${path.replaceAll(/["\\\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}"`;
}

function plainName(text: string): string {
  return text.replaceAll(/[<>\p{Cc}]+/gu, ' ').trim();
}

interface PlainFile {
  readonly mode: string;
  readonly blob: string;
}

async function plainFiles(repository: GitRepository, commit: CommitId): Promise<Map<string, PlainFile>> {
  const listing = repository.outputOf(await repository.run(['ls-tree', '-r', '-z', '--full-tree', commit]));
  const files = new Map<string, PlainFile>();
  for (const record of listing.split('\0')) {
    const [, mode, blob, path] = /^(100[0-7]{3}) blob ([0-9a-f]+)\t(.+)$/s.exec(record) ?? [];
    if (mode !== undefined && blob !== undefined && path !== undefined) files.set(path, { mode, blob });
  }
  return files;
}

/** How it ended: `taken`, when there is a branch of this name already. */
export type PublishEnd =
  | { readonly kind: 'pushed' }
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly why: string };

/**
 * A new branch on the server. The lease on nothing lets git refuse a branch that somebody made meanwhile, also one
 * that the commit comes after. What the server writes for people is not repeated: it could hold our credential.
 */
export async function publishBranch(
  repository: GitRepository,
  branch: BranchName,
  commit: CommitId,
  access: GitAccess,
): Promise<PublishEnd> {
  const ref = `refs/heads/${branch}`;
  const args = ['push', '--no-verify', '--no-signed', '--no-follow-tags', '--recurse-submodules=no'];
  const outcome = await repository.runWith(access, [
    ...args,
    `--force-with-lease=${ref}:`,
    'origin',
    `${commit}:${ref}`,
  ]);
  if (outcome.kind === 'done') return { kind: 'pushed' };
  if (outcome.kind !== 'failed') return { kind: 'refused', why: whyOf(repository, outcome) };
  const said = outcome.complaint.replaceAll(/^\s*remote:.*$/gm, '');
  if (
    /\(stale info\)|\(fetch first\)|\(already exists\)|\(non-fast-forward\)|cannot lock ref|incorrect old value/.test(
      said,
    )
  )
    return { kind: 'taken' };
  if (/requested URL returned error: 40[13]|Authentication failed|could not read Username|terminal prompts/i.test(said))
    return { kind: 'refused', why: 'the server does not let this credential write' };
  if (/\[remote rejected\]|pre-receive hook declined|protected branch|remote unpack failed/.test(said))
    return { kind: 'refused', why: 'the server does not take the branch: a rule or a hook there is against it' };
  return { kind: 'refused', why: whyOf(repository, outcome) };
}

function whyOf(repository: GitRepository, outcome: Parameters<GitRepository['outputOf']>[0]): string {
  try {
    repository.outputOf(outcome);
    return 'git gave no reason';
  } catch (thrown) {
    if (thrown instanceof SottoError) return `${thrown.code}, ${thrown.why}`;
    throw thrown;
  }
}

function notMade(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-024',
    what: 'the commit of the rotation was not made',
    why,
    next: 'rotate from a checkout instead: sotto rotate --new-secret -n NAMESPACE --branch NAME --push',
  });
}
