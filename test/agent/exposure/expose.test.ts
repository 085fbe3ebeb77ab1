import { expect, test } from 'vitest';
import { lookAtExposed } from '../../../src/agent/exposure/expose.ts';
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
