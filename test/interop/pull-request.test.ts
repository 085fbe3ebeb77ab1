import { afterEach, beforeEach, expect, it } from 'vitest';
import { asIfAtGithub, pageForPullRequest } from '../harness/forge.ts';
import { describeReal } from '../harness/real.ts';
import { commitAll, type Rotating, rotating } from '../harness/rotation.ts';
import { CLEAR_FILES } from '../harness/sealed-repository.ts';

const FILE = 'deploy/db.yaml';

describeReal('a branch that is pushed to a host that is known', ['sops', 'age-keygen'], () => {
  let at: Rotating;
  let before: string;
  beforeEach(async () => {
    at = await rotating({ files: { [FILE]: CLEAR_FILES[FILE] ?? '' } });
    before = commitAll(at);
    asIfAtGithub(at);
  });
  afterEach(() => at[Symbol.dispose]());

  it.each([
    ['rotate', ['rotate', '--new-key', 'new.txt'], []],
    ['secret generate', ['secret', 'generate'], [FILE, 'stringData.password']],
  ])('has the link for a pull request: sotto %s --branch --push', async (_, command, more) => {
    const words = command.map((word) => (word === 'new.txt' ? at.outside(word) : word));
    const key = ['--key-file', at.outside('old.txt')];
    const { exit, stderr } = await at.run(...words, ...key, '--branch', 'keys/2027', '--push', '--yes', ...more);
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    expect(stderr).toContain('on top of main; pushed to origin/keys/2027\n');
    expect(stderr).toContain(`\npull request: ${pageForPullRequest('keys/2027')}\n`);
    const tip = at.gitIn(at.remote, 'rev-parse', 'keys/2027').trim();
    expect(at.git('rev-parse', 'keys/2027', 'keys/2027^', 'HEAD')).toBe(`${tip}\n${before}\n${before}\n`);
  });
});
