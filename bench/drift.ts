import { setTimeout as sleep } from 'node:timers/promises';
import type { Memory } from './agent-process.ts';
import { type HandEdits, measureHandEdits } from './hand-edits.ts';
import { followObjects } from './live-objects.ts';
import { commitAndSee, cpuMs, measureFirstCommit, MEMORY_AFTER_MS, SEED, SETTLE_MS, type Size } from './measure.ts';
import { MORE_KINDS, moreKinds, RULES_FOR_MORE } from './more-kinds.ts';
import { configMapFile, configMapPath, repositoryOf } from './repository.ts';
import { aligned, count, floorNote, mebi, plain, type Row, time } from './report.ts';
import { createWorld, DEFAULT_INTERVAL, type Ground, type RequestCount } from './world.ts';

/** Drift among so many objects of twelve kinds. */
export interface DriftResult {
  readonly objects: number;
  readonly handEdit: HandEdits;
  readonly rest: { readonly minutes: number; readonly requests: RequestCount; readonly cpuMs: number };
  readonly statusUpdates: { readonly sent: number; readonly tookMs: number; readonly cpuMs: number };
  readonly memory: Memory;
}

const KINDS = 4 + MORE_KINDS;
const STATUS_UPDATES_PER_SECOND = 100;

export interface DriftEffort {
  readonly edits: number;
  readonly restMinutes: number;
  readonly statusSeconds: number;
}

/** One agent: its first commit, hand edits, status updates of Deployments that nobody has to undo, and rest. */
export async function measureDrift(ground: Ground, objects: number, effort: DriftEffort): Promise<DriftResult> {
  const step = (text: string): void => ground.say(`drift, ${objects} objects: ${text}`);
  step('writing and encrypting the repository');
  const content = await repositoryOf(objects, ground.key.recipient, ground.tools);
  const repository = await ground.git.createRepository(`drift-${objects}`);
  await repository.commit({ [configMapPath(SEED)]: configMapFile(SEED, 0), ...moreKinds() }, 'seed');
  const world = await createWorld(ground, `drift-${objects}`, repository, RULES_FOR_MORE);
  const { access } = ground.plane;
  using live = await followObjects({ access, namespace: world.namespace, signal: ground.signal });
  const size: Size = { ground, world, repository, content, live };
  await using agent = await world.start();
  await agent.passed();
  step('first commit');
  await measureFirstCommit(size, agent);
  await sleep(MEMORY_AFTER_MS, undefined, { signal: ground.signal });
  const memory = await agent.memory();
  step(`${effort.edits} hand edits`);
  const commit = (files: Readonly<Record<string, string>>, name: string, revision: number) =>
    commitAndSee(size, agent, files, name, revision);
  const handEdit = await measureHandEdits(
    ground,
    { world, live, configMaps: content.configMaps, commit },
    effort.edits,
  );
  await world.settings(DEFAULT_INTERVAL);
  await sleep(SETTLE_MS, undefined, { signal: ground.signal });
  step(`${STATUS_UPDATES_PER_SECOND} status updates a second for ${effort.statusSeconds} s`);
  const cpuBefore = await cpuMs(agent);
  const updates = await updateStatus(size, effort.statusSeconds);
  const statusUpdates = { ...updates, cpuMs: (await cpuMs(agent)) - cpuBefore };
  await sleep(SETTLE_MS, undefined, { signal: ground.signal });
  step(`${effort.restMinutes} minutes at rest`);
  const [mark, restBefore] = [await ground.plane.auditMark(), await cpuMs(agent)];
  await sleep(effort.restMinutes * 60_000, undefined, { signal: ground.signal });
  const requests = await world.requests(mark);
  const rest = { minutes: effort.restMinutes, requests, cpuMs: (await cpuMs(agent)) - restBefore };
  return { objects, handEdit, rest, statusUpdates, memory };
}

/** As a controller does it: the status subresource of one Deployment after the other, on a schedule. */
async function updateStatus({ ground, world, content }: Size, seconds: number) {
  const names = Object.keys(content.files).flatMap((path) => /^deploy\/(.+)\/deployment\.yaml$/.exec(path)?.[1] ?? []);
  const startedMs = performance.now();
  const total = seconds * STATUS_UPDATES_PER_SECOND;
  const running: Promise<unknown>[] = [];
  for (let sent = 0; sent < total; sent++) {
    const dueMs = startedMs + (sent * 1_000) / STATUS_UPDATES_PER_SECOND - performance.now();
    if (dueMs > 1) await sleep(dueMs, undefined, { signal: ground.signal });
    const name = names[sent % names.length] ?? '';
    const path = `/apis/apps/v1/namespaces/${world.namespace}/deployments/${name}/status`;
    const body = { status: { observedGeneration: 1, collisionCount: sent } };
    running.push(ground.plane.admin('PATCH', path, body));
  }
  await Promise.all(running);
  return { sent: total, tookMs: performance.now() - startedMs };
}

export function driftTable({ objects, handEdit, rest, statusUpdates, memory }: DriftResult): string {
  const { sotto, floor, toPatch, edits, requestsPerEdit } = handEdit;
  const perHour = (requests: number): string => count((requests * 60) / rest.minutes);
  const perSecond = statusUpdates.sent / (statusUpdates.tookMs / 1_000);
  const rows: Row[] = [
    plain('edit → PATCH arrives, p50', time(toPatch.sotto.p50), floorNote(toPatch.floor.p50, toPatch.sotto.p50)),
    plain('edit → PATCH arrives, p99', time(toPatch.sotto.p99), floorNote(toPatch.floor.p99, toPatch.sotto.p99)),
    plain('edit → restored, p50', time(sotto.p50), floorNote(floor.p50, sotto.p50)),
    plain('edit → restored, p99', time(sotto.p99), floorNote(floor.p99, sotto.p99)),
    plain('  requests', count(requestsPerEdit), `${edits} edits, one after another`),
    plain(
      'requests per hour at rest',
      perHour(rest.requests.total),
      `${rest.minutes} minutes; watches opened again: ${rest.requests.watchesOpened}`,
    ),
    plain('  CPU per hour', time((rest.cpuMs * 60) / rest.minutes)),
    plain(
      `CPU during ${count(perSecond)} status updates/s`,
      `${((statusUpdates.cpuMs / statusUpdates.tookMs) * 100).toFixed(1)} %`,
      `of one core; ${((statusUpdates.cpuMs / statusUpdates.sent) * 1_000).toFixed(0)} µs each`,
    ),
    plain('resident', mebi(memory.rss)),
    plain('private', mebi(memory.private)),
  ];
  return `Drift among ${count(objects)} objects, ${KINDS} kinds\n${aligned(rows)}\n`;
}
