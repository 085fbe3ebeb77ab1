import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBranch } from '../../src/git/address.ts';
import { pullRequestLink } from '../../src/authoring/pull-request.ts';

const GITLAB = 'merge_request%5Bsource_branch%5D=keep%2Fdb&merge_request%5Btarget_branch%5D=main';
const SERVER = 'pull-requests?create&sourceBranch=refs%2Fheads%2Fkeep%2Fdb&targetBranch=refs%2Fheads%2Fmain';
const AZURE = 'pullrequestcreate?sourceRef=keep%2Fdb&targetRef=main';

/** Remote → link for branch keep/db into main. */
const LINKS: readonly (readonly [string, string])[] = [
  ['https://github.com/acme/app.git', 'https://github.com/acme/app/compare/main...keep/db?expand=1'],
  ['https://github.com/acme/app', 'https://github.com/acme/app/compare/main...keep/db?expand=1'],
  ['git@github.com:acme/app.git', 'https://github.com/acme/app/compare/main...keep/db?expand=1'],
  ['ssh://git@ssh.github.com:443/acme/app.git', 'https://github.com/acme/app/compare/main...keep/db?expand=1'],
  ['https://github.acme.test/team/app.git', 'https://github.acme.test/team/app/compare/main...keep/db?expand=1'],
  ['https://acme.ghe.com/team/app.git', 'https://acme.ghe.com/team/app/compare/main...keep/db?expand=1'],
  ['https://gitlab.com/acme/sub/app.git', `https://gitlab.com/acme/sub/app/-/merge_requests/new?${GITLAB}`],
  ['git@gitlab.acme.test:acme/app.git', `https://gitlab.acme.test/acme/app/-/merge_requests/new?${GITLAB}`],
  ['ssh://git@gitlab.acme.test:2222/a/app.git', `https://gitlab.acme.test/a/app/-/merge_requests/new?${GITLAB}`],
  ['https://gitlab.acme.test:8443/a/app.git', `https://gitlab.acme.test:8443/a/app/-/merge_requests/new?${GITLAB}`],
  ['https://codeberg.org/acme/app.git', 'https://codeberg.org/acme/app/compare/main...keep/db'],
  ['git@gitea.acme.test:acme/app.git', 'https://gitea.acme.test/acme/app/compare/main...keep/db'],
  ['https://forgejo.acme.test/acme/app.git', 'https://forgejo.acme.test/acme/app/compare/main...keep/db'],
  [
    'https://kim@bitbucket.org/acme/app.git',
    'https://bitbucket.org/acme/app/pull-requests/new?source=keep%2Fdb&dest=main&t=1',
  ],
  ['git@bitbucket.org:acme/app.git', 'https://bitbucket.org/acme/app/pull-requests/new?source=keep%2Fdb&dest=main&t=1'],
  ['https://git.acme.test/scm/TEAM/app.git', `https://git.acme.test/projects/TEAM/repos/app/${SERVER}`],
  ['https://acme.test/bitbucket/scm/TEAM/app.git', `https://acme.test/bitbucket/projects/TEAM/repos/app/${SERVER}`],
  ['ssh://git@git.acme.test:7999/TEAM/app.git', `https://git.acme.test/projects/TEAM/repos/app/${SERVER}`],
  ['ssh://git@git.acme.test:7999/~kim/app.git', `https://git.acme.test/users/kim/repos/app/${SERVER}`],
  [
    'https://acme@dev.azure.com/acme/My%20Project/_git/app',
    `https://dev.azure.com/acme/My%20Project/_git/app/${AZURE}`,
  ],
  ['git@ssh.dev.azure.com:v3/acme/My%20Project/app', `https://dev.azure.com/acme/My%20Project/_git/app/${AZURE}`],
  ['https://acme.visualstudio.com/Project/_git/app', `https://acme.visualstudio.com/Project/_git/app/${AZURE}`],
  ['acme@vs-ssh.visualstudio.com:v3/acme/Project/app', `https://acme.visualstudio.com/Project/_git/app/${AZURE}`],
  ['https://tfs.acme.test/tfs/Main/Project/_git/app', `https://tfs.acme.test/tfs/Main/Project/_git/app/${AZURE}`],
];

function parses(name: string): boolean {
  try {
    return parseBranch(name) === name;
  } catch {
    return false;
  }
}

describe('the link for a pull request', () => {
  it.each(LINKS)('is told by host or form of %s', (remote, link) => {
    expect(pullRequestLink({ remote, branch: 'keep/db', base: 'main' })).toBe(link);
  });

  it.each([
    ['https://github.com/acme/app.git', 'https://github.com/acme/app/compare/keep/db?expand=1'],
    ['https://codeberg.org/acme/app.git', 'https://codeberg.org/acme/app/compare/keep/db'],
    ['https://bitbucket.org/acme/app.git', 'https://bitbucket.org/acme/app/pull-requests/new?source=keep%2Fdb&t=1'],
    [
      'https://dev.azure.com/acme/p/_git/app',
      'https://dev.azure.com/acme/p/_git/app/pullrequestcreate?sourceRef=keep%2Fdb',
    ],
  ])('leaves the branch to come into away where none is known: %s', (remote, link) => {
    expect(pullRequestLink({ remote, branch: 'keep/db' })).toBe(link);
  });

  it.each([
    '/srv/git/app.git',
    'file:///srv/git/app.git',
    '../app.git',
    'git://github.com/acme/app.git',
    'http://github.com/acme/app.git',
    'https://git.acme.test/acme/app.git',
    'https://github.com/acme',
    'https://github.com/acme/app/extra',
    'https://github.com/acme/%zz',
    'https://github.com/../app',
    'C:\\git\\app',
    'user:github.com:acme/app',
    '',
  ])('is none for %s', (remote) => {
    expect(pullRequestLink({ remote, branch: 'keep/db', base: 'main' })).toBeUndefined();
  });

  // Letters that occur in none of the addresses, so that a find is one.
  const credential = fc.stringMatching(/^[QXZ0-9][QXZ0-9!$&'()*+,;=._~%:@/?#-]{5,30}$/);
  const written = fc.constantFrom(
    (user: string, word: string) =>
      `https://${encodeURIComponent(user)}:${encodeURIComponent(word)}@github.com/acme/app.git`,
    (user: string, word: string) => `https://${user}:${word}@gitlab.com/acme/app.git`,
    (user: string, word: string) => `https://${encodeURIComponent(word)}@dev.azure.com/acme/p/_git/app?${user}`,
    (user: string, word: string) =>
      `ssh://${encodeURIComponent(user)}:${encodeURIComponent(word)}@bitbucket.org/acme/app.git`,
    (user: string, word: string) => `${user}@github.com:acme/app.git#${word}`,
    (user: string, word: string) => `https://git.acme.test/scm/TEAM/app.git?token=${encodeURIComponent(word)}&${user}`,
    (user: string, word: string) => `https://codeberg.org/acme/app.git#${user}${word}`,
  );

  it('never holds what stands before the host, in a query or a fragment', () => {
    fc.assert(
      fc.property(written, credential, credential, (write, user, word) => {
        const link = pullRequestLink({ remote: write(user, word), branch: 'keep/db', base: 'main' }) ?? '';
        for (const secret of [user, word]) {
          expect(link).not.toContain(secret);
          expect(link).not.toContain(encodeURIComponent(secret));
        }
        expect(link).not.toContain('@');
      }),
    );
  });

  it('is an https address that reads back the branch, whatever its name', () => {
    const letters = fc.stringMatching(/^[\p{L}\p{N}#%&+=;,'"<>()_./@!$|{}-]{1,40}$/u);
    const name = letters.filter((text) => parses(text));
    const remote = fc.constantFrom(...LINKS.map(([each]) => each));
    fc.assert(
      fc.property(remote, name, name, (at, branch, base) => {
        const link = pullRequestLink({ remote: at, branch, base });
        if (link === undefined) throw new Error('no link');
        expect(link).toMatch(/^https:\/\/[!-~]+$/);
        const url = new URL(link);
        expect([url.username, url.password, url.hash]).toEqual(['', '', '']);
        const [, compared] = /\/compare\/(.*)$/.exec(url.pathname) ?? [];
        const texts = [...url.searchParams.values(), ...(compared ?? '').split('...').map(decodeURIComponent)];
        expect(texts.map((text) => text.replace('refs/heads/', ''))).toEqual(expect.arrayContaining([branch, base]));
      }),
    );
  });

  it('is a text or nothing for whatever a remote is called', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl()), fc.string(), (remote, branch) => {
        const link = pullRequestLink({ remote, branch });
        if (link !== undefined) expect(URL.canParse(link)).toBe(true);
      }),
    );
  });
});
