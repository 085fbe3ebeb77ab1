import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import type { ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { askAs } from '../harness/as-user.ts';
import { passed, sourceErrorOf } from '../harness/attention.ts';
import { type Canaries, leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { configMapPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { sealingKeySecret } from '../harness/sealing-key.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

/** Secrets that somebody may name who may only write the settings, and why each is not sent. */
const FOREIGN: readonly { readonly name: string; readonly code: string; readonly metadata?: JsonObject }[] = [
  { name: 'of-an-app', code: 'SOTTO-KEYS-010' },
  { name: 'for-a-registry', code: 'SOTTO-KEYS-011', metadata: { labels: { 'sotto.dev/use': 'registry' } } },
  { name: 'to-write', code: 'SOTTO-KEYS-011', metadata: { labels: { 'sotto.dev/use': 'git-write' } } },
  { name: 'without-prefix', code: 'SOTTO-KEYS-012', metadata: { labels: { 'sotto.dev/use': 'git' } } },
  {
    name: 'for-another-host',
    code: 'SOTTO-KEYS-013',
    metadata: { labels: { 'sotto.dev/use': 'git' }, annotations: { 'sotto.dev/for': 'https://git.example.com/' } },
  },
  {
    name: 'for-another-path',
    code: 'SOTTO-KEYS-013',
    metadata: { labels: { 'sotto.dev/use': 'git' }, annotations: { 'sotto.dev/for': 'https://127.0.0.1:PORT/ours' } },
  },
  {
    name: 'for-another-port',
    code: 'SOTTO-KEYS-013',
    metadata: { labels: { 'sotto.dev/use': 'git' }, annotations: { 'sotto.dev/for': 'https://127.0.0.1/' } },
  },
  { name: 'git-auth', code: 'SOTTO-KEYS-013' },
  { name: 'sops-age', code: 'SOTTO-KEYS-010' },
  { name: 'sotto-fingerprint', code: 'SOTTO-KEYS-010' },
  { name: 'sealing-1', code: 'SOTTO-KEYS-011' },
];
const EXISTING = ['git-auth', 'sops-age', 'sotto-fingerprint', 'sealing-1'];

describeReal('whoever may write the settings and nothing else', TOOLS, () => {
  const resources = new AsyncDisposableStack();
  let world: World;
  let canaries: Canaries;
  let agent: RunningAgent;
  let editor: ServiceAccountAccess;
  let connections = 0;
  let port = 0;

  const edit = async (syncs: readonly JsonObject[]): Promise<void> => {
    const decryption = { keys: [{ secretRef: { name: 'sops-age' } }] };
    const text = JSON.stringify({ apiVersion: 'sotto.dev/v1alpha1', kind: 'Config', decryption, syncs });
    const answer = await askAs(world.own.plane, editor, {
      method: 'PATCH',
      path: configMapPath(world.namespace, 'sotto'),
      contentType: 'application/merge-patch+json',
      body: { data: { 'sotto.yaml': text } },
    });
    expect(answer.status).toBe(200);
  };
  const syncWith = (name: string): JsonObject => ({
    name,
    source: {
      git: {
        url: `https://127.0.0.1:${port}/his/app.git`,
        ref: { branch: 'main' },
        secretRef: { name },
        interval: '1s',
      },
    },
    path: './deploy',
    retryInterval: '1s',
  });

  beforeAll(async () => {
    world = resources.use(await createWorld());
    // Apart: the last test has one of them used as the credential that it is.
    canaries = resources.use(
      plantCanaries(
        FOREIGN.map(() => 4),
        true,
      ),
    );
    // Plain TCP: a connection counts, whatever would be sent over it.
    const trap = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    resources.defer(() => void trap.close());
    trap.listen(0, '127.0.0.1');
    await once(trap, 'listening');
    const address = trap.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
    const secrets = `/api/v1/namespaces/${world.namespace}/secrets`;
    await world.create(secrets, (await sealingKeySecret('sealing-1')).secret);
    for (const [index, { name, metadata = {} }] of FOREIGN.entries()) {
      if (EXISTING.includes(name)) continue;
      const marks = JSON.parse(JSON.stringify(metadata).replace('PORT', String(port))) as JsonObject;
      const entries = { username: 'git', password: canaries.values[index] ?? '' };
      await world.create(secrets, { ...secret(name, entries), metadata: { ...marks, name } });
    }
    editor = await world.own.plane.createServiceAccount(world.namespace, 'editor', [
      { apiGroups: [''], resources: ['configmaps'], resourceNames: ['sotto'], verbs: ['get', 'patch'] },
    ]);
    const files = { 'deploy/a.json': JSON.stringify(configMap('a', {})), ...(await world.canaryFile()) };
    const commit = await world.repository.commit(files, 'first');
    agent = await world.start();
    await passed(agent, commit);
  });
  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]();
    await resources.disposeAsync();
  });

  test('has no foreign Secret sent to a host of his choice: not even a connection is made', async () => {
    await edit(FOREIGN.map(({ name }) => syncWith(name)));
    const status = await world.until('every one is refused', (document) =>
      FOREIGN.every(({ name }) => sourceErrorOf(document, name) !== undefined),
    );
    expect(FOREIGN.map(({ name }) => [name, sourceErrorOf(status, name)])).toEqual(
      FOREIGN.map(({ name, code }) => [name, code]),
    );
    expect(connections).toBe(0);
    await leakCheck(world, agent, canaries);
  });

  test('has one sent where the Secret itself says so, so the listener would have seen it', async () => {
    const path = `/api/v1/namespaces/${world.namespace}/secrets/without-prefix`;
    const annotations = { 'sotto.dev/for': `https://127.0.0.1:${port}/his` };
    await world.own.plane.admin('PATCH', path, { metadata: { annotations } }, 'application/merge-patch+json');
    await eventually('the host is asked', () => Promise.resolve(connections > 0 ? true : undefined));
  });
});
