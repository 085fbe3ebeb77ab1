import { sealedDocuments } from '../../authoring/reseal-sealed.ts';
import type { Checkout } from '../../git/checkout.ts';
import { branchHeads } from '../../git/branch-heads.ts';
import type { CommitId } from '../../git/output.ts';
import { keyLife } from '../../keys/key-state.ts';
import type { ParsedKeySecret } from '../../keys/parse-keys.ts';
import type { UnsealKey } from '../../sealed/sealing-key.ts';
import { keyFor } from '../../sealed/unseal.ts';
import { recipientsOf } from '../../authoring/coverage.ts';
import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';
import { readDocuments } from '../rotate/documents.ts';

/** What the head of a branch has encrypted. */
export interface HeadDocuments {
  readonly commit: CommitId;
  readonly branches: readonly string[];
  readonly documents: EncryptedDocuments;
}

/** A file that only a key opens, and where. */
export interface KeyNeed {
  readonly branches: readonly string[];
  readonly file: string;
}

export async function readHeads(checkout: Checkout): Promise<HeadDocuments[]> {
  const heads: HeadDocuments[] = [];
  for (const { commit, branches } of await branchHeads(checkout))
    heads.push({ commit, branches, documents: await readDocuments(checkout, commit) });
  return heads;
}

/** SOPS files that name a recipient. Pure. */
export function filesNaming(heads: readonly HeadDocuments[], recipient: string): KeyNeed[] {
  return heads.flatMap(({ branches, documents }) =>
    documents.sops
      .filter(({ file }) => recipientsOf(file).groups.some((group) => group.includes(recipient)))
      .map(({ file }) => ({ branches, file: file.name })),
  );
}

/** SOPS files that none of the others would open in the place of a recipient: in each of its groups there is none. Pure. */
export function filesNeeding(
  heads: readonly HeadDocuments[],
  recipient: string,
  others: ReadonlySet<string>,
): KeyNeed[] {
  return heads.flatMap(({ branches, documents }) =>
    documents.sops
      .filter(({ file }) =>
        recipientsOf(file).groups.some(
          (group) => group.includes(recipient) && !group.some((name) => name !== recipient && others.has(name)),
        ),
      )
      .map(({ file }) => ({ branches, file: file.name })),
  );
}

/** `main 12, old 3`. */
export function needsText(needs: readonly KeyNeed[]): string {
  const counts = Map.groupBy(needs, ({ branches }) => branches[0] ?? '');
  if (counts.size === 0) return 'nothing';
  return [...counts].map(([branch, files]) => `${branch} ${files.length}`).join(', ');
}

/** Files at the heads that only the key of one Secret opens, of all that the agent has. What is retired opens nothing. */
export function needsOf(
  meant: ParsedKeySecret,
  secrets: readonly ParsedKeySecret[],
  heads: readonly HeadDocuments[],
  namespace: string,
): KeyNeed[] {
  const left = secrets.filter(({ mark }) => mark.name !== meant.mark.name && keyLife(mark).state !== 'retired');
  const others = new Set(left.flatMap(namesOf));
  return [
    ...namesOf(meant).flatMap((recipient) => filesNeeding(heads, recipient, others)),
    ...unreadNaming(heads, namesOf(meant)),
    ...(meant.sealingKey === undefined ? [] : filesSealedFor(heads, meant.sealingKey, namespace)),
  ];
}

/** What cannot be read may need each key that stands in it. */
function unreadNaming(heads: readonly HeadDocuments[], recipients: readonly string[]): KeyNeed[] {
  return heads.flatMap(({ branches, documents: { unread } }) =>
    unread
      .filter(({ bytes }) => recipients.some((name) => Buffer.from(bytes).includes(name.replace(/^pgp /, ''))))
      .map(({ path }) => ({ branches, file: path })),
  );
}

/** As files name them. */
function namesOf({ ageIdentities, pgpIdentities }: ParsedKeySecret): string[] {
  return [
    ...ageIdentities.map(({ recipient }) => recipient),
    ...pgpIdentities.map(({ recipient }) => `pgp ${recipient}`),
  ];
}

/** Files with a SealedSecret item that a key opens. No ciphertext says its key, so it is tried. */
export function filesSealedFor(heads: readonly HeadDocuments[], key: UnsealKey, namespace: string): KeyNeed[] {
  return heads.flatMap(({ branches, documents }) =>
    documents.sealed
      .filter(({ path, text }) =>
        sealedDocuments(text, path, namespace).some(({ sealed }) =>
          sealed.items.some((item) => keyFor(sealed, item, [key]) !== undefined),
        ),
      )
      .map(({ path }) => ({ branches, file: path })),
  );
}
