import { describe, expect, it } from 'vitest';
import { doneAlready, type Pushed, pushedText } from '../../src/agent/rotation/answers.ts';

function pushedTo(url: string): Pushed {
  return {
    url,
    branch: 'keys/2027',
    commit: '5d41402abc4b2a76b9719d911017c592aaaaaaaa',
    files: 3,
    keepOldMs: 1,
    secret: 'sotto-age-1',
    recipient: 'age1new',
    base: 'main',
  };
}

describe('the answer to a rotation by the agent', () => {
  it.each([
    ['https://github.com/acme/app.git', 'https://github.com/acme/app/compare/main...keys/2027?expand=1'],
    [
      'https://gitlab.example.com/acme/app.git',
      'https://gitlab.example.com/acme/app/-/merge_requests/new?merge_request%5Bsource_branch%5D=keys%2F2027&merge_request%5Btarget_branch%5D=main',
    ],
  ])('says where a pull request for the branch can be opened: %s', (url, link) => {
    const pushed = pushedTo(url);
    const text = pushedText(pushed);
    expect(text).toContain(`branch keys/2027 of ${url} is at ${pushed.commit}: 3 files changed`);
    expect(text).toContain(`look at the branch and merge it (${link} ); the agent marks`);
    expect(text).toContain('new key age1new in Secret sotto-age-1');
    expect(doneAlready(pushed, 'main')).toContain(`look at it and merge it (${link} )`);
  });

  it('makes no link up for a host that it does not know', () => {
    const pushed = pushedTo('https://git.example.com/team/app.git');
    expect(pushedText(pushed)).toContain('look at the branch and merge it; the agent marks');
    expect(doneAlready(pushed, 'main')).toMatch(/look at it and merge it$/);
  });
});
