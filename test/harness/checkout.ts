import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import { isolatedGitEnv } from '../../src/demo/git-repository.ts';
import { type CliResult, sotto } from '../cli/session.ts';
import type { RunningAgent } from './agent.ts';
import { eventually, type World } from './world.ts';

/** What a person works in: a clone of the repository of a world, and the CLI with the rights of that person. */
export interface Checkout {
  readonly folder: string;
  /** Of the person, without cluster. */
  readonly env: Readonly<Record<string, string>>;
  git(...args: readonly string[]): string;
  run(...words: readonly string[]): Promise<CliResult>;
  /** The same with the rights of somebody else. */
  runAs(person: ServiceAccountAccess, ...words: readonly string[]): Promise<CliResult>;
}

export interface CheckoutOptions {
  /** Below the folder. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export function clone(world: World, person: ServiceAccountAccess, options: CheckoutOptions = {}): Checkout {
  const folder = join(world.folder, 'clone');
  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-C', folder, ...args], { env: { ...isolatedGitEnv(world.folder) }, encoding: 'utf8' });
  execFileSync('git', ['clone', '-q', world.repository.folder, folder], { env: isolatedGitEnv(world.folder) });
  git('config', 'user.name', 'Kim');
  const env = { ...definedOf(isolatedGitEnv(world.folder, process.env['PATH'] ?? '')), ...options.env };
  const runAs: Checkout['runAs'] = (who, ...words) =>
    sotto([...words, '-n', world.namespace, '--kubeconfig', who.kubeconfigPath], {
      cwd: join(folder, options.cwd ?? ''),
      env,
    });
  return { folder, env, git, runAs, run: (...words) => runAs(person, ...words) };
}

function definedOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** Where an agent that was started outside of a Pod serves its page. */
export async function pageOf(agent: RunningAgent): Promise<string> {
  const listening = await eventually('the page listens', () =>
    Promise.resolve(agent.log.find(({ msg }) => msg === 'page listening')),
  );
  return `http://127.0.0.1:${String(listening['port'])}`;
}
