import { SottoError } from '../core/errors.ts';
import { blockEntries, holderName } from '../sops/block-entries.ts';
import {
  compareWithRule,
  type FileRecipients,
  isAsRule,
  type Policy,
  type PolicyDifference,
  type PolicyRule,
  ruleFor,
} from '../sops/policy.ts';
import { metadataOf } from '../sops/rekey.ts';
import type { SealedFile } from './sealed-file.ts';

/** A SOPS file that the policy speaks of, or should. */
export interface CoveredFile {
  readonly sealed: SealedFile;
  readonly rule: PolicyRule | undefined;
  readonly recipients: FileRecipients;
  readonly difference: PolicyDifference;
}

/** Or one that cannot be read as what it looks like. */
export type Coverage = CoveredFile | { readonly sealed: SealedFile; readonly error: SottoError };

/** Pure. */
export function coverageOf(sealed: SealedFile, policy: Policy): Coverage {
  try {
    const recipients = recipientsOf(sealed);
    const rule = sealed.known === undefined ? ruleFor(policy, sealed.below) : sealed.known.rule;
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
export function recipientsOf({
  text,
  format,
  name,
  known,
}: Pick<SealedFile, 'text' | 'format' | 'name' | 'known'>): FileRecipients {
  if (known !== undefined) return known.recipients;
  const { groups } = blockEntries(text, format, name);
  const { threshold } = metadataOf({ text, format, file: name });
  return { groups: groups.map((group) => group.map(holderName)), threshold: groups.length > 1 ? threshold : 1 };
}

/** In which ways a file is not as its rule says. Pure. */
export function differences({ difference, rule }: CoveredFile): string[] {
  if (rule === undefined || isAsRule(difference)) return [];
  const { planted, missing, layout } = difference;
  return [
    ...planted.map((name) => `is encrypted for ${name}, which rule ${rule.number} does not name`),
    ...missing.map((name) => `is not encrypted for ${name}, which rule ${rule.number} names`),
    ...(layout === undefined ? [] : [layout]),
  ];
}

export function plantedRecipients({ sealed }: CoveredFile, planted: readonly string[], policy: Policy): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-216',
    what: 'nothing was changed, because a file is encrypted for somebody whom .sops.yaml does not name',
    why: `it names ${planted.join(', ')}; nothing vouches for that, and what is encrypted now would be readable there`,
    next: `if it belongs there, add it to ${policy.file}; else: sotto recipients remove '${planted[0] ?? ''}'`,
    file: sealed.name,
    key: 'sops',
  });
}
