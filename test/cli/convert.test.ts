import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, it } from 'vitest';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { playSession } from './session.ts';

/** As content lines of a session. */
function content(text: string): string {
  return text.trimEnd().replace(/^/gm, '| ');
}

describe('sotto convert', () => {
  it('keeps the mode of a file that is converted in place, there and back', async () => {
    const identity = await generateX25519Identity();
    const made = await makeSealingCertificate({ now: new Date(Date.now() - 60_000), modulusBits: 2048 });
    await playSession(
      `
file keys.txt
| \${identity}
file cert.pem
\${certificate}
file tls.key
\${key}
file db.yaml
| apiVersion: v1
| kind: Secret
| metadata: { name: db, namespace: team-app }
| stringData: { password: correct horse }
$ sotto encrypt -i --age \${recipient} db.yaml
exit 0
mode db.yaml 0640
$ sotto convert -i --cert cert.pem --key-file keys.txt --key-file tls.key db.yaml
exit 0
has db.yaml kind: SealedSecret
mode? db.yaml 0640
$ sotto convert -i --age \${recipient} --key-file keys.txt --key-file tls.key db.yaml
exit 0
has db.yaml ENC[AES256_GCM
mode? db.yaml 0640
only . cert.pem db.yaml keys.txt tls.key
`,
      {
        identity,
        recipient: await identityToRecipient(identity),
        certificate: content(made.certificatePem),
        key: content(Buffer.from(made.keyPem.reveal()).toString()),
      },
    );
  });
});
