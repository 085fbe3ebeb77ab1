import { describe, expect, it } from 'vitest';
import { buildStatus } from '../../src/report/build-status.ts';
import type { CorrectionStatus, StatusDocument } from '../../src/report/status.ts';
import type { StatusWriterState } from '../../src/report/status-writer.ts';
import {
  initialStatusWriter,
  statusChanged,
  statusDueAtMs,
  statusWriteFailed,
  statusWritten,
  transitionDigest,
} from '../../src/report/status-writer.ts';

function changed(state: StatusWriterState, digest: string, nowMs: number, urgent = false): StatusWriterState {
  return statusChanged(state, { digest, nowMs, urgent });
}

describe('the status writer', () => {
  const written = statusWritten(changed(initialStatusWriter, 'a', 0), { digest: 'a', nowMs: 1_000 });

  it('has nothing to write before anything is known and after it is written', () => {
    expect(statusDueAtMs(initialStatusWriter)).toBeUndefined();
    expect(statusDueAtMs(written)).toBeUndefined();
    expect(statusDueAtMs(changed(written, 'a', 5_000, true))).toBeUndefined();
  });

  it('waits for the burst to pass, but not for ever', () => {
    const first = changed(initialStatusWriter, 'a', 100);
    expect(statusDueAtMs(first)).toBe(600);
    expect(statusDueAtMs(changed(first, 'b', 590))).toBe(600);
  });

  it('writes at most every ten seconds', () => {
    expect(statusDueAtMs(changed(written, 'b', 2_000))).toBe(11_000);
    expect(statusDueAtMs(changed(written, 'b', 50_000))).toBe(50_500);
  });

  it('writes the answer to a request at once', () => {
    const due = changed(changed(written, 'b', 2_000), 'c', 3_000, true);
    expect(statusDueAtMs(due)).toBe(2_000);
    expect(statusDueAtMs(changed(due, 'd', 3_500))).toBe(2_000);
  });

  it('forgets a change that was taken back before it was written', () => {
    expect(statusDueAtMs(changed(changed(written, 'b', 2_000), 'a', 3_000))).toBeUndefined();
  });

  it('writes again what changed while a write was under way, back to the old included', () => {
    const back = changed(changed(written, 'b', 20_000), 'a', 20_600);
    const afterwards = statusWritten(back, { digest: 'b', nowMs: 20_700 });
    expect(statusDueAtMs(afterwards)).toBe(30_700);
  });

  it('tries again with growing gaps when a write fails, urgent or not', () => {
    let state = changed(written, 'b', 20_000, true);
    const gaps: number[] = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      state = statusWriteFailed(state, 20_000);
      gaps.push((statusDueAtMs(state) ?? 0) - 20_000);
    }
    expect(gaps).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    expect(statusWritten(state, { digest: 'b', nowMs: 90_000 }).failures).toBe(0);
  });
});

const ITEM: CorrectionStatus = {
  at: '2026-11-23T12:30:05Z',
  object: 'Secret/db',
  paths: ['/data/password'],
  manager: 'kubectl-edit',
  operation: 'Update',
  tookMs: 9,
  outcome: 'restored',
};

function digestWith(corrections: readonly CorrectionStatus[], over: Partial<StatusDocument> = {}): string {
  const agent = { version: '0.1.0', instance: 'i', startedAt: '2026-11-23T12:00:00Z' };
  const built = buildStatus({ agent, syncs: [], pauses: [], handled: [], keys: [], corrections });
  return transitionDigest({ ...built, ...over });
}

describe('the transition digest', () => {
  it('does not move with durations, nor with the same correction again within ten minutes', () => {
    expect(digestWith([{ ...ITEM, tookMs: 11 }])).toBe(digestWith([ITEM]));
    expect(digestWith([{ ...ITEM, at: '2026-11-23T12:34:00Z' }, ITEM])).toBe(digestWith([ITEM]));
  });

  it('moves with another correction, a later one, and everything else', () => {
    const all = [
      digestWith([]),
      digestWith([ITEM]),
      digestWith([ITEM, { ...ITEM, object: 'Secret/other' }]),
      digestWith([{ ...ITEM, outcome: 'uncorrectable' }]),
      digestWith([ITEM, { ...ITEM, at: '2026-11-23T12:40:00Z' }]),
      digestWith([ITEM], { handled: [{ id: 'r1', outcome: 'done', message: '' }] }),
      digestWith([ITEM], { pauses: [{ sync: 'app', by: 'ann', reason: 'test' }] }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});
