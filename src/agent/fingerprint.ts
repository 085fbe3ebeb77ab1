import { SottoError } from '../core/errors.ts';
import { INVENTORY_NAME } from '../core/labels.ts';
import { base64Length, writeBase64 } from '../apply/body.ts';
import { FINGERPRINT_ENTRY, type FingerprintKey, fingerprintKey, newFingerprintBytes } from '../keys/fingerprint.ts';
import { kubeError } from '../kube/errors.ts';
import { createObject, getMetadata } from '../kube/objects.ts';
import { CONFIG_MAPS, SECRETS } from '../kube/resource.ts';
import { readSecret } from '../kube/secret-reader.ts';
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
  const stored = secret?.entries.get(FINGERPRINT_ENTRY);
  if (secret !== undefined && stored !== undefined) {
    try {
      return fingerprintKey(stored);
    } finally {
      for (const value of secret.entries.values()) value.wipe();
    }
  }
  const target = { resource: CONFIG_MAPS, namespace, name: INVENTORY_NAME };
  const inventory = await repeat(() => getMetadata(transport, target));
  if (!inventory.ok) throw kubeError(inventory.failure, { verb: 'get', ...target });
  if (inventory.value !== undefined || secret !== undefined) throw fingerprintGone(name, namespace);
  return createFingerprint(transport, namespace, name);
}

async function createFingerprint(transport: Transport, namespace: string, name: string): Promise<FingerprintKey> {
  using bytes = newFingerprintBytes();
  const head = Buffer.from(
    `{"apiVersion":"v1","kind":"Secret","metadata":{"name":${JSON.stringify(name)},"namespace":${JSON.stringify(namespace)},"labels":{"app.kubernetes.io/managed-by":"sotto"}},"type":"Opaque","data":{"${FINGERPRINT_ENTRY}":"`,
  );
  const tail = Buffer.from('"}}');
  const body = Buffer.allocUnsafeSlow(head.length + base64Length(bytes.length) + tail.length);
  body.set(head);
  body.set(tail, writeBase64(bytes.reveal(), body, head.length));
  const target = { resource: SECRETS, namespace, name };
  const answer = await createObject(transport, { ...target, body });
  if (!answer.ok) throw kubeError(answer.failure, { verb: 'create', ...target });
  return fingerprintKey(bytes);
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
