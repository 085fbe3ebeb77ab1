import { chmod, mkdir, rm } from 'node:fs/promises';
import { LIMITS } from '../core/limits.ts';
import type { BranchName, GitUrl } from './address.ts';
import { writeBareRepository } from './bare.ts';
import { folderBytes, type GitOutcome, type GitPlace, runCatFile, runGit } from './command.ts';
import { batches, checkSizes, type PathOf, type SizedBlobs, withheld } from './content.ts';
import { type GitAccess, writePrivateFiles } from './credential.ts';
import { type FailureContext, noBranch, onVolume, outputOf, sha256Repository } from './failure.ts';
import {
  type BlobId,
  type CommitId,
  isCommitId,
  parentsOf,
  parseContents,
  parseHeads,
  parseSizes,
  parseTree,
  type TreeEntry,
} from './output.ts';

export interface GitRepositoryOptions {
  readonly url: GitUrl;
  readonly branch: BranchName;
  /** A folder of this repository alone, on a memory volume; what is in it is thrown away. */
  readonly workDir: string;
  /** For each command. */
  readonly timeoutMs: number;
  /** Asked before each command that talks to the server, so that a changed Secret counts at once. */
  readonly access: () => Promise<GitAccess>;
  /** PATH for git. */
  readonly programPath?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Of one download; default: the cap of a sync. */
  readonly maxFetchBytes?: number | undefined;
}

/** Whether a commit is an ancestor of the head. `unknown`: the server did not show enough history to tell. */
export type Descent = 'yes' | 'no' | 'unknown';

interface RemoteCommand {
  readonly args: readonly string[];
  readonly input?: string;
  readonly maxOutputBytes: number;
}

const PROGRAM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin';
const HEAD_REF = 'refs/sotto/head';
/** Old packs are thrown away with the repository: the next fetch brings the trees of one commit again. */
const FETCHES_PER_REPOSITORY = 100;
const MAX_LIST_BYTES = LIMITS.maxTreeEntries * 160;
const MAX_HEADS_BYTES = 4 * 1024 * 1024;
/** How far back the head's history is looked at: commits only, a few hundred bytes each. */
const DESCENT_DEPTHS = [50, 1_000];
const MAX_COMMITS = 100_000;
/** `--verbose`: simple-git waits 50 ms longer for a command that says nothing. */
const FETCH = [
  'fetch',
  '--verbose',
  '--no-tags',
  '--no-write-fetch-head',
  '--no-recurse-submodules',
  '--no-auto-maintenance',
];
/** A command line takes no more than 2 MiB. */
const PATHS_PER_LISTING = 250;
const READ_BATCH_BYTES = 8 * 1024 * 1024;

/** Contents of the blobs that are within the cap of one file; the others with the error of each. */
export interface BlobsRead extends Pick<SizedBlobs, 'tooLarge'> {
  readonly contents: ReadonlyMap<BlobId, Uint8Array>;
}

/**
 * One bare, shallow, blobless repository on a memory volume and the git program over it. Nothing is checked out; one
 * commit's trees and the blobs asked for are all that is fetched. Git features used are those of 2.34 (`fetch
 * --stdin`, partial clone, protocol 2), tried with 2.39. One command at a time; every error is coded.
 */
export class GitRepository implements AsyncDisposable {
  readonly #options: GitRepositoryOptions;
  readonly #place: GitPlace;
  readonly #privateFolder: string;
  #hasCredential = false;
  #isBlobless = true;
  #fetches = 0;
  #commands = 0;
  /** A fetch that failed may leave locks and half a pack, a look at the history leaves commits whose trees are not here. */
  #isSpent = false;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: GitRepositoryOptions) {
    this.#options = options;
    this.#privateFolder = `${options.workDir}/private`;
    this.#place = {
      folder: `${options.workDir}/repo.git`,
      home: `${options.workDir}/home`,
      programPath: options.programPath ?? PROGRAM_PATH,
      timeoutMs: options.timeoutMs,
      signal: options.signal,
    };
  }

  static async open(options: GitRepositoryOptions): Promise<GitRepository> {
    const repository = new GitRepository(options);
    await onVolume(options.workDir, async () => {
      for (const folder of [repository.#privateFolder, repository.#place.home]) {
        await rm(folder, { recursive: true, force: true, maxRetries: 3 });
        await mkdir(folder, { recursive: true, mode: 0o700 });
        // The mode of mkdir passes through the umask, and the folder may have been there.
        await chmod(folder, 0o700);
      }
      await writeBareRepository(repository.#place.folder, options.url, options.timeoutMs);
    });
    return repository;
  }

  /** The commit the branch points at on the server: one small request pair, nothing is fetched. */
  async head(): Promise<CommitId> {
    const { branch } = this.#options;
    const asked = await this.#heads([`refs/heads/${branch}`]);
    const head = asked.get(branch);
    if (head === undefined) throw noBranch([...(await this.#heads([])).keys()], this.#context());
    if (!isCommitId(head)) throw sha256Repository(this.#context());
    return head;
  }

  /** Where any branch points on the server; undefined: there is none of this name. */
  async branchHead(branch: BranchName): Promise<CommitId | undefined> {
    const head = (await this.#heads([`refs/heads/${branch}`])).get(branch);
    if (head === undefined) return undefined;
    if (!isCommitId(head)) throw sha256Repository(this.#context());
    return head;
  }

  /** Brings a commit and its trees. The commit is one that `head` told. */
  async fetch(commit: CommitId): Promise<void> {
    const isFull = (await folderBytes(this.#packs)) > this.#maxFetchBytes / 2;
    if (this.#isSpent || isFull || this.#fetches >= FETCHES_PER_REPOSITORY) await this.#startOver();
    const complaint = await this.#fetchCommit(commit, 1, 'blob:none');
    // A server without partial clone ignores the filter and sends everything of the commit.
    this.#isBlobless = !/filtering not recognized/.test(complaint);
  }

  /**
   * Whether `head`, which was fetched, comes after `ancestor`. Parents are looked at first, which costs no request and
   * answers for the usual push and merge; then the server is asked for more commits, without trees and files.
   */
  async descends(ancestor: string, head: CommitId): Promise<Descent> {
    if (ancestor === head) return 'yes';
    const content = (await this.#catFile([head], LIMITS.maxFileBytes)).get(head);
    if (content !== undefined && parentsOf(content).includes(ancestor)) return 'yes';
    for (const depth of this.#isBlobless ? DESCENT_DEPTHS : DESCENT_DEPTHS.slice(0, 1)) {
      await this.#fetchCommit(head, depth, 'tree:0');
      this.#isSpent = true;
      const commits = await this.#local(['rev-list', `--max-count=${MAX_COMMITS}`, head], MAX_COMMITS * 41);
      const reachable = commits.split('\n');
      if (reachable.includes(ancestor)) return 'yes';
      const isShallow = await this.#local(['rev-parse', '--is-shallow-repository'], 100);
      if (isShallow.trim() === 'false') return 'no';
    }
    return 'unknown';
  }

  /** Everything below the paths, folders included, and the folders above them. The root is the empty path. */
  async list(commit: CommitId, paths: readonly string[]): Promise<TreeEntry[]> {
    const wanted = paths.includes('') ? [] : ['--', ...paths];
    const listing = await this.#local(['ls-tree', '-r', '-t', '-z', '--full-tree', commit, ...wanted], MAX_LIST_BYTES);
    const entries = parseTree(listing);
    if (entries === undefined) throw withheld('a folder', this.#options.url);
    return entries;
  }

  /** What stands at the paths and at the folders above them; what is below a folder is not listed. */
  async lookUp(commit: CommitId, paths: readonly string[]): Promise<TreeEntry[]> {
    const found = new Map<string, TreeEntry>();
    for (let at = 0; at < paths.length; at += PATHS_PER_LISTING) {
      const args = ['ls-tree', '-t', '-z', '--full-tree', commit, '--', ...paths.slice(at, at + PATHS_PER_LISTING)];
      const entries = parseTree(await this.#local(args, MAX_LIST_BYTES));
      if (entries === undefined) throw withheld('a folder', this.#options.url);
      for (const entry of entries) found.set(entry.path, entry);
    }
    return [...found.values()];
  }

  /** Contents by id; what is not here yet is fetched in one request. Checked against the caps before they are read. */
  async read(blobs: readonly BlobId[], pathOf: PathOf): Promise<BlobsRead> {
    await this.bring(blobs);
    return this.readHere(blobs, pathOf);
  }

  /** Fetches contents in one request, for `readHere` and for commands that look into files. */
  async bring(blobs: readonly BlobId[]): Promise<void> {
    const wanted = [...new Set(blobs)];
    if (this.#isBlobless && wanted.length > 0) await this.#fetchBlobs(wanted);
  }

  /** As `read`, of what is here already. */
  async readHere(blobs: readonly BlobId[], pathOf: PathOf): Promise<BlobsRead> {
    const wanted = [...new Set(blobs)];
    const contents = new Map<BlobId, Uint8Array>();
    if (wanted.length === 0) return { contents, tooLarge: new Map() };
    const sizes = await this.#sizes(wanted);
    const { fitting, tooLarge } = checkSizes(wanted, sizes, pathOf, this.#options.url);
    for (const batch of batches(fitting, sizes, READ_BATCH_BYTES)) {
      const batchBytes = batch.reduce((sum, blob) => sum + (sizes.get(blob) ?? 0) + 64, 0);
      const found = await this.#catFile(batch, batchBytes);
      for (const blob of batch) {
        const bytes = found.get(blob);
        if (bytes === undefined) throw withheld(pathOf(blob), this.#options.url);
        contents.set(blob, bytes);
      }
    }
    return { contents, tooLarge };
  }

  /** A command that talks to nobody, for `write-branch.ts`; how it ended is for the caller to judge. */
  run(args: readonly string[], input?: string): Promise<GitOutcome<string>> {
    const command = { args, maxOutputBytes: MAX_LIST_BYTES, ...(input === undefined ? {} : { input }) };
    return this.#inTurn(() => runGit(this.#place, command));
  }

  /** A command that talks to the server with another credential than the one for reading. */
  runWith(access: GitAccess, args: readonly string[]): Promise<GitOutcome<string>> {
    return this.#talk({ args, maxOutputBytes: MAX_HEADS_BYTES }, async () => access);
  }

  /** The output of a command that succeeded; otherwise throws the coded error. */
  outputOf(outcome: GitOutcome<string>): string {
    return outputOf(outcome, this.#context());
  }

  /** Removes the folders. Waits for the command in hand. */
  async close(): Promise<void> {
    await this.#inTurn(async () => {
      for (const folder of [this.#privateFolder, this.#place.home, this.#place.folder]) {
        await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #heads(patterns: readonly string[]): Promise<Map<string, string>> {
    const { output } = await this.#remote({
      args: ['ls-remote', '--heads', 'origin', ...patterns],
      maxOutputBytes: MAX_HEADS_BYTES,
    });
    return parseHeads(output);
  }

  #fetchCommit(commit: CommitId, depth: number, filter: string): Promise<string> {
    return this.#fetch([`--depth=${depth}`, `--filter=${filter}`, 'origin', `+${commit}:${HEAD_REF}`]);
  }

  /** `noop`: the server is not told what we have, since having a commit does not mean having its blobs here. */
  async #fetchBlobs(blobs: readonly BlobId[]): Promise<void> {
    const args = ['--filter=blob:none', '--stdin', 'origin'];
    await this.#fetch(args, ['-c', 'fetch.negotiationAlgorithm=noop'], `${blobs.join('\n')}\n`);
  }

  /** Answers with what git says on the way. */
  async #fetch(args: readonly string[], config: readonly string[] = [], input?: string): Promise<string> {
    const wasSpent = this.#isSpent;
    this.#isSpent = true;
    this.#fetches++;
    const { complaint } = await this.#remote({
      args: [...config, ...FETCH, ...args],
      maxOutputBytes: MAX_HEADS_BYTES,
      ...(input === undefined ? {} : { input }),
    });
    this.#isSpent = wasSpent;
    return complaint;
  }

  async #sizes(blobs: readonly BlobId[]): Promise<Map<BlobId, number>> {
    const outcome = await this.#inTurn(() =>
      runCatFile(this.#place, {
        args: ['--batch-check', '--buffer'],
        input: `${blobs.join('\n')}\n`,
        maxOutputBytes: blobs.length * 100,
      }),
    );
    return parseSizes(outputOf(outcome, this.#context()));
  }

  async #catFile(ids: readonly string[], maxBytes: number): Promise<Map<string, Uint8Array>> {
    const outcome = await this.#inTurn(() =>
      runCatFile(this.#place, {
        args: ['--batch', '--buffer'],
        input: `${ids.join('\n')}\n`,
        maxOutputBytes: maxBytes,
      }),
    );
    const contents = parseContents(outputOf(outcome, this.#context()));
    if (contents === undefined) throw withheld('an object', this.#options.url);
    return contents;
  }

  async #local(args: readonly string[], maxOutputBytes: number): Promise<string> {
    const outcome = await this.#inTurn(() => runGit(this.#place, { args, maxOutputBytes }));
    return outputOf(outcome, this.#context());
  }

  async #remote(command: RemoteCommand): Promise<{ output: string; complaint: string }> {
    const outcome = await this.#talk(command, this.#options.access);
    const output = outputOf(outcome, this.#context());
    return { output, complaint: outcome.kind === 'done' ? outcome.complaint : '' };
  }

  #talk(command: RemoteCommand, accessOf: () => Promise<GitAccess>): Promise<GitOutcome<string>> {
    return this.#inTurn(async () => {
      const access = await accessOf();
      this.#hasCredential = access.credential.kind !== 'none';
      const name = String(++this.#commands);
      const files = await onVolume(this.#options.workDir, () =>
        writePrivateFiles(this.#privateFolder, name, this.#options.url, access),
      );
      try {
        const download = { folder: this.#packs, maxBytes: this.#maxFetchBytes };
        return await runGit(this.#place, { ...command, configPath: files.configPath, download });
      } finally {
        await files.remove();
      }
    });
  }

  get #maxFetchBytes(): number {
    return this.#options.maxFetchBytes ?? LIMITS.maxFetchBytes;
  }

  get #packs(): string {
    return `${this.#place.folder}/objects/pack`;
  }

  async #startOver(): Promise<void> {
    await this.#inTurn(() =>
      onVolume(this.#options.workDir, () =>
        writeBareRepository(this.#place.folder, this.#options.url, this.#options.timeoutMs),
      ),
    );
    this.#fetches = 0;
    this.#isSpent = false;
  }

  #inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    const mine = this.#turn.then(task);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  #context(): FailureContext {
    const { url, branch, timeoutMs } = this.#options;
    return { url, branch, timeoutMs, hasCredential: this.#hasCredential };
  }
}
