import { documentsOf, type EncryptedDocuments, isPolicyPath } from '../../authoring/rotation/documents.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Checkout } from '../../git/checkout.ts';
import type { CommitId } from '../../git/output.ts';
import { listCommit, pathsHolding, readFiles } from '../../git/read-commit.ts';

/** Reads what is encrypted in a commit, and for whom it shall be. Throws SottoError. */
export async function readDocuments(checkout: Checkout, commit: CommitId): Promise<EncryptedDocuments> {
  const listed = await listCommit(checkout, commit);
  const paths = await pathsHolding(checkout, commit, ['sops', 'SealedSecret']);
  const files = listed.filter(
    ({ path, sizeBytes }) => (paths.has(path) || isPolicyPath(path)) && sizeBytes <= LIMITS.maxLocalFileBytes,
  );
  return documentsOf(await readFiles(checkout, files), checkout.root);
}
