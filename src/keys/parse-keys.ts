import { asSottoError, SottoError } from '../core/errors.ts';
import { parseSealingKey, type SealingKey } from '../sealed/sealing-key.ts';
import type { ServiceCredential } from '../services/credential.ts';
import { type AgeIdentity, parseAgeIdentities } from '../sops/age.ts';
import type { PgpIdentity } from '../sops/identity.ts';
import { entryBytes, type KeySecret, markOf, type SecretMark } from './key-secret.ts';
import { pgpIdentitiesOf } from './pgp-entry.ts';
import { STOCK_SEALING_ACTIVE, STOCK_SEALING_LABEL, TLS_TYPE } from './marks.ts';
import { isServiceEntry, serviceCredential } from './service-credentials.ts';

/** The keys of one Secret. What could not be read is a problem of that entry alone. */
export interface ParsedKeySecret {
  readonly mark: SecretMark;
  readonly ageIdentities: readonly AgeIdentity[];
  readonly pgpIdentities: readonly PgpIdentity[];
  readonly sealingKey: SealingKey | undefined;
  /** What key services are shown. */
  readonly credentials: readonly ServiceCredential[];
  readonly problems: readonly SottoError[];
}

const SEALING_ENTRIES: readonly string[] = ['tls.key', 'tls.crt'];

/** Reads the keys of a Secret once; its entries may be wiped afterwards. Never throws for what the Secret holds. */
export function parseKeySecret(secret: KeySecret): ParsedKeySecret {
  const problems: SottoError[] = [];
  const report = (entry: string, error: SottoError): void => {
    problems.push(error.at({ object: objectOf(secret), key: entry }));
  };
  const attempt = <T>(entry: string, parse: () => T): T | undefined => {
    try {
      return parse();
    } catch (thrown) {
      report(entry, asSottoError(thrown));
      return undefined;
    }
  };
  const isSealing = holdsSealingKey(secret);
  const sealingKey = isSealing ? attempt('tls.key', () => sealingKeyOf(secret)) : undefined;
  const ageIdentities: AgeIdentity[] = [];
  const pgpIdentities: PgpIdentity[] = [];
  const credentials: ServiceCredential[] = [];
  for (const entry of [...secret.entries.keys()].toSorted()) {
    if (isSealing && (SEALING_ENTRIES.includes(entry) || entry === 'ca.crt')) continue;
    if (isServiceEntry(secret, entry)) {
      const credential = attempt(entry, () => serviceCredential(secret, entry));
      if (credential !== undefined) credentials.push(credential);
      continue;
    }
    const onOther = (error: SottoError): void => report(entry, error);
    if (entry.endsWith('.asc')) pgpIdentities.push(...(attempt(entry, () => pgpOf(secret, entry, onOther)) ?? []));
    else ageIdentities.push(...(attempt(entry, () => identitiesOf(secret, entry, onOther)) ?? []));
  }
  const found = ageIdentities.length + pgpIdentities.length + credentials.length + (sealingKey === undefined ? 0 : 1);
  if (found === 0 && problems.length === 0) problems.push(noKeys(secret));
  return { mark: markOnly(secret), ageIdentities, pgpIdentities, sealingKey, credentials, problems };
}

/** The public halves, as the status calls them. */
export function keyIds({ ageIdentities, pgpIdentities, sealingKey }: ParsedKeySecret): string[] {
  const sealing = sealingKey === undefined ? [] : [sealingKey.fingerprint];
  return [...[...ageIdentities, ...pgpIdentities].map(({ recipient }) => recipient), ...sealing];
}

function markOnly({ name, labels, annotations, createdAt }: SecretMark): SecretMark {
  return { name, labels, annotations, createdAt };
}

export function objectOf(secret: SecretMark): string {
  return `Secret/${secret.name}`;
}

function isStock(secret: SecretMark): boolean {
  return markOf(secret.labels, STOCK_SEALING_LABEL) === STOCK_SEALING_ACTIVE;
}

function holdsSealingKey(secret: KeySecret): boolean {
  return isStock(secret) || secret.type === TLS_TYPE || SEALING_ENTRIES.some((entry) => secret.entries.has(entry));
}

function sealingKeyOf(secret: KeySecret): SealingKey {
  const key = entryBytes(secret, 'tls.key');
  const crt = entryBytes(secret, 'tls.crt');
  if (key !== undefined && crt !== undefined && (secret.type === TLS_TYPE || !isStock(secret))) {
    return parseSealingKey({ key, crt });
  }
  throw new SottoError({
    code: 'SOTTO-KEYS-005',
    what: 'a sealing key Secret cannot be used',
    why:
      key === undefined || crt === undefined
        ? 'tls.key or tls.crt is missing'
        : `its type is ${secret.type}, not ${TLS_TYPE}`,
    next: `restore it from its backup, or take the label away: kubectl label secret ${secret.name} ${STOCK_SEALING_LABEL}-`,
  });
}

function identitiesOf(secret: KeySecret, entry: string, onOther: (error: SottoError) => void): readonly AgeIdentity[] {
  const bytes = entryBytes(secret, entry);
  if (!entry.endsWith('.agekey') || bytes === undefined) throw notAnAgeEntry();
  if (isAgeFile(bytes)) throw behindPassphrase();
  return parseAgeIdentities(bytes, { onOther });
}

function pgpOf(secret: KeySecret, entry: string, onOther: (error: SottoError) => void): readonly PgpIdentity[] {
  const bytes = entryBytes(secret, entry);
  return bytes === undefined ? [] : pgpIdentitiesOf(bytes, onOther);
}

const AGE_FILE_BEGINS = ['age-encryption.org/', '-----BEGIN AGE ENCRYPTED FILE-----'].map((text) => Buffer.from(text));

/** A file of `age -p`, binary or armoured. Compared as bytes: an identity stands there too, and is never a string. */
function isAgeFile(bytes: Uint8Array): boolean {
  return AGE_FILE_BEGINS.some((begin) => begin.equals(bytes.subarray(0, begin.length)));
}

function behindPassphrase(): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-042',
    what: 'a key in a Secret is protected by a passphrase',
    why: 'the agent cannot ask anybody for that of an encrypted identity file',
    next: 'put the identity itself in: age -d keys.age',
  });
}

function notAnAgeEntry(): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-004',
    what: 'an entry of a key Secret is not recognised',
    why: 'the name of the entry decides how it is read, and this one says nothing',
    next: 'rename it: age identities end in .agekey, OpenPGP keys in .asc',
  });
}

function noKeys(secret: SecretMark): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-002',
    what: 'a key Secret holds no key',
    why: 'it has no entries',
    next: `give it one: kubectl create secret generic ${secret.name} --from-file=age.agekey=KEYFILE`,
    object: objectOf(secret),
  });
}
