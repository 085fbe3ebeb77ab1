import { describe, expect, it } from 'vitest';
import type { DemoTerminal } from '../../src/demo/options.ts';
import { createScreen, duration, wrap } from '../../src/demo/screen.ts';

interface Recorded extends DemoTerminal {
  readonly written: string[];
}

function recorded(isTerminal: boolean): Recorded {
  const written: string[] = [];
  return { written, isTerminal, columns: 80, write: (text) => void written.push(text), paint: (_style, text) => text };
}

describe('the screen of the demo', () => {
  it('shows what goes on only on a terminal', () => {
    const [file, terminal] = [recorded(false), recorded(true)];
    for (const each of [file, terminal]) {
      using screen = createScreen(each);
      screen.working('starting');
    }
    expect(file.written).toEqual([]);
    expect(terminal.written.join('')).toContain('starting …');
  });

  it('puts continued lines below the text, beside the time', () => {
    const terminal = recorded(false);
    using screen = createScreen(terminal);
    screen.done(Array.from({ length: 30 }, () => 'word').join(' '));
    const lines = terminal.written.join('').split('\n');
    expect(lines[0]).toMatch(/^ {4}\d\.\d s {2}word/);
    expect(lines[1]).toMatch(/^ {11}word/);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });

  it('counts the claims that failed', () => {
    const terminal = recorded(false);
    using screen = createScreen(terminal);
    expect(screen.failures).toBe(0);
    screen.failed('not undone');
    expect(screen.failures).toBe(1);
    expect(terminal.written.join('')).toContain('FAILED  not undone');
  });
});

it('a word that is longer than the line has a line of its own', () => {
  expect(wrap('a bbbbbbbb c', 4)).toEqual(['a', 'bbbbbbbb', 'c']);
});

it.each([
  [0.4, 'less than 1 ms'],
  [12.3, '12 ms'],
  [3_100, '3.1 s'],
  [125_000, '2 min 5 s'],
])('%d ms is %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});
