import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import type { AuditEntry, PolicyRule } from '../../src/demo/control-plane.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { codesOf, passed, untilReady } from '../harness/attention.ts';
import { type Outside, type Reaction, reactionTo, startHistory } from '../harness/outside.ts';
import { describeReal } from '../harness/real.ts';
import { shown } from '../harness/requests.ts';
import { AGENT_RULES, createWorld, eventually, type World } from '../harness/world.ts';

// Rows of the table in spec/drift.md 4 about custom resources whose definition changes under them.

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const GROUP = `r${Math.random().toString(36).slice(2, 8)}.example.com`;
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const PLURALS = ['growns', 'lists', 'frozens', 'silents', 'moveds'] as const;
type Plural = (typeof PLURALS)[number];

const text = { type: 'string' };
const specOf = (properties: JsonObject): JsonObject => ({
  openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } },
});

function version(name: string, properties: JsonObject, isStored: boolean): JsonObject {
  return { name, served: true, storage: isStored, schema: specOf(properties) };
}

const listOf = (more: JsonObject): JsonObject => ({
  type: 'array',
  items: { type: 'object', required: ['name'], properties: { name: text, value: text } },
  ...more,
});
const LISTS = {
  before: [version('v1', { note: text, items: listOf({ 'x-kubernetes-list-type': 'atomic' }) }, true)],
  after: [
    version(
      'v1',
      { note: text, items: listOf({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }) },
      true,
    ),
  ],
};
const GROWNS = {
  before: [version('v1', { color: text }, true)],
  after: [version('v1', { color: text, mode: { ...text, default: 'auto' } }, true)],
};
const TWO = {
  before: [version('v1beta1', { color: text }, false), version('v1', { color: text }, true)],
  after: [version('v1', { color: text }, true)],
};
/** The older version lacks a field. */
const MOVEDS = [version('v1beta1', { color: text }, false), version('v1', { color: text, size: text }, true)];

const FIRST: Readonly<Record<Plural, readonly JsonObject[]>> = {
  growns: GROWNS.before,
  lists: LISTS.before,
  frozens: TWO.before,
  silents: TWO.before,
  moveds: MOVEDS,
};

const kindOf = (plural: Plural): string => `${plural.charAt(0).toUpperCase()}${plural.slice(1, -1)}`;

function definition(plural: Plural): JsonObject {
  const kind = kindOf(plural);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { plural, singular: kind.toLowerCase(), kind },
      versions: [...FIRST[plural]],
    },
  };
}

function file(plural: Plural, apiVersion: string, spec: JsonObject): Record<string, string> {
  const object = { apiVersion: `${GROUP}/${apiVersion}`, kind: kindOf(plural), metadata: { name: 'x' }, spec };
  return { [`deploy/${plural}.json`]: JSON.stringify(object) };
}

const ITEMS = [{ name: 'a', value: '1' }];
const RULES: readonly PolicyRule[] = [
  ...AGENT_RULES,
  { apiGroups: [GROUP], resources: PLURALS, verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
];
const spec = (live: Json | undefined): Json => memberAt(live, 'spec') ?? null;
const color = (live: Json | undefined): string | undefined => stringAt(spec(live), 'color');

const isList = (live: Json | undefined): boolean =>
  JSON.stringify(arrayAt(spec(live), 'items')) === JSON.stringify(ITEMS);

describeReal('drift of custom resources', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  const pathOf = (plural: Plural): string => `/apis/${GROUP}/v1/namespaces/${world.namespace}/${plural}/x`;

  beforeAll(async () => {
    world = await createWorld({ rules: RULES });
    for (const plural of PLURALS) await world.create(CRDS, definition(plural));
    for (const plural of PLURALS) {
      await eventually(`${plural} are served`, async () => {
        const list = await world.get(pathOf(plural).slice(0, -2));
        return list !== undefined && memberAt(list, 'items') !== undefined ? true : undefined;
      });
    }
    const commit = await world.repository.commit(
      {
        ...file('growns', 'v1', { color: 'blue' }),
        ...file('lists', 'v1', { items: ITEMS }),
        ...file('frozens', 'v1beta1', { color: 'blue' }),
        ...file('silents', 'v1beta1', { color: 'blue' }),
        ...file('moveds', 'v1beta1', { color: 'blue' }),
        ...(await world.canaryFile()),
      },
      'first',
    );
    agent = await world.start();
    await untilReady(world, commit);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    for (const plural of PLURALS) await world.own.plane.admin('DELETE', `${CRDS}/${plural}.${GROUP}`);
    await world[Symbol.asyncDispose]();
  });

  const redefine = async (plural: Plural, versions: readonly JsonObject[]): Promise<void> => {
    const body = { spec: { versions: [...versions] } };
    const answer = await world.own.plane.admin('PATCH', `${CRDS}/${plural}.${GROUP}`, body);
    expect(answer.status).toBe(200);
    // The server ends the streams of the kind about a second later, and its history of the kind begins anew.
    await sleep(2_000);
  };

  /** What the agent asked about the object: the kinds there are, and a stream that begins anew, are another matter. */
  const count = async (
    plural: Plural,
    act: (by: Outside, path: string) => Promise<unknown>,
    holds: (live: Json | undefined) => boolean,
  ): Promise<Reaction & { readonly text: string }> => {
    const path = pathOf(plural);
    using history = await startHistory(world, [path.slice(0, -2)]);
    const reaction = await reactionTo(world, history, {
      paths: [path],
      act: async (by) => void (await act(by, path)),
      holds: async () => holds(await world.get(path)),
      quietMs: 1_500,
    });
    const calls = reaction.calls.filter(({ resource, name }: AuditEntry) => resource === plural && name !== '');
    return { ...reaction, calls, reads: calls.length - reaction.writes, text: shown(reaction.calls).join('\n') };
  };

  test('row 30: a default that the server has got moves the version only', async () => {
    await redefine('growns', GROWNS.after);
    const path = pathOf('growns');
    await eventually('the default shows', async () =>
      stringAt(spec(await world.get(path)), 'mode') === 'auto' ? true : undefined,
    );
    const reaction = await count(
      'growns',
      // What a storage migrator does: the default is stored with it.
      (by) => by.patch(path, { metadata: { annotations: { migrated: 'yes' } } }, 'storage-migrator'),
      (live) => color(live) === 'blue' && stringAt(spec(live), 'mode') === 'auto',
    );
    expect(reaction, reaction.text).toMatchObject({ writes: 0, reads: 0 });
  });

  test('row 75: a list that becomes a map costs nothing until the next apply, and is quiet after it', async () => {
    await redefine('lists', LISTS.after);
    const path = pathOf('lists');
    const foreign = await count(
      'lists',
      (by) => by.patch(path, { spec: { note: 'x' } }, 'some-operator'),
      (live) => isList(live) && stringAt(spec(live), 'note') === 'x',
    );
    expect(foreign, foreign.text).toMatchObject({ writes: 0, reads: 0 });
    const edited = await count(
      'lists',
      (by) => by.patch(path, [{ op: 'replace', path: '/spec/items/0/value', value: '2' }], 'kubectl-edit', 'json'),
      isList,
    );
    expect(edited.writes, edited.text).toBeGreaterThan(0);
    expect(edited.reads, edited.text).toBe(0);
    expect(JSON.stringify(memberAt(await world.get(path), 'metadata', 'managedFields'))).toContain('k:{');
    const after = await count(
      'lists',
      (by) => by.patch(path, { spec: { note: 'y' } }, 'some-operator'),
      (live) => isList(live) && stringAt(spec(live), 'note') === 'y',
    );
    expect(after, after.text).toMatchObject({ writes: 0, reads: 0 });
  });

  test('row 78: Git moves to a version with a field more', async () => {
    const reaction = await count(
      'moveds',
      async () =>
        passed(agent, await world.repository.commit(file('moveds', 'v1', { color: 'red', size: 'm' }), 'moved')),
      (live) => color(live) === 'red' && stringAt(spec(live), 'size') === 'm',
    );
    // Refused; looked at; ownership rewritten to the version of Git; applied.
    expect(reaction.writes, reaction.text).toBe(2);
    expect(reaction.reads, reaction.text).toBeLessThanOrEqual(2);
    const edited = await count(
      'moveds',
      (by, path) => by.patch(path, { spec: { size: 'xl' } }, 'kubectl-edit'),
      (live) => stringAt(spec(live), 'size') === 'm',
    );
    expect(edited, edited.text).toMatchObject({ writes: 1, reads: 0 });
  });

  test('row 76: the version that was applied is not served any more, and Git moves to one that is', async () => {
    await redefine('frozens', TWO.after);
    const reaction = await count(
      'frozens',
      async () => passed(agent, await world.repository.commit(file('frozens', 'v1', { color: 'red' }), 'to v1')),
      (live) => color(live) === 'red',
    );
    // Refused, looked at, ownership rewritten, applied. The history of the kind has begun anew: requests count here.
    expect(
      reaction.calls.map(({ verb, status }) => `${verb} ${status}`),
      reaction.text,
    ).toEqual(['patch 500', 'get 200', 'patch 200', 'patch 200']);
    const edited = await count(
      'frozens',
      (by, path) => by.patch(path, { spec: { color: 'green' } }, 'kubectl-edit'),
      (live) => color(live) === 'red',
    );
    expect(edited, edited.text).toMatchObject({ writes: 1, reads: 0 });
  });

  test('row 108: the same while Git stays as it is: a change is not undone, and it is said that the version is gone', async () => {
    await redefine('silents', TWO.after);
    await agent.line('the stream is gone', ({ kind, state }) => kind === kindOf('silents') && state === 'gone');
    const reaction = await count(
      'silents',
      (by, path) => by.patch(path, { spec: { color: 'green' } }, 'kubectl-edit'),
      (live) => color(live) === 'green',
    );
    expect(reaction.writes, reaction.text).toBe(0);
    expect(reaction.reads, reaction.text).toBeLessThanOrEqual(1);
    await world.until(
      'it is said',
      (status) => codesOf(status)[`${GROUP}/${kindOf('silents')}/x`] === 'SOTTO-RENDER-008',
    );
    await untilReady(world, await world.repository.commit(file('silents', 'v1', { color: 'blue' }), 'to v1'));
    expect(color(await world.get(pathOf('silents')))).toBe('blue');
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
