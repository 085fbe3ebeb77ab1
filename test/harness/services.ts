import { SottoError } from '../../src/core/errors.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { callService } from '../../src/services/call.ts';
import { azureClientIn, gcpAccountIn } from '../../src/services/credential-file.ts';
import type { ServiceCredential } from '../../src/services/credential.ts';
import { KeyServices } from '../../src/services/key-services.ts';
import type { ServiceRules } from '../../src/services/rules.ts';
import { ServiceMemory } from '../../src/services/sessions.ts';
import { decryptSops } from '../../src/sops/decrypt.ts';
import { settingsLine } from '../../src/sops/service-errors.ts';
import type { ServiceKey } from '../../src/sops/service-key.ts';
import type { ServiceRecipient } from '../../src/sops/service-recipient.ts';
import { AZURE_CLIENT, AZURE_SECRET, AZURE_TENANT } from './azure.ts';

/** The same value in each format of sops. */
export const CLEARS = {
  yaml: 'password: hunter2\n',
  json: '{\n\t"password": "hunter2"\n}\n',
  ini: '[db]\npassword = hunter2\n',
  dotenv: 'PASSWORD=hunter2\n',
  binary: 'hunter2',
} as const;

export function keyServices(
  rules: ServiceRules,
  credentials: readonly ServiceCredential[],
  call: typeof callService = callService,
): KeyServices {
  return new KeyServices({
    rules,
    credentials: () => Promise.resolve(credentials),
    toAllow: settingsLine,
    toGive: { vault: 'give it', kms: 'give it', gcp_kms: 'give it', azure_kv: 'give it' },
    call,
    memory: new ServiceMemory(),
    now: () => new Date(),
  });
}

export function vaultCredential(token: string): ServiceCredential {
  return { kind: 'vault', token: Sensitive.copyOf(Buffer.from(token)), ca: undefined, address: undefined };
}

export function awsCredential(accessKeyId: string, secret: string): ServiceCredential {
  const secretAccessKey = Sensitive.copyOf(Buffer.from(secret));
  return { kind: 'kms', accessKeyId, secretAccessKey, sessionToken: undefined, ca: undefined, address: undefined };
}

export function gcpCredential(file: string): ServiceCredential {
  const account = gcpAccountIn(Buffer.from(file));
  if (typeof account === 'string') throw new Error(account);
  return { ...account, ca: undefined, address: undefined };
}

/** With some fields of its file as given. */
export function azureCredential(fields: Readonly<Record<string, string>>): ServiceCredential {
  const file = { tenantId: AZURE_TENANT, clientId: AZURE_CLIENT, clientSecret: AZURE_SECRET, ...fields };
  const client = azureClientIn(Buffer.from(JSON.stringify(file)));
  if (typeof client === 'string') throw new Error(client);
  return { ...client, ca: undefined, address: undefined };
}

export function serviceRecipient(key: ServiceKey, by: KeyServices): ServiceRecipient {
  return { kind: 'service', key, wrap: by.wrap.bind(by, key) };
}

export async function openedText(text: string, by: KeyServices): Promise<string> {
  using clear = await decryptSops(text, 'yaml', 'f.yaml', [by]);
  return Buffer.from(clear.reveal()).toString();
}

export async function refusalOf(opening: Promise<unknown>): Promise<SottoError> {
  const thrown: unknown = await opening.catch((error: unknown) => error);
  if (thrown instanceof SottoError) return thrown;
  throw new Error('it was not refused', { cause: thrown });
}
