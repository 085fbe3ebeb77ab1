import { SottoError } from '../core/errors.ts';
import { rfc3339 } from '../core/clock.ts';
import { markOf, type SecretMark } from './key-secret.ts';
import { SINCE_ANNOTATION, STATE_ANNOTATION, UNTIL_ANNOTATION } from './marks.ts';

/** `decrypt-only` opens and encrypts nothing new; `retired` is kept and opens nothing any more. */
export type KeyState = 'active' | 'decrypt-only' | 'retired';

export interface KeyLife {
  readonly state: KeyState;
  /** As its Secret says, else when that was made. */
  readonly since: Date | undefined;
  /** When a key that is on its way out may go. */
  readonly until: Date | undefined;
}

/** What the annotations of a key Secret say. A word that nobody knows leaves the key active: it opens. */
export function keyLife({ annotations, createdAt }: Pick<SecretMark, 'annotations' | 'createdAt'>): KeyLife {
  const word = markOf(annotations, STATE_ANNOTATION);
  const state = word === 'decrypt-only' || word === 'retired' ? word : 'active';
  const until = timeOf(markOf(annotations, UNTIL_ANNOTATION));
  const since = timeOf(markOf(annotations, SINCE_ANNOTATION)) ?? timeOf(createdAt);
  return { state, since, until: state === 'active' ? undefined : until };
}

/** A key past its end: told, and never acted on. */
export function pastItsEnd(mark: SecretMark, now: Date): SottoError | undefined {
  const { state, until } = keyLife(mark);
  if (state !== 'decrypt-only' || until === undefined || until > now) return undefined;
  return new SottoError({
    code: 'SOTTO-KEYS-060',
    what: 'a key that is to go is still there',
    why: `its Secret says that it opens only until ${rfc3339(until)}; nothing is deleted by a clock`,
    next: `sotto keys retire ${mark.name}   (it refuses while a branch still needs the key)`,
    object: `Secret/${mark.name}`,
  });
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

function timeOf(text: string | undefined): Date | undefined {
  if (text === undefined || !RFC3339.test(text)) return undefined;
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? undefined : time;
}
