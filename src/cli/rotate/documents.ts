import { documentsOf, type EncryptedDocuments, isPolicyPath, withLinks } from '../../authoring/rotation/documents.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Checkout } from '../../git/checkout.ts';
import type { CommitId } from '../../git/output.ts';
import { listEntries, pathsHolding, readFiles } from '../../git/read-commit.ts';

/** Reads what is encrypted in a commit, and for whom it shall be. Throws SottoError. */
export async function readDocuments(checkout: Checkout, commit: CommitId): Promise<EncryptedDocuments> {
  const { files: listed, links } = await listEntries(checkout, commit);
  const paths = await pathsHolding(checkout, commit, ['sops', 'SealedSecret']);
  const files = listed.filter(
    ({ path, sizeBytes }) => (paths.has(path) || isPolicyPath(path)) && sizeBytes <= LIMITS.maxLocalFileBytes,
  );
  return withLinks(documentsOf(await readFiles(checkout, files), checkout.root), links);
}
