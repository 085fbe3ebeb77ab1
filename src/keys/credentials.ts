import { SottoError } from '../core/errors.ts';
import { shellWord } from '../core/shell-word.ts';
import type { GitAccess, GitCredential } from '../git/credential.ts';
import { readCertificate } from '../sealed/sealing-key.ts';
import { entryBytes, type KeySecret, markOf, type SecretMark } from './key-secret.ts';
import { FOR_ANNOTATION, type SecretUse, STOCK_SEALING_LABEL, USE_LABEL } from './marks.ts';
import { coversUrl, type PlainUrl, plainUrl } from './url-prefix.ts';

/** For what and to where a credential would be sent. */
export interface CredentialRequest {
  readonly use: SecretUse;
  /** URL of the source that names the Secret. */
  readonly sourceUrl: string;
  /** The agent's namespace, for the commands in errors. */
  readonly namespace: string;
  /** `--allow-source`: URL prefixes whose Secrets need no marks. */
  readonly allowSources: readonly string[];
}

/**
 * Whether a Secret may be sent to a source. Who may write the settings may name any Secret of the namespace and any
 * URL; so the Secret itself must say what it is for (threat model, credentials). Needs metadata only: check before
 * the Secret is read. Throws SOTTO-KEYS-010 to -014.
 */
export function checkCredentialUse(secret: SecretMark, request: CredentialRequest): void {
  const url = plainUrl(request.sourceUrl);
  if (url === undefined) throw notComparable(secret, 'the URL of the source');
  const use = markOf(secret.labels, USE_LABEL);
  if (markOf(secret.labels, STOCK_SEALING_LABEL) !== undefined || (use !== undefined && use !== request.use)) {
    throw otherUse(secret, request);
  }
  const prefix = markOf(secret.annotations, FOR_ANNOTATION);
  if (prefix !== undefined) return checkPrefix(secret, prefix, url, use, request);
  if (isAllowed(url, request.allowSources)) return;
  throw use === undefined ? notMarked(secret, request) : noPrefix(secret, request);
}

/** What the Secret says itself counts more than `--allow-source`. */
function checkPrefix(
  secret: SecretMark,
  text: string,
  url: PlainUrl,
  use: string | undefined,
  request: CredentialRequest,
): void {
  const prefix = plainUrl(text);
  if (prefix === undefined) throw notComparable(secret, `the annotation ${FOR_ANNOTATION}`);
  if (!coversUrl(prefix, url)) throw otherSource(secret, text, request);
  if (use === undefined && !isAllowed(url, request.allowSources)) throw notMarked(secret, request);
}

function isAllowed(url: PlainUrl, allowSources: readonly string[]): boolean {
  return allowSources.some((text) => {
    const prefix = plainUrl(text);
    return prefix !== undefined && coversUrl(prefix, url);
  });
}

/** Entries of Flux's Git Secrets that need ssh or client certificates. */
const LATER_ENTRIES: readonly string[] = ['identity', 'identity.pub', 'known_hosts', 'tls.crt', 'tls.key'];

/**
 * How git authenticates with a Secret that was checked and read. The credential holds the Secret's own Sensitive
 * values: they are wiped when the access is no longer needed. Throws SOTTO-KEYS-010 to -018.
 */
export function gitAccess(secret: KeySecret, request: CredentialRequest): GitAccess {
  checkCredentialUse(secret, request);
  const later = LATER_ENTRIES.find((entry) => secret.entries.has(entry));
  if (later !== undefined) throw notInThisVersion(secret, later);
  const credential = credentialOf(secret);
  const caCertificate = caCertificateOf(secret);
  if (credential.kind === 'none' && caCertificate === undefined) throw noCredential(secret);
  return { credential, caCertificate };
}

/** How git authenticates for a push: a credential besides an authority, from a Secret that is for writing. */
export function writeAccess(
  secret: KeySecret,
  { sourceUrl, namespace }: Pick<CredentialRequest, 'sourceUrl' | 'namespace'>,
): GitAccess {
  const access = gitAccess(secret, { use: 'git-write', sourceUrl, namespace, allowSources: [] });
  if (access.credential.kind === 'none') throw noCredential(secret);
  return access;
}

function credentialOf(secret: KeySecret): GitCredential {
  const username = secret.entries.get('username');
  const password = secret.entries.get('password');
  const token = secret.entries.get('bearerToken');
  const hasBasic = username !== undefined || password !== undefined;
  if (hasBasic && token !== undefined) throw ambiguous(secret, 'it holds both username or password and bearerToken');
  if (token !== undefined) {
    if (token.length === 0) throw ambiguous(secret, 'bearerToken is empty');
    return { kind: 'bearer', token };
  }
  if (!hasBasic) return { kind: 'none' };
  if (username === undefined || password === undefined) {
    throw ambiguous(secret, `${username === undefined ? 'username' : 'password'} is missing`);
  }
  if (password.length === 0) throw ambiguous(secret, 'password is empty');
  return { kind: 'basic', username, password };
}

/** A copy: a certificate is public, and the entries are wiped. */
function caCertificateOf(secret: KeySecret): Uint8Array | undefined {
  const bytes = entryBytes(secret, 'ca.crt');
  if (bytes === undefined) return undefined;
  if (readCertificate(bytes) !== undefined) return Uint8Array.from(bytes);
  throw new SottoError({
    code: 'SOTTO-KEYS-018',
    what: 'the certificate authority of a credential cannot be read',
    why: 'ca.crt holds no certificate in PEM',
    next: `write it again: kubectl create secret generic ${shellWord(secret.name)} --from-file=ca.crt=FILE --dry-run=client -o yaml`,
    ...placeOf(secret, 'ca.crt'),
  });
}

function placeOf(secret: SecretMark, key?: string) {
  return { object: `Secret/${secret.name}`, key };
}

/** The commands that set the marks, narrowest prefix: the source itself. */
function markCommands(secret: SecretMark, request: CredentialRequest): string {
  const target = `secret ${shellWord(secret.name)} -n ${shellWord(request.namespace)}`;
  const overwrite = markOf(secret.annotations, FOR_ANNOTATION) === undefined ? '' : ' --overwrite';
  return [
    ...(markOf(secret.labels, USE_LABEL) === request.use
      ? []
      : [`kubectl label ${target} ${USE_LABEL}=${request.use}`]),
    `kubectl annotate ${target} ${shellWord(`${FOR_ANNOTATION}=${request.sourceUrl}`)}${overwrite}`,
  ].join(' && ');
}

function notMarked(secret: SecretMark, request: CredentialRequest): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-010',
    what: `the Secret is not marked for ${request.use}`,
    why: `without the label ${USE_LABEL} it is sent nowhere`,
    next: markCommands(secret, request),
    ...placeOf(secret),
  });
}

function otherUse(secret: SecretMark, request: CredentialRequest): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-011',
    what: `the Secret is for another use than ${request.use}`,
    why: 'a Secret serves one purpose, and its label names another',
    next: `keep this credential in a Secret of its own and label that: kubectl label secret NAME -n ${shellWord(request.namespace)} ${USE_LABEL}=${request.use}`,
    ...placeOf(secret),
  });
}

function noPrefix(secret: SecretMark, request: CredentialRequest): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-012',
    what: 'the Secret does not say for which source it is',
    why: `without the annotation ${FOR_ANNOTATION} it is sent nowhere`,
    next: markCommands(secret, request),
    ...placeOf(secret),
  });
}

function otherSource(secret: SecretMark, prefix: string, request: CredentialRequest): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-013',
    what: 'the Secret is for another source',
    why: `${request.sourceUrl} is not below ${prefix}`,
    next: `correct the URL of the source, or, if the credential belongs there: ${markCommands(secret, request)}`,
    ...placeOf(secret),
  });
}

function notComparable(secret: SecretMark, what: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-014',
    what: `${what} cannot be compared safely`,
    why: 'it is not a plain https URL: no user, query, fragment, backslash or encoded dots and slashes',
    next: 'write it as https://HOST/PATH',
    ...placeOf(secret),
  });
}

function noCredential(secret: KeySecret): SottoError {
  const names = [...secret.entries.keys()].toSorted().join(', ');
  return new SottoError({
    code: 'SOTTO-KEYS-015',
    what: 'the Secret holds no credential for Git',
    why: names === '' ? 'it has no entries' : `its entries are ${names}`,
    next: 'name them username and password, or bearerToken, and ca.crt for a private authority',
    ...placeOf(secret),
  });
}

function ambiguous(secret: SecretMark, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-016',
    what: 'the credential is incomplete or ambiguous',
    why,
    next: 'give username and password together, or bearerToken alone',
    ...placeOf(secret),
  });
}

function notInThisVersion(secret: SecretMark, entry: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-017',
    what: `a Git credential of the kind ${entry} is not in this version`,
    why: 'repositories are read over https with username and password or a token',
    next: `use an access token of the Git host, and take ${entry} out of the Secret`,
    ...placeOf(secret, entry),
  });
}
