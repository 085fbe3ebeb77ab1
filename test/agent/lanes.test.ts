import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Lanes } from '../../src/agent/lanes.ts';
import { keyOf } from './fixture.ts';

const A = keyOf('ConfigMap', 'a');
const B = keyOf('ConfigMap', 'b');
const C = keyOf('ConfigMap', 'c');

/** A job that says when it begins and ends when it is told. */
function job(log: string[], name: string) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  return {
    run: () => {
      log.push(name);
      return promise;
    },
    end: () => resolve(name),
    fail: () => reject(new Error(name)),
  };
}

describe('lanes', () => {
  it('run one job of an object at a time and others beside it', async () => {
    const log: string[] = [];
    const lanes = new Lanes(4, () => undefined);
    const [first, second, other] = [job(log, 'a1'), job(log, 'a2'), job(log, 'b')];
    const ends = [
      lanes.run(A, 'commit', first.run),
      lanes.run(A, 'commit', second.run),
      lanes.run(B, 'commit', other.run),
    ];
    await turn();
    expect([log, lanes.isBusy(A), lanes.depth]).toEqual([['a1', 'b'], true, 3]);
    for (const one of [first, second, other]) one.end();
    await Promise.all(ends);
    await lanes.idle();
    expect([log, lanes.isBusy(A), lanes.depth]).toEqual([['a1', 'b', 'a2'], false, 0]);
  });

  it('take corrections before the objects of a commit', async () => {
    const log: string[] = [];
    const lanes = new Lanes(1, () => undefined);
    const [first, commit, drift] = [job(log, 'first'), job(log, 'commit'), job(log, 'drift')];
    const ends = [
      lanes.run(A, 'commit', first.run),
      lanes.run(B, 'commit', commit.run),
      lanes.run(C, 'drift', drift.run),
    ];
    for (const one of [first, commit, drift]) one.end();
    await Promise.all(ends);
    expect(log).toEqual(['first', 'drift', 'commit']);
  });

  it('go on after a job that failed, and only its owner is told', async () => {
    const log: string[] = [];
    const lanes = new Lanes(1, () => undefined);
    const [bad, good] = [job(log, 'bad'), job(log, 'good')];
    const ends = [lanes.run(A, 'commit', bad.run), lanes.run(A, 'commit', good.run)];
    bad.fail();
    good.end();
    expect((await Promise.allSettled(ends)).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    await lanes.idle();
  });

  it('wipe what a job left in its body, also when it failed', async () => {
    const lanes = new Lanes(1, () => undefined);
    let kept: Uint8Array = new Uint8Array();
    await expect(
      lanes.run(A, 'commit', (body) => {
        kept = body.take(100).fill(7);
        return Promise.reject(new Error('no'));
      }),
    ).rejects.toThrow('no');
    await lanes.idle();
    expect(kept.every((byte) => byte === 0)).toBe(true);
  });

  it('tell that an object is free after its job has ended and before its next one begins', async () => {
    const log: string[] = [];
    const lanes = new Lanes(2, (key) => log.push(`free ${key.slice(-1)} ${lanes.isBusy(key)}`));
    const ends = ['1', '2'].map((name) =>
      lanes.run(A, 'commit', () => {
        log.push(name);
        return Promise.resolve();
      }),
    );
    await Promise.all(ends);
    await lanes.idle();
    expect(log).toEqual(['1', 'free a false', '2', 'free a false']);
  });
});
