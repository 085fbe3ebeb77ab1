import { describe, expect, it } from 'vitest';
import { reportError } from '../../src/cli/report-error.ts';
import { collector } from './session.ts';

async function reported(thrown: unknown, env: Readonly<Record<string, string>> = {}) {
  const stderr = collector();
  const around = { env, stderr, signal: new AbortController().signal };
  const exit = await reportError(around, thrown, { asJson: false, command: 'sotto status' });
  return { exit, stderr: stderr.text() };
}

describe('an error that nobody foresaw', () => {
  it('is called a defect of sotto, without its message, which nobody checked for values', async () => {
    expect(await reported(new TypeError('hunter2 is not a function'))).toEqual({
      exit: 2,
      stderr:
        'SOTTO-CLI-002: the command stopped at a defect of sotto — an error that was not foreseen (TypeError) — ' +
        'report it with the command and the output of: SOTTO_DEBUG=1 sotto status\n',
    });
    expect((await reported('hunter2')).stderr).not.toContain('hunter2');
  });

  it('shows the places in the source when SOTTO_DEBUG is set, still without the message', async () => {
    const { stderr } = await reported(new Error('first hunter2\nsecond hunter2'), { SOTTO_DEBUG: '1' });
    expect(stderr).toContain('report-error.test.ts');
    expect(stderr).not.toContain('hunter2');
  });
});
