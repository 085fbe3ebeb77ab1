import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { arrayAt, isJsonObject, type Json, memberAt, stringAt } from '../../src/core/json.ts';
import { MEMBER_LABEL } from '../../src/core/labels.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { passed } from '../harness/attention.ts';
import { type Fault, type FaultProxy, type ProxiedRequest, startFaultProxy } from '../harness/fault-proxy.ts';
import { leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { configMapPath, secretPath } from '../harness/objects.ts';
import { type Outside, outsideOf } from '../harness/outside.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const OBJECTS = 8;
const STORM_MS = 25_000;
const STEP_MS = 120;

/** The same seed does the same things in the same order. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const EDITS: readonly ((by: Outside, path: string, value: string) => Promise<unknown>)[] = [
  (by, path, value) => by.patch(path, { data: { a: value } }, 'kubectl-edit'),
  (by, path, value) => by.patch(path, { data: { [`more-${value.length}`]: value } }, 'kubectl-patch'),
  (by, path) => by.patch(path, { data: null }, 'kubectl-edit'),
  (by, path, value) => by.patch(path, { metadata: { labels: { team: value } } }, 'kubectl-label'),
  (by, path) => by.patch(path, { metadata: { labels: null } }, 'kubectl-label'),
  (by, path) => by.patch(path, [{ op: 'replace', path: '/metadata/managedFields', value: [{}] }], 'person', 'json'),
  (by, path) => by.remove(path),
];

function faultFor(random: () => number, asked: ProxiedRequest): Fault | undefined {
  const roll = random();
  if (asked.isWatch) return roll < 0.1 ? { kind: 'status', status: 410 } : undefined;
  if (roll < 0.05) return { kind: 'cut', afterForward: false };
  if (roll < 0.1) return { kind: 'cut', afterForward: true };
  if (roll < 0.15) return { kind: 'status', status: 500 };
  if (roll < 0.2) return { kind: 'status', status: 429, retryAfterSeconds: 1 };
  return roll < 0.4 ? { kind: 'delay', ms: Math.round(random() * 500) } : undefined;
}

const seed = Number(process.env['SOTTO_CHAOS_SEED'] ?? 20_261_128);

describeReal('a storm of changes, faults and kills', TOOLS, () => {
  test(`ends with what Git says, foreign objects untouched and no value anywhere else (SOTTO_CHAOS_SEED=${seed})`, async () => {
    const random = randomFrom(seed);
    using canaries = plantCanaries([1]);
    await using world = await createWorld();
    await using proxy = await startFaultProxy({
      access: world.own.plane.access,
      kubeconfigPath: world.own.account.kubeconfigPath,
    });
    const value = canaries.values[0] ?? '';
    const collection = `/api/v1/namespaces/${world.namespace}/configmaps`;
    await world.create(collection, configMap('foreign', { theirs: 'stays' }));
    const foreign = await versionOf(world, 'foreign');
    const commit = await world.repository.commit(await files(world, 'blue', value), 'blue');
    const start = (args: readonly string[] = []) => world.start(args, { kubeconfig: proxy.kubeconfigPath });
    let agent = await start();
    await passed(agent, commit);

    // Requests come as they come: they have a sequence of their own, so that the changes are the same each time.
    const faults = randomFrom(seed + 1);
    proxy.setFault((asked) => faultFor(faults, asked));
    agent = await storm({ world, proxy, random, agent, restart: () => start(['--take-over']) });
    world.git.setFault(null);
    await world.repository.commit({ ...(await files(world, 'green', value)), 'deploy/cm-1.json': null }, 'green');
    await sleep(2_000);
    proxy.setFault(() => undefined);

    await eventually(
      'live equals Git',
      async () => ((await differences(world, value)).length === 0 ? true : undefined),
      async () => `(not as in Git: ${(await differences(world, value)).join(', ')})\n${await told(world, agent)}`,
    );
    await sleep(1_000);
    expect(await differences(world, value)).toEqual([]);
    expect(await versionOf(world, 'foreign')).toBe(foreign);
    expect(agent.log.filter(({ msg }) => msg.startsWith('defect'))).toEqual([]);
    await leakCheck(world, agent, canaries);
    await agent.stop();
  });
});

/** What the agent says of it: the end of its log, and its status document. */
async function told(world: World, agent: RunningAgent): Promise<string> {
  const log = agent.log.slice(-40).map((line) => JSON.stringify(line));
  return [...log, JSON.stringify(await world.status())].join('\n');
}

interface Storm {
  readonly world: World;
  readonly proxy: FaultProxy;
  readonly random: () => number;
  readonly agent: RunningAgent;
  readonly restart: () => Promise<RunningAgent>;
}

async function storm({ world, proxy, random, agent, restart }: Storm): Promise<RunningAgent> {
  const by = outsideOf(world);
  const endsMs = performance.now() + STORM_MS;
  let running = agent;
  while (performance.now() < endsMs) {
    const roll = random();
    const index = Math.floor(random() * (OBJECTS + 1));
    const path = index === 0 ? secretPath(world.namespace, 'db') : configMapPath(world.namespace, `cm-${index}`);
    if (roll < 0.01) {
      await running.kill('SIGKILL');
      running = await restart();
    } else if (roll < 0.04) proxy.dropWatches();
    else if (roll < 0.07) proxy.expireWatches();
    else if (roll < 0.08) {
      proxy.setDown(true);
      await sleep(800);
      proxy.setDown(false);
    } else if (roll < 0.1) world.git.setFault(random() < 0.5 ? null : { kind: 'status', status: 503 });
    else await EDITS[Math.floor(random() * EDITS.length)]?.(by, path, `x${Math.floor(random() * 100)}`);
    await sleep(STEP_MS);
    if (!running.isRunning()) running = await restart();
  }
  return running;
}

async function files(world: World, color: string, value: string): Promise<Record<string, string>> {
  const all: Record<string, string> = {
    'deploy/db.json': await world.sops(JSON.stringify(secret('db', { password: value, color })), 'db.json'),
  };
  for (let index = 1; index <= OBJECTS; index += 1) {
    all[`deploy/cm-${index}.json`] = JSON.stringify(configMap(`cm-${index}`, { a: color, b: 'c' }));
  }
  return all;
}

/** What is not as the last commit has it: cm-1 gone, everything else green and nothing besides. */
async function differences(world: World, value: string): Promise<readonly string[]> {
  const list = await world.get(`/api/v1/namespaces/${world.namespace}/configmaps`);
  const found = arrayAt(list, 'items').filter((each) => stringAt(each, 'metadata', 'name')?.startsWith('cm-') === true);
  const rest = found.filter((each) => nameOf(each) !== 'cm-1');
  const wrong = rest.filter((each) => !isAs(each, { a: 'green', b: 'c' })).map((each) => nameOf(each));
  const db = await world.get(secretPath(world.namespace, 'db'));
  if (!isAs(db, { password: base64(value), color: base64('green') })) wrong.push('db');
  // Without our label, taken off while no agent ran, it is nobody's to delete.
  if (found.some((each) => nameOf(each) === 'cm-1' && isLabelled(each))) wrong.push('cm-1 is there');
  return rest.length < OBJECTS - 1 ? [...wrong, `${rest.length} objects`] : wrong;
}

function isAs(live: Json | undefined, data: Readonly<Record<string, string>>): boolean {
  if (live === undefined || isOwned(live, 'f:metadata', 'f:labels', 'f:team')) return false;
  const entries = memberAt(live, 'data');
  if (!isJsonObject(entries)) return false;
  const additions = Object.keys(entries).filter((key) => !(key in data));
  if (additions.some((key) => isOwned(live, 'f:data', `f:${key}`))) return false;
  return Object.entries(data).every(([key, value]) => entries[key] === value);
}

/** An addition whose owner was wiped before it was undone is like a default of the server: nobody can tell (spec/drift.md 2). */
function isOwned(live: Json, ...path: readonly string[]): boolean {
  return arrayAt(live, 'metadata', 'managedFields').some((entry) => memberAt(entry, 'fieldsV1', ...path) !== undefined);
}

function isLabelled(live: Json): boolean {
  return stringAt(live, 'metadata', 'labels', MEMBER_LABEL) !== undefined;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function nameOf(live: Json): string {
  return stringAt(live, 'metadata', 'name') ?? '';
}

async function versionOf(world: World, name: string): Promise<string | undefined> {
  return stringAt(await world.get(configMapPath(world.namespace, name)), 'metadata', 'resourceVersion');
}
