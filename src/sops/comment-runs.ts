import type { CommentSelects } from './selector.ts';

/**
 * The comments in force while a tree is walked: in every container that is open, those since its last entry
 * (spec/sops.md, 5.1). What counts of them is whether one matches.
 */
export class CommentRuns {
  readonly #selects: CommentSelects;
  readonly #matched: boolean[] = [];

  constructor(selects: CommentSelects) {
    this.#selects = selects;
  }

  enter(): void {
    this.#matched.push(false);
  }

  leave(): void {
    this.#matched.pop();
  }

  get encryptsValue(): boolean {
    return this.#matched.includes(true) === this.#selects.encryptsMatched;
  }

  /** Whether one matches in the containers around the innermost one. */
  get isInForceAround(): boolean {
    return this.#matched.slice(0, -1).includes(true);
  }

  /** Passes a comment. One that says what is encrypted stays readable itself, and so does one that says what is not. */
  encryptsComment(text: string): boolean {
    const before = this.encryptsValue;
    if (this.#selects.matches(text)) this.#matched[this.#matched.length - 1] = true;
    return this.#selects.encryptsMatched ? before : this.encryptsValue;
  }

  /** An entry that is no comment ends the run of those before it. */
  entryEnds(): void {
    this.#matched[this.#matched.length - 1] = false;
  }
}
