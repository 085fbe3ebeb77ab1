import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CliResult, sotto } from '../cli/session.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, runStock, stockOutput } from '../harness/stock.ts';

const CLEAR = 'a: hunter2\n';

describeReal('commands that print keys', ['sops', 'age-keygen'], () => {
  let folder: string;
  let ours: AgeKeyPair;
  let other: AgeKeyPair;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-key-cmd-'));
    [ours, other] = await Promise.all([newAgeKeyPair(), newAgeKeyPair()]);
    await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'id')]);
    await sealed('db.yaml', `${other.recipient},${ours.recipient}`);
    await sealed('ssh.yaml', readFileSync(join(folder, 'id.pub'), 'utf8').trim());
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function sealed(file: string, recipients: string): Promise<void> {
    writeFileSync(join(folder, file), CLEAR);
    await stockOutput('sops', ['encrypt', '-i', '--age', recipients, file], { cwd: folder });
  }
  const script = (name: string, text: string): string => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
    return join(folder, name);
  };
  const environment = (env: Record<string, string>): Record<string, string> => ({
    HOME: join(folder, 'home'),
    PATH: process.env['PATH'] ?? '',
    ...env,
  });
  const run = (argv: readonly string[], env: Record<string, string>): Promise<CliResult> =>
    sotto(argv, { cwd: folder, env: environment(env) });

  it('are run without a shell, once for each recipient, which they find in SOPS_AGE_RECIPIENT, as under sops', async () => {
    script(
      'my pass',
      `echo "$1 $SOPS_AGE_RECIPIENT" >> log; [ $SOPS_AGE_RECIPIENT = ${ours.recipient} ] && echo ${ours.identity}; exit 0`,
    );
    const env = { SOPS_AGE_KEY_CMD: `'${folder}/my pass' "\\$HOME; x"` };
    const stock = await stockOutput('sops', ['decrypt', 'db.yaml'], { cwd: folder, env: environment(env) });
    const asked = (): string[] => readFileSync(join(folder, 'log'), 'utf8').trim().split('\n').toSorted();
    const ofStock = asked();
    rmSync(join(folder, 'log'));
    expect(await run(['decrypt', 'db.yaml'], env)).toEqual({ exit: 0, stdout: stock.toString(), stderr: '' });
    expect(asked()).toEqual([`$HOME; x ${ours.recipient}`, `$HOME; x ${other.recipient}`].toSorted());
    expect(new Set(ofStock)).toEqual(new Set(asked()));
  });

  it('print an SSH key for what is encrypted for one', async () => {
    const env = { SOPS_AGE_SSH_PRIVATE_KEY_CMD: `cat ${join(folder, 'id')}` };
    const stock = await stockOutput('sops', ['decrypt', 'ssh.yaml'], { cwd: folder, env: environment(env) });
    expect(await run(['decrypt', 'ssh.yaml'], env)).toEqual({ exit: 0, stdout: stock.toString(), stderr: '' });
    const { exit, stderr } = await run(['decrypt', 'db.yaml'], env);
    expect([exit, stderr]).toEqual([4, expect.stringContaining('what SOPS_AGE_SSH_PRIVATE_KEY_CMD prints')]);
  });

  it('are left alone when another identity opens the file', async () => {
    const env = { SOPS_AGE_KEY_CMD: script('cmd', 'touch ran'), SOPS_AGE_KEY: ours.identity };
    expect((await run(['decrypt', 'db.yaml'], env)).exit).toBe(0);
    expect(existsSync(join(folder, 'ran'))).toBe(false);
  });

  it('that fail are told of, and nothing of what they print is shown', async () => {
    const cases = [
      ['/nonexistent/pass show', 'it does not start'],
      [script('fails', 'echo hunter2; exit 3'), 'it ended with 3'],
      [script('speaks', 'echo hunter2'), 'SOPS_AGE_KEY_CMD: a line of the key file is not an age identity'],
      [script('floods', 'head -c 2000000 /dev/zero'), 'it prints more than'],
      ['" "', 'it does not start'],
    ] as const;
    for (const [command, said] of cases) {
      const env = environment({ SOPS_AGE_KEY_CMD: command });
      const { exit, stderr } = await run(['decrypt', 'db.yaml'], env);
      expect([command, exit, stderr]).toEqual([command, 4, expect.stringContaining(said)]);
      expect(stderr).toContain('SOTTO-AGE-001');
      expect(stderr).toContain(ours.recipient);
      expect(stderr).toContain(other.recipient);
      expect(stderr).not.toContain('hunter2');
      expect((await runStock('sops', ['decrypt', 'db.yaml'], { cwd: folder, env })).code).not.toBe(0);
    }
  });

  it('are not handed to an editor, and neither is a key', async () => {
    const env = {
      EDITOR: script('editor', 'env > seen'),
      XDG_RUNTIME_DIR: '/dev/shm',
      SOPS_AGE_KEY: ours.identity,
      SOPS_AGE_KEY_CMD: 'pass age',
      SOPS_AGE_SSH_PRIVATE_KEY_CMD: 'pass ssh',
    };
    expect((await run(['edit', 'db.yaml'], env)).exit).toBe(0);
    expect(readFileSync(join(folder, 'seen'), 'utf8')).toContain('XDG_RUNTIME_DIR=');
    expect(readFileSync(join(folder, 'seen'), 'utf8')).not.toContain('SOPS_AGE');
  });
});
