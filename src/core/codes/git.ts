import type { CodeEntry } from './entry.ts';

export const GIT_CODES = {
  'SOTTO-GIT-001': {
    title: 'The repository cannot be reached',
    explain: 'The Git server did not answer. What runs stays as it is, nothing is pruned, and the agent tries again.',
  },
  'SOTTO-GIT-002': {
    title: 'The address of the repository cannot be used',
    explain:
      'It is not a URL, holds control characters, or has a query or a fragment. Git wants a plain https address.',
  },
  'SOTTO-GIT-003': {
    title: 'The protocol is not in this version',
    explain: 'This version reads repositories over https only; ssh and plain http are described but not built yet.',
  },
  'SOTTO-GIT-004': {
    title: 'The protocol is not allowed',
    explain:
      'Local paths, git:// and remote helpers are never used: they have no server identity, or run programs of their own. Only https is.',
  },
  'SOTTO-GIT-005': {
    title: 'The address holds credentials',
    explain:
      'A user or password inside a URL ends in logs and status. Put it into a Secret, name it in source.git.secretRef, and revoke the one written in the address.',
  },
  'SOTTO-GIT-006': {
    title: 'The repository wants credentials',
    explain:
      'The server asked who is there and the sync names no Secret with credentials. Make one, mark what it may be used for, and name it in source.git.secretRef.',
    example:
      'kubectl create secret generic git-auth -n team-app --from-literal=username=git --from-file=password\nkubectl label secret git-auth -n team-app sotto.dev/use=git\nkubectl annotate secret git-auth -n team-app sotto.dev/for=https://git.example.com/team/app.git',
  },
  'SOTTO-GIT-007': {
    title: 'The server rejected the credentials',
    explain:
      'User, password or token are wrong, expired or revoked. The Secret that source.git.secretRef names holds them.',
    example:
      'kubectl create secret generic git-auth -n team-app --from-literal=username=git --from-file=password \\\n  --dry-run=client -o yaml | kubectl apply -f -',
  },
  'SOTTO-GIT-008': {
    title: 'The credentials may not read the repository',
    explain: 'The server knows who asks and does not let them read. The token needs read access to this repository.',
  },
  'SOTTO-GIT-009': {
    title: 'The server has no such repository',
    explain:
      'The address may be mistyped. Many hosts also answer so when the repository is private and the credentials may not see it.',
  },
  'SOTTO-GIT-010': {
    title: 'The certificate of the server is not trusted',
    explain:
      'No authority at hand signed it, it has expired, or it is for another host. A private authority goes into the credential Secret as ca.crt.',
  },
  'SOTTO-GIT-011': {
    title: 'The server redirects',
    explain:
      'Redirects are never followed: a credential is for one address. Write the final address into the settings, often the same with .git at its end.',
  },
  'SOTTO-GIT-012': {
    title: 'Git took too long',
    explain:
      'The command was ended, helpers included. Nothing is changed or pruned; the agent tries again. A big repository may need a longer timeout.',
  },
  'SOTTO-GIT-013': {
    title: 'The server answers with an error',
    explain:
      'It answered with a server error or asked to slow down. What runs stays as it is, nothing is pruned, and the agent tries again.',
  },
  'SOTTO-GIT-014': {
    title: 'The answer is not that of a Git server',
    explain:
      'What answers at the address does not speak the smart Git protocol, or its answer was cut off. A login page or a proxy often stands there.',
  },
  'SOTTO-GIT-015': {
    title: 'The branch does not exist',
    explain:
      'The repository has branches, but not this one. Nothing is pruned: a branch that was renamed or deleted must not empty a namespace. Push it, or name another one in source.git.ref.branch.',
  },
  'SOTTO-GIT-016': {
    title: 'The repository is empty',
    explain: 'It has no branch at all. Nothing is pruned; the first push to the branch is picked up.',
  },
  'SOTTO-GIT-017': {
    title: 'The name of the branch is not valid',
    explain:
      'Git does not allow such a name (git help check-ref-format has the rules). A name that could be read as an option is refused as well.',
  },
  'SOTTO-GIT-018': {
    title: 'The branch was rewritten',
    explain:
      'The new head does not descend from the commit that is applied, and requireFastForward is set. The applied commit stays until the branch descends from it again or the setting is changed.',
  },
  'SOTTO-GIT-019': {
    title: 'The path is not in the repository',
    explain: 'The commit has no such folder. Nothing is pruned: a mistyped path must not empty a namespace.',
  },
  'SOTTO-GIT-020': {
    title: 'The path is not a folder',
    explain:
      'At the path, or above it, stands a file, a symbolic link or a submodule. Links and submodules are not followed.',
  },
  'SOTTO-GIT-021': {
    title: 'The path cannot be used',
    explain: 'A path is relative to the root of the repository, without .., control characters or folders named .git.',
  },
  'SOTTO-GIT-022': {
    title: 'The path holds too many files',
    explain:
      'The number of manifests, or of entries below the path, is over the cap. Split the path into several syncs.',
  },
  'SOTTO-GIT-023': {
    title: 'A file is too large',
    explain:
      'No manifest is that large, and a file of the path is read whole into memory. Name the file in .sourceignore when it is none.',
  },
  'SOTTO-GIT-024': {
    title: 'The manifests are too large together',
    explain: 'All manifests of one path are held in memory, up to a cap. Split the path into several syncs.',
  },
  'SOTTO-GIT-025': {
    title: 'The server sends too much',
    explain:
      'The download was ended at its cap. Servers that support partial clone send far less; others send every file of the commit.',
  },
  'SOTTO-GIT-026': {
    title: 'Git refuses the content of the repository',
    explain:
      'The check of what was received found something that should not be in a repository, such as a folder named .git. Nothing of the commit is used.',
  },
  'SOTTO-GIT-027': {
    title: 'SHA-256 repositories are not in this version',
    explain:
      'The ids of this repository are SHA-256; this version reads SHA-1 repositories, which is what Git hosts make unless asked otherwise.',
  },
  'SOTTO-GIT-028': {
    title: 'The git program does not run',
    explain: 'The agent runs git, 2.34 or newer, which must be installed beside it. Its container image has it.',
  },
  'SOTTO-GIT-029': {
    title: 'The working folder cannot be written',
    explain: 'Git objects are kept on a volume of the agent. It is full, read-only, or belongs to somebody else.',
  },
  'SOTTO-GIT-030': {
    title: 'The credential has a form that cannot be sent',
    explain:
      'A token is one line of printable characters, a user name has no colon. A line break at the end of the Secret is the usual reason.',
  },
  'SOTTO-GIT-031': {
    title: 'The work with Git was stopped',
    explain:
      'The agent is ending and gave up what it had asked Git for. Nothing was decided on it; the next start asks again and goes on.',
  },
  'SOTTO-GIT-032': {
    title: 'The server withholds objects',
    explain:
      'A commit, folder or file that the commit names was not sent. The repository on the server may be damaged; git fsck there says more.',
  },
  'SOTTO-GIT-033': {
    title: 'An ignore pattern cannot be used',
    explain:
      'Patterns are those of .gitignore: *, ?, **, character ranges, ! and /. Named classes such as [[:alpha:]] are not in this version.',
  },
  'SOTTO-GIT-034': {
    title: 'Git failed in a way that is not known',
    explain:
      'The message of git is not passed on, because a server writes part of it. The same command run by hand tells more.',
  },
  'SOTTO-GIT-035': {
    title: 'An entry of the path is not read',
    explain:
      'Links, submodules and files with names that cannot be shown are never followed or read. While one stands where a manifest could, nothing of its file is pruned.',
  },
} as const satisfies Record<string, CodeEntry>;
