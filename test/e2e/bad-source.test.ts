import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, stringAt } from '../../src/core/json.ts';
import { type GitServer, startGitServer, type TestRepository } from '../../src/demo/git-server.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { type Canaries, leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, eventually, GIT_PASSWORD, secret, syncOf, type World } from '../harness/world.ts';
import { yaml } from './bad-files.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const MERGE_PATCH = 'application/merge-patch+json';

/** A source that works at first, and what then happens to it. */
interface BadSource {
  readonly name: string;
  readonly fault: string;
  readonly spoil: (source: Source) => Promise<unknown>;
  readonly code: string;
  /** In the message or the next step. */
  readonly says: RegExp;
}

interface Source {
  readonly git: GitServer;
  readonly repository: TestRepository;
  /** The other address of a redirect, where nobody may call. */
  readonly trap: string;
}

const SOURCES: readonly BadSource[] = [
  {
    name: 'away',
    fault: 'an unreachable Git server',
    spoil: ({ git }) => git.stop(),
    code: 'SOTTO-GIT-001',
    says: /git ls-remote https:\/\/127\.0\.0\.1:\d+\/away\.git/,
  },
  {
    name: 'rejected',
    fault: 'rejected credentials',
    spoil: async ({ git }) => git.setAccess({ kind: 'basic', username: 'git', password: 'another' }),
    code: 'SOTTO-GIT-007',
    says: /source\.git\.secretRef/,
  },
  {
    name: 'redirected',
    fault: 'a redirect',
    spoil: async ({ git, trap }) => git.setFault({ kind: 'redirect', location: `${trap}/redirected.git` }),
    code: 'SOTTO-GIT-011',
    says: /source\.git\.url/,
  },
  {
    name: 'failing',
    fault: 'a server error',
    spoil: async ({ git }) => git.setFault({ kind: 'status', status: 503, body: GIT_PASSWORD }),
    code: 'SOTTO-GIT-013',
    says: /Git server/,
  },
  {
    name: 'empty',
    fault: 'an empty repository',
    spoil: ({ repository }) => repository.git(['update-ref', '-d', 'refs/heads/main']),
    code: 'SOTTO-GIT-016',
    says: /git push/,
  },
  {
    name: 'branchless',
    fault: 'a branch that is gone',
    spoil: ({ repository }) => repository.git(['branch', '-m', 'main', 'trunk']),
    code: 'SOTTO-GIT-015',
    says: /trunk/,
  },
  {
    name: 'pathless',
    fault: 'a path that is gone',
    spoil: ({ repository }) => repository.commit({ 'deploy/a.yaml': null, 'deploy/s.yaml': null, README: 'x' }, 'gone'),
    code: 'SOTTO-GIT-019',
    says: /deploy/,
  },
  {
    name: 'kustomized',
    fault: 'a kustomization in the path',
    spoil: ({ repository }) => repository.commit({ 'deploy/sub/kustomization.yaml': 'resources: []\n' }, 'kustomize'),
    code: 'SOTTO-RENDER-001',
    says: /deploy\/sub\/kustomization\.yaml/,
  },
];

describeReal('a source that cannot be used', TOOLS, () => {
  const resources = new AsyncDisposableStack();
  let world: World;
  let canaries: Canaries;
  let agent: RunningAgent;
  let status: Json;
  let callers = 0;
  const repositories = new Map<string, Source>();
  const path = (plural: string, name: string): string => `/api/v1/namespaces/${world.namespace}/${plural}/${name}`;
  const passed = (name: string, commit: string): Promise<unknown> =>
    agent.line(`the pass of ${name}`, (line) => {
      const isCommit = String(line['revision']).endsWith(commit);
      return line.msg === 'pass ended' && line['sync'] === name && isCommit;
    });

  beforeAll(async () => {
    world = resources.use(await createWorld());
    canaries = resources.use(plantCanaries(Array.from({ length: 2 * SOURCES.length + 2 }, () => 4)));
    const trap = createServer((socket) => {
      callers += 1;
      socket.destroy();
    });
    resources.defer(() => void trap.close());
    const address = await listen(trap);
    const names = [...SOURCES.map(({ name }) => name), 'rewritten', 'emptied'];
    const commits = new Map<string, string>();
    for (const [index, name] of names.entries()) {
      const git = resources.use(await startGitServer({ kind: 'basic', username: 'git', password: GIT_PASSWORD }));
      const repository = await git.createRepository(name);
      repositories.set(name, { git, repository, trap: address });
      const encrypted = await world.sops(yaml(secret(name, { a: canaries.values[index] ?? '' })), 's.yaml');
      const plain = yaml(configMap(name, { a: 'good' }));
      await repository.commit({ README: 'first' }, 'first');
      commits.set(name, await repository.commit({ 'deploy/a.yaml': plain, 'deploy/s.yaml': encrypted }, 'good'));
      await credentialOf(world, name, git, repository);
    }
    await world.settings(settingsOf(repositories));
    agent = await world.start();
    for (const [name, commit] of commits) await passed(name, commit);
    for (const { name, spoil } of SOURCES) await spoil(sourceOf(name));
    const rewritten = await sourceOf('rewritten').repository.rewrite(
      { 'deploy/b.yaml': yaml(configMap('rewritten-new', { a: 'new' })), 'deploy/a.yaml': null },
      'rewritten',
    );
    await sourceOf('emptied').repository.commit(
      { 'deploy/a.yaml': null, 'deploy/s.yaml': null, 'deploy/README': 'x' },
      'e',
    );
    await passed('rewritten', rewritten);
    const errorsOf = (document: Json): number =>
      SOURCES.filter(({ name }) => errorOf(document, name) !== undefined).length;
    status = await world.until(
      'every fault is said',
      (document) =>
        errorsOf(document) === SOURCES.length &&
        JSON.stringify(syncOf(document, 'rewritten')).includes('rewound') &&
        stringAt(syncOf(document, 'emptied') ?? null, 'state') === 'Held',
    );
  });
  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]();
    await resources.disposeAsync();
  });
  const sourceOf = (name: string): Source => {
    const source = repositories.get(name);
    if (source === undefined) throw new Error(`no source ${name}`);
    return source;
  };

  test.each(SOURCES)('$fault is said with the next step, and nothing is pruned', async ({ name, code, says }) => {
    const error = errorOf(status, name) ?? null;
    expect(stringAt(error, 'code')).toBe(code);
    expect(stringAt(error, 'message')).toMatch(/^[^\n]{20,400}$/);
    expect(`${stringAt(error, 'message') ?? ''} ${stringAt(error, 'next') ?? ''}`).toMatch(says);
    await restored(world, name);
  });

  test('a redirect is not followed', () => {
    expect(sourceOf('redirected').git.requests.some((request) => request.status === 302)).toBe(true);
    expect(callers).toBe(0);
  });

  test('a rewritten branch is followed and said to be rewound', async () => {
    const sync = syncOf(status, 'rewritten') ?? null;
    const codes = arrayAt(sync, 'attention').map((item) => stringAt(item, 'code'));
    expect(codes).toContain('SOTTO-GIT-018');
    expect(await world.get(path('configmaps', 'rewritten-new'))).toBeDefined();
    await eventually('what the rewritten branch does not have is pruned', async () =>
      (await world.get(path('configmaps', 'rewritten'))) === undefined ? true : undefined,
    );
  });

  test('a path without manifests holds the plan, and nothing is pruned', async () => {
    const [pending = null] = arrayAt(syncOf(status, 'emptied') ?? null, 'pending');
    expect(pending).toMatchObject({ prunes: 2 });
    await restored(world, 'emptied');
  });

  test('nothing that is said holds a value, a password or a stack trace', async () => {
    await leakCheck(world, agent, canaries);
    expect(agent.output() + JSON.stringify(await world.status())).not.toMatch(/\\n\s+at |node:internal/);
  });
});

/** A change by hand goes back to the last good state, without the source. */
async function restored(world: World, name: string): Promise<void> {
  const of = `/api/v1/namespaces/${world.namespace}/configmaps/${name}`;
  expect(await world.get(`/api/v1/namespaces/${world.namespace}/secrets/${name}`)).toBeDefined();
  const edited = await world.own.plane.admin('PATCH', of, { data: { a: 'by hand' } }, MERGE_PATCH);
  expect(edited.status).toBe(200);
  await eventually(`${name} is restored`, async () =>
    stringAt((await world.get(of)) ?? null, 'data', 'a') === 'good' ? true : undefined,
  );
}

function errorOf(document: Json, name: string): Json | undefined {
  return memberAt(syncOf(document, name) ?? null, 'source', 'error');
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

function credentialOf(world: World, name: string, git: GitServer, repository: TestRepository): Promise<Json> {
  return world.create(`/api/v1/namespaces/${world.namespace}/secrets`, {
    ...secret(`git-${name}`, { username: 'git', password: GIT_PASSWORD, 'ca.crt': git.caPem }),
    metadata: {
      name: `git-${name}`,
      labels: { 'sotto.dev/use': 'git' },
      annotations: { 'sotto.dev/for': git.url(repository) },
    },
  });
}

function settingsOf(sources: ReadonlyMap<string, Source>): string {
  const syncs = [...sources].map(([name, { git, repository }]) => ({
    name,
    source: {
      git: {
        url: git.url(repository),
        ref: { branch: 'main' },
        secretRef: { name: `git-${name}` },
        interval: '2s',
      },
    },
    path: './deploy',
    retryInterval: '2s',
  }));
  const decryption = { keys: [{ secretRef: { name: 'sops-age' } }] };
  return JSON.stringify({ apiVersion: 'sotto.dev/v1alpha1', kind: 'Config', decryption, syncs });
}
