import { SottoError } from '../../core/errors.ts';
import { type JsonObject, memberAt, stringAt, stringifyJson } from '../../core/json.ts';
import { Sensitive } from '../../core/sensitive.ts';
import { kubeError } from '../../kube/errors.ts';
import { createObject } from '../../kube/objects.ts';
import { SECRETS } from '../../kube/resource.ts';
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
  for (const secret of secrets) {
    const name = stringAt(secret, 'metadata', 'name') ?? '';
    const live = await holds(cluster, name, secret, signal);
    if (live === 'other') throw differs(name);
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

function differs(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-067',
    what: 'nothing was restored',
    why: `Secret ${name} is in the cluster and holds something else than the backup`,
    next: `find out which of them is right; only if it is not the one in the cluster: kubectl delete secret ${name}`,
    object: `Secret/${name}`,
  });
}
