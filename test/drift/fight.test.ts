import { describe, expect, it } from 'vitest';
import type { SourceDigest } from '../../src/core/ids.ts';
import type { Fight } from '../../src/drift/fight.ts';
import { afterCorrection, askFight } from '../../src/drift/fight.ts';
import { adoptFutile, futilityKey, isFutile } from '../../src/drift/futility.ts';
import { judgeAnswer, judgeEvent } from '../../src/drift/judge.ts';
import { recordFromAnswer } from '../../src/drift/record.ts';
import type { Drifted } from '../../src/drift/verdict.ts';
import {
  at,
  CM_BASE,
  CM_FIELDS,
  configMap,
  context,
  D_BASE,
  D_OURS,
  deployment,
  A,
  B,
  entry,
  lacking,
  MAC_KEY,
  ours,
} from './objects.ts';

/** Times of the corrections against somebody who undoes each after `everyMs`. */
function duel(everyMs: number, untilMs: number, random: number): number[] {
  const corrections: number[] = [];
  let fight: Fight | undefined;
  for (let nowMs = 0; nowMs < untilMs; nowMs += everyMs) {
    const answer = askFight(fight, nowMs, random);
    if (answer.kind === 'hold') nowMs += answer.delayMs;
    if (nowMs >= untilMs) break;
    corrections.push(nowMs);
    fight = afterCorrection(fight, nowMs, answer.kind === 'hold');
  }
  return corrections;
}

const judged = (event: typeof CM_BASE, base = CM_BASE): Drifted => {
  const verdict = judgeEvent(event, recordFromAnswer(base, 'full', MAC_KEY), context());
  if (verdict.kind !== 'drifted') throw new Error(verdict.kind);
  return verdict;
};

describe('a fight', () => {
  it('row 36: five corrections at once, then after 2, 6, 18, 54, 162 and 300 s', () => {
    const times = duel(200, 3_600_000, 0.5);
    const gaps = times.slice(1).map((time, index) => Math.round((time - (times[index] ?? 0) - 200) / 1000));
    expect(gaps.slice(0, 11)).toEqual([0, 0, 0, 0, 2, 6, 18, 54, 162, 300, 300]);
  });

  it.each([0, 0.5, 0.999])('row 36: at most ten in five minutes and some twelve an hour later, jitter %d', (random) => {
    const times = duel(200, 2 * 3_600_000, random);
    expect(times.filter((time) => time < 300_000).length).toBeLessThanOrEqual(10);
    expect(times.filter((time) => time >= 3_600_000).length).toBeLessThanOrEqual(15);
  });

  it('is none for changes that are far apart', () => {
    expect(duel(60_000, 3_600_000, 0.5)).toHaveLength(60);
  });

  it('is over after ten quiet minutes, and after a commit', () => {
    const hot: Fight = { heat: 9, lastMs: 0, holds: 4 };
    expect(askFight(hot, 599_999, 0.5)).toEqual({ kind: 'hold', delayMs: 162_000 });
    expect(askFight(hot, 600_000, 0.5)).toEqual({ kind: 'act' });
    expect(askFight(undefined, 1, 0.5)).toEqual({ kind: 'act' });
  });
});

const applied = (rvBefore: string, rvAfter: string) => ({ kind: 'apply', rvBefore, rvAfter }) as const;

describe('futility', () => {
  const clean = recordFromAnswer(configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS)], '102'), 'full', MAC_KEY);
  const added = configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS), entry('kubectl', at(['f:data', 'f:x']))]);

  it('row 24: an old server that keeps the order answers with the same version: adopted, and quiet afterwards', () => {
    const swapped = deployment([D_OURS], { env: [B, A] });
    const answer = recordFromAnswer(swapped, 'full', MAC_KEY);
    expect(isFutile(judged(swapped, D_BASE), [applied('101', '101')], answer)).toBe(true);
    const later = deployment([D_OURS], { env: [B, A] }, '102');
    expect(judgeEvent(later, answer, context()).kind).toBe('in-sync');
  });

  it('is seen on servers that bump the version of a no-op too', () => {
    const drift = judged(deployment([D_OURS], { env: [B, A] }), D_BASE);
    const bumped = recordFromAnswer(deployment([D_OURS], { env: [B, A] }, '150'), 'full', MAC_KEY);
    expect(isFutile(drift, [applied('101', '150')], bumped)).toBe(true);
    const repaired = recordFromAnswer(deployment([D_OURS], {}, '150'), 'full', MAC_KEY);
    expect(isFutile(drift, [applied('101', '150')], repaired)).toBe(false);
  });

  it('is judged over all steps: a fold is none, and a no-op apply after a patch that worked is none', () => {
    const drift = judged(added);
    const patched = { kind: 'null-patch', rvBefore: '101', rvAfter: '102' } as const;
    expect(isFutile(drift, [patched, applied('102', '102')], clean)).toBe(false);
    expect(isFutile(drift, [{ ...patched, kind: 'fold' }], clean)).toBe(false);
    expect(isFutile(drift, [{ ...patched, kind: 'fold' }, applied('102', '102')], clean)).toBe(true);
  });

  it('P11: accepts defaults that the server puts back', () => {
    const drift = judged(added);
    const answer = recordFromAnswer(added, 'full', MAC_KEY);
    expect(isFutile(drift, [{ kind: 'null-patch', rvBefore: '101', rvAfter: '101' }], answer)).toBe(true);
    const later = configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS), entry('kubectl', at(['f:data', 'f:x']))], '103');
    const adopted = adoptFutile(answer, judgeAnswer(added, answer, context()));
    expect(judgeEvent(later, adopted, context()).kind).toBe('in-sync');
  });

  it('never accepts a key that was written as stringData', () => {
    const rival = configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS), entry('kubectl', at(['f:stringData', 'f:x']))]);
    const answer = recordFromAnswer(rival, 'full', MAC_KEY);
    const adopted = adoptFutile(answer, judgeAnswer(rival, answer, context()));
    expect(judgeAnswer(rival, adopted, context())).toBeDefined();
  });

  it('is remembered per document and live state', () => {
    const source = 'abc' as SourceDigest;
    const lost = judged(configMap({ k1: 'z', k2: 'b' }, [ours(lacking(CM_FIELDS, 'f:data', 'f:k1'))]));
    const other = judged(configMap({ k1: 'z', k2: 'y' }, [ours(lacking(CM_FIELDS, 'f:data', 'f:k1'))]));
    expect(futilityKey(source, lost.seen)).toBe(futilityKey(source, lost.seen));
    expect(futilityKey(source, lost.seen)).not.toBe(futilityKey(source, other.seen));
  });
});
