import { SottoError } from '../../core/errors.ts';
import { targetName } from '../../git/push.ts';
import type { PushWords } from './push-commit.ts';

/** Of a change of one file. */
export const PUSH_WORDS: PushWords = {
  notPushed: (target, why) =>
    new SottoError({
      code: 'SOTTO-CLI-272',
      what: `the change was not pushed to ${targetName(target)}`,
      why,
      next: 'mend that (try git push --dry-run), then run the same command again, or with --branch NAME; nothing was changed here',
    }),
  lostRace: (target, why) =>
    new SottoError({
      code: 'SOTTO-CLI-273',
      what: `the change was not pushed to ${targetName(target)}`,
      why,
      next: 'git pull --rebase, then the same command again; or --branch NAME (this checkout is as it was)',
    }),
};
