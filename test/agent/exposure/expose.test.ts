import { expect, test } from 'vitest';
import { expose, lookAtExposed } from '../../../src/agent/exposure/expose.ts';
import type { Exposure } from '../../../src/agent/exposure/exposure.ts';
import { Sensitive } from '../../../src/core/sensitive.ts';
import { fingerprintKey } from '../../../src/keys/fingerprint.ts';
import { sendJson, startFakeApi } from '../../kube/fake-api.ts';
import { keyOf, passed, runtime, testAgent } from '../fixture.ts';

const EXPOSED: Exposure = {
  key: 'age1old',
  since: '2027-01-01T00:00:00Z',
  reason: 'compromised',
  by: 'kim',
  digestKey: fingerprintKey(Sensitive.copyOf(Buffer.alloc(32, 7))),
  total: 1,
  accepted: 0,
  values: [{ file: 'a.yaml', key: 'stringData.a', object: keyOf('Secret', 'a'), cipher: 'c', digest: 'd' }],
};

test('a value that stands nowhere any more is closed once that can be told: not without the inventory, nor before every sync has made a pass', async () => {
  await using api = await startFakeApi((_, response) => sendJson(response, 200, { metadata: {} }));
  const [sync, late] = [runtime('a'), runtime('b')];
  passed(sync, '1');
  const { context, inventory } = testAgent(api.transport(), [sync, late]);
  await context.exposures.change(() => Promise.resolve({ exposures: [EXPOSED] }));
  await lookAtExposed(context);
  expect(context.exposures.exposures).toEqual([EXPOSED]);
  passed(late, '1');
  inventory.lost = true;
  await lookAtExposed(context);
  expect(context.exposures.exposures).toEqual([EXPOSED]);
  inventory.lost = false;
  await lookAtExposed(context);
  expect(context.exposures.exposures).toEqual([]);
});

test('what a key opens is told between passes, not of what one is about to replace', async () => {
  await using api = await startFakeApi((_, response) => sendJson(response, 200, { metadata: {} }));
  const sync = runtime('a');
  passed(sync, '1');
  const { context } = testAgent(api.transport(), [sync]);
  const pass = Promise.withResolvers<undefined>();
  const order: string[] = [];
  const exclusively = async <T>(task: () => Promise<T>): Promise<T> => {
    await pass.promise;
    return task();
  };
  const change: typeof context.exposures.change = (task) => {
    order.push('looked');
    return context.exposures.change(task);
  };
  const exposures = Object.assign(Object.create(context.exposures) as typeof context.exposures, { change });
  const request = { kind: 'expose', key: 'age1old', by: 'kim', reason: 'compromised' } as const;
  const asked = expose({ ...context, exposures, exclusively }, request);
  await new Promise((resolve) => setTimeout(resolve, 20));
  order.push('the pass has ended');
  pass.resolve(undefined);
  expect(await asked).toMatchObject({ outcome: 'done' });
  expect(order).toEqual(['the pass has ended', 'looked']);
});
