import type { ServiceKey } from '../sops/service-key.ts';

/** The services that may be called, each exactly: nothing here is a pattern. */
export interface ServiceRules {
  /** Addresses of Vault or OpenBao: `https://vault.example.com:8200`. */
  readonly vault: readonly string[];
  /** ARNs of keys, each with the one role that may be taken on for it, if any. */
  readonly awsKms: readonly { readonly arn: string; readonly role: string }[];
  /** `projects/P/locations/L/keyRings/R/cryptoKeys/K` */
  readonly gcpKms: readonly string[];
  /** `https://team.vault.azure.net` */
  readonly azureKeyVault: readonly string[];
}

export const NO_SERVICES: ServiceRules = { vault: [], awsKms: [], gcpKms: [], azureKeyVault: [] };

export function allows(rules: ServiceRules, key: ServiceKey): boolean {
  switch (key.kind) {
    case 'vault':
      return isSameOrigin(rules.vault, key.address);
    case 'kms':
      return rules.awsKms.some(({ arn, role }) => arn === key.arn && role === key.role);
    case 'gcp_kms':
      return rules.gcpKms.includes(key.resourceId);
    case 'azure_kv':
      return isSameOrigin(rules.azureKeyVault, key.vaultUrl);
    default:
      return key satisfies never;
  }
}

function isSameOrigin(allowed: readonly string[], text: string): boolean {
  const origin = originOf(text);
  return origin !== undefined && allowed.some((each) => originOf(each) === origin);
}

const ADDRESS = /^https?:\/\/(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?\/?$/;

/**
 * Scheme, host and port of an address that is nothing else: whatever two programs could read differently has none.
 * Without TLS an address has one on this machine only.
 */
export function originOf(text: string): string | undefined {
  if (!ADDRESS.test(text)) return undefined;
  const url = URL.parse(text);
  if (url === null) return undefined;
  if (url.protocol === 'http:' && !/^(?:127\.0\.0\.1|localhost|\[::1\])$/.test(url.hostname)) return undefined;
  return url.origin;
}
