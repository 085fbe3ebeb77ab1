import {
  documentsOf,
  type EncryptedDocuments,
  isPolicyPath,
  linkedPolicies,
} from '../../authoring/rotation/documents.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Checkout } from '../../git/checkout.ts';
import type { CommitId } from '../../git/output.ts';
import { linksIn, listCommit, pathsHolding, readFiles } from '../../git/read-commit.ts';

/** Reads what is encrypted in a commit, and for whom it shall be. Throws SottoError. */
export async function readDocuments(checkout: Checkout, commit: CommitId): Promise<EncryptedDocuments> {
  const listed = await listCommit(checkout, commit);
  const paths = await pathsHolding(checkout, commit, ['sops', 'SealedSecret']);
  const files = listed.filter(
    ({ path, sizeBytes }) => (paths.has(path) || isPolicyPath(path)) && sizeBytes <= LIMITS.maxLocalFileBytes,
  );
  const { unread = [], ...documents } = documentsOf(await readFiles(checkout, files), checkout.root);
  return { ...documents, unread: [...unread, ...linkedPolicies(await linksIn(checkout, commit))] };
}
