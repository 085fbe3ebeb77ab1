import { describe, expect, it } from 'vitest';
import { keptStatus } from '../../../src/agent/serve/kept-status.ts';

describe('the status document', () => {
  it('is made once for however many ask in the same half second, and anew after it', () => {
    let nowMs = 0;
    let made = 0;
    const status = keptStatus(() => ({ made: (made += 1) }), { elapsedMs: () => nowMs });
    for (let asked = 0; asked < 10_000; asked += 1) expect(status()).toEqual({ made: 1 });
    nowMs = 500;
    expect(status()).toEqual({ made: 2 });
    expect(made).toBe(2);
  });

  it('is there as soon as there is one', () => {
    const made: unknown[] = [];
    const status = keptStatus(() => made[0], { elapsedMs: () => 0 });
    expect(status()).toBeUndefined();
    made.push({ a: 1 });
    expect(status()).toEqual({ a: 1 });
  });
});
