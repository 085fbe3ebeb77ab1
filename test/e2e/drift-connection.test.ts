import { readFile, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { type Json, memberAt, stringAt } from '../../src/core/json.ts';
import { passed } from '../harness/attention.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { type AgentListener, listenerOf } from '../harness/listener.ts';
import { configMapPath, editByHand, remove, secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

/** A token that is good as long as its Secret is there, as that of a Pod is as long as the Pod is. */
async function boundToken(world: World, name: string): Promise<string> {
  const core = `/api/v1/namespaces/${world.namespace}`;
  const holder = await world.create(`${core}/secrets`, secret(name, {}));
  const boundObjectRef = { apiVersion: 'v1', kind: 'Secret', name, uid: stringAt(holder, 'metadata', 'uid') ?? '' };
  const review = await world.create(`${core}/serviceaccounts/sotto/token`, { spec: { boundObjectRef } });
  return stringAt(review, 'status', 'token') ?? '';
}

/** The status of a request with that token. */
async function statusWith(world: World, token: string): Promise<number> {
  const { url, caPath } = world.own.plane.access;
  const { Agent, request } = await import('node:https');
  const agent = new Agent({ ca: await readFile(caPath) });
  return new Promise((resolve, reject) => {
    const path = configMapPath(world.namespace, 'sotto');
    request(`${url}${path}`, { agent, headers: { Authorization: `Bearer ${token}` } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .once('error', reject)
      .end();
  });
}

/** The kubeconfig of the agent with a token in a file, which changes as the kubelet changes it. */
async function withTokenFile(world: World, kubeconfigPath: string, token: string) {
  const [folder, file] = [world.folder, join(world.folder, 'token')];
  let written = 0;
  const rotate = async (next: string): Promise<void> => {
    const data = join(folder, `token-${(written += 1)}`);
    await writeFile(data, next, { mode: 0o600 });
    await unlink(file).catch(() => undefined);
    await symlink(data, file);
  };
  await rotate(token);
  const config: unknown = JSON.parse(await readFile(kubeconfigPath, 'utf8'), (key: string, value: unknown) =>
    key === 'user' && typeof value === 'object' ? { tokenFile: file } : value,
  );
  const path = join(folder, 'kubeconfig-with-token-file');
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
  return { path, rotate };
}

const color = (live: Json | undefined): string | undefined => stringAt(live, 'data', 'color');
const IS_UNAUTHORIZED = /^sotto_api_requests_total\{[^}]*code="401"[^}]*\} (\d+)/gm;
const refused = (metrics: string): number =>
  [...metrics.matchAll(IS_UNAUTHORIZED)].reduce((sum, [, count]) => sum + Number(count), 0);

/** A question every now and then, as a kubelet asks. */
async function untilLive(listener: AgentListener): Promise<void> {
  await eventually(
    'every stream is there again',
    async () => {
      await sleep(200);
      return (await listener.text('/readyz')).includes('watch ') ? undefined : true;
    },
    () => listener.text('/readyz'),
  );
}

describeReal('the connection to the API server', TOOLS, () => {
  test('a token that was replaced in its file is met with one 401, and requests and streams go on with the new one', async () => {
    await using world = await createWorld();
    const { access } = world.own.plane;
    await using proxy = await startFaultProxy({ access, kubeconfigPath: world.own.account.kubeconfigPath });
    const first = await boundToken(world, 'pod-one');
    const tokens = await withTokenFile(world, proxy.kubeconfigPath, first);
    const password = world.value(0);
    const files = {
      'deploy/a.json': JSON.stringify(configMap('a', { color: 'blue' })),
      'deploy/db.json': await world.sops(JSON.stringify(secret('db', { password })), 'db.json'),
    };
    const commit = await world.repository.commit(files, 'first');
    await using agent = await world.start([], { kubeconfig: tokens.path });
    await passed(agent, commit);
    const listener = await listenerOf(agent);
    expect(refused(await listener.text('/metrics'))).toBe(0);

    await tokens.rotate(await boundToken(world, 'pod-two'));
    await remove(world, secretPath(world.namespace, 'pod-one'));
    // The API server remembers a token that was good for ten seconds.
    await eventually('the old token is refused', async () => {
      await sleep(500);
      return (await statusWith(world, first)) === 401 ? true : undefined;
    });
    const [a, db] = [configMapPath(world.namespace, 'a'), secretPath(world.namespace, 'db')];
    // A Secret first: its body is gone with the 401, and is filled again.
    await editByHand(world, db, { stringData: { password: 'by hand' } });
    await eventually('the Secret is as in Git', async () => {
      const encoded = stringAt(memberAt(await world.get(db), 'data'), 'password') ?? '';
      return Buffer.from(encoded, 'base64').toString() === password ? true : undefined;
    });
    expect(refused(await listener.text('/metrics'))).toBe(1);
    const second = await world.repository.commit({ 'deploy/b.json': JSON.stringify(configMap('b', {})) }, 'second');
    await passed(agent, second);
    proxy.dropWatches();
    await remove(world, a);
    await eventually('what went while the streams were down is there', async () =>
      color(await world.get(a)) === 'blue' ? true : undefined,
    );
    await untilLive(listener);
    expect(refused(await listener.text('/metrics'))).toBe(1);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a stream that says nothing any more is told in /readyz and metrics, and opened anew', async () => {
    await using world = await createWorld();
    const { access } = world.own.plane;
    await using proxy = await startFaultProxy({ access, kubeconfigPath: world.own.account.kubeconfigPath });
    const files = {
      'deploy/a.json': JSON.stringify(configMap('a', { color: 'blue' })),
      ...(await world.canaryFile()),
    };
    const commit = await world.repository.commit(files, 'first');
    const preload = pathToFileURL(join(import.meta.dirname, '..', 'harness', 'short-waits.ts')).href;
    await using agent = await world.start([], {
      kubeconfig: proxy.kubeconfigPath,
      // How long a stream that had a bookmark may say nothing.
      env: { NODE_OPTIONS: `--import=${preload}`, SOTTO_TEST_SHORT_WAIT_MS: '180000' },
    });
    await passed(agent, commit);
    const listener = await listenerOf(agent);
    const a = configMapPath(world.namespace, 'a');
    expect(await listener.text('/readyz')).not.toContain('watch ');
    expect(await listener.text('/metrics')).toContain('sotto_watch_state{kind="ConfigMap",state="live"} 1');

    const list = await world.get(`/api/v1/namespaces/${world.namespace}/configmaps?limit=1`);
    proxy.bookmarkWatches(stringAt(list, 'metadata', 'resourceVersion') ?? '');
    proxy.silenceWatches();
    let isHeld = true;
    proxy.setFault(({ method }) => (method === 'GET' && isHeld ? { kind: 'delay', ms: 3_000 } : undefined));
    await editByHand(world, a, { data: { color: 'red' } });
    await eventually(
      'it is told',
      async () =>
        /^watch configmaps\/v1: stale silent for 180 s$/m.test(await listener.text('/readyz')) ? true : undefined,
      () => listener.text('/readyz'),
    );
    expect(await listener.text('/metrics')).toContain('sotto_watch_state{kind="ConfigMap",state="broken"} 1');
    expect(color(await world.get(a))).toBe('red');
    isHeld = false;
    await eventually('the edit is undone', async () => (color(await world.get(a)) === 'blue' ? true : undefined));
    await untilLive(listener);
    expect(await listener.text('/metrics')).toContain('sotto_watch_state{kind="ConfigMap",state="live"} 1');
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
