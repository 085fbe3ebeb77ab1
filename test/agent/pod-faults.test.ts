import type { ServerResponse } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { PodFaults } from '../../src/agent/pod-faults.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { ObjectKey } from '../../src/core/ids.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import type { Health } from '../../src/health/result.ts';
import { computeStatus } from '../../src/health/status.ts';
import { catalogOf } from '../../src/kube/discovery.ts';
import { resourceOf } from '../../src/kube/resource.ts';
import { type FakeApi, startFakeApi } from '../kube/fake-api.ts';
import { keyOf } from './fixture.ts';

const facts = { version: 'v1', namespaced: true, verbs: ['list', 'watch'] };
const CATALOG = catalogOf(
  [
    resourceOf({ ...facts, group: '', kind: 'Pod', plural: 'pods' }),
    resourceOf({ ...facts, group: 'apps', kind: 'ReplicaSet', plural: 'replicasets' }),
  ],
  [],
);

const job = (uid: string, status: JsonObject = {}): Json => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: uid, uid },
  status,
});

let version = 10;
function line(type: string, name: string, owner: string, reason: string): string {
  version += 1;
  const containerStatuses = [{ name: 'c', state: { waiting: { reason } } }];
  const ownerReferences = [{ uid: owner, controller: true }];
  const metadata = { name, uid: `uid-${name}`, resourceVersion: String(version), ownerReferences };
  return `${JSON.stringify({ type, object: { apiVersion: 'v1', kind: 'Pod', metadata, status: { containerStatuses } } })}\n`;
}

const LISTED = { 'k8s.io/initial-events-end': 'true' };
const bookmark = (): string =>
  `${JSON.stringify({ type: 'BOOKMARK', object: { kind: 'Pod', metadata: { resourceVersion: '10', annotations: LISTED } } })}\n`;

/** A server that ends each list at once and leaves the streams of Pods to the test. */
async function server() {
  const streams = new Set<ServerResponse>();
  const api: FakeApi = await startFakeApi(({ path }, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write(bookmark());
    if (!path.endsWith('/pods')) return;
    streams.add(response);
    response.once('close', () => streams.delete(response));
  });
  return { api, streams };
}

function faultsOf(api: FakeApi, uids: ReadonlyMap<ObjectKey, string>) {
  const said: string[] = [];
  const stop = new AbortController();
  const faults = new PodFaults({
    transport: api.transport(),
    clock: systemClock,
    random: () => 0.5,
    signal: stop.signal,
    targetNamespace: 'team',
    catalog: () => CATALOG,
    uid: (key) => uids.get(key),
    onChange: (_key, { status, reason }) => said.push(`${status} ${reason}`),
    onTrouble: () => undefined,
    lingerMs: 1,
    onDefect: (thrown) => said.push(String(thrown)),
  });
  const judge = (uid: string, status?: JsonObject): Health => {
    const object = job(uid, status);
    return faults.judge(keyOf('Job', uid), object, computeStatus(object, new Date()));
  };
  return { faults, said, judge, [Symbol.dispose]: () => stop.abort() };
}

describe('Pods of workloads that wait', () => {
  it('are told once while their reasons take turns, and no more when they start', async () => {
    const { api, streams } = await server();
    await using _ = api;
    using watched = faultsOf(api, new Map([[keyOf('Job', 'a'), 'a']]));
    expect(watched.judge('a').reason).toBe('JobNotStarted');
    await vi.waitFor(() => expect(streams.size).toBe(1));
    expect(api.received.map(({ path, query }) => [path.split('/').at(-1), query.get('fieldSelector')])).toContainEqual([
      'pods',
      'status.phase=Pending',
    ]);
    const [stream] = streams;
    stream?.write(line('ADDED', 'other', 'b', 'ErrImagePull') + line('ADDED', 'a-1', 'a', 'ContainerCreating'));
    for (const reason of ['ErrImagePull', 'ImagePullBackOff', 'ErrImagePull']) {
      stream?.write(line('MODIFIED', 'a-1', 'a', reason));
    }
    await vi.waitFor(() => expect(watched.said).toEqual(['Failed ErrImagePull']));
    stream?.write(line('MODIFIED', 'a-1', 'a', 'ImagePullBackOff'));
    // Judged anew by an event of its own, it says what it said.
    expect(watched.judge('a', { startTime: '2026-01-02T03:04:05Z' })).toMatchObject({ reason: 'ErrImagePull' });
    stream?.write(line('DELETED', 'a-1', 'a', 'ImagePullBackOff'));
    await vi.waitFor(() => expect(watched.said).toEqual(['Failed ErrImagePull', 'Current JobRunning']));
  });

  it('are not looked at before something waits, nor once what waited is gone', async () => {
    const { api, streams } = await server();
    await using _ = api;
    const uids = new Map([[keyOf('Job', 'a'), 'a']]);
    using watched = faultsOf(api, uids);
    expect(watched.judge('done', { conditions: [{ type: 'Complete', status: 'True' }] }).status).toBe('Current');
    watched.faults.check();
    expect(api.received).toEqual([]);
    watched.judge('a');
    await vi.waitFor(() => expect(streams.size).toBe(1));
    uids.clear();
    watched.faults.check();
    await vi.waitFor(() => expect(streams.size).toBe(0));
    expect(watched.said).toEqual([]);
  });
});
