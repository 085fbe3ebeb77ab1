import type { CodeEntry } from './entry.ts';

export const KEYS_CODES = {
  'SOTTO-KEYS-001': {
    title: 'A key Secret named in the settings does not exist',
    explain:
      'decryption.keys or sealing.keys names a Secret that is not in the agent’s namespace. Other keys are used meanwhile; what only this one opens stays as it is.',
  },
  'SOTTO-KEYS-002': {
    title: 'A key Secret holds no usable key',
    explain:
      'The Secret is named or labelled as a key Secret, but none of its entries is a key sotto can read: *.agekey for age, *.asc for OpenPGP, tls.key with tls.crt for sealing.',
  },
  'SOTTO-KEYS-004': {
    title: 'An entry of a key Secret is not recognised',
    explain:
      'The name of the entry decides how it is read, as in Flux: age identities end in .agekey, OpenPGP keys in .asc. An entry under any other name would be ignored silently, so it is reported.',
  },
  'SOTTO-KEYS-005': {
    title: 'A sealing key Secret is not a TLS Secret',
    explain:
      'A Secret with the stock label sealedsecrets.bitnami.com/sealed-secrets-key=active must be of type kubernetes.io/tls and hold tls.key and tls.crt.',
  },
  'SOTTO-KEYS-010': {
    title: 'The credential Secret is not marked for this use',
    explain:
      'A Secret is sent to a Git server only if it carries the label sotto.dev/use: git. Otherwise whoever may write the settings could have any Secret of the namespace sent anywhere.',
    example: 'kubectl label secret git-auth -n team-app sotto.dev/use=git',
  },
  'SOTTO-KEYS-011': {
    title: 'The credential Secret is marked for another use',
    explain: 'Its label sotto.dev/use names another purpose, and a Secret serves one purpose only.',
  },
  'SOTTO-KEYS-012': {
    title: 'The credential Secret does not say for which source it is',
    explain:
      'The annotation sotto.dev/for names the URL, or the beginning of it, to which the credential may be sent. Without it the credential is not used.',
    example: 'kubectl annotate secret git-auth -n team-app sotto.dev/for=https://git.example.com/team/app.git',
  },
  'SOTTO-KEYS-013': {
    title: 'The credential is for another source',
    explain:
      'The URL of the source does not begin with what the annotation sotto.dev/for says: scheme, host and port must be equal and the path must match whole segments.',
    example:
      'kubectl annotate secret git-auth -n team-app --overwrite sotto.dev/for=https://git.example.com/team/app.git',
  },
  'SOTTO-KEYS-014': {
    title: 'A URL prefix cannot be compared safely',
    explain:
      'Prefixes and source URLs are plain https URLs without user, query, fragment, blanks, backslashes and percent-encoded dots or slashes: everything that two programs could read differently is refused.',
  },
  'SOTTO-KEYS-015': {
    title: 'The credential Secret holds no credential',
    explain: 'Git over https takes username and password, or bearerToken, and ca.crt for a private authority.',
  },
  'SOTTO-KEYS-016': {
    title: 'A credential is incomplete or ambiguous',
    explain: 'Either username and password together, or bearerToken; not one half, and not both.',
  },
  'SOTTO-KEYS-017': {
    title: 'A kind of Git credential is not in this version',
    explain: 'SSH keys (identity, known_hosts) and client certificates (tls.crt, tls.key) are not read yet.',
  },
  'SOTTO-KEYS-018': {
    title: 'The certificate authority of a credential cannot be read',
    explain:
      'ca.crt of the credential Secret must hold certificates in PEM: the authority that signed the certificate of the Git server, and no key.',
  },
  'SOTTO-KEYS-019': {
    title: 'The Secret with a credential does not exist',
    explain:
      'source.git.secretRef names a Secret that is not in the namespace of the agent. Create it, with the label and the annotation that say what it is for.',
  },
  'SOTTO-KEYS-020': {
    title: 'The fingerprint key cannot be used',
    explain:
      'The Secret named by fingerprintSecret must hold 32 random bytes in its entry key. It is part of every backup; a new one makes the inventory unreadable, so it is never replaced silently.',
  },
  'SOTTO-KEYS-021': {
    title: 'The fingerprint key is gone',
    explain:
      'The Secret with the fingerprint key does not exist, but an inventory that was made with it does. A new key could not tell what sotto applied, so none is made while the inventory exists. Restore the Secret from its backup, or delete the inventory as well: then nothing is pruned until every object was applied again.',
  },
  'SOTTO-KEYS-040': {
    title: 'A passphrase does not open the key',
    explain:
      'The key is protected by a passphrase, and what was typed is not it. Nothing tells whether the passphrase or the file is wrong.',
  },
  'SOTTO-KEYS-041': {
    title: 'A key needs a passphrase, and nobody can be asked',
    explain:
      'The key is protected by a passphrase, which is asked for on the terminal and taken from nowhere else. Standard input is no terminal here. Run the command at one, with the content in a file, or give a key without a passphrase.',
  },
  'SOTTO-KEYS-042': {
    title: 'A key in a Secret is protected by a passphrase',
    explain:
      'Nobody is there to type a passphrase when the agent needs the key. The Secret protects the key in the cluster; put the key in without a passphrase. Other entries and Secrets are used.',
  },
  'SOTTO-KEYS-043': {
    title: 'An OpenPGP key cannot be used',
    explain:
      'The text is not an armored OpenPGP key of version 4 as gpg writes it, is damaged, or holds public parts only.',
    example: 'gpg --armor --export-secret-keys FINGERPRINT > sops.asc',
  },
  'SOTTO-KEYS-044': {
    title: 'A passphrase-protected file asks for too much work',
    explain:
      'The file says how much work it takes to try a passphrase. age makes files of 2^18 steps; one of more than 2^22 would keep the machine busy for minutes and is refused.',
  },
  'SOTTO-KEYS-050': {
    title: 'There is no credential for an allowed key service',
    explain:
      'The service may be called, but nothing is held that it would let in. In the agent credentials are entries of key Secrets as Flux names them: sops.vault-token for Vault and OpenBao, sops.aws-kms for AWS, sops.gcp-kms for Google Cloud, sops.azure-kv for Azure. On the command line they are what the stock programs use: VAULT_TOKEN or ~/.vault-token, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws/credentials, GOOGLE_OAUTH_ACCESS_TOKEN or the file of a service account, AZURE_CLIENT_SECRET and its ids.',
    example: 'kubectl create secret generic sops-vault --from-file=sops.vault-token=TOKENFILE',
  },
  'SOTTO-KEYS-051': {
    title: 'The credential for a key service cannot be used',
    explain:
      'It has not the form of such a credential: a token of Vault is one line of printable characters, sops.aws-kms has the lines aws_access_key_id: ID and aws_secret_access_key: KEY (and aws_session_token: TOKEN for keys that pass), sops.gcp-kms is the JSON file of a service account, sops.azure-kv has tenantId, clientId and clientSecret, and ca.crt beside it is a certificate in PEM. The service was not asked with it.',
  },
  'SOTTO-KEYS-060': {
    title: 'A key is past the end that was set for it',
    explain:
      'A rotation left the key there to open older commits, and said until when (annotation sotto.dev/until). It goes on opening; nothing is deleted by a clock. When no branch needs it any more, retire it; or move the date.',
    example: 'sotto keys retire SECRET',
  },
  'SOTTO-KEYS-061': {
    title: 'A key Secret is missing',
    explain:
      'A backup of keys holds every key Secret of the agent and the fingerprint Secret, or it is not made: one without the fingerprint key would not bring back the inventory.',
    example: 'kubectl get secret sotto-fingerprint',
  },
  'SOTTO-KEYS-062': {
    title: 'A backup of keys does not open',
    explain:
      'A backup is an age file for a recipient or behind a passphrase, and holds a List of Secrets. It opens with the identity it was made for (--key-file), or with the passphrase at a terminal. Stock age opens it as well.',
    example: 'age -d -i recovery.txt backup.age',
  },
  'SOTTO-KEYS-063': {
    title: 'Documents do not open with the backup',
    explain:
      'Every encrypted document of HEAD was tried with the keys of the backup alone, and some do not open: the backup is older than a rotation, or they are for keys that the agent does not have. Make a new backup; keep the old one for old commits.',
    example: 'sotto keys backup --recipient age1… --out backup.age',
  },
  'SOTTO-KEYS-064': {
    title: 'A key is still needed',
    explain:
      'Heads of branches, here or at the remotes, have files that only this key opens. A retired key opens nothing in the cluster, so a commit from there could not be applied. Rotate those branches, merge them, or delete them.',
    example: 'git branch -d OLD-BRANCH',
  },
  'SOTTO-KEYS-065': {
    title: 'Whether a key is still needed cannot be told',
    explain:
      'sotto keys retire looks at the heads of all branches, and asks the remotes for them first. One of them could not be asked. Nothing was changed; --no-fetch takes the branches as they were fetched last.',
    example: 'git fetch --all',
  },
  'SOTTO-KEYS-066': {
    title: 'There is no such key',
    explain:
      'No key Secret that the agent would use is called so or holds that key. Secrets are key Secrets by their label or because the settings name them; give the name of one, a recipient, or a fingerprint, as the list shows them.',
    example: 'sotto keys list',
  },
  'SOTTO-KEYS-067': {
    title: 'A Secret in the cluster differs from the backup',
    explain:
      'sotto keys restore makes Secrets that are missing and never writes over one that holds something else. Nothing was restored. Find out which of the two is right; rename or delete the one in the cluster only if it is not.',
    example: 'kubectl get secret NAME -o yaml',
  },
  'SOTTO-KEYS-080': {
    title: 'Documents would not come back',
    explain:
      'sotto keys rehearse opened every encrypted document of HEAD with the recovery identity and with the keys of backups that it opens, as if the cluster were gone, and some do not open. The agent may well open them, with a key that only its cluster has. Add the recovery recipient to them, or back the keys up for it.',
    example: 'sotto keys backup --recipient age1… --out keys.age',
  },
  'SOTTO-KEYS-081': {
    title: 'Objects would not come back',
    explain:
      'sotto keys rehearse sent every object of the syncs to the API server as a dry run, as into a namespace where nothing is, and some were not rendered or not taken. Live objects do not show it: they were taken when rules, kinds or the manifests were others.',
    example: 'sotto keys rehearse --key-file recovery.txt -n team-app',
  },
  'SOTTO-KEYS-082': {
    title: 'It is not certain which settings a rehearsal is for',
    explain:
      'The settings say which paths are applied. They are taken from --config, else from the repository (a sotto.yaml, or the manifest of ConfigMap sotto), else from the cluster. Here there are none, or several and none of them nearer than the others.',
    example: 'sotto keys rehearse --key-file recovery.txt --config sotto.yaml',
  },
  'SOTTO-KEYS-090': {
    title: 'The file is not one private key',
    explain:
      'sotto keys add takes exactly one private key: an age identity, an SSH or OpenPGP private key, or tls.key with tls.crt of a sealing key in one PEM file or in the manifest of one Secret. A recipient, a public key or a certificate opens nothing; several keys go into Secrets of their own.',
    example: 'age-keygen -o new.txt && sotto keys add new.txt -n team-app',
  },
  'SOTTO-KEYS-091': {
    title: 'The agent has the key already',
    explain:
      'A key Secret that the agent would use holds the same key. Nothing was made. A retired key opens nothing until its mark is taken off.',
    example: 'sotto keys list -n team-app',
  },
  'SOTTO-KEYS-092': {
    title: 'A Secret of this name exists',
    explain: 'sotto keys add makes a Secret of its own and never writes over one. Give the new one another name.',
    example: 'sotto keys add new.txt --name team-key -n team-app',
  },
  'SOTTO-KEYS-093': {
    title: 'Others may read the file with the key',
    explain:
      'A file with a private key belongs to its owner alone. Take the rights of group and others away; if somebody may have read it, make another key instead.',
    example: 'chmod 600 new.txt',
  },
  'SOTTO-KEYS-094': {
    title: 'The agent has not shown that it holds the key',
    explain:
      'The Secret with the key was made, and then the agent was asked to open something that was encrypted for it, or to list it. It did not within half a minute: it does not run, may not read the Secret, or the settings name other keys. The Secret stays.',
    example: 'sotto keys list -n team-app',
  },
  'SOTTO-KEYS-100': {
    title: 'The fingerprint key is another one than the inventory was made with',
    explain:
      'The inventory says the id of the key it was made with, and the Secret named by fingerprintSecret holds another key: it was replaced, or restored from a backup that is older than the last sotto rotate --fingerprint. The agent does not start: with a wrong key its record is worthless, and generated names would change. Put the right key back from the newest backup. Without one, delete the inventory: nothing is pruned then until every object was applied again.',
    example:
      'kubectl delete secret sotto-fingerprint -n team-app && sotto keys restore keys.age --key-file recovery.txt -n team-app',
  },
  'SOTTO-KEYS-101': {
    title: 'The fingerprint Secret was changed while the agent runs',
    explain:
      'The Secret named by fingerprintSecret was deleted, or holds another key than the one that the agent read when it started. The running agent goes on with the key in memory; after a restart it would refuse to start (SOTTO-KEYS-021, SOTTO-KEYS-100). Put the right one back from the newest backup.',
    example: 'sotto keys restore keys.age --key-file recovery.txt -n team-app',
  },
  'SOTTO-KEYS-102': {
    title: 'The backup holds a former fingerprint key',
    explain:
      'The inventory in the cluster was made with another fingerprint key than the one in the backup: the backup is older than the last sotto rotate --fingerprint. Nothing was restored. Take a newer backup. Without one, delete the inventory and restore again: nothing is pruned then until every object was applied again, and generated names change.',
    example: 'kubectl delete configmap sotto-inventory -n team-app',
  },
  'SOTTO-KEYS-103': {
    title: 'The former fingerprint key is still needed',
    explain:
      'sotto rotate --fingerprint has changed the key, and not everything that was made with the former one has been made anew: a sync is held, refused or paused. The Secret keeps both keys until then, in its entries key and previous; a restart of the agent goes on with it. When the sync is as its commit says, the former key is removed by itself.',
    example: 'sotto status',
  },
} as const satisfies Record<string, CodeEntry>;
