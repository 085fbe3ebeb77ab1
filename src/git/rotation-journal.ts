import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Checkout, expectOutput, runInCheckout } from './checkout.ts';
import { type CommitId, isCommitId } from './output.ts';

/** What a rotation still has to do, once its commit exists. Ids and names only; kept in the folder of git. */
export interface RotationJournal {
  readonly branch: string;
  readonly from: CommitId;
  readonly to: CommitId;
  /** Undefined: nothing is pushed. */
  readonly push: PushTarget | undefined;
}

export interface PushTarget {
  readonly remote: string;
  /** A branch there, without refs/heads/. */
  readonly branch: string;
}

const NAME = 'sotto-rotate';

/** Where the journal of this working tree is. */
export async function journalPath(checkout: Checkout): Promise<string> {
  const found = await runInCheckout(checkout, { args: ['rev-parse', '--git-path', NAME] });
  return resolve(
    checkout.root,
    expectOutput(found, 'git rev-parse')
      .toString('utf8')
      .replace(/\r?\n$/, ''),
  );
}

/** Undefined where there is none; `damaged` for what is no journal. */
export function readJournal(path: string): RotationJournal | 'damaged' | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined;
    throw thrown;
  }
  return parseJournal(text) ?? 'damaged';
}

/** Pure. */
export function parseJournal(text: string): RotationJournal | undefined {
  const [head, branch, from, to, remote, pushed, end, ...rest] = text.split('\n');
  if (head !== HEAD || branch === undefined || branch === '' || end !== '' || rest.length > 0) return undefined;
  if (from === undefined || to === undefined || !isCommitId(from) || !isCommitId(to)) return undefined;
  if (remote === undefined || pushed === undefined || (remote === '') !== (pushed === '')) return undefined;
  return { branch, from, to, push: remote === '' ? undefined : { remote, branch: pushed } };
}

const HEAD = 'sotto rotate 1';

/** Pure. A name of a branch or remote has no line break: git does not allow one. */
export function journalText({ branch, from, to, push }: RotationJournal): string {
  return `${[HEAD, branch, from, to, push?.remote ?? '', push?.branch ?? ''].join('\n')}\n`;
}

/** Whole or not at all, and durable before anything that it speaks of is done. */
export function writeJournal(path: string, journal: RotationJournal): void {
  const beside = `${path}.tmp`;
  const fd = openSync(beside, 'w', 0o600);
  try {
    writeSync(fd, journalText(journal));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(beside, path);
  syncFolder(dirname(path));
}

export function removeJournal(path: string): void {
  rmSync(path, { force: true });
}

function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
