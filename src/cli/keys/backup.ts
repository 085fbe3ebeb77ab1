import type { JsonObject } from '../../core/json.ts';
import { ownedBytes, Sensitive } from '../../core/sensitive.ts';
import { SottoError } from '../../core/errors.ts';
import { readSecret, type SecretContent } from '../../kube/secret-reader.ts';
import { unrepeated } from '../../kube/retry.ts';
import { parsePassphraseFile, passphraseIdentity, passphraseRecipient } from '../../sops/age-scrypt.ts';
import { decryptWithIdentities, encryptForRecipients } from '../../sops/recipients.ts';
import { findAgeIdentities } from '../age-identities.ts';
import type { Cluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { readInput } from '../files.ts';
import { readHidden } from '../hidden-input.ts';
import { openByPassphrase } from '../passphrase.ts';
import type { ClusterKeys } from '../rotate/cluster-keys.ts';
import { keySecretBody } from '../../authoring/secret-body.ts';
import { wipeEntries } from '../../keys/key-secret.ts';
import { jsonSecrets } from './json-secrets.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** A List of every key Secret and of the fingerprint Secret, as `kubectl apply` takes it. The caller wipes it. */
export async function backupList(
  cluster: Cluster,
  { settings, secrets }: ClusterKeys,
  signal: AbortSignal,
): Promise<{ readonly list: Sensitive; readonly names: readonly string[] }> {
  const { transport, namespace } = cluster;
  const bodies: Sensitive[] = [];
  const names = [...new Set([...secrets.map(({ mark }) => mark.name), settings.fingerprintSecret])].toSorted();
  try {
    for (const name of names) {
      const content = await readSecret(transport, namespace, name, unrepeated, signal);
      if (content === undefined) throw gone(name);
      try {
        bodies.push(bodyOf(content));
      } finally {
        for (const value of content.entries.values()) value.wipe();
      }
    }
    return { list: joined(bodies), names };
  } finally {
    for (const body of bodies) body.wipe();
  }
}

function bodyOf({ name, labels, annotations, type, entries }: SecretContent): Sensitive {
  const kept = Object.fromEntries(Object.entries(annotations).filter(([key]) => key !== LAST_APPLIED));
  const metadata: JsonObject = { name, labels: { ...labels }, annotations: kept };
  return keySecretBody({ metadata, type, entries });
}

function joined(bodies: readonly Sensitive[]): Sensitive {
  const head = new TextEncoder().encode('{"apiVersion":"v1","kind":"List","items":[');
  const size = bodies.reduce((sum, body) => sum + body.length + 1, head.length + 3);
  const bytes = ownedBytes(size).fill(0x20);
  bytes.set(head);
  let at = head.length;
  for (const [index, body] of bodies.entries()) {
    if (index > 0) bytes[at++] = 0x2c;
    bytes.set(body.reveal(), at);
    at += body.length;
  }
  bytes.set(new TextEncoder().encode(']}\n'), at);
  return Sensitive.adopt(bytes);
}

/** An armoured age file that stock age opens. */
export async function sealBackup(
  context: CommandContext,
  list: Sensitive,
  recipients: readonly string[] | 'passphrase',
): Promise<string> {
  if (recipients !== 'passphrase') return encryptForRecipients(list.reveal(), recipients);
  const passphrase = await newPassphrase(context);
  try {
    return await encryptForRecipients(list.reveal(), [passphraseRecipient(passphrase)]);
  } finally {
    passphrase.fill(0);
  }
}

async function newPassphrase(context: CommandContext): Promise<Uint8Array> {
  const first = context.isTerminal.stdin ? await readHidden(context, 'passphrase for the backup: ') : undefined;
  const second = first && (await readHidden(context, 'the same again: '));
  try {
    if (first === undefined || second === undefined)
      throw noPassphrase('stdin is no terminal, and it comes from nowhere else');
    if (first.length === 0) throw noPassphrase('it is empty');
    if (!Buffer.from(first.buffer).equals(second)) throw noPassphrase('the two are not the same');
    const passphrase = ownedBytes(first.length);
    passphrase.set(first);
    return passphrase;
  } finally {
    first?.fill(0);
    second?.fill(0);
  }
}

/** What a backup holds, which the caller wipes. Throws SottoError. */
export async function openBackup(
  context: CommandContext,
  name: string,
  keyFiles: readonly string[],
): Promise<Uint8Array> {
  const { bytes } = await readInput(context, name);
  const { identities } = await findAgeIdentities(context, keyFiles);
  const held = identities.flatMap((identity) => (identity.kind === 'age' ? [identity] : []));
  const opened = await decryptWithIdentities(bytes, held);
  if (opened !== undefined) return opened;
  const isBehindPassphrase = parsePassphraseFile(Uint8Array.from(bytes)) !== undefined;
  if (!isBehindPassphrase || !context.isTerminal.stdin || keyFiles.length > 0) throw notOpened(name);
  return openByPassphrase(context, name, (passphrase) =>
    decryptWithIdentities(bytes, [passphraseIdentity(passphrase)]),
  );
}

/** The Secrets of an opened backup. The caller wipes their entries. Throws SOTTO-KEYS-062. */
export function secretsIn(list: Uint8Array, name: string): readonly SecretContent[] {
  const found = jsonSecrets(list);
  if (found?.others === 0) return found.secrets;
  for (const secret of found?.secrets ?? []) wipeEntries(secret);
  throw noBackup(name);
}

function gone(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-061',
    what: 'the backup was not made, because it would not be whole',
    why: `Secret ${name} does not exist`,
    next: 'sotto status; once the agent has made it, the same command again',
    object: `Secret/${name}`,
  });
}

function noPassphrase(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-041',
    what: 'the backup was not made, because it has no passphrase',
    why,
    next: 'run the command at a terminal, or name a recipient: --recipient age1…',
  });
}

export function notOpened(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-062',
    what: 'the backup does not open',
    why: 'none of the identities at hand opens it, or it was changed',
    next: 'the same command with the identity it was made for: --key-file recovery.txt; behind a passphrase, at a terminal without it',
    file,
  });
}

export function noBackup(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-062',
    what: 'the file is no backup of keys',
    why: 'it does not hold a List of Secrets',
    next: 'give a file that sotto keys backup has made',
    file,
  });
}
