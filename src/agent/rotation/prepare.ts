import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RotationPlan } from '../../authoring/rotation/plan.ts';
import { checkOpens, prepareRotation, type RotationKeys } from '../../authoring/rotation/prepare.ts';
import { SottoError } from '../../core/errors.ts';
import { type SealingCertificate, sealingCertificate } from '../../sealed/certificate.ts';
import type { SealingKey } from '../../sealed/sealing-key.ts';
import type { Settings } from '../../settings/settings.ts';
import type { HeldKey, Intent } from './goal.ts';
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
export function checkHeld({ agent, keys, sync }: RotationWork, { identity, secret }: HeldKey): void {
  const { url } = sync.settings.source.git;
  for (const { source, ...other } of agent.settings().syncs) {
    if (source.git.url !== url) continue;
    const held = keys.keysOf({ source, ...other }).ageIdentities;
    if (!held.some(({ recipient }) => recipient === identity.recipient)) throw notHeld(secret.mark.name);
  }
}

/** Everything is opened once before a key is made for it. Throws SottoError. */
export async function checkEverythingOpens(work: RotationWork, { plan }: Intent): Promise<void> {
  for (const each of plan.sops) {
    await nextTurn();
    await checkOpens({ ...plan, sops: [each] }, rotationKeys(work, undefined));
  }
  if (plan.sealed.length === 0) return;
  const [inUse] = activeSealing(work);
  const certificate = inUse && sealingCertificate(inUse.key.certificatePem, work.agent.clock.now());
  await encryptEach(work, { policies: [], sops: [], sealed: plan.sealed, kept: [] }, certificate);
}

/** The new content of every file that changes, in memory, each opened again and compared. Throws SottoError. */
export function encryptAnew(
  work: RotationWork,
  plan: RotationPlan,
  sealing: SealingKey | undefined,
  now: Date,
): Promise<Map<string, Uint8Array>> {
  return encryptEach(work, plan, sealing && sealingCertificate(sealing.certificatePem, now));
}

/** File by file: the agent goes on with everything else between them. */
async function encryptEach(
  work: RotationWork,
  plan: RotationPlan,
  certificate: SealingCertificate | undefined,
): Promise<Map<string, Uint8Array>> {
  const keys = rotationKeys(work, certificate);
  const now = work.agent.clock.now();
  const none: RotationPlan = { policies: [], sops: [], sealed: [], kept: [] };
  const pieces = [
    { ...none, policies: plan.policies },
    ...plan.sops.map((each) => ({ ...none, sops: [each] })),
    ...plan.sealed.map((each) => ({ ...none, sealed: [each] })),
  ];
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
