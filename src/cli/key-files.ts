import { resolve } from 'node:path';
import { asSottoError, SottoError } from '../core/errors.ts';
import type { Json } from '../core/json.ts';
import { arrayAt, member, stringAt } from '../core/json.ts';
import type { SecretContent } from '../kube/secret-reader.ts';
import type { UnsealKey } from '../sealed/sealing-key.ts';
import { parseUnsealKey } from '../sealed/sealing-key.ts';
import { parseAgeIdentities } from '../sops/age.ts';
import type { Identity } from '../sops/identity.ts';
import { entryBytes, wipeEntries } from '../keys/key-secret.ts';
import { PGP_KEY_PROBLEMS, unusablePgpKey } from '../keys/pgp-entry.ts';
import { pgpIdentity } from '../sops/pgp.ts';
import { parsePgpKeys } from '../sops/pgp-key.ts';
import { readManifests } from '../yaml/manifest.ts';
import type { Surroundings } from './context.ts';
import { readFileBytes } from './files.ts';
import { jsonSecrets } from './keys/json-secrets.ts';
import { lockedAgeFile, lockedPgpKey, lockedSshKey } from './locked-identities.ts';

/** The private keys of files given with `--key-file`, in the order given. */
export interface FileKeys {
  /** For SOPS files. */
  readonly identities: readonly Identity[];
  readonly unsealKeys: readonly UnsealKey[];
}

/**
 * Age identities, also behind a passphrase, OpenPGP keys, a private key in PEM, or Secrets and Lists of them in YAML or JSON (the backup form of sealing keys;
 * Flux's `*.agekey` and `*.asc` entries too). A file that cannot be used is an error, because somebody named it.
 */
export async function readKeyFiles(around: Surroundings, names: readonly string[]): Promise<FileKeys> {
  const found: FileKeys[] = [];
  for (const name of names) {
    const bytes = await readFileBytes(resolve(around.cwd, name), name);
    try {
      const keys = keysInFile(around, bytes, name);
      if (keys.identities.length + keys.unsealKeys.length === 0) throw unusable(name, 'it holds no key');
      found.push(keys);
    } catch (thrown) {
      throw asSottoError(thrown).at({ file: name });
    } finally {
      bytes.fill(0);
    }
  }
  return merged(found);
}

function merged(keys: readonly FileKeys[]): FileKeys {
  return {
    identities: keys.flatMap((file) => file.identities),
    unsealKeys: keys.flatMap((file) => file.unsealKeys),
  };
}

const OPENSSH = '-----BEGIN OPENSSH PRIVATE KEY-----';
const AGE_FILE = ['-----BEGIN AGE ENCRYPTED FILE-----', 'age-encryption.org/'];
const PGP_KEY = '-----BEGIN PGP ';

/** The keys in the content of a key file, which the caller wipes. Throws SottoError. */
export function keysInFile(around: Surroundings, bytes: Uint8Array, name: string): FileKeys {
  const start = firstContent(bytes);
  // Compared as bytes: an identity stands there too, and is never a string.
  const begins = (text: string): boolean => Buffer.from(text).equals(bytes.subarray(start, start + text.length));
  if (begins(PGP_KEY)) return { identities: pgpKeys(around, bytes, name), unsealKeys: [] };
  if (AGE_FILE.some(begins)) {
    const locked = lockedAgeFile(around, name, bytes.subarray(start));
    if (locked === undefined) throw unusable(name, 'it is an age file, but none that a passphrase opens');
    return { identities: [locked], unsealKeys: [] };
  }
  const lockedSsh = begins(OPENSSH) ? lockedSshKey(around, name, bytes) : undefined;
  if (lockedSsh !== undefined) return { identities: [lockedSsh], unsealKeys: [] };
  // A key in PEM is for sealing, as it always was; an SSH key in PEM is found by the variable of sops.
  const isIdentity = begins('AGE-') || begins(OPENSSH);
  if (isIdentity) return { identities: parseAgeIdentities(bytes), unsealKeys: [] };
  if (begins('-----BEGIN ')) return { identities: [], unsealKeys: [parseUnsealKey(bytes.subarray(start))] };
  const json = jsonSecrets(bytes);
  if (json === undefined) return merged(secretsOf(bytes, name).map((secret) => keysOfSecret(around, secret)));
  try {
    if (json.others > 0) throw unusable(name, NOT_SECRETS);
    return merged(json.secrets.map((secret) => keysOfContent(around, secret)));
  } finally {
    for (const secret of json.secrets) wipeEntries(secret);
  }
}

const NOT_SECRETS = 'it holds something else than Secrets';

/** The keys of a Secret whose values are bytes; the caller wipes its entries. Throws SottoError. */
export function keysOfContent(around: Surroundings, secret: SecretContent): FileKeys {
  const entries = [...secret.entries.keys()].map((entry) => [entry, entryBytes(secret, entry)] as const);
  return keysOfEntries(around, secret.name, entries);
}

function pgpKeys(around: Surroundings, bytes: Uint8Array, name: string): Identity[] {
  const keys = parsePgpKeys(bytes);
  if (typeof keys === 'string') throw unusablePgpKey(PGP_KEY_PROBLEMS[keys]);
  const secret = keys.filter(({ isSecret }) => isSecret);
  if (secret.length === 0) throw unusablePgpKey('only the public part is there');
  return secret.map((key) => (key.isLocked ? lockedPgpKey(around, name, key) : pgpIdentity(key)));
}

/** Offset of the first line that is neither blank nor a comment, without its indentation. */
function firstContent(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const char = bytes[at];
    if (char === 0x23) {
      const end = bytes.indexOf(0x0a, at);
      if (end === -1) return bytes.length;
      at = end + 1;
    } else if (char === 0x20 || char === 0x09 || char === 0x0d || char === 0x0a) at += 1;
    else return at;
  }
  return at;
}

/**
 * The Secrets of a backup file in YAML. Its base64 texts become strings on the way, as spec/memory.md forbids in the agent:
 * this process is one command, which ends with its answer. Those in JSON, as sotto makes them, stay bytes.
 */
function secretsOf(bytes: Uint8Array, name: string): readonly Json[] {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unusable(name, 'it is no text');
  }
  const documents = readManifests(text, name).map((manifest) => manifest.value);
  const secrets = documents.flatMap((document) => {
    const isList = stringAt(document, 'kind') === 'List' || stringAt(document, 'kind') === 'SecretList';
    return isList ? arrayAt(document, 'items') : [document];
  });
  if (secrets.every((secret) => stringAt(secret, 'kind') === 'Secret')) return secrets;
  throw unusable(name, NOT_SECRETS);
}

function keysOfSecret(around: Surroundings, secret: Json): FileKeys {
  return keysOfEntries(around, stringAt(secret, 'metadata', 'name') ?? '?', entriesOf(secret));
}

/** Wipes what it reads. */
function keysOfEntries(
  around: Surroundings,
  secret: string,
  entries: readonly (readonly [string, Uint8Array | undefined])[],
): FileKeys {
  const identities: Identity[] = [];
  const unsealKeys: UnsealKey[] = [];
  for (const [entry, bytes] of entries) {
    if (bytes === undefined) continue;
    try {
      if (entry === 'tls.key') unsealKeys.push(parseUnsealKey(bytes));
      if (entry.endsWith('.agekey')) identities.push(...parseAgeIdentities(bytes));
      if (entry.endsWith('.asc')) identities.push(...pgpKeys(around, bytes, entry));
    } catch (thrown) {
      throw asSottoError(thrown).at({ object: `Secret/${secret}`, key: entry });
    } finally {
      bytes.fill(0);
    }
  }
  return { identities, unsealKeys };
}

function entriesOf(secret: Json): readonly (readonly [string, Uint8Array])[] {
  return (['data', 'stringData'] as const).flatMap((field) => {
    const encoding = field === 'data' ? 'base64' : 'utf8';
    return Object.entries(member(secret, field) ?? {}).flatMap(([entry, text]) =>
      typeof text === 'string' ? [[entry, Buffer.from(text, encoding)] as const] : [],
    );
  });
}

function unusable(name: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-009',
    what: 'the key file cannot be used',
    file: name,
    why,
    next: 'give age identities, an OpenPGP key (.asc), a private key in PEM, or the backup of a key Secret',
  });
}
