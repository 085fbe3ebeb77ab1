import { createHash, createPublicKey } from 'node:crypto';
import { SottoError } from '../../core/errors.ts';
import type { UnsealKey } from '../../sealed/sealing-key.ts';
import { keyFor } from '../../sealed/unseal.ts';
import { metadataOf } from '../../sops/rekey.ts';
import { unwrapBytes } from '../../sops/unwrap.ts';
import { recipientsOf } from '../coverage.ts';
import { sealedDocuments } from '../reseal-sealed.ts';
import type { SealedFile } from '../sealed-file.ts';
import type { EncryptedDocuments, SealedSecretFile } from './documents.ts';
import type { RotationPlan } from './plan.ts';
import type { RotationKeys } from './prepare.ts';

/** One encrypted document of the commit. */
export interface RotationRow {
  readonly file: string;
  readonly kind: 'SOPS' | 'SealedSecret' | 'rules';
  readonly recipients: readonly string[];
  /** Which key at hand opens it; undefined when none does. */
  readonly openedBy: string | undefined;
  readonly change: string;
}

/** Every encrypted document, for whom it is, what opens it, and what will change. */
export async function rotationRows(
  plan: RotationPlan,
  documents: EncryptedDocuments,
  keys: RotationKeys,
): Promise<RotationRow[]> {
  const whyKept = new Map(plan.kept.map(({ path, why }) => [path, `none: ${why}`]));
  const rows: RotationRow[] = plan.policies.map(({ policy }) => ({
    file: policy.path,
    kind: 'rules',
    recipients: [],
    openedBy: undefined,
    change: 'old recipient replaced',
  }));
  for (const { file } of documents.sops) {
    const recipients = recipientsOf(file).groups.flat();
    const change = whyKept.get(file.name) ?? 'new data key, old recipient replaced';
    rows.push({ file: file.name, kind: 'SOPS', recipients, openedBy: await opensSops(file, keys), change });
  }
  for (const file of documents.sealed) {
    const change = whyKept.get(file.path) ?? 'sealed anew';
    rows.push({ file: file.path, kind: 'SealedSecret', recipients: [], openedBy: opensSealed(file, keys), change });
  }
  return rows.toSorted((a, b) => (a.file < b.file ? -1 : 1));
}

/** The identities that open it, tried one by one; several together where key groups want that. */
async function opensSops(file: SealedFile, { identities }: RotationKeys): Promise<string | undefined> {
  const keyed = { file: file.name, metadata: metadataOf({ text: file.text, format: file.format, file: file.name }) };
  for (const held of [...identities.map((identity) => [identity]), identities]) {
    try {
      (await unwrapBytes(keyed, held)).fill(0);
      return held.map(({ recipient }) => recipient).join(' and ');
    } catch (thrown) {
      if (!(thrown instanceof SottoError)) throw thrown;
    }
  }
  return undefined;
}

/** Undefined also for what only looks like one, such as a template of a chart: it stops a rotation that would seal it. */
function opensSealed({ text, path }: SealedSecretFile, { unsealKeys, namespace }: RotationKeys): string | undefined {
  let items: (UnsealKey | undefined)[];
  try {
    items = sealedDocuments(text, path, namespace).flatMap(({ sealed }) =>
      sealed.items.map((item) => keyFor(sealed, item, unsealKeys)),
    );
  } catch (thrown) {
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
  const names = items.map((key) => (key === undefined ? undefined : nameOf(key)));
  return names.includes(undefined) ? undefined : [...new Set(names)].join(' and ');
}

/** No ciphertext tells its key, and a private key has no name: what is short of a fingerprint of its public half. */
function nameOf({ privateKey }: UnsealKey): string {
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return `rsa ${createHash('sha256').update(spki).digest('hex').slice(0, 16)}`;
}
