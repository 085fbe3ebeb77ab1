import type { ServiceKey } from '../sops/service-key.ts';

/** The services that may be called, each exactly: nothing here is a pattern. */
export interface ServiceRules {
  /** Addresses of Vault or OpenBao: `https://vault.example.com:8200`. */
  readonly vault: readonly string[];
  readonly awsKms: readonly AwsKmsRule[];
  readonly gcpKms: readonly GcpKmsRule[];
  readonly azureKeyVault: readonly AzureKeyVaultRule[];
}

/** A key of AWS KMS, with the one role that may be taken on for it. */
export interface AwsKmsRule {
  readonly arn: string;
  /** Empty: none. */
  readonly role: string;
  /** Where it is asked instead of the endpoint of its region. */
  readonly endpoint: string | undefined;
  /** Where the role is taken on instead of the STS endpoint of the region. */
  readonly stsEndpoint: string | undefined;
}

export interface GcpKmsRule {
  /** `projects/P/locations/L/keyRings/R/cryptoKeys/K` */
  readonly resourceId: string;
  /** Where it is asked instead of Google's own endpoint. */
  readonly endpoint: string | undefined;
}

export interface AzureKeyVaultRule {
  /** `https://team.vault.azure.net` */
  readonly vaultUrl: string;
  /** Where tokens come from instead of the login server of its cloud. */
  readonly loginEndpoint: string | undefined;
}

export const NO_SERVICES: ServiceRules = { vault: [], awsKms: [], gcpKms: [], azureKeyVault: [] };

/** Why a key may be used, and where its service is: undefined stands for the usual place. */
export interface Permission {
  readonly endpoint: string | undefined;
  /** Where a credential is exchanged for one that passes. */
  readonly sessionEndpoint: string | undefined;
}

/** Undefined for a key that may not be used. */
export function permissionFor(rules: ServiceRules, key: ServiceKey): Permission | undefined {
  switch (key.kind) {
    case 'vault':
      return rules.vault.some((address) => isSameOrigin(address, key.address)) ? USUAL : undefined;
    case 'kms': {
      const rule = rules.awsKms.find(({ arn, role }) => arn === key.arn && role === key.role);
      return rule && { endpoint: rule.endpoint, sessionEndpoint: rule.stsEndpoint };
    }
    case 'gcp_kms': {
      const rule = rules.gcpKms.find(({ resourceId }) => resourceId === key.resourceId);
      return rule && { endpoint: rule.endpoint, sessionEndpoint: undefined };
    }
    case 'azure_kv': {
      const rule = rules.azureKeyVault.find(({ vaultUrl }) => isSameOrigin(vaultUrl, key.vaultUrl));
      return rule && { endpoint: undefined, sessionEndpoint: rule.loginEndpoint };
    }
    default:
      return key satisfies never;
  }
}

const USUAL: Permission = { endpoint: undefined, sessionEndpoint: undefined };

function isSameOrigin(allowed: string, text: string): boolean {
  const origin = originOf(text);
  return origin !== undefined && originOf(allowed) === origin;
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
