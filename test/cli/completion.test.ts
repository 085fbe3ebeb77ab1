import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { sotto } from './session.ts';

const script = async (shell: string): Promise<string> =>
  (await sotto(['completion', shell], { cwd: process.cwd() })).stdout;

/** What bash would offer for these words, the last of which is being typed. */
async function offered(...words: readonly string[]): Promise<string[]> {
  const typed = ['sotto', ...words];
  const end = `COMP_WORDS=(${typed.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _sotto; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['-c', `${await script('bash')}\n${end}`], { encoding: 'utf8' });
  return output.split('\n').filter((line) => line !== '');
}

describe('sotto completion', () => {
  it('offers commands, flags and the words a flag takes, in a real bash', async () => {
    expect(await offered('')).toEqual(COMMANDS.map(({ name }) => name));
    expect(await offered('sta')).toEqual(['status']);
    expect(await offered('status', '--w')).toEqual(['--watch']);
    expect(await offered('status', '-o', '')).toEqual(['json', 'yaml']);
    expect(await offered('logs', '--level', 'w')).toEqual(['warn']);
    // Files are the shell's.
    expect(await offered('encrypt', 'db')).toEqual([]);
  });

  it('knows every command and flag for zsh and fish too', async () => {
    for (const shell of ['zsh', 'fish']) {
      const text = await script(shell);
      for (const { name } of COMMANDS) expect(text).toContain(name);
      expect(text).toContain('since');
    }
    expect(await script('fish')).toMatch(/-l output -s o -r -f -a 'json yaml'/);
  });

  it('refuses another shell', async () => {
    const { exit, stderr } = await sotto(['completion', 'tcsh'], { cwd: process.cwd() });
    expect(exit).toBe(2);
    expect(stderr).toContain('bash, zsh, fish');
  });
});
