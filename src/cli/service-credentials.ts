import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { SottoError } from '../core/errors.ts';
import { Sensitive } from '../core/sensitive.ts';
import { awsKeysOf } from '../services/credential-file.ts';
import type { Secret, ServiceCredential } from '../services/credential.ts';
import { type Fields, fieldsOfSection, trimmed } from '../services/fields.ts';
import type { Surroundings } from './context.ts';
import { readFileBytes } from './files.ts';

export type Place = Pick<Surroundings, 'env' | 'cwd'>;

/** What this person can show key services, as the services' own programs keep it. */
export async function credentialsAtHand(around: Place): Promise<ServiceCredential[]> {
  const vault = await vaultToken(around);
  const aws = await awsKeys(around);
  return [
    ...(vault === undefined ? [] : [await withAuthority(around, vault, 'VAULT_CACERT')]),
    ...(aws === undefined ? [] : [await withAuthority(around, aws, 'AWS_CA_BUNDLE')]),
  ];
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
    return usable(new Map(Object.entries(given).map(([name, text]) => [name, Buffer.from(text, 'utf8')])));
  }
  const { HOME: home = homedir(), AWS_SHARED_CREDENTIALS_FILE: file = '', AWS_PROFILE: profile = 'default' } = env;
  const bytes = await fileIfThere(file === '' ? join(home, '.aws', 'credentials') : resolve(cwd, file));
  const fields = bytes && fieldsOfSection(bytes, profile);
  return fields?.has('aws_access_key_id') === true ? usable(fields) : undefined;
}

function usable(fields: Fields): Secret {
  const keys = awsKeysOf(fields);
  if (typeof keys !== 'string') return keys;
  throw new SottoError({
    code: 'SOTTO-KEYS-051',
    what: 'the credential for a key service cannot be used',
    why: keys,
    next: 'aws configure, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
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
