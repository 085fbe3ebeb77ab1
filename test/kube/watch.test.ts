import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { SottoError } from '../../src/core/errors.ts';
import { LIMITS } from '../../src/core/limits.ts';
import { CONFIG_MAPS, SECRETS } from '../../src/kube/resource.ts';
import { compareResourceVersions } from '../../src/kube/resource-version.ts';
import { METADATA_ONLY } from '../../src/kube/transport.ts';
import { watchResource } from '../../src/kube/watch.ts';
import type { WatchEvent, WatchTiming } from '../../src/kube/watch.ts';
import type { FakeApi, FakeHandler, Received } from './fake-api.ts';
import { sendJson, startFakeApi, statusOf } from './fake-api.ts';

/** Short enough for a test; what is waited for is an event, never a time. */
const QUICK: WatchTiming = {
  streamMs: 3_000_000,
  listSilenceMs: 5_000,
  bookmarkedSilenceMs: 5_000,
  quietSilenceMs: 5_000,
  reconnectMs: 1,
  firstBackoffMs: 5,
  maxBackoffMs: 20,
  firstSuspensionMs: 5,
  maxSuspensionMs: 20,
  shortestLifeMs: 0,
};

function object(name: string, resourceVersion: string) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, uid: `uid-${name}`, resourceVersion } };
}

function line(type: string, value: unknown): string {
  return `${JSON.stringify({ type, object: value })}\n`;
}

function bookmark(resourceVersion: string, endsList = false): string {
  const annotations = endsList ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  return line('BOOKMARK', { kind: 'ConfigMap', metadata: { resourceVersion, ...annotations } });
}

function isList(received: Received): boolean {
  return received.query.get('sendInitialEvents') === 'true';
}

function isCheck(received: Received): boolean {
  return received.query.get('watch') === null;
}

function answerList(response: ServerResponse, resourceVersion: string, items: unknown[] = []): void {
  sendJson(response, 200, { kind: 'List', metadata: { resourceVersion }, items });
}

/** A server with one object `a` whose version is 10; what follows the list is the test's. */
function listedThen(follow: FakeHandler, version = '10'): FakeHandler {
  return (received, response) => {
    if (isCheck(received)) return answerList(response, version);
    if (!isList(received)) return follow(received, response);
    response.write(line('ADDED', object('a', version)));
    return void response.end(bookmark(version, true));
  };
}

interface Watching extends AsyncDisposable {
  readonly events: WatchEvent[];
  /** Resolves with the first event that fits, seen or to come. */
  until(fits: (event: WatchEvent) => boolean, nth?: number): Promise<WatchEvent>;
  readonly ended: Promise<void>;
}

function watching(api: FakeApi, more: Partial<Parameters<typeof watchResource>[0]> = {}): Watching {
  const events: WatchEvent[] = [];
  const waiting = new Set<() => void>();
  const abort = new AbortController();
  const ended = watchResource({
    mode: 'full',
    resource: CONFIG_MAPS,
    transport: api.transport(),
    namespace: 'team',
    signal: abort.signal,
    onEvent: (event) => {
      events.push(event);
      for (const look of waiting) look();
    },
    clock: systemClock,
    random: () => 0.5,
    timing: QUICK,
    ...more,
  } as Parameters<typeof watchResource>[0]);
  ended.catch(() => undefined);
  return {
    events,
    ended,
    until: (fits, nth = 1) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = events.filter((event) => fits(event))[nth - 1];
          if (found === undefined) return void waiting.add(look);
          waiting.delete(look);
          resolve(found);
        };
        look();
      }),
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await ended.catch(() => undefined);
    },
  };
}

const is = (type: WatchEvent['type'], name?: string) => (event: WatchEvent) =>
  event.type === type && (name === undefined || ('name' in event && event.name === name));
const isState = (state: string) => (event: WatchEvent) => event.type === 'state' && event.state === state;

function brief(events: readonly WatchEvent[]): string[] {
  return events.map((event) => {
    if (event.type === 'state') return event.state;
    if (event.type === 'synced') return `synced ${event.resourceVersion} ${[...event.present.keys()].join(',')}`;
    return event.type === 'epoch' ? 'epoch' : `${event.type}${event.initial ? '!' : ''} ${event.name}`;
  });
}

describe('a watch', () => {
  it('lists on the stream itself, then follows it', async () => {
    await using api = await startFakeApi((_received, response) => {
      response.write(line('ADDED', object('b', '12')) + line('ADDED', object('a', '9')));
      response.write(
        `${bookmark('12', true)}${line('MODIFIED', object('a', '13'))}${line('DELETED', object('b', '14'))}`,
      );
    });
    await using watch = watching(api, { labelSelector: 'part-of=x' });
    await watch.until(is('deleted'));
    expect(brief(watch.events)).toEqual(['added! b', 'added! a', 'synced 12 b,a', 'live', 'modified a', 'deleted b']);
    const { query, path, headers } = api.received[0] ?? {};
    expect(path).toBe('/api/v1/namespaces/team/configmaps');
    expect(headers?.accept).toBe('application/json');
    expect(Object.fromEntries(query ?? [])).toEqual({
      watch: '1',
      allowWatchBookmarks: 'true',
      timeoutSeconds: '3000',
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      labelSelector: 'part-of=x',
    });
  });

  it('of Secrets asks for metadata only and reads no copy of values in annotations', async () => {
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"k":"aHVudGVyMg=="}}' };
    const seen = { metadata: { name: 's', uid: 'u', resourceVersion: '5', annotations } };
    await using api = await startFakeApi(
      (_received, response) => void response.write(line('ADDED', seen) + bookmark('5', true)),
    );
    await using watch = watching(api, { mode: 'metadata', resource: SECRETS });
    await watch.until(is('synced'));
    expect(api.received[0]?.headers.accept).toBe(METADATA_ONLY);
    expect(JSON.stringify(watch.events[0])).not.toContain('aHVudGVyMg');
  });

  it('reads lines whatever the pieces they come in', async () => {
    const text = line('ADDED', object('ä', '1')) + bookmark('1', true) + line('MODIFIED', object('ä', '2'));
    const bytes = Buffer.from(text);
    await using api = await startFakeApi((_received, response) => {
      let at = 0;
      const next = (): void => {
        if (at < bytes.length) response.write(bytes.subarray(at, (at += 7)), () => setImmediate(next));
      };
      next();
    });
    await using watch = watching(api);
    await watch.until(is('modified', 'ä'));
    expect(brief(watch.events)).toEqual(['added! ä', 'synced 1 ä', 'live', 'modified ä']);
  });

  it('resumes after a normal end from the last version, bookmarks included, and asks nothing else', async () => {
    await using api = await startFakeApi(
      listedThen((received, response) => {
        const from = received.query.get('resourceVersion');
        if (from === '10') response.end(line('MODIFIED', object('a', '11')) + bookmark('20'));
        else response.write(line('MODIFIED', object('a', '21')));
      }),
    );
    await using watch = watching(api);
    await watch.until(is('modified'), 2);
    expect(api.received.map(({ query }) => query.get('resourceVersion'))).toEqual([null, '10', '20']);
    expect(brief(watch.events)).toEqual(['added! a', 'synced 10 a', 'live', 'modified a', 'modified a']);
  });

  it.each<[string, FakeHandler]>([
    [
      'as an event',
      (_received, response) => void response.end(line('ERROR', statusOf(410, 'Expired', { message: 'too old' }))),
    ],
    ['as an HTTP status', (_received, response) => sendJson(response, 410, statusOf(410, 'Expired'))],
  ])('whose version is too old, told %s, lists again', async (_name, refuse) => {
    await using api = await startFakeApi(listedThen(refuse));
    await using watch = watching(api);
    await watch.until(is('synced'), 2);
    expect(brief(watch.events).slice(0, 5)).toEqual(['added! a', 'synced 10 a', 'live', 'added! a', 'synced 10 a']);
  });

  it('that broke says so, checks the versions and resumes', async () => {
    let cuts = 1;
    await using api = await startFakeApi(
      listedThen((received, response) => {
        if (cuts-- > 0) response.write(' ', () => received.socket.destroy());
        else response.write(line('MODIFIED', object('a', '11')));
      }),
    );
    await using watch = watching(api);
    await watch.until(is('modified'));
    expect(brief(watch.events)).toEqual(['added! a', 'synced 10 a', 'live', 'stale', 'live', 'modified a']);
    expect(api.received.filter((received) => isCheck(received)).map(({ query }) => query.get('limit'))).toEqual(['1']);
  });

  it('notices that the versions went back: everything is judged anew', async () => {
    let version = '500';
    await using api = await startFakeApi((received, response) =>
      listedThen((_received, stream) => {
        if (version === '500') stream.write(' ', () => received.socket.destroy());
        version = '40';
      }, version)(received, response),
    );
    await using watch = watching(api);
    await watch.until(is('synced'), 2);
    expect(brief(watch.events)).toEqual([
      'added! a',
      'synced 500 a',
      'live',
      'stale',
      'epoch',
      'added! a',
      'synced 40 a',
      'live',
    ]);
  });

  it('without streaming lists falls back to LIST and WATCH', async () => {
    await using api = await startFakeApi((received, response) => {
      if (isList(received))
        return sendJson(response, 422, statusOf(422, 'Invalid', { message: 'sendInitialEvents is forbidden' }));
      if (received.query.get('watch') === '1') return void response.write(line('MODIFIED', object('a', '31')));
      const {
        kind: _kind,
        apiVersion: _apiVersion,
        ...untyped
      } = object(received.query.has('continue') ? 'b' : 'a', '30');
      const next = received.query.has('continue') ? {} : { continue: 'more' };
      return sendJson(response, 200, { metadata: { resourceVersion: '30', ...next }, items: [untyped] });
    });
    await using watch = watching(api);
    await watch.until(is('modified'));
    expect(brief(watch.events)).toEqual(['added! a', 'added! b', 'synced 30 a,b', 'live', 'modified a']);
    expect(watch.events[0]).toMatchObject({ object: { kind: 'ConfigMap', apiVersion: 'v1' } });
    expect(api.received.at(-1)?.query.get('resourceVersion')).toBe('30');
  });

  it.each<[string, number, unknown]>([
    ['forbidden', 403, statusOf(403, 'Forbidden', { message: 'User "u" cannot watch resource "configmaps"' })],
    ['gone', 404, '404 page not found'],
  ])('is %s after HTTP %i, and lives again once it is served', async (state, status, body) => {
    let refusals = 3;
    await using api = await startFakeApi((received, response) => {
      if (refusals-- > 0) sendJson(response, status, body);
      else listedThen(() => undefined)(received, response);
    });
    await using watch = watching(api);
    await watch.until(isState('live'));
    expect(brief(watch.events)).toEqual([state, 'added! a', 'synced 10 a', 'live']);
  });

  it('of a version of the future asks twice more, then forgets the version', async () => {
    const tooLarge = { details: { causes: [{ reason: 'ResourceVersionTooLarge' }], retryAfterSeconds: 0 } };
    await using api = await startFakeApi(
      listedThen((_received, response) => void response.end(line('ERROR', statusOf(504, 'Timeout', tooLarge)))),
    );
    await using watch = watching(api);
    await watch.until(is('synced'), 2);
    expect(api.received.filter(({ query }) => query.get('resourceVersion') === '10')).toHaveLength(3);
  });

  it('waits as a busy server asks, and goes on', async () => {
    let refusals = 2;
    await using api = await startFakeApi((received, response) => {
      if (refusals-- > 0) sendJson(response, 429, statusOf(429, 'TooManyRequests'), { 'Retry-After': '0' });
      else listedThen(() => undefined)(received, response);
    });
    await using watch = watching(api);
    await watch.until(isState('live'));
    expect(brief(watch.events)).toEqual(['stale', 'added! a', 'synced 10 a', 'live']);
  });

  it('that is silent after a bookmark is taken for dead and resumed', async () => {
    const follow = listedThen((received, response) => {
      if (received.query.get('resourceVersion') === '10') response.write(bookmark('15'));
      else response.write(line('MODIFIED', object('a', '16')));
    });
    await using api = await startFakeApi((received, response) =>
      isCheck(received) ? answerList(response, '15') : follow(received, response),
    );
    await using watch = watching(api, { timing: { ...QUICK, bookmarkedSilenceMs: 60 } });
    await watch.until(is('modified'));
    expect(brief(watch.events)).toEqual(['added! a', 'synced 10 a', 'live', 'stale', 'live', 'modified a']);
  });

  it('that never had a bookmark is replaced after long silence, the new one open before the old one is closed', async () => {
    const open: boolean[] = [];
    let first: ServerResponse | undefined;
    await using api = await startFakeApi(
      listedThen((_received, response) => {
        response.flushHeaders();
        if (first === undefined) {
          first = response;
          return;
        }
        open.push(!first.destroyed);
        response.write(line('MODIFIED', object('a', '11')));
      }),
    );
    await using watch = watching(api, { timing: { ...QUICK, quietSilenceMs: 60 } });
    await watch.until(is('modified'));
    expect(open[0]).toBe(true);
    await new Promise((resolve) => (first?.closed === true ? resolve(undefined) : first?.once('close', resolve)));
    expect(brief(watch.events)).toEqual(['added! a', 'synced 10 a', 'live', 'modified a']);
  });

  it('whose list hangs starts again', async () => {
    let hangs = 1;
    await using api = await startFakeApi((received, response) => {
      if (hangs-- > 0) response.write(line('ADDED', object('a', '10')));
      else listedThen(() => undefined)(received, response);
    });
    await using watch = watching(api, { timing: { ...QUICK, listSilenceMs: 60 } });
    await watch.until(is('synced'));
    expect(brief(watch.events)).toEqual(['added! a', 'stale', 'added! a', 'synced 10 a', 'live']);
  });

  it.each([
    ['no JSON', 'not json\n'],
    ['an event without a version', line('MODIFIED', { metadata: { name: 'a' } })],
    ['an unknown type', line('RENAMED', object('a', '11'))],
    ['a line over the cap', 'x'.repeat(LIMITS.maxWatchLineBytes + 2)],
  ])('that brings %s is opened again', async (_name, text) => {
    let faults = 1;
    await using api = await startFakeApi(
      listedThen((_received, response) => {
        response.on('error', () => undefined);
        if (faults-- > 0) response.write(text);
        else response.write(line('MODIFIED', object('a', '11')));
      }),
    );
    await using watch = watching(api);
    await watch.until(is('modified'));
    expect(brief(watch.events)).toEqual(['added! a', 'synced 10 a', 'live', 'stale', 'live', 'modified a']);
  });

  it('renews credentials after a 401 on the stream', async () => {
    await using api = await startFakeApi((received, response) => {
      if (received.headers.authorization === 'Bearer token-1') listedThen(() => undefined)(received, response);
      else sendJson(response, 401, statusOf(401, 'Unauthorized'));
    });
    await using watch = watching(api);
    await watch.until(is('synced'));
    expect(api.authorized.forced).toBe(1);
    expect(brief(watch.events)).not.toContain('stale');
  });

  it('outlives credentials that cannot be had for a while', async () => {
    await using api = await startFakeApi(listedThen(() => undefined));
    let failures = 2;
    Object.assign(api.connection, {
      authorize: () => {
        if (failures-- <= 0) return Promise.resolve({});
        return Promise.reject(new SottoError({ code: 'SOTTO-KUBE-019', what: 'x', why: 'y', next: 'z' }));
      },
    });
    await using watch = watching(api);
    await watch.until(isState('live'));
    expect(brief(watch.events)[0]).toBe('stale');
  });

  it.each([new Error('consumer'), new SottoError({ code: 'SOTTO-KUBE-001', what: 'x', why: 'y', next: 'z' })])(
    'ends with what its consumer throws',
    async (thrown) => {
      await using api = await startFakeApi(
        (_received, response) => void response.write(line('ADDED', object('a', '1'))),
      );
      const onEvent = () => {
        throw thrown;
      };
      await using watch = watching(api, { onEvent });
      await expect(watch.ended).rejects.toBe(thrown);
    },
  );

  it('ends with its signal, in a stream and in a wait', async () => {
    await using api = await startFakeApi(listedThen((_received, response) => response.flushHeaders()));
    const abort = new AbortController();
    await using watch = watching(api, { signal: abort.signal });
    await watch.until(is('synced'));
    abort.abort();
    await watch.ended;
    api.handle((_received, response) => sendJson(response, 500, statusOf(500, 'InternalError')));
    const waitingAbort = new AbortController();
    await using waiting = watching(api, {
      signal: waitingAbort.signal,
      timing: { ...QUICK, firstBackoffMs: 60_000, maxBackoffMs: 60_000 },
    });
    await waiting.until(isState('stale'));
    waitingAbort.abort();
    await waiting.ended;
  });
});

describe('compareResourceVersions', () => {
  it('orders by length, then as text', () => {
    const sorted = ['100', '9', '10', '99', '9'].toSorted(compareResourceVersions);
    expect(sorted).toEqual(['9', '9', '10', '99', '100']);
  });
});
