import { SottoError } from '../../core/errors.ts';
import type { Checkout } from '../../git/checkout.ts';
import { journalPath, readJournal, type RotationJournal } from '../../git/rotation-journal.ts';

/** Where the journal goes. Throws SOTTO-ROTATE-002 where one lies. */
export async function freeJournal(checkout: Checkout): Promise<string> {
  const path = await journalPath(checkout);
  if (readJournal(path) === undefined) return path;
  throw new SottoError({
    code: 'SOTTO-ROTATE-002',
    what: 'a rotation was interrupted in this checkout',
    why: 'its commit exists, and what was to be done with it is written down',
    next: 'sotto rotate --resume',
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
