import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ObjectKey, objectKey } from '../../src/core/ids.ts';
import { covers, holdReason, planIdOf } from '../../src/plan/hold.ts';

const keys = (count: number): ObjectKey[] =>
  Array.from({ length: count }, (_, index) =>
    objectKey({ group: '', kind: 'ConfigMap', namespace: 't', name: `c${index}` }),
  );

describe('a yes', () => {
  it('covers what is left of its plan, and nothing else', () => {
    const approval = { planId: 'p', revision: 'main@sha1:1', pruned: keys(3) };
    expect(covers(approval, 'main@sha1:1', keys(3))).toBe(true);
    expect(covers(approval, 'main@sha1:1', keys(2))).toBe(true);
    expect(covers(approval, 'main@sha1:1', keys(4))).toBe(false);
    expect(covers(approval, 'main@sha1:2', keys(3))).toBe(false);
    expect(covers(undefined, 'main@sha1:1', [])).toBe(false);
  });
});

describe('the id of a plan', () => {
  it('does not depend on the order of the steps, and does on everything else', () => {
    fc.assert(
      fc.property(fc.string(), fc.uniqueArray(fc.string(), { minLength: 1 }), (revision, steps) => {
        const id = planIdOf(revision, steps);
        expect(id).toMatch(/^[0-9a-f]{16}$/);
        expect(planIdOf(revision, steps.toReversed())).toBe(id);
        expect(planIdOf(`${revision}1`, steps)).not.toBe(id);
        expect(planIdOf(revision, steps.slice(1))).not.toBe(id);
      }),
    );
  });
});

describe('the share rule', () => {
  const rule = { maxShare: 0.5, minimum: 5 };
  it.for([
    [{ prunes: 0, applied: 10, desired: 0 }, undefined],
    [{ prunes: 0, applied: 0, desired: 0 }, undefined],
    [{ prunes: 1, applied: 1, desired: 0 }, 'it would remove all 1 objects of this sync'],
    [{ prunes: 1, applied: 20, desired: 0 }, 'it would remove all 1 objects of this sync'],
    [{ prunes: 4, applied: 4, desired: 1 }, undefined],
    [{ prunes: 5, applied: 5, desired: 5 }, 'it would remove 5 of 5 objects (100 %), more than prune.maxShare (50 %)'],
    [{ prunes: 5, applied: 9, desired: 4 }, 'it would remove 5 of 9 objects (56 %), more than prune.maxShare (50 %)'],
    [{ prunes: 5, applied: 10, desired: 5 }, undefined],
    [{ prunes: 6, applied: 10, desired: 4 }, 'it would remove 6 of 10 objects (60 %), more than prune.maxShare (50 %)'],
    [{ prunes: 2_000, applied: 5_000, desired: 3_000 }, undefined],
  ] as const)('says of %o: %s', ([counts, reason]) => {
    expect(holdReason(counts, rule)).toBe(reason);
  });

  it.for([
    [{ maxShare: 0.5, minimum: 0 }, { prunes: 1, applied: 1, desired: 1 }, true],
    [{ maxShare: 0, minimum: 1 }, { prunes: 1, applied: 100, desired: 99 }, true],
    [{ maxShare: 1, minimum: 0 }, { prunes: 5, applied: 5, desired: 1 }, false],
    [{ maxShare: 1, minimum: 100 }, { prunes: 5, applied: 5, desired: 0 }, true],
  ] as const)('with %o holds %o: %s', ([other, counts, isHeld]) => {
    expect(holdReason(counts, other) !== undefined).toBe(isHeld);
  });
});
