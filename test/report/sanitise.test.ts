import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutToBytes, escaped, sanitise, withoutUserinfo } from '../../src/report/sanitise.ts';

describe('sanitise', () => {
  it('takes escape sequences, bidi marks and line breaks out of foreign text', () => {
    expect(sanitise('main\u001b[31m\u202Egpj.exe\r\nnext')).toBe('main [31m gpj.exe next');
    expect(sanitise('\u009b2Jname\u200b\u{E0041}')).toBe('2Jname');
  });

  it.each([0xad, 0x34f, 0x115f, 0x1160, 0x180e, 0x2065, 0x3164, 0xfe0f, 0xffa0, 0x1d173, 0xe0100, 0xe0fff])(
    'takes out what has no width or no ink: U+%s',
    (point) => {
      const unseen = String.fromCodePoint(point);
      expect(sanitise(`a${unseen}b`)).toBe('a b');
      const shown = escaped(JSON.stringify(`a${unseen}b`));
      expect(shown).not.toContain(unseen);
      expect(JSON.parse(shown)).toBe(`a${unseen}b`);
    },
  );

  it('keeps ordinary text of any language', () => {
    const text = 'Änderung von 変更 🚀 – „ok“';
    expect(sanitise(text)).toBe(text);
  });

  it('cuts without leaving half a character', () => {
    expect(sanitise('abc🚀def', 5)).toBe('abc…');
    expect(sanitise('abc🚀def', 6)).toBe('abc🚀…');
  });

  it('marks a text as cut even when what it looked at became short', () => {
    expect(sanitise(`${'\u0007'.repeat(4_000)}end`, 100)).toBe('…');
  });

  it('never returns controls, lone surrogates or more than the cap', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (text, max) => {
        const clean = sanitise(text, max);
        expect(clean.length).toBeLessThanOrEqual(max);
        expect(clean).not.toMatch(/[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/u);
        expect(clean.isWellFormed()).toBe(true);
        expect(sanitise(clean, max)).toBe(clean);
      }),
    );
  });
});

describe('cutToBytes', () => {
  it('never exceeds the bytes and never splits a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), fc.integer({ min: 3, max: 60 }), (text, max) => {
        const cut = cutToBytes(text, max);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(max);
        expect(cut).not.toContain('\uFFFD');
        if (Buffer.byteLength(text) <= max) expect(cut).toBe(text);
        else expect(text.startsWith(cut.slice(0, -1))).toBe(true);
      }),
    );
  });
});

describe('withoutUserinfo', () => {
  it('drops user and password of a URL and nothing else', () => {
    expect(withoutUserinfo('https://bob:pa@ss@git.example.com/a/b@c.git')).toBe('https://git.example.com/a/b@c.git');
    expect(withoutUserinfo('https://git.example.com/a@b')).toBe('https://git.example.com/a@b');
    expect(withoutUserinfo('git@example.com:a/b.git')).toBe('git@example.com:a/b.git');
  });
});
