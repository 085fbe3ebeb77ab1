import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { arrayAt, type JsonObject, memberAt } from '../src/core/json.ts';
import { type ControlPlane, startControlPlane } from '../src/demo/control-plane.ts';
import { type GitServer, startGitServer } from '../src/demo/git-server.ts';
import { ensureTools } from '../src/demo/tools.ts';
import type { ToolProgress } from '../src/demo/tool-build.ts';
import { sealingCertificate } from '../src/sealed/certificate.ts';
import { sealLabel } from '../src/sealed/scope.ts';
import { sealValue } from '../src/sealed/seal.ts';
import { Sensitive } from '../src/core/sensitive.ts';
import { startStockController } from '../test/harness/stock-controller.ts';

// Unsealing 1,000 items (RSA 4096, 32 bytes each): sotto beside kubeseal and the SealedSecrets controller, in one run.
// As root: the controller gets a mount namespace of its own.

const ROOT = join(import.meta.dirname, '..');
const OBJECTS = 100;
const ITEMS = 10;
const POSTED_AT_ONCE = 8;
const GIT_USER = { username: 'bench', password: 'bench-password' } as const;
const LABEL = 'sealedsecrets.bitnami.com/sealed-secrets-key';

interface Ground {
  readonly plane: ControlPlane;
  readonly git: GitServer;
  readonly tools: Readonly<Record<'kubeseal' | 'sealed-secrets-controller', string>>;
  readonly folder: string;
  readonly program: string;
  readonly runs: number;
}

export interface UnsealBench {
  /** The agent to measure. */
  readonly program: string;
  readonly runs: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ToolProgress) => void;
}

/** Prints each comparison as soon as it is measured. */
export async function benchUnseal({ program, runs, signal, onProgress }: UnsealBench): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  const names = ['kube-apiserver', 'etcd', 'kubeseal', 'sealed-secrets-controller'] as const;
  const tools = await ensureTools(names, { packageRoot: ROOT, env: process.env, signal, onProgress });
  const folder = await mkdtemp(join(tmpdir(), 'sotto-bench-unseal-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  const plane = cleanup.use(await startControlPlane({ programs: tools }));
  const git = cleanup.use(await startGitServer({ kind: 'basic', ...GIT_USER }));
  const ground: Ground = { plane, git, tools, folder, program, runs };
  await plane.createNamespace('controller');
  const controller = cleanup.use(await startStockController(tools['sealed-secrets-controller'], plane, 'controller'));
  const keys = await keysOf(plane);
  await writeFile(join(folder, 'keys.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items: keys }));
  await offline(ground, controller.certificatePem);
  await inCluster(ground, controller.certificatePem, keys);
}

async function keysOf(plane: ControlPlane): Promise<readonly JsonObject[]> {
  const path = `/api/v1/namespaces/controller/secrets?labelSelector=${encodeURIComponent(`${LABEL}=active`)}`;
  const { body } = await plane.admin('GET', path);
  return arrayAt(body, 'items').map((item) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'sealing-key', labels: { [LABEL]: 'active' } },
    type: 'kubernetes.io/tls',
    data: memberAt(item, 'data') ?? {},
  }));
}

function sealed(pem: string, namespace: string, name: string, items: number): JsonObject {
  const certificate = sealingCertificate(pem, new Date());
  const label = sealLabel({ scope: 'strict', namespace, name });
  const entries = Array.from({ length: items }, (_, index) => [
    `item-${index}`,
    sealValue(Sensitive.copyOf(Buffer.alloc(32, index)), certificate, label),
  ]);
  return {
    apiVersion: 'bitnami.com/v1alpha1',
    kind: 'SealedSecret',
    metadata: { name, namespace },
    spec: { encryptedData: Object.fromEntries(entries) as JsonObject },
  };
}

/** One object with all items: the two programs from start to end. */
async function offline({ tools, folder, program, runs }: Ground, pem: string): Promise<void> {
  const file = join(folder, 'one.json');
  await writeFile(file, JSON.stringify(sealed(pem, 'team', 'one', OBJECTS * ITEMS)));
  const keys = join(folder, 'keys.json');
  const theirs = await median(runs, () =>
    run(tools.kubeseal, ['--recovery-unseal', '--recovery-private-key', keys], file),
  );
  const ours = await median(runs, () =>
    run(process.execPath, [program, 'unseal', '--key-file', keys, '-o', 'json', '-'], file),
  );
  row('one object of 1,000 items, offline', ours, 'kubeseal --recovery-unseal', theirs);
}

/** A hundred objects of ten items: until every Secret is there. */
async function inCluster(ground: Ground, pem: string, keys: readonly JsonObject[]): Promise<void> {
  const theirs = await median(ground.runs, async (turn) => {
    const namespace = `theirs-${turn}`;
    await ground.plane.createNamespace(namespace);
    const objects = objectsFor(pem, namespace);
    const path = `/apis/bitnami.com/v1alpha1/namespaces/${namespace}/sealedsecrets`;
    const startMs = performance.now();
    for (let at = 0; at < objects.length; at += POSTED_AT_ONCE) {
      await Promise.all(objects.slice(at, at + POSTED_AT_ONCE).map((object) => post(ground.plane, path, object)));
    }
    await untilThere(ground.plane, namespace, OBJECTS);
    return performance.now() - startMs;
  });
  const quiet: number[] = [];
  const ours = await median(ground.runs, async (turn) => {
    const namespace = `ours-${turn}`;
    const agent = await agentIn(ground, namespace, keys);
    await agent.commit(
      Object.fromEntries(objectsFor(pem, namespace).map((each, index) => [`deploy/${index}.json`, each])),
    );
    const first = await agent.once();
    quiet.push(await agent.once());
    return first;
  });
  row('100 objects of ten items, until every Secret is there', ours, 'the controller, running', theirs);
  print(`  of that, sotto agent --once with nothing to open:      ${ms(middle(quiet))}\n`);
}

function objectsFor(pem: string, namespace: string): readonly JsonObject[] {
  return Array.from({ length: OBJECTS }, (_, index) => sealed(pem, namespace, `sealed-${index}`, ITEMS));
}

async function agentIn({ plane, git, folder, program }: Ground, namespace: string, keys: readonly JsonObject[]) {
  const rules = [
    {
      apiGroups: [''],
      resources: ['secrets', 'configmaps'],
      verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'],
    },
    { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
  ];
  await plane.createNamespace(namespace);
  const account = await plane.createServiceAccount(namespace, 'sotto', rules);
  const repository = await git.createRepository(namespace);
  const url = git.url(repository);
  const core = `/api/v1/namespaces/${namespace}`;
  for (const key of keys) await post(plane, `${core}/secrets`, key);
  await post(plane, `${core}/secrets`, {
    metadata: {
      name: 'git-auth',
      labels: { 'sotto.dev/use': 'git' },
      annotations: { 'sotto.dev/for': url },
    },
    stringData: { ...GIT_USER, 'ca.crt': git.caPem },
  });
  const settings = `apiVersion: sotto.dev/v1alpha1
kind: Config
page: { listen: "" }
syncs:
- name: app
  source: { git: { url: "${url}", ref: { branch: main }, secretRef: { name: git-auth } } }
  path: ./deploy
`;
  await post(plane, `${core}/configmaps`, { metadata: { name: 'sotto' }, data: { 'sotto.yaml': settings } });
  const args = ['agent', '--once', '-n', namespace, '--kubeconfig', account.kubeconfigPath, '--listen', ''];
  return {
    commit: (files: Readonly<Record<string, JsonObject>>) =>
      repository.commit(
        Object.fromEntries(Object.entries(files).map(([path, object]) => [path, JSON.stringify(object)])),
        'bench',
      ),
    once: () => run(process.execPath, [program, ...args], undefined, { SOTTO_WORK_DIR: folder }),
  };
}

async function post(plane: ControlPlane, path: string, object: JsonObject): Promise<void> {
  const { status, body } = await plane.admin('POST', path, object);
  if (status !== 201) throw new Error(`${path}: ${status} ${JSON.stringify(body).slice(0, 300)}`);
}

async function untilThere(plane: ControlPlane, namespace: string, count: number): Promise<void> {
  for (;;) {
    const { body } = await plane.admin('GET', `/api/v1/namespaces/${namespace}/secrets?limit=500`);
    if (arrayAt(body, 'items').length >= count) return;
    await sleep(10);
  }
}

/** From start to end of a program, in milliseconds. */
async function run(
  program: string,
  args: readonly string[],
  stdin: string | undefined,
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const input = stdin === undefined ? '' : await readFile(stdin, 'utf8');
  const startMs = performance.now();
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  child.stdout.resume();
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
  child.stdin.end(input);
  await once(child, 'close');
  if (child.exitCode !== 0)
    throw new Error(`${program} ${args[0] ?? ''} ended with ${child.exitCode}: ${said.join('')}`);
  return performance.now() - startMs;
}

async function median(runs: number, measure: (turn: number) => Promise<number>): Promise<number> {
  const figures: number[] = [];
  for (let turn = 0; turn < runs; turn += 1) figures.push(await measure(turn));
  return middle(figures);
}

function middle(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN;
}

function row(what: string, ours: number, peer: string, theirs: number): void {
  print(`${what}\n  sotto ${ms(ours)}   ${peer} ${ms(theirs)}   ratio ${(ours / theirs).toFixed(2)}\n`);
}

function ms(figure: number): string {
  return `${Math.round(figure).toLocaleString('en')} ms`;
}

function print(text: string): void {
  process.stdout.write(text);
}
