import { expect, test } from 'vitest';
import { memberAt, stringAt } from '../../src/core/json.ts';
import { codesOf, untilReady } from '../harness/attention.ts';
import { configMapPath, secretPath } from '../harness/objects.ts';
import { personIn } from '../harness/person.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, eventually, secret, settingsText, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const account = JSON.stringify({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'left' } });
const manifest = (name: string): string => JSON.stringify(configMap(name, { color: 'blue' }));

function accountPath(world: World): string {
  return `/api/v1/namespaces/${world.namespace}/serviceaccounts/left`;
}

async function tampered(world: World): Promise<void> {
  const path = configMapPath(world.namespace, 'sotto-inventory');
  const inventory = Buffer.from('not what the agent wrote, and long enough to be looked at').toString('base64');
  await world.own.plane.admin('PATCH', path, { binaryData: { inventory } }, 'application/merge-patch+json');
}

async function existing(world: World): Promise<string[]> {
  const paths = {
    left: configMapPath(world.namespace, 'left'),
    key: secretPath(world.namespace, 'key'),
    account: accountPath(world),
    kept: configMapPath(world.namespace, 'kept'),
    own: configMapPath(world.namespace, 'own'),
  };
  const found = await Promise.all(
    Object.entries(paths).map(async ([name, path]) => ((await world.get(path)) === undefined ? [] : [name])),
  );
  return found.flat();
}

/** An agent that has lost its record, while part of what it applied left Git. */
async function bereft(world: World): Promise<void> {
  const kept = { ...configMap('kept', {}), metadata: { name: 'kept', annotations: { 'sotto.dev/prune': 'disabled' } } };
  const files = {
    'deploy/own.json': manifest('own'),
    'deploy/left.json': manifest('left'),
    'deploy/kept.json': JSON.stringify(kept),
    'deploy/account.json': account,
    'deploy/key.json': await world.sops(JSON.stringify(secret('key', { a: world.value(0) })), 'key.json'),
  };
  const first = await world.repository.commit(files, 'first');
  const before = await world.start();
  await untilReady(world, first);
  expect(await before.stop()).toBe(0);
  // Somebody's copy of one of our manifests has the label and not our field manager.
  const label = memberAt(await world.get(configMapPath(world.namespace, 'own')), 'metadata', 'labels') ?? null;
  const copy = { ...configMap('copy', { color: 'x' }), metadata: { name: 'copy', labels: label } };
  await world.create(`/api/v1/namespaces/${world.namespace}/configmaps?fieldManager=kubectl-create`, copy);
  await tampered(world);
  const gone = ['left', 'kept', 'account', 'key'].map((name) => [`deploy/${name}.json`, null] as const);
  await world.repository.commit(Object.fromEntries(gone), 'second');
}

function untilTold(world: World, total: number) {
  return world.until(`${total} orphans are told`, (status) => memberAt(status, 'orphans', 'total') === total);
}

describeReal('labelled objects that no sync has', TOOLS, () => {
  test('after a lost inventory are told, kinds that Git does not have any more included, and pruned when somebody says yes to them', async () => {
    await using world = await createWorld();
    await bereft(world);
    await using agent = await world.start();
    const status = await untilTold(world, 3);
    expect(memberAt(status, 'orphans', 'objects')).toEqual(['ConfigMap/left', 'Secret/key', 'ServiceAccount/left']);
    expect(Object.values(codesOf(status))).toContain('SOTTO-PLAN-082');
    expect(await existing(world)).toEqual(['left', 'key', 'account', 'kept', 'own']);

    const person = await personIn(world);
    const shown = await person.sotto(['prune', '--orphans']);
    expect(shown.stderr).toContain('- ServiceAccount/left');
    expect(shown.exit).toBe(2);
    // A yes to others than are there now is none.
    const stale = JSON.stringify({ kind: 'prune', plan: '0123456789abcdef' });
    const requests = configMapPath(world.namespace, 'sotto-requests');
    await world.own.plane.admin('PATCH', requests, { data: { stale } }, 'application/merge-patch+json');
    await world.until('it is refused', (document) => JSON.stringify(document).includes('SOTTO-PLAN-042'));
    expect(await existing(world)).toEqual(['left', 'key', 'account', 'kept', 'own']);

    expect(await person.sotto(['prune', '--orphans', '--yes'])).toMatchObject({ exit: 0, stdout: 'done: 3 deleted\n' });
    expect(await existing(world)).toEqual(['kept', 'own']);
    expect(await world.get(configMapPath(world.namespace, 'copy'))).toBeDefined();
    await world.until('none is left', (document) => memberAt(document, 'orphans') === undefined);
    const nothing = await person.sotto(['prune', '--orphans', '--yes']);
    expect([nothing.exit, nothing.stderr]).toEqual([0, expect.stringContaining('nothing to do')]);
    expect(agent.log.filter(({ level, msg }) => level === 'error' && !msg.includes('inventory'))).toEqual([]);
  });

  test('are under a sync again when they are adopted: there the rules of prune count', async () => {
    await using world = await createWorld({ sync: '  prune: { minimum: 2, maxShare: 10% }' });
    await bereft(world);
    await using agent = await world.start();
    await untilTold(world, 3);
    const person = await personIn(world);
    expect(await person.sotto(['adopt', '--orphans', '--yes'])).toMatchObject({ exit: 0 });
    const held = await world.until('the plan is held', (document) => JSON.stringify(document).includes('"prunes":3'));
    expect(await existing(world)).toEqual(['left', 'key', 'account', 'kept', 'own']);
    const planId = /"planId":"([0-9a-f]{16})","why":"it would remove/.exec(JSON.stringify(held))?.[1] ?? '';
    expect(await person.sotto(['approve', planId, '--yes'])).toMatchObject({ exit: 0 });
    expect(await existing(world)).toEqual(['kept', 'own']);
    expect(agent.log.filter(({ level, msg }) => level === 'error' && !msg.includes('inventory'))).toEqual([]);
  });

  test('of a sync that left the settings and leaves its objects are told too', async () => {
    await using world = await createWorld();
    const url = world.git.url(world.repository);
    const other = `- name: other
  source: { git: { url: "${url}", ref: { branch: main }, secretRef: { name: git-auth }, interval: 1s } }
  path: ./other
`;
    await world.settings(settingsText(url) + other);
    const first = await world.repository.commit(
      { 'deploy/own.json': manifest('own'), 'other/left.json': manifest('left'), ...(await world.canaryFile()) },
      'first',
    );
    await using agent = await world.start();
    await untilReady(world, first, 'other');
    await untilReady(world, first);
    await world.settings(settingsText(url));
    await untilTold(world, 1);
    // It comes back, and nothing has happened.
    const uid = stringAt(await world.get(configMapPath(world.namespace, 'left')), 'metadata', 'uid');
    await world.settings(settingsText(url) + other);
    await world.until('none is left', (document) => memberAt(document, 'orphans') === undefined);
    expect(stringAt(await world.get(configMapPath(world.namespace, 'left')), 'metadata', 'uid')).toBe(uid);
    await eventually('it is undisturbed', async () => ((await existing(world)).includes('left') ? true : undefined));
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
