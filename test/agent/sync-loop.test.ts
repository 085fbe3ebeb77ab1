import { describe, expect, it } from 'vitest';
import { block } from '../../src/agent/blocked.ts';
import { SyncLoop } from '../../src/agent/sync-loop.ts';
import type { SyncRuntime } from '../../src/agent/sync-runtime.ts';
import { SottoError } from '../../src/core/errors.ts';
import type { ObjectKey } from '../../src/core/ids.ts';
import type { GitSource } from '../../src/source/git-source.ts';
import type { CommitId } from '../../src/git/output.ts';
import { type FakeHandler, sendJson, startFakeApi } from '../kube/fake-api.ts';
import { runtime, snapshot, testAgent } from './fixture.ts';

/** Takes the inventory, which a pass writes. */
const takesAll: FakeHandler = (_received, response) => sendJson(response, 201, { metadata: { resourceVersion: '1' } });

function away(): SottoError {
  return new SottoError({ code: 'SOTTO-GIT-001', what: 'away', why: 'no answer', next: 'wait' });
}

const nothing = (): void => undefined;

/** A loop whose source counts how often it is asked. Real time runs; the agent's clock stands still unless moved. */
async function loop() {
  const api = await startFakeApi(takesAll);
  const stop = new AbortController();
  const state = { asked: 0, isAway: false, passes: 0, pulled: nothing, before: nothing, after: nothing };
  const sync = runtime('a');
  const agent = testAgent(api.transport(), [sync]);
  const source: GitSource = {
    ask: () => {
      state.asked += 1;
      return state.isAway ? Promise.reject(away()) : Promise.resolve('1' as CommitId);
    },
    pull: () => {
      state.pulled();
      return Promise.resolve(snapshot('1'));
    },
    look: () => Promise.resolve(new Map()),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const syncLoop = new SyncLoop({
    agent: agent.context,
    sync,
    openSource: () => Promise.resolve(source),
    exclusively: async (task) => {
      state.passes += 1;
      state.before();
      const result = await task();
      state.after();
      return result;
    },
    signal: stop.signal,
  });
  return { api, stop, state, sync, agent, syncLoop };
}

/** How many objects are blocked when a pass looks at the cluster. */
function noteBlocked(agent: ReturnType<typeof testAgent>, sync: SyncRuntime, blocked: number[]): void {
  const cover = (): Promise<void> => {
    blocked.push(sync.blocked.size);
    return Promise.resolve();
  };
  Object.assign(agent.context, { cover });
}

async function turnsFor(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

describe('the loop of a sync', () => {
  it('asks and passes once, and asks no more before it is due', async () => {
    const { api, stop, state, syncLoop } = await loop();
    await using _ = api;
    const ended = syncLoop.run();
    await turnsFor(350);
    expect(state).toMatchObject({ asked: 1, passes: 1 });
    stop.abort();
    await ended;
  });

  it('does not ask without pause when the last good pass is long ago and the source is away', async () => {
    const { api, stop, state, sync, agent, syncLoop } = await loop();
    await using _ = api;
    await syncLoop.visit();
    expect(sync.trouble).toBeUndefined();
    agent.clock.forward(3_600_000);
    state.isAway = true;
    const ended = syncLoop.run();
    await turnsFor(450);
    expect(state.asked).toBe(2);
    expect(sync.trouble?.needsPerson).toBe(false);
    stop.abort();
    await ended;
  });

  it('tries in a pass that was asked for what the pass before it has blocked after the asking', async () => {
    const { api, stop, state, sync, agent, syncLoop } = await loop();
    await using _ = api;
    const blocked: number[] = [];
    const asked: Promise<void>[] = [];
    state.before = () => {
      if (state.passes === 1) asked.push(syncLoop.ask());
    };
    state.after = () => {
      block(sync, 'ConfigMap//a/x' as ObjectKey, { action: 'apply', digest: 'd', error: away() }, 0);
    };
    noteBlocked(agent, sync, blocked);
    const ended = syncLoop.run();
    await turnsFor(300);
    await Promise.all(asked);
    expect(blocked).toEqual([0, 0]);
    stop.abort();
    await ended;
  });

  it('tries again what the pass under way was refused after keys or settings changed', async () => {
    const { api, stop, state, sync, agent, syncLoop } = await loop();
    await using _ = api;
    const blocked: number[] = [];
    state.after = () => {
      if (state.passes === 1) {
        sync.stale = true;
        sync.retryAll = true;
        syncLoop.wake();
      }
      block(sync, 'ConfigMap//a/x' as ObjectKey, { action: 'apply', digest: 'd', error: away() }, 0);
    };
    noteBlocked(agent, sync, blocked);
    const ended = syncLoop.run();
    await turnsFor(350);
    expect(blocked).toEqual([0, 0]);
    stop.abort();
    await ended;
  });

  it('passes once more when what a pass depends on changes while the pass runs', async () => {
    const { api, stop, state, sync, agent, syncLoop } = await loop();
    await using _ = api;
    const cover = (): Promise<void> => {
      if (state.passes === 1) {
        sync.stale = true;
        syncLoop.wake();
      }
      return Promise.resolve();
    };
    Object.assign(agent.context, { cover });
    const ended = syncLoop.run();
    await turnsFor(350);
    expect(state.passes).toBe(2);
    stop.abort();
    await ended;
  });

  it('that is suspended waits for a wake and nothing else', async () => {
    const { api, stop, state, sync, agent, syncLoop } = await loop();
    await using _ = api;
    await syncLoop.visit();
    sync.settings = { ...sync.settings, suspend: true };
    agent.clock.forward(3_600_000);
    const ended = syncLoop.run();
    await turnsFor(250);
    expect(state.asked).toBe(1);
    sync.settings = { ...sync.settings, suspend: false };
    syncLoop.wake();
    await turnsFor(100);
    expect(state.asked).toBe(2);
    stop.abort();
    await ended;
  });

  it('that is suspended while its source answers, or while it waits for its turn, makes no pass', async () => {
    for (const when of ['asked', 'queued'] as const) {
      const { api, stop, state, sync, agent, syncLoop } = await loop();
      await using _ = api;
      const passed: number[] = [];
      noteBlocked(agent, sync, passed);
      const suspend = (isSuspended: boolean): void => {
        sync.settings = { ...sync.settings, suspend: isSuspended };
      };
      if (when === 'asked') state.pulled = () => suspend(true);
      else state.before = () => suspend(true);
      await syncLoop.visit();
      expect([when, passed.length]).toEqual([when, 0]);
      state.pulled = nothing;
      state.before = nothing;
      suspend(false);
      await syncLoop.visit();
      expect([when, passed.length]).toEqual([when, 1]);
      stop.abort();
    }
  });

  it('waits also when its interval is longer than a timer can hold', async () => {
    const { api, stop, state, sync, syncLoop } = await loop();
    await using _ = api;
    const days = 30 * 24 * 3_600_000;
    const { git, ignore } = sync.settings.source;
    sync.settings = { ...sync.settings, intervalMs: days, source: { git: { ...git, intervalMs: days }, ignore } };
    const ended = syncLoop.run();
    await turnsFor(350);
    expect(state.asked).toBe(1);
    stop.abort();
    await ended;
  });
});
