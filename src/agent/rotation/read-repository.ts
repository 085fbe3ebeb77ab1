import { dirname } from 'node:path';
import { type EncryptedDocuments, documentsOf, isPolicyPath } from '../../authoring/rotation/documents.ts';
import { RECEIPT_FILE } from '../../authoring/rotation/receipt.ts';
import { SottoError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import type { BlobId, CommitId, TreeEntry } from '../../git/output.ts';
import type { GitRepository } from '../../git/repository.ts';

const WORDS = ['sops', 'SealedSecret'];

/** Everything encrypted in a commit of the server, at whatever path. Throws SottoError. */
export async function readRepository(repository: GitRepository, commit: CommitId): Promise<EncryptedDocuments> {
  try {
    await repository.fetch(commit);
    const entries = await repository.list(commit, ['']);
    if (entries.length > LIMITS.maxTreeEntries) throw tooLarge(`it has ${entries.length} files and folders`);
    const files = entries.flatMap((entry) => (entry.kind === 'file' ? [entry] : []));
    await repository.bring(files.map(({ blob }) => blob));
    const holding = await pathsHolding(repository, commit);
    const wanted = files.filter(({ path }) => holding.has(path) || isPolicyPath(path));
    checkPaths(entries, wanted);
    const pathOf = new Map<BlobId, string>(wanted.map(({ path, blob }) => [blob, path]));
    const read = await repository.readHere([...pathOf.keys()], (blob) => pathOf.get(blob) ?? 'a file');
    const [over] = read.tooLarge;
    if (over !== undefined) throw tooLarge(`${pathOf.get(over[0]) ?? 'a file'}: ${over[1].why}`);
    const contents = wanted.flatMap(({ path, blob }) => {
      const bytes = read.contents.get(blob);
      return bytes === undefined ? [] : [[path, bytes] as const];
    });
    return documentsOf(new Map(contents), '/');
  } catch (thrown) {
    if (thrown instanceof SottoError && (thrown.code === 'SOTTO-GIT-025' || thrown.code === 'SOTTO-GIT-024'))
      throw tooLarge(thrown.why);
    throw thrown;
  }
}

/** Everything is here: no file that may be encrypted is passed over for its name. */
async function pathsHolding(repository: GitRepository, commit: CommitId): Promise<ReadonlySet<string>> {
  const words = WORDS.flatMap((word) => ['-e', word]);
  const args = ['grep', '--name-only', '-z', '--text', '--fixed-strings', '--full-name', ...words, commit, '--'];
  const outcome = await repository.run(args);
  // git ends with 1 and says nothing where no file holds any.
  if (outcome.kind === 'failed' && outcome.complaint === '') return new Set();
  const records = repository.outputOf(outcome).split('\0');
  return new Set(records.flatMap((record) => (record === '' ? [] : [record.slice(commit.length + 1)])));
}

/** What the commit could not name, or not hold, is found before there is a key for it. Pure. Throws SOTTO-ROTATE-123. */
export function checkPaths(entries: readonly TreeEntry[], wanted: readonly { readonly path: string }[]): void {
  // Git gives bytes: of those that are no UTF-8 this is left.
  const unnamed = wanted.find(({ path }) => path.includes('\uFFFD'));
  if (unnamed !== undefined) throw notWritten(unnamed.path, 'its path is no UTF-8');
  const inTheWay = entries.find(
    ({ path, kind }) =>
      (path === dirname(RECEIPT_FILE) && kind !== 'folder') || (path === RECEIPT_FILE && kind !== 'file'),
  );
  if (inTheWay !== undefined)
    throw notWritten(inTheWay.path, `it is no ${inTheWay.path === RECEIPT_FILE ? 'plain file' : 'folder'}`);
}

function notWritten(path: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-123',
    what: 'the agent could not write the commit of this rotation',
    why,
    next: 'rename it or take it away (git mv, git rm), then the same command again',
    file: path,
  });
}

function tooLarge(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-025',
    what: 'the agent cannot rotate this repository',
    why,
    next: 'rotate from a checkout: sotto rotate --new-secret -n NAMESPACE --branch NAME --push',
  });
}
