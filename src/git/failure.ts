import type { Code } from '../core/codes.ts';
import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { shellWord } from '../core/shell-word.ts';
import type { BranchName, GitUrl } from './address.ts';
import type { EndedWhy, GitOutcome } from './command.ts';

/** What a message may name. */
export interface FailureContext {
  readonly url: GitUrl;
  readonly branch: BranchName;
  readonly timeoutMs: number;
  readonly hasCredential: boolean;
}

/** The output of a command that succeeded; otherwise throws the coded error. */
export function outputOf<Output>(outcome: GitOutcome<Output>, context: FailureContext): Output {
  if (outcome.kind === 'done') return outcome.output;
  if (outcome.kind === 'failed') throw failed(outcome.complaint, context);
  if (outcome.kind === 'ended') throw ended(outcome.why, context);
  throw new SottoError({
    code: 'SOTTO-GIT-028',
    what: 'git does not start',
    why: 'the program git was not found, or the working folder is gone',
    next: 'install git 2.34 or newer and try `git --version`',
  });
}

interface Cause {
  readonly pattern: RegExp;
  readonly code: Code;
  readonly why: string;
  /** `URL` stands for the address. */
  readonly next: string;
}

/**
 * What git 2.34 to 2.50 and libcurl (GnuTLS and OpenSSL) say in the C locale, most telling first. Only the pattern is
 * taken from their text: a server writes part of it and could send our own credential back in it.
 */
const CAUSES: readonly Cause[] = [
  {
    pattern: /requested URL returned error: 3\d\d|unable to update url base from redirection/i,
    code: 'SOTTO-GIT-011',
    why: 'the server sends to another address, and a credential is for one address only',
    next: 'open URL in a browser and write the address it ends at into source.git.url, often the same with .git',
  },
  {
    pattern: /requested URL returned error: 403/i,
    code: 'SOTTO-GIT-008',
    why: 'the server answers 403',
    next: 'give the token read access to the repository at its host',
  },
  {
    pattern: /requested URL returned error: 404|repository .* not found/i,
    code: 'SOTTO-GIT-009',
    why: 'the server answers that it has no such repository; many do so for private ones too',
    next: 'compare the address with that of the clone button, and check that the credentials may see it',
  },
  {
    pattern: /requested URL returned error: (?:429|5\d\d)/i,
    code: 'SOTTO-GIT-013',
    why: 'the server has trouble of its own or asks to slow down',
    next: 'look at the state of the Git server; the agent tries again',
  },
  {
    pattern: /certificate|SSL:|peer's? cert|alert|TLS connection was non-properly terminated before|self.signed/i,
    code: 'SOTTO-GIT-010',
    why: 'its certificate is not signed by a known authority, has expired, or is for another host',
    next: 'put the certificate of its authority into the credential Secret as ca.crt',
  },
  {
    pattern: /operation too slow|timed? ?out/i,
    code: 'SOTTO-GIT-012',
    why: 'the server stopped answering',
    next: 'try `git ls-remote URL` from the same network',
  },
  {
    pattern:
      /could not resolve|failed to connect|couldn't connect|connection refused|network is unreachable|no route to host/i,
    code: 'SOTTO-GIT-001',
    why: 'there is no connection to the host',
    next: 'try `git ls-remote URL` from the same network, and look at the network policy of the agent',
  },
  {
    pattern:
      /not our ref|not a valid object|did not send all necessary objects|missing necessary objects|remote did not send/i,
    code: 'SOTTO-GIT-032',
    why: 'the server does not hand out an object that the branch needs',
    next: 'run `git fsck` in the repository on the server',
  },
  {
    pattern:
      /fsck error|error in (?:packed )?object|hasDot|hasNullSha1|fullPathname|badTree|treeNotSorted|duplicateEntries/,
    code: 'SOTTO-GIT-026',
    why: 'its check of what the server sent found something that does not belong into a repository',
    next: 'run `git fsck` in a clone, and remove from the branch what it names',
  },
  {
    pattern:
      /no space left on device|read-only file system|permission denied|unable to create|cannot mkdir|disk quota/i,
    code: 'SOTTO-GIT-029',
    why: 'the volume for Git objects is full or read-only',
    next: 'look at the size limit of the volume in the Deployment of the agent',
  },
  {
    pattern:
      /is this a git repository|dumb http|does not support shallow|invalid .*(?:response|content.type)|bad line length|protocol error|early EOF|unexpected disconnect|hung up|bad pack|index-pack|invalid server response|expected .*packet|RPC failed|Recv failure|reset by peer|empty reply|transfer closed|non-properly terminated/i,
    code: 'SOTTO-GIT-014',
    why: 'what answers is not a Git server, or its answer was cut off',
    next: 'try `git ls-remote URL`, and open the address in a browser: a login page or a proxy may stand there',
  },
];

const WANTS_CREDENTIALS =
  /could not read (?:Username|Password)|terminal prompts disabled|Authentication failed|HTTP Basic: Access denied|requested URL returned error: 401|unable to get password/i;

function failed(complaint: string, context: FailureContext): SottoError {
  const text = ownWords(complaint);
  if (WANTS_CREDENTIALS.test(text)) return credentialsError(context);
  const cause = CAUSES.find(({ pattern }) => pattern.test(text));
  const next = (cause?.next ?? 'run `git ls-remote URL` by hand and read what git says').replaceAll(
    'URL',
    () => context.url,
  );
  return new SottoError({
    code: cause?.code ?? 'SOTTO-GIT-034',
    what: `${context.url} cannot be read`,
    why: cause?.why ?? 'git ended with an error that is not known here',
    next,
  });
}

/** Without what the server wrote for people, and without addresses: a path may hold any of the words looked for. */
function ownWords(complaint: string): string {
  return complaint
    .split(/[\r\n]+/)
    .filter((line) => !/^\s*remote:/.test(line))
    .join('\n')
    .replaceAll(/https?:\/\/[^\s']+/g, '');
}

function credentialsError({ url, hasCredential }: FailureContext): SottoError {
  if (!hasCredential) {
    return new SottoError({
      code: 'SOTTO-GIT-006',
      what: `${url} cannot be read`,
      why: 'the server wants credentials and the sync has none',
      next: 'put username and password, or bearerToken, into a Secret and name it in source.git.secretRef',
    });
  }
  return new SottoError({
    code: 'SOTTO-GIT-007',
    what: `${url} cannot be read`,
    why: 'the server rejected the credentials',
    next: 'write a valid token or password into the Secret that source.git.secretRef names',
  });
}

function ended(why: EndedWhy, { url, timeoutMs }: FailureContext): SottoError {
  const texts: Record<EndedWhy, { code: Code; why: string; next: string }> = {
    timeout: {
      code: 'SOTTO-GIT-012',
      why: `git was ended after ${timeoutMs / 1000} s`,
      next: `try \`git ls-remote ${shellWord(url)}\` from the same network, or raise the timeout of the sync`,
    },
    stopped: { code: 'SOTTO-GIT-031', why: 'the agent is ending', next: 'start the agent again' },
    output: {
      code: 'SOTTO-GIT-022',
      why: `the listing is longer than ${LIMITS.maxTreeEntries} entries need`,
      next: 'choose a narrower path, or split it into several syncs',
    },
    download: {
      code: 'SOTTO-GIT-025',
      why: `the server sent more than ${LIMITS.maxFetchBytes / 1024 / 1024} MiB`,
      next: 'allow partial clone on the server (uploadpack.allowFilter), or keep large files out of the branch',
    },
  };
  return new SottoError({ ...texts[why], what: `${url} cannot be read` });
}

/** The branch is not there: in an empty repository, or beside others. */
export function noBranch(others: readonly string[], { url, branch }: FailureContext): SottoError {
  if (others.length === 0) {
    return new SottoError({
      code: 'SOTTO-GIT-016',
      what: `${url} is empty`,
      why: 'it has no branch yet',
      next: `push the first commit: \`git push ${shellWord(url)} ${shellWord(`HEAD:refs/heads/${branch}`)}\``,
    });
  }
  // Names come from the server: only harmless ones are repeated.
  const shown = others.filter((name) => /^[\w./-]{1,60}$/.test(name)).slice(0, 5);
  return new SottoError({
    code: 'SOTTO-GIT-015',
    what: `${url} has no branch ${branch}`,
    why: shown.length === 0 ? 'its branches have other names' : `its branches are ${shown.join(', ')}`,
    next: `set source.git.ref.branch, or push the branch: \`git push ${shellWord(url)} ${shellWord(`HEAD:refs/heads/${branch}`)}\``,
    key: 'source.git.ref.branch',
  });
}

export function sha256Repository({ url }: FailureContext): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-027',
    what: `${url} cannot be read`,
    why: 'its ids are SHA-256, which is not in this version',
    next: 'use a SHA-1 repository, which is what `git init` makes',
  });
}

/** Runs what writes to the volume; its errors name the folder as git's own would. */
export async function onVolume<Result>(workDir: string, task: () => Promise<Result>): Promise<Result> {
  try {
    return await task();
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
    if (typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) throw thrown;
    throw new SottoError({
      code: 'SOTTO-GIT-029',
      what: `${workDir} cannot be written`,
      why: code === 'ENOSPC' ? 'the volume is full' : `the system answers ${code}`,
      next: 'look at the volume for Git objects in the Deployment of the agent',
    });
  }
}
