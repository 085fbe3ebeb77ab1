/** Further in than what a line begins with: what belongs to it. */
const HANGING = 4;

/** A help text for a terminal of so many columns. Pure; undefined: it is read by a program, or nobody knows. */
export function folded(text: string, columns: number | undefined): string {
  if (columns === undefined) return text;
  return paragraphs(text.split('\n'), columns)
    .flatMap((line) => foldedLine(line, columns))
    .join('\n');
}

/** Prose that does not fit flows: its lines are one. A line that ends as a sentence does is the end of one. */
function paragraphs(lines: readonly string[], columns: number): string[] {
  const made: string[] = [];
  let isFlowing = false;
  for (const line of lines) {
    const before = made.at(-1);
    if (isFlowing && before !== undefined && /^\S/.test(line)) made[made.length - 1] = `${before} ${line}`;
    else made.push(line);
    isFlowing = /^\S/.test(line) && !/[.:;]$/.test(line) && (line.length > columns || isFlowing || isProse(line));
  }
  return made;
}

/** Long enough to have been broken by whoever wrote it. */
const isProse = (line: string): boolean => line.length > 20;

function foldedLine(line: string, columns: number): string[] {
  if (line.length <= columns) return [line];
  const indent = /^ */.exec(line)?.[0] ?? '';
  const [, command, comment] = /^( *\S.*?) {2,}(\S.*)$/.exec(line) ?? [];
  const below = indent === '' ? '' : `${indent}${' '.repeat(HANGING)}`;
  if (command !== undefined && comment !== undefined && indent !== '')
    return [...words(command, columns, below), ...words(`${below}${comment}`, columns, below)];
  return words(line, columns, below);
}

function words(line: string, columns: number, below: string): string[] {
  const indent = /^ */.exec(line)?.[0] ?? '';
  const lines: string[] = [];
  let current = indent;
  for (const word of line.trim().split(/ +/)) {
    const isFirst = current.trim() === '';
    if (!isFirst && current.length + 1 + word.length > columns) {
      lines.push(current);
      current = `${below}${word}`;
    } else current = isFirst ? `${current}${word}` : `${current} ${word}`;
  }
  return [...lines, current];
}
