import { describe, expect, test } from 'vitest';
import type { Exposure } from '../../../src/agent/exposure/exposure.ts';
import { ExposureStore } from '../../../src/agent/exposure/store.ts';
import { exposureKey } from '../../../src/agent/exposure/stored.ts';
import { sealText } from '../../../src/agent/sealed-text.ts';
import { Sensitive } from '../../../src/core/sensitive.ts';
import { type FingerprintKey, fingerprintKey } from '../../../src/keys/fingerprint.ts';
import { unrepeated } from '../../../src/kube/retry.ts';
import type { Transport } from '../../../src/kube/transport.ts';
import type { ExposureMark, Inventory } from '../../../src/plan/inventory.ts';
import { EMPTY_INVENTORY } from '../../../src/plan/inventory.ts';
import { type FakeHandler, sendJson, startFakeApi, statusOf } from '../../kube/fake-api.ts';
import { keyOf, testAgent } from '../fixture.ts';
import { readable } from './readable.ts';

const EXPOSED: Exposure = {
  key: 'age1old',
  since: '2027-01-01T00:00:00Z',
  reason: 'compromised',
  by: 'kim',
  digestKey: fingerprintKey(Sensitive.copyOf(Buffer.alloc(32, 3))),
  total: 1,
  accepted: 0,
  values: [{ file: 'a.yaml', key: 'stringData.a', object: keyOf('Secret', 'a'), cipher: 'c', digest: 'd' }],
};

/** What a record in which keys were text was bound to. */
const FIRST_FORM = Buffer.from(JSON.stringify(['sotto-exposure', 1]));

const NOT_THERE = statusOf(404, 'NotFound', { details: { name: 'sotto-exposure', kind: 'configmaps' } });

/** One for each fingerprint key. */
function keyNamed(fingerprint: FingerprintKey, id: string) {
  return exposureKey(fingerprint, `team ${id}`);
}

/** A ConfigMap, and what the inventory says of it. */
function kept() {
  const state = { entry: undefined as string | undefined, reads: 0, writes: 0, refuses: false };
  const mark = { exposure: undefined as ExposureMark | undefined, keyId: '1', former: undefined as string | undefined };
  const keysOf = (fingerprint: FingerprintKey) => ({
    current: keyNamed(fingerprint, mark.keyId),
    former: mark.former === undefined ? undefined : keyNamed(fingerprint, mark.former),
  });
  const handler: FakeHandler = (received, response) => {
    if (received.method === 'GET') {
      state.reads += 1;
      if (state.entry === undefined) return sendJson(response, 404, NOT_THERE);
      return sendJson(response, 200, { metadata: {}, binaryData: { exposed: state.entry } });
    }
    if (state.refuses) return sendJson(response, 403, statusOf(403, 'Forbidden'));
    if (received.method === 'PUT' && state.entry === undefined) return sendJson(response, 404, NOT_THERE);
    const body = JSON.parse(received.body.toString()) as { binaryData: { exposed: string } };
    state.entry = body.binaryData.exposed;
    state.writes += 1;
    sendJson(response, received.method === 'POST' ? 201 : 200, { metadata: {} });
  };
  const storeOf = (transport: Transport): ExposureStore => {
    const { context } = testAgent(transport);
    return new ExposureStore({
      transport,
      namespace: 'team',
      keys: () => keysOf(context.fingerprint.current),
      keyId: () => mark.keyId,
      inventory: {
        get inventory(): Inventory {
          return { ...EMPTY_INVENTORY, exposure: mark.exposure };
        },
        setExposure: (exposure) => {
          mark.exposure = exposure;
        },
      },
      repeat: unrepeated,
      now: () => new Date(0),
    });
  };
  return { state, mark, handler, storeOf };
}

describe('what is kept of exposed values', () => {
  test('asks once where there is none, and writes nothing', async () => {
    const { state, handler, storeOf } = kept();
    await using api = await startFakeApi(handler);
    const store = storeOf(api.transport());
    await store.load();
    expect(store.isOpen).toBe(false);
    expect(store.lost).toBeUndefined();
    await store.change((before) => Promise.resolve(before));
    expect(state).toMatchObject({ reads: 1, writes: 0 });
  });

  test('is written when it changes, read by the next agent, and closed when nothing is left', async () => {
    const { state, mark, handler, storeOf } = kept();
    await using api = await startFakeApi(handler);
    const store = storeOf(api.transport());
    await store.change((before) => Promise.resolve({ ...before, exposures: [EXPOSED] }));
    expect(mark.exposure).toEqual({ serial: 1, isEmpty: false });
    const next = storeOf(api.transport());
    await next.load();
    expect(readable(next.exposures)).toEqual(readable([EXPOSED]));
    await next.change(() => Promise.resolve({ exposures: [] }));
    expect(mark.exposure).toEqual({ serial: 2, isEmpty: true });
    const last = storeOf(api.transport());
    await last.load();
    expect(last.isOpen).toBe(false);
    expect(last.lost).toBeUndefined();
    expect(state).toMatchObject({ reads: 2, writes: 2 });
  });

  test.each([
    ['is gone', undefined],
    ['is an older one, from before anything was exposed', { serial: 0, isEmpty: true }],
    ['is an older one, from when nothing was exposed', { serial: 2, isEmpty: true }],
    ['is an older one, from when less was exposed', { serial: 1, isEmpty: false }],
  ])('is not forgotten when the inventory %s', async (_, older) => {
    const { state, mark, handler, storeOf } = kept();
    await using api = await startFakeApi(handler);
    const store = storeOf(api.transport());
    await store.change((before) => Promise.resolve({ ...before, exposures: [{ ...EXPOSED, key: 'age1less' }] }));
    await store.change(() => Promise.resolve({ exposures: [] }));
    await store.change((before) => Promise.resolve({ ...before, exposures: [EXPOSED] }));
    mark.exposure = older;
    const next = storeOf(api.transport());
    await next.load();
    expect(readable(next.exposures)).toEqual(readable([EXPOSED]));
    expect(next.lost).toBeUndefined();
    // The inventory is told again, and the next writing counts more than any before.
    expect(mark.exposure).toEqual({ serial: 3, isEmpty: false });
    const third = state.entry;
    await next.change((before) =>
      Promise.resolve({ ...before, exposures: [EXPOSED, { ...EXPOSED, key: 'age1other' }] }),
    );
    expect(mark.exposure).toEqual({ serial: 4, isEmpty: false });
    state.entry = third;
    const last = storeOf(api.transport());
    await last.load();
    expect(last.lost?.why).toContain('it is an older one');
  });

  test('is said to be lost when neither the inventory nor a ConfigMap that opens is there', async () => {
    const { state, mark, handler, storeOf } = kept();
    await using api = await startFakeApi(handler);
    await storeOf(api.transport()).change((before) => Promise.resolve({ ...before, exposures: [EXPOSED] }));
    mark.exposure = undefined;
    state.entry = 'AAAA';
    const store = storeOf(api.transport());
    await store.load();
    expect(store.exposures).toEqual([]);
    expect(store.lost?.why).toContain('somebody changed it');
  });

  test('is nothing where the inventory says so, whatever older or other is in the ConfigMap', async () => {
    const { state, mark, handler, storeOf } = kept();
    await using api = await startFakeApi(handler);
    const store = storeOf(api.transport());
    await store.change((before) => Promise.resolve({ ...before, exposures: [EXPOSED] }));
    const first = state.entry;
    await store.change(() => Promise.resolve({ exposures: [] }));
    for (const entry of [undefined, 'AAAA', first]) {
      state.entry = entry;
      const next = storeOf(api.transport());
      await next.load();
      expect({ exposures: next.exposures, lost: next.lost, isOpen: next.isOpen }).toEqual({
        exposures: [],
        lost: undefined,
        isOpen: false,
      });
    }
    expect(mark.exposure).toEqual({ serial: 2, isEmpty: true });
  });

  test('that is gone, forged, in another form or older than the inventory says is not used', async () => {
    const { state, mark, handler, storeOf } = kept();
    await using api = await startFakeApi(handler);
    const store = storeOf(api.transport());
    await store.change((before) => Promise.resolve({ ...before, exposures: [EXPOSED] }));
    const first = state.entry ?? '';
    await store.change((before) =>
      Promise.resolve({ ...before, exposures: [EXPOSED, { ...EXPOSED, key: 'age1other' }] }),
    );
    const ownKey = keyNamed(testAgent(api.transport()).context.fingerprint.current, mark.keyId);
    const otherForm = sealText(JSON.stringify({ format: 1, serial: 2, exposures: [] }), ownKey, FIRST_FORM);
    for (const [entry, why] of [
      [undefined, 'it is gone'],
      ['AAAA', 'somebody changed it'],
      [otherForm.toString('base64'), 'another version of sotto wrote it'],
      [first, 'it is an older one'],
    ] as const) {
      state.entry = entry;
      const next = storeOf(api.transport());
      await next.load();
      expect(next.exposures).toEqual([]);
      expect(next.lost?.why).toContain(why);
    }
    // Somebody says that it is settled: the next one has nothing to say.
    const settled = storeOf(api.transport());
    await settled.load();
    await settled.change(() => Promise.resolve({ exposures: [] }));
    expect(mark.exposure).toEqual({ serial: 3, isEmpty: true });
    const after = storeOf(api.transport());
    await after.load();
    expect(after.lost).toBeUndefined();
  });

  test('stays in memory where it cannot be written, and is written with the next look', async () => {
    const { state, mark, handler, storeOf } = kept();
    await using api = await startFakeApi(handler);
    const store = storeOf(api.transport());
    state.refuses = true;
    const change = store.change((before) => Promise.resolve({ ...before, exposures: [EXPOSED] }));
    await expect(change).rejects.toMatchObject({ code: 'SOTTO-ROTATE-053' });
    expect(mark.exposure).toBeUndefined();
    expect(store.isOpen).toBe(true);
    state.refuses = false;
    await store.change((before) => Promise.resolve(before));
    expect(mark.exposure).toEqual({ serial: 1, isEmpty: false });
    expect(readable(store.exposures)).toEqual(readable([EXPOSED]));
  });

  test('is sealed anew when the fingerprint key is changed, also by an agent that was started between', async () => {
    const { state, mark, handler, storeOf } = kept();
    await using api = await startFakeApi(handler);
    const store = storeOf(api.transport());
    await store.change((before) => Promise.resolve({ ...before, exposures: [EXPOSED] }));
    expect(store.isBehind).toBe(false);
    mark.former = mark.keyId;
    mark.keyId = '2';
    expect(store.isBehind).toBe(true);
    const next = storeOf(api.transport());
    await next.load();
    expect(readable(next.exposures)).toEqual(readable([EXPOSED]));
    expect(next.isBehind).toBe(true);
    await next.change((before) => Promise.resolve(before));
    expect(next.isBehind).toBe(false);
    expect(state.writes).toBe(2);
    mark.former = undefined;
    const last = storeOf(api.transport());
    await last.load();
    expect(readable(last.exposures)).toEqual(readable([EXPOSED]));
  });
});
