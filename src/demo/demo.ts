import { startAgentChild } from './agent-child.ts';
import { sayNext, sayWhatToLookAt } from './farewell.ts';
import { plaintextIsNowhere } from './leak-search.ts';
import type { DemoOptions } from './options.ts';
import { quietCostsNothing } from './quiet.ts';
import { repositoryIsRotated } from './rotation.ts';
import {
  agentStarts,
  badCommitIsIsolated,
  commitIsApplied,
  deletionIsUndone,
  handEditsAreUndone,
  removedObjectIsPruned,
} from './scenes.ts';
import { counted, createScreen, duration } from './screen.ts';
import type { Screen } from './screen.ts';
import { buildStage } from './setup.ts';
import type { SceneResult, Stage } from './stage.ts';

const SCENES: readonly ((stage: Stage) => Promise<SceneResult>)[] = [
  agentStarts,
  commitIsApplied,
  handEditsAreUndone,
  deletionIsUndone,
  badCommitIsIsolated,
  removedObjectIsPruned,
  // The last act. What follows looks back on all of them, so also on what a rotation leaves behind.
  repositoryIsRotated,
  quietCostsNothing,
  plaintextIsNowhere,
];

/**
 * Plays the main job in front of a person, on a real API server, and cleans up, whatever happens. True when all that
 * was claimed was seen. Throws SottoError for what a person must mend first, and the signal's reason when it comes.
 */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  using screen = createScreen(options.terminal);
  const startedMs = performance.now();
  screen.heading('sotto demo: a commit becomes running objects, its secrets included');
  screen.say();
  await stageAndPlay(options, screen).catch((thrown: unknown) => {
    if (options.signal.aborted) screen.done('interrupted: everything that was started is ended and removed');
    throw thrown;
  });
  const { failures } = screen;
  const took = duration(performance.now() - startedMs);
  screen.done(
    failures === 0 ? `cleaned up; ended after ${took}` : `ended after ${took}; ${counted(failures, 'claim')} failed`,
  );
  if (failures === 0) sayNext(options, screen);
  return failures === 0;
}

/** Its end is the end of everything that was started. */
async function stageAndPlay(options: DemoOptions, screen: Screen): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => screen.working('ending processes'));
  const set = await buildStage(options, screen, cleanup);
  cleanup.defer(() => screen.working('cleaning up'));
  const agent = cleanup.use(await startAgentChild(set.agentCommand));
  const stage: Stage = { ...set, agent };
  const results = await play(stage);
  screen.say();
  screen.table(results);
  screen.say();
  if (!options.keep) return;
  sayWhatToLookAt(stage);
  await aborted(options.signal);
}

/** Scene after scene; the first that cannot show what it claims is the last. */
async function play(stage: Stage): Promise<readonly (readonly [string, string])[]> {
  const results: (readonly [string, string])[] = [];
  for (const scene of SCENES) {
    const result = await scene(stage);
    if (result === undefined) break;
    results.push(result);
  }
  return results;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    // A pending promise alone does not keep Node running.
    const alive = setInterval(() => undefined, 60_000);
    signal.addEventListener('abort', () => {
      clearInterval(alive);
      resolve();
    });
  });
}
