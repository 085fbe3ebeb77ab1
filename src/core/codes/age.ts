import type { CodeEntry } from './entry.ts';

export const AGE_CODES = {
  'SOTTO-AGE-001': {
    title: 'No held identity opens the file',
    explain:
      'The file is encrypted for recipients of which none belongs to an identity at hand. Add the identity, or ask somebody named in the file to add your recipient.',
  },
  'SOTTO-AGE-002': {
    title: 'A line of the key file is not an age identity',
    explain:
      'Lines are identities (AGE-SECRET-KEY-1…), comments that start with #, or empty. The line has a typing error or is something else.',
  },
  'SOTTO-AGE-003': {
    title: 'This kind of identity is not in this version',
    explain:
      'This version holds X25519 and post-quantum hybrid identities and SSH keys. Plugin identities are refused, and encrypted key files where nobody can be asked for the passphrase.',
  },
  'SOTTO-AGE-004': {
    title: 'The key file holds no identity',
    explain: 'After comments and empty lines nothing is left. Make an identity with age-keygen.',
    example: 'age-keygen -o age.agekey',
  },
  'SOTTO-AGE-005': {
    title: 'A wrapped data key is damaged',
    explain:
      'An age entry of the sops block is not a readable age file, or was changed. Restore the sops block from Git history.',
  },
  'SOTTO-AGE-006': {
    title: 'A data key has the wrong length',
    explain: 'The data key of a SOPS file has 32 bytes. The entry was not made by sops or sotto.',
  },
  'SOTTO-AGE-007': {
    title: 'An age recipient is not usable',
    explain:
      'A recipient is the public part of an identity: age1 and 58 more characters, age1pq1 and about 1,950 more, or the line of an SSH public key (Ed25519, or RSA of at least 2048 bits). It is told by age-keygen -y.',
    example: 'age-keygen -y age.agekey',
  },
  'SOTTO-AGE-008': {
    title: 'This kind of recipient is not in this version',
    explain:
      'This version encrypts for X25519 (age1…), post-quantum hybrid (age1pq1…) and SSH recipients. Recipients of plugins are refused.',
  },
  'SOTTO-AGE-009': {
    title: 'No recipient was given',
    explain: 'A file is encrypted for at least one recipient. Name one, or put one into .sops.yaml.',
  },
  'SOTTO-AGE-010': {
    title: 'An SSH key cannot be used as identity',
    explain:
      'SSH keys open files that were encrypted for their public key. Ed25519 and RSA keys are read; those behind a passphrase on the command line only, where somebody can be asked.',
  },
} as const satisfies Record<string, CodeEntry>;
