import type { KeyServices } from '../services/key-services.ts';
import { isServiceEntry } from '../sops/key-entry.ts';
import { keyName } from '../sops/key-name.ts';
import { metadataOf, type RekeyFile } from '../sops/rekey.ts';
import { SERVICE_LISTS, type ServiceKey } from '../sops/service-key.ts';
import { serviceFields } from '../sops/service-recipient.ts';
import type { Recipient } from '../sops/wrap.ts';

/**
 * The key services that a file is for, by the names that rules know them by: a new data key is wrapped by each again,
 * with the encryption context that the file has. Whether a service may be asked is seen when it is.
 */
export function heldServices(file: RekeyFile, services: KeyServices): ReadonlyMap<string, Recipient> {
  const entries = metadataOf(file).groups.flat().filter(isServiceEntry);
  return new Map(entries.map(({ enc: _enc, line: _line, ...key }) => [nameOf(key), recipientOf(key, services)]));
}

function nameOf(key: ServiceKey): string {
  const fields = serviceFields(key);
  return keyName(SERVICE_LISTS[key.kind], (name) => {
    const text = fields[name];
    return typeof text === 'string' ? text : '';
  });
}

function recipientOf(key: ServiceKey, services: KeyServices): Recipient {
  return { kind: 'service', key, wrap: (secret) => services.wrap(key, secret) };
}
