import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { objectKey, type SourceDigest } from '../../src/core/ids.ts';
import { EMPTY_INVENTORY, decodeInventory, encodeInventory, type InventoryRow } from '../../src/plan/inventory.ts';
import { plan, type PlanInput } from '../../src/plan/plan.ts';
import type { DesiredObject } from '../../src/render/desired.ts';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { LIMITS } from '../../src/core/limits.ts';

const mac = (key: string) => (bytes: Uint8Array) => createHash('sha256').update(key).update(bytes).digest();
const id = (name: string) => ({ group: '', kind: 'ConfigMap', namespace: 'team', name });

function wanted(name: string, digest = 'd1'): DesiredObject {
  return {
    id: id(name),
    key: objectKey(id(name)),
    apiVersion: 'v1',
    tree: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } },
    digest: digest as SourceDigest,
    file: `${name}.yaml`,
    line: 1,
    encrypted: false,
  };
}

function row(name: string, more: Partial<InventoryRow> = {}): InventoryRow {
  return {
    key: objectKey(id(name)),
    apiVersion: 'v1',
    sync: 'app',
    file: `${name}.yaml`,
    line: 1,
    digest: 'd1' as SourceDigest,
    uid: `uid-${name}`,
    resourceVersion: '7',
    generation: 0,
    setDigest: '',
    ownTime: '',
    keep: false,
    done: false,
    failed: false,
    encrypted: false,
    yielded: undefined,
    accepted: undefined,
    restart: undefined,
    rank: undefined,
    ...more,
  };
}

function input(names: readonly string[], rows: readonly InventoryRow[], more: Partial<PlanInput> = {}): PlanInput {
  return {
    sync: 'app',
    revision: 'main@sha1:1',
    desired: { objects: names.map((name) => wanted(name)), refusals: [], skipped: [], warnings: [] },
    refusals: [],
    inventory: { ...EMPTY_INVENTORY, rows: new Map(rows.map((each) => [each.key, each])) },
    inventoryLost: false,
    prune: { enabled: true, maxShare: 0.5, minimum: 5, ask: [] },
    pruneWaits: undefined,
    approval: undefined,
    isPaused: () => false,
    live: () => 'in-sync',
    claimedBy: () => undefined,
    wantedBy: () => undefined,
    ...more,
  };
}

function sealedId(kind: 'Secret' | 'SealedSecret', name: string) {
  return { group: kind === 'Secret' ? '' : 'bitnami.com', kind, namespace: 'team', name };
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `c${index}`);
const pruned = (given: PlanInput): number => plan(given).steps.filter((step) => step.action === 'prune').length;

describe('a plan', () => {
  it('leaves paused objects alone, in Git or not', () => {
    const rows = [row('a', { digest: 'old' as SourceDigest }), row('gone')];
    const decided = plan(input(['a', 'b'], rows, { isPaused: () => true }));
    expect(decided).toMatchObject({ steps: [], paused: 2, refusals: [] });
    expect(decided.waiting.map(({ error }) => error.code)).toEqual(['SOTTO-PLAN-043']);
  });

  it('does what was held once somebody said yes, and holds it again when a step is added', () => {
    const rows = numbered(6).map((name) => row(name));
    const held = plan(input(['new'], rows)).held;
    expect(held).toMatchObject({ creates: 1, prunes: 6 });
    const approval = { planId: held?.planId ?? '', revision: 'main@sha1:1', pruned: held?.pruned ?? [] };
    expect(pruned(input(['new'], rows, { approval }))).toBe(6);
    expect(pruned(input(['new'], rows.slice(2), { approval }))).toBe(4);
    expect(plan(input(['new'], [...rows, row('one-more')], { approval })).held?.planId).not.toBe(held?.planId);
    expect(plan(input(['new'], rows, { approval, revision: 'main@sha1:2' })).held).toBeDefined();
  });

  it('lets a SealedSecret go without its dependents when its Secret is applied instead, and does not count it', () => {
    const names = numbered(6);
    const objects = names.map((name) => ({
      ...wanted(name),
      id: sealedId('Secret', name),
      key: objectKey(sealedId('Secret', name)),
    }));
    const rows = names.map((name) => row(name, { key: objectKey(sealedId('SealedSecret', name)) }));
    const given = input([], [...rows, row('gone', { key: objectKey(sealedId('SealedSecret', 'gone')) })]);
    const decided = plan({ ...given, desired: { ...given.desired, objects } });
    expect(decided.held).toBeUndefined();
    const prunes = decided.steps.filter((step) => step.action === 'prune');
    expect(prunes.map((step) => [step.id.name, step.orphan === true])).toEqual([
      ...names.map((name) => [name, true]),
      ['gone', false],
    ]);
    // Files that are gone altogether count as ever.
    expect(plan(input(['new'], rows)).held).toMatchObject({ prunes: 6 });
  });

  it('asks for a yes to prune what holds data, and does the rest meanwhile', () => {
    const claim = objectKey({ ...id('data'), kind: 'PersistentVolumeClaim' });
    const rows = [row('a'), row('data', { key: claim }), row('gone')];
    const decided = plan(input(['a'], rows));
    expect(decided.asked).toMatchObject({ prunes: 1, pruned: [claim] });
    expect(decided.steps).toMatchObject([{ action: 'prune', id: { name: 'gone' } }]);
    expect(decided.waiting[0]?.error.text()).toContain(`sotto approve ${decided.asked?.planId}`);
    const approval = { planId: decided.asked?.planId ?? '', revision: 'main@sha1:1', pruned: [claim] };
    expect(plan(input(['a'], rows, { approval })).steps).toHaveLength(2);
    expect(plan(input(['a'], rows, { approval })).asked).toBeUndefined();
  });

  it('does nothing when everything is as in Git', () => {
    expect(plan(input(['a'], [row('a')]))).toMatchObject({ steps: [], unchanged: 1, refusals: [] });
  });

  it('creates by first contact, applies what changed, and prunes what left Git', () => {
    const decided = plan(input(['a', 'b', 'c'], [row('a'), row('b', { digest: 'old' as SourceDigest }), row('gone')]));
    expect(
      decided.steps.map((step) =>
        step.action === 'prune' ? `prune ${step.id.name}` : `${step.reason} ${step.object.id.name} ${step.contact}`,
      ),
    ).toEqual(['changed b owned', 'new c first', 'prune gone']);
  });

  it.each([
    [10, 5, 5],
    [10, 6, 4],
    [10, 4, 0],
    [6, 2, 4],
    [8, 0, 0],
    [1, 0, 0],
  ])('of %i objects with %i left in Git prunes %i', (applied, left, expected) => {
    const rows = numbered(applied).map((name) => row(name));
    expect(pruned(input(numbered(left), rows))).toBe(expected);
  });

  it('that removes too much is held whole, creates included, under an id of its own', () => {
    const rows = numbered(10).map((name) => row(name));
    const one = plan(input(['c0', 'fresh'], rows));
    expect(one.steps).toEqual([]);
    expect(one.held).toMatchObject({ creates: 1, prunes: 9 });
    expect(one.held?.planId).not.toBe(plan(input(['c0', 'other'], rows)).held?.planId);
  });

  it('prunes nothing while a file cannot be read', () => {
    const error = new SottoError({ code: 'SOTTO-YAML-001', what: 'w', why: 'y', next: 'n', file: 'bad.yaml' });
    const decided = plan(
      input(['a', 'b'], [row('a'), row('b'), row('gone')], { refusals: [{ error, file: 'bad.yaml' }] }),
    );
    expect(decided.steps).toEqual([]);
    expect(decided.waiting.map(({ error: why }) => why.code)).toEqual(['SOTTO-PLAN-007']);
  });

  it('prunes nothing after the inventory was lost, and releases what asked to be kept', () => {
    expect(pruned(input(['a'], [row('a'), row('gone')], { inventoryLost: true }))).toBe(0);
    expect(plan(input(['a'], [row('a'), row('gone', { keep: true })])).released).toEqual([objectKey(id('gone'))]);
  });
});

function random(bytes: number, form: 'hex' | 'base64url'): string {
  return randomBytes(bytes).toString(form);
}

describe('the stored inventory', () => {
  it('has room for 5,000 objects in one entry, with everything that a row may hold, and comes back', () => {
    const rows = Array.from({ length: 5_000 }, (_, index) =>
      row(`some-application-${index}-${random(4, 'hex')}`, {
        file: `deploy/overlays/prod/part-${index % 200}/object-${index}.yaml`,
        digest: random(32, 'base64url') as SourceDigest,
        uid: randomUUID(),
        resourceVersion: String(1_000_000 + index * 7),
        generation: index % 40,
        setDigest: random(32, 'base64url'),
        ownTime: '2026-01-02T03:04:05Z',
        encrypted: index % 2 === 0,
      }),
    );
    const inventory = { ...EMPTY_INVENTORY, epoch: 3, rows: new Map(rows.map((each) => [each.key, each])) };
    const entry = encodeInventory(inventory, mac('k'));
    expect(entry.length).toBeLessThan(LIMITS.maxInventoryBytes);
    expect(decodeInventory(entry, mac('k'))?.rows.size).toBe(5_000);
    expect(decodeInventory(entry, mac('other'))).toBeUndefined();
  });

  const inventory = {
    ...EMPTY_INVENTORY,
    epoch: 3,
    pauses: [
      { target: { kind: 'sync', name: 'app' }, until: new Date('2026-12-01T10:00:00Z'), by: 'b', reason: 'r' } as const,
      {
        target: { kind: 'object', key: row('a').key },
        until: new Date('2026-12-01T10:00:00Z'),
        by: '',
        reason: '',
      } as const,
    ],
    leaving: { old: { ask: [{ kind: 'Job' }] } },
    rehearsal: { at: '2026-12-01T10:00:00Z', by: 'kim', documents: 3, objects: 40 },
    sources: { app: 'd' as SourceDigest },
    approvals: { app: { planId: 'p', revision: 'main@sha1:1', pruned: [row('b').key] } },
    rows: new Map(
      [row('a', { left: true }), row('b', { done: true, failed: true, accepted: Uint8Array.of(1, 2) })].map((each) => [
        each.key,
        each,
      ]),
    ),
  };

  it('comes back as it was stored', () => {
    expect(decodeInventory(encodeInventory(inventory, mac('k')), mac('k'))).toEqual({
      ...inventory,
      holder: undefined,
    });
  });

  it('is nothing when it was changed, cut, or made with another key', () => {
    const entry = encodeInventory(inventory, mac('k'));
    expect(decodeInventory(entry, mac('other'))).toBeUndefined();
    expect(decodeInventory(entry.subarray(0, entry.length - 1), mac('k'))).toBeUndefined();
    expect(decodeInventory(Buffer.alloc(10), mac('k'))).toBeUndefined();
  });
});
