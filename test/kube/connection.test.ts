import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { loadConnection } from '../../src/kube/connection.ts';
import type { ConnectionSource } from '../../src/kube/connection.ts';
import { manualClock } from './fake-api.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sotto-kubeconfig-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Kubeconfig {
  readonly server?: string;
  readonly cluster?: Record<string, unknown>;
  readonly user?: Record<string, unknown>;
  readonly context?: string;
}

async function kubeconfig(name: string, config: Kubeconfig): Promise<string> {
  const path = join(folder, name);
  const context = config.context ?? 'dev';
  const document = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': context,
    clusters: [
      {
        name: `${context}-cluster`,
        cluster: { server: config.server ?? 'https://api.example.com:6443', ...config.cluster },
      },
    ],
    users: [{ name: `${context}-user`, user: config.user ?? { token: 'abc' } }],
    contexts: [
      { name: context, context: { cluster: `${context}-cluster`, user: `${context}-user`, namespace: 'team-a' } },
    ],
  };
  await writeFile(path, JSON.stringify(document));
  return path;
}

function load(source: Partial<ConnectionSource>) {
  return loadConnection({ env: {}, clock: systemClock, serviceAccountFolder: join(folder, 'none'), ...source });
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (typeof error === 'object' && error !== null && 'code' in error ? error.code : error),
  );
}

describe('a kubeconfig', () => {
  it('gives server, namespace, CA and token of its current context', async () => {
    const ca = Buffer.from('CA').toString('base64');
    const path = await kubeconfig('plain', { cluster: { 'certificate-authority-data': ca } });
    const connection = await load({ kubeconfig: path });
    expect(connection).toMatchObject({
      namespace: 'team-a',
      tls: { ca: Buffer.from('CA') },
      user: 'context dev, user dev-user',
      warnings: [],
    });
    expect(connection.server.href).toBe('https://api.example.com:6443/');
    expect(await connection.authorize(false)).toEqual({ Authorization: 'Bearer abc' });
  });

  it('is found as kubectl finds it: the file named, KUBECONFIG, the home folder', async () => {
    const first = await kubeconfig('first', { context: 'one' });
    const second = await kubeconfig('second', { context: 'two' });
    const env = { KUBECONFIG: `${first}:${second}`, HOME: folder };
    expect((await load({ env })).user).toBe('context one, user one-user');
    expect((await load({ env, context: 'two' })).user).toBe('context two, user two-user');
    expect((await load({ env, kubeconfig: second })).user).toBe('context two, user two-user');
    expect(await codeOf(load({ env: { HOME: folder } }))).toBe('SOTTO-KUBE-020');
  });

  it('gives client certificates, also by path beside it', async () => {
    await writeFile(join(folder, 'client.crt'), 'CERT');
    const path = await kubeconfig('certificates', {
      user: { 'client-certificate': 'client.crt', 'client-key-data': Buffer.from('KEY').toString('base64') },
    });
    const connection = await load({ kubeconfig: path });
    expect(connection.tls).toEqual({ cert: Buffer.from('CERT'), key: Buffer.from('KEY') });
    expect(await connection.authorize(false)).toEqual({});
  });

  it('gives a token file that is read again after a while, and at once after a 401', async () => {
    const clock = manualClock();
    await writeFile(join(folder, 'token'), 'old\n');
    const path = await kubeconfig('token-file', { user: { tokenFile: 'token' } });
    const connection = await load({ kubeconfig: path, clock });
    expect(await connection.authorize(false)).toEqual({ Authorization: 'Bearer old' });
    await writeFile(join(folder, 'token'), 'new\n');
    expect(await connection.authorize(false)).toEqual({ Authorization: 'Bearer old' });
    expect(await connection.authorize(true)).toEqual({ Authorization: 'Bearer new' });
    await writeFile(join(folder, 'token'), 'newer\n');
    clock.forward(60_000);
    expect(await connection.authorize(false)).toEqual({ Authorization: 'Bearer newer' });
  });

  it('runs a credential plugin, keeps what it gave, and runs it again after a 401', async () => {
    const count = join(folder, 'count');
    const script = join(folder, 'plugin.sh');
    await writeFile(script, `echo x >> ${count}; printf '{"status":{"token":"run-%s"}}' $(wc -l < ${count})`);
    const path = await kubeconfig('exec', { user: { exec: { command: 'sh', args: [script] } } });
    const connection = await load({ kubeconfig: path });
    const first = await connection.authorize(false);
    expect(await connection.authorize(false)).toEqual(first);
    expect(await connection.authorize(true)).not.toEqual(first);
  });

  it('impersonates as it says', async () => {
    const path = await kubeconfig('as', { user: { token: 'abc', as: 'system:serviceaccount:a:b' } });
    expect(await (await load({ kubeconfig: path })).authorize(false)).toMatchObject({
      'Impersonate-User': 'system:serviceaccount:a:b',
    });
  });

  it('warns when the server is not verified, and not on this machine', async () => {
    const cluster = { 'insecure-skip-tls-verify': true };
    const remote = await load({ kubeconfig: await kubeconfig('insecure', { cluster }) });
    expect(remote.tls.rejectUnauthorized).toBe(false);
    expect(remote.warnings).toEqual([expect.stringContaining('insecure-skip-tls-verify')]);
    const local = await load({
      kubeconfig: await kubeconfig('insecure-local', { cluster, server: 'https://127.0.0.1:6443' }),
    });
    expect(local.warnings).toEqual([]);
  });

  it('may name http on this machine only', async () => {
    const local = await load({ kubeconfig: await kubeconfig('proxy', { server: 'http://127.0.0.1:8001' }) });
    expect(local.server.protocol).toBe('http:');
    for (const server of [
      'http://api.example.com',
      'ftp://127.0.0.1',
      'https://user:word@api.example.com',
      'http://127.0.0.1.example.com',
    ]) {
      expect(await codeOf(load({ kubeconfig: await kubeconfig('bad', { server }) }))).toBe('SOTTO-KUBE-022');
    }
  });

  it.each<[string, Kubeconfig, string]>([
    ['a proxy', { cluster: { 'proxy-url': 'http://proxy' } }, 'SOTTO-KUBE-023'],
    ['a plugin that fails', { user: { exec: { command: 'false' } } }, 'SOTTO-KUBE-024'],
    ['a plugin that is not there', { user: { exec: { command: '/nowhere/plugin' } } }, 'SOTTO-KUBE-024'],
    ['a token file that is not there', { user: { tokenFile: '/nowhere/token' } }, 'SOTTO-KUBE-019'],
  ])('with %s is refused by code', async (name, config, code) => {
    const path = await kubeconfig(name, config);
    expect(await codeOf(load({ kubeconfig: path }).then((connection) => connection.authorize(false)))).toBe(code);
  });

  it('that is missing, no YAML, or lacks the context is refused by code', async () => {
    const path = await kubeconfig('context', {});
    expect(await codeOf(load({ kubeconfig: path, context: 'prod' }))).toBe('SOTTO-KUBE-021');
    expect(await codeOf(load({ kubeconfig: join(folder, 'nowhere') }))).toBe('SOTTO-KUBE-019');
    await writeFile(join(folder, 'broken'), 'a: [');
    expect(await codeOf(load({ kubeconfig: join(folder, 'broken') }))).toBe('SOTTO-KUBE-019');
    await writeFile(join(folder, 'empty'), '');
    expect(await codeOf(load({ kubeconfig: join(folder, 'empty') }))).toMatch(/SOTTO-KUBE-0(?:19|21)/);
  });
});

describe('a Pod', () => {
  it('uses its service account, and reads the token again when it is renewed', async () => {
    const account = await mkdtemp(join(folder, 'account-'));
    const payload = Buffer.from(JSON.stringify({ sub: 'system:serviceaccount:team-a:sotto' })).toString('base64url');
    await writeFile(join(account, 'token'), `head.${payload}.sign`);
    await writeFile(join(account, 'ca.crt'), 'CA');
    await writeFile(join(account, 'namespace'), 'team-a');
    const clock = manualClock();
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    const connection = await load({ env, serviceAccountFolder: account, clock });
    expect(connection).toMatchObject({
      namespace: 'team-a',
      tls: { ca: 'CA' },
      user: 'system:serviceaccount:team-a:sotto',
    });
    expect(connection.server.href).toBe('https://[fd00::1]/');
    await writeFile(join(account, 'token'), 'renewed');
    expect(await connection.authorize(true)).toEqual({ Authorization: 'Bearer renewed' });
  });

  it('without a token is no cluster to talk to', async () => {
    const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };
    expect(await codeOf(load({ env }))).toBe('SOTTO-KUBE-020');
  });
});
