import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, parseJson, stringAt } from '../../src/core/json.ts';
import { startGitServer } from '../../src/demo/git-server.ts';
import type { LogLine, RunningAgent } from '../harness/agent.ts';
import { attentionOf, codesOf, passed, sourceErrorOf, untilReady, untilTried } from '../harness/attention.ts';
import { listenerOf, pageOf } from '../harness/listener.ts';
import { configMapPath, editByHand, remove, secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { sealingKeySecret } from '../harness/sealing-key.ts';
import { configMap, createWorld, eventually, GIT_PASSWORD, secret, syncOf, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kubeseal'] as const;

const manifest = (name: string): string => JSON.stringify(configMap(name, { color: 'blue' }));

async function currentSettings(world: World): Promise<string> {
  return stringAt(await world.get(configMapPath(world.namespace, 'sotto')), 'data', 'sotto.yaml') ?? '';
}

/** The settings with a second sync, of another path. */
function withSync(text: string, name: string, path: string): string {
  const first = text.slice(text.indexOf('- name: app'));
  return `${text.trimEnd()}\n${first.replace('name: app', `name: ${name}`).replace('./deploy', path)}`;
}

function exists(world: World, name: string): Promise<true> {
  return eventually(`${name} is there`, async () =>
    (await world.get(configMapPath(world.namespace, name))) === undefined ? undefined : true,
  );
}

/** As kubelet does with a mounted ConfigMap: the folder behind the link is replaced in one step, the old one removed. */
async function swapIn(folder: string, text: string): Promise<string> {
  const version = join(
    folder,
    `..v${createHash('sha256').update(`${text}${performance.now()}`).digest('hex').slice(0, 8)}`,
  );
  await mkdir(version, { recursive: true });
  await writeFile(join(version, 'sotto.yaml'), text);
  const before = await readlink(join(folder, '..data')).catch(() => undefined);
  await symlink(version, join(folder, '..data-next'));
  await rename(join(folder, '..data-next'), join(folder, '..data'));
  if (before !== undefined) await rm(before, { recursive: true });
  const file = join(folder, 'sotto.yaml');
  await symlink(join('..data', 'sotto.yaml'), file).catch(() => undefined);
  return file;
}

/** Secret db, for a key that is not the one of the world. */
async function encrypted(recipient: string, value: string): Promise<string> {
  const rules = ['--age', recipient, '--encrypted-regex', '^(data|stringData)$', '--filename-override', 'db.json'];
  const stdin = JSON.stringify(secret('db', { password: value }));
  return (await stockOutput('sops', ['encrypt', ...rules], { stdin })).toString();
}

describeReal('settings and keys are followed live', TOOLS, () => {
  test('a change of ConfigMap sotto takes effect without a restart, a bad one changes nothing and is reported', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit(
      { 'deploy/a.json': manifest('a'), 'other/b.json': manifest('b'), 'third/c.json': manifest('c') },
      'first',
    );
    await using agent = await world.start();
    await passed(agent, commit);
    const settings = await currentSettings(world);
    await world.settings(withSync(settings, 'second', './other'));
    await exists(world, 'b');
    await world.settings(withSync(settings, 'second', './other').replace('interval: 1s', 'interval: soon'));
    const listener = await listenerOf(agent);
    await eventually('the bad setting is reported', async () =>
      /SOTTO-CONF-\d+/.test(await listener.text('/readyz')) ? true : undefined,
    );
    await agent.line('it is in the log', ({ code }) => String(code).startsWith('SOTTO-CONF-'));
    // The last good ones are in force: both syncs go on.
    const next = await world.repository.commit({ 'other/d.json': manifest('d') }, 'second');
    await passed(agent, next, 'second');
    await exists(world, 'd');
    // A removed sync leaves its objects, and forgets to correct them.
    await world.settings(settings);
    await world.until('the sync is gone', (status) => syncOf(status, 'second') === undefined);
    expect(await world.get(configMapPath(world.namespace, 'b'))).toBeDefined();
    await world.settings(settings.replace('./deploy', './third'));
    await exists(world, 'c');
    expect(await listener.text('/readyz')).not.toContain('SOTTO-CONF-');
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
    expect(agent.log.filter(({ msg }) => msg === 'started')).toHaveLength(1);
  });

  test('--config FILE is followed as a file and as a swapped link', async () => {
    await using world = await createWorld();
    const settings = await currentSettings(world);
    const commit = await world.repository.commit(
      { 'deploy/a.json': manifest('a'), 'other/b.json': manifest('b') },
      'x',
    );
    const file = await swapIn(world.folder, settings);
    await using agent = await world.start(['--config', file]);
    await passed(agent, commit);
    await swapIn(world.folder, withSync(settings, 'second', './other'));
    await exists(world, 'b');
    await swapIn(world.folder, 'kind: Config');
    await agent.line('the bad file is reported', ({ code }) => String(code).startsWith('SOTTO-CONF-'));
    await remove(world, configMapPath(world.namespace, 'b'));
    await exists(world, 'b');
    expect(await readFile(file, 'utf8')).toBe('kind: Config');
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('page.listen is followed: off, and on again elsewhere', async () => {
    await using world = await createWorld();
    await world.repository.commit({ 'deploy/a.json': manifest('a') }, 'first');
    await using agent = await world.start();
    await exists(world, 'a');
    const settings = await currentSettings(world);
    const page = await pageOf(agent);
    expect((await page.get('/status.json')).status).toBe(200);
    await world.settings(settings.replace('127.0.0.1:0', ''));
    await eventually('it is off', () =>
      page.get('/status.json').then(
        () => undefined,
        () => true,
      ),
    );
    await world.settings(settings);
    const places = (): readonly LogLine[] => agent.log.filter(({ msg }) => msg === 'page listening');
    const again = await eventually('it is on again', () => Promise.resolve(places()[1]));
    expect((await fetch(`http://127.0.0.1:${String(again['port'])}/status.json`)).status).toBe(200);
    // A wrong address is a wrong setting: the last good ones stay in force.
    await world.settings(settings.replace('127.0.0.1:0', 'localhost'));
    await agent.line('the bad address is reported', ({ code }) => code === 'SOTTO-CONF-001');
    expect((await fetch(`http://127.0.0.1:${String(again['port'])}/status.json`)).status).toBe(200);
    expect(agent.log.filter(({ msg }) => msg === 'started')).toHaveLength(1);
  });

  test('without settings the agent waits for them', async () => {
    await using world = await createWorld();
    const settings = await currentSettings(world);
    await world.repository.commit({ 'deploy/a.json': manifest('a') }, 'first');
    await remove(world, configMapPath(world.namespace, 'sotto'));
    await using agent = await world.start();
    await agent.line('it waits', ({ code }) => code === 'SOTTO-CONF-012');
    await world.create(
      `/api/v1/namespaces/${world.namespace}/configmaps`,
      configMap('sotto', { 'sotto.yaml': settings }),
    );
    await exists(world, 'a');
  });

  test('a key that comes later opens what was refused, a rotated one is read anew, a lost one keeps what runs', async () => {
    await using world = await createWorld();
    const core = `/api/v1/namespaces/${world.namespace}`;
    const later = await newAgeKeyPair();
    const password = async (): Promise<string> =>
      Buffer.from(
        stringAt(await world.get(secretPath(world.namespace, 'db')), 'data', 'password') ?? '',
        'base64',
      ).toString();
    const is = (value: string): Promise<true> =>
      eventually(`the password is ${value}`, async () => ((await password()) === value ? true : undefined));
    const files = {
      'deploy/db.json': await encrypted(later.recipient, world.value(0)),
      'deploy/a.json': manifest('a'),
    };
    const commit = await world.repository.commit(files, 'for a key that is not here');
    await using agent = await world.start();
    await passed(agent, commit);
    expect(attentionOf(await untilTried(world, commit))[0]?.file).toBe('deploy/db.json');
    await exists(world, 'a');
    // Labelled, and in the settings by no name.
    await world.create(`${core}/secrets`, {
      ...secret('another-key', { 'later.agekey': later.identity }),
      metadata: { name: 'another-key', labels: { 'sotto.dev/use': 'keys' } },
    });
    await is(world.value(0));
    const rotated = await newAgeKeyPair();
    await editByHand(world, secretPath(world.namespace, 'another-key'), {
      stringData: { 'later.agekey': rotated.identity },
    });
    await world.repository.commit({ 'deploy/db.json': await encrypted(rotated.recipient, world.value(1)) }, 'rotated');
    await is(world.value(1));
    await remove(world, secretPath(world.namespace, 'another-key'));
    await sleep(1_500);
    expect(await password()).toBe(world.value(1));
    const last = await world.repository.commit(
      { 'deploy/a.json': null, 'deploy/b.json': manifest('b') },
      'without key',
    );
    await passed(agent, last);
    await exists(world, 'b');
    expect(await password()).toBe(world.value(1));
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
    expect(agent.output()).not.toMatch(/AGE-SECRET-KEY/);
  });

  test('a credential that is not marked for its source is never sent, and its error says what to set', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit({ 'deploy/a.json': manifest('a') }, 'first');
    const path = secretPath(world.namespace, 'git-auth');
    const wrong = [
      [{ labels: { 'sotto.dev/use': null } }, 'SOTTO-KEYS-010'],
      [{ labels: { 'sotto.dev/use': 'registry' } }, 'SOTTO-KEYS-011'],
      [{ labels: { 'sotto.dev/use': 'git' }, annotations: { 'sotto.dev/for': null } }, 'SOTTO-KEYS-012'],
      [{ annotations: { 'sotto.dev/for': `${world.git.url(world.repository)}x` } }, 'SOTTO-KEYS-013'],
      [{ annotations: { 'sotto.dev/for': 'https://other.example.com/' } }, 'SOTTO-KEYS-013'],
    ] as const;
    const [first] = wrong;
    await editByHand(world, path, { metadata: first[0] });
    await using agent = await world.start();
    for (const [metadata, code] of wrong) {
      await editByHand(world, path, { metadata });
      const said = await agent.line(code, (line) => line['code'] === code);
      expect(JSON.stringify(said)).toMatch(/kubectl (label|annotate)|sotto\.dev/);
    }
    expect(world.git.requests).toEqual([]);
    await editByHand(world, path, { metadata: { annotations: { 'sotto.dev/for': world.git.url(world.repository) } } });
    await passed(agent, commit);
    // Settings that point the same credential at another host: that host sees nothing.
    await using elsewhere = await startGitServer({ kind: 'basic', username: 'git', password: GIT_PASSWORD });
    const settings = await currentSettings(world);
    const url = `https://127.0.0.1:${elsewhere.port}/app.git`;
    await world.settings(settings.replace(world.git.url(world.repository), url));
    await world.until('it is refused', (status) => sourceErrorOf(status) === 'SOTTO-KEYS-013');
    expect(elsewhere.requests).toEqual([]);
    expect(agent.output()).not.toContain(GIT_PASSWORD);
  });

  test('changed rights to the source are told apart: rejected, redirected, gone', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit({ 'deploy/a.json': manifest('a') }, 'first');
    await using agent = await world.start();
    await passed(agent, commit);
    await editByHand(world, secretPath(world.namespace, 'git-auth'), { stringData: { password: 'wrong-password' } });
    await agent.line('rejected', ({ code }) => String(code).startsWith('SOTTO-GIT-'));
    const [rejected] = agent.log.filter(({ code }) => String(code).startsWith('SOTTO-GIT-'));
    await editByHand(world, secretPath(world.namespace, 'git-auth'), { stringData: { password: GIT_PASSWORD } });
    const next = await world.repository.commit({ 'deploy/b.json': manifest('b') }, 'second');
    await passed(agent, next);
    world.git.setFault({ kind: 'redirect', location: 'https://127.0.0.1:9/stolen.git' });
    await eventually('the redirect is told apart', async () =>
      agent.log.some(({ code }) => String(code).startsWith('SOTTO-GIT-') && code !== rejected?.['code'])
        ? true
        : undefined,
    );
    world.git.setFault(null);
    const last = await world.repository.commit({ 'deploy/c.json': manifest('c') }, 'third');
    await untilReady(world, last);
    expect(agent.output()).not.toMatch(new RegExp(`${GIT_PASSWORD}|wrong-password`));
  });
});

describeReal('nothing listens that decrypts', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  let key: Awaited<ReturnType<typeof sealingKeySecret>>;
  beforeAll(async () => {
    world = await createWorld({ top: 'sealing: { keys: [ sealing-key ] }' });
    key = await sealingKeySecret('sealing-key');
    await world.create(`/api/v1/namespaces/${world.namespace}/secrets`, key.secret);
    await world.repository.commit({ 'deploy/a.json': manifest('a') }, 'first');
    agent = await world.start();
    await exists(world, 'a');
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test('health, readiness, metrics and the certificate answer; nothing else does', async () => {
    const listener = await listenerOf(agent);
    expect((await listener.get('/healthz')).status).toBe(200);
    expect((await listener.get('/readyz')).body).toMatch(/^ok/);
    const metrics = await listener.text('/metrics');
    expect(metrics).toMatch(/^sotto_/m);
    expect(metrics).not.toMatch(/AGE-SECRET|git-auth/);
    for (const path of [
      '/',
      '/status.json',
      '/v1/verify',
      '/v1/rotate',
      '/v1/unseal',
      '/hooks/app',
      '/debug/pprof/',
      '/v1/cert.pem/',
      '/metrics/x',
    ]) {
      expect((await listener.get(path)).status, path).toBe(404);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      for (const path of ['/healthz', '/v1/cert.pem', '/v1/verify', '/v1/rotate']) {
        expect((await listener.get(path, method)).status, `${method} ${path}`).toBe(405);
      }
    }
  });

  test('the page has the status document with what changes all the time, and nothing else', async () => {
    const page = await pageOf(agent);
    const stored = await world.until('it is Ready', (status) => stringAt(syncOf(status) ?? null, 'state') === 'Ready');
    const served = parseJson(await page.text('/status.json'));
    expect(stringAt(served, 'schema')).toBe(stringAt(stored, 'schema'));
    const sync = syncOf(served) ?? null;
    expect(stringAt(sync, 'source', 'askedAt')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(stringAt(sync, 'lastPass', 'startedAt')).toMatch(/Z$/);
    expect(JSON.stringify(stored)).not.toMatch(/askedAt|lastPass/);
    for (const path of ['/', '/events', '/metrics', '/healthz', '/v1/cert.pem', '/hooks/app']) {
      expect((await page.get(path)).status, path).toBe(404);
    }
    expect((await page.get('/status.json', 'POST')).status).toBe(405);
  });

  test('the agent listens on these two ports and no other', async () => {
    const ports = [(await listenerOf(agent)).url, (await pageOf(agent)).url].map((url) => Number(new URL(url).port));
    const sockets = await Promise.all(
      ['tcp', 'tcp6'].map((name) => readFile(`/proc/${agent.pid}/net/${name}`, 'utf8')),
    );
    const listening = sockets
      .flatMap((text) => text.split('\n').slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[3] === '0A')
      .map((columns) => ({ port: Number.parseInt(columns[1]?.split(':')[1] ?? '', 16), inode: columns[9] ?? '' }));
    const descriptors = await readdir(`/proc/${agent.pid}/fd`);
    const links = await Promise.all(descriptors.map((fd) => readlink(`/proc/${agent.pid}/fd/${fd}`).catch(() => '')));
    const own = listening.filter(({ inode }) => links.includes(`socket:[${inode}]`));
    expect(new Set(own.map((socket) => socket.port))).toEqual(new Set(ports));
  });

  test('what kubeseal seals with the certificate of the agent becomes a Secret', async () => {
    const listener = await listenerOf(agent);
    const pem = await listener.text('/v1/cert.pem');
    expect(pem.replaceAll('\r', '')).toBe(key.certificatePem.replaceAll('\r', ''));
    const sealed = await stockOutput(
      'kubeseal',
      ['--cert', `${listener.url}/v1/cert.pem`, '--format', 'yaml', '-n', world.namespace],
      {
        stdin: JSON.stringify({
          ...secret('sealed', { password: world.value(0) }),
          metadata: { name: 'sealed', namespace: world.namespace },
        }),
      },
    );
    await world.repository.commit({ 'deploy/sealed.yaml': sealed.toString() }, 'sealed');
    await eventually('the Secret is there', async () => {
      const live = await world.get(secretPath(world.namespace, 'sealed'));
      const value = Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString();
      return value === world.value(0) ? true : undefined;
    });
    expect(arrayAt((await world.status()) ?? null, 'syncs')).toHaveLength(1);
    expect(codesOf(await world.status())).toEqual({});
  });
});
