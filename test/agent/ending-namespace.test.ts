import { describe, expect, it } from 'vitest';
import { EndingNamespace } from '../../src/agent/ending-namespace.ts';
import { SottoError } from '../../src/core/errors.ts';

const gone = new SottoError({ code: 'SOTTO-KUBE-013', what: 'the namespace goes', why: 'w', next: 'n' });
const other = new SottoError({ code: 'SOTTO-KUBE-003', what: 'a right is missing', why: 'w', next: 'n' });

describe('a namespace that is being deleted', () => {
  it('is asked about by one request at a time, later and later', () => {
    const ending = new EndingNamespace();
    expect(ending.refusal(0)).toBeUndefined();
    expect(ending.take(other, 0)).toBe(false);
    expect(ending.take(gone, 0)).toBe(true);
    const asked = Array.from({ length: 1_000 }, (_, second) => second * 1_000).filter(
      (nowMs) => ending.refusal(nowMs) === undefined,
    );
    expect(asked).toEqual([10_000, 30_000, 70_000, 150_000, 310_000, 610_000, 910_000]);
  });

  it('is as before when something new could be made', () => {
    const ending = new EndingNamespace();
    expect(ending.lives()).toBe(false);
    ending.take(gone, 0);
    expect(ending.refusal(1)).toBe(gone);
    expect(ending.lives()).toBe(true);
    expect(ending.refusal(2)).toBeUndefined();
  });
});
