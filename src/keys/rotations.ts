import { markOf } from './key-secret.ts';
import { keyLife, type KeyState } from './key-state.ts';
import { ORIGIN_ANNOTATION, ORIGIN_SOTTO, REPLACES_ANNOTATION } from './marks.ts';
import type { ParsedKeySecret } from './parse-keys.ts';
import { type RotationMark, rotationMark } from './rotation-mark.ts';

/** An age key that was made to take the place of another, as the key Secrets tell it. */
export interface RotationOfKeys {
  readonly old: string;
  readonly made: string;
  /** The Secret of the new key. */
  readonly secret: string;
  readonly since: Date | undefined;
  /** What the agent has pushed for it; undefined: nothing, or a person rotates from a checkout. */
  readonly pushed: RotationMark | undefined;
  /** The Secret of the old key, while it is there. */
  readonly before: OldKey;
}

export interface OldKey {
  readonly secret: string;
  readonly state: KeyState;
  readonly until: Date | undefined;
  /** Other recipients whose identities the same Secret holds. */
  readonly beside: readonly string[];
}

/** Every rotation of which the old key is still there and opens. Pure. */
export function rotationsIn(secrets: readonly ParsedKeySecret[]): RotationOfKeys[] {
  return secrets.flatMap(({ mark, ageIdentities: [made] }) => {
    const old = markOf(mark.annotations, REPLACES_ANNOTATION);
    const isOurs = markOf(mark.annotations, ORIGIN_ANNOTATION) === ORIGIN_SOTTO;
    const before = old === undefined ? undefined : oldKeyIn(secrets, old);
    if (old === undefined || made === undefined || !isOurs || before === undefined || before.state === 'retired')
      return [];
    const { since } = keyLife(mark);
    return [{ old, made: made.recipient, secret: mark.name, since, pushed: rotationMark(mark), before }];
  });
}

function oldKeyIn(secrets: readonly ParsedKeySecret[], old: string): OldKey | undefined {
  const found = secrets.find(({ ageIdentities }) => ageIdentities.some(({ recipient }) => recipient === old));
  if (found === undefined) return undefined;
  const { state, until } = keyLife(found.mark);
  const held = [...found.ageIdentities, ...found.pgpIdentities].map(({ recipient }) => recipient);
  return { secret: found.mark.name, state, until, beside: held.filter((each) => each !== old) };
}
