import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { ownedBytes, Sensitive } from '../../src/core/sensitive.ts';
import { answerFor, CANARY_LABEL, type CanaryKeys, isCanaryProof, newCanary } from '../../src/keys/canary.ts';
import { type SealingCertificate, sealingCertificate } from '../../src/sealed/certificate.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { sealLabel } from '../../src/sealed/scope.ts';
import { sealValue } from '../../src/sealed/seal.ts';
import { parseSealingKey, type SealingKey } from '../../src/sealed/sealing-key.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { encryptForRecipients } from '../../src/sops/recipients.ts';

const NONE: CanaryKeys = { ageIdentities: [], sealingKeys: [] };

describe('a canary', () => {
  const { identity } = makeIdentity(new Date());
  const other = makeIdentity(new Date()).identity;
  const keys: CanaryKeys = { ...NONE, ageIdentities: [other, identity] };
  let sealing: SealingKey;
  let certificate: SealingCertificate;
  beforeAll(async () => {
    const now = new Date();
    const { keyPem, certificatePem } = await makeSealingCertificate({ now, modulusBits: 2048 });
    sealing = parseSealingKey({ key: keyPem.reveal(), crt: Buffer.from(certificatePem) });
    certificate = sealingCertificate(certificatePem, now);
  });

  it('is answered by who holds the very key that it names, and by nobody else', async () => {
    const canary = newCanary();
    const sealed = await encryptForRecipients(canary.reveal(), [identity.recipient]);
    const proof = (await answerFor(sealed, identity.recipient, keys)) ?? '';
    expect(isCanaryProof(proof, canary, identity.recipient)).toBe(true);
    expect(isCanaryProof(proof, canary, other.recipient)).toBe(false);
    expect(isCanaryProof(proof, newCanary(), identity.recipient)).toBe(false);
    expect(isCanaryProof('', canary, identity.recipient)).toBe(false);
    expect(await answerFor(sealed, other.recipient, keys)).toBeUndefined();
    expect(await answerFor(sealed, identity.recipient, { ...NONE, ageIdentities: [other] })).toBeUndefined();
  });

  it('for a sealing key is bound to a label that no SealedSecret has', async () => {
    const canary = newCanary();
    const withKey = { ...NONE, sealingKeys: [sealing] };
    const sealed = sealValue(canary, certificate, CANARY_LABEL);
    const proof = (await answerFor(sealed, certificate.fingerprint, withKey)) ?? '';
    expect(isCanaryProof(proof, canary, certificate.fingerprint)).toBe(true);
    expect(await answerFor(sealed, certificate.fingerprint, NONE)).toBeUndefined();
    for (const scope of ['strict', 'namespace-wide', 'cluster-wide'] as const) {
      const item = sealValue(canary, certificate, sealLabel({ scope, namespace: 'sotto canary', name: 'db' }));
      if (scope !== 'namespace-wide') expect(await answerFor(item, certificate.fingerprint, withKey)).toBeUndefined();
    }
  });

  it('is the only ciphertext that is answered for: no data key of a file, and nothing damaged', async () => {
    for (const length of [0, 32, 47, 48, 49]) {
      const bytes = Sensitive.adopt(new Uint8Array(ownedBytes(length)));
      bytes.reveal().set(randomBytes(length));
      const sealed = await encryptForRecipients(bytes.reveal(), [identity.recipient]);
      expect(await answerFor(sealed, identity.recipient, keys), String(length)).toBeUndefined();
    }
    const canary = newCanary();
    const sealed = await encryptForRecipients(canary.reveal(), [identity.recipient]);
    const lines = sealed.split('\n');
    const damaged = [...lines.slice(0, 3), 'AAAA', ...lines.slice(4)].join('\n');
    for (const text of ['', 'x', damaged]) expect(await answerFor(text, identity.recipient, keys)).toBeUndefined();
    expect(await answerFor('AAAA', certificate.fingerprint, { ...NONE, sealingKeys: [sealing] })).toBeUndefined();
  });
});
