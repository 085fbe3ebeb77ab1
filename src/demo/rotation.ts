import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { numberAt, stringAt } from '../core/json.ts';
import type { PersonAccess } from './cluster.ts';
import { OBJECTS } from './content.ts';
import { isolatedGitEnv } from './git-repository.ts';
import { duration } from './screen.ts';
import { disproved, liveObject } from './stage.ts';
import type { SceneResult, Stage } from './stage.ts';

const run = promisify(execFile);

/** What a person does for it: one command, in a clone. */
export async function repositoryIsRotated(stage: Stage): Promise<SceneResult> {
  const { cluster, screen, options, repository, folder } = stage;
  screen.working('cloning, and giving every SOPS file a new key');
  const env = { ...isolatedGitEnv(folder, options.env['PATH'] ?? ''), ...personEnv(stage) };
  const clone = join(folder, 'clone');
  const git = async (...args: readonly string[]): Promise<string> =>
    (await run('git', [...args], { env, signal: options.signal })).stdout;
  await git('clone', '--quiet', repository.folder, clone);
  const before = await deploymentOf(stage);
  const startedMs = performance.now();
  const args = ['rotate', '--new-secret', '--push', '--yes', '-n', cluster.namespace, ...accessFlags(cluster.access)];
  const said = await run(process.execPath, [options.programPath, ...args], {
    cwd: clone,
    env,
    signal: options.signal,
  }).then(
    ({ stderr }) => stderr,
    (thrown: unknown) => (options.signal.aborted ? Promise.reject(options.signal.reason as Error) : reasonIn(thrown)),
  );
  const took = duration(performance.now() - startedMs);
  if (!said.includes('0 workloads changed'))
    return disproved(stage, `the rotation did not end well: ${lastLine(said)}`);
  const after = await deploymentOf(stage);
  if (before === undefined || before !== after)
    return disproved(stage, `${OBJECTS.deployment.name} was rolled out by the rotation`);
  const diff = (await git('-C', clone, 'diff', '--shortstat', 'HEAD^', 'HEAD')).trim();
  screen.done(`sotto rotate: a new age key for the whole repository, ${took}`);
  screen.detail(`one commit, ${diff}; each file opened again and compared`);
  screen.detail('the agent opened a canary first, then applied it; nothing was restarted');
  screen.detail('the old key only opens from now on');
  return ['keys rotated', `${took}, 0 workloads restarted`];
}

async function deploymentOf(stage: Stage): Promise<string | undefined> {
  const live = await liveObject(stage, OBJECTS.deployment);
  const generation = numberAt(live, 'metadata', 'generation');
  return generation === undefined ? undefined : `${stringAt(live, 'metadata', 'uid') ?? ''} ${generation}`;
}

function accessFlags(access: PersonAccess): readonly string[] {
  return access.kind === 'file' ? ['--kubeconfig', access.kubeconfig] : access.flags;
}

/** A kubeconfig of the person may start programs that need to know whose home it is. */
function personEnv({ cluster, options }: Stage): NodeJS.ProcessEnv {
  if (cluster.access.kind === 'file') return {};
  const { HOME, KUBECONFIG } = options.env;
  return { HOME, KUBECONFIG };
}

function reasonIn(thrown: unknown): string {
  return thrown instanceof Error && 'stderr' in thrown && typeof thrown.stderr === 'string'
    ? thrown.stderr
    : String(thrown);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
