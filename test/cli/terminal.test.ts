import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { table } from '../../src/cli/output.ts';
import { escaped, harmless, paintFor } from '../../src/cli/terminal.ts';

describe('text from outside', () => {
  it('reaches the terminal as one line without control and bidirectional characters', () => {
    expect(harmless('a\u001b[2Jb\u202ec\r\nd\u200be\u0007')).toBe('a [2Jb c d e');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(harmless(text)).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069\u200e\u200f\u2028\u2029]/u);
      }),
    );
  });

  it('keeps its meaning as JSON when it is escaped', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const json = escaped(JSON.stringify(text));
        expect(JSON.parse(json)).toBe(text);
        expect(json).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
      }),
    );
  });
});

describe('a table', () => {
  it('has aligned columns and no blanks at the ends of lines', () => {
    expect(
      table(
        ['A', 'LONGER', 'C'],
        [
          ['x', 'yz', 'ä'],
          ['ü𝒳', '', ''],
        ],
      ),
    ).toBe('A   LONGER  C\nx   yz      ä\nü𝒳\n');
  });

  it('is not torn by what stands in its cells', () => {
    expect(table(['A', 'B'], [['x\ny', '\u001b[31mz']])).toBe('A    B\nx y  [31mz\n');
  });
});

describe('colours', () => {
  const terminal = { stdin: true, stdout: true, stderr: true };
  it.each([
    ['on a terminal', {}, terminal, '\u001b[31mx\u001b[0m'],
    ['with an empty NO_COLOR', { NO_COLOR: '' }, terminal, '\u001b[31mx\u001b[0m'],
    ['with NO_COLOR', { NO_COLOR: '1' }, terminal, 'x'],
    ['on a dumb terminal', { TERM: 'dumb' }, terminal, 'x'],
    ['in a pipe', {}, { ...terminal, stdout: false }, 'x'],
  ])('%s', (_, env, isTerminal, shown) => {
    expect(paintFor({ env, isTerminal }, 'stdout')('red', 'x')).toBe(shown);
  });
});
