import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { arrayAt, type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import { MEMBER_LABEL } from '../../src/core/labels.ts';
import { codesOf, passed, stateOf, untilReady, untilTried } from '../harness/attention.ts';
import { configMapPath, editByHand, remove, secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';
import { damaged } from '../harness/damage.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

function manifest(name: string, data: Readonly<Record<string, string>> = { color: 'blue' }): string {
  return JSON.stringify(configMap(name, data));
}

/** Files of so many ConfigMaps: `deploy/cm-1.json`, … */
function many(from: number, to: number): Record<string, string> {
  const names = Array.from({ length: to - from + 1 }, (_, index) => `cm-${from + index}`);
  return Object.fromEntries(names.map((name) => [`deploy/${name}.json`, manifest(name)]));
}

function gone(files: Readonly<Record<string, string>>): Record<string, null> {
  return Object.fromEntries(Object.keys(files).map((path) => [path, null]));
}

async function namesOf(world: World, plural = 'configmaps', prefix = 'cm-'): Promise<readonly string[]> {
  const list = await world.get(`/api/v1/namespaces/${world.namespace}/${plural}`);
  return arrayAt(list, 'items')
    .map((item) => stringAt(item, 'metadata', 'name') ?? '')
    .filter((name) => name.startsWith(prefix))
    .toSorted();
}

async function existing(world: World, object: JsonObject): Promise<Json> {
  const plural = object['kind'] === 'Secret' ? 'secrets' : 'configmaps';
  return world.create(`/api/v1/namespaces/${world.namespace}/${plural}?fieldManager=kubectl-create`, object);
}

function marked(name: string, metadata: JsonObject): JsonObject {
  return { ...configMap(name, { color: 'blue' }), metadata: { name, ...metadata } };
}

const version = (object: Json | undefined): string | undefined => stringAt(object, 'metadata', 'resourceVersion');

const MARKS: readonly (readonly [string, JsonObject, RegExp])[] = [
  ['flux', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps' } }, /Flux/],
  ['flux-helm', { labels: { 'helm.toolkit.fluxcd.io/name': 'apps' } }, /Flux/],
  ['argo', { annotations: { 'argocd.argoproj.io/tracking-id': 'a:/ConfigMap:x/argo' } }, /Argo CD/],
  ['argo-label', { labels: { 'argocd.argoproj.io/instance': 'a' } }, /Argo CD/],
  ['helm', { annotations: { 'meta.helm.sh/release-name': 'a' } }, /Helm/],
  ['helm-label', { labels: { 'app.kubernetes.io/managed-by': 'Helm' } }, /Helm/],
  ['set', { labels: { [MEMBER_LABEL]: 'applyset-other-v1' } }, /another tool \(set applyset-other-v1\)/],
];

describeReal('first contact changes nothing unasked', TOOLS, () => {
  test.for(['equal', 'always'])('adopt: %s leaves what another tool marked, and names the tool', async (adopt) => {
    await using world = await createWorld({ sync: `  adopt: ${adopt}` });
    const before = await Promise.all(MARKS.map(([name, metadata]) => existing(world, marked(name, metadata))));
    const files = MARKS.map(([name]) => [`deploy/${name}.json`, manifest(name)] as const);
    const commit = await world.repository.commit(Object.fromEntries(files), 'all marked');
    await using agent = await world.start();
    const status = await untilTried(world, commit);
    for (const [index, [name, , owner]] of MARKS.entries()) {
      expect(codesOf(status)[`ConfigMap/${name}`], name).toBe('SOTTO-PLAN-006');
      expect(version(await world.get(configMapPath(world.namespace, name)))).toBe(version(before[index]));
      expect(JSON.stringify(status)).toMatch(owner);
    }
    // They leave Git again: nothing of them was ever ours to prune.
    const cleared = await world.repository.commit(
      { ...Object.fromEntries(files.map(([path]) => [path, null])), 'deploy/own.json': manifest('own') },
      'none of them',
    );
    await untilReady(world, cleared);
    for (const [index, [name]] of MARKS.entries()) {
      expect(version(await world.get(configMapPath(world.namespace, name)))).toBe(version(before[index]));
    }
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('unmarked and equal is adopted with nothing but label and ownership changed; different is held', async () => {
    await using world = await createWorld();
    const equal = await existing(world, { ...configMap('equal', { color: 'blue', theirs: 'x' }) });
    const different = await existing(world, configMap('different', { color: 'red' }));
    const same = await existing(world, secret('same', { password: world.value(0), theirs: world.value(1) }));
    const other = await existing(world, secret('other', { password: world.value(2) }));
    const more = await existing(world, secret('more', { password: world.value(0) }));
    const firm = await existing(world, secret('firm', { password: world.value(0) }));
    const sops = (name: string, data: Readonly<Record<string, string>>): Promise<string> =>
      world.sops(JSON.stringify(secret(name, data)), `${name}.json`);
    const files = {
      'deploy/equal.json': manifest('equal'),
      'deploy/different.json': manifest('different'),
      'deploy/same.json': await sops('same', { password: world.value(0) }),
      'deploy/other.json': await sops('other', { password: world.value(0) }),
      'deploy/more.json': await sops('more', { password: world.value(0), added: world.value(3) }),
      // What cannot be seen in metadata is a change all the same.
      'deploy/firm.json': await world.sops(
        JSON.stringify({ ...secret('firm', { password: world.value(0) }), immutable: true }),
        'firm.json',
      ),
    };
    const commit = await world.repository.commit(files, 'first');
    await using agent = await world.start();
    const status = await untilTried(world, commit);
    expect(codesOf(status)).toEqual({
      'ConfigMap/different': 'SOTTO-PLAN-001',
      'Secret/other': 'SOTTO-PLAN-001',
      'Secret/more': 'SOTTO-PLAN-001',
      'Secret/firm': 'SOTTO-PLAN-001',
    });
    const adopted = await world.get(configMapPath(world.namespace, 'equal'));
    expect(memberAt(adopted, 'data')).toEqual({ color: 'blue', theirs: 'x' });
    expect(stringAt(adopted, 'metadata', 'uid')).toBe(stringAt(equal, 'metadata', 'uid'));
    expect(stringAt(adopted, 'metadata', 'labels', MEMBER_LABEL)).toMatch(/^applyset-/);
    const adoptedSecret = await world.get(secretPath(world.namespace, 'same'));
    expect(memberAt(adoptedSecret, 'data')).toEqual(memberAt(same, 'data'));
    const untouched = [
      [configMapPath(world.namespace, 'different'), different],
      [secretPath(world.namespace, 'other'), other],
      [secretPath(world.namespace, 'more'), more],
      [secretPath(world.namespace, 'firm'), firm],
    ] as const;
    for (const [path, before] of untouched) expect(version(await world.get(path)), path).toBe(version(before));
    // What is held leaves Git: it was never ours, the Secrets included.
    const left = {
      'deploy/different.json': null,
      'deploy/other.json': null,
      'deploy/more.json': null,
      'deploy/firm.json': null,
    };
    await untilReady(world, await world.repository.commit(left, 'without what is held'));
    for (const [path, before] of untouched) expect(version(await world.get(path)), path).toBe(version(before));
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('adopt: ask holds what is equal too; adopt: always takes what is different', async () => {
    await using world = await createWorld({ sync: '  adopt: ask' });
    await existing(world, configMap('equal', { color: 'blue' }));
    await existing(world, configMap('different', { color: 'red' }));
    await existing(world, secret('db', { password: world.value(4) }));
    const sealed = await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.json');
    const files = {
      'deploy/equal.json': manifest('equal'),
      'deploy/different.json': manifest('different'),
      'deploy/db.json': sealed,
    };
    const commit = await world.repository.commit(files, 'first');
    await using agent = await world.start();
    const status = await untilTried(world, commit);
    expect(new Set(Object.values(codesOf(status)))).toEqual(new Set(['SOTTO-PLAN-001']));
    expect(Object.keys(codesOf(status))).toHaveLength(3);
    const settings = stringAt(await world.get(configMapPath(world.namespace, 'sotto')), 'data', 'sotto.yaml') ?? '';
    await world.settings(settings.replace('adopt: ask', 'adopt: always'));
    await untilReady(world, commit);
    expect(memberAt(await world.get(configMapPath(world.namespace, 'different')), 'data')).toEqual({ color: 'blue' });
    const password = stringAt(await world.get(secretPath(world.namespace, 'db')), 'data', 'password');
    expect(Buffer.from(password ?? '', 'base64').toString()).toBe(world.value(0));
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describeReal('pruning', TOOLS, () => {
  test('a share is pruned, more than the share is held whole with its creates, and a mended commit runs', async () => {
    await using world = await createWorld();
    let commit = await world.repository.commit(many(1, 10), 'ten');
    await using agent = await world.start();
    await passed(agent, commit);

    commit = await world.repository.commit(gone(many(1, 5)), 'half of them: exactly maxShare');
    await passed(agent, commit);
    expect(await namesOf(world)).toEqual(['cm-10', 'cm-6', 'cm-7', 'cm-8', 'cm-9']);

    commit = await world.repository.commit(gone(many(7, 9)), 'three of five: fewer than minimum');
    await passed(agent, commit);
    expect(await namesOf(world)).toEqual(['cm-10', 'cm-6']);

    commit = await world.repository.commit(many(1, 8), 'nine of them');
    await passed(agent, commit);
    const before = await namesOf(world);
    const tooMuch = { ...gone(many(1, 5)), 'deploy/new.json': manifest('cm-new') };
    commit = await world.repository.commit(
      { ...tooMuch, 'deploy/cm-6.json': manifest('cm-6', { color: 'red' }) },
      'too much',
    );
    const held = await untilTried(world, commit);
    expect(before).toHaveLength(9);
    expect(stateOf(held)).toBe('Held');
    expect(JSON.stringify(held)).toContain('SOTTO-PLAN-005');
    expect(arrayAt(arrayAt(held, 'syncs')[0], 'pending')).toMatchObject([{ creates: 1, prunes: 5 }]);
    expect(await namesOf(world)).toEqual(before);
    expect(memberAt(await world.get(configMapPath(world.namespace, 'cm-6')), 'data')).toEqual({ color: 'blue' });

    commit = await world.repository.commit(many(1, 3), 'mended');
    await passed(agent, commit);
    expect(await namesOf(world)).toEqual(['cm-1', 'cm-10', 'cm-2', 'cm-3', 'cm-6', 'cm-7', 'cm-8', 'cm-new']);

    commit = await world.repository.commit(
      { ...gone(many(1, 10)), 'deploy/new.json': null, 'deploy/README.md': 'empty' },
      'nothing is left',
    );
    await passed(agent, commit);
    expect(await namesOf(world)).toHaveLength(8);

    // The path itself is gone, then everything: neither is a wish to remove what runs.
    await world.repository.commit({ 'deploy/README.md': null, 'other/a.txt': 'x' }, 'no path');
    await agent.line('the path is missing', ({ code }) => String(code).startsWith('SOTTO-GIT-'));
    expect(await namesOf(world)).toHaveLength(8);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a single object that leaves a small sync empty is held too', async () => {
    await using world = await createWorld();
    let commit = await world.repository.commit(many(1, 1), 'one');
    await using agent = await world.start();
    await passed(agent, commit);
    commit = await world.repository.commit({ ...gone(many(1, 1)), 'deploy/notes.txt': 'x' }, 'none');
    expect(stateOf(await untilTried(world, commit))).toBe('Held');
    expect(await namesOf(world)).toEqual(['cm-1']);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('data and what asks to be kept stays, and what waits may be deleted by hand', async () => {
    await using world = await createWorld({ sync: '  wait: false' });
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'cm-data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    };
    const kept = marked('cm-kept', { annotations: { 'sotto.dev/prune': 'disabled' } });
    const keptByFlux = marked('cm-flux', { annotations: { 'kustomize.toolkit.fluxcd.io/prune': 'disabled' } });
    const files = {
      'deploy/data.json': JSON.stringify(claim),
      'deploy/kept.json': JSON.stringify(kept),
      'deploy/flux.json': JSON.stringify(keptByFlux),
    };
    let commit = await world.repository.commit({ ...files, ...many(1, 4) }, 'all');
    await using agent = await world.start();
    await untilTried(world, commit);
    const claims = `/api/v1/namespaces/${world.namespace}/persistentvolumeclaims`;
    await eventually('the claim is there', () => world.get(`${claims}/cm-data`));
    commit = await world.repository.commit({ ...gone(files), 'deploy/cm-1.json': null }, 'they leave');
    const status = await untilTried(world, commit);
    expect(await namesOf(world)).toEqual(['cm-2', 'cm-3', 'cm-4', 'cm-flux', 'cm-kept']);
    expect(await world.get(`${claims}/cm-data`)).toBeDefined();
    expect(codesOf(status)['PersistentVolumeClaim/cm-data']).toBe('SOTTO-PLAN-008');
    // What its error told the person to do works.
    await editByHand(world, `${claims}/cm-data`, { metadata: { finalizers: null } });
    await remove(world, `${claims}/cm-data`);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(await world.get(`${claims}/cm-data`)).toBeUndefined();
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('prune: false prunes nothing', async () => {
    await using world = await createWorld({ sync: '  prune: false' });
    let commit = await world.repository.commit(many(1, 3), 'three');
    await using agent = await world.start();
    await passed(agent, commit);
    commit = await world.repository.commit(gone(many(1, 1)), 'two');
    await passed(agent, commit);
    commit = await world.repository.commit(many(4, 4), 'and another');
    await passed(agent, commit);
    expect(await namesOf(world)).toEqual(['cm-1', 'cm-2', 'cm-3', 'cm-4']);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('nothing is pruned while a file of the commit cannot be read, opened or rendered', async () => {
    await using world = await createWorld();
    const good = await world.sops(JSON.stringify(secret('cm-db', { password: world.value(0) })), 'db.json');
    let commit = await world.repository.commit({ ...many(1, 6), 'deploy/db.json': good }, 'good');
    await using agent = await world.start();
    await passed(agent, commit);
    const bad: readonly (readonly [string, string])[] = [
      ['deploy/db.json', damaged(good)],
      ['deploy/broken.yaml', 'a: [unclosed'],
      // Misspelled: what runs may be what was meant.
      ['deploy/cm-3.json', JSON.stringify({ ...configMap('cm-3', {}), kind: 'ConfigMapp' })],
    ];
    for (const [index, [path, content]] of bad.entries()) {
      const leaving = `cm-${index + 1}`;
      // In this order: the misspelled one is bad in the place of the good one.
      commit = await world.repository.commit({ [`deploy/${leaving}.json`]: null, [path]: content }, `bad: ${path}`);
      await passed(agent, commit);
      expect(await namesOf(world), path).toContain(leaving);
      expect(codesOf(await untilTried(world, commit))[`ConfigMap/${leaving}`], path).toBe('SOTTO-PLAN-007');
      const mended = path === 'deploy/db.json' ? good : null;
      commit = await world.repository.commit({ [path]: mended }, `mended: ${path}`);
      await passed(agent, commit);
      expect(await namesOf(world), path).not.toContain(leaving);
    }
    // The ask for the head gets through; of the pack, which cannot be compressed, only a part.
    world.git.setFault({ kind: 'cut', afterBytes: 2_000 });
    const noise = randomBytes(8_000).toString('base64');
    const [leaving, entering] = ['deploy/cm-4.json', 'deploy/cm-7.json'];
    commit = await world.repository.commit(
      { [leaving]: null, [entering]: manifest('cm-7', { noise }) },
      'half fetched',
    );
    await agent.line('the fetch failed', ({ code }) => String(code).startsWith('SOTTO-GIT-'));
    expect(await namesOf(world)).toEqual(['cm-4', 'cm-5', 'cm-6']);
    world.git.setFault(null);
    await passed(agent, commit);
    expect(await namesOf(world)).toEqual(['cm-5', 'cm-6', 'cm-7']);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('an object that moves to another sync of the same repository is not lost', async () => {
    await using world = await createWorld();
    const settings = stringAt(await world.get(configMapPath(world.namespace, 'sotto')), 'data', 'sotto.yaml') ?? '';
    const second = (settings.split('syncs:\n')[1] ?? '')
      .replace('name: app', 'name: other')
      .replace('./deploy', './other');
    await world.settings(`${settings.trimEnd()}\n${second}`);
    let commit = await world.repository.commit({ ...many(1, 3), 'other/x.json': manifest('other') }, 'first');
    await using agent = await world.start();
    await untilReady(world, commit);
    await untilReady(world, commit, 'other');
    const uid = stringAt(await world.get(configMapPath(world.namespace, 'cm-1')), 'metadata', 'uid');
    for (const [from, to] of [
      ['deploy', 'other'],
      ['other', 'deploy'],
    ] as const) {
      commit = await world.repository.commit(
        { [`${from}/cm-1.json`]: null, [`${to}/cm-1.json`]: manifest('cm-1') },
        `to ${to}`,
      );
      await untilReady(world, commit);
      await untilReady(world, commit, 'other');
      const live = await world.get(configMapPath(world.namespace, 'cm-1'));
      expect(stringAt(live, 'metadata', 'uid'), to).toBe(uid);
    }
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describeReal('what sotto remembers', TOOLS, () => {
  test('without its fingerprint key the agent refuses to start and touches nothing', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit(many(1, 3), 'three');
    await using first = await world.start();
    await passed(first, commit);
    await first.kill('SIGTERM');
    await remove(world, secretPath(world.namespace, 'sotto-fingerprint'));
    await world.repository.commit(gone(many(1, 1)), 'two');
    await using second = await world.start();
    expect(await second.ended()).not.toBe(0);
    expect(second.output()).toContain('SOTTO-KEYS-021');
    expect(await namesOf(world)).toEqual(['cm-1', 'cm-2', 'cm-3']);
    expect(await world.get(secretPath(world.namespace, 'sotto-fingerprint'))).toBeUndefined();
  });

  test.for(['tampered', 'deleted'])('a %s inventory prunes nothing and is made anew', async (how) => {
    await using world = await createWorld();
    let commit = await world.repository.commit(many(1, 3), 'three');
    const first = await world.start();
    await passed(first, commit);
    await first.kill('SIGTERM');
    const path = configMapPath(world.namespace, 'sotto-inventory');
    const entry = Buffer.from(stringAt(await world.get(path), 'binaryData', 'inventory') ?? '', 'base64');
    entry[entry.length >> 1] = (entry[entry.length >> 1] ?? 0) ^ 1;
    if (how === 'deleted') await remove(world, path);
    else await editByHand(world, path, { binaryData: { inventory: entry.toString('base64') } });
    commit = await world.repository.commit({ ...gone(many(1, 1)), ...many(4, 4) }, 'another');
    await using second = await world.start();
    await passed(second, commit);
    expect(await namesOf(world)).toEqual(['cm-1', 'cm-2', 'cm-3', 'cm-4']);
    const said = second.log.filter(({ level }) => level === 'error').map(({ msg }) => msg);
    expect(said.some((text) => text.includes('cannot be trusted'))).toBe(how === 'tampered');
    // The record is whole again: what is ours by it is pruned, what is not stays.
    commit = await world.repository.commit(gone(many(2, 2)), 'without cm-2');
    await passed(second, commit);
    await eventually('cm-2 is pruned', async () => ((await namesOf(world)).includes('cm-2') ? undefined : true));
    expect(await namesOf(world)).toEqual(['cm-1', 'cm-3', 'cm-4']);
  });

  test('an object that somebody else made anew under the same name is not pruned', async () => {
    await using world = await createWorld();
    const sealed = await world.sops(JSON.stringify(secret('cm-db', { password: world.value(0) })), 'db.json');
    let commit = await world.repository.commit({ ...many(1, 3), 'deploy/db.json': sealed }, 'three');
    const first = await world.start();
    await passed(first, commit);
    await first.kill('SIGTERM');
    for (const path of [configMapPath(world.namespace, 'cm-1'), secretPath(world.namespace, 'cm-db')]) {
      await remove(world, path);
    }
    await existing(world, configMap('cm-1', { theirs: 'yes' }));
    await existing(world, secret('cm-db', { theirs: 'yes' }));
    commit = await world.repository.commit({ ...gone(many(1, 1)), 'deploy/db.json': null }, 'without them');
    await using second = await world.start();
    await passed(second, commit);
    expect(memberAt(await world.get(configMapPath(world.namespace, 'cm-1')), 'data')).toEqual({ theirs: 'yes' });
    expect(await namesOf(world, 'secrets')).toEqual(['cm-db']);
    expect(second.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
