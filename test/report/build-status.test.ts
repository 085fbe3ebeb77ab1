import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/core/limits.ts';
import type { StatusInput, SyncInput } from '../../src/report/build-status.ts';
import { buildStatus, fairShares, groupByCode } from '../../src/report/build-status.ts';
import type { Attention, CorrectionStatus } from '../../src/report/status.ts';
import { signStatus, statusText } from '../../src/report/status.ts';

const COUNTS = { desired: 3, current: 3, inProgress: 0, failed: 0, held: 0, paused: 0, pruned: 0 };

function sync(over: Partial<SyncInput> = {}): SyncInput {
  return {
    name: 'app',
    state: 'Ready',
    reason: 'Applied',
    message: '3 objects as in Git',
    source: { url: 'https://git.example.com/team/app.git', ref: 'main', revision: 'main@sha1:abc' },
    appliedRevision: 'main@sha1:abc',
    attemptedRevision: 'main@sha1:abc',
    counts: COUNTS,
    attention: [],
    pending: [],
    ...over,
  };
}

function input(over: Partial<StatusInput> = {}): StatusInput {
  return {
    agent: { version: '0.1.0', instance: 'sotto-0', startedAt: '2026-11-23T12:00:00Z' },
    syncs: [sync()],
    pauses: [],
    handled: [],
    keys: [],
    corrections: [],
    ...over,
  };
}

function attention(code: Attention['code'], object: string): Attention {
  return { code, object, message: 'm', next: 'n' };
}

function correction(at: string, over: Partial<CorrectionStatus> = {}): CorrectionStatus {
  return {
    at,
    object: 'apps/Deployment/web',
    paths: ['/spec/replicas'],
    manager: 'kubectl-edit',
    operation: 'Update',
    tookMs: 12.4,
    outcome: 'restored',
    ...over,
  };
}

describe('the status document', () => {
  it('has exactly the fields of the interface', () => {
    expect(JSON.parse(statusText(buildStatus(input())))).toEqual({
      schema: 'sotto.dev/status/v1alpha1',
      agent: { version: '0.1.0', instance: 'sotto-0', startedAt: '2026-11-23T12:00:00Z' },
      syncs: [
        {
          name: 'app',
          state: 'Ready',
          reason: 'Applied',
          message: '3 objects as in Git',
          source: { url: 'https://git.example.com/team/app.git', ref: 'main', revision: 'main@sha1:abc' },
          appliedRevision: 'main@sha1:abc',
          attemptedRevision: 'main@sha1:abc',
          counts: COUNTS,
          attentionTotal: 0,
          attention: [],
          pending: [],
        },
      ],
      pauses: [],
      handled: [],
      keys: [],
      corrections: [],
    });
  });

  it('has the same text for the same state in another order', () => {
    const items = [attention('SOTTO-YAML-001', 'ConfigMap/b'), attention('SOTTO-SOPS-001', 'Secret/a')];
    const one = input({ syncs: [sync({ attention: items }), sync({ name: 'infra' })] });
    const two = input({ syncs: [sync({ name: 'infra' }), sync({ attention: items.toReversed() })] });
    expect(statusText(buildStatus(one))).toBe(statusText(buildStatus(two)));
  });

  it('lists corrections newest first and requests as the newest fifty', () => {
    const handled = Array.from({ length: 60 }, (_, n) => ({ id: `r${n}`, outcome: 'done' as const, message: '' }));
    const corrections = ['2026-11-23T12:00:01Z', '2026-11-23T12:00:03Z', '2026-11-23T12:00:02Z'].map((at) =>
      correction(at),
    );
    const built = buildStatus(input({ handled, corrections }));
    expect(built.corrections.map((item) => item.at.slice(-3))).toEqual(['03Z', '02Z', '01Z']);
    expect(built.corrections[0]?.tookMs).toBe(12);
    expect(built.handled).toHaveLength(LIMITS.maxHandled);
    expect(built.handled.at(-1)?.id).toBe('r59');
  });

  it('shows no password of a URL and no control characters', () => {
    const source = { url: 'https://bob:hunter2@git.example.com/x', ref: 'main\u001b[2J' };
    const text = statusText(buildStatus(input({ syncs: [sync({ source })] })));
    expect(text).not.toContain('hunter2');
    expect(text).not.toContain('\\u001b');
  });

  it('stays below its cap with 5,000 failures of long names, says how many, and names the one that is different', () => {
    const long = 'n'.repeat(250);
    const many = Array.from({ length: 5_000 }, (_, n) => ({
      ...attention('SOTTO-KUBE-009', `apps/Deployment/${n}-${long}`),
      message: 'm'.repeat(900),
      next: 'x'.repeat(900),
    }));
    const items = [...many, attention('SOTTO-SOPS-001', 'Secret/db')];
    const orphans = { planId: 'p', total: 5_000, objects: many.slice(0, 50).map(({ object }) => object ?? '') };
    const document = buildStatus(
      input({ orphans, syncs: [sync({ attention: items }), sync({ name: 'b', attention: items })] }),
    );
    expect(Buffer.byteLength(statusText(document))).toBeLessThanOrEqual(LIMITS.maxStatusBytes);
    for (const built of document.syncs) {
      expect(built.attentionTotal).toBe(5_001);
      expect(built.attention.map(({ object }) => object)).toContain('Secret/db');
      expect(built.attention.length).toBeGreaterThan(10);
    }
    expect(document.orphans?.total).toBe(5_000);
  });

  it('shows some of every code when not all fit, and the true total', () => {
    const many = Array.from({ length: 1_000 }, (_, n) => attention('SOTTO-PLAN-001', `ConfigMap/c${n}`));
    const items = [...many, attention('SOTTO-SOPS-001', 'Secret/db')];
    const [built] = buildStatus(input({ syncs: [sync({ attention: items })] })).syncs;
    expect(built?.attentionTotal).toBe(1_001);
    expect(built?.attention).toHaveLength(LIMITS.maxAttention);
    expect(built?.attention.filter((item) => item.code === 'SOTTO-SOPS-001')).toHaveLength(1);
    const codes = built?.attention.map((item) => item.code) ?? [];
    expect(codes.toSorted()).toEqual(codes);
  });

  it('stays below its size by giving up attention before corrections', () => {
    const items = Array.from({ length: 200 }, (_, n) => ({
      ...attention('SOTTO-PLAN-001', `ConfigMap/c${n}`),
      message: 'x'.repeat(900),
      next: 'y'.repeat(900),
    }));
    const syncs = ['a', 'b', 'c'].map((name) => sync({ name, attention: items }));
    const corrections = Array.from({ length: 100 }, () => correction('2026-11-23T12:00:00Z'));
    const built = buildStatus(input({ syncs, corrections }));
    expect(Buffer.byteLength(statusText(built))).toBeLessThanOrEqual(LIMITS.maxStatusBytes);
    expect(built.syncs.map((each) => each.attentionTotal)).toEqual([200, 200, 200]);
    expect(built.syncs[0]?.attention.length).toBeGreaterThan(20);
    expect(built.corrections).toHaveLength(100);
  });

  it('stays below its size whatever is put in', () => {
    const text = fc.string({ unit: 'binary', maxLength: 3_000 });
    const item = fc.record({ object: text, message: text, next: text }).map((over) => ({
      ...attention('SOTTO-PLAN-001', ''),
      ...over,
    }));
    const paths = fc.array(text, { maxLength: 60 });
    fc.assert(
      fc.property(fc.array(item, { maxLength: 30 }), paths, fc.integer({ min: 1, max: 40 }), (items, fields, times) => {
        const all = Array.from({ length: times }, () => items).flat();
        const syncs = Array.from({ length: 8 }, (_, n) => sync({ name: `s${n}`, attention: all }));
        const corrections = Array.from({ length: 150 }, () => correction('2026-11-23T12:00:00Z', { paths: fields }));
        const built = buildStatus(input({ syncs, corrections }));
        expect(Buffer.byteLength(statusText(built))).toBeLessThanOrEqual(LIMITS.maxStatusBytes);
        expect(built.syncs).toHaveLength(8);
      }),
      { numRuns: 25 },
    );
  });

  it('is signed over exactly the text that is stored', () => {
    const signed = signStatus(buildStatus(input()), (bytes) => Buffer.from(bytes).toString('latin1').slice(0, 9));
    expect(signed.signature).toBe('{"schema"');
    expect(signed.text).toBe(statusText(buildStatus(input())));
  });
});

describe('fair shares', () => {
  it('use all there is and give no group more than it has', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { maxLength: 20 }), fc.nat(400), (sizes, max) => {
        const shares = fairShares(sizes, max);
        const total = sizes.reduce((sum, size) => sum + size, 0);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(Math.min(total, max));
        expect(shares.every((share, index) => share >= 0 && share <= (sizes[index] ?? 0))).toBe(true);
      }),
    );
  });

  it('keep one of each code when there is room for each', () => {
    const items = [
      ...Array.from({ length: 9 }, (_, n) => attention('SOTTO-PLAN-001', `a${n}`)),
      attention('SOTTO-SOPS-001', 'b'),
    ];
    expect(groupByCode(items, 2).map((item) => item.code)).toEqual(['SOTTO-PLAN-001', 'SOTTO-SOPS-001']);
  });
});
