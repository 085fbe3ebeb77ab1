/** The part of a text that holds one document at most. */
export interface Chunk {
  readonly start: number;
  /** End of the document's own part: the next marker, or the end of the text. */
  readonly end: number;
  /** End of what the reader must see: behind the line of a `...`, so that it can refuse text after it. */
  readonly readEnd: number;
}

const MARKER = /(?:^|[\r\n])(---|\.\.\.)(?![^ \t\r\n])/g;

/**
 * Cuts a stream at its document markers, so that only one document's events are in memory at a time. A marker at
 * the start of a line ends a document whatever stands around it (YAML 1.2, 9.1.2), so no parser is needed.
 */
export function* splitStream(text: string): Generator<Chunk> {
  let start = 0;
  // Comments and directives at the start of the stream or after `...` belong to the document that follows.
  let mayBePrelude = true;
  const markers = new RegExp(MARKER);
  for (let match = markers.exec(text); match !== null; match = markers.exec(text)) {
    const marker = match[1] ?? '';
    const at = match.index + match[0].length - marker.length;
    // The line break before the next marker may be the one right behind this marker.
    markers.lastIndex = at + marker.length;
    if (marker === '...') {
      const lineEnd = endOfLine(text, at);
      yield { start, end: at, readEnd: lineEnd };
      start = lineEnd;
      mayBePrelude = true;
      continue;
    }
    if (mayBePrelude && isPrelude(text, start, at)) {
      mayBePrelude = false;
      continue;
    }
    if (at > start) yield { start, end: at, readEnd: at };
    start = at;
    mayBePrelude = false;
  }
  if (start < text.length) yield { start, end: text.length, readEnd: text.length };
}

function isPrelude(text: string, from: number, to: number): boolean {
  let at = text.charCodeAt(from) === 0xfeff ? from + 1 : from;
  while (at < to) {
    const lineEnd = endOfLine(text, at);
    const line = text.slice(at, Math.min(lineEnd, to)).trimStart();
    if (line !== '' && !line.startsWith('#') && text.charAt(at) !== '%') return false;
    at = lineEnd;
  }
  return true;
}

/** Offset behind the line break that ends the line at `from`. */
export function endOfLine(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === 10) return at + 1;
    if (char === 13) return text.charCodeAt(at + 1) === 10 ? at + 2 : at + 1;
    at += 1;
  }
  return at;
}

/** Offset at which the line of an offset starts. A walk and no `lastIndexOf`, which looks for a `\r` through the whole file. */
export function lineStart(text: string, offset: number): number {
  let at = offset;
  while (at > 0 && text.charCodeAt(at - 1) !== 10 && text.charCodeAt(at - 1) !== 13) at -= 1;
  return at;
}

export function columnOf(text: string, offset: number): number {
  return offset - lineStart(text, offset);
}
