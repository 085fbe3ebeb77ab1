import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { arrayAt, numberAt, stringAt } from '../core/json.ts';
import type { PersonAccess } from './cluster.ts';
import { OBJECTS } from './content.ts';
import { isolatedGitEnv } from './git-repository.ts';
import { shownDiff } from './rotation-diff.ts';
import { duration } from './screen.ts';
import { disproved, liveObject } from './stage.ts';
import type { SceneResult, Stage } from './stage.ts';
import { until } from './until.ts';

const run = promisify(execFile);

/** What a person does for it: one command, in a clone. What is told of it is what was read, of programs and of Git. */
export async function repositoryIsRotated(stage: Stage): Promise<SceneResult> {
  const { cluster, screen, options, repository, folder } = stage;
  screen.working('waiting for the sealing key of the agent');
  await enableSealing(stage);
  const sealing = await until(() => ownSealingKey(stage), { signal: options.signal, pauseMs: POLL_MS });
  if (sealing === undefined) return disproved(stage, 'the agent has made no sealing key');
  screen.working('cloning, and giving everything encrypted new keys');
  const clone = join(folder, 'clone');
  await git(stage, 'clone', '--quiet', repository.folder, clone);
  const before = await deploymentOf(stage);
  const startedMs = performance.now();
  const place = ['-n', cluster.namespace, ...accessFlags(cluster.access)];
  const said = await sotto(stage, clone, ['rotate', '--new-secret', '--new-sealing', '--push', '--yes', ...place]);
  const took = duration(performance.now() - startedMs);
  const facts = FACTS.map((fact) => fact.exec(said)?.[0]);
  const canaries = said.match(CANARY)?.length;
  if (canaries !== NEW_KEYS || facts.includes(undefined))
    return disproved(stage, `the rotation did not end well: ${lastLine(said)}`);
  const after = await deploymentOf(stage);
  if (before === undefined || before !== after)
    return disproved(stage, `${OBJECTS.deployment.name} was rolled out by the rotation`);
  const checked = await sotto(stage, clone, ['check', '--rotation', 'HEAD']);
  const verdict = ONLY_KEYS.exec(checked)?.[0];
  if (verdict === undefined) return disproved(stage, `the commit does more than a rotation: ${lastLine(checked)}`);
  const changed = ['-C', clone, 'diff', 'HEAD^', 'HEAD'];
  const size = (await git(stage, ...changed, '--shortstat')).trim();
  const { file } = OBJECTS.database;
  const piece = shownDiff(await git(stage, ...changed, '-U0', '--', file));
  if (piece.length === 0) return disproved(stage, `${file} is as it was before the rotation`);
  screen.done(`sotto rotate: new keys for the whole repository, ${took}`);
  screen.detail(`the agent has opened a canary for each of ${canaries} new keys`);
  for (const fact of facts) screen.detail(fact ?? '');
  screen.detail(`one commit, ${size}; of ${file}:`);
  for (const line of piece) screen.detail(line);
  screen.detail(`sotto check --rotation HEAD: ${verdict}`);
  screen.detail(`${OBJECTS.deployment.name} has the generation that it had before`);
  return ['keys rotated', `${took}, 0 workloads restarted`];
}

/** What `sotto rotate` says it has seen, in its words. */
const FACTS = [
  /SealedSecrets are sealed for the key of Secret \S+(?=,)/,
  /[1-9]\d* files changed, each opened again and compared/,
  /the agent runs [0-9a-f]{12}; 0 workloads changed/,
  /Secret \S+ with the old key only opens from now on/,
] as const;

const CANARY = /the agent has opened a canary for the new key/g;
/** The age key that is made, and the sealing key of the agent: what was sealed before it is for another. */
const NEW_KEYS = 2;

const ONLY_KEYS = /[1-9]\d* files only have other keys, [1-9]\d* values new ciphertext; 0 are otherwise/;

async function git(stage: Stage, ...args: readonly string[]): Promise<string> {
  return (await run('git', [...args], { env: envOf(stage), signal: stage.options.signal })).stdout;
}

/** What the command says beside its data, also when it fails. */
async function sotto(stage: Stage, cwd: string, args: readonly string[]): Promise<string> {
  const { programPath, signal } = stage.options;
  const running = run(process.execPath, [programPath, ...args], { cwd, env: envOf(stage), signal });
  return running.then(
    ({ stderr }) => stderr,
    (thrown: unknown) => (signal.aborted ? Promise.reject(signal.reason as Error) : reasonIn(thrown)),
  );
}

function envOf(stage: Stage): NodeJS.ProcessEnv {
  return { ...isolatedGitEnv(stage.folder, stage.options.env['PATH'] ?? ''), ...personEnv(stage) };
}

const POLL_MS = 100;

/** Only now: an agent that makes a sealing key at its start applies nothing before it has one. */
async function enableSealing({ cluster }: Stage): Promise<void> {
  const path = `/api/v1/namespaces/${cluster.namespace}/configmaps/sotto`;
  const { body } = await cluster.admin('GET', path);
  const settings = `${stringAt(body, 'data', 'sotto.yaml') ?? ''}sealing: { enabled: true }\n`;
  const { status } = await cluster.admin('PATCH', path, { data: { 'sotto.yaml': settings } });
  if (status !== 200) throw new Error(`the new settings were answered with ${status}`);
}

/** The Secret with the label that stock tools know, made by the agent. */
async function ownSealingKey({ cluster }: Stage): Promise<string | undefined> {
  const { body } = await cluster.admin('GET', `/api/v1/namespaces/${cluster.namespace}/secrets`);
  const names = arrayAt(body, 'items').map((item) => stringAt(item, 'metadata', 'name') ?? '');
  return names.find((name) => name.startsWith('sotto-sealing-'));
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
