import { generateIdentity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, it } from 'vitest';
import { type KeySecret, wipeEntries } from '../../src/keys/key-secret.ts';
import { parseKeySecret } from '../../src/keys/parse-keys.ts';
import { hasSealingKey, keyRing, type KeyRing, ringFor } from '../../src/keys/ring.ts';
import type { KeyRules } from '../../src/keys/select.ts';
import { type MadeSealingCertificate, makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { VECTOR_CERTIFICATE, VECTOR_KEY_PEM, vectorKey } from '../sealed/material.ts';
import { keySecret } from './key-secrets.ts';

const now = new Date();
const DAY_MS = 24 * 60 * 60 * 1000;
const STOCK = { 'sealedsecrets.bitnami.com/sealed-secrets-key': 'active' };
const TLS = 'kubernetes.io/tls';
const MADE = { 'sotto.dev/origin': 'sotto' };
const NONE: KeyRules = { decryption: { secretNames: [] }, sealing: { secretNames: [] }, syncs: [] };

const old = vectorKey();
const oldPair = { 'tls.key': VECTOR_KEY_PEM, 'tls.crt': VECTOR_CERTIFICATE };
let younger: MadeSealingCertificate;
let identities: string[];
let recipients: string[];
beforeAll(async () => {
  younger = await makeSealingCertificate({ now, modulusBits: 2048 });
  identities = await Promise.all([generateIdentity(), generateIdentity(), generateIdentity()]);
  recipients = await Promise.all(identities.map((identity) => identityToRecipient(identity)));
});

function youngerPair(): Record<string, string> {
  return { 'tls.key': Buffer.from(younger.keyPem.reveal()).toString(), 'tls.crt': younger.certificatePem };
}

function agePair(index: number): Record<string, string> {
  return { 'age.agekey': `# made for a test\n${identities[index] ?? ''}\n` };
}

function rules(names: readonly string[], more: Partial<KeyRules> = {}): KeyRules {
  return { ...NONE, decryption: { secretNames: names }, ...more };
}

function ringOf(secrets: readonly KeySecret[], keyRules: KeyRules, at = now): KeyRing {
  return keyRing(secrets.map(parseKeySecret), keyRules, at);
}

function agesOf(ring: { readonly ageIdentities: KeyRing['ageIdentities'] }): string[] {
  return ring.ageIdentities.map(({ recipient }) => recipient);
}

function lacks(secrets: readonly KeySecret[], keyRules: KeyRules = NONE): boolean {
  return !hasSealingKey(secrets.map(parseKeySecret), keyRules);
}

describe('keyRing', () => {
  it('takes keys from named, labelled and stock Secrets, and of no other', () => {
    const secrets = [
      keySecret('sops-age', agePair(0)),
      keySecret('mine', agePair(1), { labels: { 'sotto.dev/use': 'keys' } }),
      keySecret('sealed-secrets-key1', oldPair, { labels: STOCK, type: TLS }),
      keySecret('stranger', agePair(2)),
    ];
    const ring = ringOf(secrets, rules(['sops-age']));
    expect(agesOf(ring)).toEqual([recipients[0], recipients[1]]);
    expect(ring.sealingKeys.map(({ fingerprint }) => fingerprint)).toEqual([old.fingerprint]);
    expect(ring.problems).toEqual([]);
  });

  it('keeps working after the entries were wiped', () => {
    const secret = keySecret('sealed-secrets-key1', oldPair, { labels: STOCK, type: TLS });
    const parsed = parseKeySecret(secret);
    wipeEntries(secret);
    expect(keyRing([parsed], NONE, now).sealingKeys[0]?.privateKey.asymmetricKeyType).toBe('rsa');
  });

  it('holds each key once and sealing keys newest first', () => {
    const secrets = [
      keySecret('a', agePair(0)),
      keySecret('b', agePair(0)),
      keySecret('k1', oldPair, { labels: STOCK, type: TLS }),
      keySecret('k2', youngerPair(), { labels: STOCK, type: TLS }),
      keySecret('k3', oldPair, { labels: STOCK, type: TLS }),
    ];
    const ring = ringOf(secrets, rules(['a', 'b']));
    expect(agesOf(ring)).toEqual([recipients[0]]);
    expect(ring.sealingKeys.map(({ notBefore }) => notBefore.getTime())).toHaveLength(2);
    expect(ring.sealingKeys[1]?.fingerprint).toBe(old.fingerprint);
    expect(ring.report).toHaveLength(5);
  });

  it('seals with the newest key that sotto made or the settings name, never with a foreign one', () => {
    const foreign = keySecret('k1', oldPair, { labels: STOCK, type: TLS });
    const made = keySecret('k2', youngerPair(), { labels: STOCK, type: TLS, annotations: MADE });
    expect(ringOf([foreign], NONE).sealingCertificate).toBeUndefined();
    const both = ringOf([foreign, made], rules([], { sealing: { secretNames: ['k1'] } }));
    expect(both.sealingCertificate?.fingerprint).toBe(both.sealingKeys[0]?.fingerprint);
    expect(both.report.map(({ id, state, origin }) => [id === old.fingerprint, state, origin])).toEqual([
      [true, 'decrypt-only', 'foreign'],
      [false, 'active', 'sotto'],
    ]);
    const named = ringOf([foreign], rules([], { sealing: { secretNames: ['k1'] } }));
    expect(named.sealingCertificate?.fingerprint).toBe(old.fingerprint);
  });

  it('passes over certificates that are not in force, and says so when none is', () => {
    const made = keySecret('k2', youngerPair(), { labels: STOCK, type: TLS, annotations: MADE });
    const before = ringOf([made], NONE, new Date(now.getTime() - DAY_MS));
    expect(before.sealingCertificate).toBeUndefined();
    expect(before.problems.map(({ code, place }) => [code, place.object])).toEqual([['SOTTO-SEAL-013', 'Secret/k2']]);
    expect(before.sealingKeys).toHaveLength(1);
  });

  it('passes over a certificate from the future for the one that is in force', () => {
    const other = { labels: STOCK, type: TLS };
    const both = [keySecret('k2', youngerPair(), { ...other, annotations: MADE }), keySecret('k1', oldPair, other)];
    const before = new Date(now.getTime() - DAY_MS);
    const named = rules([], { sealing: { secretNames: ['k1'], certificate: undefined } });
    expect(ringOf(both, named, before).sealingCertificate?.fingerprint).toBe(old.fingerprint);
    expect(ringOf(both, named, now).sealingCertificate?.fingerprint).not.toBe(old.fingerprint);
  });

  it('says when the certificate in use is not the pinned one', () => {
    const made = keySecret('k2', youngerPair(), { labels: STOCK, type: TLS, annotations: MADE });
    const fingerprint = ringOf([made], NONE).sealingCertificate?.fingerprint;
    const pinned = (certificate: string | undefined): KeyRing =>
      ringOf([made], rules([], { sealing: { secretNames: [], certificate } }));
    expect(pinned(fingerprint).problems).toEqual([]);
    expect(pinned(undefined).problems).toEqual([]);
    const other = pinned(old.fingerprint);
    expect(other.problems.map(({ code }) => code)).toEqual(['SOTTO-SEAL-021']);
    expect(other.sealingCertificate?.fingerprint).toBe(fingerprint);
  });

  it('lacks a sealing key only while sotto has made none and the settings name none', () => {
    const stock = { labels: STOCK, type: TLS };
    expect(lacks([])).toBe(true);
    expect(lacks([keySecret('k1', oldPair, stock)])).toBe(true);
    expect(lacks([keySecret('k2', youngerPair(), { ...stock, annotations: MADE })])).toBe(false);
    // Broken, from the future, expired: a person has to look, and a second key would hide it.
    expect(lacks([keySecret('k2', { 'tls.key': 'x', 'tls.crt': 'x' }, { ...stock, annotations: MADE })])).toBe(false);
    expect(lacks([], rules([], { sealing: { secretNames: ['to-be-restored'] } }))).toBe(false);
    expect(lacks([keySecret('a', agePair(0), { annotations: MADE })])).toBe(true);
  });

  it('reports a bad key Secret or entry by name and uses all others', () => {
    const secrets = [
      keySecret('good', { ...agePair(0), 'pgp.asc': 'x', 'sops.azure-kv': 'x', 'sops.aws-kms': 'x', age: 'x' }),
      keySecret('broken', { 'age.agekey': 'AGE-SECRET-KEY-1NOTAKEY' }),
      keySecret('empty', {}),
      keySecret('k1', { 'tls.key': 'hunter2', 'tls.crt': VECTOR_CERTIFICATE }, { labels: STOCK, type: TLS }),
      keySecret('k2', oldPair, { labels: STOCK }),
      keySecret('k3', { 'tls.key': VECTOR_KEY_PEM }, { labels: STOCK, type: TLS }),
    ];
    const ring = ringOf(secrets, rules(['good', 'broken', 'empty', 'missing']));
    expect(agesOf(ring)).toEqual([recipients[0]]);
    expect(ring.problems.map(({ code, place }) => [code, place.object, place.key])).toEqual([
      ['SOTTO-KEYS-004', 'Secret/good', 'age'],
      ['SOTTO-KEYS-043', 'Secret/good', 'pgp.asc'],
      ['SOTTO-KEYS-051', 'Secret/good', 'sops.aws-kms'],
      ['SOTTO-KEYS-051', 'Secret/good', 'sops.azure-kv'],
      ['SOTTO-AGE-002', 'Secret/broken', 'age.agekey'],
      ['SOTTO-KEYS-002', 'Secret/empty', undefined],
      ['SOTTO-SEAL-014', 'Secret/k1', 'tls.key'],
      ['SOTTO-KEYS-005', 'Secret/k2', 'tls.key'],
      ['SOTTO-KEYS-005', 'Secret/k3', 'tls.key'],
      ['SOTTO-KEYS-001', 'Secret/missing', undefined],
    ]);
    for (const problem of ring.problems) expect(problem.text()).not.toMatch(/hunter2|NOTAKEY/);
  });

  it('uses the identities it can read beside ones of another kind', () => {
    const secret = keySecret('a', { 'age.agekey': `AGE-PLUGIN-YUBIKEY-1ABC\n${identities[0] ?? ''}\n` });
    const ring = ringOf([secret], rules(['a']));
    expect(agesOf(ring)).toEqual([recipients[0]]);
    expect(ring.problems).toHaveLength(1);
    expect(ring.problems[0]?.place).toMatchObject({ object: 'Secret/a', key: 'age.agekey' });
  });
});

describe('ringFor', () => {
  it('replaces named and labelled keys by those the sync names, and keeps sealing keys', () => {
    const secrets = [
      keySecret('common', agePair(0)),
      keySecret('labelled', agePair(1), { labels: { 'sotto.dev/use': 'keys' } }),
      keySecret('own', agePair(2)),
      keySecret('k1', oldPair, { labels: STOCK, type: TLS }),
    ].map(parseKeySecret);
    const own = { secretNames: ['own'] };
    const keyRules = rules(['common'], { syncs: [{ decryption: own }, { decryption: { secretNames: ['common'] } }] });
    expect(agesOf(ringFor(secrets, keyRules, own))).toEqual([recipients[2]]);
    expect(ringFor(secrets, keyRules, own).sealingKeys).toHaveLength(1);
    expect(agesOf(ringFor(secrets, keyRules, { secretNames: ['common'] }))).toEqual([recipients[0], recipients[1]]);
    expect(agesOf(keyRing(secrets, keyRules, now))).toEqual([recipients[0], recipients[1]]);
  });
});

describe('the state of a key', () => {
  const until = '2027-01-31T00:00:00Z';
  const labels = { 'sotto.dev/use': 'keys' };
  const keyIn = (annotations: Record<string, string>, at = now): KeyRing =>
    ringOf([keySecret('a', agePair(0), { labels, annotations })], NONE, at);

  it('is active unless its Secret says a word that is known', () => {
    for (const annotations of [{}, { 'sotto.dev/state': 'gone' }, { 'sotto.dev/until': until }]) {
      const ring = keyIn(annotations);
      expect(agesOf(ring)).toEqual([recipients[0]]);
      expect(ring.report).toMatchObject([{ state: 'active', until: undefined }]);
      expect(ring.problems).toEqual([]);
    }
  });

  it('opens while it is decrypt-only, and after its end too, with a word about it', () => {
    const marks = { 'sotto.dev/state': 'decrypt-only', 'sotto.dev/until': until };
    const before = keyIn(marks, new Date('2027-01-30T00:00:00Z'));
    const after = keyIn(marks, new Date('2027-02-01T00:00:00Z'));
    for (const ring of [before, after]) {
      expect(agesOf(ring)).toEqual([recipients[0]]);
      expect(ring.report).toMatchObject([{ state: 'decrypt-only', until: new Date(until) }]);
    }
    expect(before.problems).toEqual([]);
    expect(after.problems.map(({ code, place }) => [code, place.object])).toEqual([['SOTTO-KEYS-060', 'Secret/a']]);
  });

  it('opens nothing when it is retired, and is reported all the same', () => {
    const ring = keyIn({ 'sotto.dev/state': 'retired' });
    expect(agesOf(ring)).toEqual([]);
    expect(ring.report).toMatchObject([{ id: recipients[0], state: 'retired' }]);
  });

  it('of a sealing key that sotto made: it seals no more, another one is wanted, and it unseals until it is retired', () => {
    expect(lacks(sealing('active'))).toBe(false);
    expect(ringOf(sealing('active'), NONE).sealingCertificate).toBeDefined();
    for (const [state, opening] of [
      ['decrypt-only', 1],
      ['retired', 0],
    ] as const) {
      const ring = ringOf(sealing(state), NONE);
      expect(lacks(sealing(state))).toBe(true);
      expect(ring.sealingCertificate).toBeUndefined();
      expect(ring.sealingKeys).toHaveLength(opening);
      expect(ring.report).toMatchObject([{ kind: 'sealing', state }]);
    }
  });
});

function sealing(state: string): KeySecret[] {
  return [
    keySecret('s', youngerPair(), { labels: STOCK, type: TLS, annotations: { ...MADE, 'sotto.dev/state': state } }),
  ];
}
