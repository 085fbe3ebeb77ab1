import { createSecretKey } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { restartPods } from '../../src/agent/restarting.ts';
import { SecretRef } from '../../src/core/closed.ts';
import { objectKey, type SourceDigest } from '../../src/core/ids.ts';
import { isJsonObject, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { catalogOf } from '../../src/kube/discovery.ts';
import { resourceOf, SECRETS } from '../../src/kube/resource.ts';
import type { Plan } from '../../src/plan/plan.ts';
import type { DesiredObject } from '../../src/render/desired.ts';
import { at, D_BASE, D_OURS, deployment } from '../drift/objects.ts';
import { appsEdit, POD_NOTES } from '../drift/rows.ts';
import { type FakeApi, type FakeHandler, sendJson, startFakeApi, statusOf } from '../kube/fake-api.ts';
import { row, runtime, setOf, testAgent, wanted } from './fixture.ts';

const DEPLOYMENTS = resourceOf({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
  verbs: ['get', 'list', 'watch'],
});

const ID = { group: 'apps', kind: 'Deployment', namespace: 'team', name: 'x' };
const KEY = objectKey(ID);
const PLAN: Plan = {
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

const WORKLOAD: DesiredObject = {
  ...wanted('ConfigMap', 'x'),
  id: ID,
  key: KEY,
  apiVersion: 'apps/v1',
  tree: {
    metadata: { name: 'x', annotations: { 'sotto.dev/restart-on-change': 'true' } },
    spec: { template: { spec: { containers: [{ name: 'c', envFrom: [{ secretRef: { name: 'db' } }] }] } } },
  },
};

/** One encryption of one value. */
function secret(digest: string, value: string): { object: DesiredObject; value: string } {
  const ref = new SecretRef({ format: 'sops', file: 'db.yaml' }, { text: digest }, 'value', 1);
  return { object: { ...wanted('Secret', 'db'), digest: digest as SourceDigest, tree: { data: { p: ref } } }, value };
}

const stamped: FakeHandler = ({ body }, response) => {
  const podAnnotations = memberAt(parseJson(body.toString()), 'spec', 'template', 'metadata', 'annotations');
  const entry = appsEdit('sotto-restart', at(POD_NOTES, { 'f:sotto.dev/secrets-digest': {} }), { operation: 'Apply' });
  const answer = deployment([D_OURS, entry], {
    podAnnotations: isJsonObject(podAnnotations) ? podAnnotations : {},
    generation: 2,
  });
  return sendJson(response, 200, answer);
};

let opened = 0;
let onOpened: (() => void) | undefined;
beforeEach(() => {
  opened = 0;
  onOpened = undefined;
});

function world(api: FakeApi) {
  const sync = runtime('a');
  const agent = testAgent(api.transport(), [sync]);
  const context = { ...agent.context, catalog: () => catalogOf([SECRETS, DEPLOYMENTS], []) };
  agent.inventory.set({ ...row('Secret', 'x'), key: KEY, apiVersion: 'apps/v1' });
  agent.live.baseline(KEY, D_BASE, 'full');
  /** A pass after which the Secret is applied. */
  const pass = ({ object, value }: ReturnType<typeof secret>) => {
    agent.inventory.set(row('Secret', 'db', { digest: object.digest }));
    const opener = {
      open: () => {
        opened += 1;
        onOpened?.();
        return Promise.resolve(Sensitive.copyOf(Buffer.from(value)));
      },
    };
    return restartPods(context, sync, { desired: setOf(object, WORKLOAD), decided: PLAN }, opener);
  };
  /** From here on digests are made with another key, and those known are of the one before. */
  const turn = (): void => {
    const { fingerprint } = context;
    fingerprint.former = fingerprint.current;
    fingerprint.current = { keyObject: createSecretKey(Buffer.alloc(32, 8)) };
  };
  return { pass, agent: { ...agent, turn } };
}

/** A Deployment that carries a digest, or none. */
const carrying = (stamp: string | undefined): FakeHandler => {
  let annotations = stamp === undefined ? {} : { 'sotto.dev/secrets-digest': stamp };
  return (received, response) => {
    if (received.method === 'GET')
      return sendJson(response, 200, deployment([D_OURS], { podAnnotations: annotations }));
    const now = stringAt(
      parseJson(received.body.toString()),
      'spec',
      'template',
      'metadata',
      'annotations',
      'sotto.dev/secrets-digest',
    );
    annotations = { 'sotto.dev/secrets-digest': now ?? '' };
    return stamped(received, response);
  };
};
const patches = (api: FakeApi): number => api.received.filter(({ method }) => method === 'PATCH').length;

describe('Pods whose workload wishes it', () => {
  it('are replaced once by a changed value, and neither by the first one nor by another encryption', async () => {
    await using api = await startFakeApi(stamped);
    const { pass, agent } = world(api);
    await pass(secret('c1', 'one'));
    await pass(secret('c2', 'one'));
    expect(api.received).toEqual([]);
    await pass(secret('c3', 'two'));
    const openedBefore = opened;
    const end = await pass(secret('c3', 'two'));
    expect([end, opened]).toEqual([{ refusals: [], retry: false, left: 0 }, openedBefore]);
    expect(api.received.map(({ method, path }) => [method, path])).toEqual([
      ['PATCH', '/apis/apps/v1/namespaces/team/deployments/x'],
    ]);
    const [sent] = api.received;
    expect(sent?.query.get('fieldManager')).toBe('sotto-restart');
    expect(parseJson(sent?.body.toString() ?? '')).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'x', namespace: 'team', uid: 'uid-1' },
      spec: {
        template: {
          metadata: { annotations: { 'sotto.dev/secrets-digest': expect.stringMatching(/^[0-9a-f]{64}$/) } },
        },
      },
    });
    expect(agent.inventory.row(KEY)).toMatchObject({ generation: 2, resourceVersion: '101' });
    expect(agent.findings).toEqual([]);
  });

  it('wait while their workload is not the one that was applied', async () => {
    await using api = await startFakeApi(stamped);
    const { pass, agent } = world(api);
    await pass(secret('c1', 'one'));
    agent.live.observeDeleted(KEY, D_BASE);
    await pass(secret('c2', 'two'));
    expect(api.received).toEqual([]);
  });

  it('stay where their workload is paused while the value is opened, and are replaced afterwards', async () => {
    await using api = await startFakeApi(stamped);
    const { pass, agent } = world(api);
    await pass(secret('c1', 'one'));
    onOpened = () =>
      agent.inventory.setPauses([
        { target: { kind: 'object', key: KEY }, until: new Date(1e12), by: 'kim', reason: 'looking' },
      ]);
    expect(await pass(secret('c2', 'two'))).toMatchObject({ retry: true, refusals: [] });
    expect(patches(api)).toBe(0);
    onOpened = undefined;
    agent.inventory.setPauses([]);
    await pass(secret('c2', 'two'));
    expect(patches(api)).toBe(1);
  });

  it('are replaced by a later pass where the API server refused it now', async () => {
    await using api = await startFakeApi((_received, response) => sendJson(response, 403, statusOf(403, 'Forbidden')));
    const { pass } = world(api);
    await pass(secret('c1', 'one'));
    const end = await pass(secret('c2', 'two'));
    expect(end.refusals).toMatchObject([{ id: ID, error: { place: { object: 'apps/Deployment/x' } } }]);
    api.handle(stamped);
    expect(await pass(secret('c2', 'two'))).toEqual({ refusals: [], retry: false, left: 0 });
    expect(api.received.filter(({ method }) => method === 'PATCH').length).toBeGreaterThanOrEqual(2);
  });

  describe('while the fingerprint key is changed', () => {
    it('are replaced once where they carry a digest, and only remembered anew where they carry none', async () => {
      for (const [stamp, expected] of [
        ['0'.repeat(64), 1],
        [undefined, 0],
      ] as const) {
        await using api = await startFakeApi(carrying(stamp));
        const { pass, agent } = world(api);
        await pass(secret('c1', 'one'));
        const before = agent.inventory.row(KEY)?.restart?.values;
        agent.turn();
        expect(await pass(secret('c1', 'one'))).toEqual({ refusals: [], retry: false, left: 0 });
        await pass(secret('c1', 'one'));
        expect(patches(api)).toBe(expected);
        expect(agent.inventory.row(KEY)?.restart?.values).not.toBe(before);
      }
    });

    it('are replaced where a value has changed meanwhile, and count as left where they may not be written to', async () => {
      await using api = await startFakeApi(carrying(undefined));
      const { pass, agent } = world(api);
      await pass(secret('c1', 'one'));
      agent.turn();
      await pass(secret('c2', 'two'));
      expect(patches(api)).toBe(1);
      agent.live.observeDeleted(KEY, D_BASE);
      expect(await pass(secret('c2', 'two'))).toMatchObject({ left: 1 });
    });
  });
});
