import type { Json } from '../core/json.ts';
import type { ServiceKey, VaultKey } from './service-key.ts';

/** How a service is written in `.sops.yaml`: in a rule, and in a key group. */
export const SERVICE_FIELDS = ['hc_vault_transit_uri', 'hc_vault'] as const;

/** What an item of a field names; a text says why it names nothing. */
export function serviceKeyOf(item: Json): ServiceKey | string {
  return typeof item === 'string' ? vaultKey(item) : 'it is no URI';
}

/** `https://vault.example.com:8200/v1/transit/keys/name` */
function vaultKey(uri: string): VaultKey | string {
  const parts = /^(https?:\/\/[^/?#@\s]+)\/v\d+\/([^?#\s]+)\/keys\/([^/?#\s]+)\/?$/.exec(uri);
  const [, address, enginePath, keyName] = parts ?? [];
  if (address === undefined || enginePath === undefined || keyName === undefined)
    return 'it is not of the form https://vault.example.com:8200/v1/transit/keys/NAME';
  return { kind: 'vault', address, enginePath, keyName };
}
