import { bareFingerprint, namesKey } from '../sops/pgp.ts';
import type { PgpKeyBlock } from '../sops/pgp-key.ts';
import type { FileRecipients, PolicyRule } from '../sops/policy.ts';
import type { WantedKeys } from '../sops/rekey.ts';
import type { Recipient } from '../sops/wrap.ts';

/** For whom a rule wants a file, with the public keys and key services that are at hand. Pure. */
export function wantedKeys(
  { groups, threshold }: Pick<PolicyRule, 'groups' | 'threshold'>,
  file: FileRecipients,
  pgpKeys: readonly PgpKeyBlock[],
  services: ReadonlyMap<string, Recipient>,
): WantedKeys {
  const held = file.groups.flat();
  return {
    groups: groups.map((group) =>
      group.map((each) => {
        const name = nameInFile(each, held);
        return { name, recipient: services.get(name) ?? recipientOf(name, pgpKeys) };
      }),
    ),
    threshold: groups.length > 1 ? threshold : 1,
  };
}

/** A rule may leave the version of an Azure key away; the file says which one it was. */
function nameInFile(name: string, held: readonly string[]): string {
  if (!name.startsWith('azure_kv ') || held.includes(name)) return name;
  return held.find((each) => each.startsWith(`${name}/`)) ?? name;
}

function recipientOf(name: string, pgpKeys: readonly PgpKeyBlock[]): Recipient | undefined {
  if (!name.includes(' ') || name.startsWith('ssh-')) return { kind: 'age', recipient: name };
  if (!name.startsWith('pgp ')) return undefined;
  const fingerprint = bareFingerprint(name.slice('pgp '.length));
  const key = pgpKeys.find(({ fingerprints }) => namesKey(fingerprint, fingerprints));
  return key === undefined ? undefined : { kind: 'pgp', fingerprint, key };
}
