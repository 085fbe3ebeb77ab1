/** One entry of the code registry: `sotto errors CODE` and docs/errors.md are made from it. */
export interface CodeEntry {
  /** What it says in five to ten words. */
  readonly title: string;
  /** Why it happens and what to do, two or three sentences. */
  readonly explain: string;
  /** A command or a piece of a file that shows the way, where words are not enough. */
  readonly example?: string;
}
