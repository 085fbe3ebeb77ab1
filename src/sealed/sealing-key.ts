import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { SottoError } from '../core/errors.ts';

/** What opens items. The key material is inside OpenSSL; dropping the object frees and wipes it there. */
export interface UnsealKey {
  readonly privateKey: KeyObject;
}

/** A private sealing key with its certificate, as a stock key Secret holds them. */
export interface SealingKey extends UnsealKey {
  /** SHA-256 of the certificate's DER, lower case hex: the key's name everywhere. */
  readonly fingerprint: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The first certificate, in PEM. Public. */
  readonly certificatePem: string;
}

/** The two entries of a key Secret. Both are the caller's to wipe. */
export interface SealingKeyEntries {
  /** `tls.key`: PEM, PKCS#1 or PKCS#8. */
  readonly key: Uint8Array;
  /** `tls.crt`: PEM, of which the first certificate counts. */
  readonly crt: Uint8Array;
}

/** Throws SOTTO-SEAL-014 when the pair is unreadable, not RSA, or does not belong together. */
export function parseSealingKey(entries: SealingKeyEntries): SealingKey {
  const { privateKey } = parseUnsealKey(entries.key);
  const certificate = readCertificate(entries.crt);
  if (certificate === undefined) throw unusable('tls.crt holds no certificate in PEM');
  if (!certificate.checkPrivateKey(privateKey)) throw unusable('the certificate belongs to another private key');
  if (!hasTimes(certificate)) throw unusable('the times of its certificate cannot be read');
  return {
    privateKey,
    fingerprint: fingerprintOf(certificate),
    notBefore: certificate.validFromDate,
    notAfter: certificate.validToDate,
    certificatePem: certificate.toString(),
  };
}

/** A private key without its certificate (a PEM file on the command line). The caller wipes the PEM. */
export function parseUnsealKey(pem: Uint8Array): UnsealKey {
  const privateKey = readPrivateKey(pem);
  if (privateKey === undefined) throw unusable('it is not an unencrypted private key in PEM');
  if (privateKey.asymmetricKeyType !== 'rsa')
    throw unusable(`it is a key of type ${privateKey.asymmetricKeyType}, not RSA`);
  return { privateKey };
}

/** From a Buffer over the caller's bytes: a PEM string would stay in memory for good (spec/memory.md, section 4). */
function readPrivateKey(pem: Uint8Array): KeyObject | undefined {
  try {
    return createPrivateKey({ key: Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength), format: 'pem' });
  } catch {
    // OpenSSL's text says nothing about the cause that helps, and may name parts of the input.
    return undefined;
  }
}

/** The first certificate of a PEM file; undefined when there is none that can be read. */
export function readCertificate(pem: Uint8Array | string): X509Certificate | undefined {
  const bytes = typeof pem === 'string' ? Buffer.from(pem) : Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength);
  // X509Certificate reads bare DER too, which no stock tool accepts here.
  if (!bytes.includes('-----BEGIN CERTIFICATE-----')) return undefined;
  try {
    return new X509Certificate(bytes);
  } catch {
    return undefined;
  }
}

/** Of a time that cannot be read Node gives any date as `validToDate`, and says it in the text alone. */
export function hasTimes({ validFrom, validTo }: X509Certificate): boolean {
  return !Number.isNaN(Date.parse(validFrom)) && !Number.isNaN(Date.parse(validTo));
}

export function fingerprintOf(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('hex');
}

function unusable(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-014',
    what: 'a sealing key cannot be read',
    why,
    next: 'restore tls.key and tls.crt from the backup of the key Secret',
  });
}
