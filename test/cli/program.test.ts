import { describe, expect, it } from 'vitest';
import { COMMANDS, NOT_BUILT_COMMANDS } from '../../src/cli/commands.ts';
import { VERSION } from '../../src/cli/version.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { playSession, sotto } from './session.ts';

const cwd = process.cwd();

describe('the command line', () => {
  it('prints versions as text and JSON', async () => {
    await playSession(`
$ sotto version
> sotto ${VERSION} (Node.js …, …-…)
exit 0
$ sotto version -o json
> {"version":"${VERSION}","node":"…","platform":"…"}
exit 0
$ sotto --version
> ${VERSION}
exit 0
`);
  });

  it('has the version of the package', () => {
    expect(VERSION).toBe(packageJson.version);
  });

  it('answers usage errors with a code, the help to read, and exit 2', async () => {
    await playSession(`
$ sotto nonsense
! SOTTO-CLI-001: unknown command 'nonsense' — the command line is not valid — sotto --help
exit 2
$ sotto versio
! SOTTO-CLI-001: unknown command 'versio' — Did you mean version? — sotto --help
exit 2
$ sotto version --colour
! SOTTO-CLI-001: unknown option '--colour' — the command line is not valid — sotto version --help
exit 2
$ sotto version extra
! SOTTO-CLI-001: too many arguments for 'version'. Expected 0 arguments but got 1… — the command line is not valid — sotto version --help
exit 2
$ sotto version -o xml
! SOTTO-CLI-001: option '-o, --output <form>' has an argument that is invalid. Allowed choices are json — the command line is not valid — sotto version --help
exit 2
`);
  });

  it('answers usage errors as JSON when JSON was asked for', async () => {
    await playSession(`
$ sotto version --nonsense -o json
! {"code":"SOTTO-CLI-001","message":"unknown option '--nonsense': the command line is not valid","next":"sotto version --help"}
exit 2
`);
  });

  it('does not repeat a value that was typed behind an unknown flag', async () => {
    const { stderr, exit } = await sotto(['version', '--password=hunter2'], { cwd });
    expect(stderr).toContain('SOTTO-CLI-001');
    expect(stderr).not.toContain('hunter2');
    expect(exit).toBe(2);
  });

  it('refuses commands that are not built by name', async () => {
    await playSession(`
$ sotto rotate --in-cluster --key-file old.txt
! SOTTO-CLI-001: --key-file is not for --in-cluster — …
exit 2
$ sotto keys rehearse -n team --offline
! SOTTO-CLI-001: nothing was rehearsed, because there is nothing to open with — …
exit 2
$ sotto check
! SOTTO-CLI-003: not in this version: sotto check without --pre or --rotation — … — sotto check --pre -n NAMESPACE, or sotto check --rotation COMMIT; …
exit 2
$ sotto guard --plan
! SOTTO-CLI-003: not in this version: sotto guard — the command is described but not built yet — sotto --help
exit 2
`);
    expect([...NOT_BUILT_COMMANDS].filter((name) => COMMANDS.some((command) => command.name === name))).toEqual([]);
  });

  it('prints its help on stdout when asked and on stderr when nothing was typed', async () => {
    const asked = await sotto(['--help'], { cwd });
    expect(asked).toMatchObject({ exit: 0, stderr: '' });
    for (const { name, summary } of COMMANDS) expect(asked.stdout).toMatch(new RegExp(`^  ${name} .*${summary}$`, 'm'));
    const nothing = await sotto([], { cwd });
    expect(nothing).toMatchObject({ exit: 2, stdout: '' });
    expect(nothing.stderr).toContain('Usage: sotto');
  });

  it.each(COMMANDS.map((command) => command.name).filter((name) => name !== 'diff' && name !== 'demo'))(
    'has a help with examples: %s',
    async (name) => {
      const { exit, stdout, stderr } = await sotto([name, '--help'], { cwd });
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
      expect(stdout).toContain(`Usage: sotto ${name}`);
      expect(stdout).toMatch(new RegExp(`^Examples:\n  .*sotto ${name}`, 'm'));
    },
  );

  it('ends with 130 when it was interrupted', async () => {
    const interruption = new AbortController();
    interruption.abort('SIGINT');
    const { exit, stderr } = await sotto(['unseal', '--key-file', 'missing', '-'], {
      cwd,
      signal: interruption.signal,
    });
    expect({ exit, stderr }).toEqual({ exit: 130, stderr: '' });
  });
});
