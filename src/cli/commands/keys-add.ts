import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { storeRecovery } from '../../agent/sealing-key.ts';
import { rfc3339 } from '../../core/clock.ts';
import { asSottoError, SottoError } from '../../core/errors.ts';
import { arrayAt, type JsonObject, stringAt } from '../../core/json.ts';
import { RECOVERY_NAME } from '../../core/labels.ts';
import type { Sensitive } from '../../core/sensitive.ts';
import { shellWord } from '../../core/shell-word.ts';
import { keyLife } from '../../keys/key-state.ts';
import { ORIGIN_ANNOTATION, ORIGIN_SOTTO, SINCE_ANNOTATION, USE_LABEL } from '../../keys/marks.ts';
import { keyIds } from '../../keys/parse-keys.ts';
import { kubeError } from '../../kube/errors.ts';
import { createObject } from '../../kube/objects.ts';
import { SECRETS } from '../../kube/resource.ts';
import { unrepeated } from '../../kube/retry.ts';
import { addClusterOptions, type Cluster, type ClusterFlags, withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { readInput } from '../files.ts';
import { type AddedKey, addedKey } from '../keys/added-key.ts';
import { keySecretBody } from '../../authoring/secret-body.ts';
import { say } from '../output.ts';
import { proveCanary } from '../rotate/canary.ts';
import { type ClusterKeys, readClusterKeys } from '../rotate/cluster-keys.ts';
import { readStatus } from '../status-document.ts';

interface AddFlags extends ClusterFlags {
  readonly name?: string;
}

export function addAdd(keys: Command, context: CommandContext): void {
  addClusterOptions(keys.command('add').description('put a private key into a key Secret of its own'))
    .argument('<file>', 'the key: age, SSH, OpenPGP, or tls.key with tls.crt; - for stdin')
    .option('--name <name>', 'of the Secret')
    .action((file: string, flags: AddFlags) =>
      withCluster(flags, context, (cluster) => add(file, cluster, flags, context)),
    );
}

async function add(file: string, cluster: Cluster, { name }: AddFlags, context: CommandContext): Promise<void> {
  if (file !== '-') await checkMode(resolve(context.cwd, file), file);
  const input = await readInput(context, file);
  let key: AddedKey;
  try {
    key = addedKey(input.bytes, input.name);
  } finally {
    input.bytes.fill(0);
  }
  const secret = name ?? key.name;
  try {
    const held = await readClusterKeys(cluster, context.signal);
    checkNew(key, held, cluster.namespace);
    await make(cluster, secret, key, held.settings.sealing.recovery);
    const { recovery } = held.settings.sealing;
    const copy = recovery.length === 0 ? 'there is no copy of it' : `a copy is in ConfigMap ${RECOVERY_NAME}`;
    await say(context, `${key.kind} key ${key.id} in Secret ${secret}; ${copy}`);
  } finally {
    for (const value of key.entries.values()) value.wipe();
  }
  const shown = await shownBy(cluster, secret, key, context);
  await say(context, shown);
  const next =
    key.kind === 'sealing'
      ? `it opens SealedSecrets; to seal for it, name the Secret in sealing.keys of the settings`
      : `sotto recipients add ${shellWord(key.id)} makes files that it opens`;
  await say(context, `next: ${next}`);
}

async function checkMode(path: string, file: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  // What does not exist is told where it is read; a pipe has no rights to speak of.
  if (info?.isFile() !== true || (info.mode & 0o077) === 0) return;
  throw new SottoError({
    code: 'SOTTO-KEYS-093',
    what: 'the key was not taken, because others may read its file',
    why: `its mode is ${(info.mode & 0o777).toString(8).padStart(4, '0')}`,
    next: `chmod 600 ${shellWord(file)}, if nobody else has read it; then the same command again`,
    file,
  });
}

function checkNew({ id }: AddedKey, { secrets }: ClusterKeys, namespace: string): void {
  const holder = secrets.find((secret) => keyIds(secret).includes(id))?.mark;
  if (holder === undefined) return;
  const isRetired = keyLife(holder).state === 'retired';
  throw new SottoError({
    code: 'SOTTO-KEYS-091',
    what: 'no Secret was made, because the agent has this key already',
    why: `Secret ${holder.name} holds it${isRetired ? ', and is retired' : ''}`,
    next: isRetired
      ? `kubectl annotate secret ${holder.name} -n ${namespace} sotto.dev/state-`
      : `sotto keys list -n ${namespace}`,
    object: `Secret/${holder.name}`,
  });
}

/** The copy for the recovery recipients is stored first: no key that nobody can get back. */
async function make(
  { transport, namespace, connection }: Cluster,
  name: string,
  { kind, type, entries }: AddedKey,
  recovery: readonly string[],
): Promise<void> {
  // A sealing key that somebody brings must not become the one that is sealed for: settings say so.
  const origin = kind === 'sealing' ? {} : { [ORIGIN_ANNOTATION]: ORIGIN_SOTTO };
  const metadata: JsonObject = {
    name,
    namespace,
    labels: { [USE_LABEL]: 'keys', 'app.kubernetes.io/managed-by': 'sotto' },
    annotations: { ...origin, [SINCE_ANNOTATION]: rfc3339(new Date()) },
  };
  const target = { resource: SECRETS, namespace, name };
  const fill = (): Sensitive => keySecretBody({ metadata, type, entries });
  const send = async (dryRun: boolean): Promise<void> => {
    const made = await createObject(transport, { ...target, fieldManager: 'sotto-cli', dryRun, body: fill().reveal() });
    if (made.ok) return;
    if (made.failure.kind === 'already-exists') throw exists(name);
    throw kubeError(made.failure, { ...target, verb: 'create', user: connection.user });
  };
  // A copy of what is never made, over the copy of what was made under this name, would be a loss.
  await send(true);
  if (recovery.length > 0)
    await storeCopy(() => storeRecovery({ transport, namespace, repeat: unrepeated }, name, fill, recovery));
  await send(false);
}

async function storeCopy(store: () => Promise<void>): Promise<void> {
  try {
    await store();
  } catch (thrown) {
    const { code, why, next, place } = asSottoError(thrown);
    const what = 'the key was not added, because its recovery copy cannot be stored';
    throw new SottoError({ code, what, why, next, ...place });
  }
}

const TRIES = 30;
const PAUSE_MS = 1_000;

/** How the agent has shown that it holds the key. Throws SOTTO-KEYS-094. */
async function shownBy(cluster: Cluster, secret: string, key: AddedKey, context: CommandContext): Promise<string> {
  try {
    if (key.canary !== undefined) {
      const syncs = await proveCanary(cluster, key.canary, context);
      return `the agent has shown that it holds it; syncs that open with it: ${syncs.join(', ') || 'none'}`;
    }
  } catch (thrown) {
    const { what, why } = asSottoError(thrown);
    throw notShown(
      secret,
      thrown instanceof SottoError && thrown.code === 'SOTTO-ROTATE-014' ? why : `${what}: ${why}`,
    );
  }
  for (let tries = 0; tries < TRIES; tries += 1) {
    const listed = arrayAt(await readStatus(cluster, context.signal), 'keys');
    if (listed.some((each) => stringAt(each, 'id') === key.id && stringAt(each, 'secret') === secret))
      return 'the agent lists it; it answers no canary for such a key';
    await sleep(PAUSE_MS, undefined, { signal: context.signal });
  }
  throw notShown(secret, 'its status does not list the key');
}

function exists(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-092',
    what: 'the key was not added',
    why: `Secret ${name} exists, and is not written over`,
    next: 'the same command with another --name',
    object: `Secret/${name}`,
  });
}

function notShown(name: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-094',
    what: 'the key is in its Secret, but the agent has not shown that it holds it',
    why,
    next: 'sotto keys list, and sotto logs: why the Secret is not read; encrypt nothing for the key before',
    object: `Secret/${name}`,
  });
}
