import { asSottoError, SottoError } from '../core/errors.ts';
import { gitRevision } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { shellWord } from '../core/shell-word.ts';
import { type BranchName, parseBranch, parseGitUrl } from '../git/address.ts';
import { tooLargeTogether } from '../git/content.ts';
import type { GitAccess } from '../git/credential.ts';
import type { BlobId, CommitId, TreeEntry } from '../git/output.ts';
import { type Descent, GitRepository } from '../git/repository.ts';
import { type IgnoreLines, parseIgnore } from './ignore.ts';
import { lookAt } from './look.ts';
import { checkFolder, kustomizationOf, normalisePath, type SelectedFile, selectManifests } from './select.ts';
import type { PulledBefore, SkippedEntry, Snapshot, SnapshotFile, Standing } from './snapshot.ts';

export interface GitSourceOptions {
  readonly url: string;
  readonly branch: string;
  /** Folder of the manifests, from the root of the repository. */
  readonly path: string;
  /** Patterns of the settings, relative to the root of the repository; they count after every `.sourceignore`. */
  readonly ignore: readonly string[];
  /** Refuse a branch that was rewritten instead of following it. */
  readonly requireFastForward: boolean;
  /** A folder of this source alone, on a memory volume. */
  readonly workDir: string;
  /** For each git command. */
  readonly timeoutMs: number;
}

export interface GitSourceDeps {
  readonly access: () => Promise<GitAccess>;
  readonly programPath?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Every failure is a SottoError with an area of GIT; a failed pull changes nothing. */
export interface GitSource extends AsyncDisposable {
  /** The head of the branch on the server. */
  ask(): Promise<CommitId>;
  /**
   * What the path says at `head`, or at the head of the branch. Files that are in `before` are taken from there by
   * their blob id, the commit of `before` is what the head must come after.
   */
  pull(before?: PulledBefore, head?: CommitId): Promise<Snapshot>;
  /** What stands at paths of the commit that was pulled last. Files whose blobs are known are not read again. */
  look(commit: CommitId, paths: readonly string[], known: readonly SnapshotFile[]): Promise<Map<string, Standing>>;
}

const IGNORE_FILE = '.sourceignore';

/** Checks the settings (SOTTO-GIT-002 to 005, 017, 021, 033) and prepares the working folder; asks nobody. */
export async function createGitSource(options: GitSourceOptions, deps: GitSourceDeps): Promise<GitSource> {
  const path = normalisePath(options.path);
  const branch = parseBranch(options.branch);
  const settingsIgnore: IgnoreLines = { lines: options.ignore, folder: '', origin: 'source.ignore' };
  // Told now and not at the first pull.
  parseIgnore([settingsIgnore]);
  const repository = await GitRepository.open({
    url: parseGitUrl(options.url),
    branch,
    workDir: options.workDir,
    timeoutMs: options.timeoutMs,
    ...deps,
  });
  const reader: PathReader = { repository, path, settingsIgnore, ignoreFiles: new Map() };
  return {
    ask: () => repository.head(),
    async pull(before, wanted) {
      const head = await fetchHead(repository, wanted ?? (await repository.head()));
      const descent = before === undefined ? 'yes' : await repository.descends(before.commit, head);
      if (descent !== 'yes' && options.requireFastForward) throw rewritten(branch, before?.commit ?? '', descent);
      const content = await readPath(reader, head, before?.files ?? []);
      const rewound = descent === 'yes' || before === undefined ? undefined : { from: before.commit };
      return { revision: gitRevision(branch, head), commit: head, path, ...content, rewound };
    },
    look: (commit, paths, known) => lookAt(repository, commit, paths, known),
    [Symbol.asyncDispose]: () => repository.close(),
  };
}

interface PathReader {
  readonly repository: GitRepository;
  readonly path: string;
  readonly settingsIgnore: IgnoreLines;
  /** Ignore files of the last pull. */
  ignoreFiles: ReadonlyMap<BlobId, Uint8Array>;
}

type PathContent = Pick<Snapshot, 'files' | 'skipped' | 'isEmpty' | 'refusal' | 'kustomization'>;

async function readPath(reader: PathReader, commit: CommitId, known: readonly SnapshotFile[]): Promise<PathContent> {
  const { repository, path } = reader;
  const ignorePaths = [...new Set([IGNORE_FILE, path === '' ? IGNORE_FILE : `${path}/${IGNORE_FILE}`])];
  const entries = await repository.list(commit, path === '' ? [''] : [path, ...ignorePaths]);
  checkFolder(entries, path);
  if (entries.length > LIMITS.maxTreeEntries) throw tooManyEntries(entries.length);
  const ignoreFiles = entries.filter((entry) => ignorePaths.includes(entry.path));
  const isIgnored = parseIgnore([...(await readIgnoreFiles(reader, ignoreFiles)), reader.settingsIgnore]);
  const { files: selected, skipped, kustomizations } = selectManifests(entries, path, isIgnored);
  const kustomization = kustomizationOf(path, kustomizations);
  if (kustomization instanceof SottoError) return { files: [], skipped, isEmpty: false, refusal: kustomization };
  if (kustomization !== undefined) return { files: [], skipped: [], isEmpty: false, kustomization };
  const read = await readFiles(repository, selected, known);
  const { files } = read;
  return { files, skipped: [...skipped, ...read.skipped], isEmpty: files.length === 0 };
}

async function readFiles(
  repository: GitRepository,
  selected: readonly SelectedFile[],
  known: readonly SnapshotFile[],
): Promise<Pick<Snapshot, 'files' | 'skipped'>> {
  const pathByBlob = new Map(selected.map((file) => [file.blob, file.path]));
  const contents = new Map(known.filter((file) => pathByBlob.has(file.blob)).map((file) => [file.blob, file.bytes]));
  const missing = [...pathByBlob.keys()].filter((blob) => !contents.has(blob));
  const { contents: read, tooLarge } = await repository.read(missing, (blob) => pathByBlob.get(blob) ?? 'a file');
  let totalBytes = 0;
  const files = selected.flatMap(({ path, blob }): SnapshotFile[] => {
    const bytes = contents.get(blob) ?? read.get(blob);
    totalBytes += bytes?.length ?? 0;
    return bytes === undefined ? [] : [{ path, blob, bytes }];
  });
  if (totalBytes > LIMITS.maxSnapshotBytes) throw tooLargeTogether();
  const skipped = selected.flatMap(({ path, blob }): SkippedEntry[] => {
    const error = tooLarge.get(blob)?.at({ file: path });
    return error === undefined ? [] : [{ path, why: error.why, error }];
  });
  return { files, skipped };
}

/** The lines of the ignore files, the one of the root first. Their contents are kept: they seldom change. */
async function readIgnoreFiles(reader: PathReader, entries: readonly TreeEntry[]): Promise<IgnoreLines[]> {
  const files = entries.flatMap((entry) => {
    if (entry.kind === 'file') return [entry];
    throw ignoreFileNotRead(entry.path, 'it is not a plain file');
  });
  const missing = files.map((file) => file.blob).filter((blob) => !reader.ignoreFiles.has(blob));
  const { contents: read, tooLarge } = await reader.repository.read(missing, () => IGNORE_FILE);
  for (const { path, blob } of files) {
    const error = tooLarge.get(blob);
    if (error !== undefined) throw ignoreFileNotRead(path, error.why);
  }
  reader.ignoreFiles = new Map(
    files.map((file) => [file.blob, reader.ignoreFiles.get(file.blob) ?? read.get(file.blob) ?? new Uint8Array()]),
  );
  return files.map((file) => {
    const bytes = reader.ignoreFiles.get(file.blob) ?? new Uint8Array();
    if (bytes.length > LIMITS.maxIgnoreBytes) throw ignoreFileNotRead(file.path, `it has ${bytes.length} bytes`);
    const folder = file.path.slice(0, -IGNORE_FILE.length).replace(/\/$/, '');
    return { lines: new TextDecoder().decode(bytes).split('\n'), folder, origin: file.path };
  });
}

/** A server that has moved on may not hand out the head it told a moment ago. */
async function fetchHead(repository: GitRepository, head: CommitId): Promise<CommitId> {
  try {
    await repository.fetch(head);
    return head;
  } catch (thrown) {
    const newer = asSottoError(thrown).code === 'SOTTO-GIT-032' ? await repository.head() : head;
    if (newer === head) throw thrown;
    await repository.fetch(newer);
    return newer;
  }
}

function rewritten(branch: BranchName, from: string, descent: Descent): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-018',
    what: `the new head of ${branch} is not used`,
    why:
      descent === 'no'
        ? `it does not come after ${from.slice(0, 12)}, which is applied`
        : `the server does not show that it comes after ${from.slice(0, 12)}, which is applied`,
    next: `look at \`git log ${shellWord(`${from.slice(0, 12)}...origin/${branch}`)}\`; to follow the branch set requireFastForward: false`,
    key: 'source.git.requireFastForward',
  });
}

function ignoreFileNotRead(file: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-033',
    what: 'the ignore file cannot be used',
    why,
    next: `make it a plain file of at most ${LIMITS.maxIgnoreBytes / 1024} KiB, or remove it`,
    file,
  });
}

function tooManyEntries(count: number): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-022',
    what: 'the path is not read',
    why: `it has ${count} entries, the cap is ${LIMITS.maxTreeEntries}`,
    next: 'choose a narrower path, or split it into several syncs',
    key: 'path',
  });
}
