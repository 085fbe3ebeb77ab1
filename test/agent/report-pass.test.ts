import { describe, expect, it } from 'vitest';
import { decide } from '../../src/agent/pass-stages.ts';
import { reportPass } from '../../src/agent/report-pass.ts';
import { SottoError } from '../../src/core/errors.ts';
import type { Refusal } from '../../src/core/refusal.ts';
import { CONFIG_MAPS } from '../../src/kube/resource.ts';
import type { EventFacts } from '../../src/report/events.ts';
import { keyOf, nobody, row, runtime, setOf, snapshot, testAgent, wanted } from './fixture.ts';

function refusal(name: string): Refusal {
  const { id, file } = wanted('ConfigMap', name);
  const error = new SottoError({ code: 'SOTTO-RENDER-008', what: 'refused', why: `of ${name}`, next: 'nothing' });
  return { error, file, id };
}

/** Names of the objects that were told of a pass with these refusals. */
function told(refusals: readonly Refusal[], existing: readonly string[]): readonly string[] {
  const sync = runtime('a');
  const agent = testAgent(nobody(), [sync]);
  for (const name of existing) {
    agent.inventory.set(row('ConfigMap', name));
    const metadata = { name, namespace: 'team', uid: 'uid-1', resourceVersion: '100' };
    agent.live.observe(CONFIG_MAPS, 'team', { apiVersion: 'v1', kind: 'ConfigMap', metadata }, false);
    expect(agent.live.uid(keyOf('ConfigMap', name))).toBe('uid-1');
  }
  const events: EventFacts[] = [];
  Object.assign(agent.context, { tell: (event: EventFacts) => events.push(event) });
  const decided = decide(agent.context, sync, snapshot('1'), setOf(), refusals);
  const outcome = { refusals: [], waiting: [], waits: [], rollouts: [], applied: 0, pruned: 0, retry: false };
  const end = { snapshot: snapshot('1'), desired: setOf(), decided, outcome, refusals, startedMs: 0 };
  reportPass(agent.context, sync, end);
  reportPass(agent.context, sync, end);
  return events.map(({ regarding }) => regarding.name);
}

function names(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

describe('an object that exists and is newly refused', () => {
  it('gets an Event once, however many that do not exist are refused before it', () => {
    expect(told([...names(100, 'new').map(refusal), refusal('web')], ['web'])).toEqual(['web']);
  });

  it('is one of at most twenty that get one at a time', () => {
    const existing = names(30, 'a');
    expect(told(existing.map(refusal), existing)).toEqual(existing.slice(0, 20));
  });
});
