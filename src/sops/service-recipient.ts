import type { WrittenEntry } from './block.ts';
import { SERVICE_LISTS, type VaultKey } from './service-key.ts';

/** How a service is written in `.sops.yaml`: in a rule, and in a key group. */
export const SERVICE_FIELDS = ['hc_vault_transit_uri', 'hc_vault'] as const;

/** A key at a service, and who asks the service. */
export interface ServiceRecipient {
  readonly kind: 'service';
  readonly key: VaultKey;
  /** The data key, or a share of it, as the service wraps it. Throws SottoError. */
  readonly wrap: (secret: Uint8Array) => Promise<string>;
}

/** The entry of a sops block. `now` is RFC 3339. */
export async function wrapForService(
  secret: Uint8Array,
  recipient: ServiceRecipient,
  now: string,
): Promise<WrittenEntry> {
  const { kind, address, enginePath, keyName } = recipient.key;
  const named = { engine_path: enginePath, key_name: keyName, vault_address: address };
  return { list: SERVICE_LISTS[kind], fields: { created_at: now, enc: await recipient.wrap(secret), ...named } };
}

/** What an item of a field names, as `https://vault.example.com:8200/v1/transit/keys/name`; a text says why it names nothing. */
export function serviceKeyOf(uri: string): VaultKey | string {
  const parts = /^(https?:\/\/[^/?#@\s]+)\/v\d+\/([^?#\s]+)\/keys\/([^/?#\s]+)\/?$/.exec(uri);
  const [, address, enginePath, keyName] = parts ?? [];
  if (address === undefined || enginePath === undefined || keyName === undefined)
    return 'it is not of the form https://vault.example.com:8200/v1/transit/keys/NAME';
  return { kind: 'vault', address, enginePath, keyName };
}
