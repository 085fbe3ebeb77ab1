import { callService } from '../services/call.ts';
import type { ServiceCredential } from '../services/credential.ts';
import { KeyServices } from '../services/key-services.ts';
import type { Patience } from '../services/patience.ts';
import type { ServiceRules } from '../services/rules.ts';
import { settingsLine } from '../sops/service-errors.ts';

/** The key services of one sync: what its settings allow, shown what its key Secrets hold. */
export function agentServices(
  rules: ServiceRules,
  credentials: readonly ServiceCredential[],
  patience: Patience,
): KeyServices {
  return new KeyServices({
    rules,
    credentials: () => Promise.resolve(credentials),
    patience,
    toAllow: settingsLine,
    toGive:
      'put the token into a key Secret: kubectl create secret generic sops-vault --from-file=sops.vault-token=FILE, and name it in decryption.keys',
    call: callService,
    now: () => new Date(),
  });
}
