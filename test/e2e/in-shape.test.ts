import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, stringAt } from '../../src/core/json.ts';
import { socketRenderer } from '../../src/render/kustomize/socket/socket-renderer.ts';
import { fixture, kustomization, MAP } from '../render/kustomize/trees.ts';
import { kindAndName, kustomizeBuild, objectOf, pathOf, podTemplate, rulesOf } from '../harness/deploy.ts';
import { sourceErrorOf, untilReady } from '../harness/attention.ts';
import { leakCheck, leaksIn, memoryLeaks, plantCanaries } from '../harness/leak-check.ts';
import { filesBelow } from '../harness/leak-places.ts';
import { buildAsInImage, collectImage, type Image, startPod, whyNoPods } from '../harness/pod.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { requestsFromNow, shown } from '../harness/requests.ts';
import { AGENT_RULES, configMap, createWorld, eventually, secret, syncOf, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kustomize'] as const;
const missing = whyNoPods();

async function podOf(world: World, image: Image, folder = 'deploy') {
  const { plane, account } = world.own;
  return startPod({
    image,
    template: podTemplate(await kustomizeBuild(folder)),
    namespace: world.namespace,
    token: account.token,
    caPath: plane.access.caPath,
    apiPort: plane.access.port,
    gitPort: Number(new URL(world.git.url(world.repository)).port),
  });
}

function valueOf(object: Json | undefined, key: string): string {
  return Buffer.from(stringAt(object, 'data', key) ?? '', 'base64').toString();
}

function suite(): void {
  let image: Image;
  let checkout: string;
  beforeAll(async () => {
    checkout = await mkdtemp(join(tmpdir(), 'sotto-checkout-'));
    image = await collectImage(await buildAsInImage(checkout), toolPath('kustomize'));
  });
  afterAll(async () => {
    await image[Symbol.asyncDispose]();
    await rm(checkout, { recursive: true, force: true });
  });

  test('the image holds what the agent needs and no shell', async () => {
    const files = (await filesBelow(image.folder)).map(({ name }) => name.slice(image.folder.length));
    expect(files).toEqual(
      expect.arrayContaining(['/usr/local/bin/node', '/usr/bin/git', '/opt/sotto/sotto.cjs', '/opt/sotto/kustomize']),
    );
    expect(files.filter((file) => /\/(?:ba|da|z)?sh$|\/(?:apt|dpkg|perl|curl)[\w-]*$/.test(file))).toEqual([]);
  });

  test('as any user, on a read-only root, with one memory volume, under its limit, with the Role of deploy/, it does its job', async () => {
    using canaries = plantCanaries([4, 200]);
    const [password = '', long = ''] = canaries.values;
    await using world = await createWorld({ rules: AGENT_RULES });
    const encrypted = await world.sops(JSON.stringify(secret('db', { password, long })), 'db.json');
    await world.repository.commit(
      { 'deploy/web.yaml': JSON.stringify(configMap('web', { color: 'blue' })), 'deploy/db.json': encrypted },
      'first',
    );
    await using pod = await podOf(world, image);
    await using agent = world.observe(pod.child, { host: '127.0.0.1', port: pod.port });
    await world.until('ready', (document) => stringAt(syncOf(document), 'state') === 'Ready');
    const live = await world.get(`/api/v1/namespaces/${world.namespace}/secrets/db`);
    expect(Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString()).toBe(password);
    const web = `/api/v1/namespaces/${world.namespace}/configmaps/web`;
    await world.own.plane.admin('PATCH', `${web}?fieldManager=kubectl-edit`, { data: { color: 'red' } });
    await eventually('the edit is undone', async () =>
      stringAt(await world.get(web), 'data', 'color') === 'blue' ? true : undefined,
    );
    await world.repository.commit({ 'deploy/web.yaml': null }, 'second');
    await eventually('the object is pruned', async () => ((await world.get(web)) === undefined ? true : undefined));
    const { host, port } = await agent.listening();
    for (const probe of ['healthz', 'readyz'])
      expect((await fetch(`http://${host}:${port}/${probe}`)).status).toBe(200);

    const volume = await filesBelow(`/proc/${agent.pid}/root/work`);
    expect(volume.length).toBeGreaterThan(0);
    expect(leaksIn(volume, canaries)).toEqual([]);
    await leakCheck(world, agent, canaries);
    const { peakBytes, limitHits } = await pod.memory.used();
    expect(limitHits).toBe(0);
    expect(peakBytes).toBeLessThan(pod.memory.limitBytes);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
    expect(await agent.stop()).toBe(0);
  });

  test('split: with the keys in one namespace and the objects in another, and the Roles of the overlay', async () => {
    using canaries = plantCanaries([4]);
    const [password = ''] = canaries.values;
    const target = `target-${randomBytes(4).toString('hex')}`;
    await using world = await createWorld({
      rules: rulesOf('deploy/overlays/split/agent/role.yaml'),
      top: `targetNamespace: ${target}`,
    });
    const { plane } = world.own;
    await plane.createNamespace(target);
    for (const object of await kustomizeBuild('deploy/overlays/split/target')) {
      const subjects = [{ kind: 'ServiceAccount', name: 'sotto', namespace: world.namespace }];
      const placed = { ...object, metadata: { name: 'sotto', namespace: target } };
      const made = kindAndName(object) === 'RoleBinding/sotto' ? { ...placed, subjects } : placed;
      await world.create(pathOf(made).replace(/\/[^/]*$/, ''), objectOf(made));
    }
    const log = await requestsFromNow(world);
    await world.repository.commit(
      { 'deploy/db.json': await world.sops(JSON.stringify(secret('db', { password })), 'db.json') },
      'first',
    );
    await using pod = await podOf(world, image);
    await using agent = world.observe(pod.child, { host: '127.0.0.1', port: pod.port });
    await world.until('ready', (document) => stringAt(syncOf(document), 'state') === 'Ready');
    const db = `/api/v1/namespaces/${target}/secrets/db`;
    const live = await world.get(db);
    expect(Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString()).toBe(password);
    await plane.admin('DELETE', db);
    await eventually('it is there again', () => world.get(db));
    // Not one request was refused, and no key is in the other namespace.
    expect(shown((await log.entries()).filter(({ status }) => status === 403))).toEqual([]);
    const there = await world.get(`/api/v1/namespaces/${target}/secrets`);
    expect(arrayAt(there, 'items').map((item) => stringAt(item, 'metadata', 'name'))).toEqual(['db']);
    await leakCheck(world, agent, canaries);
  });

  test('beside an app, as a sidecar container, it does the same on a port of its own', async () => {
    using canaries = plantCanaries([4]);
    const [password = ''] = canaries.values;
    await using world = await createWorld();
    await world.repository.commit(
      { 'deploy/db.json': await world.sops(JSON.stringify(secret('db', { password })), 'db.json') },
      'first',
    );
    await using pod = await podOf(world, image, 'deploy/examples/sidecar');
    await using agent = world.observe(pod.child, { host: '127.0.0.1', port: pod.port });
    await world.until('ready', (document) => stringAt(syncOf(document), 'state') === 'Ready');
    expect((await agent.line('where it listens', ({ msg }) => msg === 'listening'))['port']).toBe(9808);
    expect((await fetch(`http://127.0.0.1:${pod.port}/healthz`)).status).toBe(200);
    await leakCheck(world, agent, canaries);
  });

  test('kustomize runs in the container beside it, which the agent knows of and which may be killed', async () => {
    await using world = await createWorld();
    await world.repository.commit({ 'deploy/a.json': JSON.stringify(configMap('a', {})) }, 'first');
    await using pod = await podOf(world, image);
    await using agent = world.observe(pod.child, { host: '127.0.0.1', port: pod.port });
    await world.until('ready', (document) => stringAt(syncOf(document), 'state') === 'Ready');
    const line = await eventually('the renderer has answered', async () => {
      const lines = (await (await fetch(`http://127.0.0.1:${pod.port}/readyz`)).text()).split('\n');
      return lines.find((each) => each.startsWith('renderer: socket, kustomize'));
    });
    expect(line).toMatch(/^renderer: socket, kustomize 5\.8\.2, network (?:none|shared), resources capped$/);
    const status = await world.until(
      'the status tells it',
      (document) => memberAt(document, 'renderer', 'pinned') === true,
    );
    expect(stringAt(status, 'renderer', 'where')).toBe('socket');
    const path = `/proc/${agent.pid}/root/run/sotto-renderer/private/socket`;
    const renderer = socketRenderer({ place: { kind: 'unix', path }, patience: { reachMs: 100 } });
    const files = [...fixture(kustomization('resources: [map.yaml]\nnamePrefix: a-', MAP)).files];
    const tree = files.map(([name, text]) => ({ path: name, bytes: new TextEncoder().encode(text) }));
    const built = await renderer.build(tree, '');
    expect(built.ok && Buffer.from(built.bytes).toString()).toContain('name: a-');
    pod.renderer?.child.kill('SIGKILL');
    if (pod.renderer !== undefined) await once(pod.renderer.child, 'exit');
    const lost = await renderer.build(tree, '');
    expect(!lost.ok && lost.error.code).toBe('SOTTO-RENDER-064');
    // Plain manifests need no renderer.
    await world.repository.commit({ 'deploy/b.json': JSON.stringify(configMap('b', {})) }, 'second');
    await eventually('the second commit is applied', () =>
      world.get(`/api/v1/namespaces/${world.namespace}/configmaps/b`),
    );
  });

  test('a kustomization with closed secrets is built in the container beside, which never holds a value; it may be killed', async () => {
    using canaries = plantCanaries([4, 4]);
    const [password = '', token = ''] = canaries.values;
    await using world = await createWorld({ rules: AGENT_RULES });
    const files = {
      'base/kustomization.yaml': 'resources: [db.json]\n',
      'base/db.json': await world.sops(JSON.stringify(secret('db', { password })), 'db.json'),
      'deploy/kustomization.yaml':
        'namePrefix: prod-\nresources: [../base]\nsecretGenerator:\n- name: app\n  envs: [app.env]\n',
      'deploy/app.env': await world.sops(`TOKEN=${token}\n`, 'app.env', []),
    };
    const commit = await world.repository.commit(files, 'first');
    await using pod = await podOf(world, image);
    await using agent = world.observe(pod.child, { host: '127.0.0.1', port: pod.port });
    await untilReady(world, commit);
    const secrets = `/api/v1/namespaces/${world.namespace}/secrets`;
    expect(valueOf(await world.get(`${secrets}/prod-db`), 'password')).toBe(password);
    const generated = arrayAt(await world.get(secrets), 'items').find((item) =>
      stringAt(item, 'metadata', 'name')?.startsWith('prod-app-'),
    );
    expect(valueOf(generated, 'TOKEN')).toBe(token);
    const beside = pod.renderer?.child.pid ?? 0;
    expect(await memoryLeaks(beside, canaries)).toEqual([]);
    expect(leaksIn(await filesBelow(`/proc/${beside}/root/trees`), canaries)).toEqual([]);
    await leakCheck(world, agent, canaries);

    pod.renderer?.child.kill('SIGKILL');
    await world.repository.commit(
      { 'deploy/kustomization.yaml': files['deploy/kustomization.yaml'].replace('prod-', 'test-') },
      'second',
    );
    await eventually('the sync says that its renderer is away', async () =>
      sourceErrorOf(await world.status()) === 'SOTTO-RENDER-064' ? true : undefined,
    );
    expect(await world.get(`${secrets}/prod-db`)).toBeDefined();
    expect(await world.get(`${secrets}/test-db`)).toBeUndefined();
  });

  test('what the shape is: seen from outside, while it runs', async () => {
    await using world = await createWorld();
    await world.repository.commit({ 'deploy/a.json': JSON.stringify(configMap('a', {})) }, 'first');
    await using pod = await podOf(world, image);
    await using agent = world.observe(pod.child, { host: '127.0.0.1', port: pod.port });
    await world.until('ready', (document) => stringAt(syncOf(document), 'state') === 'Ready');
    const proc = `/proc/${agent.pid}`;
    const status = await readFile(`${proc}/status`, 'utf8');
    expect(status).toContain(`Uid:\t${pod.uid}\t${pod.uid}\t${pod.uid}\t${pod.uid}`);
    expect(status).toMatch(/^Groups:\s*$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
      expect(status).toMatch(new RegExp(`^${set}:\t0+$`, 'm'));
    await expect(access(`${proc}/root/etc/passwd`)).rejects.toThrow('ENOENT');
    expect(await readFile(`${proc}/limits`, 'utf8')).toMatch(/^Max core file size\s+0\s+0\s/m);

    // Of all that is mounted, only the volume and the kernel's own view can be written to.
    const mounts = (await readFile(`${proc}/mountinfo`, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split(' '));
    const places = mounts.map((fields) => ({
      place: fields[4] ?? '',
      isWritable: fields[5]?.startsWith('rw') === true,
    }));
    const devices = /^\/dev\/(?:null|zero|random|urandom)$/;
    expect(
      places.filter(({ place, isWritable }) => isWritable && !devices.test(place)).map(({ place }) => place),
    ).toEqual(['/proc', '/work']);
    await expect(writeFile(`${proc}/root/opt/sotto/x`, '')).rejects.toThrow('EROFS');
    await expect(writeFile(`${proc}/root/tmp/x`, '')).rejects.toThrow('EROFS');

    // The renderer beside it: same user, other files, and nothing of the agent's.
    const beside = `/proc/${pod.renderer?.child.pid ?? 0}`;
    expect(await readFile(`${beside}/status`, 'utf8')).toMatch(new RegExp(`^Uid:\t${pod.uid}\t`, 'm'));
    expect(await readdir(`${beside}/root/work`)).toEqual([]);
    expect(await readdir(`${beside}/root/var/run/secrets/kubernetes.io/serviceaccount`)).toEqual([]);
    expect(await readdir(`${proc}/root/trees`)).toEqual([]);
    await expect(writeFile(`${beside}/root/opt/sotto/x`, '')).rejects.toThrow('EROFS');
    await expect(writeFile(`${proc}/root/run/sotto-renderer/x`, '')).rejects.toThrow('EROFS');

    // No interface but loopback, and nothing of this machine behind it but the two ports.
    expect((await pod.inNetwork('ip', ['-o', 'link'])).trim().split('\n')).toHaveLength(1);
    const stranger = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const address = stranger.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const knock = ['-e', `require('net').connect(${port}, '127.0.0.1').on('error', (e) => console.log(e.code))`];
    expect((await pod.inNetwork(process.execPath, knock)).trim()).toBe('ECONNREFUSED');
    stranger.close();

    // All its files are on the volume, and they go with the agent.
    expect((await readdir(`${proc}/root/work`)).length).toBe(1);
    expect(Number((await readFile(pod.memory.procs, 'utf8')).split('\n')[0])).toBe(agent.pid);
  });
}

if (missing === undefined) describeReal('the agent in the shape of its Pod', TOOLS, suite);
else describe.skip(`the agent in the shape of its Pod (needs ${missing})`, suite);
