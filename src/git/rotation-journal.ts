import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isJsonObject, type Json, member, memberAt, parseJson, stringAt } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { type Checkout, expectOutput, runInCheckout } from './checkout.ts';
import { type CommitId, isCommitId } from './output.ts';

/** What a rotation still has to do, once its commit exists. Ids and names only; kept in the folder of git. */
export interface RotationJournal {
  readonly to: CommitId;
  /** Undefined: nothing is pushed. */
  readonly push: PushTarget | undefined;
  /** The branch that follows, with its files; undefined: it has, or it stays behind. */
  readonly here: { readonly branch: string; readonly from: CommitId } | undefined;
  /** Undefined: the agent has no part in it. */
  readonly agent: AgentSteps | undefined;
}

export interface PushTarget {
  readonly remote: string;
  /** A branch there, without refs/heads/. */
  readonly branch: string;
}

/** What is left to do with an agent once it has the commit, and how things were before. */
export interface AgentSteps {
  /** As the person named them; undefined: where kubectl finds them. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Address of the API server: by it another cluster under the same name is noticed. */
  readonly server: string;
  readonly namespace: string;
  /** Namespace of the workloads. */
  readonly workloads: string;
  /** Secret of the old key, which is marked in the end; undefined: that has been done. */
  readonly secret: string | undefined;
  /** RFC 3339: end of the old key. */
  readonly until: string;
  /** Of the workloads before the commit; undefined: they may not be listed. */
  readonly generations: Readonly<Record<string, string>> | undefined;
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

/** Undefined where there is none; `damaged` for what is no journal, or none that this user has written. */
export function readJournal(path: string): RotationJournal | 'damaged' | undefined {
  let fd: number;
  try {
    // No link is followed, and no pipe waited for: who hands on a checkout may have put anything there.
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT' ? undefined : 'damaged';
  }
  try {
    const info = fstatSync(fd);
    const isOurs = info.isFile() && info.uid === (process.getuid?.() ?? info.uid);
    if (!isOurs || info.size > LIMITS.maxJournalBytes) return 'damaged';
    return parseJournal(readFileSync(fd, 'utf8')) ?? 'damaged';
  } finally {
    closeSync(fd);
  }
}

const HEAD = 'sotto rotate 2';
/** As it was before the agent had a part in it: lines. */
const FIRST_HEAD = 'sotto rotate 1';

/** Pure. */
export function parseJournal(text: string): RotationJournal | undefined {
  const [head, content, end, ...rest] = text.split('\n');
  if (head === FIRST_HEAD) return parseFirstForm(text);
  if (head !== HEAD || content === undefined || end !== '' || rest.length > 0) return undefined;
  try {
    return journalOf(parseJson(content));
  } catch {
    return undefined;
  }
}

function parseFirstForm(text: string): RotationJournal | undefined {
  const [, branch, from, to, remote, pushed, end, ...rest] = text.split('\n');
  if (branch === undefined || branch === '' || end !== '' || rest.length > 0) return undefined;
  if (from === undefined || to === undefined || !isCommitId(from) || !isCommitId(to)) return undefined;
  if (remote === undefined || pushed === undefined || (remote === '') !== (pushed === '')) return undefined;
  const push = remote === '' ? undefined : { remote, branch: pushed };
  return { to, push, here: { branch, from }, agent: undefined };
}

function journalOf(value: Json): RotationJournal | undefined {
  const to = stringAt(value, 'to');
  const push = part(member(value, 'push'), targetOf);
  const here = part(member(value, 'here'), branchOf);
  const agent = part(member(value, 'agent'), agentOf);
  if (to === undefined || !isCommitId(to) || push === 'damaged' || here === 'damaged' || agent === 'damaged')
    return undefined;
  return { to, push, here, agent };
}

/** A part that may be missing, but not be something else. */
function part<Part>(value: Json | undefined, read: (value: Json) => Part | undefined): Part | undefined | 'damaged' {
  return value === undefined ? undefined : (read(value) ?? 'damaged');
}

function targetOf(value: Json): PushTarget | undefined {
  const [remote, branch] = [stringAt(value, 'remote'), stringAt(value, 'branch')];
  return remote === undefined || branch === undefined ? undefined : { remote, branch };
}

function branchOf(value: Json): RotationJournal['here'] {
  const [branch, from] = [stringAt(value, 'branch'), stringAt(value, 'from')];
  return branch === undefined || from === undefined || !isCommitId(from) ? undefined : { branch, from };
}

function agentOf(value: Json): AgentSteps | undefined {
  const [server, namespace] = [stringAt(value, 'server'), stringAt(value, 'namespace')];
  const [workloads, until] = [stringAt(value, 'workloads'), stringAt(value, 'until')];
  if (server === undefined || namespace === undefined || workloads === undefined || until === undefined)
    return undefined;
  if (Number.isNaN(Date.parse(until))) return undefined;
  const generations = part(memberAt(value, 'generations'), textsOf);
  if (generations === 'damaged') return undefined;
  return {
    kubeconfig: stringAt(value, 'kubeconfig'),
    context: stringAt(value, 'context'),
    server,
    namespace,
    workloads,
    secret: stringAt(value, 'secret'),
    until,
    generations,
  };
}

function textsOf(value: Json): Record<string, string> | undefined {
  if (!isJsonObject(value)) return undefined;
  const texts = Object.entries(value).flatMap(([key, text]) =>
    typeof text === 'string' ? [[key, text] as const] : [],
  );
  return texts.length === Object.keys(value).length ? Object.fromEntries(texts) : undefined;
}

/** Pure. */
export function journalText(journal: RotationJournal): string {
  return `${HEAD}\n${JSON.stringify(journal)}\n`;
}

/** Whole or not at all, and durable before anything that it speaks of is done. */
export function writeJournal(path: string, journal: RotationJournal): void {
  const beside = `${path}.tmp`;
  // Whatever lies there is not written through.
  rmSync(beside, { force: true });
  const fd = openSync(beside, 'wx', 0o600);
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
