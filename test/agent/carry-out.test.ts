import { describe, expect, it, vi } from 'vitest';
import { carryOut } from '../../src/agent/carry-out.ts';
import { Corrector } from '../../src/agent/correct.ts';
import { announce, decide, refreshRows, refusedKeys, release } from '../../src/agent/pass-stages.ts';
import { reportPass } from '../../src/agent/report-pass.ts';
import type { SyncRuntime } from '../../src/agent/sync-runtime.ts';
import { SECRETS } from '../../src/kube/resource.ts';
import { ordered } from '../../src/plan/ordering.ts';
import type { DesiredSet } from '../../src/render/desired.ts';
import { SET_ID } from '../drift/objects.ts';
import { type FakeHandler, sendJson, startFakeApi, statusOf } from '../kube/fake-api.ts';
import { keyOf, passed, row, runtime, setOf, snapshot, testAgent, wanted } from './fixture.ts';

const foreign = {
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata: {
    name: 'db',
    namespace: 'team',
    uid: 'foreign-uid',
    resourceVersion: '50',
    labels: { 'app.kubernetes.io/managed-by': 'Helm' },
    managedFields: [{ manager: 'helm', operation: 'Update', fieldsV1: {} }],
  },
};

/** Everything exists and is somebody else's. */
const allForeign: FakeHandler = ({ method, path }, response) => {
  if (method === 'POST' && path.endsWith('/configmaps'))
    return sendJson(response, 201, { metadata: { resourceVersion: '9' } });
  if (method === 'PUT') return sendJson(response, 200, { metadata: { resourceVersion: '10' } });
  if (method === 'PATCH') return sendJson(response, 409, statusOf(409, 'Conflict'));
  return sendJson(response, 200, foreign);
};

type TestAgent = ReturnType<typeof testAgent>;

async function pass(agent: TestAgent, sync: SyncRuntime, desired: DesiredSet, commit: string) {
  return (await passWhole(agent, sync, desired, commit)).carried;
}

async function passWhole(agent: TestAgent, sync: SyncRuntime, said: DesiredSet, commit: string) {
  const { context } = agent;
  const inOrder = ordered(said);
  const { desired, ordering } = inOrder;
  refreshRows(context, sync, inOrder);
  const decided = decide(context, sync, snapshot(commit), desired, []);
  await announce(context, sync, decided, ordering);
  using opener = context.opener(sync);
  const refused = refusedKeys(desired.refusals);
  const carried = await carryOut(context, sync, { plan: decided, ordering, refused }, opener);
  release(context, sync, decided);
  passed(sync, commit);
  return { carried, decided };
}

describe('carrying out a plan', () => {
  it('never deletes a Secret of somebody else that Git named once', async () => {
    await using api = await startFakeApi(allForeign);
    const sync = runtime('a');
    const agent = testAgent(api.transport(), [sync]);
    // Something that stays: a plan that removes everything is held anyway.
    agent.inventory.set(row('ConfigMap', 'web'));
    agent.live.baseline(keyOf('ConfigMap', 'web'), liveObject('web'), 'full');
    const first = await pass(agent, sync, setOf(wanted('Secret', 'db'), wanted('ConfigMap', 'web')), '1');
    expect(first.refusals.map(({ error }) => error.code)).toEqual(['SOTTO-PLAN-006']);
    agent.live.observe(SECRETS, 'team', foreign, false);
    await pass(agent, sync, setOf(wanted('ConfigMap', 'web')), '2');
    expect(api.received.filter(({ method }) => method === 'DELETE')).toEqual([]);
    expect(agent.inventory.row(keyOf('Secret', 'db'))).toBeUndefined();
  });

  it('asks whose an object is before it prunes a row that was announced and never answered', async () => {
    await using api = await startFakeApi(allForeign);
    const sync = runtime('a');
    const agent = testAgent(api.transport(), [sync]);
    agent.inventory.set(row('Secret', 'db', { uid: '' }));
    agent.live.observe(SECRETS, 'team', foreign, false);
    // The second row keeps the plan from being held: not everything goes.
    agent.inventory.set(row('Secret', 'other', { digest: wanted('Secret', 'other').digest }));
    const other = {
      ...foreign,
      metadata: {
        ...foreign.metadata,
        name: 'other',
        uid: 'uid-1',
        resourceVersion: '100',
        labels: { 'applyset.kubernetes.io/part-of': SET_ID },
      },
    };
    agent.live.observe(SECRETS, 'team', other, false);
    const ended = await pass(agent, sync, setOf(wanted('Secret', 'other')), '2');
    expect(ended.refusals).toEqual([]);
    expect(api.received.map(({ method }) => method)).toEqual(['GET']);
    expect(agent.inventory.row(keyOf('Secret', 'db'))).toBeUndefined();
    expect(agent.inventory.row(keyOf('Secret', 'other'))).toBeDefined();
  });

  it('applies the objects of a layer side by side, and the next layer after them', async () => {
    const held: (() => void)[] = [];
    await using api = await startFakeApi(({ method, path }, response) => {
      if (method === 'POST') return sendJson(response, 201, { metadata: { resourceVersion: '9' } });
      if (method === 'PUT') return sendJson(response, 200, { metadata: { resourceVersion: '10' } });
      const answer = (): void => sendJson(response, 200, liveObject(path.split('/').at(-1) ?? ''));
      if (method !== 'PATCH' || path.includes('/jobs/')) return answer();
      // Nobody is answered before both have asked.
      held.push(answer);
      if (held.length === 2) for (const each of held) each();
    });
    const sync = runtime('a');
    const agent = testAgent(api.transport(), [sync]);
    const objects = [wanted('Job', 'last'), ...['a', 'b'].map((name) => wanted('ConfigMap', name))];
    await pass(agent, sync, setOf(...objects), '1');
    const applied = api.received.filter(({ method }) => method === 'PATCH').map(({ path }) => path.split('/').at(-1));
    expect([new Set(applied.slice(0, 2)), applied.slice(2)]).toEqual([new Set(['a', 'b']), ['last']]);
  });

  it('neither applies nor prunes once the agent is told to end, and says that it is not done', async () => {
    await using api = await startFakeApi(allForeign);
    const sync = runtime('a');
    const agent = testAgent(api.transport(), [sync]);
    agent.inventory.set(row('ConfigMap', 'old'));
    agent.inventory.set(row('ConfigMap', 'new'));
    const desired = setOf(wanted('ConfigMap', 'new'));
    refreshRows(agent.context, sync, ordered(desired));
    const decided = decide(agent.context, sync, snapshot('2'), desired, []);
    expect(decided.steps.map(({ action }) => action)).toEqual(['apply', 'prune']);
    agent.stop.abort();
    using opener = agent.context.opener(sync);
    const planned = { plan: decided, ordering: ordered(desired).ordering, refused: new Set<never>() };
    const ended = await carryOut(agent.context, sync, planned, opener);
    expect(ended).toMatchObject({ applied: 0, pruned: 0, retry: true });
    expect(api.received).toEqual([]);
    expect(agent.inventory.row(keyOf('ConfigMap', 'old'))).toBeDefined();
  });
});

/** One verb is refused for want of a right. */
const forbids =
  (verb: string): FakeHandler =>
  ({ method }, response) => {
    if (method === 'POST') return sendJson(response, 201, { metadata: { resourceVersion: '9' } });
    if (method === 'PUT') return sendJson(response, 200, { metadata: { resourceVersion: '10' } });
    if (method === verb) {
      const name = verb === 'PATCH' ? 'patch' : 'delete';
      return sendJson(response, 403, statusOf(403, 'Forbidden', { message: `u cannot ${name} resource "x"` }));
    }
    sendJson(response, 200, foreign);
  };
const tried = (api: { received: readonly { method: string }[] }, verb: string): number =>
  api.received.filter(({ method }) => method === verb).length;

describe('an object that may not be written', () => {
  it('is said with every pass, and tried again with a new commit and by itself less and less often', async () => {
    await using api = await startFakeApi(forbids('PATCH'));
    const sync = runtime('a');
    const agent = testAgent(api.transport(), [sync]);
    const desired = setOf(wanted('Job', 'j'));
    for (let round = 0; round < 3; round += 1) {
      const { carried, decided } = await passWhole(agent, sync, desired, '1');
      expect(carried.retry).toBe(false);
      expect([...decided.refusals, ...carried.refusals].map(({ error }) => error.code)).toEqual(['SOTTO-KUBE-003']);
      expect(tried(api, 'PATCH')).toBe(1);
      agent.clock.forward(9_000);
    }
    await pass(agent, sync, desired, '2');
    expect(tried(api, 'PATCH')).toBe(2);
    // Looked at every ten seconds for an hour: after 1, 2, 4, 8 min, then with every interval of 10 min.
    for (let round = 0; round < 360; round += 1) {
      agent.clock.forward(10_000);
      await pass(agent, sync, desired, '2');
    }
    expect(tried(api, 'PATCH')).toBe(2 + 4 + 4);
  });

  it('leaves nothing to prune, unless an earlier try may have made it', async () => {
    let status = 503;
    await using api = await startFakeApi(({ method }, response) => {
      if (method === 'POST' || method === 'PUT') return sendJson(response, 200, { metadata: { resourceVersion: '9' } });
      if (method !== 'PATCH') return sendJson(response, 404, statusOf(404, 'NotFound'));
      const reason = status === 403 ? 'Forbidden' : 'ServiceUnavailable';
      sendJson(response, status, statusOf(status, reason, { message: 'u cannot patch resource "x"' }));
    });
    const sync = runtime('a');
    const agent = testAgent(api.transport(), [sync]);
    const uidOf = (name: string): string | undefined => agent.inventory.row(keyOf('Job', name))?.uid;
    const unknown = await pass(agent, sync, setOf(wanted('Job', 'perhaps')), '1');
    expect(unknown.retry).toBe(true);
    status = 403;
    const { refusals } = await pass(agent, sync, setOf(wanted('Job', 'perhaps'), wanted('Job', 'never')), '2');
    expect(refusals.map(({ error }) => error.code)).toEqual(['SOTTO-KUBE-003', 'SOTTO-KUBE-003']);
    expect([uidOf('perhaps'), uidOf('never')]).toEqual(['', undefined]);
  });

  it('is asked for by a dry run from then on, and stored before it is made once there is the right', async () => {
    let isAllowed = false;
    await using api = await startFakeApi(({ method }, response) => {
      if (method === 'POST' || method === 'PUT') return sendJson(response, 200, { metadata: { resourceVersion: '9' } });
      if (isAllowed) return sendJson(response, 201, liveObject('j'));
      sendJson(response, 403, statusOf(403, 'Forbidden', { message: 'u cannot patch resource "x"' }));
    });
    const sync = runtime('a');
    const agent = testAgent(api.transport(), [sync]);
    const desired = setOf(wanted('Job', 'j'));
    let seen = 0;
    const asked = async (commit: string): Promise<string[]> => {
      await pass(agent, sync, desired, commit);
      const fresh = api.received.slice(seen);
      seen = api.received.length;
      return fresh.map(
        ({ method, path, query }) => `${query.has('dryRun') ? 'dry ' : ''}${method} ${path.split('/').at(-1)}`,
      );
    };
    expect(await asked('1')).toEqual(['POST configmaps', 'PATCH j']);
    await agent.context.inventory.store();
    seen = api.received.length;
    expect(await asked('2')).toEqual(['dry PATCH j']);
    agent.clock.forward(3_600_000);
    expect(await asked('2')).toEqual(['dry PATCH j']);
    expect(agent.inventory.dueAtMs()).toBeUndefined();
    isAllowed = true;
    expect(await asked('3')).toEqual(['dry PATCH j', 'PUT sotto-inventory', 'PATCH j']);
    expect(agent.inventory.row(keyOf('Job', 'j'))?.uid).toBe('uid-1');
  });

  it('is not asked to be deleted with every pass either, and holds no other prune up', async () => {
    await using api = await startFakeApi(forbids('DELETE'));
    const sync = runtime('a');
    const agent = testAgent(api.transport(), [sync]);
    for (const name of ['gone', 'stays']) {
      agent.inventory.set(row('ConfigMap', name));
      agent.live.baseline(keyOf('ConfigMap', name), liveObject(name), 'full');
    }
    const desired = setOf(wanted('ConfigMap', 'stays'));
    for (let round = 0; round < 3; round += 1) {
      const { carried, decided } = await passWhole(agent, sync, desired, '2');
      expect(carried).toMatchObject({ retry: false, waiting: [] });
      expect([...decided.refusals, ...carried.refusals].map(({ error }) => error.code)).toEqual(['SOTTO-KUBE-003']);
      expect(tried(api, 'DELETE')).toBe(1);
      agent.clock.forward(9_000);
    }
    // Back in Git, it is nobody's trouble any more.
    await pass(agent, sync, setOf(wanted('ConfigMap', 'stays'), wanted('ConfigMap', 'gone')), '3');
    expect(sync.blocked.size).toBe(0);
  });
});

function waveJob(name: string, wave: string) {
  const annotations = { 'argocd.argoproj.io/sync-wave': wave };
  const tree = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name, namespace: 'team', annotations } };
  return wanted('Job', name, { tree });
}

describe('what left Git', () => {
  const stays = wanted('ConfigMap', 'stays');

  it('goes wave by wave, the last one first, by what was remembered of it', async () => {
    await using api = await startFakeApi((_, response) => sendJson(response, 200, {}));
    const sync = runtime('a');
    const agent = testAgent(api.transport(), [sync]);
    for (const name of ['one', 'two', 'three']) {
      agent.inventory.set(row('Job', name));
      agent.live.baseline(keyOf('Job', name), liveObject(name), 'full');
    }
    agent.inventory.set(row('ConfigMap', 'stays'));
    agent.live.baseline(stays.key, liveObject('stays'), 'full');
    // Nothing is applied: what the annotations say is remembered all the same.
    await pass(agent, sync, setOf(waveJob('one', '-1'), waveJob('two', '2'), waveJob('three', '3'), stays), '1');
    expect(api.received.filter(({ method }) => method !== 'PUT')).toEqual([]);
    const carried = await pass(agent, sync, setOf(stays), '2');
    const deletes = api.received.filter(({ method }) => method === 'DELETE').map(({ path }) => path.split('/').at(-1));
    expect(deletes).toEqual(['three', 'two', 'one']);
    expect(carried.pruned).toBe(3);
  });

  it('is said to have left before it is deleted, once, until Git has it again', async () => {
    const refused = { isRefused: true };
    await using api = await startFakeApi(({ method }, response) =>
      method === 'DELETE' && refused.isRefused
        ? sendJson(response, 403, statusOf(403, 'Forbidden'))
        : sendJson(response, 200, { metadata: { resourceVersion: '10' } }),
    );
    const sync = runtime('a');
    const agent = testAgent(api.transport(), [sync]);
    const gone = wanted('ConfigMap', 'gone');
    for (const { key, id } of [stays, gone]) {
      agent.inventory.set(row('ConfigMap', id.name));
      agent.live.baseline(key, liveObject(id.name), 'full');
    }
    let seen = 0;
    const asked = (): string[] => {
      const fresh = api.received.slice(seen);
      seen = api.received.length;
      return fresh.map(({ method, path }) => `${method} ${path.split('/').at(-1)?.replace(/\?.*/, '')}`);
    };
    await pass(agent, sync, setOf(stays), '2');
    expect(asked()).toEqual(['POST configmaps', 'DELETE gone']);
    expect(agent.inventory.row(gone.key)?.left).toBe(true);
    await pass(agent, sync, setOf(stays), '3');
    expect(asked()).toEqual(['DELETE gone']);
    await pass(agent, sync, setOf(stays, gone), '4');
    expect([asked(), agent.inventory.row(gone.key)?.left]).toEqual([[], undefined]);
    refused.isRefused = false;
    await pass(agent, sync, setOf(stays), '5');
    expect(asked()).toEqual(['PUT sotto-inventory', 'DELETE gone']);
    expect(agent.inventory.row(gone.key)).toBeUndefined();
  });

  it('stays when it is paused, or the agent is to end, while its prune waits for its turn', async () => {
    for (const how of ['pause', 'stop'] as const) {
      const sync = runtime('a');
      const then: { ends?: () => unknown } = {};
      await using api = await startFakeApi(({ method }, response) => {
        if (method === 'DELETE') then.ends?.();
        sendJson(response, 200, { metadata: { resourceVersion: '10' } });
      });
      const agent = testAgent(api.transport(), [sync]);
      const pause = { target: { kind: 'sync', name: 'a' }, until: new Date(1e12), by: 'ann', reason: 'no' } as const;
      then.ends = () => (how === 'stop' ? agent.stop.abort() : agent.inventory.setPauses([pause]));
      const names = ['one', 'two', 'three', 'four', 'five'];
      for (const name of [...names, 'stays']) {
        agent.inventory.set(row('Job', name));
        agent.live.baseline(keyOf('Job', name), liveObject(name), 'full');
      }
      sync.settings = { ...sync.settings, prune: { ...sync.settings.prune, maxSharePercent: 100 } };
      const carried = await pass(agent, sync, setOf(wanted('Job', 'stays')), '2');
      // Two lanes: so many were on their way.
      expect(tried(api, 'DELETE')).toBe(2);
      expect(carried).toMatchObject({ pruned: 2, retry: true });
      expect(agent.inventory.inventory.rows.size).toBe(4);
    }
  });

  it('goes also where somebody deleted it and a correction that began before is about to make it anew', async () => {
    const made = Promise.withResolvers<void>();
    await using api = await startFakeApi(({ method }, response) => {
      if (method !== 'PATCH') return sendJson(response, 200, liveObject('gone', 'uid-2', '120'));
      void made.promise.then(() => sendJson(response, 201, liveObject('gone', 'uid-2', '120')));
    });
    const gone = wanted('Job', 'gone');
    const sync = runtime('a', { desired: new Map([[gone.key, gone]]) });
    const agent = testAgent(api.transport(), [sync]);
    for (const name of ['gone', 'stays']) {
      agent.inventory.set(row('Job', name));
      agent.live.baseline(keyOf('Job', name), liveObject(name), 'full');
    }
    agent.live.observeDeleted(gone.key, liveObject('gone'));
    new Corrector(agent.context).handle(gone.key, { kind: 'deleted', action: 'force', object: undefined });
    const ended = pass(agent, sync, setOf(wanted('Job', 'stays')), '2');
    await vi.waitFor(() => expect(tried(api, 'PATCH')).toBe(1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    made.resolve();
    await ended;
    await agent.lanes.idle();
    expect([tried(api, 'DELETE'), agent.inventory.row(gone.key)]).toEqual([1, undefined]);
  });

  it('is counted as pruned only where it was deleted', async () => {
    await using api = await startFakeApi(allForeign);
    const sync = runtime('a');
    const agent = testAgent(api.transport(), [sync]);
    agent.inventory.set(row('ConfigMap', 'stays'));
    agent.live.baseline(stays.key, liveObject('stays'), 'full');
    // One is not there any more, of the other somebody else made another one.
    agent.inventory.set(row('ConfigMap', 'absent'));
    agent.inventory.set(row('Secret', 'db', { uid: 'before' }));
    agent.live.observe(SECRETS, 'team', foreign, false);
    const carried = await pass(agent, sync, setOf(stays), '2');
    expect(carried).toMatchObject({ pruned: 0, retry: false, refusals: [], waiting: [] });
    expect(api.received.filter(({ method }) => method === 'DELETE')).toEqual([]);
    expect([...agent.inventory.inventory.rows.keys()]).toEqual([stays.key]);
  });
});

describe('an object that moves from one sync to another', () => {
  const x = wanted('ConfigMap', 'x');
  const y = wanted('ConfigMap', 'y');

  /** Two syncs of one repository: `a` has applied x and y, `b` nothing yet; all of commit 1. */
  async function twoSyncs() {
    const api = await startFakeApi(allForeign);
    const [a, b] = [runtime('a'), runtime('b')];
    const agent = testAgent(api.transport(), [a, b]);
    for (const name of ['x', 'y']) {
      agent.inventory.set(row('ConfigMap', name));
      agent.live.baseline(keyOf('ConfigMap', name), liveObject(name), 'full');
    }
    await pass(agent, a, setOf(x, y), '1');
    await pass(agent, b, setOf(), '1');
    return { api, agent, a, b };
  }

  for (const order of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    it(`is handed over and never deleted (${order[0]} sees the commit first)`, async () => {
      const { api, agent, a, b } = await twoSyncs();
      await using _ = api;
      const passes = { a: () => pass(agent, a, setOf(y), '2'), b: () => pass(agent, b, setOf(x), '2') };
      for (const name of [...order, ...order]) await passes[name]();
      expect(api.received.filter(({ method }) => method === 'DELETE')).toEqual([]);
      expect(agent.inventory.row(x.key)?.sync).toBe('b');
      expect(b.desired.has(x.key)).toBe(true);
      expect(a.desired.has(x.key)).toBe(false);
    });
  }

  it('that stood in both stays when its owner drops it, and goes when both do', async () => {
    const { api, agent, a, b } = await twoSyncs();
    await using _ = api;
    const twice = await pass(agent, b, setOf(x), '2');
    expect(twice.refusals).toEqual([]);
    expect(decide(agent.context, b, snapshot('2'), setOf(x), []).refusals.map(({ error }) => error.code)).toEqual([
      'SOTTO-RENDER-007',
    ]);
    const woken: string[] = [];
    Object.assign(agent.context, { wake: (name: string) => woken.push(name) });
    await pass(agent, a, setOf(y), '3');
    expect([b.stale, woken]).toEqual([true, ['b']]);
    await pass(agent, b, setOf(x), '3');
    expect(agent.inventory.row(x.key)?.sync).toBe('b');
    const gone = decide(agent.context, b, snapshot('4'), setOf(), []);
    expect(gone.held ?? gone.postponed).toBeDefined();
  });
});

/** What a pass of `sync` over a commit reports, without having done anything. */
function report(agent: TestAgent, sync: SyncRuntime, commit: string): void {
  const desired = setOf();
  const decided = decide(agent.context, sync, snapshot(commit), desired, []);
  const outcome = {
    refusals: [],
    waiting: [],
    waits: [],
    rollouts: [],
    applied: 0,
    pruned: 0,
    retry: decided.postponed > 0,
  };
  reportPass(agent.context, sync, {
    snapshot: snapshot(commit),
    desired,
    decided,
    outcome,
    refusals: [],
    startedMs: 0,
  });
}

describe('the end of a pass', () => {
  it('wakes the sync whose prunes waited for it, once it has seen the same commit', async () => {
    await using api = await startFakeApi(allForeign);
    const [a, b] = [runtime('a'), runtime('b')];
    const agent = testAgent(api.transport(), [a, b]);
    const woken: string[] = [];
    Object.assign(agent.context, { wake: (name: string) => woken.push(name) });
    passed(a, '2');
    passed(b, '1');
    Object.assign(a, { report: { ...a.report, waitsFor: 'b' } });
    report(agent, b, '1');
    expect(woken).toEqual([]);
    report(agent, b, '2');
    expect(woken).toEqual(['a']);
  });
});

describe('an object that left Git and waits', () => {
  it('is not made again when a person deletes it', async () => {
    await using api = await startFakeApi(allForeign);
    const sync = runtime('a');
    const agent = testAgent(api.transport(), [sync]);
    sync.settings = { ...sync.settings, prune: { ...sync.settings.prune, ask: [{ group: '', kind: 'ConfigMap' }] } };
    agent.inventory.set(row('ConfigMap', 'data'));
    agent.live.baseline(keyOf('ConfigMap', 'data'), liveObject('data'), 'full');
    await pass(agent, sync, setOf(wanted('ConfigMap', 'data')), '1');
    expect(sync.desired.has(keyOf('ConfigMap', 'data'))).toBe(true);
    const left = decide(agent.context, sync, snapshot('2'), setOf(), []);
    expect(left.waiting.map(({ error }) => error.code)).toEqual(['SOTTO-PLAN-008']);
    expect(sync.desired.has(keyOf('ConfigMap', 'data'))).toBe(false);
  });
});

function liveObject(name: string, uid = 'uid-1', resourceVersion = '100') {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: 'team',
      uid,
      resourceVersion,
      labels: { 'applyset.kubernetes.io/part-of': SET_ID },
      managedFields: [{ manager: 'sotto', operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} }],
    },
  };
}
