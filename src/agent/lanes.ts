import { BodyBuffer } from '../apply/body.ts';
import type { ObjectKey } from '../core/ids.ts';

/** Corrections overtake the objects of a commit (spec/drift.md 3.11). */
export type Priority = 'drift' | 'commit';

interface Job {
  readonly key: ObjectKey;
  readonly run: (body: BodyBuffer) => Promise<void>;
}

/**
 * Who may write, and when: one serial lane per object, a few objects in parallel. Each running job has the body
 * buffer of its sender lane, so a value lives in as many buffers as there are lanes and in no other.
 */
export class Lanes {
  readonly #bodies: BodyBuffer[];
  readonly #busy = new Set<ObjectKey>();
  readonly #queues: Record<Priority, Job[]> = { drift: [], commit: [] };
  readonly #idle: (() => void)[] = [];
  readonly #onFree: (key: ObjectKey) => void;
  #running = 0;

  /** `onFree`: the object has no answer outstanding any more; events that waited for it can be judged. */
  constructor(parallel: number, onFree: (key: ObjectKey) => void) {
    this.#onFree = onFree;
    this.#bodies = Array.from({ length: parallel }, () => new BodyBuffer());
  }

  /** True while an answer for this object is outstanding: events about it wait for the answer. */
  isBusy(key: ObjectKey): boolean {
    return this.#busy.has(key);
  }

  get depth(): number {
    return this.#running + this.#queues.drift.length + this.#queues.commit.length;
  }

  /** Runs the job when its object is free and a lane is; resolves with its result. */
  run<T>(key: ObjectKey, priority: Priority, job: (body: BodyBuffer) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queues[priority].push({
        key,
        run: (body) => job(body).then(resolve, reject),
      });
      this.#next();
    });
  }

  /** Resolves when nothing is queued and nothing is running. */
  async idle(): Promise<void> {
    if (this.depth === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #next(): void {
    for (;;) {
      const job = this.#take();
      const body = job === undefined ? undefined : this.#bodies.pop();
      if (job === undefined || body === undefined) return;
      this.#busy.add(job.key);
      this.#running += 1;
      void job.run(body).finally(() => {
        body.wipe();
        this.#bodies.push(body);
        this.#busy.delete(job.key);
        this.#running -= 1;
        this.#onFree(job.key);
        this.#next();
        if (this.depth === 0) for (const resolve of this.#idle.splice(0)) resolve();
      });
    }
  }

  /** The first job, corrections first, whose object has no answer outstanding; undefined while no lane is free. */
  #take(): Job | undefined {
    if (this.#bodies.length === 0) return undefined;
    for (const priority of ['drift', 'commit'] as const) {
      const queue = this.#queues[priority];
      const index = queue.findIndex((job) => !this.#busy.has(job.key));
      if (index !== -1) return queue.splice(index, 1)[0];
    }
    return undefined;
  }
}
