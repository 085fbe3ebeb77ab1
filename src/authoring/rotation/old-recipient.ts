import { SottoError } from '../../core/errors.ts';
import type { Identity } from '../../sops/identity.ts';

const WHICH = 'the same command with --old and one of these';
const WITH_KEY = 'the same command with --key-file FILE; where the agent has to have the key: sotto keys add FILE';

/** The recipient that gives way: the one that is meant, or the only one whose identity is at hand and that is named. */
export function oldRecipient(
  wanted: string | undefined,
  identities: readonly Identity[],
  named: ReadonlySet<string>,
  made: string | undefined,
): string {
  const all = `files and rules name ${few([...named])}`;
  if (wanted !== undefined) {
    if (wanted === made)
      throw whichKey(`the new key is ${made} itself`, 'the same command with another file after --new-key');
    if (named.has(wanted)) return wanted;
    throw whichKey(`neither a file nor a rule names ${wanted}: ${all}`, WHICH);
  }
  const held = [...new Set(identities.flatMap((each) => (each.kind === 'age' ? each.recipient : [])))];
  const candidates = held.filter((recipient) => named.has(recipient) && recipient !== made);
  const [only, another] = candidates;
  if (only !== undefined && another === undefined) return only;
  if (only !== undefined) throw whichKey(`files and rules name ${few(candidates)}`, WHICH);
  if (made !== undefined && named.has(made))
    throw whichKey(
      `files and rules are for the new key ${made} already, and for no other whose identity is at hand`,
      'nothing, if that is what you wanted; for yet another key --new-key with another file',
    );
  if (held.length === 0) throw whichKey(`no identity is at hand; ${all}`, WITH_KEY);
  throw whichKey(`${all}, and at hand is ${few(held)}`, WITH_KEY);
}

/** As many as a line bears. */
function few(names: readonly string[]): string {
  const shown = names.slice(0, 3);
  const more = names.length > shown.length ? ` and ${names.length - shown.length} more` : '';
  return names.length === 0 ? 'nobody' : `${shown.join(', ')}${more}`;
}

function whichKey(why: string, next: string): SottoError {
  return new SottoError({ code: 'SOTTO-ROTATE-001', what: 'nothing says which key is replaced', why, next });
}
