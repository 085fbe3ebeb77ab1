import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Corrector } from '../../src/agent/correct.ts';
import type { Finding } from '../../src/agent/live.ts';
import type { SourceDigest } from '../../src/core/ids.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { CONFIG_MAPS } from '../../src/kube/resource.ts';
import { CM_BASE, CM_FIELDS, configMap, entry, ours } from '../drift/objects.ts';
import type { EventFacts } from '../../src/report/events.ts';
import { type FakeApi, type FakeHandler, sendJson, startFakeApi, statusOf } from '../kube/fake-api.ts';
import { keyOf, row, runtime, testAgent, wanted } from './fixture.ts';

const X = keyOf('ConfigMap', 'x');
const x = wanted('ConfigMap', 'x');

/** Somebody typed another value for k1. */
const EDITED = configMap({ k1: 'evil', k2: 'b' }, [
  ours({ 'f:metadata': CM_FIELDS['f:metadata'] ?? {}, 'f:data': { 'f:k2': {} } }),
  entry('kubectl-edit', { 'f:data': { 'f:k1': {} } }),
]);
const FORBIDDEN = statusOf(403, 'Forbidden', { message: 'user cannot patch resource "configmaps"' });

function edited(version: string): JsonObject {
  const fields = { 'f:metadata': CM_FIELDS['f:metadata'] ?? {}, 'f:data': { 'f:k2': {} } };
  const managed = [ours(fields), entry('other-writer', { 'f:data': { 'f:k1': {} } })];
  return configMap({ k1: `evil-${version}`, k2: 'b' }, managed, version);
}

/** Somebody added a key. */
const EXTENDED = configMap({ k1: 'a', k2: 'b', k9: 'more' }, [
  ours(CM_FIELDS),
  entry('kubectl-patch', { 'f:data': { 'f:k9': {} } }),
]);

let api: FakeApi;
afterEach(() => api[Symbol.asyncDispose]());

/** An agent that has applied `x`, with a corrector at its findings; only timers are not real. */
async function prepared(handler: FakeHandler) {
  api = await startFakeApi(handler);
  const sync = runtime('a', { desired: new Map([[X, x]]) });
  const agent = testAgent(api.transport(), [sync]);
  const corrector = new Corrector(agent.context);
  agent.inventory.set(row('ConfigMap', 'x'));
  agent.live.observe(CONFIG_MAPS, 'team', CM_BASE, true);
  const see = (object: Json): void => {
    agent.findings.length = 0;
    agent.live.observe(CONFIG_MAPS, 'team', object, false);
    for (const { key, finding } of agent.findings) corrector.handle(key, finding);
  };
  return { sync, agent, corrector, see };
}

const kinds = (): string[] =>
  api.received.map(({ headers }) => String(headers['content-type']).replace('application/', ''));

describe('a correction', () => {
  it('that waited for its turn while nobody knew what Git wants leaves the object in doubt', async () => {
    const { sync, agent, see } = await prepared((_received, response) => sendJson(response, 500, {}));
    const busy = Promise.withResolvers<undefined>();
    for (const name of ['y', 'z']) void agent.lanes.run(keyOf('ConfigMap', name), 'commit', () => busy.promise);
    see(EDITED);
    sync.desired.clear();
    busy.resolve(undefined);
    await agent.lanes.idle();
    expect(api.received).toEqual([]);
    expect(agent.live.view(X)).toBe('unsure');
  });

  it('restores what was changed by one apply, and says so once', async () => {
    const { agent, see } = await prepared((_received, response) =>
      sendJson(response, 200, configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS)], '102')),
    );
    const told: JsonObject[] = [];
    Object.assign(agent.context, { corrected: (one: JsonObject) => told.push(one) });
    see(EDITED);
    await agent.lanes.idle();
    await Promise.resolve();
    expect(kinds()).toEqual(['apply-patch+yaml']);
    expect(agent.live.view(X)).toBe('in-sync');
    expect(told).toMatchObject([{ object: 'ConfigMap/x', paths: ['/data/k1'], manager: 'kubectl-edit' }]);
  });

  it('applies what Git wants when its turn comes, never the version before a commit', async () => {
    const bodies: string[] = [];
    const { agent, sync, see } = await prepared(({ body }, response) => {
      bodies.push(body.toString());
      sendJson(response, 200, configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS)], '102'));
    });
    // A commit of the object is on its way when the correction is queued.
    const { promise, resolve } = Promise.withResolvers<void>();
    const commit = agent.lanes.run(X, 'commit', () => promise);
    const finding: Finding = { kind: 'deleted', action: 'force', object: undefined };
    new Corrector(agent.context).handle(X, finding);
    sync.desired.set(X, { ...x, tree: { ...x.tree, data: { k1: 'newer' } }, digest: 'd2' as SourceDigest });
    resolve();
    await commit;
    await agent.lanes.idle();
    expect(bodies.map((body) => (JSON.parse(body) as JsonObject)['data'])).toEqual([{ k1: 'newer' }]);
    expect(agent.inventory.row(X)?.digest).toBe('d2');
    see(CM_BASE);
  });

  it('that changes nothing is not tried again, and its object is told that the change stays', async () => {
    const { agent, see } = await prepared((_received, response) => sendJson(response, 200, EDITED));
    const told: EventFacts[] = [];
    Object.assign(agent.context, { tell: (event: EventFacts) => told.push(event) });
    see(EDITED);
    await agent.lanes.idle();
    see(EDITED);
    await agent.lanes.idle();
    expect(kinds()).toEqual(['apply-patch+yaml']);
    expect(told.map(({ reason, regarding }) => [reason, regarding.name])).toEqual([['DriftUncorrectable', 'x']]);
    expect(told[0]?.note).toMatch(/\/data\/k1 by kubectl-edit stays/);
  });

  it('of an object that nobody wants any more asks nothing', async () => {
    const { agent, sync, see } = await prepared((_received, response) => sendJson(response, 200, CM_BASE));
    sync.desired.clear();
    see(EDITED);
    await agent.lanes.idle();
    expect(kinds()).toEqual([]);
    expect(agent.live.view(X)).toBe('unsure');
  });
});

/** Runs timers and the clock for so long, and lets requests end in between. */
async function forward(agent: ReturnType<typeof testAgent>, ms: number, stepMs = 500): Promise<void> {
  for (let at = 0; at < ms; at += stepMs) {
    agent.clock.forward(stepMs);
    await vi.advanceTimersByTimeAsync(stepMs);
    await agent.lanes.idle();
    await new Promise((done) => setImmediate(done));
  }
}

describe('a correction that fails', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is tried again later and later, and shown', async () => {
    const { agent, sync, see, corrector } = await prepared((_received, response) =>
      sendJson(response, 403, statusOf(403, 'Forbidden', { message: 'exceeded quota: few' })),
    );
    see(EDITED);
    await forward(agent, 120_000);
    expect(kinds().length).toBeGreaterThan(2);
    expect(kinds().length).toBeLessThanOrEqual(6);
    expect(sync.blocked.get(X)?.error.code).toBe('SOTTO-KUBE-012');
    corrector.close();
  });

  it('because a right is missing is not tried again by itself, and shown at once', async () => {
    const { agent, sync, see, corrector } = await prepared((_received, response) => sendJson(response, 403, FORBIDDEN));
    see(EDITED);
    await forward(agent, 600_000, 5_000);
    expect(kinds()).toHaveLength(1);
    expect(sync.blocked.get(X)?.error.code).toBe('SOTTO-KUBE-003');
    expect(agent.live.view(X)).toBe('unsure');
    corrector.close();
  });

  it('because a right is missing costs later and later requests, however often the object changes', async () => {
    const { agent, see, corrector } = await prepared((_received, response) => sendJson(response, 403, FORBIDDEN));
    for (let second = 1; second <= 120; second += 1) {
      see(edited(String(100 + second)));
      await forward(agent, 1_000);
    }
    expect(kinds().length).toBeLessThanOrEqual(6);
    corrector.close();
  });

  it('because the object moved on is not the same patch again: one apply ends it', async () => {
    const { agent, see, corrector } = await prepared(({ headers }, response) => {
      if (headers['content-type'] === 'application/merge-patch+json')
        return sendJson(response, 409, statusOf(409, 'Conflict'));
      sendJson(response, 200, configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS)], '103'));
    });
    see(EXTENDED);
    await agent.lanes.idle();
    // Whoever added the key took it out again; nobody finds anything in that.
    see(configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS)], '103'));
    await forward(agent, 60_000);
    expect(kinds()).toEqual(['merge-patch+json', 'apply-patch+yaml']);
    expect(agent.live.view(X)).toBe('in-sync');
    corrector.close();
  });
});

describe('a fight', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is told while it goes on, and no more once nobody has written for ten minutes', async () => {
    let version = 100;
    const { agent, sync, see, corrector } = await prepared((_received, response) => {
      version += 1;
      sendJson(response, 200, configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS)], String(version)));
    });
    let changes = 0;
    Object.assign(agent.context, { changed: () => (changes += 1) });
    for (let second = 0; second < 12; second += 1) {
      version += 1;
      see(edited(String(version)));
      await forward(agent, 1_000);
    }
    expect(sync.fights.get(X)?.code).toBe('SOTTO-PLAN-012');
    expect(sync.fights.get(X)?.why).toContain('other-writer');
    await forward(agent, 9 * 60_000, 5_000);
    expect(sync.fights.has(X)).toBe(true);
    const before = changes;
    await forward(agent, 3 * 60_000, 5_000);
    expect(sync.fights.has(X)).toBe(false);
    expect(changes).toBe(before + 1);
    corrector.close();
  });
});
