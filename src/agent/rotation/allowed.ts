import { SottoError } from '../../core/errors.ts';
import type { Settings } from '../../settings/settings.ts';
import type { Identity } from '../../sops/identity.ts';

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

/** Else whoever asks could have the key of a person, or the last resort, replaced in every file. Throws SOTTO-ROTATE-122. */
export function checkOld(old: string, identities: readonly Identity[], { sealing }: RecipientSettings): void {
  const isHeld = identities.some(({ kind, recipient }) => kind === 'age' && recipient === old);
  const isRecovery = sealing.recovery.includes(old);
  if (isHeld && !isRecovery) return;
  throw new SottoError({
    code: 'SOTTO-ROTATE-122',
    what: 'nothing was changed, because the key that would give way is not for the agent to replace',
    why: `${old.slice(0, 100)} is ${isRecovery ? 'one of sealing.recovery' : 'no age key that the agent holds'}`,
    next: 'sotto keys list, then the same command with --old and a key of the agent; others: sotto recipients add and remove',
  });
}
