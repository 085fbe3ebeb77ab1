import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import type { ControlPlaneClient, PolicyRule } from '../../src/demo/control-plane.ts';
import { type GitServer, startGitServer } from '../../src/demo/git-server.ts';
import { type Address, type AgentProcess, observeAgent, type RunningAgent, startAgent } from './agent.ts';
import { canary } from './canary-values.ts';
import { namespaceForTest, type TestNamespace } from './control-plane.ts';
import { rulesOf } from './deploy.ts';
import { type LeakWatch, watchLeaks } from './leak-watch.ts';
import { GIT_PASSWORD, type Place } from './place.ts';
import { newAgeKeyPair, stockOutput } from './stock.ts';

/** What an agent of a namespace may do: the Role that deploy/ gives it, so that the tests hold the agent to it. */
export const AGENT_RULES: readonly PolicyRule[] = rulesOf('deploy/rights/role.yaml');

/** A namespace, a repository behind TLS with a password, an age key in the namespace: what an agent needs to work. */
export interface World extends Place, AsyncDisposable {
  readonly own: TestNamespace;
  readonly git: GitServer;
  readonly recipient: string;
  readonly ageKeyFile: string;
  /** Looks whether the values are where they must not be; what it finds fails the test. */
  readonly leaks: LeakWatch;
  /** Values to put into Secrets: whenever an agent of this world is stopped, they must be nowhere else. */
  value(index: number): string;
  /** A file with a Secret of such a value, for a commit that needs none of its own. */
  canaryFile(): Promise<Record<string, string>>;
  start(args?: readonly string[], options?: StartOptions): Promise<RunningAgent>;
  /** An agent that was started in another way. */
  observe(child: AgentProcess, address?: Address): RunningAgent;
  /** Encrypts a manifest with stock sops. */
  sops(manifest: string, file?: string, flags?: readonly string[]): Promise<string>;
  get(path: string): Promise<Json | undefined>;
  create(collection: string, object: JsonObject): Promise<Json>;
  settings(text: string): Promise<void>;
  status(): Promise<Json | undefined>;
  /** Waits until the status document says something. */
  until(what: string, holds: (status: Json) => boolean): Promise<Json>;
}

export interface StartOptions {
  /** Another way to the API server than the account's own, through a proxy. */
  readonly kubeconfig?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface WorldOptions {
  /** How soon a sync tries again what failed. Default 1s; long where a test needs the agent to be quiet. */
  readonly retryInterval?: string;
  readonly sync?: string;
  readonly top?: string;
  readonly rules?: readonly PolicyRule[];
  /** The ServiceAccount of the agent. Default sotto. */
  readonly accountName?: string;
  /** A control plane of the test's own, where it is to be disturbed. */
  readonly plane?: ControlPlaneClient;
}

/** The settings of a world: one sync called app, of the folder deploy. */
export function settingsText(url: string, options: WorldOptions = {}): string {
  return `apiVersion: sotto.dev/v1alpha1
kind: Config
page: { listen: "127.0.0.1:0" }
decryption: { keys: [ { secretRef: { name: sops-age } } ] }
${options.top ?? ''}
syncs:
- name: app
  source: { git: { url: "${url}", ref: { branch: main }, secretRef: { name: git-auth }, interval: 1s } }
  path: ./deploy
  retryInterval: ${options.retryInterval ?? '1s'}
${options.sync ?? ''}
`;
}

export { GIT_PASSWORD } from './place.ts';

const VALUES_ONLY = ['--encrypted-regex', '^(data|stringData)$'];

export async function createWorld(options: WorldOptions = {}): Promise<World> {
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'sotto-world-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  const own = cleanup.use(
    await namespaceForTest(options.rules ?? AGENT_RULES, {
      plane: options.plane,
      ...(options.accountName === undefined ? {} : { accountName: options.accountName }),
    }),
  );
  const { namespace, plane } = own;
  const git = cleanup.use(await startGitServer({ kind: 'basic', username: 'git', password: GIT_PASSWORD }));
  const repository = await git.createRepository('app');
  const pair = await newAgeKeyPair();
  const ageKeyFile = join(folder, 'age.key');
  await writeFile(ageKeyFile, pair.identity, { mode: 0o600 });
  const create: World['create'] = async (collection, object) => {
    const answer = await plane.admin('POST', collection, object);
    if (answer.status !== 201) throw new Error(`${collection}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const core = `/api/v1/namespaces/${namespace}`;
  await create(`${core}/secrets`, secret('sops-age', { 'age.agekey': pair.identity }));
  await create(`${core}/secrets`, {
    ...secret('git-auth', { username: 'git', password: GIT_PASSWORD, 'ca.crt': git.caPem }),
    metadata: {
      name: 'git-auth',
      labels: { 'sotto.dev/use': 'git' },
      annotations: { 'sotto.dev/for': git.url(repository) },
    },
  });
  await create(`${core}/configmaps`, configMap('sotto', { 'sotto.yaml': settingsText(git.url(repository), options) }));
  const leaks = cleanup.use(watchLeaks({ own, namespace, repository, folder }));
  const disposables = cleanup.move();
  const status = async (): Promise<Json | undefined> => {
    const answer = await plane.admin('GET', `${core}/configmaps/sotto-status`);
    const text = answer.status === 200 ? stringAt(answer.body, 'data', 'status.json') : undefined;
    return text === undefined ? undefined : (JSON.parse(text) as Json);
  };
  const sops: World['sops'] = async (manifest, file = 'secret.yaml', flags = VALUES_ONLY) =>
    (
      await stockOutput('sops', ['encrypt', '--age', pair.recipient, ...flags, '--filename-override', file], {
        stdin: manifest,
      })
    ).toString();
  return {
    own,
    namespace,
    git,
    repository,
    recipient: pair.recipient,
    ageKeyFile,
    folder,
    create,
    status,
    leaks,
    value: canary,
    canaryFile: async () => ({
      'deploy/canary.json': await sops(JSON.stringify(secret('canary', { a: canary(7) })), 'canary.json'),
    }),
    start: async (args = [], { kubeconfig = own.account.kubeconfigPath, env = {} } = {}) =>
      leaks.agent(await startAgent({ kubeconfig, namespace, args, env })),
    observe: (child, address) => leaks.agent(observeAgent(child, address)),
    sops,
    get: async (path) => {
      const answer = await plane.admin('GET', path);
      return answer.status === 404 ? undefined : answer.body;
    },
    settings: async (text) => {
      await plane.admin(
        'PATCH',
        `${core}/configmaps/sotto`,
        { data: { 'sotto.yaml': text } },
        'application/merge-patch+json',
      );
    },
    until: (what, holds) =>
      eventually(what, async () => {
        const document = await status();
        return document !== undefined && holds(document) ? document : undefined;
      }),
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  };
}

export function secret(name: string, entries: Readonly<Record<string, string>>): JsonObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: { ...entries } };
}

export function configMap(name: string, data: Readonly<Record<string, string>>): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { ...data } };
}

/** Looks again and again, for up to a minute, until there is an answer; `state` says how things stood if there was none. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined>,
  state: () => Promise<string> = () => Promise.resolve(''),
): Promise<T> {
  const deadlineMs = performance.now() + 60_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadlineMs) throw new Error(`did not happen within a minute: ${what} ${await state()}`);
    await sleep(20);
  }
}

export function syncOf(status: Json, name = 'app'): Json | undefined {
  const syncs = memberAt(status, 'syncs');
  return Array.isArray(syncs) ? syncs.find((sync: Json) => stringAt(sync, 'name') === name) : undefined;
}
