import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import type { WrittenEntry } from './block.ts';
import {
  type AwsKey,
  type AzureKey,
  type GcpKey,
  SERVICE_LISTS,
  type ServiceKey,
  type VaultKey,
} from './service-key.ts';

/** A key at a service, and who asks the service. */
export interface ServiceRecipient {
  readonly kind: 'service';
  readonly key: ServiceKey;
  /** The data key, or a share of it, as the service wraps it. Throws SottoError. */
  readonly wrap: (secret: Uint8Array) => Promise<string>;
}

/** The entry of a sops block. `now` is RFC 3339. */
export async function wrapForService(
  secret: Uint8Array,
  { key, wrap }: ServiceRecipient,
  now: string,
): Promise<WrittenEntry> {
  const enc = await wrap(secret);
  return { list: SERVICE_LISTS[key.kind], fields: { created_at: now, enc, ...serviceFields(key) } };
}

/** By which a sops block names a key. */
export function serviceFields(key: ServiceKey): WrittenEntry['fields'] {
  switch (key.kind) {
    case 'vault':
      return { engine_path: key.enginePath, key_name: key.keyName, vault_address: key.address };
    case 'kms': {
      const { arn, profile, role, context } = key;
      const isBound = Object.keys(context).length > 0;
      return { arn, aws_profile: profile, ...(role === '' ? {} : { role }), ...(isBound ? { context } : {}) };
    }
    case 'gcp_kms':
      return { resource_id: key.resourceId };
    case 'azure_kv':
      return { vault_url: key.vaultUrl, name: key.name, version: key.version };
    default:
      return key satisfies never;
  }
}

/** How services are written in `.sops.yaml`: as texts, and in a key group as mappings too. */
interface ServiceField {
  readonly ofText: (text: string, awsProfile: string) => ServiceKey | string;
  readonly ofMapping?: (item: JsonObject) => ServiceKey | string;
}

/** In the order in which sops writes their entries. */
export const SERVICE_FIELDS: ReadonlyMap<string, ServiceField> = new Map<string, ServiceField>([
  ['kms', { ofText: awsKeyOf, ofMapping: awsKeyIn }],
  ['gcp_kms', { ofText: gcpKeyOf, ofMapping: gcpKeyIn }],
  ['azure_keyvault', { ofText: azureKeyOf, ofMapping: azureKeyIn }],
  ['hc_vault_transit_uri', { ofText: vaultKeyOf }],
  ['hc_vault', { ofText: vaultKeyOf }],
]);

/** What an item names, as `https://vault.example.com:8200/v1/transit/keys/name`; a text says why it names nothing. */
function vaultKeyOf(uri: string): VaultKey | string {
  const parts = /^(https?:\/\/[^/?#@\s]+)\/v\d+\/([^?#\s]+)\/keys\/([^/?#\s]+)\/?$/.exec(uri);
  const [, address, enginePath, keyName] = parts ?? [];
  if (address === undefined || enginePath === undefined || keyName === undefined)
    return 'it is not of the form https://vault.example.com:8200/v1/transit/keys/NAME';
  return { kind: 'vault', address, enginePath, keyName };
}

/** `ARN`, or `ARN+ROLE`. */
export function awsKeyOf(text: string, profile = ''): AwsKey | string {
  const [, arn, role = ''] = /^(arn:aws[^+\s]*:kms:[^+\s]+?)(?:\+(arn:\S+))?$/.exec(text) ?? [];
  if (arn === undefined) return 'it is not of the form arn:aws:kms:REGION:ACCOUNT:key/ID, or that with +ROLE';
  return { kind: 'kms', arn, role, context: {}, profile };
}

function gcpKeyOf(text: string): GcpKey | string {
  if (/^projects\/[^/\s]+\/locations\/[^/\s]+\/keyRings\/[^/\s]+\/cryptoKeys\/[^/\s]+$/.test(text)) {
    return { kind: 'gcp_kms', resourceId: text };
  }
  return 'it is not of the form projects/P/locations/L/keyRings/R/cryptoKeys/K';
}

/** An item of `gcp_kms` in a key group. */
function gcpKeyIn(item: JsonObject): GcpKey | string {
  return gcpKeyOf(textIn(item, 'resource_id') ?? '');
}

/** `https://team.vault.azure.net/keys/NAME/VERSION`, without version too: then whoever encrypts asks for the newest. */
function azureKeyOf(text: string): AzureKey | string {
  const [, vaultUrl, name, version = ''] =
    /^(https?:\/\/[^/?#@\s]+)\/keys\/([^/?#\s]+)(?:\/([^/?#\s]*))?$/.exec(text) ?? [];
  if (vaultUrl === undefined || name === undefined)
    return 'it is not of the form https://team.vault.azure.net/keys/NAME/VERSION';
  return { kind: 'azure_kv', vaultUrl, name, version };
}

/** An item of `azure_keyvault` in a key group. */
function azureKeyIn(item: JsonObject): AzureKey | string {
  const [vaultUrl = '', name = '', version = ''] = ['vaultUrl', 'key', 'version'].map((field) => textIn(item, field));
  const key = azureKeyOf(`${vaultUrl.replace(/\/$/, '')}/keys/${name}/${version}`);
  return typeof key === 'string' ? key : { ...key, vaultUrl };
}

/** An item of `kms` in a key group. */
function awsKeyIn(item: JsonObject): AwsKey | string {
  const [arn, role, profile] = ['arn', 'role', 'aws_profile'].map((name) => textIn(item, name));
  const context = contextIn(item['context'] ?? {});
  if (arn === undefined || arn === '' || role === undefined || profile === undefined) return 'it has no arn as a text';
  return context === undefined ? 'its context is not a mapping of texts' : { kind: 'kms', arn, role, context, profile };
}

/** Empty where it is not there. */
function textIn(item: JsonObject, name: string): string | undefined {
  const value = item[name] ?? '';
  return typeof value === 'string' ? value : undefined;
}

function contextIn(value: Json): Readonly<Record<string, string>> | undefined {
  if (!isJsonObject(value)) return undefined;
  const pairs = Object.entries(value).flatMap(([name, text]): [string, string][] =>
    typeof text === 'string' ? [[name, text]] : [],
  );
  return pairs.length === Object.keys(value).length ? Object.fromEntries(pairs) : undefined;
}
