import { bareFingerprint } from './pgp.ts';

/** The lists of a sops block in which master keys stand. */
export const KEY_LISTS = ['pgp', 'kms', 'gcp_kms', 'azure_kv', 'hc_vault', 'hckms', 'age'] as const;

export type KeyList = (typeof KEY_LISTS)[number];

/** The fields of an entry by which its key is known. */
const NAMING: Readonly<Record<KeyList, readonly string[]>> = {
  age: ['recipient'],
  pgp: ['fp'],
  kms: ['arn', 'role'],
  gcp_kms: ['resource_id'],
  azure_kv: ['vault_url', 'name', 'version'],
  hc_vault: ['vault_address', 'engine_path', 'key_name'],
  hckms: ['key_id'],
};

/**
 * One name for a master key, whether a file or a rule names it: what tells two keys apart, and can be shown. An age
 * recipient stands for itself, the others follow the name of their list.
 */
export function keyName(list: KeyList, text: (field: string) => string): string {
  const parts = NAMING[list].map((field) => text(field).trim());
  if (list === 'age') return parts.join('');
  if (list === 'pgp') return `pgp ${bareFingerprint(parts.join('').replaceAll(' ', ''))}`;
  if (list === 'hc_vault') {
    const [address = '', engine = '', key = ''] = parts;
    return `hc_vault ${address.replace(/\/+$/, '')}/v1/${engine}/keys/${key}`;
  }
  if (list === 'azure_kv') {
    const [url = '', name = '', version = ''] = parts;
    return `azure_kv ${url.replace(/\/+$/, '')}/keys/${name}${version === '' ? '' : `/${version}`}`;
  }
  return `${list} ${parts.filter((part) => part !== '').join('+')}`;
}
