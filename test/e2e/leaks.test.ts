import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningAgent } from '../harness/agent.ts';
import { type Canaries, leakCheck, memoryLeaks, plantCanaries } from '../harness/leak-check.ts';
import { describeReal } from '../harness/real.ts';
import { createWorld, eventually, type World } from '../harness/world.ts';
import {
  DOCUMENTS_PER_FILE,
  type Expected,
  named,
  sealedFiles,
  type Sealer,
  sealerOf,
  sizes,
  sopsFiles,
  valueCounts,
  wrongValues,
} from './leak-fixture.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kubeseal'] as const;
const SOPS_COUNTS = valueCounts(200);
const SEALED_COUNTS = Array.from({ length: 20 }, () => 2);
const CHANGED = 40;
/** Holds the last ten of the Secrets by SOPS. */
const LAST_FILE = `deploy/many-${200 - DOCUMENTS_PER_FILE}.yaml`;
const MERGE_PATCH = 'application/merge-patch+json';

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

describeReal('no value is anywhere but in its live Secret', TOOLS, () => {
  const resources = new AsyncDisposableStack();
  let world: World;
  let canaries: Canaries;
  let agent: RunningAgent;
  let sealer: Sealer;
  let expected: Expected;
  let spare: readonly string[];

  beforeAll(async () => {
    world = resources.use(await createWorld());
    sealer = await sealerOf(world);
    const [sops, sealed] = [total(SOPS_COUNTS), total(SEALED_COUNTS)];
    canaries = resources.use(plantCanaries([...sizes(sops + sealed), ...sizes(CHANGED)]));
    expected = new Map([
      ...named('sops', SOPS_COUNTS, canaries.values.slice(0, sops)),
      ...named('sealed', SEALED_COUNTS, canaries.values.slice(sops, sops + sealed)),
    ]);
    spare = canaries.values.slice(sops + sealed);
    agent = await world.start();
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await resources.disposeAsync();
  });

  const passed = (commit: string): Promise<unknown> =>
    agent.line(
      `the pass of ${commit}`,
      ({ msg, revision }) => msg === 'pass ended' && String(revision).endsWith(commit),
    );
  const part = (prefix: string): Expected => new Map([...expected].filter(([name]) => name.startsWith(prefix)));
  const allRight = (what: string): Promise<unknown> =>
    eventually(what, async () => ((await wrongValues(world, expected)).length === 0 ? true : undefined));
  const path = (name: string): string => `/api/v1/namespaces/${world.namespace}/secrets/${name}`;

  test('before the first pass the scan finds nothing, and after it nothing either', async () => {
    await agent.line('the empty repository', ({ code }) => code === 'SOTTO-GIT-016');
    expect(await memoryLeaks(agent.pid, canaries)).toEqual([]);
    const files = { ...(await sopsFiles(world, part('sops'))), ...(await sealedFiles(sealer, part('sealed'))) };
    await passed(await world.repository.commit(files, 'first'));
    expect(await wrongValues(world, expected)).toEqual([]);
    await leakCheck(world, agent, canaries);
  });

  test('nor after a commit that changes some of them and removes others', async () => {
    for (let index = 0; index < CHANGED; index += 1) {
      const name = index < CHANGED / 2 ? `sops-${index}` : `sealed-${index - CHANGED / 2}`;
      expected.set(name, { k0: spare[index] ?? '' });
    }
    const gone = [...part('sops')].slice(-DOCUMENTS_PER_FILE).map(([name]) => name);
    for (const name of gone) expected.delete(name);
    const changed = new Map([...part('sops')].slice(0, CHANGED / 2));
    const files = { ...(await sopsFiles(world, changed)), ...(await sealedFiles(sealer, part('sealed'))) };
    await passed(await world.repository.commit({ ...files, [LAST_FILE]: null }, 'second'));
    expect(await wrongValues(world, expected)).toEqual([]);
    for (const name of gone) expect(await world.get(path(name))).toBeUndefined();
    await leakCheck(world, agent, canaries);
  });

  test('nor after edits by hand are undone and deleted Secrets are there again', async () => {
    const edits = {
      data: { k0: Buffer.from('by hand').toString('base64'), extra: Buffer.from('x').toString('base64') },
    };
    for (const name of ['sops-30', 'sops-59', 'sops-79', 'sealed-1', 'sealed-2']) {
      await world.own.plane.admin('PATCH', `${path(name)}?fieldManager=kubectl-edit`, edits, MERGE_PATCH);
    }
    await allRight('the edits are undone');
    for (const name of ['sops-31', 'sops-99', 'sealed-3', 'sealed-4'])
      await world.own.plane.admin('DELETE', path(name));
    await allRight('the Secrets are there again');
    await leakCheck(world, agent, canaries);
  });

  test('nor after the agent was started again, and restored what was changed meanwhile', async () => {
    expect(await agent.kill('SIGTERM')).toBe(0);
    await world.own.plane.admin('DELETE', path('sops-19'));
    await world.own.plane.admin('PATCH', path('sealed-5'), { data: { k0: null } }, MERGE_PATCH);
    agent = await world.start();
    await allRight('what was changed meanwhile is restored');
    await leakCheck(world, agent, canaries);
  });
});
