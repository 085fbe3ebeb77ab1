/** Replace `text[start, end)` by `by`. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly by: string;
}

/** The text with every splice done; every other character is untouched. Splices may come in any order, not overlap. */
export function spliceText(text: string, splices: readonly Splice[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const splice of splices.toSorted((a, b) => a.start - b.start)) {
    if (splice.start < at) throw new RangeError('splices overlap');
    parts.push(text.slice(at, splice.start), splice.by);
    at = splice.end;
  }
  parts.push(text.slice(at));
  return parts.join('');
}
