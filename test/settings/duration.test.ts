import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDurationMs } from '../../src/settings/duration.ts';

describe('durations', () => {
  it.each([
    ['0', 0],
    ['-0', 0],
    ['1ns', 0.000001],
    ['1us', 0.001],
    ['1µs', 0.001],
    ['1μs', 0.001],
    ['1.5ms', 1.5],
    ['.5s', 500],
    ['5.s', 5000],
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['+1h', 3_600_000],
    ['-2m', -120_000],
    ['1d', 86_400_000],
    ['1d12h', 129_600_000],
    ['30d', 2_592_000_000],
    ['1m1m', 120_000],
  ])('are read as Go reads them, with d for a day: %s', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it.each([
    '',
    '+',
    '-',
    '1',
    '1.5',
    's',
    '.s',
    '1 s',
    ' 1s',
    '1s ',
    '1w',
    '1S',
    '1e3s',
    '--1s',
    '1h-1m',
    '300y',
    '110000d',
  ])('refuse what Go refuses: %j', (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });

  it('are written in the shortest form', () => {
    expect(formatDuration(0)).toBe('0s');
    expect(formatDuration(5_400_000)).toBe('1h30m');
    expect(formatDuration(86_400_000)).toBe('1d');
    expect(formatDuration(1500)).toBe('1s500ms');
    expect(formatDuration(-1000)).toBe('-1s');
    expect(formatDuration(0.25)).toBe('0.25ms');
  });

  it('read back as the same number of milliseconds', () => {
    const ms = fc.oneof(
      fc.integer({ min: -(9 * 10 ** 12), max: 9 * 10 ** 12 }),
      fc.integer({ min: -(10 ** 9), max: 10 ** 9 }).map((microseconds) => microseconds / 1000),
    );
    fc.assert(
      fc.property(ms, (value) => {
        expect(parseDurationMs(formatDuration(value))).toBeCloseTo(value, 5);
      }),
    );
  });

  it('never throw and never hang on any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(['number', 'undefined']).toContain(typeof parseDurationMs(text));
      }),
    );
  });
});
