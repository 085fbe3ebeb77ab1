import { beforeEach, describe, expect, it } from 'vitest';
import { readinessOf } from '../../src/agent/waits.ts';
import { isJsonObject, type Json, type JsonObject } from '../../src/core/json.ts';
import { CONFIG_MAPS, SECRETS } from '../../src/kube/resource.ts';
import { CM_BASE, CM_FIELDS, configMap, entry, live as liveObject, ours, SET_ID } from '../drift/objects.ts';
import { JOBS, keyOf, nobody, row, testAgent } from './fixture.ts';

const X = keyOf('ConfigMap', 'x');
let agent: ReturnType<typeof testAgent>;
beforeEach(() => {
  agent = testAgent(nobody());
});

function seen(): string[] {
  return agent.findings.map(({ finding }) =>
    finding.kind === 'judged' ? finding.verdict.kind : `deleted/${finding.action}`,
  );
}

const CHANGED = configMap({ k1: 'evil', k2: 'b' }, [
  ours({ 'f:metadata': CM_FIELDS['f:metadata'] ?? {}, 'f:data': { 'f:k2': {} } }),
  entry('kubectl-edit', { 'f:data': { 'f:k1': {} } }),
]);

describe('the first sight of an object after a start', () => {
  it('is in sync when it is as its row says, without a request', () => {
    agent.inventory.set(row('ConfigMap', 'x'));
    agent.live.observe(CONFIG_MAPS, 'team', CM_BASE, true);
    expect([agent.live.view(X), seen()]).toEqual(['in-sync', []]);
  });

  it('is a doubt when it changed meanwhile, is another object, or lost its label', () => {
    const moved = configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS)], '105');
    for (const object of [moved, withMetadata(CM_BASE, { uid: 'uid-2' }), withMetadata(CM_BASE, { labels: {} })]) {
      agent = testAgent(nobody());
      agent.inventory.set(row('ConfigMap', 'x'));
      agent.live.observe(CONFIG_MAPS, 'team', object, true);
      expect([agent.live.view(X), seen()]).toEqual(['unsure', ['suspect']]);
    }
  });

  it('tells an apply under our name that came after its row from what somebody else did', () => {
    const [stored, later] = ['2026-01-02T03:04:05Z', '2026-01-02T03:04:06Z'];
    const data = { k1: 'a', k2: 'b' };
    const cases: [object: Json, isAppliedSince: boolean][] = [
      [configMap(data, [ours(CM_FIELDS, { time: later })], '105'), true],
      [withMetadata(configMap(data, [ours(CM_FIELDS, { time: later })], '105'), { uid: 'uid-2' }), true],
      [CHANGED, false],
      [configMap(data, [entry('before-first-apply', CM_FIELDS, { time: later })], '105'), false],
      [CM_BASE, false],
    ];
    for (const [object, isAppliedSince] of cases) {
      agent = testAgent(nobody());
      agent.inventory.set(row('ConfigMap', 'x', { ownTime: stored, resourceVersion: '99' }));
      agent.live.observe(CONFIG_MAPS, 'team', object, true);
      expect([agent.live.view(X), agent.live.isAppliedSince(X)]).toEqual(['unsure', isAppliedSince]);
      agent.live.baseline(X, object, 'full');
      expect(agent.live.isAppliedSince(X)).toBe(false);
    }
  });

  it('of an object that is not in the inventory is nothing, whatever its label says', () => {
    agent.live.observe(CONFIG_MAPS, 'team', CM_BASE, true);
    expect([agent.live.view(X), seen()]).toEqual(['absent', []]);
  });
});

/** A Job that has begun is Current, one that has not is waited for. */
function jobAt(version: string, startTime?: string): Json {
  const status = startTime === undefined ? {} : { status: { startTime } };
  return withMetadata({ ...liveObject('Job', status, [ours({})], version), apiVersion: 'batch/v1' }, { name: 'j' });
}

const KEY = keyOf('Job', 'j');

function seeJob(object: Json): void {
  agent.live.observe(JOBS, 'team', object, false);
}

function applyJob(object: Json) {
  return agent.live.baseline(KEY, object, 'full');
}

describe('the wait for readiness', () => {
  beforeEach(() => {
    agent.inventory.set(row('Job', 'j'));
    agent.clock.forward(1_000);
    applyJob(jobAt('100'));
  });

  it('counts from the apply that began it, not from one that changed nothing', () => {
    expect(agent.live.waitsSinceMs(KEY)).toBe(1_000);
    agent.clock.forward(60_000);
    applyJob(jobAt('100'));
    expect(agent.live.waitsSinceMs(KEY)).toBe(1_000);
    applyJob(jobAt('101'));
    expect(agent.live.waitsSinceMs(KEY)).toBe(61_000);
  });

  it('counts from the apply although its event came before its answer', async () => {
    agent.clock.forward(60_000);
    await agent.lanes.run(KEY, 'commit', () => {
      seeJob(jobAt('101'));
      return Promise.resolve(applyJob(jobAt('101')));
    });
    await agent.lanes.idle();
    expect(agent.live.waitsSinceMs(KEY)).toBe(61_000);
  });

  it('is over although the event that says so came before the answer to the apply', async () => {
    await agent.lanes.run(KEY, 'commit', () => {
      seeJob(jobAt('101'));
      seeJob(jobAt('102', '2026-01-02T03:04:05Z'));
      return Promise.resolve(applyJob(jobAt('101')));
    });
    await agent.lanes.idle();
    expect([agent.live.health(KEY)?.status, agent.live.waitsSinceMs(KEY)]).toEqual(['Current', undefined]);
    expect(agent.changes.at(-1)).toBe(KEY);
  });

  it('is what the answer says where the event that was held is older', async () => {
    await agent.lanes.run(KEY, 'commit', () => {
      seeJob(jobAt('101', '2026-01-02T03:04:05Z'));
      return Promise.resolve(applyJob(jobAt('102')));
    });
    await agent.lanes.idle();
    expect(agent.live.health(KEY)?.status).toBe('InProgress');
  });

  it('ends when the object is ready, and begins again when it ceases to be or is deleted', () => {
    seeJob(jobAt('102', '2026-01-02T03:04:05Z'));
    expect(agent.live.waitsSinceMs(KEY)).toBeUndefined();
    agent.clock.forward(60_000);
    seeJob(jobAt('103'));
    expect(agent.live.waitsSinceMs(KEY)).toBe(61_000);
    seeJob(jobAt('104', '2026-01-02T03:04:05Z'));
    agent.clock.forward(60_000);
    agent.live.observeDeleted(KEY, undefined);
    expect(agent.live.waitsSinceMs(KEY)).toBe(121_000);
  });

  it('is told of again when the object comes back as it was before it was deleted', () => {
    seeJob(jobAt('102', '2026-01-02T03:04:05Z'));
    agent.live.observeDeleted(KEY, undefined);
    const before = agent.changes.length;
    seeJob(jobAt('104', '2026-01-02T03:04:05Z'));
    expect(agent.changes.slice(before)).toEqual([KEY]);
  });

  it('of a Secret is over when it is there', () => {
    agent.inventory.set(row('Secret', 'x'));
    agent.live.baseline(keyOf('Secret', 'x'), CM_BASE, 'meta');
    expect(agent.live.waitsSinceMs(keyOf('Secret', 'x'))).toBeUndefined();
  });
});

describe('events while an apply is on its way', () => {
  it('wait for the answer: our own echo is dropped, a later change is found', async () => {
    agent.inventory.set(row('ConfigMap', 'x'));
    agent.live.observe(CONFIG_MAPS, 'team', CM_BASE, true);
    await agent.lanes.run(X, 'commit', () => {
      agent.live.observe(CONFIG_MAPS, 'team', CHANGED, false);
      expect(seen()).toEqual([]);
      return Promise.resolve(agent.live.baseline(X, CM_BASE, 'full'));
    });
    await agent.lanes.idle();
    expect(seen()).toEqual(['drifted']);
  });

  it('keeps only the newest, so an echo after a change means nothing happened', async () => {
    agent.inventory.set(row('ConfigMap', 'x'));
    const answer = configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS)], '110');
    await agent.lanes.run(X, 'commit', () => {
      agent.live.observe(CONFIG_MAPS, 'team', CHANGED, false);
      agent.live.observe(CONFIG_MAPS, 'team', answer, false);
      return Promise.resolve(agent.live.baseline(X, answer, 'full'));
    });
    await agent.lanes.idle();
    expect([agent.live.view(X), seen()]).toEqual(['in-sync', []]);
  });
});

describe('an object that goes', () => {
  beforeEach(() => {
    agent.inventory.set(row('ConfigMap', 'x'));
    agent.live.observe(CONFIG_MAPS, 'team', CM_BASE, true);
  });

  it('is found once, also when a list does not have it', () => {
    agent.live.observeMissing([X], new Set());
    agent.live.observeMissing([X], new Set());
    expect([agent.live.view(X), seen()]).toEqual(['absent', ['deleted/probe']]);
  });

  it('is not the one that took its name', () => {
    agent.live.observe(CONFIG_MAPS, 'team', withMetadata(CM_BASE, { uid: 'uid-2', resourceVersion: '120' }), false);
    agent.findings.length = 0;
    agent.live.observeDeleted(X, CM_BASE);
    expect([agent.live.view(X) === 'absent', seen()]).toEqual([false, []]);
  });

  it('after its end was seen coming is made again at once', () => {
    agent.live.observe(
      CONFIG_MAPS,
      'team',
      withMetadata(CM_BASE, { resourceVersion: '101', deletionTimestamp: '2026-01-02T03:04:05Z' }),
      false,
    );
    agent.live.observeDeleted(X, CM_BASE);
    expect(seen()).toEqual(['deleted/force']);
  });
});

describe('what must outlive a restart', () => {
  const key = keyOf('Job', 'x');
  const fields = { 'f:metadata': { 'f:labels': { 'f:applyset.kubernetes.io/part-of': {} } }, 'f:spec': { 'f:a': {} } };
  const job = (rv: string, status: JsonObject): JsonObject =>
    liveObject('Job', { apiVersion: 'batch/v1', spec: { a: 1 }, status }, [ours(fields)], rv);

  it('reaches the inventory when a Job finishes, so that its absence later is no reason to run it again', () => {
    agent.inventory.set(row('Job', 'x'));
    agent.live.observe(JOBS, 'team', job('100', {}), true);
    expect(agent.inventory.row(key)?.done).toBe(false);
    agent.live.observe(JOBS, 'team', job('101', { conditions: [{ type: 'Complete', status: 'True' }] }), false);
    expect(agent.inventory.row(key)?.done).toBe(true);
    agent.live.observeDeleted(key, job('101', {}));
    expect(seen()).toEqual([]);
  });

  it('is that a Job failed, also for what waits for it after the Job is gone', () => {
    agent.inventory.set(row('Job', 'x'));
    agent.live.observe(JOBS, 'team', job('100', {}), true);
    agent.live.observe(JOBS, 'team', job('101', { conditions: [{ type: 'Failed', status: 'True' }] }), false);
    agent.live.observeDeleted(key, job('101', {}));
    expect(agent.inventory.row(key)).toMatchObject({ done: true, failed: true });
    expect([seen(), readinessOf(agent, key)]).toEqual([[], 'failed']);
    agent.live.baseline(key, withMetadata(job('102', {}), { uid: 'uid-2' }), 'full');
    expect(agent.live.record(key)).toMatchObject({ done: false, failed: false });
  });

  it('is ready for what waits for it, when a Job that completed is gone', () => {
    agent.inventory.set(row('Job', 'x', { done: true }));
    expect(readinessOf(agent, key)).toBe('ready');
  });

  it('costs no write when nothing of it changed', () => {
    agent.inventory.set(row('Job', 'x'));
    const before = agent.inventory.row(key);
    agent.live.observe(JOBS, 'team', job('100', {}), true);
    agent.live.observe(JOBS, 'team', job('101', { active: 1 }), false);
    expect(agent.inventory.row(key)).toBe(before);
  });

  it('is the path that was left to an autoscaler', () => {
    const deployment = { ...row('Job', 'x') };
    agent.inventory.set(deployment);
    const own = { ...fields, 'f:spec': { 'f:replicas': {} } };
    agent.live.observe(JOBS, 'team', scaled(2, [ours(own)], '100'), true);
    const hpa = entry('kube-controller-manager', { 'f:spec': { 'f:replicas': {} } }, { subresource: 'scale' });
    agent.live.observe(JOBS, 'team', scaled(5, [ours({ 'f:metadata': fields['f:metadata'] }), hpa], '101'), false);
    expect(seen()).toEqual([]);
    expect(agent.inventory.row(key)?.yielded?.length).toBeGreaterThan(0);
  });
});

describe('Secrets', () => {
  it('are judged by metadata and known by their uid only while they are there', () => {
    const key = keyOf('Secret', 'x');
    agent.inventory.set(row('Secret', 'x'));
    const secret = withMetadata(liveObject('Secret', {}, [ours(CM_FIELDS)]), {});
    agent.live.observe(SECRETS, 'team', secret, true);
    expect([agent.live.view(key), agent.live.uid(key)]).toEqual(['in-sync', 'uid-1']);
    agent.live.observeDeleted(key, undefined);
    expect([agent.live.view(key), agent.live.uid(key)]).toEqual(['absent', undefined]);
  });
});

function scaled(replicas: number, entries: readonly JsonObject[], rv: string): Json {
  return liveObject('Job', { apiVersion: 'batch/v1', spec: { replicas } }, entries, rv);
}

function withMetadata(whole: JsonObject, change: JsonObject): Json {
  return {
    ...whole,
    metadata: {
      ...(isJsonObject(whole['metadata']) ? whole['metadata'] : {}),
      labels: { 'applyset.kubernetes.io/part-of': SET_ID },
      ...change,
    },
  };
}
