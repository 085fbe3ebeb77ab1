import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { arrayAt, type Json, parseJson, stringAt } from '../../src/core/json.ts';
import { attentionOf, codesOf, passed, sourceErrorOf, untilTried } from '../harness/attention.ts';
import { leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { configMapPath, editByHand, remove, secretPath, valueAt } from '../harness/objects.ts';
import { runSotto } from '../harness/once.ts';
import { describeReal } from '../harness/real.ts';
import { requestsFromNow, shown } from '../harness/requests.ts';
import { configMap, createWorld, eventually, secret, settingsText, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const SYNC = `  wait: false
  postBuild:
    substitute: { env: prod }
    substituteFrom: [ { kind: ConfigMap, name: vars }, { kind: ConfigMap, name: more, optional: true } ]`;
/** Longer than the delays after which the agent stores its inventory and status. */
const SETTLE_MS = 11_000;
const QUIET_MS = 5_000;

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata: { name: "web-\${env}" }
spec:
  replicas: \${replicas}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [ { name: c, image: "example.com/c:\${version:=1}" } ] }
`;

const pod = (secretName: string): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: '${name}' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          containers: [{ name: 'c', image: 'example.com/c:1' }],
          volumes: [{ name: 'v', secret: { secretName } }],
        },
      },
    },
  });
const app = (color: string): string => JSON.stringify(configMap('app', { color }));
const deploymentPath = (world: World): string => `/apis/apps/v1/namespaces/${world.namespace}/deployments/web-prod`;

async function setVariables(world: World, data: Readonly<Record<string, string | null>>): Promise<void> {
  await editByHand(world, configMapPath(world.namespace, 'vars'), { data });
}

/** The ConfigMap that a pass made has this value. */
function becomes(world: World, name: string, key: string, value: string | undefined): Promise<true> {
  return eventually(`${name} has ${key}: ${String(value)}`, async () => {
    const object = await world.get(configMapPath(world.namespace, name));
    return object !== undefined && stringAt(object, 'data', key) === value ? true : undefined;
  });
}

async function worldWithVariables(data: Readonly<Record<string, string>>): Promise<World> {
  const world = await createWorld({ sync: SYNC });
  await world.create(`/api/v1/namespaces/${world.namespace}/configmaps`, configMap('vars', data));
  return world;
}

describeReal('variables', TOOLS, () => {
  test('stand in names, numbers and texts, never in a Secret, and a change of the ConfigMap is a pass', async () => {
    using canaries = plantCanaries([4]);
    const [password = ''] = canaries.values;
    await using world = await worldWithVariables({ replicas: '2', color: 'blue' });
    const encrypted = secret('db', { password: `${password}\${env}$$` });
    const commit = await world.repository.commit(
      {
        'deploy/web.yaml': DEPLOYMENT,
        'deploy/app.yaml': JSON.stringify(configMap('app-${env}', { color: '${color}', raw: '$${env} $env' })),
        'deploy/db.json': await world.sops(
          JSON.stringify({ ...encrypted, metadata: { name: 'db-${env}' } }),
          'db.json',
        ),
      },
      'first',
    );
    await using agent = await world.start();
    await passed(agent, commit);
    expect(codesOf(await untilTried(world, commit))).toEqual({});
    await becomes(world, 'app-prod', 'color', 'blue');
    expect(stringAt(await world.get(configMapPath(world.namespace, 'app-prod')), 'data', 'raw')).toBe('${env} $env');
    const web = await world.get(deploymentPath(world));
    expect(valueAt(web, ['spec', 'replicas'])).toBe(2);
    expect(valueAt(web, ['spec', 'template', 'spec', 'containers', 0, 'image'])).toBe('example.com/c:1');
    const db = await world.get(secretPath(world.namespace, 'db-prod'));
    const live = Buffer.from(stringAt(db, 'data', 'password') ?? '', 'base64').toString();
    expect(live).toBe(`${password}\${env}$$`);

    // No commit: what the ConfigMap says is what runs.
    await setVariables(world, { replicas: '3', color: 'red', version: '2' });
    await becomes(world, 'app-prod', 'color', 'red');
    await eventually('the Deployment follows', async () => {
      const now = await world.get(deploymentPath(world));
      const image = valueAt(now, ['spec', 'template', 'spec', 'containers', 0, 'image']);
      return valueAt(now, ['spec', 'replicas']) === 3 && image === 'example.com/c:2' ? true : undefined;
    });
    await world.create(`/api/v1/namespaces/${world.namespace}/configmaps`, configMap('more', { color: 'green' }));
    await becomes(world, 'app-prod', 'color', 'green');
    await remove(world, configMapPath(world.namespace, 'more'));
    await becomes(world, 'app-prod', 'color', 'red');

    // What was replaced is what is guarded.
    await editByHand(world, configMapPath(world.namespace, 'app-prod'), { data: { color: 'black' } });
    await becomes(world, 'app-prod', 'color', 'red');
    await sleep(SETTLE_MS);
    const log = await requestsFromNow(world);
    await sleep(QUIET_MS);
    expect(shown(await log.calls())).toEqual([]);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
    await leakCheck(world, agent, canaries);
  });

  test('that nobody knows are one refused object, and the others go on', async () => {
    await using world = await worldWithVariables({ color: 'blue' });
    const first = await world.repository.commit({ 'deploy/app.yaml': app('${color}') }, 'first');
    await using agent = await world.start();
    await passed(agent, first);
    const second = await world.repository.commit(
      { 'deploy/app.yaml': app('${colour}'), 'deploy/b.yaml': JSON.stringify(configMap('b', { a: '${env}' })) },
      'second',
    );
    const status = await untilTried(world, second);
    expect(codesOf(status)).toEqual({ 'ConfigMap/app': 'SOTTO-RENDER-073' });
    expect(attentionOf(status)[0]).toMatchObject({ file: 'deploy/app.yaml', text: expect.stringContaining('colour') });
    await becomes(world, 'app', 'color', 'blue');
    await becomes(world, 'b', 'a', 'prod');
    await setVariables(world, { colour: 'red' });
    await becomes(world, 'app', 'color', 'red');
    await world.until('nothing is wrong', (now) => attentionOf(now).length === 0);
  });

  test('a value that would change an object is refused, and what runs stays', async () => {
    await using world = await worldWithVariables({ color: 'blue' });
    const commit = await world.repository.commit({ 'deploy/app.yaml': app('${color}') }, 'first');
    await using agent = await world.start();
    await passed(agent, commit);
    await becomes(world, 'app', 'color', 'blue');
    const refusals = (): number => agent.log.filter(({ code }) => code === 'SOTTO-RENDER-075').length;
    for (const color of ['{ a: b }', 'red # or blue', '*red']) {
      const before = refusals();
      await setVariables(world, { color });
      await eventually('it is refused', () => Promise.resolve(refusals() > before ? true : undefined));
      await becomes(world, 'app', 'color', 'blue');
    }
    await setVariables(world, { color: 'green' });
    await becomes(world, 'app', 'color', 'green');
    expect(agent.output()).not.toContain('red # or blue');
  });

  test('reach no key: vetoes judge what they make of an object', async () => {
    await using world = await worldWithVariables({ name: 'web' });
    const commit = await world.repository.commit({ 'deploy/web.json': pod('${name}-tls') }, 'first');
    await using agent = await world.start();
    await passed(agent, commit);
    await setVariables(world, { name: 'sotto' });
    await agent.line('the name of the agent is refused', ({ code }) => code === 'SOTTO-PLAN-020');
    await setVariables(world, { name: 'web' });
    const next = await world.repository.commit({ 'deploy/web.json': pod('${key:=sops-age}') }, 'second');
    await passed(agent, next);
    expect(codesOf(await untilTried(world, next))).toEqual({ 'apps/Deployment/web': 'SOTTO-PLAN-021' });
    await setVariables(world, { key: 'web-tls' });
    await world.until('it is taken again', (status) => attentionOf(status).length === 0);
    await setVariables(world, { key: 'sops-age' });
    await world.until('a key is refused', (status) => codesOf(status)['apps/Deployment/web'] === 'SOTTO-PLAN-021');
  });

  test('follow the settings: a ConfigMap that they name no more wakes nobody', async () => {
    await using world = await worldWithVariables({ color: 'blue' });
    const collection = `/api/v1/namespaces/${world.namespace}/configmaps`;
    await world.create(collection, configMap('other', { color: 'red' }));
    const commit = await world.repository.commit(
      { 'deploy/app.yaml': app('${color}'), ...(await world.canaryFile()) },
      'first',
    );
    await using agent = await world.start();
    await passed(agent, commit);
    const text = settingsText(world.git.url(world.repository), { sync: SYNC.replace('name: vars', 'name: other') });
    await world.settings(text);
    await becomes(world, 'app', 'color', 'red');
    await setVariables(world, { color: 'green' });
    await sleep(1_500);
    expect(agent.log.filter(({ msg }) => msg === 'variables changed')).toEqual([]);
    // Without postBuild nothing is replaced.
    await world.settings(settingsText(world.git.url(world.repository), { sync: '  wait: false' }));
    await becomes(world, 'app', 'color', '${color}');
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('wait for their ConfigMap: without it nothing is changed and nothing pruned', async () => {
    await using world = await createWorld({ sync: SYNC });
    const files = {
      'deploy/app.yaml': app('${color}'),
      ...(await world.canaryFile()),
    };
    await world.repository.commit(files, 'first');
    await using agent = await world.start();
    await world.until('it waits', (status) => sourceErrorOf(status) === 'SOTTO-RENDER-071');
    expect(await world.get(configMapPath(world.namespace, 'app'))).toBeUndefined();
    const collection = `/api/v1/namespaces/${world.namespace}/configmaps`;
    await world.create(collection, configMap('vars', { color: 'blue' }));
    await becomes(world, 'app', 'color', 'blue');
    await remove(world, configMapPath(world.namespace, 'vars'));
    const second = await world.repository.commit({ 'deploy/app.yaml': null }, 'second');
    await world.until('it waits again', (status) => sourceErrorOf(status) === 'SOTTO-RENDER-071');
    await sleep(2_000);
    expect(stringAt(await world.get(configMapPath(world.namespace, 'app')), 'data', 'color')).toBe('blue');
    await world.create(collection, configMap('vars', {}));
    await passed(agent, second);
    await eventually('it is pruned', async () =>
      (await world.get(configMapPath(world.namespace, 'app'))) === undefined ? true : undefined,
    );
  });

  test('are the same for `agent --once` and for `sotto diff`, with a key and without', async () => {
    await using world = await worldWithVariables({ color: 'blue' });
    const metadata = { name: 'db-${env}' };
    const files = {
      'deploy/app.yaml': JSON.stringify(configMap('app-${env}', { color: '${color}' })),
      'deploy/db.json': await world.sops(
        JSON.stringify({ ...secret('db', { a: world.value(0) }), metadata }),
        'db.json',
      ),
    };
    await world.repository.commit(files, 'first');
    const folder = await mkdtemp(join(world.folder, 'checkout-'));
    await mkdir(join(folder, '.git'));
    await mkdir(join(folder, 'deploy'));
    await writeFile(join(folder, 'sotto.yaml'), settingsText(world.git.url(world.repository), { sync: SYNC }));
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
    const account = ['-n', world.namespace, '--kubeconfig', world.own.account.kubeconfigPath];
    const diff = async (...args: readonly string[]): Promise<readonly string[]> => {
      const { stdout } = await runSotto(['diff', folder, ...account, '-o', 'json', ...args]);
      return arrayAt(parseJson(stdout), 'changes').map(changeText);
    };
    expect((await diff('--key-file', world.ageKeyFile)).toSorted()).toEqual([
      'create ConfigMap/app-prod',
      'create Secret/db-prod',
    ]);
    const once = await runSotto(['agent', '--once', '--listen', '127.0.0.1:0', ...account]);
    expect([once.code, once.stderr]).toEqual([0, expect.anything()]);
    expect(await diff('--key-file', world.ageKeyFile)).toEqual([]);
    expect(await diff()).toEqual(['unknown Secret/db-prod']);
    await setVariables(world, { color: 'red' });
    expect(await diff('--key-file', world.ageKeyFile)).toEqual(['change ConfigMap/app-prod']);
    await remove(world, configMapPath(world.namespace, 'vars'));
    expect(await diff('--key-file', world.ageKeyFile)).toEqual(['refused SOTTO-RENDER-071']);
  });
});

function changeText(change: Json): string {
  const object = stringAt(change, 'object') ?? stringAt(change, 'error', 'object') ?? '';
  const code = stringAt(change, 'error', 'code');
  return `${stringAt(change, 'kind') ?? ''} ${code ?? object}`;
}
