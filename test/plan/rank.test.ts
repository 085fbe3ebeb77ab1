import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ObjectKey } from '../../src/core/ids.ts';
import { decodeInventory, EMPTY_INVENTORY, encodeInventory, type InventoryRow } from '../../src/plan/inventory.ts';
import { ordered, ranksIn } from '../../src/plan/ordering.ts';
import { pruneStages, type Rank } from '../../src/plan/rank.ts';
import { mac, row, setOf, wanted } from '../agent/fixture.ts';

const DEPENDS_ON = 'config.kubernetes.io/depends-on';

function map(name: string, annotations: Readonly<Record<string, string>> = {}, kind = 'ConfigMap') {
  const tree = { apiVersion: 'v1', kind, metadata: { name, namespace: 'team', annotations } };
  return wanted(kind, name, { tree });
}

const on = (name: string) => ({ [DEPENDS_ON]: `/namespaces/team/ConfigMap/${name}` });
const wave = (text: string) => ({ 'argocd.argoproj.io/sync-wave': text });

/** The names in the order in which they would go, if all of them left Git at once. */
function goes(...objects: readonly ReturnType<typeof map>[]): string[] {
  const ranks = ranksIn(ordered(setOf(...objects)).ordering);
  const rows = objects.map(({ id, key }) => ({ row: row(id.kind, id.name, { rank: ranks.get(key) }) }));
  return pruneStages(rows).map((stage) => stage.map((step) => step.row.key.split('/').at(-1)).join(' '));
}

describe('what left Git', () => {
  it('goes in the order of the table of kinds, the last row first', () => {
    expect(goes(map('c'), map('j', {}, 'Job'), map('s', {}, 'Secret'))).toEqual(['j', 'c s']);
  });

  it('goes hook by hook and wave by wave, the last one first, whatever its kind', () => {
    const [early, late] = [map('early', wave('-1'), 'Job'), map('late', wave('5'))];
    const after = map('after', { 'argocd.argoproj.io/hook': 'PostSync' });
    const before = map('before', { 'argocd.argoproj.io/hook': 'PreSync' }, 'Job');
    expect(goes(early, map('c'), late, after, map('j', {}, 'Job'), before)).toEqual([
      'after',
      'late',
      'j',
      'c',
      'early',
      'before',
    ]);
  });

  it('goes before what it depends on', () => {
    expect(goes(map('a'), map('b', on('a')), map('c', on('b'), 'Secret'), map('d', {}, 'Job'))).toEqual([
      'd',
      'c',
      'b',
      'a',
    ]);
  });

  const ranks = fc.option(
    fc.record<Rank>({
      phase: fc.constantFrom(-1, 0, 1),
      wave: fc.integer({ min: -999_999_999, max: 999_999_999 }),
      layer: fc.integer({ min: 0, max: 3 }),
      depth: fc.integer({ min: 0, max: 150_000 }),
    }),
    { nil: undefined },
  );

  it('is remembered with its place over a restart, beside everything else of its row', () => {
    const bytes = fc.option(fc.uint8Array({ minLength: 1, maxLength: 8 }), { nil: undefined });
    const marks = fc.option(fc.constant({ sources: 's', template: 't', values: 'v' } as InventoryRow['restart']), {
      nil: undefined,
    });
    fc.assert(
      fc.property(ranks, bytes, bytes, marks, (rank, yielded, accepted, restart) => {
        const kept = row('ConfigMap', 'a', { rank, yielded, accepted, restart });
        const inventory = { ...EMPTY_INVENTORY, rows: new Map<ObjectKey, InventoryRow>([[kept.key, kept]]) };
        expect(decodeInventory(encodeInventory(inventory, mac), mac)?.rows.get(kept.key)).toEqual(kept);
      }),
      { numRuns: 100 },
    );
  });
});
