import { createHash, createPublicKey } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
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

type OpeningKeys = Pick<RotationKeys, 'identities' | 'unsealKeys' | 'namespace'>;

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
  step: () => void = () => undefined,
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
    step();
    const recipients = recipientsOf(file).groups.flat();
    const change = whyKept.get(file.name) ?? 'new data key, old recipient replaced';
    rows.push({ file: file.name, kind: 'SOPS', recipients, openedBy: joined(await opensSops(file, keys)), change });
  }
  for (const file of documents.sealed) {
    const change = whyKept.get(file.path) ?? 'sealed anew';
    rows.push({
      file: file.path,
      kind: 'SealedSecret',
      recipients: [],
      openedBy: joined(opensSealed(file, keys)),
      change,
    });
  }
  return rows.toSorted((a, b) => (a.file < b.file ? -1 : 1));
}

function joined(names: readonly string[] | undefined): string | undefined {
  return names?.join(' and ');
}

/**
 * Public names of the keys at hand that open each of these files: what its receipt says of it. The agent goes on with
 * everything else between them.
 */
export async function openingKeys(
  { sops, sealed }: EncryptedDocuments,
  paths: ReadonlySet<string>,
  keys: OpeningKeys,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const { file } of sops.filter((each) => paths.has(each.file.name))) {
    await nextTurn();
    found.set(file.name, (await opensSops(file, keys)) ?? []);
  }
  for (const file of sealed.filter((each) => paths.has(each.path))) {
    await nextTurn();
    found.set(file.path, opensSealed(file, keys) ?? []);
  }
  return found;
}

/** The identities that open it, tried one by one; several together where key groups want that. */
async function opensSops(file: SealedFile, { identities }: OpeningKeys): Promise<string[] | undefined> {
  const keyed = { file: file.name, metadata: metadataOf({ text: file.text, format: file.format, file: file.name }) };
  for (const held of [...identities.map((identity) => [identity]), identities]) {
    try {
      (await unwrapBytes(keyed, held)).fill(0);
      const named = new Set(recipientsOf(file).groups.flat());
      // Several are tried together: those of them that are age keys for this file.
      const used =
        held.length === 1 ? held : held.filter(({ kind, recipient }) => kind !== 'age' || named.has(recipient));
      return used.map(({ recipient }) => recipient).filter((name) => name !== '');
    } catch (thrown) {
      if (!(thrown instanceof SottoError)) throw thrown;
    }
  }
  return undefined;
}

/** Undefined also for what only looks like one, such as a template of a chart: it stops a rotation that would seal it. */
function opensSealed({ text, path }: SealedSecretFile, { unsealKeys, namespace }: OpeningKeys): string[] | undefined {
  let items: (UnsealKey | undefined)[];
  try {
    items = sealedDocuments(text, path, namespace).flatMap(({ sealed }) =>
      sealed.items.map((item) => keyFor(sealed, item, unsealKeys)),
    );
  } catch (thrown) {
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
  const names = items.flatMap((key) => (key === undefined ? [] : nameOf(key)));
  return names.length < items.length ? undefined : [...new Set(names)];
}

/** No ciphertext tells its key, and a private key has no name: what is short of a fingerprint of its public half. */
function nameOf({ privateKey }: UnsealKey): string {
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return `rsa ${createHash('sha256').update(spki).digest('hex').slice(0, 16)}`;
}
