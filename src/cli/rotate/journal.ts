import { SottoError } from '../../core/errors.ts';
import type { Checkout } from '../../git/checkout.ts';
import { journalPath, readJournal, type RotationJournal } from '../../git/rotation-journal.ts';

/** Where the journal goes. Throws SOTTO-ROTATE-002 where one lies. */
export async function freeJournal(checkout: Checkout): Promise<string> {
  const path = await journalPath(checkout);
  const journal = readJournal(path);
  if (journal === undefined) return path;
  throw interrupted(path, journal);
}

/** Nothing is committed on top of a branch that has still to follow. Throws SOTTO-ROTATE-002. */
export async function refuseHalfway(checkout: Checkout): Promise<void> {
  const path = await journalPath(checkout);
  const journal = readJournal(path);
  if (journal === 'damaged' || journal?.here !== undefined) throw interrupted(path, journal);
}

function interrupted(path: string, journal: RotationJournal | 'damaged'): SottoError {
  const waits = journal !== 'damaged' && journal.here === undefined;
  return new SottoError({
    code: 'SOTTO-ROTATE-002',
    what: 'a rotation was interrupted in this checkout',
    why: waits
      ? 'its commit is made, and the agent has still to be waited for and the old key to be marked'
      : 'its commit exists, and what was to be done with it is written down',
    next: waits ? `sotto rotate --resume; or, to leave the old key as it is: rm ${path}` : 'sotto rotate --resume',
  });
}

/** The journal to go on with. Throws SOTTO-ROTATE-003. */
export async function openJournal(checkout: Checkout): Promise<{ path: string; journal: RotationJournal }> {
  const path = await journalPath(checkout);
  const journal = readJournal(path);
  if (journal !== undefined && journal !== 'damaged') return { path, journal };
  throw new SottoError({
    code: 'SOTTO-ROTATE-003',
    what: 'there is no rotation to resume',
    why: journal === undefined ? 'this checkout has no journal of one' : `the journal ${path} cannot be read`,
    next:
      journal === undefined
        ? 'the command as before, without --resume: nothing was changed until then'
        : `git status; if branch and files are as they were: rm ${path}, then the command as before`,
  });
}
