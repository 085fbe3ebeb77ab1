import { describe, expect, it } from 'vitest';
import { isHeldByOther, otherAgent } from '../../src/agent/fence.ts';
import { withRetry } from '../../src/kube/retry.ts';
import { type FakeHandler, sendJson, startFakeApi, statusOf } from '../kube/fake-api.ts';
import { nobody } from './fixture.ts';

const HOLDER = { instance: 'agent-1', pod: 'agent-1' };

function pod(more: Readonly<Record<string, unknown>> = {}, phase = 'Running'): FakeHandler {
  return (_received, response) =>
    sendJson(response, 200, { metadata: { name: 'agent-1', ...more }, status: { phase } });
}

function refuses(code: number, reason: string, more: Readonly<Record<string, unknown>> = {}): FakeHandler {
  return (_received, response) => sendJson(response, code, statusOf(code, reason, more));
}

async function isHeld(answer: FakeHandler): Promise<boolean> {
  await using api = await startFakeApi(answer);
  const held = await isHeldByOther(api.transport(), 'team', HOLDER, 'agent-2');
  expect(api.received.map(({ path }) => path)).toEqual(['/api/v1/namespaces/team/pods/agent-1']);
  return held;
}

describe('a namespace with a holder', () => {
  it('is held while the Pod of the holder lives', async () => {
    expect(await isHeld(pod())).toBe(true);
    expect(await isHeld(pod({}, 'Pending'))).toBe(true);
  });

  it('is free when its Pod is gone, ending or ended', async () => {
    const gone = refuses(404, 'NotFound', { details: { name: 'agent-1', kind: 'pods' } });
    expect(await isHeld(gone)).toBe(false);
    expect(await isHeld(pod({ deletionTimestamp: '2026-01-02T03:04:05Z' }))).toBe(false);
    expect(await isHeld(pod({}, 'Succeeded'))).toBe(false);
    expect(await isHeld(pod({}, 'Failed'))).toBe(false);
  });

  it('is held when nobody may look or nobody answers: a wrong guess would make two writers', async () => {
    expect(await isHeld(refuses(403, 'Forbidden', { message: 'u cannot get resource "pods"' }))).toBe(true);
    expect(await isHeld(refuses(500, 'InternalError'))).toBe(true);
    expect(await isHeldByOther(nobody(), 'team', HOLDER, undefined)).toBe(true);
  });

  it('is looked at again after a hiccup where that is wanted', async () => {
    let asked = 0;
    await using api = await startFakeApi((received, response) => {
      asked += 1;
      if (asked === 1) return refuses(503, 'ServiceUnavailable')(received, response);
      pod({}, 'Failed')(received, response);
    });
    const held = await isHeldByOther(api.transport(), 'team', HOLDER, 'agent-2', (attempt) =>
      withRetry(attempt, { random: () => 0 }),
    );
    expect([held, asked]).toEqual([false, 2]);
  });

  it('is decided without a request for nobody, for ourselves, and for a holder without a Pod', async () => {
    expect(await isHeldByOther(nobody(), 'team', undefined, 'agent-2')).toBe(false);
    expect(await isHeldByOther(nobody(), 'team', HOLDER, 'agent-1')).toBe(false);
    expect(await isHeldByOther(nobody(), 'team', { instance: 'local-1' }, undefined)).toBe(true);
  });

  it('says who holds it and what to do', () => {
    expect(otherAgent(HOLDER).text()).toMatch(/SOTTO-PLAN-010.*agent-1.*--take-over/s);
    expect(otherAgent({ instance: 'local-1' }).why).toContain('local-1');
  });
});
