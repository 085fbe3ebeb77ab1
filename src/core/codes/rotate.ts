import type { CodeEntry } from './entry.ts';

export const ROTATE_CODES = {
  'SOTTO-ROTATE-001': {
    title: 'Nothing says which key is replaced',
    explain:
      'A rotation replaces one age recipient by another. It is the one whose identity is among the key files, if files or rules name exactly one of those; else --old says which. Nothing was changed.',
    example: 'sotto rotate --old age1… --key-file old.txt --new-key new.txt --plan',
  },
  'SOTTO-ROTATE-002': {
    title: 'A rotation was interrupted here',
    explain:
      'The checkout has the journal of a rotation that did not come to its end: the commit exists, and branch, files or index are still behind it. --resume carries exactly that commit out; nothing is encrypted again.',
    example: 'sotto rotate --resume',
  },
  'SOTTO-ROTATE-003': {
    title: 'There is no rotation to resume',
    explain:
      'The checkout has no journal of a rotation. One that was interrupted before its commit was recorded has changed nothing: run the same command as before; a new key that was written already is taken.',
  },
  'SOTTO-ROTATE-004': {
    title: 'A rotation cannot be resumed as it is',
    explain:
      'Since it was interrupted, the branch, the checked out branch or one of its files became something that is neither the state before nor the one after. Nothing of that is overwritten. Look at git status and git reflog; once branch and files are as they were, --resume goes on.',
    example: 'git status\nsotto rotate --resume',
  },
  'SOTTO-ROTATE-005': {
    title: 'The file of the new key cannot be used',
    explain:
      'The new age identity is written to a file that only you may read, outside of the working tree, or is taken from there if it exists already; then it has to hold exactly one identity.',
    example: 'sotto rotate --key-file old.txt --new-key /dev/shm/new.txt',
  },
  'SOTTO-ROTATE-006': {
    title: 'No rule of .sops.yaml speaks of a file for the old key',
    explain:
      'The recipients in a SOPS file are not authenticated; .sops.yaml vouches for them. Where there is one, each file that is encrypted anew needs a rule. Nothing was changed.',
    example: 'sotto recipients check',
  },
  'SOTTO-ROTATE-007': {
    title: 'Others were faster each time',
    explain:
      'The push was refused because the branch at the remote had moved. What came in was taken as the new base and everything was encrypted from there, several times, or could not be: because this branch has commits that the remote has not, or because a file or a rule there is for somebody for whom none was in the plan that was said yes to. Whoever may push could add a recipient that way and get everything, so that is looked at first. The remote and this checkout are as they were.',
    example: 'git pull --rebase\nsotto rotate …   (the same command again)',
  },
  'SOTTO-ROTATE-008': {
    title: 'The rotation was not pushed',
    explain:
      'The remote did not take the commit for another reason than a race: no connection, no right, a rule for the branch. The commit exists in this clone, and no branch was moved by it unless --branch asked for one.',
    example: 'git push --dry-run',
  },
  'SOTTO-ROTATE-009': {
    title: 'Nothing says what the new key is',
    explain:
      'A rotation is for a new age key, made into a file (--new-key) or as a Secret of the agent (--new-secret), or for a new sealing certificate (--cert). A rotation by the agent itself (--in-cluster) makes them by itself.',
  },
  'SOTTO-ROTATE-010': {
    title: 'Nothing vouches for the new sealing certificate',
    explain:
      'Whoever could swap the certificate could read everything that is sealed for it. It is taken if its private key is among the key files, or if sotto.yaml pins its fingerprint (sealing.certificate).',
  },
  'SOTTO-ROTATE-011': {
    title: 'There is nothing to rotate',
    explain:
      'No document of the commit is for the old key, or everything is for the new one already. Nothing was changed.',
    example: 'sotto rotate --plan …',
  },
  'SOTTO-ROTATE-012': {
    title: 'A SealedSecret of this form is not sealed again',
    explain:
      'Items are replaced one by one where they stand under spec.encryptedData of a document of their own. The form of 2018 (spec.data) is sealed as a whole, and a List holds several: give each SealedSecret a document of its own.',
    example: 'sotto unseal --key-file keys.yaml old.yaml | sotto seal --cert new.pem -',
  },
  'SOTTO-ROTATE-013': {
    title: 'The agent’s keys cannot be found out',
    explain:
      'With --new-secret the key Secrets are those that the agent uses, which its settings (ConfigMap sotto) and labels say. Whoever rotates so needs the right to read both.',
    example: 'kubectl auth can-i get secrets -n team-app',
  },
  'SOTTO-ROTATE-014': {
    title: 'The agent has not shown that it holds the new key',
    explain:
      'Before anything is encrypted for a key that was made in the cluster, the running agent has to open a nonce that only this key opens, and to answer with a MAC that nobody else can make. A status that somebody else writes is noticed by that. The key stays where it is, and the next run takes it.',
    example: 'sotto logs -n team-app',
  },
  'SOTTO-ROTATE-015': {
    title: 'The agent does not run the rotated revision yet',
    explain:
      'The commit was pushed, and within the time no sync was ready with it. Old and new key are both in the cluster, so nothing is lost; the old one is not marked as going until the agent is there.',
    example: 'sotto status',
  },
  'SOTTO-ROTATE-016': {
    title: 'A workload changed while the keys were rotated',
    explain:
      'A rotation changes no value, so it restarts nothing. A workload that existed before has another generation after it: somebody changed it at the same time, or the commit on the branch brought more than the rotation. The rotation itself is complete.',
    example: 'kubectl rollout history deployment/NAME',
  },
  'SOTTO-ROTATE-017': {
    title: 'There is no new sealing key',
    explain:
      'With --new-sealing the agent makes the key: it needs sealing.enabled, must not be bound to other keys (sealing.keys) or to one certificate (sealing.certificate), and has to be running. Nothing was encrypted; a key that was marked as one that only opens goes on opening.',
    example: 'sotto status',
  },
  'SOTTO-ROTATE-018': {
    title: 'A commit does more than a rotation',
    explain:
      'sotto check --rotation needs no key: it compares a commit with the one before. A rotation replaces one recipient in .sops.yaml and files, makes every ciphertext new with the same type and length, and changes nothing else. A file of this commit is otherwise, so it has to be looked at by somebody. That values are equal only a key can show.',
    example: 'git show COMMIT -- FILE',
  },
  'SOTTO-ROTATE-030': {
    title: 'A file would stay for the old key',
    explain:
      'A SOPS file, or a .sops.yaml, is there and cannot be changed with the others: it is not text in UTF-8, its name is not, or the .sops.yaml is a link, which names another file. A rotation that passed it over would say that it is done, and the file would open with the old key alone. Nothing was made or changed.',
    example: 'git ls-files -s',
  },
  'SOTTO-ROTATE-050': {
    title: 'It cannot be told any more what is exposed',
    explain:
      'After a rotation for a key in wrong hands the agent follows every value that the key could open, until it is another one. What it keeps for that is in ConfigMap sotto-exposure, sealed with a key made from the fingerprint key, and the inventory says which writing of it counts. It is gone, was changed by somebody, or is an older one, so nothing of it is trusted. Restore it and restart the agent, or change every value and say so.',
    example: 'sotto rotate accept --all --reason "every value was changed on 2027-02-03"',
  },
  'SOTTO-ROTATE-051': {
    title: 'The values that a key could open are not followed',
    explain:
      'With --reason compromised the agent notes, before anything is encrypted for another key, which of the values that it has applied the old key could open. It cannot while a sync has made no pass since the start, for more than 5,000 values or 20 keys, or where it cannot keep them. Nothing was rotated.',
    example: 'sotto status',
  },
  'SOTTO-ROTATE-052': {
    title: 'There is nothing to accept',
    explain:
      'A value is accepted by its file, from the root of the repository, and its key, as sotto status names them. Nothing that is exposed stands there: it has changed meanwhile, or was accepted before.',
    example: 'sotto rotate accept deploy/db.yaml stringData.user --reason "a name, no secret"',
  },
  'SOTTO-ROTATE-053': {
    title: 'What is exposed cannot be kept',
    explain:
      'The agent keeps which exposed values are still in use in ConfigMap sotto-exposure: keyed digests, sealed, and never a value. RBAC, a quota or admission refuses it, or it is too large. It is in memory and tried again with the next pass; only a restart would lose it.',
    example: 'kubectl auth can-i update configmaps --as=system:serviceaccount:team-app:sotto',
  },
  'SOTTO-ROTATE-040': {
    title: 'The receipt of a rotation cannot be read',
    explain:
      'A commit brings .sotto/rotation.json, and it is no receipt as sotto writes it: a plain file with one form only, in which every byte counts. Whoever changed it by hand, by a formatter or by a filter of git has made it worthless. Nothing that it says is taken.',
    example: 'git show COMMIT -- .sotto/rotation.json',
  },
  'SOTTO-ROTATE-041': {
    title: 'The signature of a receipt is not good',
    explain:
      'The receipt was changed after it was signed, or the key that it names has never signed it. Nothing that it says is taken: look at who made the commit.',
    example: 'git log --show-signature -1 COMMIT',
  },
  'SOTTO-ROTATE-042': {
    title: 'A receipt is not signed by the key that is pinned',
    explain:
      'Anybody can sign a receipt with a key of their own; the agent’s is the one that rotation.receiptKey of sotto.yaml (or --receipt-key) names. It is derived from the fingerprint Secret, so a new one of those has another key. With --require-receipt a receipt is found too if no key is pinned at all.',
    example: 'sotto keys export -n team-app',
  },
  'SOTTO-ROTATE-043': {
    title: 'A receipt speaks of other content than the commit has',
    explain:
      'The receipt names each file that the rotation changed, with the ids of its content before and after. This file is another one, was added to the commit, or is missing from it: so nobody who holds a key has said that it is equal. Rotate again from the branch as it is now.',
    example: 'git show COMMIT -- FILE',
  },
  'SOTTO-ROTATE-044': {
    title: 'A receipt was made for another commit',
    explain:
      'The receipt names the commit that everything was read from, and it is not the parent of this one. After a rebase or a cherry-pick the files may all be as the receipt says, and then only what stands beside them is another; a receipt that was taken from elsewhere has other files as well. Check the commit that was rotated, or rotate again from here.',
    example: 'sotto check --rotation COMMIT_BEFORE_THE_REBASE',
  },
  'SOTTO-ROTATE-045': {
    title: 'A rotation has no receipt',
    explain:
      'With --require-receipt a rotation is taken only with a receipt of the agent. One that a person made in a checkout has none: without a key it shows that only keys and ciphertext changed, and not that values are equal.',
    example: 'sotto check --rotation COMMIT',
  },
  'SOTTO-ROTATE-046': {
    title: 'No receipt was signed for a rotation',
    explain:
      'Before a receipt is signed, the new files are judged as sotto check --rotation judges them. One of them changed in more than keys and ciphertext, or the receipt would be too large to be read. Nothing was committed.',
  },
  'SOTTO-ROTATE-047': {
    title: 'The agent signs receipts by another key than the pinned one',
    explain:
      'The agent’s key for receipts is derived from its fingerprint Secret, and rotation.receiptKey of its settings names another. Its receipts will not be taken (SOTTO-ROTATE-042). After the fingerprint Secret was made anew on purpose, put its new key into sotto.yaml; receipts of before stay good for the commits that they are in, with the old key given as --receipt-key.',
    example: 'sotto keys export -n team-app',
  },
  'SOTTO-ROTATE-080': {
    title: 'A rotation is not resumed with another cluster',
    explain:
      'What is left of a rotation is done with the agent that proved the new key: its commit is waited for, and the Secret of the old key is marked. The address of the API server is written down with it, so a context that leads elsewhere by now is noticed. Name the right one with --context or --kubeconfig.',
    example: 'sotto rotate --resume --context NAME',
  },
  'SOTTO-ROTATE-070': {
    title: 'The fingerprint key is not changed now',
    explain:
      'A change of the fingerprint key makes everything anew that was made with it, so every sync has to be as its commit says, and nothing may be paused or suspended. Otherwise what it restarts could not be told, and the former key could not go.',
    example: 'sotto status',
  },
  'SOTTO-ROTATE-071': {
    title: 'The fingerprint key is being changed already',
    explain:
      'The key was changed, and something made with the former one is left; the Secret holds both until then. It goes on by itself, also after a restart of the agent. The message says what it waits for: mostly a plan that is held.',
    example: 'sotto status',
  },
  'SOTTO-ROTATE-072': {
    title: 'The plan of a change of the fingerprint key is another one by now',
    explain:
      'What was shown before the yes is not what would happen now, because a commit, the settings or the key have changed. Nothing was changed. Look at the plan again.',
    example: 'sotto rotate --fingerprint --plan',
  },
  'SOTTO-ROTATE-073': {
    title: 'The agent does not say what a change of the fingerprint key does',
    explain:
      'The agent has answered, but its status has no plan: it is of another version, or somebody else writes the status.',
    example: 'sotto version',
  },
} as const satisfies Record<string, CodeEntry>;
