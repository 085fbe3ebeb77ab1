import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { type Session, Standing } from '../../src/services/sessions.ts';

const session = (untilMs: number): Session => ({
  untilMs,
  secret: { kind: 'vault', token: Sensitive.copyOf(Buffer.from('t')) },
});
const refusal = new SottoError({ code: 'SOTTO-SOPS-075', what: 'a', why: 'b', next: 'c' });

describe('a credential that is exchanged', () => {
  it('is exchanged once for all that ask at the same time, and again shortly before it passes', async () => {
    const standing = new Standing();
    let begun = 0;
    const begin = (): Promise<Session> => Promise.resolve(session((begun += 1) * 1_000_000));
    const ask = (nowMs: number): Promise<Session | SottoError> => standing.session('role', nowMs, begin);
    const first = await Promise.all([ask(0), ask(0), ask(900_000)]);
    expect([begun, new Set(first).size]).toEqual([1, 1]);
    const second = await Promise.all([ask(950_000), ask(950_000)]);
    expect([begun, new Set(second).size]).toEqual([2, 1]);
    standing.endSessions();
    await ask(950_000);
    expect(begun).toBe(3);
  });

  it('and refused is not asked for again at once, and others are', async () => {
    const standing = new Standing();
    let begun = 0;
    const begin = (): Promise<SottoError> => {
      begun += 1;
      return Promise.resolve(refusal);
    };
    const both = await Promise.all([standing.session('a', 0, begin), standing.session('a', 0, begin)]);
    expect([both, await standing.session('a', 0, begin), begun]).toEqual([[refusal, refusal], refusal, 1]);
    expect(await standing.session('b', 0, () => Promise.resolve(session(1e9)))).toEqual(session(1e9));
  });
});
