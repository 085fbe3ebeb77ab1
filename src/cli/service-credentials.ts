import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { SottoError } from '../core/errors.ts';
import { Sensitive } from '../core/sensitive.ts';
import { awsKeysOf, azureClientOf, gcpAccountIn, isPrintable } from '../services/credential-file.ts';
import type { Secret, ServiceCredential } from '../services/credential.ts';
import { fieldsOfSection, trimmed } from '../services/fields.ts';
import type { Surroundings } from './context.ts';
import { readFileBytes } from './files.ts';

export type Place = Pick<Surroundings, 'env' | 'cwd'>;

const FINDERS = {
  vault: { find: vaultToken, authority: 'VAULT_CACERT' },
  kms: { find: awsKeys, authority: 'AWS_CA_BUNDLE' },
  gcp_kms: { find: gcpProof, authority: 'SSL_CERT_FILE' },
  azure_kv: { find: azureClient, authority: 'SSL_CERT_FILE' },
} as const;

/** What this person can show key services of a kind, as the services' own programs keep it. Throws SottoError. */
export async function credentialsAtHand(around: Place, kind: Secret['kind']): Promise<ServiceCredential[]> {
  const { find, authority } = FINDERS[kind];
  const secret = await find(around);
  return secret === undefined ? [] : [await withAuthority(around, secret, authority)];
}

async function withAuthority(around: Place, secret: Secret, variable: string): Promise<ServiceCredential> {
  const file = around.env[variable] ?? '';
  const ca = file === '' ? undefined : await readFileBytes(resolve(around.cwd, file), file);
  return { ...secret, ca, address: undefined };
}

/** The variable first, then what `vault login` left. */
async function vaultToken({ env }: Place): Promise<Secret | undefined> {
  const { VAULT_TOKEN: token = '', HOME: home = homedir() } = env;
  const found = token === '' ? await fileIfThere(join(home, '.vault-token')) : Buffer.from(token, 'utf8');
  const bytes = trimmed(found ?? new Uint8Array());
  return bytes.length === 0 ? undefined : { kind: 'vault', token: Sensitive.copyOf(bytes) };
}

/**
 * The variables first, then the file of `aws configure`. The profile is the person's: what a SOPS file says of one is
 * somebody else's.
 */
async function awsKeys({ env, cwd }: Place): Promise<Secret | undefined> {
  const { AWS_ACCESS_KEY_ID: id = '', AWS_SECRET_ACCESS_KEY: secret = '', AWS_SESSION_TOKEN: token = '' } = env;
  if (id !== '' && secret !== '') {
    const given = { aws_access_key_id: id, aws_secret_access_key: secret, aws_session_token: token };
    const fields = new Map(Object.entries(given).map(([name, text]) => [name, Buffer.from(text, 'utf8')]));
    return usable(awsKeysOf(fields), AWS_NEXT);
  }
  const { HOME: home = homedir(), AWS_SHARED_CREDENTIALS_FILE: file = '', AWS_PROFILE: profile = 'default' } = env;
  const bytes = await fileIfThere(file === '' ? join(home, '.aws', 'credentials') : resolve(cwd, file));
  const fields = bytes && fieldsOfSection(bytes, profile);
  return fields?.has('aws_access_key_id') === true ? usable(awsKeysOf(fields), AWS_NEXT) : undefined;
}

/** As stock sops looks: a file or its text, a token, and what Google's own libraries find. */
async function gcpProof({ env, cwd }: Place): Promise<Secret | undefined> {
  const { GOOGLE_CREDENTIALS: given = '', GOOGLE_OAUTH_ACCESS_TOKEN: token = '' } = env;
  if (given.trimStart().startsWith('{')) return usable(gcpAccountIn(Buffer.from(given, 'utf8')), GCP_NEXT);
  if (given === '' && isPrintable(Buffer.from(token, 'utf8'))) {
    return { kind: 'gcp_kms', by: 'token', token: Sensitive.copyOf(Buffer.from(token, 'utf8')) };
  }
  const { HOME: home = homedir(), GOOGLE_APPLICATION_CREDENTIALS: named = '' } = env;
  const file = given === '' ? named : given;
  const usual = join(home, '.config', 'gcloud', 'application_default_credentials.json');
  const bytes = file === '' ? await fileIfThere(usual) : await readFileBytes(resolve(cwd, file), file);
  return bytes === undefined ? undefined : usable(gcpAccountIn(bytes), GCP_NEXT);
}

async function azureClient({ env }: Place): Promise<Secret | undefined> {
  const {
    AZURE_TENANT_ID: tenantId = '',
    AZURE_CLIENT_ID: clientId = '',
    AZURE_CLIENT_SECRET: clientSecret = '',
  } = env;
  if (clientSecret === '') return undefined;
  const { AZURE_AUTHORITY_HOST: authorityHost = '' } = env;
  const given = { tenantId, clientId, clientSecret, ...(authorityHost === '' ? {} : { authorityHost }) };
  const fields = new Map(Object.entries(given).map(([name, text]) => [name, Buffer.from(text, 'utf8')]));
  return usable(azureClientOf(fields), 'set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET again');
}

const GCP_NEXT =
  'name the file of a service account, or export GOOGLE_OAUTH_ACCESS_TOKEN="$(gcloud auth print-access-token)"';
const AWS_NEXT = 'aws configure, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';

function usable(secret: Secret | string, next: string): Secret {
  if (typeof secret !== 'string') return secret;
  throw new SottoError({
    code: 'SOTTO-KEYS-051',
    what: 'the credential for a key service cannot be used',
    why: secret,
    next,
  });
}

async function fileIfThere(file: string): Promise<Uint8Array | undefined> {
  try {
    return await readFileBytes(file, file);
  } catch (thrown) {
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
}
