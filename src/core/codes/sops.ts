import type { CodeEntry } from './entry.ts';

export const SOPS_CODES = {
  'SOTTO-SOPS-001': {
    title: 'The file was changed after it was encrypted',
    explain:
      'The message authentication code of the file does not match its content. Somebody edited the file without sops or sotto.',
  },
  'SOTTO-SOPS-002': {
    title: 'The file has no sops block',
    explain:
      'The first document of a SOPS file has a top-level key sops with the wrapped keys and the message authentication code. Without it nothing can be opened.',
  },
  'SOTTO-SOPS-003': {
    title: 'The sops block is not usable',
    explain:
      'A field of the sops block is missing or has the wrong form. Formatters that drop the quotes of lastmodified do this, and so do hand edits.',
  },
  'SOTTO-SOPS-004': {
    title: 'The file has no message authentication code',
    explain: 'Without sops.mac nobody can tell whether the file was changed, so it is refused. Restore the file.',
  },
  'SOTTO-SOPS-005': {
    title: 'A value that must be encrypted is in clear',
    explain:
      'The selector of the sops block says that this value is encrypted, but it is not. A value added by hand to an encrypted file does this: add it with sops or sotto.',
  },
  'SOTTO-SOPS-006': {
    title: 'An encrypted value is damaged',
    explain: 'The text is not of the form ENC[AES256_GCM,data:…,iv:…,tag:…,type:…], or its base64 is broken.',
  },
  'SOTTO-SOPS-007': {
    title: 'An encrypted value does not belong to its place',
    explain:
      'The value failed its authentication: it was changed, moved to another key, or encrypted with another data key. Restore it from Git history or set it anew.',
  },
  'SOTTO-SOPS-008': {
    title: 'More than one selector is set',
    explain: 'Only one of the selectors (encrypted_regex, unencrypted_suffix and so on) may be set.',
  },
  'SOTTO-SOPS-009': {
    title: 'What the comments of the file choose to encrypt is not certain',
    explain:
      'encrypted_comment_regex and unencrypted_comment_regex choose values by the comments before them. Where a comment stands so that sops could take it to belong elsewhere, or aliases repeat it, or sops could not open its own file, the file is refused: a value must not stay in clear by mistake. In INI files sops counts the comment above a key for the key after it.',
  },
  'SOTTO-SOPS-010': {
    title: 'The regular expression of a selector is not usable',
    explain:
      'sops reads it as RE2. An expression that does not compile would silently encrypt nothing or everything in sops, so it is refused; so are the few forms this version does not know.',
  },
  'SOTTO-SOPS-011': {
    title: 'The keys of the file are not in this version',
    explain:
      'This version opens files encrypted for age recipients and OpenPGP keys, and with keys of Vault, AWS KMS, Google Cloud KMS and Azure Key Vault. Other keys (Huawei Cloud) are refused without a connection being made.',
  },
  'SOTTO-SOPS-012': {
    title: 'The file is encrypted for nobody',
    explain:
      'The sops block names no key at all, so nobody can open the file. Restore the block from Git history, or encrypt the plain file anew.',
  },
  'SOTTO-SOPS-013': {
    title: 'A key of the document is not a string',
    explain: 'sops refuses documents with keys that are numbers, booleans or null. Quote the key.',
  },
  'SOTTO-SOPS-014': {
    title: 'A SOPS document is not a mapping',
    explain: 'Each document of a SOPS file is a mapping (or empty). Lists and single values cannot be encrypted.',
  },
  'SOTTO-SOPS-015': {
    title: 'The aliases of a file cannot be encrypted',
    explain:
      'An encrypted value is bound to its place, so on encryption what an alias stands for is written out at each place, as sops does. That is refused where it would grow larger than a file may be; and an encrypted file in which an alias repeats an encrypted value was not made by sops.',
  },
  'SOTTO-SOPS-016': {
    title: 'The file is already encrypted',
    explain: 'It has a top-level key sops, which is reserved for the metadata of an encrypted file.',
  },
  'SOTTO-SOPS-017': {
    title: 'A number is out of the range of SOPS',
    explain:
      'sops has 64-bit signed integers. Quote the number if it is an identifier: as text it may have any length.',
  },
  'SOTTO-SOPS-018': {
    title: 'There is nothing to encrypt',
    explain:
      'The file holds no document, or its first document is empty, so there is no place for the sops block. Remove the empty document.',
  },
  'SOTTO-SOPS-019': {
    title: 'No creation rule matches the file',
    explain: 'None of the creation_rules of .sops.yaml has a path_regex that matches the path of the file.',
  },
  'SOTTO-SOPS-020': {
    title: 'The .sops.yaml is not usable',
    explain:
      'A field has the wrong form or is not known. sops ignores fields it does not know, so that a typing error silently takes no effect; sotto refuses them.',
  },
  'SOTTO-SOPS-021': {
    title: 'A decrypted value cannot be written in this format',
    explain:
      'The value has no form in the format of the file, for example a comment inside a JSON list; or the file has to be exactly the one that sops -d gives, and it holds something whose exact form is not known here.',
  },
  'SOTTO-SOPS-022': {
    title: 'A line of a dotenv file is not readable',
    explain:
      'Each line of a dotenv file is NAME=value, a comment that starts with #, or empty. sops reads nothing else.',
  },
  'SOTTO-SOPS-023': {
    title: 'The file is not a binary SOPS file',
    explain:
      'sops puts a file it has no form for under the one key data of a JSON document. This file has other keys, or a value that is not encrypted.',
  },
  'SOTTO-SOPS-030': {
    title: 'Too few key groups of the file open',
    explain:
      'The data key is split into shares, one for each key group, and shamir_threshold of them are needed. The message says which groups open with the identities at hand, and for whom the others are.',
  },
  'SOTTO-SOPS-040': {
    title: 'A line of an INI file is not readable',
    explain:
      'A line of an INI file is a section in square brackets, a key and its value around = or :, or a comment that starts with ; or #. A quote that opens must close. sops refuses such a file too.',
  },
  'SOTTO-SOPS-041': {
    title: 'A comment of an INI file cannot be written',
    explain:
      'A comment of several lines whose first line is empty is encrypted by sops and then crashes it when the file is decrypted. Take the empty line out of the file in clear.',
  },
  'SOTTO-SOPS-043': {
    title: 'An INI file would grow too large',
    explain:
      'sops writes the keys of a section with their equals signs below each other, so that one very long key makes every line as long. A file that would take many times its size is refused instead.',
  },
  'SOTTO-SOPS-042': {
    title: 'An INI file cannot hold this',
    explain:
      'INI has few ways to quote. A name that starts like a comment or section, or a value with all kinds of quotes and line breaks in it, would read back as something else, so it is not written. Encrypted as binary, every byte of a file is kept.',
  },
  'SOTTO-SOPS-050': {
    title: 'The changed file was not written',
    explain:
      'Every file is opened again before it is written. This one did not open to the values that were put in, so the old file stays. Values that are not UTF-8 text do this.',
  },
  'SOTTO-SOPS-051': {
    title: 'There is no value at that path',
    explain:
      'A path names keys of mappings and numbers of list elements (from 0) on the way to one value. sotto secret list shows all paths of a file.',
  },
  'SOTTO-SOPS-052': {
    title: 'The path leads to a mapping or list',
    explain:
      'Single values are set and shown. A value that would replace a whole mapping or list is refused: take that out first with sotto secret unset.',
  },
  'SOTTO-SOPS-053': {
    title: 'The path leads through something that has no such part',
    explain:
      'On the way to the value there is a single value, or a list without that element. New elements are added at the end of a list only: their number is the length of the list.',
  },
  'SOTTO-SOPS-054': {
    title: 'The content is not text',
    explain:
      'YAML, JSON, dotenv and INI files are UTF-8 text. A file with other bytes is encrypted as binary, which keeps every byte.',
  },
  'SOTTO-SOPS-055': {
    title: 'The file has no such document',
    explain:
      'The documents of a YAML file are counted from 1, empty ones included. --document says which one is meant.',
  },
  'SOTTO-SOPS-056': {
    title: 'The file has no single values',
    explain:
      'A binary file is encrypted as one value, so there is nothing in it to name. Change it as a whole with sotto edit.',
  },
  'SOTTO-SOPS-057': {
    title: 'Single values of a document with aliases are not changed',
    explain:
      'Through an alias a value stands at several places of a YAML document, so that a change of one is a change of all. Aliases are left only where nothing is encrypted; sotto edit shows the whole text.',
  },
  'SOTTO-SOPS-058': {
    title: 'A file cannot be written in another format',
    explain:
      'decrypt and encrypt with --output-type write another format than they read, as sops does, but never with a loss: lists and nested mappings have no place in dotenv and INI, null has none there, keys must not occur twice, and only YAML has several documents. The message names the key. Comments are not values: JSON has none, and INI puts them above a key as sops does.',
    example: 'sotto decrypt --output-type dotenv app.yaml',
  },
  'SOTTO-SOPS-059': {
    title: 'A file whose comments select is not converted',
    explain:
      'With encrypted_comment_regex or unencrypted_comment_regex the comments of a file decide what of it is encrypted. Another format has them elsewhere, or not at all, so that values would stay in clear.',
  },
  'SOTTO-SOPS-060': {
    title: 'An OpenPGP entry is damaged',
    explain:
      'A pgp entry of the sops block is not an OpenPGP message that holds one data key with integrity protection, or it was changed, or is far larger than a data key. Restore the sops block from Git history.',
  },
  'SOTTO-SOPS-061': {
    title: 'Nothing can be encrypted for an OpenPGP key',
    explain:
      'The key has expired or was revoked, or none of its parts may encrypt. Ask its owner for the key as it is now; files that were encrypted for it before still open.',
  },
  'SOTTO-SOPS-062': {
    title: 'The public part of an OpenPGP key is needed',
    explain:
      'A rule of .sops.yaml, or --pgp, names an OpenPGP key by its fingerprint. To encrypt for it, its public part must be given as a file: no keyring is read.',
    example: 'sotto encrypt --pgp-key alice.asc -i deploy/db.yaml',
  },
  'SOTTO-SOPS-063': {
    title: 'The file opens with fewer key groups than the rule wants',
    explain:
      'The rule of .sops.yaml splits the data key over key groups, so that nobody opens the file alone. This file needs fewer groups than that: it was encrypted under another rule. What is written now would have the weaker protection, so nothing is written.',
    example: 'sotto decrypt -i deploy/db.yaml && sotto encrypt -i deploy/db.yaml',
  },
  'SOTTO-SOPS-070': {
    title: 'The key service that the file names is not allowed',
    explain:
      'Whoever writes a file may name any service in it, and would be sent the credential of whoever opens the file. So a service is called only if the settings (agent) or the person (command line) name exactly this address, ARN, resource or vault URL. No connection was made.',
    example: 'decryption: { vault: [ { address: "https://vault.example.com" } ] }',
  },
  'SOTTO-SOPS-071': {
    title: 'A key service cannot be asked now',
    explain:
      'It is not reached, does not answer in time, or says that it is not able to. It is asked again after a pause that grows up to a minute; until then every file that needs it is told the same at once.',
  },
  'SOTTO-SOPS-072': {
    title: 'A key service refused',
    explain:
      'The service was asked and said no: the credential may not use the key, the key is unknown there, or the data key was wrapped by another one. What it wrote is not passed on. Redirects are not followed, so one counts as a refusal.',
  },
  'SOTTO-SOPS-073': {
    title: 'The answer of a key service is not understood',
    explain:
      'The service answered with success, but not what such a service answers. Usually something else listens at the address, such as a login page.',
  },
  'SOTTO-SOPS-074': {
    title: 'The name of a key at a key service is not usable',
    explain:
      'The name is put into the URL of a request, so it may have no characters that would make it the name of something else. No connection was made.',
  },
  'SOTTO-SOPS-075': {
    title: 'A credential was not exchanged for one that passes',
    explain:
      'Before the key is used, the credential is shown to another service of the same cloud: STS of AWS where the file names a role, the login server of Azure. That service refused, was not reached or answered something else. What it wrote is not passed on, and the key service was not asked.',
  },
} as const satisfies Record<string, CodeEntry>;
