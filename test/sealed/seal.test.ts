import { generateKeyPairSync } from 'node:crypto';
import { load } from 'js-yaml';
import { beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/core/limits.ts';
import { ownedBytes, Sensitive } from '../../src/core/sensitive.ts';
import { sealingCertificate } from '../../src/sealed/certificate.ts';
import { type MadeSealingCertificate, makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { checkBinding, sealSecret } from '../../src/sealed/seal.ts';
import { parseSealingKey, parseUnsealKey } from '../../src/sealed/sealing-key.ts';
import { unsealAll } from '../../src/sealed/unseal.ts';
import { writeSealedSecret } from '../../src/sealed/write.ts';
import { bytesOf, errorOf, parse, plainSecret, VECTOR_CERTIFICATE, VECTOR_KEY_PEM, vectorKey } from './material.ts';

const key = vectorKey();
const now = new Date();
const certificate = sealingCertificate(VECTOR_CERTIFICATE, now);
const DAY_MS = 24 * 60 * 60 * 1000;
const NAMESPACE_WIDE = 'sealedsecrets.bitnami.com/namespace-wide';
const CLUSTER_WIDE = 'sealedsecrets.bitnami.com/cluster-wide';

describe('sealSecret', () => {
  it('writes the manifest kubeseal would write', () => {
    const secret = {
      ...plainSecret({ password: 'x' }, { labels: { app: 'db' }, annotations: { note: 'n' }, finalizers: ['a/b'] }),
      type: 'Opaque',
      immutable: true,
    };
    expect(sealSecret(secret, certificate)).toEqual({
      apiVersion: 'bitnami.com/v1alpha1',
      kind: 'SealedSecret',
      metadata: { name: 'db', namespace: 'team' },
      spec: {
        encryptedData: { password: expect.stringMatching(/^AQ[A-D][A-Za-z0-9+/]+=*$/) },
        template: {
          type: 'Opaque',
          immutable: true,
          metadata: {
            name: 'db',
            namespace: 'team',
            labels: { app: 'db' },
            annotations: { note: 'n' },
            finalizers: ['a/b'],
          },
        },
      },
    });
  });

  it.each(['strict', 'namespace-wide', 'cluster-wide'] as const)('round-trips through %s scope', async (scope) => {
    const sealed = parse(sealSecret(plainSecret({ a: 'one', empty: '' }), certificate, { scope }));
    expect(sealed.scope).toBe(scope);
    const opened = await unsealAll(sealed, [key]);
    const texts = [...opened].map(([name, { value }]) => [name, new TextDecoder().decode(value.reveal())]);
    expect(texts).toEqual([
      ['a', 'one'],
      ['empty', ''],
    ]);
  });

  it('never gives the same ciphertext twice', () => {
    const texts = [1, 2].map(() => JSON.stringify(sealSecret(plainSecret({ a: 'one' }), certificate)));
    expect(texts[0]).not.toBe(texts[1]);
  });

  it('puts the scope outside and into the template, and an explicit scope over the annotations', () => {
    const annotated = plainSecret({ a: 'x' }, { annotations: { [NAMESPACE_WIDE]: 'true', note: 'n' } });
    expect(sealSecret(annotated, certificate)).toMatchObject({
      metadata: { annotations: { [NAMESPACE_WIDE]: 'true' } },
      spec: { template: { metadata: { annotations: { [NAMESPACE_WIDE]: 'true', note: 'n' } } } },
    });
    const cluster = sealSecret(annotated, certificate, { scope: 'cluster-wide' });
    expect(cluster['metadata']).toHaveProperty('annotations', { [CLUSTER_WIDE]: 'true' });
    const strict = sealSecret(annotated, certificate, { scope: 'strict' });
    expect(strict['metadata']).not.toHaveProperty('annotations');
    expect(strict).toMatchObject({ spec: { template: { metadata: { annotations: { note: 'n' } } } } });
  });

  it('leaves the annotations behind that hold the Secret in clear', () => {
    const annotations = {
      'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"a":"aHVudGVyMg=="}}',
      'kubecfg.ksonnet.io/last-applied-configuration': '{"data":{"a":"aHVudGVyMg=="}}',
    };
    expect(JSON.stringify(sealSecret(plainSecret({ a: 'hunter2' }, { annotations }), certificate))).not.toMatch(
      /aHVudGVy|hunter2/,
    );
  });

  it('fills in the namespace given, keeps a cluster-wide one without, and refuses a different one', async () => {
    const homeless = plainSecret({ a: 'x' }, { namespace: undefined });
    expect(sealSecret(homeless, certificate, { namespace: 'team' })).toMatchObject({ metadata: { namespace: 'team' } });
    const cluster = sealSecret(homeless, certificate, { scope: 'cluster-wide', namespace: 'team' });
    expect(cluster['metadata']).not.toHaveProperty('namespace');
    expect((await errorOf(() => sealSecret(homeless, certificate))).code).toBe('SOTTO-SEAL-018');
    const elsewhere = () => sealSecret(plainSecret({ a: 'x' }), certificate, { namespace: 'prod' });
    expect((await errorOf(elsewhere)).code).toBe('SOTTO-SEAL-019');
  });

  it.each([
    ['no entries', plainSecret({}), 'SOTTO-SEAL-016'],
    ['no name', plainSecret({ a: 'x' }, { name: '' }), 'SOTTO-SEAL-018'],
    ['an entry name with a blank', plainSecret({ 'a b': 'x' }), 'SOTTO-SEAL-007'],
    [
      'more than a Secret can hold',
      { ...plainSecret({}), data: new Map([['a', Sensitive.adopt(ownedBytes(LIMITS.maxSecretDataBytes + 1))]]) },
      'SOTTO-SEAL-008',
    ],
  ])('refuses a Secret with %s', async (_name, secret, code) => {
    expect((await errorOf(() => sealSecret(secret, certificate))).code).toBe(code);
  });

  it('asks of a raw value only what its scope binds', async () => {
    expect(checkBinding({ scope: 'cluster-wide', namespace: '', name: '' }).scope).toBe('cluster-wide');
    expect(checkBinding({ scope: 'namespace-wide', namespace: 'team', name: '' }).namespace).toBe('team');
    const error = await errorOf(() => checkBinding({ scope: 'strict', namespace: 'team', name: '' }));
    expect(error.code).toBe('SOTTO-SEAL-018');
  });
});

describe('writeSealedSecret', () => {
  const manifest = sealSecret(plainSecret({ a: 'x'.repeat(500) }, { labels: { yes: 'no', on: '0x1' } }), certificate);

  it('writes YAML with one line per item and quotes what YAML 1.1 would misread', () => {
    const text = writeSealedSecret(manifest, 'yaml');
    expect(text).toMatch(/^---\napiVersion: bitnami.com\/v1alpha1\n/);
    expect(text).toMatch(/^ {4}a: [A-Za-z0-9+/=]+$/m);
    expect(text).toContain("'yes': 'no'");
    expect(load(text)).toEqual(manifest);
  });

  it('writes JSON that ends in a line break', () => {
    const text = writeSealedSecret(manifest, 'json');
    expect(text.endsWith('}\n')).toBe(true);
    expect(JSON.parse(text)).toEqual(manifest);
  });
});

describe('certificates and keys', () => {
  let made: MadeSealingCertificate;
  beforeAll(async () => {
    made = await makeSealingCertificate({ now });
  });

  it('makes a 4096-bit key whose certificate is its own and valid for ten years', () => {
    const own = parseSealingKey({ key: made.keyPem.reveal(), crt: bytesOf(made.certificatePem) });
    expect(own.privateKey.asymmetricKeyDetails).toMatchObject({ modulusLength: 4096, publicExponent: 65537n });
    expect(own.notAfter.getTime() - own.notBefore.getTime()).toBe(3650 * DAY_MS);
    expect(own.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(sealingCertificate(own.certificatePem, now).fingerprint).toBe(own.fingerprint);
  });

  it('makes a PEM that is byte for byte what OpenSSL writes', () => {
    const { privateKey } = parseUnsealKey(made.keyPem.reveal());
    const own = Buffer.from(made.keyPem.reveal()).toString();
    expect(own).toBe(privateKey.export({ type: 'pkcs1', format: 'pem' }));
  });

  it('takes the first certificate of several, with text around it', () => {
    const text = `subject=x\n${made.certificatePem}${VECTOR_CERTIFICATE}`;
    const fingerprint = sealingCertificate(made.certificatePem, now).fingerprint;
    expect(sealingCertificate(text, now).fingerprint).toBe(fingerprint);
  });

  it('reads PKCS#8 keys as well', () => {
    const pem = vectorKey().privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(parseSealingKey({ key: bytesOf(pem), crt: bytesOf(VECTOR_CERTIFICATE) }).fingerprint).toBe(key.fingerprint);
  });

  it('refuses certificates that are expired or start in the future', async () => {
    const late = new Date(now.getTime() + 4000 * DAY_MS);
    expect(await errorOf(() => sealingCertificate(VECTOR_CERTIFICATE, late))).toMatchObject({ code: 'SOTTO-SEAL-012' });
    const early = new Date(certificate.notBefore.getTime() - DAY_MS);
    expect(await errorOf(() => sealingCertificate(VECTOR_CERTIFICATE, early))).toMatchObject({
      code: 'SOTTO-SEAL-013',
    });
    const skewed = new Date(certificate.notBefore.getTime() - 60_000);
    expect(sealingCertificate(VECTOR_CERTIFICATE, skewed).fingerprint).toBe(certificate.fingerprint);
  });

  it.each([
    ['nothing', ''],
    ['a private key', VECTOR_KEY_PEM],
    ['a certificate cut off', VECTOR_CERTIFICATE.slice(0, 400)],
    ['a certificate with noise in it', VECTOR_CERTIFICATE.replace(/MII/, 'AAA')],
  ])('refuses %s as a certificate', async (_name, pem) => {
    expect((await errorOf(() => sealingCertificate(pem, now))).code).toBe('SOTTO-SEAL-011');
  });

  it('refuses key pairs that are unreadable, encrypted, not RSA, or not a pair', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const encrypted = vectorKey().privateKey.export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'p',
    });
    const keys = ['', VECTOR_CERTIFICATE, ec.export({ type: 'pkcs8', format: 'pem' }).toString(), encrypted.toString()];
    for (const pem of keys) {
      const error = await errorOf(() => parseSealingKey({ key: bytesOf(pem), crt: bytesOf(VECTOR_CERTIFICATE) }));
      expect(error.code).toBe('SOTTO-SEAL-014');
    }
    const entries = { key: bytesOf(VECTOR_KEY_PEM), crt: bytesOf(made.certificatePem) };
    expect((await errorOf(() => parseSealingKey(entries))).why).toBe('the certificate belongs to another private key');
  });
});
