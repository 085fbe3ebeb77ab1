import { beforeAll, describe, expect, it } from 'vitest';
import { secretRefs } from '../../src/core/closed.ts';
import { sourceDigest } from '../../src/core/digest.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { Opener } from '../../src/open/opener.ts';
import { sealedDocument } from '../../src/open/sealed-document.ts';
import { sealingCertificate } from '../../src/sealed/certificate.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { sealLabel } from '../../src/sealed/scope.ts';
import { sealValue } from '../../src/sealed/seal.ts';
import { parseSealingKey, type SealingKey } from '../../src/sealed/sealing-key.ts';
import { bytesOf, errorOf, sealedManifest } from '../sealed/material.ts';

let key: SealingKey;
beforeAll(async () => {
  const made = await makeSealingCertificate({ now: new Date(), modulusBits: 2048 });
  key = parseSealingKey({ key: made.keyPem.reveal(), crt: bytesOf(made.certificatePem) });
});

const SECRET = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: 'other',
    namespace: 'elsewhere',
    labels: { app: 'db' },
    annotations: { note: 'kept', 'kubectl.kubernetes.io/last-applied-configuration': '{"data":"c2VjcmV0"}' },
    ownerReferences: [{ kind: 'Pod', name: 'x' }],
  },
  type: 'kubernetes.io/basic-auth',
  data: { username: 'YWxpY2U=', password: 'c2VjcmV0' },
};

function sealed(plain: string, more = {}) {
  const label = sealLabel({ scope: 'strict', namespace: 'team', name: 'db' });
  const certificate = sealingCertificate(key.certificatePem, new Date());
  const data = sealValue(Sensitive.copyOf(bytesOf(plain)), certificate, label);
  return sealedManifest({ data, encryptedData: {}, ...more });
}

async function opened(value: ReturnType<typeof sealed>) {
  using opener = new Opener({ ageIdentities: [], sealingKeys: [key] });
  const place = { file: 'db.yaml', line: 1, lineAt: () => 7, digest: sourceDigest('plain', 'x'), value };
  const document = await sealedDocument(place, { namespace: 'team', opener, isKnown: () => true });
  const values: Record<string, string> = {};
  for (const { path, ref } of secretRefs(document.tree)) {
    using bytes = await opener.open(ref);
    values[path.join('.')] = Buffer.from(bytes.reveal()).toString();
  }
  return { document, values };
}

describe('a Secret that was sealed as a whole (spec.data)', () => {
  it('is closed entry by entry, under the name and namespace it was sealed for', async () => {
    const { document, values } = await opened(sealed(JSON.stringify(SECRET)));
    expect(document.tree).toMatchObject({
      kind: 'Secret',
      type: 'kubernetes.io/basic-auth',
      metadata: { name: 'db', namespace: 'team', labels: { app: 'db' }, annotations: { note: 'kept' } },
    });
    expect(document.tree['metadata']).not.toHaveProperty('ownerReferences');
    expect(values).toEqual({ 'data.username': 'alice', 'data.password': 'secret' });
    expect(JSON.stringify(document)).not.toContain('c2VjcmV0');
  });

  it.each([
    ['no JSON', 'password: secret'],
    ['no Secret', '["secret"]'],
    ['values that are not base64', JSON.stringify({ ...SECRET, data: { a: '***' } })],
    ['stringData', JSON.stringify({ ...SECRET, stringData: { a: 'secret' } })],
  ])('is refused with its place and without its text: %s', async (_what, plain) => {
    const error = await errorOf(() => opened(sealed(plain)));
    expect([error.code, error.place.line]).toEqual(['SOTTO-SEAL-010', 7]);
    expect(JSON.stringify(error) + String(error.stack)).not.toMatch(/: secret|"secret"|c2VjcmV0/);
  });

  it('beside encryptedData, or cut off, is refused', async () => {
    const both = sealed(JSON.stringify(SECRET), { encryptedData: { a: 'AAAA' } });
    expect((await errorOf(() => opened(both))).code).toBe('SOTTO-SEAL-003');
    expect((await errorOf(() => opened(sealedManifest({ data: 'AgAA', encryptedData: {} })))).code).toBe(
      'SOTTO-SEAL-005',
    );
    expect((await errorOf(() => opened(sealedManifest({ data: 5, encryptedData: {} })))).code).toBe('SOTTO-SEAL-003');
  });
});
