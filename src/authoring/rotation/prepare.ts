import { isSealedFor, keyOf, reseal, sealedDocuments } from '../reseal-sealed.ts';
import type { SealingCertificate } from '../../sealed/certificate.ts';
import type { UnsealKey } from '../../sealed/sealing-key.ts';
import { unsealAll } from '../../sealed/unseal.ts';
import type { KeyServices } from '../../services/key-services.ts';
import type { Identity } from '../../sops/identity.ts';
import type { PgpKeyBlock } from '../../sops/pgp-key.ts';
import { openClear, rekey } from '../../sops/rekey.ts';
import { heldServices } from '../held-services.ts';
import { wantedKeys } from '../wanted-keys.ts';
import type { RotationPlan } from './plan.ts';

export interface RotationKeys {
  /** Old ones, and the new one where there is one. */
  readonly identities: readonly Identity[];
  readonly unsealKeys: readonly UnsealKey[];
  readonly pgpKeys: readonly PgpKeyBlock[];
  readonly services: KeyServices;
  readonly certificate: SealingCertificate | undefined;
  /** Of SealedSecrets that name none. */
  readonly namespace: string;
}

/**
 * The new content of every file that changes, by path: each opened, encrypted with a new data key, opened again and
 * compared. Nothing is written. Throws SottoError at the first file that does not open.
 */
export async function prepareRotation(
  plan: RotationPlan,
  keys: RotationKeys,
  now: Date,
  step: () => void = () => undefined,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const { policy, text } of plan.policies) files.set(policy.path, Buffer.from(text));
  for (const { file, groups, threshold, before } of plan.sops) {
    const { text, format, name } = file;
    const old = { text, format, file: name };
    const held = heldServices(old, keys.services);
    const wanted = wantedKeys({ groups, threshold }, { groups: before, threshold }, keys.pgpKeys, held);
    const made = await rekey(old, keys.identities, wanted, 'new-data-key', now);
    files.set(name, Buffer.from(made));
    step();
  }
  if (keys.certificate === undefined) return files;
  const resealing = { certificate: keys.certificate, keys: keys.unsealKeys };
  const own = keyOf(resealing);
  for (const { path, text } of plan.sealed) {
    step();
    if (own !== undefined && (await isSealedFor(own, text, path, keys.namespace))) continue;
    const made = await reseal(text, path, keys.namespace, resealing);
    if (made !== text) files.set(path, Buffer.from(made));
  }
  return files;
}

/** Throws SottoError for the first SOPS file that does not open as a whole: before a new key is made for it. */
export async function checkOpens(
  { sops }: RotationPlan,
  { identities }: RotationKeys,
  step: () => void = () => undefined,
): Promise<void> {
  for (const { file } of sops) {
    step();
    const { text, format, name } = file;
    const clear = await openClear({ text, format, file: name }, identities);
    clear.wipe();
  }
}

/** The same for SealedSecrets, and for those of a form that is not sealed again. */
export async function checkUnseals({ sealed }: RotationPlan, { unsealKeys, namespace }: RotationKeys): Promise<void> {
  for (const { path, text } of sealed) {
    for (const document of sealedDocuments(text, path, namespace)) {
      const opened = await unsealAll(document.sealed, unsealKeys);
      for (const { value } of opened.values()) value.wipe();
    }
  }
}
