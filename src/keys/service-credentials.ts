import { SottoError } from '../core/errors.ts';
import { Sensitive } from '../core/sensitive.ts';
import { readCertificate } from '../sealed/sealing-key.ts';
import type { ServiceCredential } from '../services/credential.ts';
import { entryBytes, type KeySecret, markOf } from './key-secret.ts';
import { FOR_ANNOTATION } from './marks.ts';

/** Entries of key Secrets that are shown to key services, as Flux's kustomize-controller names them. */
const SERVICE_ENTRIES: readonly string[] = ['sops.vault-token'];
/** Authority of the service, beside its credential, as in the Secrets for Git. */
const AUTHORITY_ENTRY = 'ca.crt';

/** True for an entry that is a credential for a key service, or belongs to one. */
export function isServiceEntry(secret: KeySecret, entry: string): boolean {
  if (entry === AUTHORITY_ENTRY) return SERVICE_ENTRIES.some((name) => secret.entries.has(name));
  return SERVICE_ENTRIES.includes(entry);
}

/** The credential in an entry; undefined for the authority, which is part of another one. Throws SottoError. */
export function serviceCredential(secret: KeySecret, entry: string): ServiceCredential | undefined {
  const ca = authorityOf(secret);
  const bytes = entryBytes(secret, entry);
  if (bytes === undefined || entry === AUTHORITY_ENTRY) return undefined;
  const token = trimmed(bytes);
  if (token.length === 0) throw unusable('it is empty');
  return { kind: 'vault', token: Sensitive.copyOf(token), ca, address: markOf(secret.annotations, FOR_ANNOTATION) };
}

function authorityOf(secret: KeySecret): Uint8Array | undefined {
  const bytes = entryBytes(secret, AUTHORITY_ENTRY);
  if (bytes === undefined) return undefined;
  if (readCertificate(bytes) !== undefined) return Uint8Array.from(bytes);
  throw unusable('its ca.crt holds no certificate in PEM');
}

/** Without blanks around it: files end in a line break. */
export function trimmed(bytes: Uint8Array): Uint8Array {
  let [start, end] = [0, bytes.length];
  while (start < end && (bytes[start] ?? 0) <= 32) start += 1;
  while (end > start && (bytes[end - 1] ?? 0) <= 32) end -= 1;
  return bytes.subarray(start, end);
}

function unusable(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-051',
    what: 'the credential for a key service cannot be used',
    why,
    next: 'write it into its Secret again, as the service gave it',
  });
}
