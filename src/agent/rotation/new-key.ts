import { ageKeySecret, type AgeKeySecret } from '../../authoring/rotation/age-key-secret.ts';
import { isSealedFor } from '../../authoring/reseal-sealed.ts';
import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';
import { rfc3339 } from '../../core/clock.ts';
import { SottoError } from '../../core/errors.ts';
import { markOf } from '../../keys/key-secret.ts';
import { keyLife } from '../../keys/key-state.ts';
import { madeHereMark } from '../../keys/made-here.ts';
import {
  MADE_ANNOTATION,
  ORIGIN_ANNOTATION,
  ORIGIN_SOTTO,
  STATE_ANNOTATION,
  UNTIL_ANNOTATION,
} from '../../keys/marks.ts';
import { kubeError } from '../../kube/errors.ts';
import { createObject, mergePatch } from '../../kube/objects.ts';
import { SECRETS } from '../../kube/resource.ts';
import { type Repeat, withRetry } from '../../kube/retry.ts';
import type { SealingKey } from '../../sealed/sealing-key.ts';
import type { SealingSettings } from '../../settings/settings.ts';
import { secretMarkOf, storeRecovery } from '../sealing-key.ts';
import { type HeldKey, type HeldSealingKey, SEALING } from './goal.ts';
import type { RotationSite } from './site.ts';

/** In memory alone. Its Secret will say that the agent has made it. */
export function newAgeKey({ agent }: RotationSite, old: string, now: Date): AgeKeySecret {
  return ageKeySecret(agent.place.agentNamespace, old, now, (made) => ({
    [MADE_ANNOTATION]: madeHereMark(agent.fingerprint.current, old, made),
  }));
}

/** The Secret of a new age identity; its copy for the recovery recipients first. Throws SottoError. */
export async function storeAgeKey({ agent, keys }: RotationSite, key: AgeKeySecret): Promise<HeldKey> {
  const { transport, place } = agent;
  const namespace = place.agentNamespace;
  const repeat = repeating(agent);
  const { recovery } = agent.settings().sealing;
  if (recovery.length > 0) await storeRecovery({ transport, namespace, repeat }, key.name, key.fill, recovery);
  const target = { resource: SECRETS, namespace, name: key.name };
  const made = await createObject(transport, { ...target, body: key.fill().reveal() });
  if (!made.ok) throw kubeError(made.failure, { ...target, verb: 'create' });
  await keys.written(secretMarkOf(made.value.object));
  agent.log.info('an age key was made', { object: `Secret/${key.name}` });
  const secret = keys.secrets().find(({ mark }) => mark.name === key.name);
  if (secret === undefined) throw notHeld(key.name);
  return { identity: key.identity, secret };
}

/**
 * The sealing key that everything is to be sealed for: the one that was shown, else one that is made as soon as those in
 * use only open. Throws SOTTO-ROTATE-017.
 */
export async function newSealingKey(
  site: RotationSite,
  shown: HeldSealingKey | undefined,
  until: Date,
): Promise<SealingKey> {
  if (shown !== undefined) return shown.key;
  const active = activeSealing(site);
  if (active.length === 0) throw noSealing('the agent has made none yet');
  for (const { secret, key } of active)
    await annotate(site, secret, {
      [STATE_ANNOTATION]: 'decrypt-only',
      [UNTIL_ANNOTATION]: rfc3339(until),
      [MADE_ANNOTATION]: madeHereMark(site.agent.fingerprint.current, SEALING, key.fingerprint),
    });
  const [made] = activeSealing(site);
  if (made === undefined) throw noSealing('the agent could not make one; its status says why');
  return made.key;
}

/** The sealing key in use, while something is not sealed for it yet: else it is the one that goes next. */
export async function sealingInCourse(
  site: RotationSite,
  { sealed }: EncryptedDocuments,
): Promise<HeldSealingKey | undefined> {
  const [inUse] = activeSealing(site);
  return inUse === undefined || (await isAllSealedFor(inUse.key, sealed, site)) ? undefined : inUse;
}

async function isAllSealedFor(
  key: SealingKey,
  sealed: EncryptedDocuments['sealed'],
  { agent }: RotationSite,
): Promise<boolean> {
  for (const { path, text } of sealed) {
    if (!(await isSealedFor(key, text, path, agent.place.targetNamespace))) return false;
  }
  return true;
}

/** Of those that sotto made and that may seal, newest first. */
export function activeSealing({ keys }: RotationSite): HeldSealingKey[] {
  return keys
    .secrets()
    .flatMap(({ mark, sealingKey }) => {
      const isOurs = markOf(mark.annotations, ORIGIN_ANNOTATION) === ORIGIN_SOTTO && keyLife(mark).state === 'active';
      return isOurs && sealingKey !== undefined ? [{ secret: mark.name, key: sealingKey }] : [];
    })
    .toSorted((a, b) => b.key.notBefore.getTime() - a.key.notBefore.getTime());
}

export function secretOfSealing(site: RotationSite, sealing: SealingKey | undefined): string {
  const found = activeSealing(site).find(({ key }) => key.fingerprint === sealing?.fingerprint);
  if (found === undefined) throw noSealing('the one that was made is no longer there');
  return found.secret;
}

/** Throws SOTTO-ROTATE-017 where the settings do not let the agent change the key that is sealed for. */
export function checkSealing({ enabled, secretNames, certificate }: SealingSettings): void {
  if (!enabled) throw noSealing('sealing.enabled is not set, so the agent makes none');
  if (secretNames.length > 0) throw noSealing('sealing.keys names those that may seal');
  if (certificate !== undefined) throw noSealing('sealing.certificate pins the one in use');
}

/** Annotations of a key Secret; its content is not touched. What the agent knows of it follows at once. */
export async function annotate(
  { agent, keys }: RotationSite,
  name: string,
  annotations: Readonly<Record<string, string | null>>,
): Promise<void> {
  const target = { resource: SECRETS, namespace: agent.place.agentNamespace, name };
  const patch = { metadata: { annotations } };
  const marked = await repeating(agent)(() => mergePatch(agent.transport, { ...target, patch }));
  if (!marked.ok) throw kubeError(marked.failure, { ...target, verb: 'patch' });
  await keys.written(secretMarkOf(marked.value.object));
}

function repeating({ random, signal }: RotationSite['agent']): Repeat {
  return (attempt) => withRetry(attempt, { random, signal });
}

export function notHeld(secret: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-029',
    what: 'the agent does not hold the key that it has made',
    why: `Secret ${secret} does not come back as a key of the syncs`,
    next: 'sotto keys list, then the same command again',
    object: `Secret/${secret}`,
  });
}

function noSealing(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-017',
    what: 'there is no new sealing key',
    why,
    next: 'sotto status; or seal for another key from a checkout: sotto rotate --cert FILE',
  });
}
