import { storeRecovery } from '../../agent/sealing-key.ts';
import { ageKeySecret } from '../../authoring/rotation/age-key-secret.ts';
import { rfc3339 } from '../../core/clock.ts';
import { SottoError } from '../../core/errors.ts';
import { isJsonObject, type Json, member, stringAt } from '../../core/json.ts';
import { SETTINGS_NAME } from '../../core/labels.ts';
import { keyLife, type KeyLife } from '../../keys/key-state.ts';
import { markOf, type SecretMark, wipeEntries } from '../../keys/key-secret.ts';
import { REPLACES_ANNOTATION, STATE_ANNOTATION, UNTIL_ANNOTATION } from '../../keys/marks.ts';
import { parseKeySecret, type ParsedKeySecret } from '../../keys/parse-keys.ts';
import { namedKeySecrets, selectKeySecrets } from '../../keys/select.ts';
import { kubeError } from '../../kube/errors.ts';
import { listMetadata } from '../../kube/lists.ts';
import { createObject, getMetadata, getObject, mergePatch } from '../../kube/objects.ts';
import { CONFIG_MAPS, SECRETS } from '../../kube/resource.ts';
import { unrepeated } from '../../kube/retry.ts';
import { readSecret } from '../../kube/secret-reader.ts';
import type { Settings } from '../../settings/settings.ts';
import type { AgeIdentity } from '../../sops/age.ts';
import type { Cluster } from '../cluster.ts';
import { liveSettings } from '../install/removal.ts';

/** The keys of the agent, as somebody who may read its key Secrets sees them. */
export interface ClusterKeys {
  readonly settings: Settings;
  readonly secrets: readonly ParsedKeySecret[];
}

const CLI_MANAGER = 'sotto-cli';

/** Reads every key Secret that the agent would use, and no other. Throws SottoError. */
export async function readClusterKeys(
  { transport, namespace, connection }: Cluster,
  signal: AbortSignal,
): Promise<ClusterKeys> {
  const settings = await liveSettings({ transport, signal }, namespace);
  if (settings === undefined) throw await noSettings({ transport, namespace, connection }, signal);
  const listed = await listMetadata(transport, SECRETS, { namespace, signal });
  if (!listed.ok)
    throw kubeError(listed.failure, { verb: 'list', resource: SECRETS, namespace, user: connection.user });
  const marks = listed.value.items.map(markOfObject);
  const present = new Set(marks.map(({ name }) => name));
  const named = namedKeySecrets(settings).filter((name) => present.has(name));
  const secrets: ParsedKeySecret[] = [];
  for (const name of new Set([...selectKeySecrets(marks, settings), ...named])) {
    const secret = await readSecret(transport, namespace, name, unrepeated, signal);
    if (secret === undefined) continue;
    try {
      secrets.push(parseKeySecret(secret));
    } finally {
      wipeEntries(secret);
    }
  }
  return { settings, secrets };
}

/** The key that an interrupted rotation made for the same purpose. */
export function pendingKey(
  { secrets }: Pick<ClusterKeys, 'secrets'>,
  old: string,
): { readonly identity: AgeIdentity; readonly secret: string } | undefined {
  const found = secrets.find(
    ({ mark }) => markOf(mark.annotations, REPLACES_ANNOTATION) === old && keyLife(mark).state === 'active',
  );
  const identity = found?.ageIdentities[0];
  return found && identity && { identity, secret: found.mark.name };
}

/**
 * A new identity, as a Secret of the agent's own. Its copy for the recovery recipients is stored before it. The bytes
 * are in no file and no argument. Throws SottoError.
 */
export async function makeClusterKey(
  { transport, namespace, connection }: Cluster,
  { old, recovery, now }: { readonly old: string; readonly recovery: readonly string[]; readonly now: Date },
): Promise<{ readonly identity: AgeIdentity; readonly secret: string }> {
  using key = ageKeySecret(namespace, old, now);
  const { identity, name, fill } = key;
  if (recovery.length > 0) await storeRecovery({ transport, namespace, repeat: unrepeated }, name, fill, recovery);
  const target = { resource: SECRETS, namespace, name };
  const made = await createObject(transport, { ...target, fieldManager: CLI_MANAGER, body: fill().reveal() });
  if (!made.ok) throw kubeError(made.failure, { ...target, verb: 'create', user: connection.user });
  return { identity, secret: name };
}

/** The Secret that holds the identity of a recipient. */
export function secretOf({ secrets }: ClusterKeys, recipient: string): SecretMark | undefined {
  return secrets.find(({ ageIdentities }) => ageIdentities.some((each) => each.recipient === recipient))?.mark;
}

/** Says on a key Secret how far its key is on its way out; its content is not touched. */
export async function markState(
  { transport, namespace, connection }: Cluster,
  name: string,
  state: 'decrypt-only' | 'retired',
  until: Date | undefined,
): Promise<void> {
  const annotations = { [STATE_ANNOTATION]: state, [UNTIL_ANNOTATION]: until === undefined ? null : rfc3339(until) };
  const target = { resource: SECRETS, namespace, name };
  const marked = await mergePatch(transport, {
    ...target,
    fieldManager: CLI_MANAGER,
    patch: { metadata: { annotations } },
  });
  if (!marked.ok) throw kubeError(marked.failure, { ...target, verb: 'patch', user: connection.user });
}

/** How far the key of a Secret is on its way out; undefined where there is no such Secret. */
export async function stateOf(
  { transport, namespace, connection }: Cluster,
  name: string,
  signal: AbortSignal,
): Promise<KeyLife['state'] | undefined> {
  const target = { resource: SECRETS, namespace, name };
  const found = await getMetadata(transport, { ...target, signal });
  if (!found.ok) throw kubeError(found.failure, { ...target, verb: 'get', user: connection.user });
  return found.value && keyLife(markOfObject(found.value)).state;
}

function markOfObject(object: Json): SecretMark {
  const metadata = member(object, 'metadata');
  return {
    name: stringAt(object, 'metadata', 'name') ?? '',
    labels: texts(member(metadata, 'labels')),
    annotations: texts(member(metadata, 'annotations')),
  };
}

function texts(value: Json | undefined): Record<string, string> {
  if (!isJsonObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, text]) => (typeof text === 'string' ? [[key, text] as const] : [])),
  );
}

/** Settings that may not be read are another matter than none. */
async function noSettings(
  { transport, namespace, connection }: Pick<Cluster, 'transport' | 'namespace' | 'connection'>,
  signal: AbortSignal,
): Promise<SottoError> {
  const target = { resource: CONFIG_MAPS, namespace, name: SETTINGS_NAME };
  const found = await getObject(transport, { ...target, signal });
  if (!found.ok && found.failure.kind === 'forbidden')
    return kubeError(found.failure, { verb: 'get', ...target, user: connection.user });
  return new SottoError({
    code: 'SOTTO-ROTATE-013',
    what: 'the agent cannot be asked what its keys are',
    why: `ConfigMap sotto in namespace ${namespace} holds no settings that can be read`,
    next: 'check the namespace (-n); an agent that takes its settings from a file is not rotated so: use --new-key',
  });
}
