import type { SottoError } from '../core/errors.ts';

const FIRST_MS = 10_000;
const MAX_MS = 300_000;
const CODE = 'SOTTO-KUBE-013';

/**
 * Whether the target namespace is being deleted. While it goes, each of its objects is reported gone and each one would
 * be refused: after the first refusal one request now and then asks for all of them (spec/drift.md, row 82).
 */
export class EndingNamespace {
  #refused: { readonly error: SottoError; readonly untilMs: number; readonly waitMs: number } | undefined;

  /** What to tell instead of asking. Undefined: ask; whoever asks asks for all until the next time is due. */
  refusal(nowMs: number): SottoError | undefined {
    if (this.#refused === undefined) return undefined;
    const { error, untilMs, waitMs } = this.#refused;
    if (nowMs < untilMs) return error;
    this.#wait(error, nowMs, Math.min(MAX_MS, waitMs * 2));
    return undefined;
  }

  /** How a write was refused. Tells whether it is the end of the namespace. */
  take(error: SottoError, nowMs: number): boolean {
    if (error.code !== CODE) return false;
    if (this.#refused === undefined) this.#wait(error, nowMs, FIRST_MS);
    return true;
  }

  /** Something new was made. Tells whether that is news. */
  lives(): boolean {
    const isNews = this.#refused !== undefined;
    this.#refused = undefined;
    return isNews;
  }

  #wait(error: SottoError, nowMs: number, waitMs: number): void {
    this.#refused = { error, untilMs: nowMs + waitMs, waitMs };
  }
}
