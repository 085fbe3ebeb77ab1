import { describe, expect, it } from 'vitest';
import { folded } from '../../src/cli/fold.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { run } from '../../src/cli/program.ts';
import { collector } from './session.ts';

describe('a help text on a narrow terminal', () => {
  it('is folded between words: prose as a paragraph, a comment of an example below it', () => {
    const text = [
      'One sentence that goes on',
      'and on. Another.',
      '',
      'Examples:',
      '  sotto one',
      '  sotto two --three     what it does',
      '',
    ].join('\n');
    expect(folded(text, 20)).toBe(
      [
        'One sentence that',
        'goes on and on.',
        'Another.',
        '',
        'Examples:',
        '  sotto one',
        '  sotto two --three',
        '      what it does',
        '',
      ].join('\n'),
    );
  });

  it('is as it was where it fits, and where nobody says how wide that is', () => {
    const text = 'One sentence.\nAnother one.\n';
    expect(folded(text, 13)).toBe(text);
    expect(folded(text, undefined)).toBe(text);
  });

  it('leaves no line of the help of any command longer than eighty columns', async () => {
    for (const { name } of COMMANDS) {
      const stdout = collector();
      const isTerminal = { stdin: true, stdout: true, stderr: true };
      const signal = new AbortController().signal;
      const around = { env: {}, cwd: '/', stdin: process.stdin, stdout, stderr: collector(), isTerminal, signal };
      await run([name, '--help'], { ...around, columns: 80 });
      expect(
        stdout
          .text()
          .split('\n')
          .filter((line) => line.length > 80),
      ).toEqual([]);
    }
  });
});
