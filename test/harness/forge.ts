import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A checkout whose pushes go to a bare repository of this machine. */
export interface Pushable {
  readonly git: (...args: readonly string[]) => string;
  readonly remote: string;
  /** For the script that stands in for ssh. */
  readonly folder: string;
}

/**
 * The remote becomes `git@github.com:acme/app.git`, and what git reaches there by ssh is still the bare repository. So
 * pushes are real, and the address is one of a host that is known.
 */
export function asIfAtGithub({ git, remote, folder }: Pushable): void {
  const script = join(folder, 'ssh-to-github');
  const serve = `#!/bin/sh
test "$1" = git@github.com || exit 1
case "$2" in
"git-receive-pack 'acme/app.git'") exec git receive-pack '${remote}' ;;
"git-upload-pack 'acme/app.git'") exec git upload-pack '${remote}' ;;
esac
exit 1
`;
  writeFileSync(script, serve, { mode: 0o755 });
  git('config', 'core.sshCommand', script);
  git('config', 'ssh.variant', 'simple');
  git('remote', 'set-url', 'origin', 'git@github.com:acme/app.git');
}

export function pageForPullRequest(branch: string): string {
  return `https://github.com/acme/app/compare/main...${branch}?expand=1`;
}
