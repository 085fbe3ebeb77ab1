import { describe, expect, it } from 'vitest';
import { INVENTORY_NAME } from '../../src/core/labels.ts';
import { encodeInventory, EMPTY_INVENTORY } from '../../src/plan/inventory.ts';
import type { Outcome } from '../../src/kube/outcome.ts';
import { withRetry } from '../../src/kube/retry.ts';
import { type FakeHandler, sendJson, startFakeApi, statusOf } from '../kube/fake-api.ts';
import { mac, row, testAgent } from './fixture.ts';

/** One ConfigMap with versions, and a fault on demand. */
function store() {
  const state = {
    entry: undefined as string | undefined,
    version: 0,
    writes: 0,
    fault: undefined as FakeHandler | undefined,
  };
  const object = () => ({
    metadata: { resourceVersion: String(state.version) },
    binaryData: { inventory: state.entry },
  });
  const write = (body: Buffer): void => {
    state.entry = (JSON.parse(body.toString()) as { binaryData: { inventory: string } }).binaryData.inventory;
    state.version += 1;
  };
  const handler: FakeHandler = (received, response) => {
    if (received.method !== 'GET') state.writes += 1;
    if (state.fault !== undefined && received.method !== 'GET') return state.fault(received, response);
    if (received.method === 'GET' && state.entry !== undefined) return sendJson(response, 200, object());
    if (received.method === 'GET')
      return sendJson(
        response,
        404,
        statusOf(404, 'NotFound', { details: { name: INVENTORY_NAME, kind: 'configmaps' } }),
      );
    const before = (JSON.parse(received.body.toString()) as { metadata: { resourceVersion?: string } }).metadata
      .resourceVersion;
    if (received.method === 'PUT' && before !== String(state.version))
      return sendJson(response, 409, statusOf(409, 'Conflict'));
    write(received.body);
    sendJson(response, received.method === 'POST' ? 201 : 200, object());
  };
  return { state, handler, write };
}

function repeat<Value>(attempt: () => Promise<Outcome<Value>>): Promise<Outcome<Value>> {
  return withRetry(attempt, { random: () => 0 });
}

describe('the inventory store', () => {
  it('stores nothing when nothing changed, and rows with a new epoch when it is taken over', async () => {
    const { state, handler } = store();
    await using api = await startFakeApi(handler);
    const { inventory } = testAgent(api.transport());
    await inventory.load();
    await inventory.hold({ instance: 'i' });
    inventory.set(row('ConfigMap', 'x'));
    await inventory.store();
    await inventory.store();
    expect(state.writes).toBe(2);
    const again = testAgent(api.transport()).inventory;
    await again.load();
    expect([again.inventory.epoch, again.inventory.holder?.instance, again.inventory.rows.size, again.lost]).toEqual([
      1,
      'i',
      1,
      false,
    ]);
  });

  it('is lost, with no rows, when the entry was not made with our key', async () => {
    const { state, handler } = store();
    state.entry = encodeInventory(EMPTY_INVENTORY, (bytes) => mac(bytes.toReversed())).toString('base64');
    await using api = await startFakeApi(handler);
    const { inventory } = testAgent(api.transport());
    await inventory.load();
    expect([inventory.lost, inventory.inventory.rows.size]).toEqual([true, 0]);
  });

  it('does not take its own write for another agent when the answer was lost', async () => {
    const { state, handler, write } = store();
    await using api = await startFakeApi(handler);
    const { inventory } = testAgent(api.transport());
    await inventory.hold({ instance: 'i' });
    inventory.set(row('ConfigMap', 'x'));
    state.fault = ({ body }, response) => {
      write(body);
      sendJson(response, 500, statusOf(500, 'InternalError'));
    };
    await expect(inventory.store()).rejects.toThrow();
    state.fault = undefined;
    inventory.set(row('ConfigMap', 'y'));
    await inventory.store();
    const again = testAgent(api.transport()).inventory;
    await again.load();
    expect(again.inventory.rows.size).toBe(2);
  });

  it('knows its first write again when the answer was lost, and does not take it for another agent', async () => {
    const { state, handler, write } = store();
    await using api = await startFakeApi(handler);
    const { inventory } = testAgent(api.transport(), [], repeat);
    state.fault = (received, response) => {
      if (state.entry !== undefined) {
        state.fault = undefined;
        return sendJson(response, 409, statusOf(409, 'AlreadyExists', { reason: 'AlreadyExists' }));
      }
      write(received.body);
      received.socket.destroy();
    };
    await inventory.hold({ instance: 'i' });
    expect([state.writes, inventory.inventory.epoch, await inventory.isHeldByUs('i')]).toEqual([3, 1, true]);
  });

  it('gives way to another agent', async () => {
    const { state, handler } = store();
    await using api = await startFakeApi(handler);
    const { inventory } = testAgent(api.transport());
    await inventory.hold({ instance: 'i' });
    state.entry = encodeInventory({ ...EMPTY_INVENTORY, holder: { instance: 'other' } }, mac).toString('base64');
    state.version += 1;
    inventory.set(row('ConfigMap', 'x'));
    await expect(inventory.store()).rejects.toMatchObject({ code: 'SOTTO-PLAN-010' });
    expect(await inventory.isHeldByUs('i')).toBe(false);
  });

  it('keeps what could not be stored due, later and later', async () => {
    const { state, handler } = store();
    await using api = await startFakeApi(handler);
    const { inventory, clock } = testAgent(api.transport());
    await inventory.hold({ instance: 'i' });
    state.fault = (_received, response) => sendJson(response, 403, statusOf(403, 'Forbidden'));
    inventory.set(row('ConfigMap', 'x'));
    const waits: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      await expect(inventory.store()).rejects.toThrow();
      waits.push((inventory.dueAtMs() ?? 0) - clock.elapsedMs());
      clock.forward(waits.at(-1) ?? 0);
    }
    expect(waits.every((ms, i) => i === 0 || ms >= (waits[i - 1] ?? 0))).toBe(true);
    expect([(waits[0] ?? 0) >= 2_000, waits.at(-1)]).toEqual([true, 60_000]);
    state.fault = undefined;
    await inventory.store();
    expect(inventory.dueAtMs()).toBeUndefined();
  });

  it('that is too large is still to be stored: nothing is applied for the first time without its row', async () => {
    await using api = await startFakeApi(store().handler);
    const { inventory } = testAgent(api.transport());
    // Random text does not compress.
    for (let i = 0; i < 400; i += 1) inventory.set(row('ConfigMap', `x${i}`, { file: randomText(4_000) }));
    await expect(inventory.store()).rejects.toMatchObject({ code: 'SOTTO-PLAN-013' });
    await expect(inventory.store()).rejects.toMatchObject({ code: 'SOTTO-PLAN-013' });
  });
});

function randomText(length: number): string {
  const bytes = new Uint8Array(length);
  globalThis.crypto.getRandomValues(bytes);
  return Buffer.from(bytes).toString('base64');
}
