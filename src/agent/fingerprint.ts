import { SottoError } from '../core/errors.ts';
import { stringAt } from '../core/json.ts';
import { INVENTORY_NAME } from '../core/labels.ts';
import {
  FINGERPRINT_ENTRY,
  fingerprintId,
  type FingerprintKey,
  fingerprintKey,
  FORMER_ENTRY,
  keyedDigest,
  newFingerprintBytes,
} from '../keys/fingerprint.ts';
import { kubeError } from '../kube/errors.ts';
import { createObject, getMetadata } from '../kube/objects.ts';
import { CONFIG_MAPS, SECRETS } from '../kube/resource.ts';
import { readSecret, type SecretContent } from '../kube/secret-reader.ts';
import { type Repeat, unrepeated } from '../kube/retry.ts';
import type { Transport } from '../kube/transport.ts';
import type { Mac } from '../plan/inventory.ts';
import type { FingerprintPlan } from '../report/status.ts';
import { fingerprintBody } from './fingerprint-body.ts';

/** The keys of digests as they are in force. Keys change in `change-fingerprint.ts` only. */
export interface FingerprintKeys {
  current: FingerprintKey;
  /** The key before it, while something made with it may be left. */
  former: FingerprintKey | undefined;
  /** Syncs of which nothing made with the former key is left. */
  readonly carried: Set<string>;
  /** What another key would change, as it was tried out last. */
  plan: FingerprintPlan | undefined;
  /** Of the Secret, when it was last seen to hold the key. */
  resourceVersion: string;
  /** The former key is being taken away. */
  settling: Promise<void> | undefined;
  /** Monotonic: the next try of that, after one that failed. */
  notBeforeMs: number;
  /** The Secret does not hold the key any more. */
  trouble: SottoError | undefined;
}

/**
 * The key of placeholders, inventory MAC and status signature: read, or made at the very first start. Never made anew
 * while an inventory exists (product page): the old rows could not be told from forged ones.
 */
export async function loadFingerprint(
  transport: Transport,
  namespace: string,
  name: string,
  repeat: Repeat = unrepeated,
): Promise<FingerprintKeys> {
  const secret = await readSecret(transport, namespace, name, repeat);
  const stored = secret && storedKeys(secret);
  if (stored !== undefined) return keysWith(stored, secret?.resourceVersion ?? '');
  const target = { resource: CONFIG_MAPS, namespace, name: INVENTORY_NAME };
  const inventory = await repeat(() => getMetadata(transport, target));
  if (!inventory.ok) throw kubeError(inventory.failure, { verb: 'get', ...target });
  if (inventory.value !== undefined || secret !== undefined) throw fingerprintGone(name, namespace);
  return createFingerprint(transport, namespace, name, repeat);
}

function keysWith({ current, former }: StoredKeys, resourceVersion: string): FingerprintKeys {
  return {
    current,
    former,
    carried: new Set(),
    plan: undefined,
    resourceVersion,
    settling: undefined,
    notBeforeMs: 0,
    trouble: undefined,
  };
}

export type StoredKeys = Pick<FingerprintKeys, 'current' | 'former'>;

/** What is made with a key, for each of them. */
export function withBoth<Made>(
  { current, former }: StoredKeys,
  make: (key: FingerprintKey) => Made,
): { readonly current: Made; readonly former: Made | undefined } {
  return { current: make(current), former: former && make(former) };
}

export function inventoryMac(key: FingerprintKey, namespace: string): Mac {
  return (bytes) => keyedDigest(key, 'inventory', namespace, bytes);
}

/** Wipes what was read. Throws SOTTO-KEYS-020 for what is no key. */
export function storedKeys({ entries }: SecretContent): StoredKeys | undefined {
  const [stored, before] = [FINGERPRINT_ENTRY, FORMER_ENTRY].map((entry) => entries.get(entry));
  try {
    return stored && { current: fingerprintKey(stored), former: before && fingerprintKey(before) };
  } finally {
    for (const value of entries.values()) value.wipe();
  }
}

async function createFingerprint(
  transport: Transport,
  namespace: string,
  name: string,
  repeat: Repeat,
): Promise<FingerprintKeys> {
  using bytes = newFingerprintBytes();
  const target = { resource: SECRETS, namespace, name };
  const metadata = { name, namespace, labels: { 'app.kubernetes.io/managed-by': 'sotto' } };
  // Each attempt fills anew: a body that was sent is gone.
  const answer = await repeat(() =>
    createObject(transport, { ...target, body: fingerprintBody(metadata, { [FINGERPRINT_ENTRY]: bytes }) }),
  );
  if (answer.ok) {
    const version = stringAt(answer.value.object, 'metadata', 'resourceVersion') ?? '';
    return keysWith({ current: fingerprintKey(bytes), former: undefined }, version);
  }
  // Ours, whose answer was lost, or that of an agent that began at the same moment: the stored one counts.
  const secret =
    answer.failure.kind === 'already-exists' ? await readSecret(transport, namespace, name, repeat) : undefined;
  const stored = secret && storedKeys(secret);
  if (stored !== undefined) return keysWith(stored, secret?.resourceVersion ?? '');
  throw kubeError(answer.failure, { verb: 'create', ...target });
}

/**
 * What is stored was made with another key than those at hand: to go on would rename what is generated and prune by guess.
 * A record that was changed and says one of them is another matter: that one is lost, and the key is not.
 */
export function refuseOtherFingerprint(
  { current, former }: StoredKeys,
  madeWith: string | undefined,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): void {
  const held = [current, ...(former === undefined ? [] : [former])].map(fingerprintId);
  if (madeWith === undefined || held.includes(madeWith)) return;
  throw new SottoError({
    code: 'SOTTO-KEYS-100',
    what: 'the fingerprint key is not the one that the inventory was made with',
    why: `the inventory was made with key ${madeWith}, and Secret ${name} holds key ${held[0]}: it was replaced, or is of an old backup`,
    next: `kubectl delete secret ${name} -n ${namespace}, then sotto keys restore NEWEST-BACKUP -n ${namespace}; without a backup: kubectl delete configmap ${INVENTORY_NAME} -n ${namespace} (nothing is pruned then, and generated names change)`,
    object: `Secret/${name}`,
  });
}

function fingerprintGone(name: string, namespace: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-021',
    what: 'the fingerprint key is gone, but the inventory made with it is not',
    why: 'without the key nobody can tell which rows of the inventory are sotto’s own',
    next: `sotto keys restore BACKUP -n ${namespace}; without a backup: kubectl delete configmap ${INVENTORY_NAME} secret/${name} -n ${namespace} (nothing is pruned then)`,
    object: `Secret/${name}`,
  });
}
