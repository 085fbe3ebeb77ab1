import { describe, expect, test } from 'vitest';
import type { Exposure } from '../../../src/agent/exposure/exposure.ts';
import { ExposureStore } from '../../../src/agent/exposure/store.ts';
import { exposureKey } from '../../../src/agent/exposure/stored.ts';
import type { FingerprintKey } from '../../../src/keys/fingerprint.ts';
import { unrepeated } from '../../../src/kube/retry.ts';
import type { Transport } from '../../../src/kube/transport.ts';
import type { ExposureMark, Inventory } from '../../../src/plan/inventory.ts';
import { EMPTY_INVENTORY } from '../../../src/plan/inventory.ts';
import { type FakeHandler, sendJson, startFakeApi, statusOf } from '../../kube/fake-api.ts';
import { keyOf, testAgent } from '../fixture.ts';

const EXPOSED: Exposure = {
  key: 'age1old',
  since: '2027-01-01T00:00:00Z',
  reason: 'compromised',
  by: 'kim',
  digestKey: 's',
  total: 1,
  accepted: 0,
  values: [{ file: 'a.yaml', key: 'stringData.a', object: keyOf('Secret', 'a'), cipher: 'c', digest: 'd' }],
};

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
  test('asks nobody where there is none', async () => {
    const { state, handler, storeOf } = kept();
    await using api = await startFakeApi(handler);
    const store = storeOf(api.transport());
    await store.load();
    expect(store.isOpen).toBe(false);
    await store.change((before) => Promise.resolve(before));
    expect(state).toMatchObject({ reads: 0, writes: 0 });
  });

  test('is written when it changes, read by the next agent, and not asked for any more when nothing is left', async () => {
    const { state, mark, handler, storeOf } = kept();
    await using api = await startFakeApi(handler);
    const store = storeOf(api.transport());
    await store.change((before) => Promise.resolve({ ...before, exposures: [EXPOSED] }));
    expect(mark.exposure).toEqual({ serial: 1, isEmpty: false });
    const next = storeOf(api.transport());
    await next.load();
    expect(next.exposures).toEqual([EXPOSED]);
    await next.change(() => Promise.resolve({ exposures: [] }));
    expect(mark.exposure).toEqual({ serial: 2, isEmpty: true });
    const last = storeOf(api.transport());
    await last.load();
    expect(last.isOpen).toBe(false);
    expect(state).toMatchObject({ reads: 1, writes: 2 });
  });

  test('that is gone, forged or older than the inventory says is not used', async () => {
    const { state, mark, handler, storeOf } = kept();
    await using api = await startFakeApi(handler);
    const store = storeOf(api.transport());
    await store.change((before) => Promise.resolve({ ...before, exposures: [EXPOSED] }));
    const first = state.entry ?? '';
    await store.change((before) =>
      Promise.resolve({ ...before, exposures: [EXPOSED, { ...EXPOSED, key: 'age1other' }] }),
    );
    for (const [entry, why] of [
      [undefined, 'it is gone'],
      ['AAAA', 'somebody changed it'],
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
    expect(store.exposures).toEqual([EXPOSED]);
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
    expect(next.exposures).toEqual([EXPOSED]);
    expect(next.isBehind).toBe(true);
    await next.change((before) => Promise.resolve(before));
    expect(next.isBehind).toBe(false);
    expect(state.writes).toBe(2);
    mark.former = undefined;
    const last = storeOf(api.transport());
    await last.load();
    expect(last.exposures).toEqual([EXPOSED]);
  });
});
