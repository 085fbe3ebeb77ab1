import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { parseBranch, parseGitUrl } from '../../src/git/address.ts';

function codeOf(task: () => unknown): string {
  try {
    task();
  } catch (thrown) {
    if (thrown instanceof SottoError) return thrown.code;
    throw thrown;
  }
  return 'none';
}

describe('the address of a repository', () => {
  it.each([
    ['https://git.example.com/team/app.git', 'https://git.example.com/team/app.git'],
    ['HTTPS://Git.Example.COM:443/team/app', 'https://git.example.com/team/app'],
    ['https://git.example.com:8443/a%20b.git', 'https://git.example.com:8443/a%20b.git'],
  ])('%s is taken as %s', (text, url) => {
    expect(parseGitUrl(text)).toBe(url);
  });

  it.each([
    ['', 'SOTTO-GIT-002'],
    ['git.example.com/app', 'SOTTO-GIT-002'],
    ['-uupload', 'SOTTO-GIT-002'],
    ['https://git.example.com/app.git\n[core]', 'SOTTO-GIT-002'],
    ['https://git.example.com/\u202Egit.app', 'SOTTO-GIT-002'],
    ['https://git.example.com/app?x=1', 'SOTTO-GIT-002'],
    ['https://git.example.com/app#', 'SOTTO-GIT-002'],
    ['ssh://git@git.example.com/app.git', 'SOTTO-GIT-003'],
    ['git@git.example.com:team/app.git', 'SOTTO-GIT-003'],
    ['http://git.example.com/app.git', 'SOTTO-GIT-003'],
    ['file:///srv/app.git', 'SOTTO-GIT-004'],
    ['git://git.example.com/app.git', 'SOTTO-GIT-004'],
    ['ext::sh -c id', 'SOTTO-GIT-004'],
    ['oci://images.example.com/app', 'SOTTO-GIT-004'],
    ['https://user@git.example.com/app.git', 'SOTTO-GIT-005'],
    ['https://user:hunter2@git.example.com/app.git', 'SOTTO-GIT-005'],
  ])('%j is refused with %s', (text, code) => {
    expect(codeOf(() => parseGitUrl(text))).toBe(code);
  });

  it('does not repeat a password of the address in the error', () => {
    try {
      parseGitUrl('https://user:hunter2@git.example.com/app.git');
      expect.unreachable();
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(SottoError);
      expect(JSON.stringify([thrown, (thrown as SottoError).text()])).not.toContain('hunter2');
    }
  });

  it('is https without user and control characters, whatever text it is made from', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl({ withQueryParameters: true })), (text) => {
        if (codeOf(() => parseGitUrl(text)) !== 'none') return;
        const url = new URL(parseGitUrl(text));
        expect([url.protocol, url.username, url.password, url.search, url.hash]).toEqual(['https:', '', '', '', '']);
        expect(url.href).not.toMatch(/[\p{Cc}" ]/u);
      }),
    );
  });
});

const FORBIDDEN_BRANCHES = [
  ['', '-d', '--upload-pack=x', 'a b', 'a..b', 'a~1', 'a^', 'a:b', 'a?', 'a*', 'a[b', 'a\\b', 'a\nb', '/a', 'a/'],
  ['a//b', 'a.lock', 'a.lock/b', 'a.', '.a', 'a/.b', '@', 'a@{1}'],
].flat();

describe('the name of a branch', () => {
  it.each(['main', 'release/1.2', 'feature/ü-ö', 'a@b', 'x{y}'])('%s is taken', (name) => {
    expect(parseBranch(name)).toBe(name);
  });

  it.each(FORBIDDEN_BRANCHES)('%j is refused', (name) => {
    expect(codeOf(() => parseBranch(name))).toBe('SOTTO-GIT-017');
  });
});
