import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { explain, type WhyFacts } from '../../src/cli/why.ts';

const id = { group: '', kind: 'ConfigMap', namespace: 'team', name: 'web' };
const place = { id, sync: 'app', file: 'deploy/web.yaml', line: 3, uid: 'u' };
const THERE = {
  kind: 'there',
  uid: 'u',
  owner: { kind: 'ours' },
  health: { status: 'Current', reason: 'Current', message: 'Resource is always ready' },
  managers: [],
} as const satisfies WhyFacts['live'];

const item = (object: string): JsonObject => ({ object, code: 'SOTTO-PLAN-003', message: 'refused', next: 'mend it' });

function codes(attention: readonly JsonObject[], attentionTotal: number, facts: Partial<WhyFacts> = {}): string[] {
  const sync = { name: 'app', state: 'Degraded', message: '', attention: [...attention], attentionTotal };
  return explain({ id, place, live: THERE, status: { syncs: [sync] }, ...facts }).findings.map(({ code }) => code);
}

describe('why an object is as it is', () => {
  it('is what the status says of it', () => {
    expect(codes([item('ConfigMap/other'), item('ConfigMap/web')], 2)).toEqual(['SOTTO-PLAN-003']);
    expect(codes([item('ConfigMap/other')], 1)).toEqual([]);
  });

  it('is not known where the status has no room for everything, and that is said', () => {
    expect(codes([item('ConfigMap/other')], 5_000)).toEqual(['SOTTO-PLAN-141']);
    expect(codes([item('ConfigMap/other')], 5_000, { place: undefined, live: { kind: 'absent' } })).toEqual([
      'SOTTO-PLAN-141',
    ]);
    expect(codes([item('ConfigMap/web')], 5_000)).toEqual(['SOTTO-PLAN-003']);
  });
});
