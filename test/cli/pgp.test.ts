import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { generateKey } from 'openpgp';
import { beforeAll, describe, it } from 'vitest';
import { playSession } from './session.ts';

let variables: Readonly<Record<string, string>>;

/** An armoured key as the content of a file of a session. */
function fileOf(armored: string): string {
  return armored.replaceAll('\r', '').trimEnd().replace(/^/gm, '| ');
}

beforeAll(async () => {
  const [identity, other] = [await generateX25519Identity(), await generateX25519Identity()];
  const pgp = await generateKey({ userIDs: [{ name: 'Test' }], type: 'curve25519', format: 'object' });
  variables = {
    identity,
    other,
    recipient: await identityToRecipient(identity),
    otherRecipient: await identityToRecipient(other),
    fingerprint: pgp.publicKey.getFingerprint().toUpperCase(),
    publicKey: fileOf(pgp.publicKey.armor()),
    privateKey: fileOf(pgp.privateKey.armor()),
  };
});

const FILES = `
file keys.txt
| \${identity}
file other.txt
| \${other}
file me.asc
\${publicKey}
file secret.asc
\${privateKey}
file value
| new
file db.yaml
| password: correct horse
| user: app
`;

const play = (session: string) => playSession(FILES + session, variables);

/** Three groups, and how many of them the rule wants. */
const rule = (threshold: number, first = `age: ['\${recipient}']`): string => `
file .sops.yaml
| creation_rules:
| - shamir_threshold: ${threshold}
|   key_groups:
|   - ${first}
|   - age: ['\${otherRecipient}']
|   - pgp: ['\${fingerprint}']
`;

describe('OpenPGP keys on the command line', () => {
  it('encrypt with --pgp and the public key of a file, and decrypt with the private one', async () => {
    await play(`
$ sotto encrypt --pgp \${fingerprint} --pgp-key me.asc db.yaml > db.enc.yaml
exit 0
has db.enc.yaml \${fingerprint}
hasnot db.enc.yaml correct horse
$ sotto decrypt --key-file secret.asc db.enc.yaml
> password: "correct horse"
> user: app
exit 0
$ sotto secret set --yes --key-file secret.asc db.enc.yaml password < value
! password of db.enc.yaml: written
exit 0
$ sotto secret show --key-file secret.asc db.enc.yaml password
> new
exit 0
`);
  });

  it('are taken from the rule of the file, and from SOPS_PGP_FP', async () => {
    await play(`
file .sops.yaml
| creation_rules:
| - pgp: \${fingerprint}
$ sotto encrypt --pgp-key me.asc db.yaml > db.enc.yaml
exit 0
has db.enc.yaml \${fingerprint}
env SOPS_PGP_FP=\${fingerprint}
$ sotto encrypt --pgp-key me.asc db.yaml > db.enc.yaml
exit 0
has db.enc.yaml \${fingerprint}
`);
  });

  it('are refused where the public key is not at hand, and the file stays as it is', async () => {
    await play(`
$ sotto encrypt -i --pgp \${fingerprint} db.yaml
! SOTTO-SOPS-062: the public part of an OpenPGP key is needed (db.yaml) — … \${fingerprint}, and no --pgp-key holds it; … — gpg --armor --export \${fingerprint} > \${fingerprint}.asc   (then the same command with --pgp-key \${fingerprint}.asc)
exit 2
same db.yaml
$ sotto encrypt -i --pgp 1234 db.yaml
! SOTTO-CLI-001: --pgp takes the fingerprint of an OpenPGP key — 1234 is not 40 hexadecimal digits — …
exit 2
same db.yaml
`);
  });
});

describe('key groups on the command line', () => {
  it('stay groups with their threshold through secret set, and every needed group must open', async () => {
    await play(`${rule(2)}
$ sotto encrypt -i --pgp-key me.asc db.yaml
exit 0
has db.yaml shamir_threshold: 2
$ sotto secret set --yes --key-file keys.txt --key-file other.txt db.yaml password < value
! password of db.yaml: written
exit 0
has db.yaml shamir_threshold: 2
has db.yaml recipient: \${recipient}
has db.yaml recipient: \${otherRecipient}
$ sotto secret show --key-file keys.txt --key-file other.txt db.yaml password
> new
exit 0
$ sotto secret show --key-file keys.txt db.yaml password
! note: …
! SOTTO-SOPS-030: too few key groups of the file open (db.yaml… — 2 of 3 are needed: group 1 (\${recipient}) opens; group 2 (\${otherRecipient}) does not open; group 3 (OpenPGP key \${fingerprint}) does not open; … — …
exit 4
`);
  });

  it('refuse a change of a file that opens with fewer groups than the rule wants', async () => {
    await play(`${rule(2)}
$ sotto encrypt -i --pgp-key me.asc db.yaml
exit 0
${rule(3)}
$ sotto secret set --yes --key-file keys.txt --key-file other.txt db.yaml password < value
! SOTTO-SOPS-063: the file opens with fewer key groups than .sops.yaml wants (db.yaml:… — 2 are enough for the file, and the rule wants 3 — …
exit 2
$ sotto secret show --key-file keys.txt --key-file secret.asc db.yaml password
> correct horse
exit 0
`);
  });

  it('refuse a recipient in a group in which the rule does not name it', async () => {
    await play(`${rule(2, `age: ['\${recipient}', '\${otherRecipient}']`)}
$ sotto encrypt -i --pgp-key me.asc db.yaml
exit 0
${rule(2)}
$ sotto secret set --yes --key-file keys.txt --key-file other.txt db.yaml password < value
! SOTTO-CLI-091: the file is encrypted for somebody whom .sops.yaml does not name (db.yaml:… — the file names \${otherRecipient}; … — …
exit 2
`);
  });
});
