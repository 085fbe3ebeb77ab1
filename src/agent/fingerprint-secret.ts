import { SottoError } from '../core/errors.ts';
import type { Sensitive } from '../core/sensitive.ts';
import {
  FINGERPRINT_ENTRY,
  type FingerprintKey,
  fingerprintKey,
  FORMER_ENTRY,
  isSameFingerprint,
  newFingerprintBytes,
} from '../keys/fingerprint.ts';
import { kubeError } from '../kube/errors.ts';
import { applyObject, jsonPatch } from '../kube/objects.ts';
import { SECRETS } from '../kube/resource.ts';
import { unrepeated } from '../kube/retry.ts';
import { readSecret, type SecretContent } from '../kube/secret-reader.ts';
import type { AgentContext } from './context.ts';
import { fingerprintBody } from './fingerprint-body.ts';
import { type StoredKeys, storedKeys } from './fingerprint.ts';

type Place = Pick<AgentContext, 'transport' | 'place' | 'settings' | 'fingerprint' | 'signal'>;

/**
 * Puts a new key into the Secret and keeps the one before it there: one write, so that at no moment one of them is
 * missing. Nothing is made with the new key before. Throws SottoError; what is stored then is what was stored, or both.
 */
export async function storeNewKey(agent: Place): Promise<FingerprintKey> {
  const secret = await ownSecret(agent);
  const stored = keysOf(secret);
  try {
    if (stored !== undefined && isSameFingerprint(stored.current, agent.fingerprint.current)) {
      using bytes = newFingerprintBytes();
      await write(agent, secret, bytes);
      return fingerprintKey(bytes);
    }
  } finally {
    wipe(secret);
  }
  // An earlier try whose answer was lost: the new key is there, and nothing was made with it.
  if (stored?.former !== undefined && isSameFingerprint(stored.former, agent.fingerprint.current))
    return stored.current;
  throw swapped(agent);
}

async function write(agent: Place, secret: SecretContent, bytes: Sensitive): Promise<void> {
  const { transport } = agent;
  const before = secret.entries.get(FINGERPRINT_ENTRY);
  if (before === undefined) throw swapped(agent);
  const target = targetOf(agent);
  const { namespace, name } = target;
  const metadata = { name, namespace, resourceVersion: secret.resourceVersion };
  const body = fingerprintBody(metadata, { [FINGERPRINT_ENTRY]: bytes, [FORMER_ENTRY]: before });
  const answer = await applyObject(transport, { ...target, body, force: true });
  if (!answer.ok) throw kubeError(answer.failure, { verb: 'patch', ...target });
}

/** Takes the former key out of the Secret, if that still holds the two that are in memory. */
export async function removeFormer(agent: Place): Promise<void> {
  const secret = await ownSecret(agent);
  const stored = storedKeys(secret);
  const { current, former } = agent.fingerprint;
  if (stored === undefined || former === undefined || !isSameFingerprint(stored.current, current)) throw swapped(agent);
  if (stored.former === undefined) return;
  if (!isSameFingerprint(stored.former, former)) throw swapped(agent);
  const target = targetOf(agent);
  const patch = [
    { op: 'test', path: '/metadata/resourceVersion', value: secret.resourceVersion },
    { op: 'remove', path: `/data/${FORMER_ENTRY}` },
  ];
  const answer = await jsonPatch(agent.transport, { ...target, patch });
  if (!answer.ok) throw kubeError(answer.failure, { verb: 'patch', ...target });
}

function targetOf({ place, settings, signal }: Place) {
  return { resource: SECRETS, namespace: place.agentNamespace, name: settings().fingerprintSecret, signal };
}

async function ownSecret(agent: Place): Promise<SecretContent> {
  const { namespace, name } = targetOf(agent);
  const secret = await readSecret(agent.transport, namespace, name, unrepeated, agent.signal);
  if (secret === undefined) throw swapped(agent);
  return secret;
}

/** As `storedKeys`, but the bytes stay. */
function keysOf({ entries }: SecretContent): StoredKeys | undefined {
  const [stored, before] = [FINGERPRINT_ENTRY, FORMER_ENTRY].map((entry) => entries.get(entry));
  return stored && { current: fingerprintKey(stored), former: before && fingerprintKey(before) };
}

function wipe({ entries }: SecretContent): void {
  for (const value of entries.values()) value.wipe();
}

/** Whoever writes it knows a key that the agent does not: to build on that would give the next start an unknown key. */
export function swapped({ place, settings }: Pick<Place, 'place' | 'settings'>): SottoError {
  const name = settings().fingerprintSecret;
  return new SottoError({
    code: 'SOTTO-KEYS-101',
    what: 'the fingerprint Secret does not hold the key that the agent works with',
    why: `Secret ${name} was deleted, replaced or changed since the agent started; a restart would not know its inventory`,
    next: `kubectl delete secret ${name} -n ${place.agentNamespace} --ignore-not-found, then sotto keys restore NEWEST-BACKUP -n ${place.agentNamespace}`,
    object: `Secret/${name}`,
  });
}
