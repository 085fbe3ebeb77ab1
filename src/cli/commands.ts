import type { Command } from 'commander';
import type { CommandContext } from './context.ts';

export interface CommandModule {
  /** Adds the command with flags, help and action to the program. */
  register(program: Command, context: CommandContext): void;
}

interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Each command is its own import, so that `sotto version` does not load a Kubernetes client. */
  load(): Promise<CommandModule>;
}

/** The commands of this version in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  { name: 'agent', summary: 'run the agent', load: () => import('./commands/agent.ts') },
  {
    name: 'check',
    summary: 'rights before an install; --rotation: review a commit',
    load: () => import('./commands/check.ts'),
  },
  {
    name: 'install',
    summary: 'put the agent into a namespace, or bring it up to date',
    load: () => import('./commands/install.ts'),
  },
  {
    name: 'uninstall',
    summary: 'take the agent out; what it applied stays',
    load: () => import('./commands/uninstall.ts'),
  },
  { name: 'status', summary: 'what the agent says about its syncs', load: () => import('./commands/status.ts') },
  { name: 'why', summary: 'all that is known about one object', load: () => import('./commands/why.ts') },
  { name: 'events', summary: 'what the agent did on objects, newest last', load: () => import('./commands/events.ts') },
  { name: 'logs', summary: 'the log of the agent', load: () => import('./commands/logs.ts') },
  { name: 'diff', summary: 'what a pass would change, values never shown', load: () => import('./commands/diff.ts') },
  { name: 'sync', summary: 'ask Git now and apply', load: () => import('./commands/sync.ts') },
  { name: 'pause', summary: 'leave an object or a sync alone for a while', load: () => import('./commands/pause.ts') },
  { name: 'resume', summary: 'end a pause', load: () => import('./commands/resume.ts') },
  {
    name: 'keep',
    summary: 'make a branch of what was changed by hand',
    load: () => import('./commands/keep.ts'),
  },
  { name: 'approve', summary: 'say yes to a plan that is held', load: () => import('./commands/approve.ts') },
  { name: 'adopt', summary: 'take over objects that existed before', load: () => import('./commands/adopt.ts') },
  { name: 'prune', summary: 'delete what no sync has any more', load: () => import('./commands/prune.ts') },
  { name: 'encrypt', summary: 'encrypt a file as sops does', load: () => import('./commands/encrypt.ts') },
  { name: 'decrypt', summary: 'decrypt a SOPS file', load: () => import('./commands/decrypt.ts') },
  { name: 'edit', summary: 'change a SOPS file in an editor', load: () => import('./commands/edit.ts') },
  {
    name: 'secret',
    summary: 'set, unset, list, show or generate single values of a SOPS file',
    load: () => import('./commands/secret.ts'),
  },
  { name: 'seal', summary: 'make a SealedSecret of a Secret', load: () => import('./commands/seal.ts') },
  { name: 'unseal', summary: 'make a Secret of a SealedSecret', load: () => import('./commands/unseal.ts') },
  {
    name: 'convert',
    summary: 'turn a SOPS file into a SealedSecret, or back',
    load: () => import('./commands/convert.ts'),
  },
  {
    name: 'recipients',
    summary: 'for whom files are encrypted: list, check, add, remove',
    load: () => import('./commands/recipients.ts'),
  },
  {
    name: 'keys',
    summary: 'keys of the agent: list, add, retire, export, backup, restore, rehearse',
    load: () => import('./commands/keys.ts'),
  },
  {
    name: 'rotate',
    summary: 'change the keys of everything encrypted in a repository',
    load: () => import('./commands/rotate.ts'),
  },
  { name: 'demo', summary: 'show the main job live', load: () => import('./commands/demo.ts') },
  {
    name: 'renderer',
    summary: 'run kustomize for an agent, in a container of its own',
    load: () => import('./commands/renderer.ts'),
  },
  { name: 'errors', summary: 'what an error code means and what to do', load: () => import('./commands/errors.ts') },
  {
    name: 'completion',
    summary: 'completion of commands and flags for a shell',
    load: () => import('./commands/completion.ts'),
  },
  { name: 'version', summary: 'print the version', load: () => import('./commands/version.ts') },
];

/** Commands that are described but not built yet: refused by name instead of called unknown. */
export const NOT_BUILT_COMMANDS: ReadonlySet<string> = new Set('init guard git-setup dev ui'.split(' '));
