import { describe, expect, it } from 'vitest';
import { inventoryMac, loadFingerprint, refuseOtherFingerprint, withBoth } from '../../src/agent/fingerprint.ts';
import { fingerprintBody } from '../../src/agent/fingerprint-body.ts';
import { noteCarried, notCarried } from '../../src/agent/fingerprint-carried.ts';
import { InventoryStore } from '../../src/agent/inventory-store.ts';
import { lastKeys, openPart, sealPart } from '../../src/agent/last-parts.ts';
import { LastStore } from '../../src/agent/last-store.ts';
import type { PassEnd } from '../../src/agent/report-pass.ts';
import { SottoError } from '../../src/core/errors.ts';
import type { SourceDigest } from '../../src/core/ids.ts';
import { isJsonObject, type JsonObject, parseJson, stringAt } from '../../src/core/json.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { fingerprintId, fingerprintKey, isSameFingerprint, keyedDigest } from '../../src/keys/fingerprint.ts';
import { unrepeated } from '../../src/kube/retry.ts';
import { EMPTY_INVENTORY, encodeInventory } from '../../src/plan/inventory.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { type FakeHandler, manualClock, sendJson, startFakeApi, statusOf } from '../kube/fake-api.ts';
import { errorOf } from '../sealed/material.ts';
import { nobody, row, runtime, setOf, snapshot, testAgent } from './fixture.ts';

const NO_STEPS: Plan = {
  steps: [],
  unchanged: 0,
  waiting: [],
  released: [],
  movedTo: new Map(),
  left: [],
  refusals: [],
  held: undefined,
  asked: undefined,
  postponed: 0,
  paused: 0,
  waitsFor: undefined,
};

const keyOf = (byte: number) => fingerprintKey(Sensitive.copyOf(Buffer.alloc(32, byte)));
const [FORMER, CURRENT, OTHER] = [1, 2, 3].map(keyOf) as [
  ReturnType<typeof keyOf>,
  ReturnType<typeof keyOf>,
  ReturnType<typeof keyOf>,
];
const base64 = (byte: number): string => Buffer.alloc(32, byte).toString('base64');

function holding(data: Readonly<Record<string, string>>): FakeHandler {
  const metadata = { name: 'sotto-fingerprint', namespace: 'team', resourceVersion: '7' };
  return ({ path }, response) =>
    sendJson(response, 200, path.endsWith('/apis') ? {} : { apiVersion: 'v1', kind: 'Secret', metadata, data });
}

/** The stored inventory, with an entry made with a key and the id of it that stands beside it. */
function stored(madeWith: ReturnType<typeof keyOf>, says = fingerprintId(madeWith)): FakeHandler {
  const tokens = { a: [{ digest: 'd' as SourceDigest, tokens: ['soTTo'], names: [] }] };
  const rows = new Map([[row('ConfigMap', 'x').key, row('ConfigMap', 'x')]]);
  const entry = encodeInventory({ ...EMPTY_INVENTORY, tokens, rows }, inventoryMac(madeWith, 'team'));
  const annotations = { 'sotto.dev/fingerprint': says };
  const object = {
    metadata: { resourceVersion: '1', annotations },
    binaryData: { inventory: entry.toString('base64') },
  };
  return (_received, response) => sendJson(response, 200, object);
}

async function loaded(handler: FakeHandler, former: ReturnType<typeof keyOf> | undefined): Promise<InventoryStore> {
  await using api = await startFakeApi(handler);
  const macs = withBoth({ current: CURRENT, former }, (key) => inventoryMac(key, 'team'));
  const inventory = new InventoryStore({
    transport: api.transport(),
    clock: manualClock(),
    namespace: 'team',
    targetNamespace: 'team',
    setId: 'id',
    version: '0',
    mac: macs.current,
    formerMac: () => macs.former,
    repeat: unrepeated,
    onStored: () => undefined,
  });
  await inventory.load();
  return inventory;
}

describe('the fingerprint Secret', () => {
  it('holds one key, or the one before it too while both are needed', async () => {
    await using one = await startFakeApi(holding({ key: base64(2) }));
    const alone = await loadFingerprint(one.transport(), 'team', 'sotto-fingerprint');
    expect([isSameFingerprint(alone.current, CURRENT), alone.former]).toEqual([true, undefined]);
    await using two = await startFakeApi(holding({ key: base64(2), previous: base64(1) }));
    const both = await loadFingerprint(two.transport(), 'team', 'sotto-fingerprint');
    expect(both.former && isSameFingerprint(both.former, FORMER)).toBe(true);
    await using bad = await startFakeApi(holding({ key: base64(2), previous: 'AAAA' }));
    expect((await errorOf(() => loadFingerprint(bad.transport(), 'team', 'sotto-fingerprint'))).code).toBe(
      'SOTTO-KEYS-020',
    );
  });

  it('is not made anew while there is an inventory', async () => {
    const methods: string[] = [];
    await using api = await startFakeApi(({ method, path }, response) => {
      methods.push(method);
      if (path.includes('configmaps')) return sendJson(response, 200, { metadata: { name: 'sotto-inventory' } });
      return sendJson(
        response,
        404,
        statusOf(404, 'NotFound', { details: { name: 'sotto-fingerprint', kind: 'secrets' } }),
      );
    });
    const error = await errorOf(() => loadFingerprint(api.transport(), 'team', 'sotto-fingerprint'));
    expect(error.code).toBe('SOTTO-KEYS-021');
    expect(error.next).toContain('sotto keys restore BACKUP -n team');
    expect(new Set(methods)).toEqual(new Set(['GET']));
  });

  it('is not made anew where it is there without the key, inventory or not', async () => {
    const methods: string[] = [];
    await using api = await startFakeApi(({ method, path }, response) => {
      methods.push(method);
      if (path.includes('configmaps'))
        return sendJson(response, 404, statusOf(404, 'NotFound', { details: { name: 'i', kind: 'configmaps' } }));
      return sendJson(response, 200, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'f' }, data: {} });
    });
    const error = await errorOf(() => loadFingerprint(api.transport(), 'team', 'sotto-fingerprint'));
    expect(error.code).toBe('SOTTO-KEYS-021');
    expect(new Set(methods)).toEqual(new Set(['GET']));
  });

  it('is written with both keys, each under its name', () => {
    const [key, previous] = [1, 2].map((byte) => Sensitive.copyOf(Buffer.alloc(32, byte))) as [Sensitive, Sensitive];
    const body = fingerprintBody({ name: 'f', resourceVersion: '7' }, { key, previous });
    expect(parseJson(Buffer.from(body).toString())).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'f', resourceVersion: '7' },
      type: 'Opaque',
      data: { key: base64(1), previous: base64(2) },
    });
  });
});

describe('an inventory', () => {
  it('of the key in force is read with what stood for secrets, one of the former key without', async () => {
    const current = await loaded(stored(CURRENT), FORMER);
    expect([current.lost, current.inventory.rows.size, Object.keys(current.inventory.tokens)]).toEqual([
      false,
      1,
      ['a'],
    ]);
    const former = await loaded(stored(FORMER), FORMER);
    expect([former.lost, former.inventory.rows.size, former.inventory.tokens]).toEqual([false, 1, {}]);
    // It is stored with the new key soon, whatever else happens.
    expect(former.dueAtMs()).toBeDefined();
  });

  it('of the former key is lost once that is gone', async () => {
    expect((await loaded(stored(FORMER), undefined)).lost).toBe(true);
  });

  it('of another key ends the start; one that was changed is lost, and so is one that says nothing', async () => {
    const place = { namespace: 'team', name: 'sotto-fingerprint' };
    const held = { current: CURRENT, former: FORMER };
    const other = await loaded(stored(OTHER), FORMER);
    const error = await errorOf(() => refuseOtherFingerprint(held, other.madeWith, place));
    expect(error.code).toBe('SOTTO-KEYS-100');
    expect(error.next).toContain('kubectl delete secret sotto-fingerprint -n team');
    for (const key of [CURRENT, FORMER]) {
      const changed = await loaded(stored(OTHER, fingerprintId(key)), FORMER);
      expect(changed.lost).toBe(true);
      expect(() => refuseOtherFingerprint(held, changed.madeWith, place)).not.toThrow();
    }
    expect(() => refuseOtherFingerprint(held, undefined, place)).not.toThrow();
  });
});

function objectIn(body: Buffer): JsonObject {
  const value = parseJson(body.toString());
  return isJsonObject(value) ? value : {};
}

describe('what was applied last', () => {
  it('is opened with the former key too, and sealed with the one in force', async () => {
    const keys = withBoth({ current: CURRENT, former: FORMER }, (key) => lastKeys(key, 'team'));
    if (keys.former === undefined) throw new TypeError('no former keys');
    const place = { sync: 'a', version: '0', id: keys.former.idOf('[]') };
    const part = sealPart('{"format":1,"ids":[],"stored":[]}', keys.former, place);
    await using api = await startFakeApi(({ body, method }, response) =>
      method === 'GET'
        ? sendJson(response, 200, { binaryData: { objects: part.toString('base64') } })
        : sendJson(response, 200, objectIn(body)),
    );
    const { inventory } = testAgent(nobody());
    inventory.setLast('a', { version: '0', shape: 's', parts: [{ at: 0, id: place.id }] });
    const broken: string[] = [];
    const last = new LastStore({
      transport: api.transport(),
      namespace: 'team',
      version: '0',
      keys: () => keys,
      inventory,
      repeat: unrepeated,
      onBroken: ({ code }) => broken.push(code),
    });
    last.begin();
    await last.keep({ sync: 'a', shape: 's', objects: [], syncs: new Set(['a']) });
    expect(broken).toEqual([]);
    const [written] = api.received.filter(({ method }) => method === 'PUT');
    const stored64 = stringAt(parseJson(written?.body.toString() ?? ''), 'binaryData', 'objects') ?? '';
    const [next] = inventory.inventory.last['a']?.parts ?? [];
    expect(next?.id).not.toBe(place.id);
    const opened = openPart(Buffer.from(stored64, 'base64'), keys.current, { ...place, id: next?.id ?? '' });
    expect(opened).toBeDefined();
  });
});

const end = (more: Partial<PassEnd['outcome']> = {}, paused = 0): PassEnd => ({
  snapshot: snapshot(),
  desired: setOf(),
  decided: { ...NO_STEPS, paused },
  outcome: { refusals: [], waiting: [], waits: [], rollouts: [], applied: 0, pruned: 0, retry: false, ...more },
  refusals: [],
  startedMs: 0,
});

describe('a sync', () => {
  it('is carried over by a whole pass, and not any more by one that is not', async () => {
    const error = new SottoError({ code: 'SOTTO-KUBE-006', what: 'what', why: 'why', next: 'next' });
    const sync = runtime('a', { keptOf: 'commit' });
    const { context } = testAgent(nobody(), [sync]);
    expect(notCarried(context)).toEqual([]);
    context.fingerprint.former = FORMER;
    expect(notCarried(context)).toEqual([sync]);
    noteCarried(context, sync, end(), 0);
    expect(notCarried(context)).toEqual([]);
    noteCarried(context, sync, end({ retry: true }), 0);
    expect(notCarried(context)).toEqual([sync]);
    const held = { planId: 'p', error, creates: 0, prunes: 1, pruned: [], steps: [] };
    for (const [pass, left] of [
      [end(), 1],
      [end({}, 1), 0],
      [{ ...end(), decided: { ...NO_STEPS, held } }, 0],
    ] as const) {
      noteCarried(context, sync, pass, left);
      expect(notCarried(context)).toEqual([sync]);
    }
    // What is exposed is kept with the former key still: it could not be written.
    noteCarried(context, sync, end(), 0);
    expect(notCarried(context)).toEqual([]);
    await expect(context.exposures.change(() => Promise.resolve({ exposures: [] }))).rejects.toThrow();
    noteCarried(context, sync, end(), 0);
    expect(notCarried(context)).toEqual([sync]);
    await using api = await startFakeApi((_, response) => sendJson(response, 200, { metadata: {} }));
    const other = testAgent(api.transport(), [sync]).context;
    other.fingerprint.former = FORMER;
    noteCarried(other, sync, end(), 0);
    expect(notCarried(other)).toEqual([]);
    sync.keptOf = undefined;
    noteCarried(other, sync, end(), 0);
    expect(notCarried(other)).toEqual([sync]);
  });
});

describe('the id of a key', () => {
  it('is the same for the same key, and no digest of anything else', () => {
    expect(fingerprintId(keyOf(1))).toBe(fingerprintId(FORMER));
    expect(fingerprintId(CURRENT)).not.toBe(fingerprintId(FORMER));
    expect(fingerprintId(CURRENT)).toMatch(/^[0-9a-f]{16}$/);
    expect(keyedDigest(CURRENT, 'status').toString('hex')).not.toContain(fingerprintId(CURRENT));
  });
});
