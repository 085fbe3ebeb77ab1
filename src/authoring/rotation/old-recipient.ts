import { SottoError } from '../../core/errors.ts';
import type { Identity } from '../../sops/identity.ts';

/** The recipient that gives way: the one that is meant, or the only one whose identity is at hand and that is named. */
export function oldRecipient(
  wanted: string | undefined,
  identities: readonly Identity[],
  named: ReadonlySet<string>,
  made: string | undefined,
): string {
  if (wanted !== undefined) {
    if (named.has(wanted)) return wanted;
    throw whichKey(`neither a file nor a rule names ${wanted}`);
  }
  const held = [...new Set(identities.flatMap((each) => (each.kind === 'age' ? each.recipient : [])))];
  const candidates = held.filter((recipient) => named.has(recipient) && recipient !== made);
  const [only, another] = candidates;
  if (only !== undefined && another === undefined) return only;
  throw whichKey(
    only === undefined
      ? 'files and rules name none of those whose identities are at hand'
      : `files and rules name ${candidates.join(' and ')}`,
  );
}

function whichKey(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-001',
    what: 'nothing says which key is replaced',
    why,
    next: 'sotto recipients list, then the same command with --old age1…',
  });
}
