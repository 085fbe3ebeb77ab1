import { expect, it } from 'vitest';
import { pause } from '../../src/agent/pausing.ts';
import { sendJson, startFakeApi, statusOf } from '../kube/fake-api.ts';
import { runtime, testAgent } from './fixture.ts';

it('a pause that cannot be stored does not end the one that was set meanwhile', async () => {
  let other: Promise<unknown> | undefined;
  await using api = await startFakeApi(({ body }, response) => {
    // The first write fails, after somebody else has asked for a pause too.
    if (other !== undefined) return sendJson(response, 201, { metadata: { resourceVersion: '1' } });
    other = pause(agent.context, { kind: 'sync', name: 'b' }, request);
    expect(body.length).toBeGreaterThan(0);
    sendJson(response, 403, statusOf(403, 'Forbidden'));
  });
  const agent = testAgent(api.transport(), [runtime('a'), runtime('b')]);
  const request = {
    kind: 'pause',
    target: { kind: 'sync', name: 'a' },
    until: new Date(1e12),
    by: 'kim',
    reason: 'looking',
  } as const;
  await expect(pause(agent.context, request.target, request)).rejects.toThrow();
  await other;
  expect(agent.inventory.inventory.pauses.map(({ target }) => target)).toEqual([{ kind: 'sync', name: 'b' }]);
});
