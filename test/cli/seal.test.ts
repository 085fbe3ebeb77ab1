import { beforeAll, describe, it } from 'vitest';
import { sealingCertificate } from '../../src/sealed/certificate.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { playSession } from './session.ts';

let certificate: string;
let fingerprint: string;
let keySecret: string;
let otherKeyPem: string;

beforeAll(async () => {
  const made = await makeSealingCertificate({ now: new Date(Date.now() - 60_000), modulusBits: 2048 });
  const other = await makeSealingCertificate({ now: new Date(Date.now() - 60_000), modulusBits: 2048 });
  certificate = lines(made.certificatePem);
  ({ fingerprint } = sealingCertificate(made.certificatePem, new Date()));
  keySecret = lines(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: {
            name: 'sealed-secrets-key1',
            labels: { 'sealedsecrets.bitnami.com/sealed-secrets-key': 'active' },
          },
          type: 'kubernetes.io/tls',
          data: { 'tls.key': entry(made.keyPem.reveal()), 'tls.crt': entry(made.certificatePem) },
        },
      ],
    }),
  );
  otherKeyPem = lines(Buffer.from(other.keyPem.reveal()).toString());
});

function entry(bytes: Uint8Array | string): string {
  return Buffer.from(bytes).toString('base64');
}

/** As content lines of a session. */
function lines(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `| ${line}`)
    .join('\n');
}

const play = (session: string) => playSession(session, { fingerprint, certificate, keySecret, otherKeyPem });

const FILES = `
file cert.pem
\${certificate}
file keys.json
\${keySecret}
file other.pem
\${otherKeyPem}
file secret.yaml
| apiVersion: v1
| kind: Secret
| metadata:
|   name: db
|   namespace: team-app
|   labels: { app: db }
| type: Opaque
| stringData:
|   password: correct horse
|   "true": "1234"
| data:
|   user: YWxpY2U=
`;

describe('sotto seal and unseal', () => {
  it('turn a Secret into a SealedSecret and back, in YAML and in JSON', async () => {
    await play(`${FILES}
$ sotto seal --cert cert.pem secret.yaml > sealed.yaml
exit 0
has sealed.yaml kind: SealedSecret
hasnot sealed.yaml correct
hasnot sealed.yaml YWxpY2U=
$ sotto unseal --key-file keys.json sealed.yaml
> ---
> apiVersion: v1
> kind: Secret
> metadata:
>   name: db
>   namespace: team-app
>   labels:
>     app: db
> type: Opaque
> data:
>   "password": "Y29ycmVjdCBob3JzZQ=="
>   "true": "MTIzNA=="
>   "user": "YWxpY2U="
exit 0
$ sotto seal --cert cert.pem -o json - < secret.yaml > sealed.json
exit 0
$ sotto unseal --key-file keys.json -o json sealed.json
> {"apiVersion":"v1","kind":"Secret","metadata":{"name":"db","namespace":"team-app","labels":{"app":"db"}},"type":"Opaque","data":{"user":"YWxpY2U=","password":"Y29ycmVjdCBob3JzZQ==","true":"MTIzNA=="}}
exit 0
`);
  });

  it('tries key files in order and says which binding does not fit', async () => {
    await play(`${FILES}
$ sotto seal --cert cert.pem secret.yaml > sealed.yaml
exit 0
$ sotto unseal --key-file other.pem --key-file keys.json sealed.yaml > opened.yaml
exit 0
has opened.yaml Y29ycmVjdCBob3JzZQ==
$ sotto unseal --key-file other.pem sealed.yaml
! SOTTO-SEAL-001: 3 of 3 items do not open … — undo that change, add the private key it was sealed for, or seal the value again for the certificate in use
exit 4
`);
  });

  it('seals one value without a line break behind it', async () => {
    await play(`${FILES}
file value
| with a line break
$ sotto seal --raw --cert cert.pem --name db -n team-app < value
> AQ…
! note: the value ends in a line break, which is sealed with it; printf %s leaves it out
exit 0
$ sotto seal --raw --cert cert.pem -n team-app < value
! SOTTO-SEAL-018: … — …
exit 2
$ sotto seal --raw --cert cert.pem --scope cluster-wide < value
> AQ…
! note: …
exit 0
`);
  });

  it('takes no other certificate than the one that sotto.yaml pins', async () => {
    await play(`${FILES}
file sotto.yaml
| apiVersion: sotto.dev/v1alpha1
| kind: Config
| sealing: { certificate: "${'ab'.repeat(32)}" }
| syncs: []
$ sotto seal --cert cert.pem secret.yaml
! SOTTO-SEAL-021: the sealing certificate is not the pinned one (cert.pem, key sealing.certificate) — its fingerprint is … — …
exit 2
file target.yaml
| apiVersion: bitnami.com/v1alpha1
| kind: SealedSecret
| metadata: { name: db, namespace: team-app }
| spec: { encryptedData: {} }
$ sotto seal --cert cert.pem --merge-into target.yaml secret.yaml
! SOTTO-SEAL-021: …
exit 2
$ sotto seal --raw --cert cert.pem --merge-into target.yaml --item a --from-file secret.yaml
! SOTTO-SEAL-021: …
exit 2
same target.yaml
edit sotto.yaml ${'ab'.repeat(32)} => \${fingerprint}
$ sotto seal --cert cert.pem secret.yaml > sealed.yaml
exit 0
has sealed.yaml kind: SealedSecret
$ sotto seal --raw --cert cert.pem --merge-into target.yaml --item a --from-file secret.yaml
! note: …
! target.yaml: a sealed strictly for db in namespace team-app
exit 0
edit sotto.yaml sealing => sealling
$ sotto seal --cert cert.pem secret.yaml
! SOTTO-CONF-002: there is no setting sealling (sotto.yaml:3, key sealling) — …
exit 2
`);
  });

  it('puts items into a file that is there, sealed as that file says, and leaves the rest as it is', async () => {
    await play(`${FILES}
file sealed.yaml
| # the database
| apiVersion: v1
| kind: ConfigMap
| metadata: { name: other }
| ---
| apiVersion: bitnami.com/v1alpha1
| kind: SealedSecret
| metadata:
|   name: db
|   namespace: team-app
|   annotations: { sealedsecrets.bitnami.com/namespace-wide: "true" }
| spec:
|   encryptedData: {} # nothing yet
|   template: { type: Opaque }
file value
| s3cret
mode sealed.yaml 0640
$ sotto seal --cert cert.pem --merge-into sealed.yaml secret.yaml
! note: labels and annotations are not merged; they stand in spec.template of the file
! sealed.yaml: user, password, true sealed namespace-wide for team-app
exit 0
has sealed.yaml # nothing yet
has sealed.yaml # the database
mode? sealed.yaml 0640
$ sotto seal --raw --cert cert.pem --merge-into sealed.yaml --item password --from-file value
! note: the value ends in a line break, …
! sealed.yaml: password sealed namespace-wide for team-app
exit 0
$ sotto seal --raw --cert cert.pem --merge-into sealed.yaml --item token < value
! note: …
! sealed.yaml: token sealed namespace-wide for team-app
exit 0
edit sealed.yaml # the database => # gone
edit sealed.yaml kind: ConfigMap => kind: SealedSecret
$ sotto seal --raw --cert cert.pem --merge-into sealed.yaml --item token < value
! SOTTO-SEAL-024: … (sealed.yaml) — it holds more than one SealedSecret — …
exit 2
`);
  });

  it('merges nothing that would not open there', async () => {
    await play(`${FILES}
file sealed.yaml
| apiVersion: bitnami.com/v1alpha1
| kind: SealedSecret
| metadata: { name: db, namespace: team-app }
| spec:
|   encryptedData: {}
file other.yaml
| apiVersion: v1
| kind: Secret
| metadata: { name: db2, namespace: team-app }
| stringData: { a: b }
file wide.yaml
| apiVersion: v1
| kind: Secret
| metadata: { name: db, annotations: { sealedsecrets.bitnami.com/cluster-wide: "true" } }
| stringData: { a: b }
file nowhere.yaml
| apiVersion: bitnami.com/v1alpha1
| kind: SealedSecret
| metadata: { name: db }
| spec: { encryptedData: {} }
$ sotto seal --cert cert.pem --merge-into sealed.yaml other.yaml
! SOTTO-SEAL-024: nothing can be merged into the file (sealed.yaml) — its name is db, and db2 was given: an item sealed for that would not open there — …
exit 2
$ sotto seal --cert cert.pem --merge-into sealed.yaml wide.yaml
! SOTTO-SEAL-024: … — its scope is strict, and cluster-wide was given: … — …
exit 2
$ sotto seal --cert cert.pem --scope namespace-wide --merge-into sealed.yaml secret.yaml
! SOTTO-SEAL-024: … — its scope is strict, and namespace-wide was given: … — …
exit 2
$ sotto seal --cert cert.pem -n other --merge-into sealed.yaml secret.yaml
! SOTTO-SEAL-024: … — its namespace is team-app, and other was given: … — …
exit 2
$ sotto seal --cert cert.pem --merge-into nowhere.yaml secret.yaml
! SOTTO-SEAL-006: the SealedSecret has no usable namespace (nowhere.yaml:1, …
exit 2
same sealed.yaml
same nowhere.yaml
`);
  });

  it('refuses what it cannot use, each with its code', async () => {
    await play(`${FILES}
file notes.txt
| just text
file empty.yaml
file configmap.yaml
| apiVersion: v1
| kind: ConfigMap
$ sotto seal secret.yaml
! SOTTO-CLI-001: required option '--cert <file>' not specified — the command line is not valid — sotto seal --help
exit 2
$ sotto seal --cert cert.pem
! SOTTO-CLI-001: a file is missing — give a file, - for stdin, or --raw — sotto seal --help
exit 2
$ sotto seal --cert cert.pem --raw secret.yaml
! SOTTO-CLI-001: --raw takes no file — the value comes on stdin — sotto seal --help
exit 2
$ sotto seal --cert cert.pem --merge-into x.yaml secret.yaml
! SOTTO-CLI-005: the file was not read (…x.yaml) — there is no such file — check the path and its permissions
exit 2
$ sotto seal --cert cert.pem --merge-into secret.yaml secret.yaml
! SOTTO-SEAL-024: nothing can be merged into the file (secret.yaml) — it holds no SealedSecret — …
exit 2
$ sotto seal --cert cert.pem --raw --merge-into secret.yaml
! SOTTO-CLI-001: --item is missing — …
exit 2
$ sotto seal --cert cert.pem --raw --item a
! SOTTO-CLI-001: --item goes with --raw and --merge-into only — …
exit 2
$ sotto seal --cert cert.pem --from-file a secret.yaml
! SOTTO-CLI-001: --from-file goes with --raw only — …
exit 2
$ sotto seal --cert https://example.com/cert.pem secret.yaml
! SOTTO-CLI-003: not in this version: a certificate by URL — …
exit 2
$ sotto seal --cert cert.pem missing.yaml
! SOTTO-CLI-005: the file was not read (missing.yaml) — there is no such file — check the path and its permissions
exit 2
$ sotto seal --cert missing.pem secret.yaml
! SOTTO-CLI-005: the file was not read (missing.pem) — there is no such file — check the path and its permissions
exit 2
$ sotto seal --cert notes.txt secret.yaml
! SOTTO-SEAL-011: the sealing certificate cannot be used (notes.txt) — …
exit 2
$ sotto seal --cert cert.pem configmap.yaml
! SOTTO-SEAL-015: the document is not a v1 Secret (configmap.yaml:2, key kind) — only Secrets are sealed — give the manifest of a Secret
exit 2
$ sotto seal --cert cert.pem -n other secret.yaml
! SOTTO-SEAL-019: … (secret.yaml) — …
exit 2
$ sotto unseal sealed.yaml
! SOTTO-CLI-001: required option '--key-file <file>' not specified — the command line is not valid — sotto unseal --help
exit 2
$ sotto unseal --key-file notes.txt secret.yaml
! SOTTO-CLI-009: the key file cannot be used (notes.txt) — it holds something else than Secrets — …
exit 2
$ sotto unseal --key-file empty.yaml secret.yaml
! SOTTO-CLI-009: the key file cannot be used (empty.yaml) — it holds no key — …
exit 2
$ sotto unseal --key-file keys.json secret.yaml
! SOTTO-SEAL-003: … — …
exit 2
$ sotto unseal --key-file keys.json empty.yaml -o json
! {"code":"SOTTO-CLI-005","message":"there is nothing to unseal: the file holds no document","file":"empty.yaml","next":"give a SealedSecret in YAML or JSON"}
exit 2
`);
  });

  it('names what is malformed and what no key opens in one step', async () => {
    await play(`${FILES}
$ sotto seal --cert cert.pem secret.yaml > sealed.yaml
exit 0
edit sealed.yaml user: A => user: ?A
$ sotto unseal --key-file other.pem sealed.yaml
! SOTTO-SEAL-004: 3 of 3 items do not open (…; no held sealing key opens the item …) (sealed.yaml:…, key password, true, user, …) — … — …
exit 4
`);
  });

  it('never prints half of the result', async () => {
    await play(`${FILES}
$ sotto seal --cert cert.pem secret.yaml > sealed.yaml
exit 0
$ sotto unseal --key-file keys.json - --filename both.yaml < sealed.yaml > opened.yaml
exit 0
file broken.yaml
| apiVersion: bitnami.com/v1alpha1
| kind: SealedSecret
| metadata: { name: a, namespace: b }
| spec: { encryptedData: {} }
| ---
| apiVersion: bitnami.com/v1alpha1
| kind: SealedSecret
| metadata: { name: a, namespace: b }
| spec: { encryptedData: { x: AAAA } }
$ sotto unseal --key-file keys.json broken.yaml
! SOTTO-SEAL-005: … (broken.yaml:9, …
exit 4
`);
  });
});
