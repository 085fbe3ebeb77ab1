import { createPublicKey, generateKeyPair, type KeyObject, randomBytes, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { Sensitive } from '../core/sensitive.ts';
import { privateKeyPem } from './pem.ts';

/** What a new key Secret holds: `tls.key` and `tls.crt`. */
export interface MadeSealingCertificate {
  /** PKCS#1 PEM, as the stock controller writes it. The caller wipes it. */
  readonly keyPem: Sensitive;
  readonly certificatePem: string;
}

export interface MakeCertificateOptions {
  /** Start of validity; sealing keys are ordered by it. */
  readonly now: Date;
  /** Default 4096, as the stock controller makes them; smaller ones are for tests. */
  readonly modulusBits?: number;
}

const VALIDITY_DAYS = 3650;
const SHA256_WITH_RSA = '1.2.840.113549.1.1.11';
const DAY_MS = 24 * 60 * 60 * 1000;

/** A new RSA sealing key with a self-signed certificate (spec section 3.2). Takes about a second for 4096 bits. */
export async function makeSealingCertificate(options: MakeCertificateOptions): Promise<MadeSealingCertificate> {
  const modulusLength = options.modulusBits ?? 4096;
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength, publicExponent: 65537 });
  return { certificatePem: await selfSigned(privateKey, options.now), keyPem: privateKeyPem(privateKey) };
}

/**
 * forge lays out the certificate; the signature is OpenSSL's, so the private key never becomes one of forge's
 * JavaScript numbers, which could not be wiped. forge never reads input from outside here.
 */
async function selfSigned(privateKey: KeyObject, now: Date): Promise<string> {
  const { default: forge } = await import('node-forge');
  const { asn1, pki } = forge;
  const certificate = pki.createCertificate();
  certificate.publicKey = pki.publicKeyFromPem(
    createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString(),
  );
  certificate.serialNumber = serialNumber();
  certificate.validity.notBefore = now;
  certificate.validity.notAfter = new Date(now.getTime() + VALIDITY_DAYS * DAY_MS);
  const subject = [{ name: 'commonName', value: 'sotto sealing key' }];
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: true },
    { name: 'keyUsage', critical: true, encipherOnly: true },
  ]);
  certificate.signatureOid = SHA256_WITH_RSA;
  certificate.siginfo.algorithmOid = SHA256_WITH_RSA;
  certificate.signature = '';
  const [toBeSigned] = pki.certificateToAsn1(certificate).value;
  if (toBeSigned === undefined || typeof toBeSigned === 'string') throw new TypeError('forge made no certificate');
  const der = Buffer.from(asn1.toDer(toBeSigned).getBytes(), 'latin1');
  certificate.signature = sign('sha256', der, privateKey).toString('latin1');
  return pki.certificateToPem(certificate).replaceAll('\r\n', '\n');
}

/** 128 random bits, positive, without leading zeros: DER wants the shortest form. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
