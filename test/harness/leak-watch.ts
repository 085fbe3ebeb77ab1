import { afterAll, afterEach } from 'vitest';
import type { RunningAgent } from './agent.ts';
import { FILE_CANARIES } from './canary-values.ts';
import { findable, leaksInTheEnd, logOf, watched } from './leak-check.ts';
import type { Item } from './leak-places.ts';
import type { Place } from './place.ts';

/** The leak check of a place: made whenever one of its agents is stopped, and once more if something happened since. */
export interface LeakWatch extends AsyncDisposable {
  /** The same agent; its memory is looked through before it is stopped. */
  agent(agent: RunningAgent): RunningAgent;
  /** What a program wrote that has ended: `agent --once`. */
  output(text: string): void;
}

const VALUES = findable(FILE_CANARIES);

/** Told after the test, beside its own failure and not instead of it. */
const leaks: string[] = [];
const open = new Set<string>();

afterEach(({ task }) => {
  const found = leaks.splice(0);
  // A test that has failed leaves things where no check can be made.
  const told = task.result?.state === 'fail' ? found.filter((line) => !line.startsWith(NO_CHECK)) : found;
  tell(told);
});
afterAll(() => {
  tell([...leaks.splice(0), ...[...open].map((namespace) => `${NO_CHECK}${namespace} was not disposed of`)]);
});

/** All lines, which an assertion would shorten. */
function tell(lines: readonly string[]): void {
  if (lines.length > 0) throw new Error(`a test leaves what must be nowhere:\n${lines.join('\n')}`);
}

const NO_CHECK = 'no leak check: ';

/** Begins before anything runs in the place. */
export function watchLeaks(place: Place): LeakWatch {
  const canaries = watched(VALUES);
  const agents = new Set<RunningAgent>();
  const outputs: Item[] = [];
  const unseen = new Set<RunningAgent | Item>();
  open.add(place.namespace);

  const look = async (agent?: RunningAgent): Promise<void> => {
    const written = [...[...agents].map(logOf), ...outputs];
    try {
      leaks.push(...(await leaksInTheEnd(place, agent, written, canaries)));
    } catch (thrown) {
      leaks.push(NO_CHECK + String(thrown));
    }
    for (const each of unseen) {
      const isSeen = each === agent || !('isRunning' in each) || !each.isRunning();
      if (isSeen) unseen.delete(each);
    }
  };
  const stop = async (agent: RunningAgent): Promise<number | null> => {
    if (unseen.has(agent)) await look(agent);
    return agent.stop();
  };
  return {
    agent(agent) {
      agents.add(agent);
      unseen.add(agent);
      return { ...agent, stop: () => stop(agent), [Symbol.asyncDispose]: async () => void (await stop(agent)) };
    },
    output(text) {
      const item = { name: 'output', bytes: Buffer.from(text) };
      outputs.push(item);
      unseen.add(item);
    },
    [Symbol.asyncDispose]: async () => {
      // One that a failed test has left running as well.
      for (const agent of agents) await stop(agent);
      if (unseen.size > 0) await look();
      canaries[Symbol.dispose]();
      open.delete(place.namespace);
    },
  };
}
