import { describe, expect, it } from 'vitest';
import { Line } from '../../src/agent/line.ts';
import type { ObjectKey } from '../../src/core/ids.ts';
import type { Ordering } from '../../src/plan/ordering.ts';
import type { Turn } from '../../src/plan/turn.ts';
import { keyOf, nobody, row, testAgent, wanted } from './fixture.ts';

const ALONE: Ordering = { needs: new Map(), stages: [] };
const inWave = (wave: number): Turn => ({ phase: 0, wave });
const FIRST = Array.from({ length: 30 }, (_, index) => `first-${index}`);

function keysOf(...names: readonly string[]): ObjectKey[] {
  return names.map((name) => keyOf('ConfigMap', name));
}

/** An agent, a line in which wave 0 was passed, and a way to say that an object has become ready. */
function lined() {
  const { context, inventory, live } = testAgent(nobody());
  const line = new Line(context, ALONE, []);
  const ready = (name: string): void => {
    inventory.set(row('ConfigMap', name));
    const metadata = { name, namespace: 'team', uid: 'uid-1', resourceVersion: '100', labels: {}, managedFields: [] };
    live.baseline(keyOf('ConfigMap', name), { apiVersion: 'v1', kind: 'ConfigMap', metadata }, 'full');
  };
  line.enter(inWave(0));
  line.passed(keysOf(...FIRST));
  line.enter(inWave(1));
  return { line, ready };
}

describe('a line of many objects that are not ready', () => {
  it('lets nobody pass those between: a turn that waited is waited for when the first ones become ready meanwhile', () => {
    const { line, ready } = lined();
    const [between] = keysOf('between');
    expect(line.obstacle(wanted('ConfigMap', 'between'))?.kind).toBe('waits');
    line.passed(keysOf('between'));
    for (const name of FIRST) ready(name);
    line.enter(inWave(2));
    expect(line.obstacle(wanted('ConfigMap', 'last'))).toMatchObject({ kind: 'waits', waiting: { on: [between] } });
    ready('between');
    expect(line.obstacle(wanted('ConfigMap', 'last'))).toBeUndefined();
  });

  it('says to those behind a failure that it failed', () => {
    const { line } = lined();
    const failed = wanted('ConfigMap', 'failed');
    const error = expect.objectContaining({ code: 'SOTTO-PLAN-061' });
    line.ended(failed.key, {
      kind: 'refused',
      refusal: { error: new Error() as never, file: 'f', id: failed.id },
      again: false,
    });
    line.passed([failed.key]);
    line.enter(inWave(2));
    expect(line.obstacle(wanted('ConfigMap', 'last'))).toMatchObject({ kind: 'refused', refusal: { error } });
  });

  it('names no more of them than anybody reads', () => {
    const { line } = lined();
    expect(line.obstacle(wanted('ConfigMap', 'last'))).toMatchObject({
      waiting: { on: keysOf(...FIRST.slice(0, 20)) },
    });
  });
});
