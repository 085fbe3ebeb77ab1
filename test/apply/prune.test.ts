import { describe, expect, it } from 'vitest';
import { prune } from '../../src/apply/prune.ts';
import { objectIdOf } from '../../src/core/ids.ts';
import { parseJson } from '../../src/core/json.ts';
import { CONFIG_MAPS } from '../../src/kube/resource.ts';
import type { PruneStep } from '../../src/plan/plan.ts';
import { row } from '../agent/fixture.ts';
import { SET_ID } from '../drift/objects.ts';
import { type FakeHandler, sendJson, startFakeApi, statusOf } from '../kube/fake-api.ts';

const step: PruneStep = {
  action: 'prune',
  id: objectIdOf(row('ConfigMap', 'web').key),
  row: row('ConfigMap', 'web'),
};

async function pruned(handler: FakeHandler, more: Partial<PruneStep> = {}, uid = 'uid-1') {
  await using api = await startFakeApi(handler);
  const outcome = await prune({ ...step, ...more }, uid, CONFIG_MAPS, { transport: api.transport(), setId: SET_ID });
  const deletes = api.received.filter(({ method }) => method === 'DELETE');
  return { kind: outcome.kind, deletes: deletes.map(({ body }) => parseJson(body.toString())) };
}

const accepts: FakeHandler = (_, response) => sendJson(response, 200, {});
const conflict: FakeHandler = (_, response) => sendJson(response, 409, statusOf(409, 'Conflict'));
const foreign: FakeHandler = (_, response) => sendJson(response, 200, { metadata: { uid: 'uid-2' } });
const options = { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { uid: 'uid-1' } };

describe('a prune', () => {
  it('takes dependents along, and only the object that was looked at', async () => {
    expect(await pruned(accepts)).toEqual({
      kind: 'pruned',
      deletes: [{ ...options, propagationPolicy: 'Background' }],
    });
  });

  it('leaves the dependents of a SealedSecret whose Secret is applied instead', async () => {
    expect(await pruned(accepts, { orphan: true })).toEqual({
      kind: 'pruned',
      deletes: [{ ...options, propagationPolicy: 'Orphan' }],
    });
  });

  it('is none of an object that somebody else made meanwhile', async () => {
    expect((await pruned(conflict)).kind).toBe('not-ours');
    expect(await pruned(foreign, {}, 'uid-2')).toEqual({ kind: 'not-ours', deletes: [] });
  });
});
