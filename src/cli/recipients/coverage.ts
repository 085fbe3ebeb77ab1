import { dirname, relative } from 'node:path';
import { SottoError } from '../../core/errors.ts';
import { blockEntries, holderName } from '../../sops/block-entries.ts';
import {
  compareWithRule,
  type FileRecipients,
  type Policy,
  type PolicyDifference,
  type PolicyRule,
  readPolicy,
  ruleFor,
} from '../../sops/policy.ts';
import { metadataOf } from '../../sops/rekey.ts';
import type { Surroundings } from '../context.ts';
import { findConfig } from '../creation-rules.ts';
import { type InputFile, readInput, textOf } from '../files.ts';
import { filesBelow, type SealedFile, sealedFiles } from '../sealed-files.ts';

/** A .sops.yaml, and what it says. */
export interface PolicyFile {
  readonly input: InputFile;
  readonly folder: string;
  readonly text: string;
  readonly policy: Policy;
}

/** A SOPS file that the policy speaks of, or should. */
export interface CoveredFile {
  readonly sealed: SealedFile;
  readonly rule: PolicyRule | undefined;
  readonly recipients: FileRecipients;
  readonly difference: PolicyDifference;
}

/** Or one that cannot be read as what it looks like. */
export type Coverage = CoveredFile | { readonly sealed: SealedFile; readonly error: SottoError };

/** The policy in force here. Throws SottoError. */
export async function policyHere(around: Surroundings): Promise<PolicyFile> {
  const path = await findConfig(around);
  if (path === undefined) throw noPolicy();
  const read = await readInput(around, path);
  const input = { ...read, name: relative(around.cwd, path) };
  const text = textOf(input);
  return { input, folder: dirname(path), text, policy: readPolicy(text, input.name) };
}

/** The SOPS files below the .sops.yaml. A folder with one of its own is the affair of that one. */
export async function coveredFiles(around: Surroundings, { folder, policy }: PolicyFile): Promise<Coverage[]> {
  const paths = await filesBelow(around, folder);
  const others = paths
    .filter((path) => path.endsWith('/.sops.yaml'))
    .map((path) => path.slice(0, -'.sops.yaml'.length));
  const ours = paths.filter((path) => path !== '.sops.yaml' && !others.some((other) => path.startsWith(other)));
  const sealed = await sealedFiles(around, folder, ours);
  return sealed.map((file) => coverageOf(file, policy));
}

/** Pure. */
export function coverageOf(sealed: SealedFile, policy: Policy): Coverage {
  try {
    const recipients = recipientsOf(sealed);
    const rule = ruleFor(policy, sealed.below);
    const difference = compareWithRule(
      recipients,
      rule ?? { groups: recipients.groups, threshold: recipients.threshold },
    );
    return { sealed, rule, recipients, difference };
  } catch (thrown) {
    if (thrown instanceof SottoError) return { sealed, error: thrown };
    throw thrown;
  }
}

/** Whom a file names. Throws SottoError for one that cannot be read. */
export function recipientsOf({ text, format, name }: Pick<SealedFile, 'text' | 'format' | 'name'>): FileRecipients {
  const { groups } = blockEntries(text, format, name);
  const { threshold } = metadataOf({ text, format, file: name });
  return { groups: groups.map((group) => group.map(holderName)), threshold: groups.length > 1 ? threshold : 1 };
}

function noPolicy(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-212',
    what: 'there is no .sops.yaml',
    why: 'it says for whom files are encrypted, and neither the working directory nor a folder above it has one',
    next: 'write one: creation_rules with an age recipient; then the same command again',
  });
}
