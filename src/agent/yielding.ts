import { withoutFields } from '../apply/without-fields.ts';
import { type Closed, isClosedObject, SecretRef } from '../core/closed.ts';
import type { ObjectKey } from '../core/ids.ts';
import { type Json, memberAt } from '../core/json.ts';
import { type FieldPath, isMember, pathsOf, setOf, union } from '../drift/fields.ts';
import { REPLICAS } from '../drift/losses.ts';
import { unpackSet } from '../drift/packed.ts';
import { isIgnoredPath } from '../drift/policy.ts';
import { applyObject, getObject } from '../kube/objects.ts';
import { apiVersionOf, type Resource } from '../kube/resource.ts';
import type { DesiredObject } from '../render/desired.ts';
import type { AgentContext } from './context.ts';
import { policyOf } from './drift-policy.ts';
import type { SyncRuntime } from './sync-runtime.ts';
import { writerOf } from './writer.ts';

/** Paths left to others are not sent: force would steal them back (spec/drift.md 3.4). */
export function withoutYielded(
  agent: Pick<AgentContext, 'live'>,
  key: ObjectKey,
  object: DesiredObject,
  fresh: readonly FieldPath[] = [],
): DesiredObject {
  return without(object, pathsOf(union(agent.live.yielded(key), setOf(fresh))));
}

function without(object: DesiredObject, paths: readonly FieldPath[]): DesiredObject {
  return paths.length === 0 ? object : { ...object, tree: withoutFields(object.tree, paths) };
}

/** What a pass sends: a yielded path is ours again when Git changed its value, or when the autoscaler has gone. */
export async function bodyOf(agent: AgentContext, sync: SyncRuntime, object: DesiredObject): Promise<DesiredObject> {
  const yielded = pathsOf(agent.live.yielded(object.key));
  if (yielded.length === 0) return object;
  const before = sync.desired.get(object.key);
  const policy = policyOf(agent.syncs, agent.inventory.row(object.key), object.key);
  const left: FieldPath[] = [];
  for (const path of yielded) {
    const isSettled = isIgnoredPath(path, policy) || before === undefined;
    if (!isSettled && isChanged(valueAt(before.tree, path), valueAt(object.tree, path))) continue;
    const isReplicas = path.join() === REPLICAS.join() && !isIgnoredPath(path, policy);
    if (isReplicas && (await agent.isAutoscaled(object.id)) === 'no') continue;
    left.push(path);
  }
  return without(object, left);
}

function isChanged(before: Closed | undefined, after: Closed | undefined): boolean {
  return after !== undefined && comparable(before) !== comparable(after);
}

function comparable(value: Closed | undefined): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (each instanceof SecretRef) return each.cipher.text;
    return typeof each === 'bigint' ? String(each) : each;
  });
}

/** Undefined below a list too: an item is not looked for. */
function valueAt(tree: Closed | undefined, path: FieldPath): Closed | undefined {
  let value = tree;
  for (const token of path) {
    const name = token.slice(2);
    if (!token.startsWith('f:') || !isClosedObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

/** Named so that whoever reads managedFields knows what it is for. Never our own: ours drops the field. */
const KEEPER = 'sotto-replicas';

/**
 * Git drops `replicas` so that an autoscaler may have them. While they are ours, dropping them means one replica until
 * the autoscaler looks again: another manager holds the number meanwhile (spec/drift.md row 17). Best effort.
 */
export async function keepReplicas(
  agent: AgentContext,
  sync: SyncRuntime,
  object: DesiredObject,
  resource: Resource,
): Promise<void> {
  const record = agent.live.record(object.key);
  const isOurs = record !== undefined && isMember(unpackSet(record.ownSet), REPLICAS);
  if (!isOurs || resource.secret || valueAt(object.tree, REPLICAS) !== undefined) return;
  if ((await agent.isAutoscaled(object.id)) !== 'yes') return;
  const { transport, signal, place } = agent;
  const { namespace, name, kind } = object.id;
  const live = await getObject(transport, { resource, namespace, name, signal });
  const replicas: Json | undefined = live.ok ? memberAt(live.value, 'spec', 'replicas') : undefined;
  if (replicas === undefined) return;
  const body = { apiVersion: apiVersionOf(resource), kind, metadata: { name, namespace }, spec: { replicas } };
  const answer = await applyObject(transport, {
    resource,
    namespace,
    name,
    signal,
    asUser: writerOf(place, sync.settings),
    fieldManager: KEEPER,
    force: false,
    body: new TextEncoder().encode(JSON.stringify(body)),
  });
  if (!answer.ok) agent.log.warn('the number of replicas could not be kept for the autoscaler', { object: name });
}

/** What an autoscaler had is looked at again: who has lost his asks for the number of Git. */
export function freeReplicas(agent: AgentContext): void {
  for (const sync of agent.syncs.values()) {
    const freed = [...sync.desired.keys()].filter((key) => isMember(agent.live.yielded(key), REPLICAS));
    for (const key of freed) agent.live.doubt(key);
    if (freed.length === 0) continue;
    sync.stale = true;
    agent.wake(sync.settings.name);
  }
}
