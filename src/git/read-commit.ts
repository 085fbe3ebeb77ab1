import { type Checkout, expectOutput, gitFailed, runInCheckout } from './checkout.ts';
import type { CommitId } from './output.ts';

/** A plain file of a commit. */
export interface CommittedFile {
  readonly path: string;
  readonly mode: string;
  readonly blob: string;
  readonly sizeBytes: number;
}

/** What git gives in one answer. */
const MAX_BATCH_BYTES = 32 * 1024 * 1024;

/** The plain files of a commit, and the paths of its links, in the order of git. Submodules are neither. */
export async function listEntries(
  checkout: Checkout,
  commit: CommitId,
): Promise<{ readonly files: CommittedFile[]; readonly links: string[] }> {
  const listing = await runInCheckout(checkout, { args: ['ls-tree', '-r', '-l', '-z', '--full-tree', commit] });
  const files: CommittedFile[] = [];
  const links: string[] = [];
  for (const record of expectOutput(listing, 'git ls-tree').toString('utf8').split('\0')) {
    const [, mode, blob, size, path] = /^(100[0-7]{3}|120000) blob ([0-9a-f]+) +(\d+)\t(.+)$/s.exec(record) ?? [];
    if (mode === undefined || blob === undefined || path === undefined) continue;
    if (mode === '120000') links.push(path);
    else files.push({ path, mode, blob, sizeBytes: Number(size) });
  }
  return { files, links };
}

export async function listCommit(checkout: Checkout, commit: CommitId): Promise<CommittedFile[]> {
  return (await listEntries(checkout, commit)).files;
}

/** Paths of the files of a commit that hold one of the words. */
export async function pathsHolding(
  checkout: Checkout,
  commit: CommitId,
  words: readonly string[],
): Promise<ReadonlySet<string>> {
  const patterns = words.flatMap((word) => ['-e', word]);
  const args = ['grep', '--name-only', '-z', '--text', '--fixed-strings', '--full-name', ...patterns, commit, '--'];
  const found = await runInCheckout(checkout, { args });
  // git ends with 1 and says nothing where no file holds any.
  if (!found.ok && found.complaint !== '') throw gitFailed('git grep', found.complaint);
  const records = found.output.toString('utf8').split('\0');
  return new Set(records.flatMap((record) => (record === '' ? [] : [record.slice(commit.length + 1)])));
}

/** The bytes of files by their path, as they are stored: no filter has a say. */
export async function readFiles(
  checkout: Checkout,
  files: readonly CommittedFile[],
): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const batch of batches(files)) {
    const input = batch.map(({ blob }) => `${blob}\n`).join('');
    const output = expectOutput(
      await runInCheckout(checkout, { args: ['cat-file', '--batch'], input }),
      'git cat-file',
    );
    let at = 0;
    for (const { path, blob } of batch) {
      const end = output.indexOf(10, at);
      const [, size] = new RegExp(`^${blob} blob (\\d+)$`).exec(output.toString('latin1', at, end)) ?? [];
      if (size === undefined) throw gitFailed('git cat-file', `${path} is not in this clone`);
      const start = end + 1;
      found.set(path, output.subarray(start, start + Number(size)));
      at = start + Number(size) + 1;
    }
  }
  return found;
}

function batches(files: readonly CommittedFile[]): CommittedFile[][] {
  const all: CommittedFile[][] = [];
  let bytes = MAX_BATCH_BYTES;
  for (const file of files) {
    bytes += file.sizeBytes + 100;
    if (bytes > MAX_BATCH_BYTES) {
      all.push([]);
      bytes = file.sizeBytes;
    }
    all.at(-1)?.push(file);
  }
  return all;
}
