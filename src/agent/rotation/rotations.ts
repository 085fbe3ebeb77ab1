import { join } from 'node:path';
import { rfc3339 } from '../../core/clock.ts';
import { STATE_ANNOTATION, UNTIL_ANNOTATION } from '../../keys/marks.ts';
import { type RotationOfKeys, rotationsIn } from '../../keys/rotations.ts';
import type { RotateRequest } from '../../plan/request.ts';
import type { Answer, RotationStatus } from '../../report/status.ts';
import type { AgentContext } from '../context.ts';
import type { KeyStore } from '../key-store.ts';
import type { SyncRuntime } from '../sync-runtime.ts';
import { RunningKeys } from './running-keys.ts';

type Syncs = AgentContext['syncs'];

/** Until the old key that could not be marked is looked at again. */
const AGAIN_MS = 60_000;

/** Rotations that the agent makes itself. What makes them is loaded when somebody asks for one. */
export class Rotations {
  readonly #keys: KeyStore;
  readonly #workDir: string;
  readonly #running = new RunningKeys();
  #turn: Promise<unknown> = Promise.resolve();
  #isMarking = false;
  #againAtMs = 0;

  constructor(keys: KeyStore, workDir: string) {
    this.#keys = keys;
    this.#workDir = join(workDir, 'rotation');
  }

  /** One at a time: two would make two keys. */
  rotate(agent: AgentContext, request: RotateRequest, sync: SyncRuntime): Promise<Answer> {
    const mine = this.#turn.then(async () => {
      const { rotateKeys } = await import('./rotate.ts');
      return rotateKeys({ agent, keys: this.#keys, workDir: this.#workDir }, request, sync);
    });
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  /** For the status document. */
  status(syncs: Syncs): RotationStatus[] {
    return rotationsIn(this.#keys.secrets()).map((rotation) => {
      const { old, made, secret, since, pushed, before } = rotation;
      return {
        old,
        made,
        secret,
        since: since && rfc3339(since),
        pushed: pushed && { url: pushed.url, branch: pushed.branch, commit: pushed.commit },
        runs: this.#running.runs(syncs, rotation),
        oldSecret: before.secret,
        oldState: before.state === 'active' ? 'active' : 'decrypt-only',
        until: before.until && rfc3339(before.until),
      };
    });
  }

  /**
   * Once everything that runs is for the new key, the old one only opens from then on: of rotations that the agent
   * has pushed, and of no other.
   */
  settle(agent: AgentContext): void {
    const nowMs = agent.clock.elapsedMs();
    if (this.#isMarking || nowMs < this.#againAtMs) return;
    const due = rotationsIn(this.#keys.secrets()).find((rotation) => this.#running.isDue(agent.syncs, rotation));
    if (due === undefined) return;
    this.#isMarking = true;
    this.#mark(agent, due)
      .catch((thrown: unknown) => {
        this.#againAtMs = nowMs + AGAIN_MS;
        agent.log.warn('the old key of a rotation could not be marked', { error: thrown });
      })
      .finally(() => {
        this.#isMarking = false;
      });
  }

  async #mark(agent: AgentContext, { pushed, before }: RotationOfKeys): Promise<void> {
    const { annotate } = await import('./new-key.ts');
    const until = rfc3339(new Date(agent.clock.now().getTime() + (pushed?.keepOldMs ?? 0)));
    await annotate({ agent, keys: this.#keys }, before.secret, {
      [STATE_ANNOTATION]: 'decrypt-only',
      [UNTIL_ANNOTATION]: until,
    });
    agent.log.info('the old key of a rotation only opens from now on', { object: `Secret/${before.secret}`, until });
  }
}
