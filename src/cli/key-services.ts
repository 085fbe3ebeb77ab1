import { callService } from '../services/call.ts';
import { isGcpResourceId } from '../services/gcp-place.ts';
import { KeyServices } from '../services/key-services.ts';
import {
  type AwsKmsRule,
  type AzureKeyVaultRule,
  type GcpKmsRule,
  originOf,
  type ServiceRules,
} from '../services/rules.ts';
import { ServiceMemory } from '../services/sessions.ts';
import { type ServiceKey, serviceKeyName } from '../sops/service-key.ts';
import { awsKeyOf } from '../sops/service-recipient.ts';
import { credentialsAtHand, type Place } from './service-credentials.ts';

/**
 * The key services that this person allows: those of `--key-service`, and those that the variables of sops and of the
 * services' own programs name. What a file or its `.sops.yaml` says allows nothing: others write them.
 */
export function servicesAtHand(around: Place, flags: readonly string[] = []): KeyServices {
  const held = new Map<ServiceKey['kind'], ReturnType<typeof credentialsAtHand>>();
  return new KeyServices({
    rules: rulesOf(around, flags),
    credentials: (kind) => {
      const credentials = held.get(kind) ?? credentialsAtHand(around, kind);
      held.set(kind, credentials);
      return credentials;
    },
    call: callService,
    memory: new ServiceMemory(),
    now: () => new Date(),
    toAllow,
    toGive: {
      vault: 'vault login, or set VAULT_TOKEN',
      kms: 'aws configure, or eval "$(aws configure export-credentials --format env)"',
      gcp_kms:
        'export GOOGLE_OAUTH_ACCESS_TOKEN="$(gcloud auth print-access-token)", or set GOOGLE_APPLICATION_CREDENTIALS',
      azure_kv: 'set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET: az ad sp create-for-rbac prints them',
    },
  });
}

function rulesOf({ env }: Place, flags: readonly string[]): ServiceRules {
  const named = (...variables: readonly string[]): string[] => [
    ...flags,
    ...variables.flatMap((variable) => namesOf(env[variable])),
  ];
  const vault = named('SOPS_VAULT_URIS', 'SOPS_HC_VAULT_ALLOWLIST', 'VAULT_ADDR').flatMap(
    (name) => originOf(name) ?? originOf(name.replace(/\/v1\/.*$/, '')) ?? [],
  );
  return {
    vault,
    awsKms: awsRules(env, named('SOPS_KMS_ARN')),
    gcpKms: gcpRules(env, named('SOPS_GCP_KMS_IDS')),
    azureKeyVault: azureRules(env, named('SOPS_AZURE_KEYVAULT_URLS')),
  };
}

function awsRules(env: Place['env'], names: readonly string[]): AwsKmsRule[] {
  const endpoint = originOf(env['AWS_ENDPOINT_URL_KMS'] ?? env['AWS_ENDPOINT_URL'] ?? '');
  const stsEndpoint = originOf(env['AWS_ENDPOINT_URL_STS'] ?? env['AWS_ENDPOINT_URL'] ?? '');
  return names.flatMap((name) => {
    const key = awsKeyOf(name);
    return typeof key === 'string' ? [] : { arn: key.arn, role: key.role, endpoint, stsEndpoint };
  });
}

/** Stock sops takes an endpoint without its scheme too. */
function gcpRules(env: Place['env'], names: readonly string[]): GcpKmsRule[] {
  const place = env['SOPS_GCP_KMS_ENDPOINT'] ?? '';
  const endpoint = originOf(place) ?? originOf(`https://${place}`);
  return names.filter(isGcpResourceId).map((resourceId) => ({ resourceId, endpoint }));
}

/** A vault, or a key of it. */
function azureRules(env: Place['env'], names: readonly string[]): AzureKeyVaultRule[] {
  const loginEndpoint = originOf(env['AZURE_AUTHORITY_HOST'] ?? '');
  return names.flatMap((name) => {
    const vaultUrl = originOf(name.replace(/\/keys\/.*$/, ''));
    return vaultUrl === undefined ? [] : { vaultUrl, loginEndpoint };
  });
}

function namesOf(list: string | undefined): string[] {
  return (list ?? '').split(',').flatMap((name) => name.trim() || []);
}

const VARIABLES = {
  vault: 'VAULT_ADDR',
  kms: 'SOPS_KMS_ARN',
  gcp_kms: 'SOPS_GCP_KMS_IDS',
  azure_kv: 'SOPS_AZURE_KEYVAULT_URLS',
} as const;

function toAllow(key: ServiceKey): string {
  return `if the service is yours: --key-service ${JSON.stringify(nameOf(key))}, or set ${VARIABLES[key.kind]} to it`;
}

function nameOf(key: ServiceKey): string {
  if (key.kind === 'vault') return key.address;
  if (key.kind === 'azure_kv') return key.vaultUrl;
  return key.kind === 'kms' ? serviceKeyName({ ...key, context: {}, profile: '' }) : serviceKeyName(key);
}
