import type { Code } from '../core/codes.ts';
import { SottoError } from '../core/errors.ts';

/** An https URL without credentials, query and fragment, as the URL parser writes it. */
export type GitUrl = string & { readonly brand: 'GitUrl' };

/** A branch name by the rules of git-check-ref-format, so that it can never be read as an option or a pattern. */
export type BranchName = string & { readonly brand: 'BranchName' };

/** Bidi marks and zero-width characters besides controls: an address that looks like another one. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const SCP_FORM = /^[^/:@\s]+@[^/:\s]+:/;

/** Throws SOTTO-GIT-002 to 005. The URL itself is not in the message when it holds credentials. */
export function parseGitUrl(text: string): GitUrl {
  if (UNSEEN.test(text)) {
    throw badUrl(
      'SOTTO-GIT-002',
      'the address holds control or invisible characters',
      'write the address again by hand',
    );
  }
  if (SCP_FORM.test(text)) throw notInThisVersion('ssh');
  const url = URL.parse(text);
  if (url === null) {
    throw badUrl('SOTTO-GIT-002', 'the address is not a URL', 'write it as https://HOST/PATH/REPOSITORY.git');
  }
  if (url.protocol === 'ssh:' || url.protocol === 'http:') throw notInThisVersion(url.protocol.slice(0, -1));
  if (url.protocol !== 'https:') {
    throw badUrl(
      'SOTTO-GIT-004',
      'only https has a server identity and runs no other program',
      'use the https address of the repository',
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw badUrl(
      'SOTTO-GIT-005',
      'an address with a user or password ends in logs and status',
      'put them into a Secret, name it in source.git.secretRef, and revoke the password or token written here',
    );
  }
  // Also `https://host/x?` and `https://host/x#`, which the parser reports as empty.
  if (/[?#]/.test(text)) {
    throw badUrl('SOTTO-GIT-002', 'the address has a query or a fragment', 'remove everything from ? or # on');
  }
  return url.href as GitUrl;
}

function notInThisVersion(protocol: string): SottoError {
  return badUrl('SOTTO-GIT-003', `${protocol} is not in this version`, 'use the https address of the repository');
}

function badUrl(code: Code, why: string, next: string): SottoError {
  return new SottoError({ code, what: 'the repository address cannot be used', why, next, key: 'source.git.url' });
}

const FORBIDDEN_IN_BRANCH = /[\p{Cc} ~^:?*[\\]|\.\.|@\{|\/\/|^[-/.]|\/\.|\.lock(?:\/|$)|[/.]$|^@$/u;

/** Throws SOTTO-GIT-017. */
export function parseBranch(text: string): BranchName {
  if (text !== '' && text.length <= 250 && !FORBIDDEN_IN_BRANCH.test(text)) return text as BranchName;
  throw new SottoError({
    code: 'SOTTO-GIT-017',
    what: 'the name of the branch cannot be used',
    why: 'git does not allow such a branch name',
    next: 'write the name as `git branch -r` shows it, without origin/',
    key: 'source.git.ref.branch',
  });
}
