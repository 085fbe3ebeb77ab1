import type { Preview } from '../agent/preview/previewed.ts';
import { diffLines, diffSummary } from './diff-view.ts';

/** A comment on a pull request takes 65,536 characters. */
const MAX_CHARACTERS = 60_000;
const MAX_LINE_CHARACTERS = 500;
/** More lines than that are folded. */
const MAX_OPEN_LINES = 40;

/**
 * The same as the text, for a comment on a pull request. Whatever comes from the repository or the cluster stands in one
 * block of code, whose fence is longer than any in it: no mention, no link, no HTML and no image comes alive.
 */
export function diffMarkdown(found: Preview, title: string): string {
  const [first = '', ...more] = diffSummary(found);
  const lines = diffLines(found, plain).map(shortened);
  const head = `### ${title}\n\n**${first}**\n${more.map((line) => `\n${inline(line)}\n`).join('')}`;
  if (lines.length === 0) return head;
  const { text, cut } = fitting(lines);
  const block = fenced(text);
  const note = cut === 0 ? '' : `\n${cut} more lines are left out: \`sotto diff\` shows them.\n`;
  if (lines.length <= MAX_OPEN_LINES) return `${head}\n${block}${note}`;
  return `${head}\n<details><summary>${lines.length} lines</summary>\n\n${block}\n</details>\n${note}`;
}

/** One long name must not push everything else out of the comment. */
function shortened(line: string): string {
  return line.length > MAX_LINE_CHARACTERS ? `${line.slice(0, MAX_LINE_CHARACTERS)}…` : line;
}

function plain(_style: string, text: string): string {
  return text;
}

function fitting(lines: readonly string[]): { readonly text: string; readonly cut: number } {
  const kept: string[] = [];
  let characters = 0;
  for (const line of lines) {
    characters += line.length + 1;
    if (characters > MAX_CHARACTERS) break;
    kept.push(line);
  }
  return { text: kept.join('\n'), cut: lines.length - kept.length };
}

function fenced(text: string): string {
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}diff\n${text}\n${fence}\n`;
}

/** A line with a name in it, outside of the block. */
function inline(text: string): string {
  const longest = Math.max(0, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence} ${text} ${fence}`;
}
