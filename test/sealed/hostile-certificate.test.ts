import { createPrivateKey } from 'node:crypto';
import forge from 'node-forge';
import { beforeAll, describe, expect, it } from 'vitest';
import { addedKey } from '../../src/cli/keys/added-key.ts';
import { SottoError } from '../../src/core/errors.ts';
import { sealingCertificate } from '../../src/sealed/certificate.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { parseSealingKey } from '../../src/sealed/sealing-key.ts';

// A certificate that somebody has sent, or that stands in a key Secret.

const { pki, jsbn } = forge;
const NOW = new Date();
const number = (hex: string) => new jsbn.BigInteger(hex, 16);
const ones = (bits: number): string => `8${'0'.repeat(bits / 4 - 2)}1`;

let keyPem: Buffer;
let certificatePem: string;
beforeAll(async () => {
  const made = await makeSealingCertificate({ now: NOW, modulusBits: 2048 });
  [keyPem, certificatePem] = [Buffer.from(made.keyPem.reveal()), made.certificatePem];
});

function pem(der: Buffer): string {
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/(.{64})(?=.)/g, '$1\n')}\n-----END CERTIFICATE-----\n`;
}

/** The certificate with another end, which nobody has signed: nothing looks at signatures here. */
function endingAt(time: string): string {
  const der = Buffer.from(certificatePem.replace(/-----.*-----|\s/g, ''), 'base64');
  const first = der.indexOf(Buffer.from([0x17, 0x0d]));
  der.write(time, der.indexOf(Buffer.from([0x17, 0x0d]), first + 1) + 2, 'latin1');
  return pem(der);
}

function withKey(modulus: string, exponent: string): string {
  const certificate = pki.createCertificate();
  certificate.publicKey = pki.setRsaPublicKey(number(modulus), number(exponent));
  certificate.serialNumber = '01';
  certificate.validity.notAfter = new Date(NOW.getTime() + 1e9);
  certificate.sign(pki.privateKeyFromPem(String(createPrivateKey(keyPem).export({ type: 'pkcs1', format: 'pem' }))));
  return pki.certificateToPem(certificate);
}

/** Sequences in each other, and nothing else. */
function nested(levels: number): string {
  const heads: Buffer[] = [];
  for (let level = 0, length = 2; level < levels; level += 1) {
    const size = length < 128 ? [length] : [0x84, ...Buffer.from(length.toString(16).padStart(8, '0'), 'hex')];
    heads.push(Buffer.from([0x30, ...size]));
    length += 1 + size.length;
  }
  return pem(Buffer.concat([...heads.toReversed(), Buffer.from([5, 0])]));
}

function errorOf(attempt: () => unknown): SottoError | undefined {
  try {
    attempt();
  } catch (thrown) {
    if (thrown instanceof SottoError) return thrown;
    throw thrown;
  }
  return undefined;
}

const seals = (text: string): string | undefined => errorOf(() => sealingCertificate(text, NOW))?.code;

describe('a hostile sealing certificate', () => {
  it('is not valid for ever because its end cannot be read', () => {
    expect(seals(endingAt('991231235959Z'))).toBe('SOTTO-SEAL-012');
    expect(seals(endingAt('491231235959Z'))).toBeUndefined();
    for (const time of ['zzzzzzzzzzzzZ', '999999999999Z', '26\u001b[31mxxxxxZ'])
      expect(seals(endingAt(time))).toBe('SOTTO-SEAL-011');
  });

  it('is refused in a key Secret and in a file, where its time cannot be read', () => {
    const crt = Buffer.from(endingAt('999999999999Z'));
    expect(errorOf(() => parseSealingKey({ key: keyPem, crt }))?.code).toBe('SOTTO-SEAL-014');
    const error = errorOf(() => addedKey(Buffer.concat([keyPem, crt]), 'k.pem'));
    expect([error?.code, error?.place.file]).toEqual(['SOTTO-SEAL-014', 'k.pem']);
  });

  it.each([
    ['as long as can be used', ones(16_384), '10001', undefined],
    ['longer than can be used', ones(16_388), '10001', 'SOTTO-SEAL-011'],
    ['of a million bits', ones(1_048_576), '10001', 'SOTTO-SEAL-011'],
    ['that leaves everything as it is', ones(2048), '1', 'SOTTO-SEAL-011'],
    ['with an exponent beyond all use', ones(2048), ones(2048), 'SOTTO-SEAL-011'],
  ])('has no key %s, or a code says so', (_, modulus, exponent, code) => {
    expect(seals(withKey(modulus, exponent))).toBe(code);
    // What OpenSSL said of one is not said of the next.
    expect(createPrivateKey(keyPem).asymmetricKeyType).toBe('rsa');
  });

  it.each([
    ['beginnings without end', () => '-----BEGIN CERTIFICATE-----\n'.repeat(2_000_000)],
    ['nothing but nesting', () => nested(1_000_000)],
    ['garbage', () => pem(Buffer.alloc(30_000_000, 'x'))],
    ['an empty sequence', () => pem(Buffer.from([0x30, 0]))],
  ])('is none when it is %s', (_, text) => {
    expect(seals(text())).toBe('SOTTO-SEAL-011');
  });
});
