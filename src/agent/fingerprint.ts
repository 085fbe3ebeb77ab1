import { SottoError } from '../core/errors.ts';
import type { Sensitive } from '../core/sensitive.ts';
import { INVENTORY_NAME } from '../core/labels.ts';
import { base64Length, writeBase64 } from '../apply/body.ts';
import { FINGERPRINT_ENTRY, type FingerprintKey, fingerprintKey, newFingerprintBytes } from '../keys/fingerprint.ts';
import { kubeError } from '../kube/errors.ts';
import { createObject, getMetadata } from '../kube/objects.ts';
import { CONFIG_MAPS, SECRETS } from '../kube/resource.ts';
import { readSecret, type SecretContent } from '../kube/secret-reader.ts';
import { type Repeat, unrepeated } from '../kube/retry.ts';
import type { Transport } from '../kube/transport.ts';

/**
 * The key of placeholders, inventory MAC and status signature: read, or made at the very first start. Never made anew
 * while an inventory exists (product page): the old rows could not be told from forged ones.
 */
export async function loadFingerprint(
  transport: Transport,
  namespace: string,
  name: string,
  repeat: Repeat = unrepeated,
): Promise<FingerprintKey> {
  const secret = await readSecret(transport, namespace, name, repeat);
  const stored = secret && storedKey(secret);
  if (stored !== undefined) return stored;
  const target = { resource: CONFIG_MAPS, namespace, name: INVENTORY_NAME };
  const inventory = await repeat(() => getMetadata(transport, target));
  if (!inventory.ok) throw kubeError(inventory.failure, { verb: 'get', ...target });
  if (inventory.value !== undefined || secret !== undefined) throw fingerprintGone(name, namespace);
  return createFingerprint(transport, namespace, name, repeat);
}

function storedKey({ entries }: SecretContent): FingerprintKey | undefined {
  const stored = entries.get(FINGERPRINT_ENTRY);
  try {
    return stored && fingerprintKey(stored);
  } finally {
    for (const value of entries.values()) value.wipe();
  }
}

async function createFingerprint(
  transport: Transport,
  namespace: string,
  name: string,
  repeat: Repeat,
): Promise<FingerprintKey> {
  using bytes = newFingerprintBytes();
  const target = { resource: SECRETS, namespace, name };
  // Each attempt fills anew: a body that was sent is gone.
  const answer = await repeat(() => createObject(transport, { ...target, body: secretBody(bytes, namespace, name) }));
  if (answer.ok) return fingerprintKey(bytes);
  // Ours, whose answer was lost, or that of an agent that began at the same moment: the stored one counts.
  const secret =
    answer.failure.kind === 'already-exists' ? await readSecret(transport, namespace, name, repeat) : undefined;
  const stored = secret && storedKey(secret);
  if (stored !== undefined) return stored;
  throw kubeError(answer.failure, { verb: 'create', ...target });
}

function secretBody(bytes: Sensitive, namespace: string, name: string): Uint8Array<ArrayBuffer> {
  const head = Buffer.from(
    `{"apiVersion":"v1","kind":"Secret","metadata":{"name":${JSON.stringify(name)},"namespace":${JSON.stringify(namespace)},"labels":{"app.kubernetes.io/managed-by":"sotto"}},"type":"Opaque","data":{"${FINGERPRINT_ENTRY}":"`,
  );
  const tail = Buffer.from('"}}');
  const body = Buffer.allocUnsafeSlow(head.length + base64Length(bytes.length) + tail.length);
  body.set(head);
  body.set(tail, writeBase64(bytes.reveal(), body, head.length));
  return body;
}

function fingerprintGone(name: string, namespace: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-021',
    what: 'the fingerprint key is gone, but the inventory made with it is not',
    why: 'without the key nobody can tell which rows of the inventory are sotto’s own',
    next: `restore Secret ${name} from its backup; without one: kubectl delete configmap ${INVENTORY_NAME} secret/${name} -n ${namespace} (nothing is pruned then)`,
    object: `Secret/${name}`,
  });
}
