import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { recipientsOf } from '../../authoring/coverage.ts';
import {
  type EncryptedDocuments,
  documentsOf,
  isPolicyPath,
  type SopsDocument,
  withLinks,
} from '../../authoring/rotation/documents.ts';
import { RECEIPT_FILE } from '../../authoring/rotation/receipt.ts';
import { SottoError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import type { BlobId, CommitId, TreeEntry } from '../../git/output.ts';
import type { GitRepository } from '../../git/repository.ts';
import type { SharedWork } from '../../sops/pattern.ts';
import type { PolicyRule } from '../../sops/policy.ts';

const WORDS = ['sops', 'SealedSecret'];

/** Everything encrypted in a commit of the server, at whatever path. Throws SottoError. */
export async function readRepository(
  repository: GitRepository,
  commit: CommitId,
  signal?: AbortSignal,
): Promise<EncryptedDocuments> {
  try {
    await repository.fetch(commit);
    const entries = await repository.list(commit, ['']);
    if (entries.length > LIMITS.maxTreeEntries) throw tooLarge(`it has ${entries.length} files and folders`);
    const files = entries.flatMap((entry) => (entry.kind === 'file' ? [entry] : []));
    await repository.bring(files.map(({ blob }) => blob));
    const holding = await pathsHolding(repository, commit);
    const wanted = files.filter(({ path }) => holding.has(path) || isPolicyPath(path));
    if (wanted.length > LIMITS.maxRotatedFiles) throw tooLarge(`${wanted.length} of its files may be encrypted`);
    checkPaths(entries, wanted);
    const pathOf = new Map<BlobId, string>(wanted.map(({ path, blob }) => [blob, path]));
    const read = await repository.readHere([...pathOf.keys()], (blob) => pathOf.get(blob) ?? 'a file');
    const [over] = read.tooLarge;
    if (over !== undefined) throw tooLarge(`${pathOf.get(over[0]) ?? 'a file'}: ${over[1].why}`);
    const contents = wanted.flatMap(({ path, blob }) => {
      const bytes = read.contents.get(blob);
      return bytes === undefined ? [] : [[path, bytes] as const];
    });
    const bytes = contents.reduce((sum, [, content]) => sum + content.byteLength, 0);
    if (bytes > LIMITS.maxRotatedBytes) throw tooLarge(`what may be encrypted has ${bytes} bytes`);
    const links = entries.flatMap(({ path, kind }) => (kind === 'link' ? [path] : []));
    return withLinks(await recognized(new Map(contents), signal), links);
  } catch (thrown) {
    if (thrown instanceof SottoError && (thrown.code === 'SOTTO-GIT-025' || thrown.code === 'SOTTO-GIT-024'))
      throw tooLarge(thrown.why);
    throw thrown;
  }
}

/**
 * What the planner, which goes over all of them at once, would look for in each: found here, with a turn for everything
 * else of the agent between.
 */
async function recognized(
  contents: ReadonlyMap<string, Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<EncryptedDocuments> {
  const work: SharedWork = { left: LIMITS.maxRuleWork };
  try {
    const { sops, ...others } = documentsOf(contents, '/', work);
    const known: SopsDocument[] = [];
    for (const document of sops) known.push(await recognizedFile(document, signal));
    return { ...others, sops: known };
  } catch (thrown) {
    if (work.left < 0) throw tooLarge('to look for the rule of each file in .sops.yaml takes too long');
    throw thrown;
  }
}

async function recognizedFile({ file, policy }: SopsDocument, signal: AbortSignal | undefined): Promise<SopsDocument> {
  await nextTurn();
  signal?.throwIfAborted();
  const recipients = recipientsOf(file);
  let rule: PolicyRule | undefined;
  for (const each of policy?.policy.rules ?? []) {
    await nextTurn();
    if (!each.matches(file.below)) continue;
    rule = each;
    break;
  }
  return { file: { ...file, known: { recipients, rule } }, policy };
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
