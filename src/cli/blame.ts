import { relative, sep } from 'node:path';
import { SottoError } from '../core/errors.ts';
import { fileWord } from '../core/shell-word.ts';
import { type Checkout, expectOutput, openCheckout, runInCheckout } from '../git/checkout.ts';
import { type FileCommit, isShallow } from '../git/file-history.ts';
import { decryptFile } from '../sops/change.ts';
import type { Identity } from '../sops/identity.ts';
import type { KeyPath } from '../sops/key-path.ts';
import type { WholeFormat } from '../sops/scalar.ts';
import { noSuchValue } from '../sops/value-place.ts';
import { valueText } from '../sops/value-edit.ts';
import type { CommandContext } from './context.ts';
import { recipientsOf } from '../authoring/coverage.ts';

/** When a value became what it is, and who could read it since. */
export interface ValueBlame {
  readonly changed: FileCommit;
  /**
   * `changed`: the version before has another value or none. `unopened`: no key at hand opens the version before, so it
   * may be older. `cut`: the clone begins with this commit, and so it may be, too.
   */
  readonly certainty: 'changed' | 'unopened' | 'cut';
  /** Everybody for whom a version with this value was encrypted, with the first of those. */
  readonly readers: readonly { readonly recipient: string; readonly since: FileCommit; readonly isNow: boolean }[];
}

export interface BlamedValue {
  /** Absolute. */
  readonly path: string;
  /** As the person called it. */
  readonly name: string;
  readonly format: WholeFormat;
  readonly document: number;
  readonly key: KeyPath;
}

/**
 * The last commit that changed a value, and not only its ciphertext. From HEAD backwards each version is opened and
 * compared. Throws SottoError.
 */
export async function blameValue(
  context: CommandContext,
  folder: string,
  value: BlamedValue,
  identities: readonly Identity[],
): Promise<ValueBlame> {
  const checkout = await openCheckout(folder, context.env, context.signal);
  const path = relative(checkout.root, value.path).split(sep).join('/');
  const commits = await commitsOf(checkout, path);
  const [newest, ...older] = commits;
  if (newest === undefined) throw noHistory(value.name);
  const first = await versionAt(checkout, newest, path, value, identities);
  if (first?.value === undefined) throw noSuchValue(value.name, value.key);
  const versions = [first];
  let certainty: ValueBlame['certainty'] = (await isCutAt(checkout, older.at(-1) ?? newest)) ? 'cut' : 'changed';
  for (const commit of older) {
    let before: Version | undefined;
    try {
      before = await versionAt(checkout, commit, path, value, identities);
    } catch (thrown) {
      if (!(thrown instanceof SottoError)) throw thrown;
      certainty = 'unopened';
      break;
    }
    if (before?.value !== first.value) {
      certainty = 'changed';
      break;
    }
    // Of the value the one that is held already: a long history would be held as often.
    versions.push({ ...before, value: first.value });
  }
  const oldestFirst = versions.toReversed();
  return { changed: oldestFirst[0]?.commit ?? newest, certainty, readers: readersOf(oldestFirst) };
}

/** The clone begins with this commit, and the history does not. */
async function isCutAt(checkout: Checkout, { commit }: FileCommit): Promise<boolean> {
  const parent = await runInCheckout(checkout, { args: ['rev-parse', '--verify', '--quiet', `${commit}^`] });
  return !parent.ok && (await isShallow(checkout));
}

interface Version {
  readonly commit: FileCommit;
  readonly value: string | undefined;
  readonly recipients: readonly string[];
}

/** Undefined where the file was not there, or was not encrypted. Throws SottoError where it does not open. */
async function versionAt(
  checkout: Checkout,
  commit: FileCommit,
  path: string,
  { name, format, document, key }: BlamedValue,
  identities: readonly Identity[],
): Promise<Version | undefined> {
  const blob = await runInCheckout(checkout, { args: ['cat-file', 'blob', `${commit.commit}:${path}`] });
  if (!blob.ok) return undefined;
  const text = blob.output.toString('utf8');
  using clear = await decryptFile(text, format, name, identities);
  const clearText = Buffer.from(clear.reveal()).toString('utf8');
  const recipients = recipientsOf({ text, format, name }).groups.flat();
  return { commit, value: valueText({ text: clearText, format, file: name, document }, key), recipients };
}

function readersOf(oldestFirst: readonly Version[]): ValueBlame['readers'] {
  const since = new Map<string, FileCommit>();
  for (const { recipients, commit } of oldestFirst)
    for (const recipient of recipients) if (!since.has(recipient)) since.set(recipient, commit);
  const now = new Set(oldestFirst.at(-1)?.recipients);
  return [...since].map(([recipient, commit]) => ({ recipient, since: commit, isNow: now.has(recipient) }));
}

/** Newest first. */
async function commitsOf(checkout: Checkout, path: string): Promise<FileCommit[]> {
  const args = ['log', '--format=%H%x00%aI%x00%an%x00%s', 'HEAD', '--', `:(top,literal)${path}`];
  const log = expectOutput(await runInCheckout(checkout, { args }), 'git log').toString('utf8');
  return log.split('\n').flatMap((line) => {
    const [commit = '', at = '', author = '', subject = ''] = line.split('\0');
    return commit === '' ? [] : [{ commit, at, author, subject }];
  });
}

function noHistory(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-219',
    what: 'the value has no history here',
    why: 'no commit of this branch has the file',
    next: `git log --all -- ${fileWord(file)}; in a clone that was cut short first git fetch --unshallow`,
    file,
  });
}
