import type { KeyObject, X509Certificate } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { fingerprintOf, hasTimes, readCertificate } from './sealing-key.ts';

/** A certificate that was checked for sealing now. */
export interface SealingCertificate {
  /** SHA-256 of the DER, lower case hex: compared with the pinned one. */
  readonly fingerprint: string;
  readonly publicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly pem: string;
}

/** A certificate made a moment ago on a machine whose clock is ahead is no mistake. */
const CLOCK_SKEW_MS = 5 * 60_000;
const MIN_MODULUS_BITS = 2048;
/** What OpenSSL encrypts for. */
const MAX_MODULUS_BITS = 16_384;
/** What Go, and so kubeseal, takes. With 1 everybody could read what is sealed. */
const [MIN_EXPONENT, MAX_EXPONENT] = [3n, 2n ** 31n - 1n];

/**
 * The first certificate of a PEM file, if it may seal at `now`. As in kubeseal, chain, names and key usage do not
 * count. Throws SOTTO-SEAL-011 to -013.
 */
export function sealingCertificate(pem: Uint8Array | string, now: Date): SealingCertificate {
  const certificate = readCertificate(pem);
  if (certificate === undefined) throw unreadable('it holds no certificate in PEM');
  const publicKey = publicKeyOf(certificate);
  if (publicKey.asymmetricKeyType !== 'rsa') throw unreadable('its key is not an RSA key');
  // Before its details: of a larger one these leave an error behind, with which the next key that is read would fail.
  if (isTooLarge(publicKey)) throw unreadable(`its RSA key is larger than one of ${MAX_MODULUS_BITS} bits`);
  const { modulusLength: modulusBits = 0, publicExponent = 0n } = publicKey.asymmetricKeyDetails ?? {};
  if (modulusBits < MIN_MODULUS_BITS)
    throw unreadable(`its RSA key has ${modulusBits} bits, less than ${MIN_MODULUS_BITS}`);
  if (publicExponent < MIN_EXPONENT || publicExponent > MAX_EXPONENT)
    throw unreadable(`the exponent of its RSA key is not from ${MIN_EXPONENT} to ${MAX_EXPONENT}`);
  if (!hasTimes(certificate)) throw unreadable('its times cannot be read');
  const notBefore = certificate.validFromDate;
  const notAfter = certificate.validToDate;
  if (notAfter.getTime() <= now.getTime()) throw expired(notAfter);
  if (notBefore.getTime() > now.getTime() + CLOCK_SKEW_MS) throw notYetValid(notBefore);
  return { fingerprint: fingerprintOf(certificate), publicKey, notBefore, notAfter, pem: certificate.toString() };
}

/** By its DER: where the modulus of a large key begins there is no other place than this. */
function isTooLarge(publicKey: KeyObject): boolean {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  if (der.length < MAX_MODULUS_BITS / 8) return false;
  if (der.length > 0xffff) return true;
  const isPadded = der[LENGTH_AT + 2] === 0;
  return der.readUInt16BE(LENGTH_AT) - (isPadded ? 1 : 0) > MAX_MODULUS_BITS / 8;
}

const LENGTH_AT = 30;

function publicKeyOf(certificate: X509Certificate): KeyObject {
  try {
    return certificate.publicKey;
  } catch {
    // Of a kind, or of a size, that OpenSSL does not know.
    throw unreadable('its key cannot be read');
  }
}

/** What is wrong when it is not the certificate that the settings pin; undefined when it is, or none is pinned. */
export function pinProblem(
  certificate: Pick<SealingCertificate, 'fingerprint'>,
  pinned: string | undefined,
): SottoError | undefined {
  if (pinned === undefined || pinned === certificate.fingerprint) return undefined;
  return new SottoError({
    code: 'SOTTO-SEAL-021',
    what: 'the sealing certificate is not the pinned one',
    why: `its fingerprint is ${certificate.fingerprint}, sealing.certificate says ${pinned}`,
    next: 'find out which one is right (sotto status shows the agent’s own), then correct sotto.yaml or use the other certificate',
    key: 'sealing.certificate',
  });
}

const FETCH = 'fetch the certificate in use: /v1/cert.pem of the agent, or kubeseal --fetch-cert';

function unreadable(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-011',
    what: 'the sealing certificate cannot be used',
    why,
    next: FETCH,
  });
}

function expired(notAfter: Date): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-012',
    what: 'the sealing certificate has expired',
    why: `it was valid until ${notAfter.toISOString().slice(0, 10)}`,
    next: FETCH,
  });
}

function notYetValid(notBefore: Date): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-013',
    what: 'the sealing certificate is not valid yet',
    why: `it starts at ${notBefore.toISOString()}`,
    next: 'check this machine’s clock (date -u); if it is right, ' + FETCH,
  });
}
