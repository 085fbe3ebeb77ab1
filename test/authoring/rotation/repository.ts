import type { EncryptedDocuments } from '../../../src/authoring/rotation/documents.ts';
import type { FileRecipients } from '../../../src/sops/policy.ts';
import { readPolicy, ruleFor } from '../../../src/sops/policy.ts';

/** Groups of names; the threshold is all of them. */
export type Groups = readonly (readonly string[])[];

/**
 * A repository with a .sops.yaml at its top, or with none: for whom each file is. Nothing is encrypted, because whoever
 * plans looks at names alone.
 */
export function repositoryOf(
  files: Readonly<Record<string, Groups | FileRecipients>>,
  rules?: string,
): EncryptedDocuments {
  const policy =
    rules === undefined ? undefined : { path: '.sops.yaml', text: rules, policy: readPolicy(rules, '.sops.yaml') };
  return {
    policies: policy === undefined ? [] : [policy],
    sealed: [],
    unread: [],
    sops: Object.entries(files).map(([name, given]) => {
      const recipients = 'groups' in given ? given : { groups: given, threshold: given.length };
      const rule = policy && ruleFor(policy.policy, name);
      const known = { recipients, rule };
      const file = { path: `/${name}`, below: name, name, format: 'yaml', text: '', bytes: new Uint8Array(), known };
      return { file: { ...file, format: 'yaml' as const }, policy };
    }),
  };
}
