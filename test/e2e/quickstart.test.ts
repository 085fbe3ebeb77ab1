import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { memberAt, stringAt } from '../../src/core/json.ts';
import { startControlPlane } from '../../src/demo/control-plane.ts';
import { startGitServer } from '../../src/demo/git-server.ts';
import { observeAgent } from '../harness/agent.ts';
import { canary } from '../harness/canary-values.ts';
import { objectOf, ROOT } from '../harness/deploy.ts';
import { watchLeaks } from '../harness/leak-watch.ts';
import { collectImage, startPod, whyNoPods } from '../harness/pod.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { eventually } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'kube-controller-manager', 'age-keygen'] as const;
const programs = () => ({
  'kube-apiserver': toolPath('kube-apiserver'),
  etcd: toolPath('etcd'),
  'kube-controller-manager': toolPath('kube-controller-manager'),
});
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const run = promisify(execFile);
const hasKubectl = (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'kubectl')));
const missing = [...(hasKubectl ? [] : ['kubectl']), ...[whyNoPods()].filter((why) => why !== undefined)];

type Block = { readonly kind: 'sh' | 'yaml'; readonly text: string };

/** The blocks that a reader would type or write, in their order. */
function blocksOf(page: string): readonly Block[] {
  return [...page.matchAll(/^```(sh|yaml)\n([\s\S]*?)^```$/gm)].map(([, kind, text = '']) => ({
    kind: kind === 'sh' ? 'sh' : 'yaml',
    text,
  }));
}

function suite(): void {
  test('as it is written it ends with a Secret from Git live in the namespace', async () => {
    await using cleanup = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'sotto-quickstart-'));
    cleanup.defer(() => rm(folder, { recursive: true, force: true }));
    // The stock role admin is put together by the controller manager.
    const plane = cleanup.use(await startControlPlane({ programs: programs(), controllerManager: true }));
    const namespace = 'team-app';
    await plane.createNamespace(namespace, { 'pod-security.kubernetes.io/enforce': 'restricted' });
    const reader = await plane.createServiceAccount(namespace, 'person', []);
    const bound = await plane.admin('POST', `${RBAC}/namespaces/${namespace}/rolebindings`, {
      metadata: { name: 'person-admin' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' },
      subjects: [{ kind: 'ServiceAccount', name: 'person', namespace }],
    });
    expect(bound.status).toBe(201);
    const git = cleanup.use(await startGitServer({ kind: 'basic', username: 'git', password: 'the-token' }));
    const repository = await git.createRepository('app');
    await repository.commit({ 'README.md': 'an app\n' }, 'begin');
    const url = git.url(repository);

    // What the reader has before he begins: the CLI by name, a clone that may push, a token in a file.
    const bin = join(folder, 'bin');
    await mkdir(bin);
    const program = async (name: string, line: string): Promise<void> => {
      await writeFile(join(bin, name), `#!/bin/sh\nexec ${line} "$@"\n`);
      await chmod(join(bin, name), 0o755);
    };
    await program('sotto', `"${process.execPath}" "${join(ROOT, 'dist/sotto.cjs')}"`);
    await program('age-keygen', `"${toolPath('age-keygen')}"`);
    await writeFile(join(folder, 'ca.crt'), git.caPem);
    const env = {
      PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`,
      HOME: folder,
      KUBECONFIG: reader.kubeconfigPath,
      GIT_SSL_CAINFO: join(folder, 'ca.crt'),
      GIT_CONFIG_NOSYSTEM: '1',
    };
    const clone = join(folder, 'app');
    const asReader = (script: string, cwd = clone) => run('sh', ['-euc', script], { cwd, env });
    await asReader(
      [
        "git config --global credential.helper '!f() { echo username=git; echo password=the-token; }; f'",
        'git config --global user.name reader && git config --global user.email reader@example.com',
        `git clone --quiet ${url} app`,
        'printf the-token > app/password',
      ].join('\n'),
      folder,
    );

    const page = readFileSync(join(ROOT, 'docs/quickstart.md'), 'utf8');
    const blocks = blocksOf(
      page.replaceAll('https://git.example.com/team/app.git', url).replaceAll('a-password', canary(0)),
    );
    const statusAt = blocks.findIndex(({ text }) => text.startsWith('sotto status'));
    expect(statusAt).toBeGreaterThan(5);
    for (const { kind, text } of blocks.slice(0, statusAt)) {
      if (kind === 'yaml') await writeFile(join(clone, 'sotto.yaml'), text);
      else await asReader(text);
      // The test's Git server has an authority of its own; the page says where to read about that.
      if (text.includes('create secret generic git-auth')) await addAuthority(git.caPem);
    }

    async function addAuthority(caPem: string): Promise<void> {
      const answer = await plane.admin('PATCH', `/api/v1/namespaces/${namespace}/secrets/git-auth`, {
        data: { 'ca.crt': Buffer.from(caPem).toString('base64') },
      });
      expect(answer.status).toBe(200);
    }

    // What a kubelet does: the Pod of the Deployment that was installed, with a token of its account.
    const deployment = await plane.admin('GET', `/apis/apps/v1/namespaces/${namespace}/deployments/sotto`);
    const review = await plane.admin('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/sotto/token`, {
      spec: {},
    });
    await using image = await collectImage();
    // Not before: the reader himself has typed the value.
    await using leaks = watchLeaks({ own: { plane }, namespace, repository, folder });
    await using pod = await startPod({
      image,
      template: objectOf(memberAt(deployment.body, 'spec', 'template')),
      namespace,
      token: stringAt(review.body, 'status', 'token') ?? '',
      caPath: plane.access.caPath,
      apiPort: plane.access.port,
      gitPort: Number(new URL(url).port),
    });
    await using agent = leaks.agent(observeAgent(pod.child, { host: '127.0.0.1', port: pod.port }));
    await agent.line('a pass', ({ msg }) => msg === 'pass ended');
    const secret = `/api/v1/namespaces/${namespace}/secrets/db`;
    const live = await eventually('the Secret is live', async () => {
      const { status, body } = await plane.admin('GET', secret);
      return status === 200 ? body : undefined;
    });
    expect(Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString()).toBe(canary(0));
    const ready = await eventually('it is Ready', async () =>
      asReader(blocks[statusAt]?.text ?? '').catch(() => undefined),
    );
    expect(ready.stdout).toContain('Ready');
    for (const { text } of blocks.slice(statusAt + 1)) {
      const { stdout } = await asReader(text);
      expect(stdout).toContain('- Deployment/sotto');
      expect(stdout).toContain('secret/git-auth, secret/sops-age');
    }
  });
}

if (missing.length === 0) describeReal('the quick start', TOOLS, suite);
else describe.skip(`the quick start (needs ${missing.join(', ')})`, suite);
