import { hash } from 'node:crypto';
import { asSottoError, SottoError } from '../../core/errors.ts';
import { arrayAt, type Json, stringAt } from '../../core/json.ts';
import { Sensitive } from '../../core/sensitive.ts';
import { fileWord } from '../../core/shell-word.ts';
import { entryBytes, wipeEntries } from '../../keys/key-secret.ts';
import { TLS_TYPE } from '../../keys/marks.ts';
import { PGP_KEY_PROBLEMS, unusablePgpKey } from '../../keys/pgp-entry.ts';
import { parseSealingKey, readCertificate } from '../../sealed/sealing-key.ts';
import { parseAgeIdentities } from '../../sops/age.ts';
import { parsePgpKeys } from '../../sops/pgp-key.ts';
import { parseLockedSshKey } from '../../sops/ssh-locked.ts';
import { readManifests } from '../../yaml/manifest.ts';
import type { CanaryKey } from '../rotate/canary.ts';
import { jsonSecrets } from './json-secrets.ts';

/** A private key as a key Secret is to hold it. The caller wipes the entries. */
export interface AddedKey {
  readonly kind: 'age' | 'ssh' | 'pgp' | 'sealing';
  /** Recipient or fingerprint, as the status calls it. */
  readonly id: string;
  /** Of the Secret, where nobody gives another one. */
  readonly name: string;
  readonly type: string;
  readonly entries: ReadonlyMap<string, Sensitive>;
  /** What a canary is made for; undefined where the agent answers none for such a key. */
  readonly canary: CanaryKey | undefined;
}

const KEY_BEGINS = ['-----BEGIN PRIVATE KEY-----', '-----BEGIN RSA PRIVATE KEY-----'];
const HASH_CHARACTERS = 10;

/** What one file holds: exactly one private key that nobody has to be asked for. The caller wipes the bytes. Throws SottoError. */
export function addedKey(bytes: Uint8Array, file: string): AddedKey {
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (content.includes('-----BEGIN AGE ENCRYPTED FILE-----') || content.indexOf('age-encryption.org/') === 0)
    throw locked(file, `age -d ${fileWord(file)} | sotto keys add -`);
  if (content.includes('-----BEGIN PGP ')) return pgpKey(bytes, file);
  if (content.includes('-----BEGIN CERTIFICATE-----') || isManifest(content))
    return named(file, () => sealingKey(content, file));
  if (content.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----'))
    throw locked(file, `openssl pkey -in ${fileWord(file)} | cat - tls.crt | sotto keys add -`);
  if (parseLockedSshKey(bytes) !== undefined)
    throw locked(
      file,
      `cp ${fileWord(file)} /dev/shm/key; ssh-keygen -p -N '' -f /dev/shm/key; sotto keys add /dev/shm/key`,
    );
  if (content.includes('-----BEGIN PRIVATE KEY-----'))
    throw notOneKey(file, 'it is a key in PEM without its certificate', 'cat tls.key tls.crt | sotto keys add -');
  return ageKey(bytes, file);
}

function named(file: string, read: () => AddedKey): AddedKey {
  try {
    return read();
  } catch (thrown) {
    throw thrown instanceof SottoError ? thrown.at({ file }) : thrown;
  }
}

function ageKey(bytes: Uint8Array, file: string): AddedKey {
  const [identity, another] = identitiesIn(bytes, file);
  if (identity === undefined || another !== undefined)
    throw notOneKey(file, 'it holds several identities', 'give each identity in a file of its own');
  const { recipient } = identity;
  const isSsh = recipient.startsWith('ssh-');
  const isPlain = !isSsh && !recipient.startsWith('age1pq');
  return {
    kind: isSsh ? 'ssh' : 'age',
    id: recipient,
    name: isPlain ? `sotto-age-${recipient.slice(4, 14)}` : `sotto-${isSsh ? 'ssh' : 'age'}-${shortHash(recipient)}`,
    type: 'Opaque',
    entries: new Map([['age.agekey', Sensitive.copyOf(bytes)]]),
    canary: isPlain ? recipient : undefined,
  };
}

function identitiesIn(bytes: Uint8Array, file: string) {
  try {
    return parseAgeIdentities(bytes, { file });
  } catch (thrown) {
    const error = asSottoError(thrown);
    if (error.code !== 'SOTTO-AGE-002' && error.code !== 'SOTTO-AGE-004') throw error;
    if (hasLine(bytes, 'age1') || hasLine(bytes, 'ssh-'))
      throw notOneKey(file, 'it holds a recipient, which is public', 'sotto recipients add RECIPIENT');
    throw notOneKey(file, error.why, FORMS);
  }
}

function hasLine(bytes: Uint8Array, start: string): boolean {
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return content.indexOf(start) === 0 || content.includes(`\n${start}`);
}

function pgpKey(bytes: Uint8Array, file: string): AddedKey {
  const keys = parsePgpKeys(bytes);
  if (typeof keys === 'string') throw unusablePgpKey(PGP_KEY_PROBLEMS[keys]).at({ file });
  for (const key of keys) key.bytes.wipe();
  const [key, another] = keys;
  if (key === undefined || another !== undefined)
    throw notOneKey(file, 'it holds several keys', 'gpg --armor --export-secret-keys FINGERPRINT | sotto keys add -');
  if (!key.isSecret)
    throw notOneKey(
      file,
      `of key ${key.fingerprint} only the public part is there`,
      `gpg --armor --export-secret-keys ${key.fingerprint} | sotto keys add -`,
    );
  if (key.isLocked)
    throw locked(
      file,
      `gpg --edit-key ${key.fingerprint} passwd; gpg --armor --export-secret-keys ${key.fingerprint} | sotto keys add -`,
    );
  return {
    kind: 'pgp',
    id: key.fingerprint,
    name: `sotto-pgp-${key.fingerprint.slice(-HASH_CHARACTERS).toLowerCase()}`,
    type: 'Opaque',
    entries: new Map([['sops.asc', Sensitive.copyOf(bytes)]]),
    canary: undefined,
  };
}

/** `tls.key` and `tls.crt` in one PEM file, or in the manifest of a Secret. */
function sealingKey(content: Buffer, file: string): AddedKey {
  const { key, crt } = isManifest(content) ? entriesOf(content, file) : pemParts(content);
  try {
    if (key.length === 0)
      throw notOneKey(file, 'it holds a certificate and no private key', 'cat tls.key tls.crt | sotto keys add -');
    const { fingerprint, certificatePem, notBefore, notAfter } = parseSealingKey({ key, crt });
    const certificate = readCertificate(crt);
    if (certificate === undefined) throw new TypeError('a certificate that was read cannot be read');
    return {
      kind: 'sealing',
      id: fingerprint,
      name: `sotto-sealing-${fingerprint.slice(0, HASH_CHARACTERS)}`,
      type: TLS_TYPE,
      entries: new Map([
        ['tls.crt', Sensitive.copyOf(Buffer.from(certificatePem))],
        ['tls.key', Sensitive.copyOf(key)],
      ]),
      canary: { publicKey: certificate.publicKey, fingerprint, notBefore, notAfter, pem: certificatePem },
    };
  } finally {
    key.fill(0);
  }
}

interface SealingEntries {
  readonly key: Uint8Array;
  readonly crt: Uint8Array;
}

function entriesOf(content: Buffer, file: string): SealingEntries {
  const json = jsonSecrets(content);
  if (json === undefined) return entriesOfYaml(content, file);
  try {
    const [secret, another] = json.secrets;
    if (json.others > 0 || secret === undefined || another !== undefined) throw noSealingSecret(file);
    const key = entryBytes(secret, 'tls.key') ?? [];
    if (key.length === 0) throw noSealingSecret(file);
    return { key: Uint8Array.from(key), crt: Uint8Array.from(entryBytes(secret, 'tls.crt') ?? []) };
  } finally {
    for (const secret of json.secrets) wipeEntries(secret);
  }
}

/** Its base64 texts are strings from here on, as in every key file in YAML (key-files.ts). */
function entriesOfYaml(content: Buffer, file: string): SealingEntries {
  const documents = readManifests(content.toString('utf8'), file).map(({ value }) => value);
  const secrets = documents.flatMap((each) =>
    stringAt(each, 'kind')?.endsWith('List') === true ? arrayAt(each, 'items') : [each],
  );
  const [secret, another] = secrets;
  const entry = (name: string): Buffer => Buffer.from(stringAt(secret as Json, 'data', name) ?? '', 'base64');
  if (another === undefined && stringAt(secret ?? null, 'kind') === 'Secret' && entry('tls.key').length > 0)
    return { key: entry('tls.key'), crt: entry('tls.crt') };
  throw noSealingSecret(file);
}

function noSealingSecret(file: string): SottoError {
  return notOneKey(
    file,
    'it is a manifest, and not of one Secret with tls.key and tls.crt',
    'a backup of sotto: sotto keys restore FILE; other Secrets: kubectl apply, and kubectl label secret NAME sotto.dev/use=keys',
  );
}

/** Found in the bytes: a text of the key would stay in memory. */
function pemParts(content: Buffer): SealingEntries {
  const begin = Math.max(...KEY_BEGINS.map((line) => content.indexOf(line)));
  const end = begin === -1 ? -1 : content.indexOf('-----END ', begin);
  const lineEnd = end === -1 ? -1 : content.indexOf('\n', end);
  const key = end === -1 ? Buffer.alloc(0) : Buffer.from(content.subarray(begin, lineEnd === -1 ? undefined : lineEnd));
  return { key, crt: content.subarray(content.indexOf('-----BEGIN CERTIFICATE-----')) };
}

function isManifest(content: Buffer): boolean {
  return content.includes('apiVersion') && content.includes('kind');
}

function shortHash(text: string): string {
  return hash('sha256', text).slice(0, HASH_CHARACTERS);
}

const FORMS =
  'give age identities (AGE-SECRET-KEY-…), an SSH or OpenPGP private key, or tls.key and tls.crt in one file';

function notOneKey(file: string, why: string, next: string): SottoError {
  return new SottoError({ code: 'SOTTO-KEYS-090', what: 'the file is not one private key', why, next, file });
}

function locked(file: string, next: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-042',
    what: 'the key is protected by a passphrase',
    why: 'the agent cannot ask anybody for that; the Secret protects the key in the cluster',
    next,
    file,
  });
}
