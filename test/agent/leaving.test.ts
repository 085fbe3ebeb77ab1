import { expect, it } from 'vitest';
import { isDue } from '../../src/agent/leaving.ts';
import { sendJson, startFakeApi } from '../kube/fake-api.ts';
import { passed, runtime, SETTINGS, testAgent } from './fixture.ts';

it('what a sync has applied goes once it is over, not while its last pass is still ending', async () => {
  await using api = await startFakeApi((_, response) => sendJson(response, 201, { metadata: {} }));
  const [stays, leaves] = [runtime('stays'), runtime('leaves')];
  passed(stays, '1');
  const { context, inventory } = testAgent(api.transport(), [stays, leaves]);
  const agent = { ...context, settings: () => ({ ...SETTINGS, syncs: [stays.settings] }) };
  inventory.setLeaving('leaves', { ask: [] });
  expect(isDue(agent, undefined)).toBe(false);
  expect(isDue({ ...agent, syncs: new Map([['stays', stays]]) }, undefined)).toBe(true);
});
