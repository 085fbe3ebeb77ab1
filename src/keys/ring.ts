import { asSottoError, SottoError } from '../core/errors.ts';
import { pinProblem, type SealingCertificate, sealingCertificate } from '../sealed/certificate.ts';
import type { SealingKey } from '../sealed/sealing-key.ts';
import type { ServiceCredential } from '../services/credential.ts';
import type { AgeIdentity } from '../sops/age.ts';
import type { PgpIdentity } from '../sops/identity.ts';
import { markOf } from './key-secret.ts';
import { keyLife, type KeyState, pastItsEnd } from './key-state.ts';
import { ORIGIN_ANNOTATION, ORIGIN_SOTTO } from './marks.ts';
import { objectOf, type ParsedKeySecret } from './parse-keys.ts';
import { type KeyRules, keyRoles, type NamedSecrets, namedKeySecrets } from './select.ts';

/** What files and SealedSecrets are opened with. */
export interface OpeningKeys {
  /** Each recipient once. */
  readonly ageIdentities: readonly AgeIdentity[];
  /** Each fingerprint once. */
  readonly pgpIdentities: readonly PgpIdentity[];
  /** Each fingerprint once, newest first: what was sealed last is opened most. */
  readonly sealingKeys: readonly SealingKey[];
  /** What the key services are shown that settings allow. */
  readonly credentials: readonly ServiceCredential[];
}

/** All keys of the agent and what is to be said about them. */
export interface KeyRing extends OpeningKeys {
  /** The certificate people seal to; undefined when no key at hand may seal now. */
  readonly sealingCertificate: SealingCertificate | undefined;
  readonly report: readonly KeyReport[];
  /** One per Secret or entry that cannot be used; all others are used. */
  readonly problems: readonly SottoError[];
}

/** One key, for the status document. Nothing here is secret. */
export type KeyReport =
  | {
      readonly kind: 'age' | 'pgp';
      /** The recipient, or the fingerprint. */
      readonly id: string;
      readonly state: KeyState;
      readonly since: Date | undefined;
      readonly until: Date | undefined;
      readonly secret: string;
      readonly origin: KeyOrigin;
    }
  | {
      readonly kind: 'sealing';
      /** The certificate's SHA-256 fingerprint. */
      readonly id: string;
      /** `active` seals and opens. */
      readonly state: KeyState;
      readonly since: Date;
      readonly until: Date | undefined;
      readonly secret: string;
      readonly origin: KeyOrigin;
    };

export type KeyOrigin = 'sotto' | 'foreign';

/** The agent's ring out of the key Secrets that were read. `now` decides which certificates are in force. */
export function keyRing(secrets: readonly ParsedKeySecret[], rules: KeyRules, now: Date): KeyRing {
  const { certificate, problem } = chooseCertificate(secrets, rules, now);
  const unpinned = certificate && pinProblem(certificate, rules.sealing.certificate);
  return {
    ...ringFor(secrets, rules, rules.decryption),
    sealingCertificate: certificate,
    report: secrets.flatMap((secret) => reportOf(secret, certificate)),
    problems: [
      ...secrets.flatMap((secret) => secret.problems),
      ...secrets.flatMap(({ mark }) => pastItsEnd(mark, now) ?? []),
      ...missingSecrets(secrets, rules),
      ...[problem, unpinned].filter((each) => each !== undefined),
    ],
  };
}

/**
 * The keys of one sync. Its own `decryption.keys` replace what is named or labelled for all: a SOPS file is bound to
 * no place, so another team's key must not open a copy of its file. Sealing keys stay, because SealedSecrets bind
 * their items to namespace and name.
 */
export function ringFor(secrets: readonly ParsedKeySecret[], rules: KeyRules, decryption: NamedSecrets): OpeningKeys {
  const isCommon = sameNames(decryption, rules.decryption);
  const ageIdentities = new Map<string, AgeIdentity>();
  const pgpIdentities = new Map<string, PgpIdentity>();
  const sealingKeys = new Map<string, SealingKey>();
  const credentials: ServiceCredential[] = [];
  for (const { mark, ...keys } of secrets) {
    if (keyLife(mark).state === 'retired') continue;
    const roles = keyRoles(mark, rules);
    const decrypts = isCommon ? roles.namedForAll || roles.labelled : decryption.secretNames.includes(mark.name);
    for (const identity of decrypts ? keys.ageIdentities : []) ageIdentities.set(identity.recipient, identity);
    for (const identity of decrypts ? keys.pgpIdentities : []) pgpIdentities.set(identity.recipient, identity);
    if (decrypts) credentials.push(...keys.credentials);
    const unseals = decrypts || roles.stockSealing || roles.namedToSeal;
    if (unseals && keys.sealingKey !== undefined) sealingKeys.set(keys.sealingKey.fingerprint, keys.sealingKey);
  }
  return {
    ageIdentities: [...ageIdentities.values()],
    pgpIdentities: [...pgpIdentities.values()],
    sealingKeys: newestFirst([...sealingKeys.values()]),
    credentials,
  };
}

function sameNames(a: NamedSecrets, b: NamedSecrets): boolean {
  return a.secretNames.length === b.secretNames.length && a.secretNames.every((name) => b.secretNames.includes(name));
}

function newestFirst(keys: readonly SealingKey[]): readonly SealingKey[] {
  return keys.toSorted((a, b) => b.notBefore.getTime() - a.notBefore.getTime());
}

interface Choice {
  readonly certificate: SealingCertificate | undefined;
  /** Why the newest key that may seal does not, when none does. */
  readonly problem: SottoError | undefined;
}

/** The newest certificate in force among the keys that sotto made or the settings name; ties keep the first. */
function chooseCertificate(secrets: readonly ParsedKeySecret[], rules: KeyRules, now: Date): Choice {
  const candidates = secrets.filter(
    ({ mark }) =>
      keyLife(mark).state === 'active' && (originOf(mark.annotations) === 'sotto' || keyRoles(mark, rules).namedToSeal),
  );
  let problem: SottoError | undefined;
  for (const key of newestFirst(candidates.flatMap(({ sealingKey }) => sealingKey ?? []))) {
    try {
      return { certificate: sealingCertificate(key.certificatePem, now), problem: undefined };
    } catch (thrown) {
      const holder = candidates.find(({ sealingKey }) => sealingKey === key);
      problem ??= asSottoError(thrown).at({ object: holder && objectOf(holder.mark) });
    }
  }
  return { certificate: undefined, problem };
}

/** True when sotto made a sealing key, or the settings name one: then there is no need for another. */
export function hasSealingKey(secrets: readonly ParsedKeySecret[], rules: KeyRules): boolean {
  if (rules.sealing.secretNames.length > 0) return true;
  return secrets.some(
    ({ mark, sealingKey }) =>
      originOf(mark.annotations) === 'sotto' &&
      keyLife(mark).state === 'active' &&
      (sealingKey !== undefined || keyRoles(mark, rules).stockSealing),
  );
}

function originOf(annotations: Readonly<Record<string, string>>): KeyOrigin {
  return markOf(annotations, ORIGIN_ANNOTATION) === ORIGIN_SOTTO ? 'sotto' : 'foreign';
}

function reportOf(parsed: ParsedKeySecret, certificate: SealingCertificate | undefined): KeyReport[] {
  const secret = parsed.mark.name;
  const origin = originOf(parsed.mark.annotations);
  const life = keyLife(parsed.mark);
  const report: KeyReport[] = [...parsed.ageIdentities, ...parsed.pgpIdentities].map(({ kind, recipient }) => ({
    kind,
    id: recipient,
    state: life.state,
    since: life.since,
    until: life.until,
    secret,
    origin,
  }));
  if (parsed.sealingKey === undefined) return report;
  const { fingerprint, notBefore } = parsed.sealingKey;
  const isSealing = fingerprint === certificate?.fingerprint;
  const state = isSealing ? 'active' : life.state === 'retired' ? 'retired' : 'decrypt-only';
  const { until } = life;
  return [...report, { kind: 'sealing', id: fingerprint, state, since: notBefore, until, secret, origin }];
}

function missingSecrets(secrets: readonly ParsedKeySecret[], rules: KeyRules): SottoError[] {
  const present = new Set(secrets.map(({ mark }) => mark.name));
  return namedKeySecrets(rules)
    .filter((name) => !present.has(name))
    .map(
      (name) =>
        new SottoError({
          code: 'SOTTO-KEYS-001',
          what: 'a key Secret named in the settings does not exist',
          why: 'decryption.keys or sealing.keys names it, but it is not in the agent’s namespace',
          next: `create it: kubectl create secret generic ${name} --from-file=age.agekey=KEYFILE, or take it out of the settings`,
          object: `Secret/${name}`,
        }),
    );
}
