import { describe, expect, it } from 'vitest';
import { progressOf } from '../../src/cli/progress.ts';
import { collector } from './session.ts';

const shownOf = (isTerminal: boolean, env: Record<string, string> = {}): string => {
  const stderr = collector();
  const terminal = { stdin: isTerminal, stdout: false, stderr: isTerminal };
  let nowMs = 0;
  const progress = progressOf({ stderr, isTerminal: terminal, env }, 'opening: file', 3, () => nowMs);
  for (nowMs = 100; nowMs <= 900; nowMs += 400) progress.step();
  progress.end();
  return stderr.text();
};

describe('the progress of something long', () => {
  it('is one line of the terminal, not for what is over at once, and gone at the end', () => {
    expect(shownOf(true)).toBe('\r\u001b[Kopening: file 2 of 3\r\u001b[Kopening: file 3 of 3\r\u001b[K');
  });

  it('is nowhere else: not in a file, and not on a terminal that writes nothing anew', () => {
    expect(shownOf(false)).toBe('');
    expect(shownOf(true, { TERM: 'dumb' })).toBe('');
  });
});
