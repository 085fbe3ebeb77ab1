import { array, assert, boolean, constantFrom, property, record, uniqueArray } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Awaited, type Awaits, type Until } from '../../src/agent/awaited.ts';
import type { ObjectKey } from '../../src/core/ids.ts';
import { keyOf } from './fixture.ts';

const KEYS = Array.from({ length: 8 }, (_, at) => keyOf('ConfigMap', `k${at}`));

/** Objects that are so far, and how often anybody asked. */
function objects() {
  const over = new Set<string>();
  let asked = 0;
  const awaited = new Awaited((until: Until, key: ObjectKey) => {
    asked += 1;
    return over.has(`${until} ${key}`);
  });
  const set = (until: Until, key: ObjectKey, isOver: boolean): void => {
    if (isOver) over.add(`${until} ${key}`);
    else over.delete(`${until} ${key}`);
  };
  const during = (act: () => unknown): number => {
    asked = 0;
    act();
    return asked;
  };
  return { awaited, set, during, isDue: ({ until, on }: Awaits) => on.every((key) => over.has(`${until} ${key}`)) };
}

const keys = (count: number, name: string): ObjectKey[] =>
  Array.from({ length: count }, (_, at) => keyOf('Job', `${name}${at}`));

describe('what waits for objects', () => {
  it('is woken when the last of them is so far, and not before its next pass again', () => {
    const { awaited, set } = objects();
    const [a, b] = [keyOf('Job', 'a'), keyOf('Job', 'b')];
    expect(awaited.begin('app', [{ until: 'ready', on: [a, b] }])).toBe(false);
    set('ready', b, true);
    expect(awaited.changed(b)).toEqual([]);
    set('ready', a, true);
    expect(awaited.changed(a)).toEqual(['app']);
    expect(awaited.changed(a)).toEqual([]);
    expect(awaited.begin('app', [{ until: 'ready', on: [a, b] }])).toBe(true);
  });

  it('tells ready from settled, and forgets a sync that left', () => {
    const { awaited, set } = objects();
    const a = keyOf('Job', 'a');
    awaited.begin('app', [{ until: 'settled', on: [a] }]);
    awaited.begin('left', [{ until: 'ready', on: [a] }]);
    set('ready', a, true);
    awaited.forget('left');
    expect(awaited.changed(a)).toEqual([]);
    set('settled', a, true);
    expect(awaited.changed(a)).toEqual(['app']);
  });

  it('is looked at only for the objects it waits for: an event costs the same among ten and ten thousand', () => {
    const costs = [10, 10_000].map((count) => {
      const { awaited, set, during } = objects();
      const [own, gate, other] = [keys(count, 'own'), keyOf('Job', 'gate'), keyOf('Job', 'other')];
      awaited.begin(
        'app',
        own.map((key) => ({ until: 'ready', on: [key, gate] }) as const),
      );
      const [first] = own;
      if (first === undefined) throw new Error('no keys');
      const foreign = during(() => awaited.changed(other));
      const held = during(() => awaited.changed(gate));
      set('ready', first, true);
      const ready = during(() => awaited.changed(first));
      for (const key of own) set('ready', key, true);
      set('ready', gate, true);
      return [foreign, held, ready, during(() => expect(awaited.changed(gate)).toEqual(['app']))];
    });
    expect(costs[1]).toEqual(costs[0]);
  });

  it('misses nothing, whatever comes and goes in which order', () => {
    const wait = record({
      until: constantFrom<Until>('ready', 'settled'),
      on: uniqueArray(constantFrom(...KEYS), { minLength: 1, maxLength: 4 }),
    });
    const event = record({
      until: constantFrom<Until>('ready', 'settled'),
      key: constantFrom(...KEYS),
      isOver: boolean(),
    });
    assert(
      property(array(wait, { maxLength: 6 }), array(event, { maxLength: 40 }), (waits, events) => {
        const { awaited, set, isDue } = objects();
        let isWoken = awaited.begin('app', waits);
        expect(isWoken).toBe(waits.some(isDue));
        for (const { until, key, isOver } of events) {
          set(until, key, isOver);
          const woken = awaited.changed(key).length > 0;
          if (woken) expect(waits.some(isDue)).toBe(true);
          isWoken ||= woken;
          // Whatever is due was told, at the latest with this event.
          if (waits.some(isDue)) expect(isWoken).toBe(true);
        }
      }),
    );
  });
});
