import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, it } from 'vitest';
import { playSession } from './session.ts';

let identity: string;
let recipient: string;
let otherIdentity: string;
let otherRecipient: string;

beforeAll(async () => {
  identity = await generateX25519Identity();
  recipient = await identityToRecipient(identity);
  otherIdentity = await generateX25519Identity();
  otherRecipient = await identityToRecipient(otherIdentity);
});

const FILES = `
file keys.txt
| # created: 2026-11-25T04:24:00Z
| \${identity}
file other.txt
| \${otherIdentity}
file db.yaml
| # the database
| apiVersion: v1
| kind: Secret
| metadata:
|   name: db
| stringData:
|   password: "correct horse" # by hand
`;

const play = (session: string) => playSession(FILES + session, { identity, recipient, otherIdentity, otherRecipient });

describe('sotto encrypt and decrypt', () => {
  it('encrypt the values of a Secret and nothing else, and give the file back byte for byte', async () => {
    await play(`
$ sotto encrypt --age \${recipient} db.yaml > db.enc.yaml
exit 0
has db.enc.yaml kind: Secret
has db.enc.yaml name: db
has db.enc.yaml password: ENC[AES256_GCM,data:
has db.enc.yaml recipient: \${recipient}
has db.enc.yaml encrypted_regex: ^(data|stringData)$
hasnot db.enc.yaml correct horse
$ sotto decrypt --key-file keys.txt db.enc.yaml
> # the database
> apiVersion: v1
> kind: Secret
> metadata:
>   name: db
> stringData:
>   password: "correct horse" # by hand
exit 0
`);
  });

  it('replace the file in place and keep its permissions', async () => {
    await play(`
mode db.yaml 640
$ sotto encrypt -i --age \${recipient} db.yaml
exit 0
mode? db.yaml 640
hasnot db.yaml correct horse
$ sotto decrypt -i --key-file keys.txt db.yaml
exit 0
mode? db.yaml 640
same db.yaml
only . db.yaml keys.txt other.txt
`);
  });

  it('find recipients and selector in the .sops.yaml upwards from the working directory', async () => {
    await play(`
file .sops.yaml
| creation_rules:
| - path_regex: ^config/
|   unencrypted_regex: ^(apiVersion|kind|metadata)$
|   age: \${recipient}
file config/app.yaml
| apiVersion: v1
| kind: ConfigMap
| metadata: { name: app }
| data: { mode: production }
$ sotto encrypt -i config/app.yaml
exit 0
has config/app.yaml kind: ConfigMap
has config/app.yaml unencrypted_regex
hasnot config/app.yaml production
$ sotto encrypt db.yaml
! SOTTO-SOPS-019: no creation rule matches the file (….sops.yaml) — … — …
exit 2
$ sotto encrypt --age \${recipient} db.yaml > db.enc.yaml
exit 0
has db.enc.yaml encrypted_regex
$ sotto encrypt --filename config/db.yaml - < db.yaml > stdin.yaml
exit 0
has stdin.yaml unencrypted_regex
`);
  });

  it('take recipients from SOPS_AGE_RECIPIENTS, several by comma', async () => {
    await play(`
env SOPS_AGE_RECIPIENTS=\${recipient}, \${otherRecipient}
$ sotto encrypt db.yaml > db.enc.yaml
exit 0
$ sotto decrypt --key-file other.txt db.enc.yaml > back.yaml
exit 0
has back.yaml correct horse
`);
  });

  it('find identities where sops finds them, after those of --key-file', async () => {
    await play(`
$ sotto encrypt --age \${recipient} db.yaml > db.enc.yaml
exit 0
env SOPS_AGE_KEY=\${otherIdentity} \${identity}
$ sotto decrypt db.enc.yaml > 1.yaml
exit 0
env SOPS_AGE_KEY=
env SOPS_AGE_KEY_FILE=keys.txt
$ sotto decrypt --key-file other.txt db.enc.yaml > 2.yaml
exit 0
env SOPS_AGE_KEY_FILE=
file .config/sops/age/keys.txt
| \${identity}
$ sotto decrypt db.enc.yaml > 3.yaml
exit 0
env XDG_CONFIG_HOME=/nonexistent
$ sotto decrypt db.enc.yaml
! note: /nonexistent/sops/age/keys.txt: the file was not read, there is no such file
! SOTTO-CLI-008: no identity is at hand (db.enc.yaml:…) — it is encrypted for \${recipient}; no identity is held; neither --key-file nor … — sotto decrypt --key-file keys.txt db.enc.yaml
exit 4
env SOPS_AGE_KEY_CMD=/nonexistent/pass show age
$ sotto decrypt --key-file other.txt db.enc.yaml
! note: …
! note: …
! SOTTO-AGE-001: … — … — …
exit 4
`);
  });

  it('read the identities of a key Secret as Flux has them', async () => {
    const base64 = Buffer.from(`${identity}\n`).toString('base64');
    await play(`
file secret.yaml
| # sops-age
| apiVersion: v1
| kind: Secret
| metadata: { name: sops-age }
| data:
|   age.agekey: ${base64}
$ sotto encrypt --age \${recipient} db.yaml > db.enc.yaml
exit 0
$ sotto decrypt --key-file secret.yaml db.enc.yaml > back.yaml
exit 0
has back.yaml correct horse
`);
  });

  it('work on JSON', async () => {
    await play(`
file db.json
| {
|   "kind": "Secret",
|   "stringData": { "password": "correct horse" }
| }
$ sotto encrypt -i --age \${recipient} db.json
exit 0
has db.json "kind": "Secret"
hasnot db.json correct horse
$ sotto decrypt -i --key-file keys.txt db.json
exit 0
has db.json "password": "correct horse"
`);
  });

  it('leave nothing behind when they cannot write', async () => {
    await play(`
file locked/db.yaml
| kind: Secret
| stringData: { a: correct horse }
$ sotto encrypt -i --age \${recipient} missing/db.yaml
! SOTTO-CLI-005: the file was not read (missing/db.yaml) — there is no such file — check the path and its permissions
exit 2
absent missing
$ sotto encrypt -i --age \${recipient} locked
! SOTTO-CLI-005: the file was not read (locked) — it is a folder — check the path and its permissions
exit 2
only locked db.yaml
`);
  });

  it('refuse what they cannot do, each with its code, and change nothing', async () => {
    await play(`
file config.yaml
| kind: ConfigMap
| data: { a: b }
file broken.yaml
| a: [
file db.env
| A=b
$ sotto encrypt db.yaml
! SOTTO-CLI-007: nobody is named to encrypt for (db.yaml) — … — sotto encrypt --age age1… db.yaml, with the recipient that age-keygen -y keys.txt prints
exit 2
$ sotto encrypt --age \${identity} db.yaml
! SOTTO-AGE-007: an age recipient is not usable (db.yaml) — it does not start with age1 or ssh- — …
exit 2
$ sotto encrypt -i --age \${recipient} --encrypted-regex ^nothing$ config.yaml
! SOTTO-CLI-012: the file was not written, because none of its values would be encrypted (config.yaml) — … — …
exit 2
same config.yaml
$ sotto encrypt -i --age \${recipient} -
! SOTTO-CLI-001: -i needs a file — stdin cannot be replaced — leave -i out, or name the file instead of -
exit 2
$ sotto encrypt -i --age \${recipient} broken.yaml
! SOTTO-YAML-001: … (broken.yaml:2) — … — …
exit 2
same broken.yaml
$ sotto encrypt --age \${recipient} -
! SOTTO-CLI-001: nothing says what format the content on stdin has — … — …
exit 2
$ sotto encrypt --age \${recipient} --input-type toml db.yaml
! SOTTO-CLI-001: --input-type does not know this format — it takes yaml, json, dotenv, ini, binary — …
exit 2
$ sotto encrypt --age \${recipient} --output-type dotenv db.yaml
! SOTTO-SOPS-058: the file cannot be written as dotenv (db.yaml, key metadata) — it is a mapping — …
exit 2
$ sotto decrypt --key-file keys.txt db.yaml
! SOTTO-SOPS-002: … (db.yaml… — … — …
exit 2
$ sotto decrypt --key-file db.yaml db.yaml
! SOTTO-CLI-009: the key file cannot be used (db.yaml) — it holds no key — …
exit 2
$ sotto decrypt --key-file keys.txt -o json missing.yaml
! {"code":"SOTTO-CLI-005","message":"the file was not read: there is no such file","file":"missing.yaml","next":"check the path and its permissions"}
exit 2
same db.yaml
`);
  });

  it('do not decrypt a file that was changed, and print nothing of it', async () => {
    await play(`
$ sotto encrypt -i --age \${recipient} db.yaml
exit 0
edit db.yaml name: db => name: other
$ sotto decrypt --key-file keys.txt db.yaml
! SOTTO-SOPS-001: … (db.yaml… — … — …
exit 4
$ sotto decrypt -i --key-file keys.txt db.yaml
! SOTTO-SOPS-001: … (db.yaml… — … — …
exit 4
has db.yaml ENC[AES256_GCM
$ sotto encrypt -i --age \${recipient} db.yaml
! SOTTO-SOPS-016: … (db.yaml:… — … — …
exit 2
`);
  });
});
