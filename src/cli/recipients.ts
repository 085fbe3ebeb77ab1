import { resolve } from 'node:path';
import { SottoError } from '../core/errors.ts';
import { PGP_KEY_PROBLEMS, unusablePgpKey } from '../keys/pgp-entry.ts';
import type { KeyServices } from '../services/key-services.ts';
import type { RuleKey } from '../sops/creation-rule.ts';
import { bareFingerprint, isPgpFingerprint, namesKey } from '../sops/pgp.ts';
import { parsePgpKeys, type PgpKeyBlock } from '../sops/pgp-key.ts';
import type { ServiceKey } from '../sops/service-key.ts';
import type { KeyGroups, Recipient } from '../sops/wrap.ts';
import type { Surroundings } from './context.ts';
import { readFileBytes } from './files.ts';
import { servicesAtHand } from './key-services.ts';

export interface RecipientFlags {
  readonly age?: readonly string[];
  readonly pgp?: readonly string[];
  readonly pgpKey?: readonly string[];
  readonly keyService?: readonly string[];
}

/** The keys that flags name, else the variables of sops; they replace those of the rule, as in sops. */
export function namedKeys({ age, pgp }: RecipientFlags, env: Surroundings['env']): RuleKey[] {
  const isNamed = age !== undefined || pgp !== undefined;
  const recipients = age ?? (isNamed ? [] : [env['SOPS_AGE_RECIPIENTS'] ?? '']);
  const fingerprints = pgp ?? (isNamed ? [] : [env['SOPS_PGP_FP'] ?? '']);
  return [
    ...listed(recipients).map((recipient) => ({ kind: 'age' as const, recipient })),
    ...listed(fingerprints).map((fingerprint) => pgpKey(fingerprint)),
  ];
}

function listed(lists: readonly string[]): string[] {
  return lists.flatMap((list) => list.split(',')).flatMap((item) => item.trim() || []);
}

function pgpKey(fingerprint: string): RuleKey {
  if (isPgpFingerprint(fingerprint)) return { kind: 'pgp', fingerprint: fingerprint.replaceAll(' ', '') };
  throw new SottoError({
    code: 'SOTTO-CLI-001',
    what: '--pgp takes the fingerprint of an OpenPGP key',
    why: `${fingerprint} is not 40 hexadecimal digits`,
    next: 'gpg --list-keys --fingerprint',
  });
}

export interface NamedGroups {
  readonly groups: readonly (readonly RuleKey[])[];
  readonly threshold: number;
}

/**
 * Puts the public keys of files to the fingerprints, and whom to ask to the keys of services. No keyring is read.
 * Throws SottoError when a public key is missing.
 */
export async function recipientsOf(
  around: Surroundings,
  { groups, threshold }: NamedGroups,
  flags: Pick<RecipientFlags, 'pgpKey' | 'keyService'>,
  file: string,
): Promise<KeyGroups> {
  const keys: PgpKeyBlock[] = [];
  for (const name of flags.pgpKey ?? []) keys.push(...(await publicKeys(around, name)));
  const services = servicesAtHand(around, flags.keyService);
  const recipientOf = async (key: RuleKey): Promise<Recipient> => {
    if (key.kind === 'age') return key;
    if (key.kind !== 'pgp') return serviceRecipient(await services.newest(key), services);
    const found = keys.find(({ fingerprints }) => namesKey(key.fingerprint, fingerprints));
    if (found === undefined) throw noPublicKey(key.fingerprint, file);
    // The file names the whole fingerprint, whatever the rule does: stock sops looks for it in a keyring.
    const isExact = key.fingerprint.endsWith('!');
    const fingerprint = found.fingerprints.find((each) => each.endsWith(bareFingerprint(key.fingerprint)));
    return { kind: 'pgp', fingerprint: `${fingerprint ?? found.fingerprint}${isExact ? '!' : ''}`, key: found };
  };
  return { groups: await Promise.all(groups.map((group) => Promise.all(group.map(recipientOf)))), threshold };
}

function serviceRecipient(key: ServiceKey, services: KeyServices): Recipient {
  return { kind: 'service', key, wrap: (secret) => services.wrap(key, secret) };
}

export async function publicKeys(around: Surroundings, name: string): Promise<PgpKeyBlock[]> {
  const bytes = await readFileBytes(resolve(around.cwd, name), name);
  const keys = parsePgpKeys(bytes);
  if (typeof keys === 'string') throw unusablePgpKey(PGP_KEY_PROBLEMS[keys]).at({ file: name });
  return keys;
}

function noPublicKey(fingerprint: string, file: string): SottoError {
  const bare = bareFingerprint(fingerprint);
  return new SottoError({
    code: 'SOTTO-SOPS-062',
    what: 'the public part of an OpenPGP key is needed',
    why: `the file is to be encrypted for ${bare}, and no --pgp-key holds it; keyrings are not read`,
    next: `gpg --armor --export ${bare} > ${bare}.asc   (then the same command with --pgp-key ${bare}.asc)`,
    file,
  });
}
