import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';

/**
 * The picture of a terminal in README, made of a run that was recorded:
 * `script -qec 'stty cols 82; npm run --silent demo' /dev/null | node_modules/.bin/node .ci/picture.ts`
 */
const FILE = join(import.meta.dirname, '..', 'docs', 'demo.svg');
const ESC = String.fromCodePoint(27);
const STYLE = new RegExp(`${ESC}\\[([\\d;]*)m`, 'g');
const [CHAR_WIDTH, LINE_HEIGHT, MARGIN] = [7.8, 17, 16];

interface Run {
  readonly text: string;
  readonly styles: ReadonlySet<string>;
}

/** What stands there in the end: a line that was drawn anew counts as it was drawn last. */
export function screenLines(recording: string): string[] {
  return recording
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => line.split('\r').at(-1)?.replaceAll(`${ESC}[K`, '') ?? '')
    .filter((line) => !line.startsWith('Script '));
}

/** The line in pieces of one style. */
export function runsOf(line: string): Run[] {
  const styles = new Set<string>();
  return line.split(STYLE).flatMap((part, index) => {
    // What the expression catches stands at the odd places.
    const code = index % 2 === 1 ? part : undefined;
    if (code === undefined) return part === '' ? [] : [{ text: part, styles: new Set(styles) }];
    if (code === '0' || code === '') styles.clear();
    else for (const each of code.split(';')) styles.add(`s${each}`);
    return [];
  });
}

function svgOf(lines: readonly string[]): string {
  const columns = Math.max(...lines.map((line) => line.replaceAll(STYLE, '').length));
  const width = Math.ceil(columns * CHAR_WIDTH + 2 * MARGIN);
  const height = lines.length * LINE_HEIGHT + 2 * MARGIN;
  const rows = lines.map((line, index) => {
    const spans = runsOf(line).map(
      ({ text, styles }) => `<tspan class="${[...styles].join(' ')}">${escapeXml(text)}</tspan>`,
    );
    return `<text x="${MARGIN}" y="${Math.round(MARGIN + (index + 0.8) * LINE_HEIGHT)}">${spans.join('')}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Output of npm run demo">
<style>
rect { fill: #16181d }
text { fill: #d8dee9; font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
.s1 { font-weight: bold } .s2 { fill: #8892a2 } .s31 { fill: #e06c75 } .s32 { fill: #98c379 } .s33 { fill: #e5c07b }
</style>
<rect width="100%" height="100%" rx="8"/>
${rows.join('\n')}
</svg>
`;
}

/** Blanks that no viewer folds. */
function escapeXml(text: string): string {
  return text.replaceAll(' ', '\u00a0').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

if (import.meta.main) writeFileSync(FILE, svgOf(screenLines((await textOf(process.stdin)).trimEnd())));
