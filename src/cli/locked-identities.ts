import type { Stanza } from 'age-encryption';
import { parseAgeIdentities } from '../sops/age.ts';
import { parseAgeFile } from '../sops/age-file.ts';
import { openPassphraseFile, parsePassphraseFile } from '../sops/age-scrypt.ts';
import { unpaddedBase64 } from '../sops/age-stanza.ts';
import type { LockedIdentity, OpenIdentity } from '../sops/identity.ts';
import type { KeyEntry } from '../sops/key-entry.ts';
import { parsePgpMessage, pgpIdentity, unlockPgpKey } from '../sops/pgp.ts';
import { keyIdOf, type PgpKeyBlock } from '../sops/pgp-key.ts';
import { parseLockedSshKey } from '../sops/ssh-locked.ts';
import { sshTag } from '../sops/ssh-wire.ts';
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

/** An SSH key behind a passphrase; undefined for any other file. `bytes` may be wiped afterwards. */
export function lockedSshKey(around: Surroundings, name: string, bytes: Uint8Array): LockedIdentity | undefined {
  const key = parseLockedSshKey(bytes);
  if (key === undefined) return undefined;
  const tag = key.wire && unpaddedBase64(sshTag(key.wire));
  return {
    kind: 'locked',
    recipient: `${key.recipient ?? name} (behind a passphrase)`,
    mayOpen: (entry) =>
      sshStanzas(entry).some(({ args }) => (tag === undefined ? args[0] === 'ssh-rsa' : args[1] === tag)),
    unlock: once(async () => [await openByPassphrase(around, name, (passphrase) => key.unlock(passphrase))]),
  };
}

/** Those of an entry that SSH keys open. */
export function sshStanzas(entry: KeyEntry): readonly Stanza[] {
  const stanzas = entry.kind === 'age' ? parseAgeFile(entry.enc)?.stanzas : undefined;
  return (stanzas ?? []).filter(({ args }) => args[0] === 'ssh-ed25519' || args[0] === 'ssh-rsa');
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
