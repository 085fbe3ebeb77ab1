import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, stringAt } from '../../src/core/json.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { type Canaries, leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, secret, syncOf, type World } from '../harness/world.ts';
import { BAD_FILES, yaml } from './bad-files.ts';
import { sealerOf } from './leak-fixture.ts';

/** What no key of ours opens would go to a SealedSecrets controller, were its CRD there: other tests put it there. */
const UNSEAL = '  sealedSecrets: unseal';
const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kubeseal'] as const;
const MERGE_PATCH = 'application/merge-patch+json';

/** Two values for each file, good and bad, and one for what is applied beside them. */
const VALUES = 2 * BAD_FILES.length + 1;

describeReal('bad input', TOOLS, () => {
  const resources = new AsyncDisposableStack();
  let world: World;
  let canaries: Canaries;
  let agent: RunningAgent;
  let badTexts: ReadonlyMap<string, string>;
  let attention: readonly Json[] = [];
  /** The value of the key `a` by what is live. */
  const lastGood = new Map<string, string>();
  let uids: readonly (string | undefined)[] = [];

  const valueAt = (index: number): string => canaries.values[index] ?? '';
  const passed = (commit: string): Promise<unknown> =>
    agent.line(
      `the pass of ${commit}`,
      (line) => line.msg === 'pass ended' && String(line['revision']).endsWith(commit),
    );
  const path = (of: string): string => `/api/v1/namespaces/${world.namespace}/${of}`;
  const live = async (of: string): Promise<string | undefined> =>
    stringAt((await world.get(path(of))) ?? null, 'data', 'a');
  const uidsOf = (all: readonly string[]): Promise<readonly (string | undefined)[]> =>
    Promise.all(all.map(async (of) => stringAt((await world.get(path(of))) ?? null, 'metadata', 'uid')));

  beforeAll(async () => {
    world = resources.use(await createWorld({ sync: UNSEAL }));
    const sealer = await sealerOf(world);
    canaries = resources.use(plantCanaries(Array.from({ length: VALUES }, () => 4)));
    const good: Record<string, string> = {
      'deploy/leaving.yaml': yaml(configMap('leaving', { a: 'good' })),
      'deploy/twin.yaml': yaml(configMap('outside-twin', { a: 'first' })),
    };
    const bad = new Map<string, string>();
    for (const [index, file] of BAD_FILES.entries()) {
      if (file.good !== undefined) {
        const value = valueAt(2 * index);
        good[file.path] = await file.good.make({ world, sealer, value });
        const isSecret = file.good.live.startsWith('secrets/');
        lastGood.set(file.good.live, isSecret ? Buffer.from(value).toString('base64') : 'good');
      }
      bad.set(file.path, await file.bad({ world, sealer, value: valueAt(2 * index + 1) }));
    }
    badTexts = bad;
    agent = await world.start();
    await passed(await world.repository.commit(good, 'good'));
    expect(agent.log.filter(({ msg }) => msg === 'refused')).toEqual([]);
    uids = await uidsOf([...lastGood.keys()]);
    const commit = await world.repository.commit(
      {
        ...Object.fromEntries(bad),
        'deploy/leaving.yaml': null,
        'deploy/other.yaml': yaml(configMap('other', { a: 'applied' })),
        'deploy/other-secret.yaml': await world.sops(yaml(secret('other', { a: valueAt(VALUES - 1) })), 's.yaml'),
      },
      'bad',
    );
    await passed(commit);
    const status = await world.until(
      'the bad commit',
      (document) => stringAt(syncOf(document) ?? null, 'attemptedRevision')?.endsWith(commit) === true,
    );
    attention = arrayAt(syncOf(status) ?? null, 'attention');
  });
  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]();
    await resources.disposeAsync();
  });

  test.each(BAD_FILES.map(({ fault }, index) => ({ fault, index })))(
    '$fault is said with its place and the next step',
    ({ index }) => {
      const file = BAD_FILES[index];
      if (file === undefined) throw new Error('no such file');
      const said = attention.filter((item) => stringAt(item, 'file') === file.path && !isWaiting(item));
      expect(said).toHaveLength(1);
      const [item = null] = said;
      const line = file.lineOf === undefined ? undefined : lineOf(badTexts.get(file.path) ?? '', file.lineOf);
      const { code, object, key } = file;
      const place = Object.fromEntries(
        ['code', 'object', 'line', 'key'].map((field) => [field, memberAt(item, field)]),
      );
      expect(place).toEqual({ code, object, line, key });
      expect(stringAt(item, 'message')).toMatch(/^[^\n]{20,400}$/);
      expect(stringAt(item, 'next')).toMatch(file.next);
    },
  );

  test('everything else of the commit is applied, and what left Git waits', async () => {
    expect(await live('configmaps/other')).toBe('applied');
    expect(await live('secrets/other')).toBe(Buffer.from(valueAt(VALUES - 1)).toString('base64'));
    expect(await live('configmaps/outside-twin')).toBe('first');
    expect(await live('configmaps/leaving')).toBe('good');
    expect(attention.filter(isWaiting).map((item) => stringAt(item, 'object'))).toContain('ConfigMap/leaving');
  });

  test('what is bad now stays as it was last good, and a change by hand goes back to that', async () => {
    const all = [...lastGood.keys()];
    expect(await uidsOf(all)).toEqual(uids);
    expect(await Promise.all(all.map(live))).toEqual([...lastGood.values()]);
    // It stands in Git as an object of another namespace now, so nothing in Git says how it is to be.
    const guarded = all.filter((of) => of !== 'configmaps/elsewhere');
    const edit = { data: { a: Buffer.from('by hand').toString('base64') } };
    for (const of of guarded) {
      const answer = await world.own.plane.admin('PATCH', `${path(of)}?fieldManager=kubectl-edit`, edit, MERGE_PATCH);
      expect(answer.status).toBe(200);
    }
    const wrong = async (): Promise<string[]> => {
      const values = await Promise.all(guarded.map(live));
      return guarded.filter((of, index) => values[index] !== lastGood.get(of));
    };
    const deadlineMs = performance.now() + 20_000;
    while ((await wrong()).length > 0 && performance.now() < deadlineMs) await sleep(50);
    expect(await wrong()).toEqual([]);
    expect(await uidsOf(guarded)).toEqual(uids.filter((_, index) => all[index] !== 'configmaps/elsewhere'));
  });

  test('after a restart what is bad is still there', async () => {
    expect(await agent.kill('SIGTERM')).toBe(0);
    agent = await world.start();
    await agent.line('the first pass', ({ msg }) => msg === 'pass ended');
    const all = [...lastGood.keys()];
    expect(await uidsOf(all)).toEqual(uids);
    expect(await Promise.all(all.map(live))).toEqual([...lastGood.values()]);
  });

  test('nothing that is said holds a value or a stack trace', async () => {
    await leakCheck(world, agent, canaries);
    const said = agent.output() + JSON.stringify(await world.status());
    expect(said).not.toContain('readable-in-git');
    expect(said).not.toContain('123456789');
    expect(said).not.toMatch(/\n\s+at |\\n\s+at |node:internal|src\//);
  });
});

/** What left Git, said at the file where it stood: another object has its place now. */
function isWaiting(item: Json): boolean {
  return stringAt(item, 'code') === 'SOTTO-PLAN-007';
}

function lineOf(text: string, part: string): number {
  const index = text.split('\n').findIndex((line) => line.includes(part));
  if (index === -1) throw new Error(`no line with ${part} in\n${text}`);
  return index + 1;
}
