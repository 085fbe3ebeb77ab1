import { SottoError } from '../../core/errors.ts';
import type { Settings } from '../../settings/settings.ts';

/** What the settings say of whom the agent encrypts for: they are as powerful as the agent, and no pusher writes them. */
export type RecipientSettings = Pick<Settings, 'rotation' | 'sealing'>;

/** Room in an answer for the line of the settings. */
const MAX_LINE = 600;

/** Neither a file nor .sops.yaml vouches for a recipient: a pusher writes both. Pure. Throws SOTTO-ROTATE-120. */
export function checkAllowed(others: readonly string[], { rotation, sealing }: RecipientSettings): void {
  const allowed = new Set([...rotation.recipients, ...sealing.recovery]);
  const strange = others.filter((name) => !allowed.has(name));
  const [first, ...more] = strange;
  if (first === undefined) return;
  const line = `recipients: [ ${[...rotation.recipients, ...strange].map((name) => JSON.stringify(name)).join(', ')} ]`;
  const next =
    line.length <= MAX_LINE
      ? `if these may read everything, under rotation of the settings: ${line}`
      : 'sotto recipients list; name those who may read everything in rotation.recipients of the settings';
  throw new SottoError({
    code: 'SOTTO-ROTATE-120',
    what: 'nothing was changed, because the files are for somebody whom the settings do not name',
    why: `${first.slice(0, 100)}${more.length === 0 ? '' : ` and ${more.length} more`} would get every value, and rotation.recipients vouches for nobody of that name`,
    next,
    key: 'rotation.recipients',
  });
}
