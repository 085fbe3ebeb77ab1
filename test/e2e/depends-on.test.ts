import { expect, test } from 'vitest';
import { stringAt } from '../../src/core/json.ts';
import { attentionOf, codesOf, passed, stateOf, untilReady } from '../harness/attention.ts';
import { configMapPath, editByHand } from '../harness/objects.ts';
import { runOnce } from '../harness/once.ts';
import { personIn } from '../harness/person.ts';
import { describeReal } from '../harness/real.ts';
import { requestsFromNow, shown } from '../harness/requests.ts';
import { rolledOut } from '../harness/rollout.ts';
import { deploymentPath } from '../harness/status-of.ts';
import { configMap, createWorld, eventually, secret, settingsText, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

function deployment(image = '1', name = 'base'): string {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: `example.com/c:${image}` }] } };
  const spec = { selector: { matchLabels: labels }, template };
  return JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name }, spec });
}

const map = (name: string, color = 'blue'): string => JSON.stringify(configMap(name, { color }));

/** Syncs of one repository beside each other; `app` of the folder deploy is always there. */
function syncsText(world: World, app: string, others: Readonly<Record<string, string>>): string {
  const url = world.git.url(world.repository);
  const more = Object.entries(others).map(
    ([name, lines]) => `- name: ${name}
  source: { git: { url: "${url}", ref: { branch: main }, secretRef: { name: git-auth }, interval: 1s } }
  path: ./${name}
  retryInterval: 1s
${lines}
`,
  );
  return settingsText(url, { sync: app }) + more.join('');
}

async function colorOf(world: World, name: string): Promise<string | undefined> {
  return stringAt(await world.get(configMapPath(world.namespace, name)), 'data', 'color');
}

async function untilColor(world: World, name: string, color: string): Promise<void> {
  await eventually(`${name} is ${color}`, async () => ((await colorOf(world, name)) === color ? true : undefined));
}

async function untilThere(world: World, path: string): Promise<void> {
  await eventually(`${path} is there`, async () => ((await world.get(path)) === undefined ? undefined : true));
}

describeReal('a sync that depends on another one', TOOLS, () => {
  test('is applied when that is ready, commit by commit, and keeps meanwhile what it applied', async () => {
    await using world = await createWorld();
    await world.settings(syncsText(world, '  dependsOn: [ infra ]', { infra: '' }));
    const base = deploymentPath(world, 'base');
    await world.repository.commit(
      { ...(await world.canaryFile()), 'deploy/a.json': map('a'), 'infra/base.json': deployment() },
      'first',
    );
    await using agent = await world.start();
    await untilThere(world, base);
    const waits = await world.until(
      'the other one rolls out',
      (status) => attentionOf(status)[0]?.text.includes('not ready yet') === true,
    );
    expect(stateOf(waits)).toBe('Progressing');
    expect(attentionOf(waits)).toEqual([
      {
        object: undefined,
        code: 'SOTTO-PLAN-120',
        file: undefined,
        text: 'the sync waits: sync infra is Progressing: 1 object of 1 not ready yet — nothing to do: it goes on when infra is ready',
      },
    ]);
    expect(await colorOf(world, 'a')).toBeUndefined();
    await rolledOut(world, base);
    await untilColor(world, 'a', 'blue');

    const second = await world.repository.commit(
      { 'deploy/a.json': map('a', 'green'), 'infra/base.json': deployment('2') },
      'second',
    );
    await passed(agent, second, 'infra');
    await passed(agent, second);
    expect(await colorOf(world, 'a')).toBe('blue');
    // Drift is undone as before, to what was applied.
    await editByHand(world, configMapPath(world.namespace, 'a'), { data: { color: 'red' } });
    await untilColor(world, 'a', 'blue');
    await rolledOut(world, base);
    await untilColor(world, 'a', 'green');

    // A commit of its own path alone waits for nothing but that the other has seen it.
    const third = await world.repository.commit({ 'deploy/a.json': map('a', 'white') }, 'third');
    await untilReady(world, third);
    expect(await colorOf(world, 'a')).toBe('white');
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('says what holds it when that has failed, prunes nothing, and follows by itself once it is mended', async () => {
    await using world = await createWorld();
    await world.settings(syncsText(world, '  dependsOn: [ infra ]', { infra: '' }));
    const plain = JSON.stringify(secret('plain', { password: 'example-only' }));
    const first = await world.repository.commit(
      {
        ...(await world.canaryFile()),
        'deploy/a.json': map('a'),
        'deploy/goes.json': map('goes'),
        'infra/b.json': map('b'),
      },
      'first',
    );
    await using agent = await world.start();
    await untilReady(world, first);
    const second = await world.repository.commit(
      { 'infra/plain.json': plain, 'deploy/a.json': map('a', 'green'), 'deploy/goes.json': null },
      'second',
    );
    const held = await world.until('it is held', (status) => codesOf(status)[''] === 'SOTTO-PLAN-121');
    expect(stateOf(held)).toBe('Degraded');
    expect(attentionOf(held)[0]?.text).toBe(
      `the sync waits: sync infra is Degraded: 1 object or file refused, the last good state stays — sotto status -n ${world.namespace}   (mend what it says of sync infra; this one follows by itself)`,
    );
    await passed(agent, second);
    expect(await colorOf(world, 'a')).toBe('blue');
    expect(await colorOf(world, 'goes')).toBe('blue');
    const person = await personIn(world);
    const status = await person.sotto(['status']);
    expect(status.exit).toBe(1);
    expect(status.stdout).toContain('waits, because sync infra is Degraded');

    const mended = await world.repository.commit({ 'infra/plain.json': null }, 'mended');
    await untilReady(world, mended);
    expect(await colorOf(world, 'a')).toBe('green');
    await eventually('it is pruned', async () => ((await colorOf(world, 'goes')) === undefined ? true : undefined));
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('leaves the settings before that does, and an object that goes from one to the other stays', async () => {
    await using world = await createWorld();
    const leaving = '  deletionPolicy: delete';
    const web = `${leaving}\n  dependsOn: [ infra ]`;
    await world.settings(syncsText(world, '', { web, infra: leaving }));
    const first = await world.repository.commit(
      {
        ...(await world.canaryFile()),
        'infra/base.json': map('base'),
        'web/top.json': map('top'),
        'web/moves.json': map('moves'),
      },
      'first',
    );
    await using agent = await world.start();
    await untilReady(world, first, 'web');
    const uid = async (): Promise<string | undefined> =>
      stringAt(await world.get(configMapPath(world.namespace, 'moves')), 'metadata', 'uid');
    const before = await uid();
    const second = await world.repository.commit(
      { 'web/moves.json': null, 'infra/moves.json': map('moves', 'green') },
      'second',
    );
    await untilReady(world, second, 'infra');
    await untilReady(world, second, 'web');
    expect(await colorOf(world, 'moves')).toBe('green');
    expect(await uid()).toBe(before);

    const log = await requestsFromNow(world);
    await world.settings(syncsText(world, '', {}));
    await eventually('all is gone', async () =>
      (await colorOf(world, 'base')) === undefined && (await colorOf(world, 'moves')) === undefined ? true : undefined,
    );
    const deletes = (await log.writes()).filter(({ verb, resource }) => verb === 'delete' && resource === 'configmaps');
    expect(deletes[0]?.name, shown(deletes).join('\n')).toBe('top');
    expect(new Set(deletes.map(({ name }) => name))).toEqual(new Set(['top', 'base', 'moves']));
    expect(agent.log.flatMap(({ msg, sync }) => (msg === 'a sync has left the settings' ? [sync] : []))).toEqual([
      'web',
      'infra',
    ]);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('in a circle is refused by the settings, which name it, and the last good ones stay in force', async () => {
    await using world = await createWorld();
    const good = syncsText(world, '  dependsOn: [ infra ]', { infra: '' });
    await world.settings(good.replace('path: ./infra', 'path: ./infra\n  dependsOn: [ app ]'));
    const refused = await runOnce(world);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('SOTTO-CONF-014');
    expect(refused.stderr).toContain('app waits for infra waits for app');

    await world.settings(good);
    const commit = await world.repository.commit({ ...(await world.canaryFile()), 'infra/b.json': map('b') }, 'first');
    await using agent = await world.start();
    await untilReady(world, commit);
    await world.settings(good.replace('path: ./infra', 'path: ./infra\n  dependsOn: [ infra ]'));
    const told = await world.until('the circle is told', (status) => JSON.stringify(status).includes('SOTTO-CONF-014'));
    expect(attentionOf(told).map(({ code, text }) => `${code} ${text}`)).toContainEqual(
      expect.stringMatching(/^SOTTO-CONF-014 .*infra waits for infra/),
    );
    const next = await world.repository.commit({ 'deploy/a.json': map('a') }, 'next');
    await untilReady(world, next);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('in one pass on the command line comes after that, if it is ready in time', async () => {
    await using world = await createWorld();
    await world.settings(syncsText(world, '  timeout: 5s\n  dependsOn: [ infra ]', { infra: '  timeout: 5s' }));
    await world.repository.commit(
      { ...(await world.canaryFile()), 'deploy/a.json': map('a'), 'infra/base.json': deployment() },
      'first',
    );
    const late = await runOnce(world);
    expect(late.code).toBe(1);
    expect(attentionOf(await world.status()).map(({ code }) => code)).toEqual(['SOTTO-PLAN-121']);
    expect(await colorOf(world, 'a')).toBeUndefined();
    const ending = runOnce(world);
    await rolledOut(world, deploymentPath(world, 'base'));
    expect(await ending).toMatchObject({ code: 0 });
    expect(await colorOf(world, 'a')).toBe('blue');
  });
});
