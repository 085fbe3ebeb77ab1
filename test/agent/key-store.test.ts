import { afterEach, describe, expect, it, vi } from 'vitest';
import { KeyStore } from '../../src/agent/key-store.ts';
import { systemClock } from '../../src/core/clock.ts';
import { USE_LABEL } from '../../src/keys/marks.ts';
import { unrepeated } from '../../src/kube/retry.ts';
import type { WatchEvent } from '../../src/kube/watch.ts';
import { NO_SERVICES } from '../../src/services/rules.ts';
import type { Settings } from '../../src/settings/settings.ts';
import { SETTINGS } from './fixture.ts';
import { type FakeApi, type FakeHandler, sendJson, startFakeApi, statusOf } from '../kube/fake-api.ts';

const settings: Settings = {
  ...SETTINGS,
  decryption: { secretNames: ['first', 'second'], services: NO_SERVICES },
};

const LABELS = { [USE_LABEL]: 'keys' };

function secret(name: string, resourceVersion: string) {
  const metadata = { name, namespace: 'team', uid: name, resourceVersion, labels: LABELS };
  return { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data: {} };
}

/** The metadata stream tells of a Secret. */
function told(name: string, resourceVersion: string): WatchEvent {
  const { metadata } = secret(name, resourceVersion);
  return { type: 'modified', initial: false, object: { metadata }, name, uid: name, resourceVersion };
}

let api: FakeApi;
afterEach(async () => {
  vi.useRealTimers();
  await api[Symbol.asyncDispose]();
});

async function store(handler: FakeHandler) {
  api = await startFakeApi(handler);
  const state = { changes: 0, errors: [] as string[] };
  const keys = new KeyStore({
    transport: api.transport(),
    namespace: 'team',
    allowSources: [],
    clock: systemClock,
    repeat: unrepeated,
    settings: () => settings,
    onChange: () => (state.changes += 1),
    onError: ({ code }) => state.errors.push(code),
    onMade: () => undefined,
  });
  return { keys, state };
}

const readings = (name: string): number => api.received.filter(({ path }) => path.endsWith(`/secrets/${name}`)).length;

describe('keys of the agent', () => {
  it('that change while they are read for the first time are read once more', async () => {
    const { keys, state } = await store(({ path }, response) => {
      const isFirst = path.endsWith('/first');
      // The first one was read by now, and is another one.
      if (!isFirst && readings('second') === 1) keys.observe(told('first', '2'));
      sendJson(response, 200, secret(isFirst ? 'first' : 'second', readings('first') > 1 && isFirst ? '2' : '1'));
    });
    await keys.load();
    await vi.waitFor(() => expect(state.changes).toBe(1), { timeout: 5_000 });
    expect(readings('first')).toBe(2);
    keys.close();
  });

  it('that could not be read are read again by themselves', async () => {
    let isAway = false;
    const { keys, state } = await store(({ path }, response) => {
      if (isAway) return sendJson(response, 503, statusOf(503, 'ServiceUnavailable'));
      sendJson(response, 200, secret(path.split('/').at(-1) ?? '', readings('first') > 1 ? '2' : '1'));
    });
    await keys.load();
    isAway = true;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    keys.observe(told('first', '2'));
    await vi.advanceTimersByTimeAsync(200);
    await vi.waitFor(() => expect(state.errors).toEqual(['SOTTO-KUBE-015']), { interval: 20, timeout: 5_000 });
    isAway = false;
    await vi.advanceTimersByTimeAsync(60_200);
    await vi.waitFor(() => expect(state.changes).toBe(1), { interval: 20, timeout: 5_000 });
    expect(keys.secrets().map(({ mark }) => mark.name)).toEqual(['first', 'second']);
    keys.close();
  });
});
