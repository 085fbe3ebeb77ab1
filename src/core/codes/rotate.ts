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
      'The push was refused because the branch at the remote had moved. What came in was taken as the new base and everything was encrypted from there, several times, or could not be, because this branch has commits that the remote has not. The remote and this checkout are as they were.',
    example: 'git pull --rebase\nsotto rotate …   (the same command again)',
  },
  'SOTTO-ROTATE-008': {
    title: 'The rotation was not pushed',
    explain:
      'The remote did not take the commit for another reason than a race: no connection, no right, a rule for the branch. The commit exists in this clone, and no branch was moved by it unless --branch asked for one.',
    example: 'git push --dry-run',
  },
  'SOTTO-ROTATE-009': {
    title: 'This way of rotating is not in this version',
    explain:
      'This version rotates in a checkout, with the keys that files hold: --key-file with --new-key for age, with --cert for SealedSecrets. What is not built is refused.',
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
} as const satisfies Record<string, CodeEntry>;
