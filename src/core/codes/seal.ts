import type { CodeEntry } from './entry.ts';

export const SEAL_CODES = {
  'SOTTO-SEAL-001': {
    title: 'No held sealing key opens the item',
    explain:
      'The item was sealed for another key, name, namespace or scope; the ciphertext does not tell which. Undo the change of name, namespace or scope annotation, add the private key it was sealed for, or seal the value again.',
  },
  'SOTTO-SEAL-002': {
    title: 'A sealed item was changed after it was sealed',
    explain:
      'A held key fits the item, but its content does not match its authentication tag. Somebody edited or cut the text: take it back from an earlier commit, or seal the value again.',
  },
  'SOTTO-SEAL-003': {
    title: 'A SealedSecret has the wrong shape',
    explain:
      'A field of the SealedSecret is missing or of another type than the schema of bitnami.com/v1alpha1 says. The controller reads some such files as empty; sotto refuses them.',
  },
  'SOTTO-SEAL-004': {
    title: 'A sealed item is not base64',
    explain:
      'The text of an item of encryptedData has blanks or characters that do not belong to base64, or its end is missing. It must be one line as kubeseal or sotto wrote it.',
  },
  'SOTTO-SEAL-005': {
    title: 'A sealed item is too short',
    explain:
      'The text of an item is base64, but it cannot hold a wrapped key and an authenticated value. Usually a part was lost when it was copied, or the plain value was put where the sealed one belongs.',
  },
  'SOTTO-SEAL-006': {
    title: 'A SealedSecret has no usable name or namespace',
    explain:
      'Sealed items are bound to metadata.name and metadata.namespace, so both must be plain Kubernetes names. generateName cannot be used.',
  },
  'SOTTO-SEAL-007': {
    title: 'An item name cannot be an entry of a Secret',
    explain:
      'Entries of a Secret are named with letters, digits, dots, dashes and underscores, at most 253 of them. An unquoted on, yes or null in YAML is not the text it looks like.',
  },
  'SOTTO-SEAL-008': {
    title: 'A Secret or SealedSecret is too large',
    explain:
      'Kubernetes refuses Secrets with more than 1 MiB of values and objects of more than about 1.5 MB. Split the Secret, or keep the large part elsewhere.',
  },
  'SOTTO-SEAL-009': {
    title: 'An entry of template.data is not in the subset that is rendered',
    explain:
      'The SealedSecrets controller renders spec.template.data with Go templates and the functions of Sprig. Rendered here are names ({{ .user }}, {{ index . "my-key" }}), texts in quotes, comments, trim marks and b64enc, byte for byte as the controller does it. All else computes with values and is refused; so is a name that no item and no entry has. Seal the finished value as an item instead, or leave the object to the controller (sealedSecrets: passthrough).',
  },
  'SOTTO-SEAL-010': {
    title: 'The deprecated field spec.data cannot be used here',
    explain:
      'The SealedSecret holds one sealed blob in spec.data, the form of 2018. The agent and sotto unseal open it, if it holds a Secret in JSON as kubeseal wrote it then; beside encryptedData, in a kustomization, and where one item is changed it is refused. Seal the Secret again: the result has one item per entry in spec.encryptedData and opens everywhere.',
  },
  'SOTTO-SEAL-011': {
    title: 'The sealing certificate cannot be read',
    explain:
      'Sealing needs a PEM file whose first certificate holds an RSA public key of at least 2048 bits, as the agent and the SealedSecrets controller serve it under /v1/cert.pem.',
  },
  'SOTTO-SEAL-012': {
    title: 'The sealing certificate has expired',
    explain: 'kubeseal refuses expired certificates too. Fetch the current one; what was sealed before still opens.',
  },
  'SOTTO-SEAL-013': {
    title: 'The sealing certificate is not valid yet',
    explain:
      'The certificate starts in the future. Either this machine’s clock is wrong, or the file is not the certificate in use.',
  },
  'SOTTO-SEAL-014': {
    title: 'A sealing key cannot be read',
    explain:
      'A private sealing key is an unencrypted PEM of an RSA key (PKCS#1 or PKCS#8), and its certificate must belong to it.',
  },
  'SOTTO-SEAL-015': {
    title: 'Only Secrets are sealed',
    explain:
      'The input holds another kind than v1 Secret. kubeseal would seal it without a word; sotto refuses, because the result would never be what the file says.',
  },
  'SOTTO-SEAL-016': {
    title: 'The Secret to seal has no entries',
    explain: 'Neither data nor stringData has an entry, which is nearly always a mistake in how the Secret was made.',
  },
  'SOTTO-SEAL-017': {
    title: 'A value of the Secret to seal is not usable',
    explain:
      'Entries of data must be base64 text and entries of stringData text. YAML reads unquoted numbers, dates, yes and no as something else: put quotes around them.',
  },
  'SOTTO-SEAL-018': {
    title: 'The Secret to seal has no usable name or namespace',
    explain:
      'In strict scope the ciphertext is bound to name and namespace, in namespace-wide scope to the namespace. Whatever it is bound to must be known when sealing.',
  },
  'SOTTO-SEAL-019': {
    title: 'The Secret is in another namespace than the one given',
    explain: 'The namespace on the command line differs from metadata.namespace. Only one of them can be meant.',
  },
  'SOTTO-SEAL-020': {
    title: 'The Secret to seal cannot be read',
    explain:
      'The input is empty, not UTF-8, or not YAML or JSON, or metadata, type or immutable is of a wrong type. The text itself is not shown, because it holds values.',
  },
  'SOTTO-SEAL-021': {
    title: 'The sealing certificate is not the pinned one',
    explain:
      'sealing.certificate in sotto.yaml holds the SHA-256 fingerprint of the one certificate that people may seal to. Whoever hands out another one could read what is sealed to it. After a new sealing key was made on purpose, put its fingerprint into sotto.yaml.',
  },
  'SOTTO-SEAL-022': {
    title: 'A SealedSecret cannot be passed through while sotto applies its Secret',
    explain:
      'One name is either a Secret that sotto applies or a SealedSecret that the controller opens, never both. To hand a Secret over without a moment in which it is missing, commit the annotations sotto.dev/prune: disabled and sealedsecrets.bitnami.com/managed: "true" in the template while the file is still unsealed, wait until it is applied, and then set sealedSecrets: passthrough.',
  },
  'SOTTO-SEAL-023': {
    title: 'sealedSecrets: passthrough does not go with kustomize',
    explain:
      'kustomize may change name, namespace and annotations of what it builds, and the ciphertext is bound to them. Put the SealedSecrets into a path without a kustomization.',
  },
  'SOTTO-SEAL-024': {
    title: 'Nothing can be merged into the SealedSecret',
    explain:
      'sotto seal --merge-into takes scope, name and namespace from the one SealedSecret of the file, because an item sealed for anything else would not open there. What is given must not say otherwise, and the file must hold exactly one SealedSecret whose encryptedData is a mapping.',
    example: 'sotto seal --raw --cert sealing.pem --merge-into sealed.yaml --item password',
  },
  'SOTTO-SEAL-025': {
    title: 'No key was made, because its recovery copy cannot be stored',
    explain:
      'With sealing.recovery (or --recovery) a new key, of sealing or of age, is encrypted to those recipients and stored in ConfigMap sotto-recovery before it exists anywhere else: a key that nobody can get back is not made. RBAC, a quota or admission refuses that ConfigMap. The agent tries again every minute and at every change of settings or keys, and everything else goes on; a rotation ends there, and the same command begins it anew.',
  },
} as const satisfies Record<string, CodeEntry>;
