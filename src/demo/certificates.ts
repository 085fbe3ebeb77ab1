import { createHash, generateKeyPair, randomBytes, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import type Forge from 'node-forge';

/** A key pair and its certificate, as PEM. */
export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** As `tls.TLSSocket.getPeerCertificate()` tells it: proof that the server that answers is this one. */
  readonly fingerprint256: string;
}

export interface CertificateSubject {
  readonly commonName: string;
  /** In a client certificate for Kubernetes: the groups. */
  readonly organization?: string;
  /** DNS names and IP addresses; a certificate without them is for clients only. */
  readonly hosts?: readonly string[];
}

/** A certificate authority that lives as long as one test server. Its key never leaves the process. */
export interface ThrowawayAuthority {
  readonly certificatePem: string;
  issue(subject: CertificateSubject): Promise<IssuedCertificate>;
}

const VALID_DAYS = 2;
const DAY_MS = 86_400_000;
const IP_ADDRESS_NAME = 7;
const DNS_NAME = 2;

export async function createAuthority(commonName: string): Promise<ThrowawayAuthority> {
  const { default: forge } = await import('node-forge');
  const keys = await generateRsa();
  const attributes = [{ name: 'commonName', value: `${commonName} ${randomBytes(4).toString('hex')}` }];
  const authority = newCertificate(forge, keys.publicKey, attributes, attributes);
  authority.setExtensions([
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, digitalSignature: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  const signingKey = forge.pki.privateKeyFromPem(keys.privateKey);
  authority.sign(signingKey, forge.md.sha256.create());
  return {
    certificatePem: forge.pki.certificateToPem(authority),
    async issue(subject) {
      const { publicKey, privateKey } = await generateRsa();
      const issued = newCertificate(forge, publicKey, subjectAttributes(subject), attributes);
      issued.setExtensions(leafExtensions(subject.hosts ?? []));
      issued.sign(signingKey, forge.md.sha256.create());
      const certificatePem = forge.pki.certificateToPem(issued);
      return { certificatePem, privateKeyPem: privateKey, fingerprint256: fingerprintOf(certificatePem) };
    },
  };
}

export interface RsaKeyPem {
  readonly publicKey: string;
  readonly privateKey: string;
}

/** OpenSSL makes the key; node-forge would take seconds for it. */
export function generateRsa(): Promise<RsaKeyPem> {
  return promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}

function newCertificate(
  forge: typeof Forge,
  publicKeyPem: string,
  subject: Forge.pki.CertificateField[],
  issuer: Forge.pki.CertificateField[],
): Forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKeyPem);
  certificate.serialNumber = `01${randomBytes(8).toString('hex')}`;
  // An hour back: the clock of a virtual machine may jump a little.
  certificate.validity.notBefore = new Date(Date.now() - DAY_MS / 24);
  certificate.validity.notAfter = new Date(Date.now() + VALID_DAYS * DAY_MS);
  certificate.setSubject(subject);
  certificate.setIssuer(issuer);
  return certificate;
}

function subjectAttributes(subject: CertificateSubject): Forge.pki.CertificateField[] {
  const commonName = { name: 'commonName', value: subject.commonName };
  if (subject.organization === undefined) return [commonName];
  return [{ name: 'organizationName', value: subject.organization }, commonName];
}

function leafExtensions(hosts: readonly string[]): object[] {
  const altNames = hosts.map((host) =>
    /^[\d.]+$/.test(host) ? { type: IP_ADDRESS_NAME, ip: host } : { type: DNS_NAME, value: host },
  );
  return [
    { name: 'basicConstraints', cA: false },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', clientAuth: true, serverAuth: hosts.length > 0 },
    ...(altNames.length > 0 ? [{ name: 'subjectAltName', altNames }] : []),
  ];
}

function fingerprintOf(certificatePem: string): string {
  const digest = createHash('sha256').update(new X509Certificate(certificatePem).raw).digest('hex').toUpperCase();
  return digest.match(/../g)?.join(':') ?? '';
}
