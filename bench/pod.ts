import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { memberAt } from '../src/core/json.ts';
import { readManifests } from '../src/yaml/manifest.ts';
import { collectImage, type Image, type Pod, startPod } from '../test/harness/pod.ts';
import { sumOf } from './agent-process.ts';
import { repositoryOf } from './repository.ts';
import { percentile } from './statistics.ts';
import { createWorld, type Ground, type World } from './world.ts';

/** The agent in the shape of its Pod: read-only root, memory volume, network of its own, memory limit. Bytes and ms. */
export interface PodResult {
  readonly imageBytes: number;
  readonly limitBytes: number;
  readonly sizes: readonly PodSize[];
}

export interface PodSize {
  readonly objects: number;
  /** From spawn to the first 200 of /readyz; median of restarts with everything applied. */
  readonly startToReadyMs: number;
  readonly firstPass: PodMemory;
  readonly restarted: PodMemory;
}

export interface PodMemory {
  /** Resident pages of every process of the Pod, shared ones included. */
  readonly rssBytes: number;
  /** What counts into the limit and cannot be dropped: heaps and the memory volume. */
  readonly anonymousBytes: number;
  readonly volumeBytes: number;
  /** The highest total so far, file cache included. */
  readonly peakBytes: number;
}

const SIZES = [10, 1_000];
const RESTARTS = 5;
const QUIET_MS = 3_000;
const POLL_MS = 5;
const TIMEOUT_MS = 180_000;

export async function measurePod(ground: Ground): Promise<PodResult> {
  ground.say('pod: collecting the files of the image');
  await using image = await collectImage(ground.program.path);
  const sizes: PodSize[] = [];
  let limitBytes = 0;
  for (const objects of SIZES) {
    ground.signal.throwIfAborted();
    const measured = await measureSize(ground, image, objects);
    limitBytes = measured.limitBytes;
    sizes.push(measured.size);
  }
  return { imageBytes: image.bytes, limitBytes, sizes };
}

async function measureSize(ground: Ground, image: Image, objects: number) {
  const { git, key, tools } = ground;
  ground.say(`pod: ${objects} objects: writing and encrypting the repository`);
  const repository = await git.createRepository(`pod-${objects}`);
  await repository.commit((await repositoryOf(objects, key.recipient, tools)).files, 'everything');
  const world = await createWorld(ground, `pod-${objects}`, repository);
  const gitPort = Number(new URL(git.url(repository)).port);
  const start = (): Promise<Pod> => podOf(ground, world, image, gitPort);
  ground.say(`pod: ${objects} objects: first pass`);
  const first = await inPod(start, ground.signal);
  ground.say(`pod: ${objects} objects: ${RESTARTS} restarts`);
  const restarts = [];
  for (let i = 0; i < RESTARTS; i++) restarts.push(await inPod(start, ground.signal));
  const times = restarts.map(({ readyMs }) => readyMs);
  const last = restarts.at(-1) ?? first;
  const size: PodSize = {
    objects,
    startToReadyMs: percentile(times, 50),
    firstPass: first.memory,
    restarted: last.memory,
  };
  return { limitBytes: first.limitBytes, size };
}

async function podOf({ plane }: Ground, world: World, image: Image, gitPort: number): Promise<Pod> {
  const file = join(import.meta.dirname, '..', 'deploy/base/deployment.yaml');
  const deployment = readManifests(await readFile(file, 'utf8'), file)[0]?.value;
  return startPod({
    image,
    template: memberAt(deployment, 'spec', 'template') ?? null,
    namespace: world.namespace,
    token: world.account.token,
    caPath: plane.access.caPath,
    apiPort: plane.access.port,
    gitPort,
  });
}

async function inPod(start: () => Promise<Pod>, signal: AbortSignal) {
  await using pod = await start();
  const startedMs = pod.startedMs;
  pod.child.stdout.resume();
  pod.child.stderr.resume();
  const ask = async (path: string): Promise<string | undefined> => {
    const answer = await fetch(`http://127.0.0.1:${pod.port}/${path}`, { signal }).catch(() => undefined);
    return answer?.status === 200 ? answer.text() : undefined;
  };
  await until('/readyz', async () => (await ask('readyz')) !== undefined, signal);
  const readyMs = performance.now() - startedMs;
  await until('a pass', async () => sumOf((await ask('metrics')) ?? '', 'sotto_passes_total', {}) > 0, signal);
  await sleep(QUIET_MS, undefined, { signal });
  const { anonymousBytes, volumeBytes, peakBytes } = await pod.memory.used();
  const memory = { rssBytes: await residentBytes(pod), anonymousBytes, volumeBytes, peakBytes };
  return { readyMs, memory, limitBytes: pod.memory.limitBytes };
}

async function until(what: string, holds: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + TIMEOUT_MS;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`the agent in its Pod never came to ${what}`);
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** The agent and what it has started. */
async function residentBytes(pod: Pod): Promise<number> {
  const pids = (await readFile(pod.memory.procs, 'utf8')).split('\n').filter((pid) => pid !== '');
  const resident = await Promise.all(
    pids.map(async (pid) => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    }),
  );
  return resident.reduce((sum, bytes) => sum + bytes, 0);
}
