import { SottoError } from '../../core/errors.ts';
import { keySecretBody } from '../../authoring/secret-body.ts';
import { type JsonObject, stringAt } from '../../core/json.ts';
import { FINGERPRINT_ANNOTATION, INVENTORY_NAME } from '../../core/labels.ts';
import type { Sensitive } from '../../core/sensitive.ts';
import {
  FINGERPRINT_BYTES,
  FINGERPRINT_ENTRY,
  fingerprintId,
  fingerprintKey,
  FORMER_ENTRY,
} from '../../keys/fingerprint.ts';
import { wipeEntries } from '../../keys/key-secret.ts';
import { kubeError } from '../../kube/errors.ts';
import { createObject, getMetadata } from '../../kube/objects.ts';
import { CONFIG_MAPS, SECRETS } from '../../kube/resource.ts';
import { unrepeated } from '../../kube/retry.ts';
import { readSecret, type SecretContent } from '../../kube/secret-reader.ts';
import type { Cluster } from '../cluster.ts';

export interface Restored {
  readonly made: readonly string[];
  readonly present: readonly string[];
}

/** Makes those Secrets that are missing. Throws SOTTO-KEYS-067 before anything is made where one holds something else. */
export async function restoreSecrets(
  cluster: Cluster,
  secrets: readonly SecretContent[],
  signal: AbortSignal,
): Promise<Restored> {
  const { transport, namespace, connection } = cluster;
  const missing: SecretContent[] = [];
  const present: string[] = [];
  const madeWith = await inventoryKey(cluster, signal);
  for (const secret of secrets) {
    const { name } = secret;
    const live = await holds(cluster, secret, signal);
    if (live === 'other') throw differs(name);
    if (live === 'missing' && madeWith !== undefined) refuseFormerKey(secret, madeWith, namespace);
    if (live === 'same') present.push(name);
    else missing.push(secret);
  }
  for (const { name, labels, annotations, type, entries } of missing) {
    const metadata: JsonObject = { name, namespace, labels: { ...labels }, annotations: { ...annotations } };
    const body = keySecretBody({ metadata, type, entries }).reveal();
    const made = await createObject(transport, { resource: SECRETS, namespace, name, body, fieldManager: 'sotto-cli' });
    if (!made.ok)
      throw kubeError(made.failure, { verb: 'create', resource: SECRETS, namespace, name, user: connection.user });
  }
  return { made: missing.map(({ name }) => name), present };
}

async function holds(
  { transport, namespace }: Cluster,
  { name, entries }: SecretContent,
  signal: AbortSignal,
): Promise<'missing' | 'same' | 'other'> {
  const live = await readSecret(transport, namespace, name, unrepeated, signal);
  if (live === undefined) return 'missing';
  try {
    const isSame =
      entries.size === live.entries.size &&
      [...entries].every(([entry, value]) => live.entries.get(entry)?.equals(value) === true);
    return isSame ? 'same' : 'other';
  } finally {
    wipeEntries(live);
  }
}

/** The id of the fingerprint key that the inventory says it was made with; undefined where there is none, or it may not be read. */
async function inventoryKey({ transport, namespace }: Cluster, signal: AbortSignal): Promise<string | undefined> {
  const target = { resource: CONFIG_MAPS, namespace, name: INVENTORY_NAME, signal };
  const answer = await getMetadata(transport, target);
  return answer.ok ? stringAt(answer.value, 'metadata', 'annotations', FINGERPRINT_ANNOTATION) : undefined;
}

/** A key of 32 bytes in that entry is a fingerprint key: other key Secrets have names with dots there. */
function refuseFormerKey({ name, entries }: SecretContent, madeWith: string, namespace: string): void {
  const [id, former] = [FINGERPRINT_ENTRY, FORMER_ENTRY].map((entry) => keyIdOf(entries.get(entry)));
  if (id === undefined || id === madeWith || former === madeWith) return;
  throw new SottoError({
    code: 'SOTTO-KEYS-102',
    what: 'nothing was restored',
    why: `Secret ${name} of the backup holds fingerprint key ${id}, and the inventory was made with key ${madeWith}: the backup is older than the last change of that key`,
    next: `restore a newer backup; without one: kubectl delete configmap ${INVENTORY_NAME} -n ${namespace}, then the same command again (nothing is pruned then, and generated names change)`,
    object: `Secret/${name}`,
  });
}

function keyIdOf(bytes: Sensitive | undefined): string | undefined {
  return bytes?.length === FINGERPRINT_BYTES ? fingerprintId(fingerprintKey(bytes)) : undefined;
}

function differs(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-067',
    what: 'nothing was restored',
    why: `Secret ${name} is in the cluster and holds something else than the backup`,
    next: `find out which of them is right; only if it is not the one in the cluster: kubectl delete secret ${name}`,
    object: `Secret/${name}`,
  });
}
