import { parseAgeIdentities } from '../sops/age.ts';
import { openPassphraseFile, parsePassphraseFile } from '../sops/age-scrypt.ts';
import type { LockedIdentity, OpenIdentity } from '../sops/identity.ts';
import { parsePgpMessage, pgpIdentity, unlockPgpKey } from '../sops/pgp.ts';
import { keyIdOf, type PgpKeyBlock } from '../sops/pgp-key.ts';
import type { Surroundings } from './context.ts';
import { openByPassphrase } from './passphrase.ts';

/**
 * A file of `age -p` with identities in it; undefined for any other file. Which recipients it is for only its content
 * tells, so it may open every age entry. `bytes` may be wiped afterwards.
 */
export function lockedAgeFile(around: Surroundings, name: string, bytes: Uint8Array): LockedIdentity | undefined {
  const sealed = parsePassphraseFile(Uint8Array.from(bytes));
  if (sealed === undefined) return undefined;
  return {
    kind: 'locked',
    recipient: `${name} (behind a passphrase)`,
    mayOpen: ({ kind }) => kind === 'age',
    unlock: once(async () => {
      const opened = await openByPassphrase(around, name, (passphrase) => openPassphraseFile(sealed, passphrase));
      try {
        return parseAgeIdentities(opened, { file: name });
      } finally {
        opened.fill(0);
      }
    }),
  };
}

export function lockedPgpKey(around: Surroundings, name: string, key: PgpKeyBlock): LockedIdentity {
  const ids = key.fingerprints.map(keyIdOf);
  return {
    kind: 'locked',
    recipient: `OpenPGP key ${key.fingerprint} (behind a passphrase)`,
    mayOpen: (entry) =>
      entry.kind === 'pgp' && (parsePgpMessage(entry.enc)?.keyIds.some((id) => ids.includes(id)) ?? false),
    unlock: once(async () => {
      const subject = `OpenPGP key ${key.fingerprint} (${name})`;
      return [pgpIdentity(await openByPassphrase(around, subject, (passphrase) => unlockPgpKey(key, passphrase)))];
    }),
  };
}

/** A person is asked once, however many files and groups there are. */
export function once(unlock: () => Promise<readonly OpenIdentity[]>): () => Promise<readonly OpenIdentity[]> {
  let unlocked: Promise<readonly OpenIdentity[]> | undefined;
  return () => (unlocked ??= unlock());
}
