import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Json, stringAt } from '../src/core/json.ts';
import { startServer } from '../src/demo/child-process.ts';
import { followObjects, type LiveObjects } from './live-objects.ts';
import { reactionTimes } from './reactions.ts';
import { configMapFile, configMapPath } from './repository.ts';
import { shuffled, type Spread, spreadOf } from './statistics.ts';
import type { Ground, World } from './world.ts';

export interface HandEdits {
  readonly edits: number;
  /** Milliseconds from sending the edit to seeing the object as Git wants it. */
  readonly sotto: Spread;
  readonly floor: Spread;
  /** Milliseconds from the end of the edit to the arrival of the PATCH, by the audit log. */
  readonly toPatch: { readonly sotto: Spread; readonly floor: Spread };
  /** Requests of the agent for one edit, inventory and Events included: mean of the first round. */
  readonly requestsPerEdit: number;
}

export interface EditedWorld {
  readonly world: World;
  readonly live: LiveObjects;
  readonly configMaps: readonly string[];
  /** Commits files and waits until `name` has the revision. */
  commit(files: Readonly<Record<string, string>>, name: string, revision: number): Promise<unknown>;
}

const WANTED = 'info';
const FLOOR_NAME = 'floor';
const EDITOR = 'kubectl-edit';
/** The fifth correction of one object within a minute is slowed down on purpose (spec/drift.md 3.7). */
const EDITS_PER_OBJECT = 4;
/** The inventory follows corrections within ten seconds, Events a little later. */
const SETTLE_MS = 12_000;

/**
 * Edits one value of random ConfigMaps by hand, one after another, each awaited; in turn with as many edits of a
 * ConfigMap that a bare loop restores, so that both see the same machine.
 */
export async function measureHandEdits(ground: Ground, edited: EditedWorld, edits: number): Promise<HandEdits> {
  const { world, live, configMaps } = edited;
  await using cleanup = new AsyncDisposableStack();
  const floor = cleanup.use(await startFloor(ground, `${world.namespace}-floor`));
  const [sotto, bare]: [number[], number[]] = [[], []];
  const mark = await ground.plane.auditMark();
  let requestsPerEdit = 0;
  for (let round = 1; sotto.length < edits; round++) {
    const names = shuffled(Array.from({ length: EDITS_PER_OBJECT }, () => configMaps).flat());
    for (const name of names.slice(0, edits - sotto.length)) {
      sotto.push(await editUntilRestored(ground, live, world.namespace, name));
      bare.push(await editUntilRestored(ground, floor.live, floor.namespace, FLOOR_NAME));
    }
    if (round === 1) {
      await sleep(SETTLE_MS, undefined, { signal: ground.signal });
      requestsPerEdit = (await world.requests(mark)).total / sotto.length;
    }
    // A commit that changes an object forgets who fought over it: with few objects another round can follow.
    const [first = ''] = configMaps;
    const revision = 1_000_000 + round;
    const files = Object.fromEntries(configMaps.map((name) => [configMapPath(name), configMapFile(name, revision)]));
    if (sotto.length < edits) await edited.commit(files, first, revision);
  }
  const entries = await ground.plane.auditEntries({ since: mark });
  const toPatch = {
    sotto: reactionTimes(entries, EDITOR, world.account.user),
    floor: reactionTimes(entries, EDITOR, floor.user),
  };
  return { edits, sotto: spreadOf(sotto), floor: spreadOf(bare), toPatch, requestsPerEdit };
}

async function startFloor(ground: Ground, namespace: string) {
  const { plane, folder, signal } = ground;
  await using cleanup = new AsyncDisposableStack();
  await plane.createNamespace(namespace);
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['watch', 'patch'] }];
  const account = await plane.createServiceAccount(namespace, 'floor', rules);
  const collection = `/api/v1/namespaces/${namespace}/configmaps`;
  await plane.admin('POST', collection, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: FLOOR_NAME },
    data: { LOG_LEVEL: WANTED },
  });
  const live = cleanup.use(await followObjects({ access: plane.access, namespace, signal }));
  const args = [join(import.meta.dirname, 'floor.ts'), account.kubeconfigPath, namespace, FLOOR_NAME, WANTED];
  cleanup.use(await startServer({ program: process.execPath, args, logPath: join(folder, `${namespace}.log`) }));
  const running = cleanup.move();
  await live.until('the ConfigMap of the floor', () => live.get('ConfigMap', FLOOR_NAME));
  // Its watch is open when it restores something.
  await editUntilRestored(ground, live, namespace, FLOOR_NAME);
  return { namespace, user: account.user, live, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

let editCount = 0;

async function editUntilRestored(
  { plane }: Ground,
  live: LiveObjects,
  namespace: string,
  name: string,
): Promise<number> {
  const sentMs = performance.now();
  const path = `/api/v1/namespaces/${namespace}/configmaps/${name}?fieldManager=${EDITOR}`;
  const answer = await plane.admin('PATCH', path, { data: { LOG_LEVEL: `edited-${++editCount}` } });
  if (answer.status !== 200) throw new Error(`the edit of ${name} was refused: ${answer.status}`);
  const editedVersion = versionOf(answer.body);
  const restoredMs = await live.until(`ConfigMap ${name} restored`, () => {
    const seen = live.get('ConfigMap', name);
    const isRestored =
      seen !== undefined &&
      stringAt(seen.object, 'data', 'LOG_LEVEL') === WANTED &&
      versionOf(seen.object) > editedVersion;
    return isRestored ? seen.atMs : undefined;
  });
  return restoredMs - sentMs;
}

function versionOf(object: Json): bigint {
  return BigInt(stringAt(object, 'metadata', 'resourceVersion') ?? '0');
}
