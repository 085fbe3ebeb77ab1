import { expect, test } from 'vitest';
import { type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import { untilReady } from '../harness/attention.ts';
import { configMapPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { requestsFromNow } from '../harness/requests.ts';
import { configMap, createWorld, eventually, settingsText, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

const manifest = (name: string, annotations: JsonObject = {}): string =>
  JSON.stringify({ ...configMap(name, { color: 'blue' }), metadata: { name, annotations } });
const claim = JSON.stringify({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'data' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
});

/** Settings with the sync app and others of the same repository. */
async function withSyncs(world: World, syncs: Readonly<Record<string, string>>): Promise<void> {
  const url = world.git.url(world.repository);
  const more = Object.entries(syncs).map(
    ([name, path]) => `- name: ${name}
  source: { git: { url: "${url}", ref: { branch: main }, secretRef: { name: git-auth }, interval: 1s } }
  path: ${path}
  retryInterval: 1s
  deletionPolicy: delete
`,
  );
  await world.settings(settingsText(url) + more.join(''));
}

async function uid(world: World, name: string): Promise<string | undefined> {
  return stringAt(await world.get(configMapPath(world.namespace, name)), 'metadata', 'uid');
}

const claimPath = (world: World): string => `/api/v1/namespaces/${world.namespace}/persistentvolumeclaims/data`;

function gone(world: World, name: string): Promise<true> {
  return eventually(`${name} is gone`, async () => ((await uid(world, name)) === undefined ? true : undefined));
}

async function leftOnce(agent: Awaited<ReturnType<World['start']>>, sync: string) {
  return agent.line('it left', ({ msg, sync: name }) => msg === 'a sync has left the settings' && name === sync);
}

describeReal('a sync that comes, is renamed, and leaves', TOOLS, () => {
  test('with deletionPolicy: delete takes its objects along, but no data, nothing kept, and nothing that went over', async () => {
    await using world = await createWorld();
    const files = {
      ...(await world.canaryFile()),
      'deploy/own.json': manifest('own'),
      'old/goes.json': manifest('goes'),
      'old/kept.json': manifest('kept', { 'sotto.dev/prune': 'disabled' }),
      'old/data.json': claim,
      'old/moves.json': manifest('moves'),
    };
    await withSyncs(world, { old: './old' });
    const first = await world.repository.commit(files, 'first');
    await using agent = await world.start();
    await untilReady(world, first);
    await eventually('all is there', async () => (await world.get(claimPath(world))) && (await uid(world, 'goes')));
    const before = await Promise.all(['own', 'goes', 'kept', 'moves'].map((name) => uid(world, name)));
    await world.until('old has passed', (status) => JSON.stringify(status).includes('"name":"old"'));

    await withSyncs(world, { renamed: './old' });
    await world.until('renamed has passed', (status) => JSON.stringify(status).includes('"name":"renamed"'));
    await leftOnce(agent, 'old');
    expect(await Promise.all(['own', 'goes', 'kept', 'moves'].map((name) => uid(world, name)))).toEqual(before);

    // The last commit of it moves one object to the sync that stays, and the settings drop it right behind.
    const second = await world.repository.commit(
      { 'old/moves.json': null, 'deploy/moves.json': manifest('moves') },
      '2',
    );
    await withSyncs(world, {});
    await untilReady(world, second);
    await gone(world, 'goes');
    expect(await uid(world, 'moves')).toBe(before[3]);
    expect(await uid(world, 'kept')).toBe(before[2]);
    expect(await uid(world, 'own')).toBe(before[0]);
    expect(stringAt(await world.get(claimPath(world)), 'metadata', 'deletionTimestamp')).toBeUndefined();
    expect((await world.get(claimPath(world))) === undefined).toBe(false);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('while no agent runs, too; and nothing goes before every other sync has read its repository', async () => {
    await using world = await createWorld();
    await withSyncs(world, { old: './old' });
    const first = await world.repository.commit(
      { 'deploy/own.json': manifest('own'), 'old/goes.json': manifest('goes') },
      'first',
    );
    const before = await world.start();
    await untilReady(world, first);
    await eventually('goes is there', () => uid(world, 'goes'));
    await world.until('old has passed', (status) => JSON.stringify(status).includes('"name":"old"'));
    await before.stop();
    // The sync that stays cannot be read: it may want what old has applied.
    await withSyncs(world, { other: './nowhere' });
    const agent = await world.start();
    await agent.line('the trouble', (line) => line['code'] === 'SOTTO-GIT-019');
    await untilReady(world, first);
    expect(agent.log.filter(({ msg }) => msg === 'a sync has left the settings')).toEqual([]);
    expect(await uid(world, 'goes')).toBeDefined();
    await withSyncs(world, {});
    await gone(world, 'goes');
    expect(await uid(world, 'own')).toBeDefined();
    await agent.stop();
  });

  test('is the same sync under its new name: nothing is written, and what leaves Git then is pruned', async () => {
    await using world = await createWorld();
    const url = world.git.url(world.repository);
    const named = (name: string): string => settingsText(url).replace('name: app', `name: ${name}`);
    const names = ['one', 'two', 'three'];
    const files = Object.fromEntries(names.map((name) => [`deploy/${name}.json`, manifest(name)]));
    const first = await world.repository.commit({ ...(await world.canaryFile()), ...files }, 'first');
    const uids = (): Promise<(string | undefined)[]> => Promise.all(names.map((name) => uid(world, name)));
    const before = await world.start();
    await untilReady(world, first);
    const made = await uids();
    const log = await requestsFromNow(world);
    await world.settings(named('renamed'));
    await untilReady(world, first, 'renamed');
    const second = await world.repository.commit({ 'deploy/one.json': null }, 'second');
    await untilReady(world, second, 'renamed');
    await gone(world, 'one');
    await before.stop();

    // Once more while no agent runs, together with a commit.
    await world.settings(named('again'));
    const third = await world.repository.commit({ 'deploy/two.json': null }, 'third');
    const agent = await world.start();
    const status = await untilReady(world, third, 'again');
    await gone(world, 'two');
    expect(await uids()).toEqual([undefined, undefined, made[2]]);
    expect(memberAt(status, 'orphans')).toBeUndefined();
    const writes = (await log.writes()).filter(({ name }) => names.includes(name));
    expect(writes.map(({ verb, name }) => `${verb} ${name}`)).toEqual(['delete one', 'delete two']);
    expect([...before.log, ...agent.log].filter(({ level }) => level === 'error')).toEqual([]);
    await agent.stop();
  });
});
