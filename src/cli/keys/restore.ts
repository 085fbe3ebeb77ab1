import { SottoError } from '../../core/errors.ts';
import { type JsonObject, memberAt, stringAt, stringifyJson } from '../../core/json.ts';
import { FINGERPRINT_ANNOTATION, INVENTORY_NAME } from '../../core/labels.ts';
import { Sensitive } from '../../core/sensitive.ts';
import {
  FINGERPRINT_BYTES,
  FINGERPRINT_ENTRY,
  fingerprintId,
  fingerprintKey,
  FORMER_ENTRY,
} from '../../keys/fingerprint.ts';
import { kubeError } from '../../kube/errors.ts';
import { createObject, getMetadata } from '../../kube/objects.ts';
import { CONFIG_MAPS, SECRETS } from '../../kube/resource.ts';
import { unrepeated } from '../../kube/retry.ts';
import { readSecret } from '../../kube/secret-reader.ts';
import type { Cluster } from '../cluster.ts';

export interface Restored {
  readonly made: readonly string[];
  readonly present: readonly string[];
}

/** Makes those Secrets that are missing. Throws SOTTO-KEYS-067 before anything is made where one holds something else. */
export async function restoreSecrets(
  cluster: Cluster,
  secrets: readonly JsonObject[],
  signal: AbortSignal,
): Promise<Restored> {
  const { transport, namespace, connection } = cluster;
  const missing: { readonly name: string; readonly secret: JsonObject }[] = [];
  const present: string[] = [];
  const madeWith = await inventoryKey(cluster, signal);
  for (const secret of secrets) {
    const name = stringAt(secret, 'metadata', 'name') ?? '';
    const live = await holds(cluster, name, secret, signal);
    if (live === 'other') throw differs(name);
    if (live === 'missing' && madeWith !== undefined) refuseFormerKey(secret, name, madeWith, namespace);
    if (live === 'same') present.push(name);
    else missing.push({ name, secret });
  }
  for (const { name, secret } of missing) {
    const metadata: JsonObject = { ...objectAt(secret), namespace };
    const body = Buffer.from(stringifyJson({ ...secret, metadata }), 'utf8');
    const made = await createObject(transport, { resource: SECRETS, namespace, name, body, fieldManager: 'sotto-cli' });
    if (!made.ok)
      throw kubeError(made.failure, { verb: 'create', resource: SECRETS, namespace, name, user: connection.user });
  }
  return { made: missing.map(({ name }) => name), present };
}

function objectAt(secret: JsonObject): JsonObject {
  const metadata = memberAt(secret, 'metadata');
  return typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata) ? (metadata as JsonObject) : {};
}

async function holds(
  { transport, namespace }: Cluster,
  name: string,
  secret: JsonObject,
  signal: AbortSignal,
): Promise<'missing' | 'same' | 'other'> {
  const live = await readSecret(transport, namespace, name, unrepeated, signal);
  if (live === undefined) return 'missing';
  try {
    const data = memberAt(secret, 'data');
    const wanted = Object.entries(typeof data === 'object' && data !== null ? data : {});
    const isSame =
      wanted.length === live.entries.size &&
      wanted.every(([entry, base64]) => {
        using value = Sensitive.copyOf(Buffer.from(typeof base64 === 'string' ? base64 : '', 'base64'));
        return live.entries.get(entry)?.equals(value) === true;
      });
    return isSame ? 'same' : 'other';
  } finally {
    for (const value of live.entries.values()) value.wipe();
  }
}

/** The id of the fingerprint key that the inventory says it was made with; undefined where there is none, or it may not be read. */
async function inventoryKey({ transport, namespace }: Cluster, signal: AbortSignal): Promise<string | undefined> {
  const target = { resource: CONFIG_MAPS, namespace, name: INVENTORY_NAME, signal };
  const answer = await getMetadata(transport, target);
  return answer.ok ? stringAt(answer.value, 'metadata', 'annotations', FINGERPRINT_ANNOTATION) : undefined;
}

/** A key of 32 bytes in that entry is a fingerprint key: other key Secrets have names with dots there. */
function refuseFormerKey(secret: JsonObject, name: string, madeWith: string, namespace: string): void {
  const [id, former] = [FINGERPRINT_ENTRY, FORMER_ENTRY].map((entry) => keyIdOf(secret, entry));
  if (id === undefined || id === madeWith || former === madeWith) return;
  throw new SottoError({
    code: 'SOTTO-KEYS-102',
    what: 'nothing was restored',
    why: `Secret ${name} of the backup holds fingerprint key ${id}, and the inventory was made with key ${madeWith}: the backup is older than the last change of that key`,
    next: `restore a newer backup; without one: kubectl delete configmap ${INVENTORY_NAME} -n ${namespace}, then the same command again (nothing is pruned then, and generated names change)`,
    object: `Secret/${name}`,
  });
}

function keyIdOf(secret: JsonObject, entry: string): string | undefined {
  using bytes = Sensitive.copyOf(Buffer.from(stringAt(secret, 'data', entry) ?? '', 'base64'));
  return bytes.length === FINGERPRINT_BYTES ? fingerprintId(fingerprintKey(bytes)) : undefined;
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
