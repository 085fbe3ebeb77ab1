import { setTimeout as sleep } from 'node:timers/promises';
import { stringAt } from '../src/core/json.ts';
import type { TestRepository } from '../src/demo/git-server.ts';
import type { AgentProcess, Memory } from './agent-process.ts';
import { type HandEdits, measureHandEdits } from './hand-edits.ts';
import { followObjects, type LiveObjects, type WatchedKind } from './live-objects.ts';
import { configMapFile, configMapPath, type RepositoryContent, repositoryOf } from './repository.ts';
import { percentile, shuffled } from './statistics.ts';
import { createWorld, DEFAULT_INTERVAL, type Ground, type RequestCount, type World } from './world.ts';

/** Milliseconds, bytes and requests of one size. */
export interface SizeResult {
  readonly objects: number;
  readonly firstCommit: CommitTimes & { readonly requests: RequestCount; readonly cpuMs: number };
  readonly memory: { readonly afterPass: Memory; readonly afterRestart: Memory };
  readonly oneObject: CommitTimes & { readonly commits: number; readonly requestsPerCommit: number };
  readonly handEdit: HandEdits;
  readonly quietMinute: { readonly requests: RequestCount; readonly gitRequests: number; readonly cpuMs: number };
  readonly restart: Restart;
  readonly fromNothing: { readonly startToAppliedMs: number; readonly requests: RequestCount };
}

export interface CommitTimes {
  readonly pushToLiveMs: number;
  /** From the question to the Git server that found the commit. */
  readonly askedToLiveMs: number;
}

export interface Restart {
  /** Median: from spawn to the end of the first pass, everything judged and nothing to do. */
  readonly startToReadyMs: number;
  readonly requests: RequestCount;
  readonly decrypts: number;
  readonly cpuMs: number;
}

export const MEMORY_AFTER_MS = 3_000;
export const SETTLE_MS = 12_000;
const QUIET_MS = 60_000;
const ONE_OBJECT_COMMITS = 10;
const RESTARTS = 5;

/** Everything for one number of objects, in a namespace and a repository of its own. */
export async function measureSize(ground: Ground, objects: number, edits: number): Promise<SizeResult> {
  const { git, key, tools, plane, signal } = ground;
  const step = (text: string): void => ground.say(`${objects} objects: ${text}`);
  step('writing and encrypting the repository');
  const content = await repositoryOf(objects, key.recipient, tools);
  const repository = await git.createRepository(`bench-${objects}`);
  await repository.commit({ [configMapPath(SEED)]: configMapFile(SEED, 0) }, 'seed');
  const world = await createWorld(ground, `bench-${objects}`, repository);
  using live = await followObjects({ access: plane.access, namespace: world.namespace, signal });
  const size: Size = { ground, world, repository, content, live };

  const first = await measureRunning(size, edits, step);
  step(`${RESTARTS} restarts on an unchanged repository`);
  const { restart, afterRestart } = await measureRestarts(size);
  step('start in an empty namespace');
  const fromNothing = await measureFromNothing(size);
  const { afterPass, ...measured } = first;
  return { objects, ...measured, memory: { afterPass, afterRestart }, restart, fromNothing };
}

/** An object that is there before the measured commit: the agent has passed once when that comes. */
export const SEED = 'app-seed-config';

export interface Size {
  readonly ground: Ground;
  readonly world: World;
  readonly repository: TestRepository;
  readonly content: RepositoryContent;
  /** Files of the first commit that are no objects. */
  readonly beside?: Readonly<Record<string, string>>;
  readonly live: LiveObjects;
}

/** What one agent does from its first commit to a minute of quiet. */
async function measureRunning(size: Size, edits: number, step: (text: string) => void) {
  const { ground, world, content } = size;
  const { signal, git } = ground;
  await using agent = await world.start();
  await agent.passed();
  step('first commit');
  const firstCommit = await measureFirstCommit(size, agent);
  await sleep(MEMORY_AFTER_MS, undefined, { signal });
  const afterPass = await agent.memory();
  step(`${ONE_OBJECT_COMMITS} commits of one object`);
  const oneObject = await measureOneObject(size, agent);
  step(`${edits} hand edits`);
  const commit = (files: Readonly<Record<string, string>>, name: string, revision: number) =>
    commitAndSee(size, agent, files, name, revision);
  const handEdit = await measureHandEdits(ground, { ...size, configMaps: content.configMaps, commit }, edits);
  step('a quiet minute');
  await world.settings(DEFAULT_INTERVAL);
  await sleep(SETTLE_MS, undefined, { signal });
  const [mark, gitBefore, cpuBefore] = [await ground.plane.auditMark(), git.requests.length, await cpuMs(agent)];
  await sleep(QUIET_MS, undefined, { signal });
  const quietMinute = {
    requests: await world.requests(mark),
    gitRequests: git.requests.length - gitBefore,
    cpuMs: (await cpuMs(agent)) - cpuBefore,
  };
  return { firstCommit, afterPass, oneObject, handEdit, quietMinute };
}

export async function measureFirstCommit(size: Size, agent: AgentProcess): Promise<SizeResult['firstCommit']> {
  const { ground, world, repository, content, beside, live } = size;
  await sleep(SETTLE_MS, undefined, { signal: ground.signal });
  const prepared = await repository.commit({ ...content.files, ...beside }, 'everything', {
    branch: 'prepared',
    parent: await repository.head(),
  });
  const [mark, cpuBefore] = [await ground.plane.auditMark(), await cpuMs(agent)];
  const times = await pushAndSee(size, agent, prepared, () => lastLive(live, content));
  // The inventory and the status document follow.
  await sleep(SETTLE_MS, undefined, { signal: ground.signal });
  return { ...times, requests: await world.requests(mark), cpuMs: (await cpuMs(agent)) - cpuBefore };
}

/** When the last object of the repository came, once all are there. */
function lastLive(live: LiveObjects, content: RepositoryContent): number | undefined {
  if (live.count < Object.keys(content.files).length) return undefined;
  const names = Object.values(content.files).map((text) => ({
    kind: watchedKind(/^kind: (\w+)$/m.exec(text)?.[1]),
    name: /^ {2,4}name: (\S+)$/m.exec(text)?.[1] ?? '',
  }));
  const seen = names.map(({ kind, name }) => live.get(kind, name)?.atMs);
  if (seen.includes(undefined)) return undefined;
  return Math.max(...seen.map((atMs) => atMs ?? 0));
}

function watchedKind(text: string | undefined): WatchedKind {
  const kinds: readonly WatchedKind[] = ['ConfigMap', 'Secret', 'Deployment', 'Service'];
  const found = kinds.find((kind) => kind === text);
  if (found === undefined) throw new TypeError(`no ${text ?? 'kind'} is watched`);
  return found;
}

export async function measureOneObject(size: Size, agent: AgentProcess): Promise<SizeResult['oneObject']> {
  const { ground, world, content } = size;
  const mark = await ground.plane.auditMark();
  const times: CommitTimes[] = [];
  for (let i = 1; i <= ONE_OBJECT_COMMITS; i++) {
    const [name = ''] = shuffled(content.configMaps);
    const files = { [configMapPath(name)]: configMapFile(name, i) };
    times.push(await commitAndSee(size, agent, files, name, i));
  }
  await sleep(SETTLE_MS, undefined, { signal: ground.signal });
  return {
    commits: times.length,
    pushToLiveMs: percentile(
      times.map(({ pushToLiveMs }) => pushToLiveMs),
      50,
    ),
    askedToLiveMs: percentile(
      times.map(({ askedToLiveMs }) => askedToLiveMs),
      50,
    ),
    requestsPerCommit: (await world.requests(mark)).total / times.length,
  };
}

export async function commitAndSee(
  size: Size,
  agent: AgentProcess,
  files: Readonly<Record<string, string>>,
  name: string,
  revision: number,
): Promise<CommitTimes> {
  const { repository, live } = size;
  const commit = await repository.commit(files, `revision ${revision}`, {
    branch: 'prepared',
    parent: await repository.head(),
  });
  return pushAndSee(size, agent, commit, () => {
    const seen = live.get('ConfigMap', name);
    return stringAt(seen?.object, 'data', 'revision') === String(revision) ? seen?.atMs : undefined;
  });
}

/** A push is the moment at which the branch points at the commit; its objects are in the repository before. */
async function pushAndSee(
  { repository, live }: Size,
  agent: AgentProcess,
  commit: string,
  isLive: () => number | undefined,
): Promise<CommitTimes> {
  await repository.forceTo(commit);
  const pushedMs = performance.now();
  const liveMs = await live.until('the commit is live', isLive);
  const askedAt = (await agent.metric('sotto_source_asked_timestamp_seconds')) * 1000;
  return { pushToLiveMs: liveMs - pushedMs, askedToLiveMs: liveMs - (askedAt - performance.timeOrigin) };
}

export async function measureRestarts({
  ground,
  world,
}: Pick<Size, 'ground' | 'world'>): Promise<{ restart: Restart; afterRestart: Memory }> {
  const times: number[] = [];
  let last: Omit<Restart, 'startToReadyMs'> | undefined;
  let afterRestart: Memory | undefined;
  for (let i = 0; i < RESTARTS; i++) {
    const mark = await ground.plane.auditMark();
    await using agent = await world.start();
    times.push((await agent.passed()) - agent.startedMs);
    const cpu = await cpuMs(agent);
    if (i < RESTARTS - 1) continue;
    await sleep(MEMORY_AFTER_MS, undefined, { signal: ground.signal });
    afterRestart = await agent.memory();
    const decrypts = await agent.metric('sotto_decrypts_total');
    last = { requests: await world.requests(mark), decrypts, cpuMs: cpu };
  }
  if (last === undefined || afterRestart === undefined) throw new TypeError('no restart was measured');
  return { restart: { startToReadyMs: percentile(times, 50), ...last }, afterRestart };
}

/** A namespace of its own with the same repository: the agent finds nothing but its settings. */
async function measureFromNothing({ ground, repository, world, content }: Size): Promise<SizeResult['fromNothing']> {
  const { plane, signal } = ground;
  const empty = await createWorld(ground, `${world.namespace}-fresh`, repository);
  using live = await followObjects({ access: plane.access, namespace: empty.namespace, signal });
  const mark = await plane.auditMark();
  await using agent = await empty.start();
  const appliedMs = await live.until('everything is applied', () => lastLive(live, content));
  await sleep(MEMORY_AFTER_MS, undefined, { signal });
  return { startToAppliedMs: appliedMs - agent.startedMs, requests: await empty.requests(mark) };
}

/** User and system time of the agent; the git processes it starts are not in it. */
export async function cpuMs(agent: AgentProcess): Promise<number> {
  return (await agent.metric('process_cpu_seconds_total')) * 1000;
}
