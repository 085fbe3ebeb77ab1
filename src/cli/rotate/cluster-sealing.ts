import { setTimeout as sleep } from 'node:timers/promises';
import { isSealedFor } from '../../authoring/reseal-sealed.ts';
import { SottoError } from '../../core/errors.ts';
import { keyLife } from '../../keys/key-state.ts';
import { markOf } from '../../keys/key-secret.ts';
import { ORIGIN_ANNOTATION, ORIGIN_SOTTO } from '../../keys/marks.ts';
import type { SealingKey } from '../../sealed/sealing-key.ts';
import type { SealingSettings } from '../../settings/settings.ts';
import type { Cluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { say } from '../output.ts';
import { type ClusterKeys, markState, readClusterKeys } from './cluster-keys.ts';
import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';

/** A key of 4096 bits takes a moment, and the agent sees the mark first. */
const MADE_MS = 120_000;
const LOOK_MS = 1_000;

/**
 * The sealing key that everything is to be sealed for. Where all is sealed for the one in use, that one only opens from
 * now on, and the agent makes another, encrypted to the recovery recipients first. Where not, a rotation was interrupted,
 * or nobody has sealed for the one in use yet: it is the new one. Throws SOTTO-ROTATE-017.
 */
export async function newSealingKey(
  cluster: Cluster,
  keys: ClusterKeys,
  { sealed }: EncryptedDocuments,
  { until, namespace }: { readonly until: Date; readonly namespace: string },
  context: CommandContext,
): Promise<SealingKey> {
  checkSealingSettings(keys.settings.sealing, cluster.namespace);
  const active = activeKeys(keys);
  const [inUse] = active;
  if (inUse === undefined) throw noActiveKey(keys, cluster.namespace);
  for (const { path, text } of sealed) {
    if (!(await isSealedFor(inUse.key, text, path, namespace))) return told(inUse, context);
  }
  for (const { secret } of active) await markState(cluster, secret, 'decrypt-only', until);
  await say(
    context,
    `Secret ${active.map(({ secret }) => secret).join(', ')} only opens from now on; the agent makes another key`,
  );
  const deadlineMs = performance.now() + MADE_MS;
  while (performance.now() < deadlineMs) {
    const [made] = activeKeys(await readClusterKeys(cluster, context.signal));
    if (made !== undefined) return told(made, context);
    await sleep(LOOK_MS, undefined, { signal: context.signal });
  }
  throw noKey(
    `the agent has made none within ${MADE_MS / 1000} s`,
    `sotto status -n ${cluster.namespace} says why; then the same command again`,
  );
}

interface ActiveKey {
  readonly secret: string;
  readonly key: SealingKey;
}

/** Whoever may create Secrets there could have put it there: so it is named before anything is sealed. */
async function told({ secret, key }: ActiveKey, context: CommandContext): Promise<SealingKey> {
  await say(context, `SealedSecrets are sealed for the key of Secret ${secret}, certificate ${key.fingerprint}`);
  return key;
}

/** Newest first. */
function activeKeys({ secrets }: ClusterKeys): ActiveKey[] {
  return secrets
    .flatMap(({ mark, sealingKey }) => {
      const isOurs = markOf(mark.annotations, ORIGIN_ANNOTATION) === ORIGIN_SOTTO && keyLife(mark).state === 'active';
      return isOurs && sealingKey !== undefined ? [{ secret: mark.name, key: sealingKey }] : [];
    })
    .toSorted((a, b) => b.key.notBefore.getTime() - a.key.notBefore.getTime());
}

/** Whether the agent may change the key that is sealed for. Pure. Throws SOTTO-ROTATE-017. */
export function checkSealingSettings({ enabled, secretNames, certificate }: SealingSettings, namespace: string): void {
  if (!enabled) throw noKey('sealing.enabled is not set, so the agent makes none', 'give another key with --cert');
  if (secretNames.length > 0) throw noKey('sealing.keys names those that may seal', 'give another key with --cert');
  if (certificate === undefined) return;
  throw noKey(
    'sealing.certificate pins the one in use, and nobody could seal for another',
    `take the pin out of the settings of namespace ${namespace} and of sotto.yaml, and put the new one in afterwards`,
  );
}

/** A certificate that was exchanged belongs to another private key, and then there is none. */
function noActiveKey({ secrets }: ClusterKeys, namespace: string): SottoError {
  const [problem] = secrets.flatMap(({ problems }) => problems).filter(({ place }) => place.key?.startsWith('tls.'));
  if (problem === undefined) return noKey('the agent has made none yet', `sotto status -n ${namespace}`);
  const { object } = problem.place;
  return noKey(`${object}: ${problem.what}: ${problem.why}`, problem.next);
}

function noKey(why: string, next: string): SottoError {
  return new SottoError({ code: 'SOTTO-ROTATE-017', what: 'there is no new sealing key', why, next });
}
