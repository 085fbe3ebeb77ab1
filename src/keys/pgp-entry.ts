import { SottoError } from '../core/errors.ts';
import type { PgpIdentity } from '../sops/identity.ts';
import { pgpIdentity } from '../sops/pgp.ts';
import { parsePgpKeys, type PgpKeyBlock, type PgpKeyProblem } from '../sops/pgp-key.ts';

/**
 * The private keys of an entry `*.asc`, as Flux reads it. Each key is used or told to `onOther`; throws SottoError when
 * the entry as a whole is no OpenPGP key.
 */
export function pgpIdentitiesOf(bytes: Uint8Array, onOther: (error: SottoError) => void): PgpIdentity[] {
  const keys = parsePgpKeys(bytes);
  if (typeof keys === 'string') throw unusablePgpKey(PGP_KEY_PROBLEMS[keys]);
  return keys.flatMap((key) => {
    const problem = problemOf(key);
    if (problem === undefined) return pgpIdentity(key);
    key.bytes.wipe();
    onOther(problem);
    return [];
  });
}

function problemOf(key: PgpKeyBlock): SottoError | undefined {
  if (!key.isSecret) return unusablePgpKey(`of key ${key.fingerprint} only the public part is there`);
  if (!key.isLocked) return undefined;
  return new SottoError({
    code: 'SOTTO-KEYS-042',
    what: 'a key in a Secret is protected by a passphrase',
    why: `the agent cannot ask anybody for that of OpenPGP key ${key.fingerprint}`,
    next: 'put it in without one: gpg --edit-key FINGERPRINT passwd, then gpg --armor --export-secret-keys FINGERPRINT',
  });
}

export const PGP_KEY_PROBLEMS: Readonly<Record<PgpKeyProblem, string>> = {
  damaged: 'it is not the armored text that gpg writes',
  'no-key': 'it holds no key',
  'too-large': 'it is larger than 1 MiB',
  'other-version': 'it is not an OpenPGP key of version 4',
};

export function unusablePgpKey(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-043',
    what: 'an OpenPGP key cannot be used',
    why,
    next: 'export it again: gpg --armor --export-secret-keys FINGERPRINT',
  });
}
