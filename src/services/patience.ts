import type { SottoError } from '../core/errors.ts';

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60_000;
const MAX_REMEMBERED = 1_000;

interface Trouble {
  readonly error: SottoError;
  readonly untilMs: number;
  readonly pauseMs: number;
}

/**
 * Services that could not be asked, and for how long they are left alone: the first file waits for one that hangs,
 * the others are told at once.
 */
export class Patience {
  readonly #troubles = new Map<string, Trouble>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** What is still in force. */
  trouble(of: string): SottoError | undefined {
    const trouble = this.#troubles.get(of);
    return trouble !== undefined && trouble.untilMs > this.#nowMs() ? trouble.error : undefined;
  }

  failed(of: string, error: SottoError): void {
    const before = this.#troubles.get(of)?.pauseMs;
    const pauseMs = before === undefined ? FIRST_PAUSE_MS : Math.min(2 * before, LONGEST_PAUSE_MS);
    this.#troubles.delete(of);
    this.#troubles.set(of, { error, pauseMs, untilMs: this.#nowMs() + pauseMs });
    const [oldest] = this.#troubles.keys();
    if (this.#troubles.size > MAX_REMEMBERED && oldest !== undefined) this.#troubles.delete(oldest);
  }

  worked(of: string): void {
    this.#troubles.delete(of);
  }
}
