import type { DemoTerminal } from './options.ts';

/** What one run of the demo prints, top to bottom. */
export interface Screen extends Disposable {
  /** Free text, wrapped. */
  say(text?: string): void;
  heading(text: string): void;
  /** Something goes on: one line that is rewritten, on a terminal only. */
  working(text: string): void;
  /** Something happened: one line with the time since the start. */
  done(text: string): void;
  /** More about the line above. */
  detail(text: string): void;
  /** A claim that does not hold, or something that was left behind: the demo ends with exit code 1. */
  failed(text: string): void;
  readonly failures: number;
  table(rows: readonly (readonly [string, string])[]): void;
  /** A line to be copied: never wrapped. */
  command(text: string): void;
}

const INDENT = 11;
const NARROWEST = 60;
const WIDEST = 100;
const STANDARD_COLUMNS = 80;
const TICK_MS = 200;
const CLEAR_LINE = '\r\u001b[K';

export function createScreen(terminal: DemoTerminal): Screen {
  const startedMs = performance.now();
  const width = Math.min(Math.max(terminal.columns ?? STANDARD_COLUMNS, NARROWEST), WIDEST);
  const { paint } = terminal;
  let current: string | undefined;
  let failures = 0;
  const clear = (): void => {
    if (current !== undefined && terminal.isTerminal) terminal.write(CLEAR_LINE);
    current = undefined;
  };
  const draw = (): void => {
    if (current === undefined) return;
    const line = `${clock(startedMs)}  ${current} …`.slice(0, width - 1);
    terminal.write(`${CLEAR_LINE}${paint('dim', line)}`);
  };
  const ticking = terminal.isTerminal ? setInterval(draw, TICK_MS) : undefined;
  const print = (lines: readonly string[]): void => {
    clear();
    terminal.write(lines.map((line) => `${line.trimEnd()}\n`).join(''));
  };
  const under = (text: string): readonly string[] =>
    wrap(text, width - INDENT).map((line) => ' '.repeat(INDENT) + line);
  const timed = (text: string, decorate: (line: string) => string): void => {
    const [first = '', ...rest] = under(text).map((line) => decorate(line.slice(INDENT)));
    const time = paint('dim', clock(startedMs));
    print([`${time}  ${first}`, ...rest.map((line) => ' '.repeat(INDENT) + line)]);
  };
  return {
    say: (text = '') => print(wrap(text, width)),
    heading: (text) => print(wrap(text, width).map((line) => paint('bold', line))),
    working(text) {
      current = text;
      if (terminal.isTerminal) draw();
    },
    done: (text) => timed(text, (line) => line),
    detail: (text) => print(under(text).map((line) => paint('dim', line))),
    failed(text) {
      failures += 1;
      timed(`FAILED  ${text}`, (line) => paint('red', line));
    },
    get failures() {
      return failures;
    },
    table(rows) {
      const labels = Math.max(...rows.map(([label]) => label.length)) + 4;
      for (const [label, text] of rows) {
        const [first = '', ...rest] = wrap(text, width - labels);
        print([`  ${label.padEnd(labels - 2)}${first}`, ...rest.map((line) => ' '.repeat(labels) + line)]);
      }
    },
    command: (text) => print([`  ${text}`]),
    [Symbol.dispose]() {
      clearInterval(ticking);
      clear();
    },
  };
}

/** `    0.8 s`, as wide as the indentation of what stands below. */
function clock(startedMs: number): string {
  return `${((performance.now() - startedMs) / 1000).toFixed(1).padStart(INDENT - 4)} s`;
}

/** Words on lines of at most `width` characters; a longer word has a line of its own. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** `412 ms`, `3.1 s`, `2 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 1) return 'less than 1 ms';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
