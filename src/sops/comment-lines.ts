import { endOfLine } from '../yaml/split.ts';

/** A line of a document that is not blank. */
export interface FilledLine {
  readonly start: number;
  /** With its line end. */
  readonly end: number;
  readonly kind: 'comment' | 'content';
}

/** What stands around the lines of a document. Read once, so that no comment looks through blank lines of its own. */
export interface CommentLines {
  /** The first line with content from an offset on, and whether nothing but comments comes before it. */
  below(offset: number): { readonly content: FilledLine | undefined; readonly adjoins: boolean };
  /** The last line before an offset that is not blank. */
  above(offset: number): FilledLine | undefined;
}

export function commentLines(text: string): CommentLines {
  const filled: (FilledLine & { readonly afterBlank: boolean })[] = [];
  let afterBlank = false;
  for (let start = 0; start < text.length; ) {
    const end = endOfLine(text, start);
    const line = text.slice(start, end).trim();
    if (line !== '') filled.push({ start, end, kind: line.startsWith('#') ? 'comment' : 'content', afterBlank });
    afterBlank = line === '';
    start = end;
  }
  // From the end: of each line the next one with content, and whether a blank line stands before that.
  const next: { readonly content: FilledLine | undefined; readonly adjoins: boolean }[] = [];
  const last = { content: undefined, adjoins: !afterBlank };
  for (let index = filled.length - 1; index >= 0; index -= 1) {
    const line = filled[index];
    const behind = next[index + 1] ?? last;
    if (line?.kind === 'content') next[index] = { content: line, adjoins: true };
    else next[index] = { ...behind, adjoins: behind.adjoins && filled[index + 1]?.afterBlank !== true };
  }
  const firstFrom = (offset: number): number => {
    let [low, high] = [0, filled.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((filled[middle]?.start ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    below(offset) {
      const index = firstFrom(offset);
      const found = next[index] ?? last;
      return { ...found, adjoins: found.adjoins && filled[index]?.afterBlank !== true };
    },
    above: (offset) => filled[firstFrom(offset) - 1],
  };
}
