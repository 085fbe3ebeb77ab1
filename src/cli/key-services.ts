import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { SottoError } from '../core/errors.ts';
import { Sensitive } from '../core/sensitive.ts';
import { trimmed } from '../keys/service-credentials.ts';
import { callService } from '../services/call.ts';
import type { ServiceCredential } from '../services/credential.ts';
import { KeyServices } from '../services/key-services.ts';
import { Patience } from '../services/patience.ts';
import { originOf, type ServiceRules } from '../services/rules.ts';
import type { ServiceKey } from '../sops/service-key.ts';
import type { Surroundings } from './context.ts';
import { readFileBytes } from './files.ts';

type Place = Pick<Surroundings, 'env' | 'cwd'>;

/**
 * The key services that this person allows: those of `--key-service`, and those that the variables of sops and of the
 * services' own programs name. What a file or its `.sops.yaml` says allows nothing: others write them.
 */
export function servicesAtHand(around: Place, flags: readonly string[] = []): KeyServices {
  return new KeyServices({
    rules: rulesOf(around, flags),
    credentials: () => credentialsOf(around),
    call: callService,
    patience: new Patience(),
    now: () => new Date(),
    toAllow,
    toGive: 'vault login, or set VAULT_TOKEN',
  });
}

function rulesOf({ env }: Place, flags: readonly string[]): ServiceRules {
  const vault = [...flags, ...namesOf(env['SOPS_VAULT_URIS']), ...namesOf(env['SOPS_HC_VAULT_ALLOWLIST'])]
    .map((name) => originOf(name) ?? originOf(name.replace(/\/v1\/.*$/, '')))
    .filter((origin) => origin !== undefined);
  const own = originOf(env['VAULT_ADDR'] ?? '');
  return { vault: own === undefined ? vault : [...vault, own], awsKms: [], gcpKms: [], azureKeyVault: [] };
}

function namesOf(list: string | undefined): string[] {
  return (list ?? '').split(',').flatMap((name) => name.trim() || []);
}

/** As the stock program finds them: the variable first, then what `vault login` left. */
async function credentialsOf(around: Place): Promise<ServiceCredential[]> {
  const token = await vaultToken(around);
  if (token === undefined || token.length === 0) return [];
  const { VAULT_CACERT: file = '' } = around.env;
  const ca = file === '' ? undefined : await readFileBytes(resolve(around.cwd, file), file);
  return [{ kind: 'vault', token: Sensitive.copyOf(token), ca, address: undefined }];
}

async function vaultToken({ env }: Place): Promise<Uint8Array | undefined> {
  const { VAULT_TOKEN: token = '', HOME: home = homedir() } = env;
  if (token !== '') return trimmed(Buffer.from(token, 'utf8'));
  const file = join(home, '.vault-token');
  try {
    return trimmed(await readFileBytes(file, file));
  } catch (thrown) {
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
}

function toAllow(key: ServiceKey): string {
  if (key.kind !== 'vault') return 'have a holder of the key add an age recipient';
  return `if the service is yours: --key-service ${JSON.stringify(key.address)}, or set VAULT_ADDR to it`;
}
