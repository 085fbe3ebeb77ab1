import { join } from 'node:path';
import { rfc3339 } from '../../core/clock.ts';
import { STATE_ANNOTATION, UNTIL_ANNOTATION } from '../../keys/marks.ts';
import { type RotationOfKeys, rotationsIn } from '../../keys/rotations.ts';
import type { RotateRequest } from '../../plan/request.ts';
import type { Answer, RotationStatus } from '../../report/status.ts';
import type { AgentContext } from '../context.ts';
import type { KeyStore } from '../key-store.ts';
import type { Wanted } from '../reach.ts';
import type { SyncRuntime } from '../sync-runtime.ts';

type Syncs = AgentContext['syncs'];

/** Until the old key that could not be marked is looked at again. */
const AGAIN_MS = 60_000;

/** Rotations that the agent makes itself. What makes them is loaded when somebody asks for one. */
export class Rotations {
  readonly #keys: KeyStore;
  readonly #workDir: string;
  /** By snapshot, which is never changed: the names that were looked for in its files. */
  readonly #named = new WeakMap<Wanted, Map<string, boolean>>();
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
        runs: this.#runs(syncs, rotation),
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
    const due = rotationsIn(this.#keys.secrets()).find((rotation) => this.#isDue(agent.syncs, rotation));
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

  #isDue(syncs: Syncs, rotation: RotationOfKeys): boolean {
    const { pushed, before } = rotation;
    if (pushed === undefined || before.state !== 'active' || this.#runs(syncs, rotation) !== 'new') return false;
    return !before.beside.some((recipient) => this.#isNamed(syncs, recipient));
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

  /** Which of the two keys the files name that run now; `unknown` while a sync has not applied what it has read. */
  #runs(syncs: Syncs, { old, made }: RotationOfKeys): RotationStatus['runs'] {
    if (![...syncs.values()].every(isApplied)) return 'unknown';
    const [isOld, isNew] = [this.#isNamed(syncs, old), this.#isNamed(syncs, made)];
    if (isOld) return isNew ? 'both' : 'old';
    return isNew ? 'new' : 'neither';
  }

  #isNamed(syncs: Syncs, recipient: string): boolean {
    return [...syncs.values()].some(({ snapshot }) => snapshot !== undefined && this.#names(snapshot, recipient));
  }

  /** As it stands in the text: what only looks like the recipient counts too. */
  #names(snapshot: Wanted, recipient: string): boolean {
    const known = this.#named.get(snapshot) ?? new Map<string, boolean>();
    this.#named.set(snapshot, known);
    const before = known.get(recipient);
    if (before !== undefined) return before;
    const found = snapshot.files.some(({ bytes }) =>
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(recipient),
    );
    known.set(recipient, found);
    return found;
  }
}

function isApplied({ snapshot, trouble, report }: SyncRuntime): boolean {
  return snapshot !== undefined && trouble === undefined && report?.appliedRevision === snapshot.revision;
}
