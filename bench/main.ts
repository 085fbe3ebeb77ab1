import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startControlPlane } from '../src/demo/control-plane.ts';
import { startGitServer } from '../src/demo/git-server.ts';
import { ensureTools, ToolsMissing } from '../src/demo/tools.ts';
import { whyNoPods } from '../test/harness/pod.ts';
import { type AgentProgram, agentProgram } from './agent-process.ts';
import { type ApplyResult, applyTable, measureApply } from './apply.ts';
import { type DriftResult, driftTable, measureDrift } from './drift.ts';
import { type KustomizeResult, measureKustomize } from './kustomize.ts';
import { kustomizeTables } from './kustomize-report.ts';
import { measureSize, type SizeResult } from './measure.ts';
import { measurePod, type PodResult } from './pod.ts';
import { bytesPerObject, LEGEND, memoryPerObject, podTable, sizeTable } from './report.ts';
import { newAgeKeyPair } from './repository.ts';
import { benchRotate } from './rotate.ts';
import { benchSops } from './sops.ts';
import { benchUnseal } from './unseal.ts';
import { GIT_USER, type Ground } from './world.ts';

const USAGE = `npm run bench -- [--quick] [--sizes 10,100] [--edits N] [--json FILE] [--agent FILE] [--kustomize] [--pod] [--apply] [--drift] [--unseal]

  --quick        10 and 100 objects, 50 hand edits
  --sizes LIST   numbers of objects, multiples of ten (10,100,1000)
  --edits N      hand edits of each size (200)
  --json FILE    also writes every figure there
  --agent FILE   measures that bundle instead of dist/sotto.cjs
  --sops         only decrypting SOPS files against stock sops
  --rotate       only rotating a repository of SOPS files against a loop over stock sops
  --kustomize    only kustomizations: 100 overlays beside a bare loop, 1,000 objects beside plain files
  --pod          only the agent in the shape of its Pod, at 10 and 1,000 objects
  --apply        only the first apply of 1,000 and 5,000 objects beside kubectl, and one-object commits among them
  --drift        only drift at 10, 1,000 and 5,000 objects of twelve kinds: edits, rest, status updates
  --unseal       only unsealing 1,000 items beside kubeseal and the SealedSecrets controller (as root)

Without any of these five they come last, all of them.
`;

const ROOT = join(import.meta.dirname, '..');

const PARTS = ['kustomize', 'pod', 'apply', 'drift', 'unseal'] as const;

type Part = (typeof PARTS)[number];

interface Wanted {
  readonly sizes: readonly number[];
  readonly edits: number;
  readonly isQuick: boolean;
  /** Files of the comparison with stock sops, which is all that is measured then. */
  readonly sopsFiles: number | undefined;
  /** Files of a rotation, likewise. */
  readonly rotatedFiles: number | undefined;
  readonly jsonPath: string | undefined;
  readonly agentPath: string | undefined;
  /** What comes after the sizes. */
  readonly parts: readonly Part[];
}

function readArguments(): Wanted | undefined {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      sizes: { type: 'string' },
      edits: { type: 'string' },
      json: { type: 'string' },
      agent: { type: 'string' },
      kustomize: { type: 'boolean', default: false },
      pod: { type: 'boolean', default: false },
      apply: { type: 'boolean', default: false },
      drift: { type: 'boolean', default: false },
      sops: { type: 'boolean', default: false },
      rotate: { type: 'boolean', default: false },
      unseal: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const sizes = (values.sizes ?? (values.quick ? '10,100' : '10,100,1000')).split(',').map(Number);
  const edits = Number(values.edits ?? (values.quick ? 50 : 200));
  const isUsable = sizes.every((size) => size > 0 && size % 10 === 0) && Number.isInteger(edits) && edits > 0;
  if (values.help || !isUsable) return undefined;
  const sopsFiles = values.sops ? (values.quick ? 100 : 1000) : undefined;
  const rotatedFiles = values.rotate ? (values.quick ? 100 : 1000) : undefined;
  const parts = PARTS.filter((part) => values[part]);
  const paths = { isQuick: values.quick, sopsFiles, rotatedFiles, jsonPath: values.json, agentPath: values.agent };
  if (parts.length > 0) return { sizes: [], edits, parts, ...paths };
  return { sizes, edits, parts: values.quick ? ['pod'] : PARTS, ...paths };
}

/** What is wanted, one after the other. Ends with the first failure; nothing that was started stays. */
async function bench(wanted: Wanted, signal: AbortSignal): Promise<void> {
  if (wanted.sopsFiles !== undefined)
    return benchOfSops(wanted.sopsFiles, agentProgram(ROOT, wanted.agentPath), signal);
  if (wanted.rotatedFiles !== undefined)
    return benchOfRotation(wanted.rotatedFiles, agentProgram(ROOT, wanted.agentPath), signal);
  if (wanted.sizes.length > 0 || wanted.parts.some((part) => part !== 'unseal')) await benchAgent(wanted, signal);
  if (wanted.parts.includes('unseal')) await unsealFigures(wanted, signal);
}

/** With a control plane of its own, because the stock controller acts on all namespaces. */
async function unsealFigures({ agentPath, sizes }: Wanted, signal: AbortSignal): Promise<void> {
  const { path } = agentProgram(ROOT, agentPath);
  if (process.getuid?.() !== 0) return print('unsealing beside the controller: not measured, it needs root\n');
  if (sizes.length === 0) print(`${Object.values(machineFacts()).join(', ')}\nagent: ${path}\n\n`);
  await benchUnseal({ program: path, runs: 3, signal, onProgress: sayStep });
}

/** Measures each size and prints its table at once. */
async function benchAgent(wanted: Wanted, signal: AbortSignal): Promise<void> {
  const program = agentProgram(ROOT, wanted.agentPath);
  const isBuilt = program.isBundle ? '' : '   (no bundle: the sources, which start slower; npm run build)';
  const machine = machineFacts();
  print(`${Object.values(machine).join(', ')}\nagent: ${program.path}${isBuilt}\n\n`);
  const tools = await ensureTools(['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kustomize'], {
    packageRoot: ROOT,
    env: process.env,
    signal,
    onProgress: ({ tool, step }) => say(`${tool}: ${step}`),
  });
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'sotto-bench-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  say('starting the control plane');
  const plane = cleanup.use(await startControlPlane({ programs: tools }));
  const git = cleanup.use(await startGitServer({ kind: 'basic', ...GIT_USER }));
  const ground: Ground = { plane, git, tools, key: await newAgeKeyPair(tools), program, folder, signal, say };
  const results: SizeResult[] = [];
  for (const size of wanted.sizes) {
    signal.throwIfAborted();
    const result = await measureSize(ground, size, wanted.edits);
    results.push(result);
    clearLine();
    print(`${sizeTable(result)}\n`);
  }
  if (results.length > 0) print(`${memoryPerObject(results)}${LEGEND}\n`);
  const kustomize = wanted.parts.includes('kustomize') ? await kustomizeFigures(ground) : undefined;
  const pod = wanted.parts.includes('pod') ? await podFigures(ground) : undefined;
  const apply = wanted.parts.includes('apply') ? await applyFigures(ground, wanted.isQuick) : undefined;
  const drift = wanted.parts.includes('drift') ? await driftFigures(ground, wanted) : undefined;
  if (wanted.jsonPath === undefined) return;
  await writeFile(
    wanted.jsonPath,
    `${JSON.stringify({ machine, agent: program, results, kustomize, pod, apply, drift }, undefined, 2)}\n`,
  );
}

async function kustomizeFigures(ground: Ground): Promise<KustomizeResult> {
  const result = await measureKustomize(ground, 100, 1_000);
  clearLine();
  print(`${kustomizeTables(result)}\n`);
  return result;
}

async function applyFigures(ground: Ground, isQuick: boolean): Promise<readonly ApplyResult[]> {
  const { kubectl } = await ensureTools(['kubectl'], {
    packageRoot: ROOT,
    env: process.env,
    signal: ground.signal,
    onProgress: sayStep,
  });
  const results: ApplyResult[] = [];
  for (const objects of isQuick ? [100, 1_000] : [1_000, 5_000]) {
    const result = await measureApply(ground, kubectl, objects);
    results.push(result);
    clearLine();
    print(`${applyTable(result)}\n`);
  }
  print(bytesPerObject(results));
  return results;
}

async function driftFigures(ground: Ground, { isQuick, edits }: Wanted): Promise<readonly DriftResult[]> {
  const effort = { edits, restMinutes: isQuick ? 1 : 5, statusSeconds: isQuick ? 5 : 20 };
  const results: DriftResult[] = [];
  for (const objects of isQuick ? [10, 100] : [10, 1_000, 5_000]) {
    const result = await measureDrift(ground, objects, effort);
    results.push(result);
    clearLine();
    print(`${driftTable(result)}\n`);
  }
  print(bytesPerObject(results));
  return results;
}

async function benchOfSops(files: number, program: AgentProgram, signal: AbortSignal): Promise<void> {
  print(`${Object.values(machineFacts()).join(', ')}\n\n`);
  const tools = await ensureTools(['sops', 'age-keygen'], {
    packageRoot: ROOT,
    env: process.env,
    signal,
    onProgress: sayStep,
  });
  print(await benchSops(tools, program, files, files * 100));
}

async function benchOfRotation(files: number, program: AgentProgram, signal: AbortSignal): Promise<void> {
  print(`${Object.values(machineFacts()).join(', ')}\n\n`);
  const options = { packageRoot: ROOT, env: process.env, signal, onProgress: sayStep };
  print(await benchRotate(await ensureTools(['sops', 'age-keygen'], options), program, files));
}

function sayStep({ tool, step }: { readonly tool: string; readonly step: string }): void {
  say(`${tool}: ${step}`);
}

/** Undefined where the machine or the build does not allow it; that is said. */
async function podFigures(ground: Ground): Promise<PodResult | undefined> {
  const lacks = ground.program.isBundle ? whyNoPods() : 'the bundle (npm run build)';
  if (lacks !== undefined) {
    print(`the agent in the shape of its Pod: not measured, it needs ${lacks}\n`);
    return undefined;
  }
  const result = await measurePod(ground);
  clearLine();
  print(podTable(result));
  return result;
}

function machineFacts(): Readonly<Record<string, string>> {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? 'unknown processor',
    cores: `${availableParallelism()} cores`,
    memory: `${(totalmem() / 1024 ** 3).toFixed(1)} GiB memory`,
    node: `Node ${process.version}`,
    at: new Date().toISOString(),
  };
}

function print(text: string): void {
  process.stdout.write(text);
}

/** What goes on now: one line that is replaced on a terminal. */
function say(text: string): void {
  clearLine();
  process.stderr.write(process.stderr.isTTY ? text : `${text}\n`);
}

function clearLine(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

async function main(): Promise<void> {
  const wanted = readArguments();
  if (wanted === undefined) return print(USAGE);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  try {
    await bench(wanted, stop.signal);
  } catch (thrown) {
    if (!stop.signal.aborted && !(thrown instanceof ToolsMissing)) throw thrown;
    process.stderr.write(`\n${stop.signal.aborted ? 'interrupted' : String(thrown)}\n`);
    process.exitCode = 1;
  }
}

await main();
