import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestRepository } from '../src/demo/git-server.ts';
import type { Memory } from './agent-process.ts';
import { followObjects } from './live-objects.ts';
import { measureFirstCommit, measureOneObject, measureRestarts, MEMORY_AFTER_MS, SEED, type Size } from './measure.ts';
import { kustomizationsOf, type KustomizedContent, overlaysOf } from './overlays.ts';
import { childPeak, cpuOf, peakRssOf } from './process-figures.ts';
import { configMapFile, configMapPath, repositoryOf } from './repository.ts';
import { stagedPass, type Stages } from './stages.ts';
import { percentile } from './statistics.ts';
import { stockLoop, stockOnce } from './stock-loop.ts';
import { createWorld, type Ground } from './world.ts';

/** Milliseconds and bytes. */
export interface KustomizeResult {
  readonly overlays: OverlaysResult;
  /** A commit of one file, without the API server. */
  readonly oneFile: { readonly files: number; readonly stages: Stages };
  readonly plain: AgentCost;
  readonly kustomized: AgentCost;
}

export interface Cost {
  readonly tookMs: number;
  readonly cpuMs: number;
}

export interface OverlaysResult {
  readonly overlays: number;
  readonly objects: number;
  /** From the Git server to the desired set, nothing remembered. */
  readonly sotto: Cost & { readonly stages: Stages };
  /** The same again: tokens are remembered, files are known. */
  readonly again: Cost & { readonly stages: Stages };
  readonly loop: Cost;
  readonly once: Cost;
}

/** What an agent costs with the same objects, as plain files or built. */
export interface AgentCost {
  readonly objects: number;
  readonly firstCommitMs: number;
  readonly oneObjectMs: number;
  readonly oneObjectAskedMs: number;
  readonly afterPass: Memory;
  readonly peakRss: number;
  readonly childPeakRss: number;
  readonly restartMs: number;
  readonly afterRestart: Memory;
  /** Per commit of one object: of the agent, and of the programs that it starts. */
  readonly cpuPerCommit: { readonly own: number; readonly children: number };
}

const ROUNDS = 3;
const COMMITS = 7;

export async function measureKustomize(ground: Ground, overlays: number, objects: number): Promise<KustomizeResult> {
  const measured = await measureOverlays(ground, overlays);
  const content = await repositoryOf(objects, ground.key.recipient, ground.tools);
  ground.say(`${objects} objects: the parts of a commit of one file`);
  const beside = kustomizationsOf([...Object.keys(content.files), configMapPath(SEED)]);
  const repository = await ground.git.createRepository(`stages-${objects}`);
  await repository.commit({ ...content.files, ...beside, [configMapPath(SEED)]: configMapFile(SEED, 0) }, 'all');
  const stages = await measureOneFile(ground, repository, content.configMaps);
  const files = Object.keys(content.files).length + Object.keys(beside).length + 1;
  ground.say(`${objects} objects: an agent with plain files`);
  const plain = await measureAgent(ground, `plain-${objects}`, content, {});
  ground.say(`${objects} objects: an agent with a kustomization`);
  const kustomized = await measureAgent(ground, `kustomize-${objects}`, content, beside);
  return { overlays: measured, oneFile: { files, stages }, plain, kustomized };
}

/** Takes turns, so that both sides meet the same machine. */
async function measureOverlays(ground: Ground, count: number): Promise<OverlaysResult> {
  ground.say(`${count} overlays: writing and encrypting`);
  const content = await overlaysOf(count, ground.key, ground.tools);
  const repository = await ground.git.createRepository(`overlays-${count}`);
  await repository.commit(content.files, 'all');
  const checkout = await checkedOut(ground, content);
  const first: StagedCost[] = [];
  const again: StagedCost[] = [];
  const [loop, once]: [Cost[], Cost[]] = [[], []];
  for (let round = 1; round <= ROUNDS; round += 1) {
    ground.say(`${count} overlays: round ${round} of ${ROUNDS}`);
    ground.signal.throwIfAborted();
    loop.push(await costOf(() => stockLoop(ground, content, checkout)));
    once.push(await costOf(() => stockOnce(ground, content, checkout)));
    await using staged = await stagedPass(ground, repository);
    first.push(await stagedCost(() => staged.pass()));
    again.push(await stagedCost(() => staged.pass()));
  }
  await rm(checkout, { recursive: true });
  const { objects } = content;
  return {
    overlays: count,
    objects,
    sotto: median(first),
    again: median(again),
    loop: median(loop),
    once: median(once),
  };
}

async function checkedOut({ folder }: Ground, { files }: KustomizedContent): Promise<string> {
  const checkout = await mkdtemp(join(folder, 'checkout-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(checkout, path)), { recursive: true });
    await writeFile(join(checkout, path), text);
  }
  return checkout;
}

type StagedCost = Cost & { readonly stages: Stages };

async function stagedCost(pass: () => Promise<{ readonly stages: Stages }>): Promise<StagedCost> {
  let stages: Stages | undefined;
  const cost = await costOf(async () => {
    stages = (await pass()).stages;
  });
  if (stages === undefined) throw new TypeError('the pass has ended');
  return { ...cost, stages };
}

/** Of this process and the programs that it starts. */
async function costOf(task: () => Promise<void>): Promise<Cost> {
  const [startMs, before] = [performance.now(), cpuOf(process.pid)];
  await task();
  const [tookMs, after] = [performance.now() - startMs, cpuOf(process.pid)];
  return { tookMs, cpuMs: after.own + after.children - before.own - before.children };
}

function median<T extends Cost>(costs: readonly T[]): T {
  const tookMs = percentile(
    costs.map((cost) => cost.tookMs),
    50,
  );
  const found = costs.find((cost) => cost.tookMs === tookMs);
  if (found === undefined) throw new TypeError('nothing was measured');
  return found;
}

async function measureOneFile(ground: Ground, repository: TestRepository, names: readonly string[]): Promise<Stages> {
  await using staged = await stagedPass(ground, repository);
  await staged.pass();
  const measured: Stages[] = [];
  for (const [index, name] of names.slice(0, COMMITS).entries()) {
    await repository.commit({ [configMapPath(name)]: configMapFile(name, index + 1) }, 'one file');
    measured.push((await staged.pass()).stages);
  }
  const of = (stage: keyof Stages): number =>
    percentile(
      measured.map((stages) => stages[stage]),
      50,
    );
  return {
    fetch: of('fetch'),
    scan: of('scan'),
    closing: of('closing'),
    kustomize: of('kustomize'),
    accounting: of('accounting'),
    plan: of('plan'),
  };
}

async function measureAgent(
  ground: Ground,
  name: string,
  content: Size['content'],
  beside: Readonly<Record<string, string>>,
): Promise<AgentCost> {
  const { git, plane, signal } = ground;
  const repository = await git.createRepository(name);
  const seed = Object.keys(beside).length === 0 ? {} : kustomizationsOf([configMapPath(SEED)]);
  await repository.commit({ [configMapPath(SEED)]: configMapFile(SEED, 0), ...seed }, 'seed');
  const world = await createWorld(ground, name, repository);
  using live = await followObjects({ access: plane.access, namespace: world.namespace, signal });
  const size: Size = { ground, world, repository, content, beside, live };
  const running = await measureRunning(size);
  const { restart, afterRestart } = await measureRestarts(size);
  return { objects: Object.keys(content.files).length, ...running, restartMs: restart.startToReadyMs, afterRestart };
}

async function measureRunning(size: Size) {
  await using agent = await size.world.start();
  await agent.passed();
  using peak = childPeak(agent.pid, 'kustomize');
  const { pushToLiveMs: firstCommitMs } = await measureFirstCommit(size, agent);
  await sleep(MEMORY_AFTER_MS, undefined, { signal: size.ground.signal });
  const afterPass = await agent.memory();
  const peakRss = peakRssOf(agent.pid);
  const before = cpuOf(agent.pid);
  const one = await measureOneObject(size, agent);
  const after = cpuOf(agent.pid);
  return {
    firstCommitMs,
    oneObjectMs: one.pushToLiveMs,
    oneObjectAskedMs: one.askedToLiveMs,
    afterPass,
    peakRss,
    childPeakRss: peak.bytes(),
    cpuPerCommit: {
      own: (after.own - before.own) / one.commits,
      children: (after.children - before.children) / one.commits,
    },
  };
}
