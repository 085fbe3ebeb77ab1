import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import type { LogFields, Logger, LogLevel } from '../../src/report/log.ts';
import { createLogger } from '../../src/report/log.ts';

const AT = new Date('2026-11-23T12:00:00.123Z');

function recording(level: LogLevel = 'debug'): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  return { lines, log: createLogger({ stream: { write: (line) => lines.push(line) }, level, now: () => AT }) };
}

function logged(fields: LogFields): unknown {
  const { log, lines } = recording();
  log.info('something', fields);
  return JSON.parse(lines.join(''));
}

describe('a log line', () => {
  it('is one JSON object with level, time, fields and message', () => {
    const { log, lines } = recording();
    log.with({ sync: 'app' }).warn('object refused', { object: 'Secret/db', code: 'SOTTO-SOPS-001', revision: 'main' });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith('}\n')).toBe(true);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'warn',
      time: '2026-11-23T12:00:00.123Z',
      sync: 'app',
      object: 'Secret/db',
      code: 'SOTTO-SOPS-001',
      revision: 'main',
      msg: 'object refused',
    });
  });

  it('is not written below the level', () => {
    const { log, lines } = recording('warn');
    log.debug('a');
    log.info('b');
    log.error('c');
    expect(lines).toHaveLength(1);
  });

  it('holds a coded error as its JSON, causes included, without a stack', () => {
    const cause = new SottoError({ code: 'SOTTO-KEYS-001', what: 'inner', why: 'w', next: 'n' });
    const error = new SottoError(
      { code: 'SOTTO-SOPS-001', what: 'a', why: 'b', next: 'c', file: 'x.yaml', line: 3 },
      { cause },
    );
    expect(logged({ error })).toMatchObject({
      error: {
        code: 'SOTTO-SOPS-001',
        message: 'a: b',
        file: 'x.yaml',
        line: 3,
        next: 'c',
        cause: { code: 'SOTTO-KEYS-001', message: 'inner: w' },
      },
    });
    expect(JSON.stringify(logged({ error }))).not.toContain('at ');
  });

  it('never repeats the message of a foreign error, which may quote what it stumbled over', () => {
    const thrown = catchError(() => JSON.parse('{"password": hunter2-canary}') as unknown);
    const line = JSON.stringify(logged({ error: thrown }));
    expect(line).toContain('SyntaxError');
    expect(line).toMatch(/log\.test\.ts:\d+/);
    expect(line).not.toContain('canary');
  });

  it('repeats the message of a system error, which is made of names and addresses', () => {
    const error = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), {
      code: 'ECONNREFUSED',
      errno: -111,
      syscall: 'connect',
    });
    expect(logged({ error })).toMatchObject({ error: { code: 'ECONNREFUSED', message: error.message } });
  });

  it('never holds a value, wherever it was put', () => {
    const value = Buffer.from('canary-value-0123456789');
    const hidden = Sensitive.copyOf(value);
    const line = JSON.stringify(
      logged({
        object: 'Secret/db',
        a: hidden,
        b: { c: [hidden, value] },
        d: value.buffer,
        e: new Map([['k', value]]),
      }),
    );
    expect(line).toContain('[sensitive]');
    expect(line).toContain('[23 bytes]');
    expect(line).not.toContain('canary');
    expect(line).not.toContain(value.toString('base64').slice(0, 12));
    expect(line).not.toContain('99,97,110');
  });

  it('has foreign text without hidden characters, of bounded length', () => {
    expect(logged({ manager: 'kub\u202Ectl\u009b2J', long: 'x'.repeat(10_000) })).toMatchObject({
      manager: 'kub ctl 2J',
      long: `${'x'.repeat(1_999)}…`,
    });
  });

  it('survives what JSON does not know', () => {
    const ring: Record<string, unknown> = {};
    ring['self'] = ring;
    expect(
      logged({ big: 2n ** 60n, nan: Number.NaN, f: () => 1, ring, when: AT, none: undefined, msg: 'no' }),
    ).toMatchObject({
      big: '1152921504606846976',
      nan: 'NaN',
      f: '[function]',
      when: '2026-11-23T12:00:00.123Z',
      msg: 'something',
    });
  });
});

function catchError(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
