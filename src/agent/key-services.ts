import { callService } from '../services/call.ts';
import type { ServiceCredential } from '../services/credential.ts';
import { KeyServices } from '../services/key-services.ts';
import type { ServiceRules } from '../services/rules.ts';
import type { ServiceMemory } from '../services/sessions.ts';
import { settingsLine } from '../sops/service-errors.ts';

/** The key services of one sync: what its settings allow, shown what its key Secrets hold. */
export function agentServices(
  rules: ServiceRules,
  credentials: readonly ServiceCredential[],
  memory: ServiceMemory,
): KeyServices {
  return new KeyServices({
    rules,
    credentials: () => Promise.resolve(credentials),
    memory,
    toAllow: settingsLine,
    toGive: {
      vault: toGive('sops-vault', 'sops.vault-token', 'the token'),
      kms: toGive('sops-aws', 'sops.aws-kms', 'aws_access_key_id: ID and aws_secret_access_key: KEY, a line each,'),
      gcp_kms: toGive('sops-gcp', 'sops.gcp-kms', 'the JSON file of a service account'),
      azure_kv: toGive(
        'sops-azure',
        'sops.azure-kv',
        'tenantId: ID, clientId: ID and clientSecret: SECRET, a line each,',
      ),
    },
    call: callService,
    now: () => new Date(),
  });
}

function toGive(secret: string, entry: string, content: string): string {
  return `put ${content} into a key Secret: kubectl create secret generic ${secret} --from-file=${entry}=FILE, and name it in decryption.keys`;
}
