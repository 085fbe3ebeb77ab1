import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RotationPlan } from '../../authoring/rotation/plan.ts';
import { prepareRotation, type RotationKeys } from '../../authoring/rotation/prepare.ts';
import { SottoError } from '../../core/errors.ts';
import { type SealingCertificate, sealingCertificate } from '../../sealed/certificate.ts';
import type { SealingKey } from '../../sealed/sealing-key.ts';
import type { OpeningKeys } from '../../keys/ring.ts';
import type { Settings, SyncSettings } from '../../settings/settings.ts';
import type { AgeIdentity } from '../../sops/age.ts';
import type { HeldKey } from './goal.ts';
import { activeSealing, notHeld } from './new-key.ts';
import type { RotationWork } from './site.ts';

/** Those of the sync, as for its files: keys of other teams open nothing here. */
export function identitiesOf({ keys, sync }: Pick<RotationWork, 'keys' | 'sync'>): RotationKeys['identities'] {
  const { ageIdentities, pgpIdentities } = keys.keysOf(sync.settings);
  return [...ageIdentities, ...pgpIdentities];
}

/** A labelled key counts for syncs that name no keys of their own. Throws SOTTO-ROTATE-026. */
export function checkSyncs(settings: Settings, url: string): void {
  const common = settings.decryption.secretNames;
  const apart = settings.syncs.find(
    ({ source, decryption: { secretNames } }) =>
      source.git.url === url &&
      (secretNames.length !== common.length || !secretNames.every((each) => common.includes(each))),
  );
  if (apart === undefined) return;
  throw new SottoError({
    code: 'SOTTO-ROTATE-026',
    what: 'nothing was changed, because a sync would not open its files with the new key',
    why: `sync ${apart.name} of the same repository has decryption.keys of its own`,
    next: 'rotate from a checkout with a key that you put where that sync finds it: sotto rotate --key-file OLD --new-key NEW',
  });
}

/** That the new key is one of every sync of the repository. Throws SOTTO-ROTATE-029. */
export function checkHeld(
  { syncs }: Pick<Settings, 'syncs'>,
  url: string,
  keys: { keysOf(sync: SyncSettings): Pick<OpeningKeys, 'ageIdentities'> },
  { identity, secret }: HeldKey,
): void {
  for (const sync of syncs) {
    if (sync.source.git.url !== url) continue;
    const held = keys.keysOf(sync).ageIdentities;
    if (!held.some(({ recipient }) => recipient === identity.recipient)) throw notHeld(secret.mark.name);
  }
}

/** The new content of every SOPS file and rule, in memory, each opened again and compared. Throws SottoError. */
export function encryptSops(
  work: RotationWork,
  { policies, sops }: RotationPlan,
  made: AgeIdentity | undefined,
  now: Date,
): Promise<Map<string, Uint8Array>> {
  const keys = rotationKeys(work, undefined);
  const identities = made === undefined ? keys.identities : [...keys.identities, made];
  const pieces = [{ ...NONE, policies }, ...sops.map((each) => ({ ...NONE, sops: [each] }))];
  return eachInTurn(work, pieces, { ...keys, identities }, now);
}

/** That every SealedSecret opens, before a key is made for it: sealed for the one in use, and thrown away. */
export async function checkSealedOpen(work: RotationWork, plan: RotationPlan): Promise<void> {
  const [inUse] = activeSealing(work);
  await sealAnew(work, plan, inUse?.key, work.agent.clock.now());
}

/** The same for files with SealedSecrets. */
export function sealAnew(
  work: RotationWork,
  { sealed }: RotationPlan,
  sealing: SealingKey | undefined,
  now: Date,
): Promise<Map<string, Uint8Array>> {
  const keys = rotationKeys(work, sealing && sealingCertificate(sealing.certificatePem, now));
  const pieces = sealed.map((each) => ({ ...NONE, sealed: [each] }));
  return eachInTurn(work, pieces, keys, now);
}

const NONE: RotationPlan = { policies: [], sops: [], sealed: [], kept: [] };

/** File by file: the agent goes on with everything else between them. */
async function eachInTurn(
  work: RotationWork,
  pieces: readonly RotationPlan[],
  keys: RotationKeys,
  now: Date,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const piece of pieces) {
    await nextTurn();
    work.agent.signal.throwIfAborted();
    for (const [path, content] of await prepareRotation(piece, keys, now)) files.set(path, content);
  }
  return files;
}

export function rotationKeys(work: RotationWork, certificate: SealingCertificate | undefined): RotationKeys {
  const { services, sealingKeys } = work.keys.keysOf(work.sync.settings);
  return {
    identities: identitiesOf(work),
    services,
    unsealKeys: sealingKeys,
    pgpKeys: [],
    certificate,
    namespace: work.agent.place.targetNamespace,
  };
}
