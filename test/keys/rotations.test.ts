import { describe, expect, it } from 'vitest';
import type { ParsedKeySecret } from '../../src/keys/parse-keys.ts';
import { rotationText } from '../../src/keys/rotation-mark.ts';
import { rotationsIn } from '../../src/keys/rotations.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';

const NOW = new Date('2027-01-31T12:00:00Z');

function held(name: string, annotations: Readonly<Record<string, string>> = {}, more = 0): ParsedKeySecret {
  const identities = Array.from({ length: 1 + more }, () => {
    const { identity, keyFile } = makeIdentity(NOW);
    keyFile.wipe();
    return identity;
  });
  const mark = { name, labels: { 'sotto.dev/use': 'keys' }, annotations };
  return { mark, ageIdentities: identities, pgpIdentities: [], sealingKey: undefined, credentials: [], problems: [] };
}

function recipientOf({ ageIdentities: [first] }: ParsedKeySecret): string {
  return first?.recipient ?? '';
}

describe('rotations that are in course', () => {
  const old = held('old', {}, 1);
  const replaces = { 'sotto.dev/origin': 'sotto', 'sotto.dev/replaces': recipientOf(old) };
  const mark = { url: 'https://a.example/b', branch: 'r', commit: 'a'.repeat(40), files: 1, keepOldMs: 1 };

  it('are told by the Secret of the new key, with what was pushed and what else the old Secret holds', () => {
    const made = held('made', { ...replaces, 'sotto.dev/rotation': rotationText(mark) });
    expect(rotationsIn([made, old])).toEqual([
      {
        old: recipientOf(old),
        made: recipientOf(made),
        secret: 'made',
        since: undefined,
        pushed: mark,
        before: {
          secret: 'old',
          state: 'active',
          until: undefined,
          beside: [old.ageIdentities[1]?.recipient ?? ''],
        },
      },
    ]);
  });

  it('have nothing pushed where a person rotates from a checkout', () => {
    expect(rotationsIn([held('made', replaces), old])).toMatchObject([{ pushed: undefined }]);
  });

  it('are over when the old key is gone or retired, and are none of a Secret that sotto has not made', () => {
    const made = held('made', replaces);
    expect(rotationsIn([made])).toEqual([]);
    const retired = { ...old, mark: { ...old.mark, annotations: { 'sotto.dev/state': 'retired' } } };
    expect(rotationsIn([made, retired])).toEqual([]);
    expect(rotationsIn([held('made', { 'sotto.dev/replaces': recipientOf(old) }), old])).toEqual([]);
  });
});
