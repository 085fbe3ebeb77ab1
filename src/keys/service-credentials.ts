import { SottoError } from '../core/errors.ts';
import { Sensitive } from '../core/sensitive.ts';
import { readCertificate } from '../sealed/sealing-key.ts';
import { awsKeysIn, azureClientIn, gcpAccountIn } from '../services/credential-file.ts';
import type { Secret, ServiceCredential } from '../services/credential.ts';
import { trimmed } from '../services/fields.ts';
import { entryBytes, type KeySecret, markOf } from './key-secret.ts';
import { FOR_ANNOTATION } from './marks.ts';

/** Entries of key Secrets that are shown to key services, as Flux's kustomize-controller names them. */
const SERVICE_ENTRIES: ReadonlyMap<string, (bytes: Uint8Array) => Secret | string> = new Map([
  ['sops.vault-token', vaultTokenIn],
  ['sops.aws-kms', awsKeysIn],
  ['sops.gcp-kms', gcpAccountIn],
  ['sops.azure-kv', azureClientIn],
]);
/** Authority of the service, beside its credential, as in the Secrets for Git. */
const AUTHORITY_ENTRY = 'ca.crt';

/** True for an entry that is a credential for a key service, or belongs to one. */
export function isServiceEntry(secret: KeySecret, entry: string): boolean {
  if (entry === AUTHORITY_ENTRY) return [...SERVICE_ENTRIES.keys()].some((name) => secret.entries.has(name));
  return SERVICE_ENTRIES.has(entry);
}

/** The credential in an entry; undefined for the authority, which is part of another one. Throws SottoError. */
export function serviceCredential(secret: KeySecret, entry: string): ServiceCredential | undefined {
  const ca = authorityOf(secret);
  const bytes = entryBytes(secret, entry);
  const parse = SERVICE_ENTRIES.get(entry);
  if (bytes === undefined || parse === undefined) return undefined;
  const parsed = parse(bytes);
  if (typeof parsed === 'string') throw unusable(parsed);
  return { ...parsed, ca, address: markOf(secret.annotations, FOR_ANNOTATION) };
}

function vaultTokenIn(bytes: Uint8Array): Secret | string {
  const token = trimmed(bytes);
  return token.length === 0 ? 'it is empty' : { kind: 'vault', token: Sensitive.copyOf(token) };
}

function authorityOf(secret: KeySecret): Uint8Array | undefined {
  const bytes = entryBytes(secret, AUTHORITY_ENTRY);
  if (bytes === undefined) return undefined;
  if (readCertificate(bytes) !== undefined) return Uint8Array.from(bytes);
  throw unusable('its ca.crt holds no certificate in PEM');
}

function unusable(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-051',
    what: 'the credential for a key service cannot be used',
    why,
    next: 'write it into its Secret again, as the service gave it',
  });
}
