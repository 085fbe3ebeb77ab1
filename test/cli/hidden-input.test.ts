import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readHidden } from '../../src/cli/hidden-input.ts';
import type { CommandContext } from '../../src/cli/context.ts';
import { errorOf } from '../sealed/material.ts';
import { collector } from './session.ts';

async function typed(...chunks: readonly (string | number[])[]) {
  const modes: boolean[] = [];
  const stdin = Object.assign(Readable.from(chunks.map((chunk) => Buffer.from(chunk as string))), {
    setRawMode: (isRaw: boolean) => modes.push(isRaw),
  });
  const stderr = collector();
  const context: CommandContext = {
    env: {},
    cwd: '/',
    stdin,
    stdout: collector(),
    stderr,
    isTerminal: { stdin: true, stdout: true, stderr: true },
    columns: undefined,
    signal: new AbortController().signal,
    exitWith: () => undefined,
  };
  const end = () => ({ modes, shown: stderr.text() });
  const read = async () => Buffer.from((await readHidden(context, 'value: ')) ?? []).toString();
  return { read, end };
}

describe('a value typed at a terminal', () => {
  it('is not shown, ends with Enter, and the terminal is as before', async () => {
    const { read, end } = await typed('s3', 'cret\r', 'rest');
    expect(await read()).toBe('s3cret');
    expect(end()).toEqual({ modes: [true, false], shown: 'value: \n' });
  });

  it('can be corrected: a character back, and all of it', async () => {
    expect(await (await typed('abü', [0x7f, 0x7f], 'c\n')).read()).toBe('ac');
    expect(await (await typed('wrong', [0x15], 'right', [0x04])).read()).toBe('right');
    expect(await (await typed([0x08], 'x\r')).read()).toBe('x');
  });

  it('can be given up, and the terminal is as before', async () => {
    const { read, end } = await typed('s3cret', [0x03]);
    expect((await errorOf(read)).code).toBe('SOTTO-CLI-096');
    expect(end().modes).toEqual([true, false]);
  });
});
