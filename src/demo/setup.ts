import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringAt } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';
import type { AgentCommand } from './agent-child.ts';
import { createAuthority } from './certificates.ts';
import type { DemoCluster } from './cluster.ts';
import { configFile, createSecrets, encryptedFiles, GREETINGS, readmeFiles } from './content.ts';
import { useExistingCluster } from './existing-cluster.ts';
import { gitMissing, setupRefused } from './failure.ts';
import { startGitServer } from './git-server.ts';
import type { GitServer, TestRepository } from './git-server.ts';
import type { DemoOptions } from './options.ts';
import { startLocalCluster } from './local-cluster.ts';
import type { Screen } from './screen.ts';
import type { Stage } from './stage.ts';

const GIT_USER = 'demo';

/** Everything but the agent. */
export type PreparedStage = Omit<Stage, 'agent'> & {
  readonly agentCommand: AgentCommand;
};

/** Cluster, repository, and in the namespace what an agent needs: keys, credential, settings. */
export async function buildStage(
  options: DemoOptions,
  screen: Screen,
  cleanup: AsyncDisposableStack,
): Promise<PreparedStage> {
  const startedAt = new Date();
  const programFolders = options.env['PATH'] ?? '';
  const folder = await mkdtemp(join(tmpdir(), 'sotto-demo-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  const { existing } = options;
  const cluster = cleanup.use(
    existing === undefined
      ? await startLocalCluster(options, screen, folder)
      : await useExistingCluster(existing, options, screen, folder),
  );
  screen.done(`${existing === undefined ? 'control plane up' : 'cluster'}: ${cluster.described}`);
  screen.detail(`namespace ${cluster.namespace} made, with one Role for the agent`);
  options.signal.throwIfAborted();

  screen.working('making keys and the repository');
  const gitPassword = randomBytes(12).toString('hex');
  const { git, repository } = await serveRepository(cleanup, gitPassword, programFolders);
  const secrets = createSecrets();
  const age = await options.codecs.newAgeKey();
  const sealing = await (await createAuthority('sotto demo sealing key')).issue({ commonName: 'sotto demo' });
  const keys = { recipient: age.recipient, certificatePem: sealing.certificatePem, namespace: cluster.namespace };
  const encrypted = await encryptedFiles(options.codecs, secrets, keys);
  await repository.commit({ ...readmeFiles(age.recipient), ...configFile(GREETINGS.first) }, 'The beginning');
  screen.done('repository served over TLS; keys and settings put into the namespace');
  screen.detail('2 SOPS files and 1 SealedSecret made by sotto itself, without sops');
  const url = git.url(repository);
  await putInto(cluster, [
    secret('sops-age', { 'age.agekey': age.identity }),
    {
      ...secret('sealing-key', { 'tls.key': sealing.privateKeyPem, 'tls.crt': sealing.certificatePem }),
      type: 'kubernetes.io/tls',
      metadata: { name: 'sealing-key', labels: { 'sealedsecrets.bitnami.com/sealed-secrets-key': 'active' } },
    },
    {
      ...secret('git-auth', { username: GIT_USER, password: gitPassword, 'ca.crt': git.caPem }),
      metadata: {
        name: 'git-auth',
        labels: { 'sotto.dev/use': 'git' },
        annotations: { 'sotto.dev/for': url },
      },
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'sotto' }, data: { 'sotto.yaml': settingsText(url) } },
  ]);
  options.signal.throwIfAborted();
  const agentCommand: AgentCommand = {
    programPath: options.programPath,
    programFolders,
    kubeconfig: cluster.agentKubeconfig,
    namespace: cluster.namespace,
    folder,
  };
  return {
    options,
    screen,
    cluster,
    git,
    gitLogin: `${GIT_USER}:${gitPassword}`,
    repository,
    secrets,
    encrypted,
    folder,
    startedAt,
    agentCommand,
  };
}

async function serveRepository(
  cleanup: AsyncDisposableStack,
  password: string,
  programFolders: string,
): Promise<{ readonly git: GitServer; readonly repository: TestRepository }> {
  const access = { kind: 'basic', username: GIT_USER, password } as const;
  const git = cleanup.use(await startGitServer(access, programFolders));
  try {
    return { git, repository: await git.createRepository('app') };
  } catch (thrown) {
    throw gitMissing(thrown);
  }
}

/** Pods are not waited for: a control plane alone runs none. */
function settingsText(url: string): string {
  return `apiVersion: sotto.dev/v1alpha1
kind: Config
page: { listen: "" }
decryption: { keys: [ { secretRef: { name: sops-age } } ] }
syncs:
- name: app
  source: { git: { url: "${url}", ref: { branch: main }, secretRef: { name: git-auth }, interval: 1s } }
  path: ./deploy
  wait: false
`;
}

function secret(name: string, entries: Readonly<Record<string, string>>): JsonObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: { ...entries } };
}

async function putInto({ admin, namespace }: DemoCluster, objects: readonly JsonObject[]): Promise<void> {
  for (const object of objects) {
    const plural = object['kind'] === 'Secret' ? 'secrets' : 'configmaps';
    const { status, body } = await admin('POST', `/api/v1/namespaces/${namespace}/${plural}`, object);
    if (status === 201) continue;
    const name = stringAt(object, 'metadata', 'name') ?? '';
    const why = `the API server answered ${status} (${stringAt(body, 'reason') ?? 'no reason given'})`;
    throw setupRefused(`${plural}/${name}`, why, 'use a context that may do that: kubectl auth can-i create secrets');
  }
}
