import { asSottoError } from '../core/errors.ts';
import { displayObject, type ObjectKey } from '../core/ids.ts';
import { type Json, stringAt } from '../core/json.ts';
import { RESTART_MANAGER, STAMP_ANNOTATION } from '../core/labels.ts';
import type { Refusal } from '../core/refusal.ts';
import { judgeEvent } from '../drift/judge.ts';
import type { LiveRecord } from '../drift/record.ts';
import { kubeError } from '../kube/errors.ts';
import { applyObject, getObject } from '../kube/objects.ts';
import type { ValueOpener } from '../apply/fill.ts';
import type { InventoryRow, RestartMark } from '../plan/inventory.ts';
import { pauseOf } from '../plan/pause.ts';
import type { Plan } from '../plan/plan.ts';
import { mustRestart, restartCase } from '../plan/restart.ts';
import type { DesiredObject, DesiredSet } from '../render/desired.ts';
import type { AgentContext } from './context.ts';
import { judgeContext } from './correction-run.ts';
import type { SyncRuntime } from './sync-runtime.ts';
import { valuesDigest } from './value-digest.ts';
import { writerOf } from './writer.ts';

export interface Restarts {
  readonly refusals: readonly Refusal[];
  /** Something failed that trying again may mend. */
  readonly retry: boolean;
  /** Workloads that nothing may be written to now, with digests of the former key. */
  readonly left: number;
}

/** After the objects of a pass: Pods of workloads that wish it are replaced where a value that they read has changed. */
export async function restartPods(
  agent: AgentContext,
  sync: SyncRuntime,
  { desired, decided }: { readonly desired: DesiredSet; readonly decided: Plan },
  opener: ValueOpener,
): Promise<Restarts> {
  const wanted = new Map(desired.objects.map((object) => [object.key, object]));
  const appliedNow = new Set(
    decided.steps.flatMap((step) => (step.action === 'apply' && step.reason === 'changed' ? [step.object.key] : [])),
  );
  const { current, former } = agent.fingerprint;
  const ends: StampEnd[] = [];
  let left = 0;
  for (const object of desired.objects) {
    const found = restartCase(object, {
      row: (key) => agent.inventory.row(key),
      wanted,
      isKeyChanging: former !== undefined,
    });
    if (found.kind === 'forget') remember(agent, object.key, undefined);
    if (found.kind !== 'open') continue;
    if (!isOurs(agent, sync, object.key)) {
      left += former === undefined ? 0 : 1;
      continue;
    }
    const known = agent.inventory.row(object.key)?.restart;
    try {
      const now = { ...found.seen, values: await valuesDigest(found.uses, opener, current) };
      const isChanged = mustRestart(known, now, appliedNow.has(object.key));
      const isDue =
        former === undefined
          ? isChanged
          : (isChanged && known?.values !== (await valuesDigest(found.uses, opener, former))) ||
            isOtherStamp(await liveStamp(agent, object), now.values);
      const end = isDue ? await stamp(agent, sync, object, now.values) : DONE;
      // A mark without its stamp would hide the change for good.
      if (end.refusal === undefined && !end.again) remember(agent, object.key, now);
      ends.push(end);
    } catch (thrown) {
      ends.push(refusedBy(object, asSottoError(thrown), false));
    }
  }
  return { refusals: ends.flatMap(({ refusal }) => refusal ?? []), retry: ends.some(({ again }) => again), left };
}

/** The digest that Pods carry, of whatever key. Throws SottoError where nobody answers. */
export async function liveStamp(agent: AgentContext, object: DesiredObject): Promise<string | undefined> {
  const { transport, signal } = agent;
  const resource = agent.catalog().find(object.apiVersion, object.id.kind);
  if (resource === undefined || resource.secret) return undefined;
  const { namespace, name } = object.id;
  const target = { resource, namespace, name, signal };
  const answer = await getObject(transport, target);
  if (!answer.ok) throw kubeError(answer.failure, { verb: 'get', ...target });
  return stringAt(answer.value, 'spec', 'template', 'metadata', 'annotations', STAMP_ANNOTATION);
}

function isOtherStamp(found: string | undefined, values: string): boolean {
  return found !== undefined && found !== values;
}

interface StampEnd {
  readonly refusal: Refusal | undefined;
  readonly again: boolean;
}

const DONE: StampEnd = { refusal: undefined, again: false };

function refusedBy(object: DesiredObject, error: ReturnType<typeof asSottoError>, again: boolean): StampEnd {
  const { file, line, id } = object;
  return { refusal: { error: error.at({ file, line, object: displayObject(id) }), file, id }, again };
}

/** The one that we applied, there, and not left alone by somebody's wish: else a later pass sees to it. */
function isOurs({ inventory, live, signal }: AgentContext, sync: SyncRuntime, key: ObjectKey): boolean {
  const row = inventory.row(key);
  if (row === undefined || row.sync !== sync.settings.name || signal.aborted) return false;
  if (live.uid(key) !== row.uid || live.isTerminating(key)) return false;
  return pauseOf(inventory.inventory.pauses, key, sync.settings.name) === undefined;
}

function remember({ inventory }: AgentContext, key: ObjectKey, restart: RestartMark | undefined): void {
  const row = inventory.row(key);
  if (row !== undefined) inventory.set({ ...row, restart });
}

async function stamp(agent: AgentContext, sync: SyncRuntime, object: DesiredObject, values: string): Promise<StampEnd> {
  const resource = agent.catalog().find(object.apiVersion, object.id.kind);
  const uid = agent.inventory.row(object.key)?.uid;
  if (resource === undefined || uid === undefined) return { refusal: undefined, again: true };
  const { namespace, name } = object.id;
  const asUser = writerOf(agent.place, sync.settings);
  const target = { resource, namespace, name, signal: agent.signal, asUser };
  return agent.lanes.run(object.key, 'commit', async () => {
    // Paused, gone or made anew while its values were opened, or while this waited for its turn.
    if (!isOurs(agent, sync, object.key)) return { refusal: undefined, again: true };
    const body = new TextEncoder().encode(JSON.stringify(stampOf(object, uid, values)));
    const answer = await applyObject(agent.transport, { ...target, fieldManager: RESTART_MANAGER, force: true, body });
    if (!answer.ok) {
      const error = kubeError(answer.failure, { verb: 'patch', ...target, user: asUser });
      return refusedBy(object, error, !answer.failure.permanent);
    }
    followAnswer(agent, object.key, answer.value.object);
    agent.log.info('Pods are replaced: a value that they read has changed', { object: displayObject(object.id) });
    return DONE;
  });
}

/** The uid is a precondition: without it an object that has just gone would be created, of nothing but a stamp. */
function stampOf({ apiVersion, id }: DesiredObject, uid: string, values: string): Json {
  const { kind, namespace, name } = id;
  const template = { metadata: { annotations: { [STAMP_ANNOTATION]: values } } };
  return { apiVersion, kind, metadata: { name, namespace, uid }, spec: { template } };
}

/** The row follows, so that a restart of the agent finds the workload as it left it. The watch tells the rest. */
function followAnswer(agent: AgentContext, key: ObjectKey, answer: Json): void {
  const row = agent.inventory.row(key);
  const record = agent.live.record(key);
  if (row === undefined || record === undefined) return;
  const verdict = judgeEvent(answer, record, { ...judgeContext(agent, key), applyInFlight: false });
  if (verdict.kind === 'in-sync') agent.inventory.set(rowAt(row, verdict.record));
}

function rowAt(row: InventoryRow, { goodRv, generation, ownTime }: LiveRecord): InventoryRow {
  return { ...row, resourceVersion: goodRv, generation: generation ?? 0, ownTime: ownTime ?? '' };
}
