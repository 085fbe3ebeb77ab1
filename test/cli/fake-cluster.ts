import { createServer, type Server, type ServerResponse } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** A kubeconfig and a server that answers by path; what has no answer is 404. */
export interface FakeCluster extends AsyncDisposable {
  readonly folder: string;
  readonly kubeconfig: string;
  readonly asked: readonly string[];
  readonly answers: Map<string, Answer | ((response: ServerResponse) => void)>;
}

export async function startFakeCluster(): Promise<FakeCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-cluster-'));
  const answers: FakeCluster['answers'] = new Map();
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    asked.push(`${request.method} ${request.url}`);
    const answer = answers.get(path) ?? failure(404, 'NotFound');
    if (typeof answer === 'function') return answer(response);
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [{ name: 'test', cluster: { server: `http://127.0.0.1:${port}` } }],
      users: [{ name: 'kim', user: { token: 'x' } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'kim', namespace: 'team-app' } }],
    }),
  );
  answers.set('/api', { status: 200, body: discovered('', 'v1', CORE) });
  answers.set('/apis', { status: 200, body: discovered('apps', 'v1', APPS) });
  return {
    folder,
    kubeconfig,
    asked,
    answers,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}

export function failure(status: number, reason: string, message = reason): Answer {
  return { status, body: { kind: 'Status', status: 'Failure', code: status, reason, message, details: { name: 'x' } } };
}

export function found(body: unknown): Answer {
  return { status: 200, body };
}

const CORE = [
  kind('ConfigMap', 'configmaps', 'configmap', ['cm']),
  kind('Secret', 'secrets', 'secret', []),
  kind('Pod', 'pods', 'pod', ['po']),
  kind('Namespace', 'namespaces', 'namespace', ['ns'], 'Cluster'),
];
const APPS = [kind('Deployment', 'deployments', 'deployment', ['deploy'])];

function kind(name: string, plural: string, singular: string, shortNames: readonly string[], scope = 'Namespaced') {
  return {
    resource: plural,
    responseKind: { group: '', version: 'v1', kind: name },
    scope,
    singularResource: singular,
    shortNames,
    verbs: ['get', 'list', 'watch'],
  };
}

function discovered(group: string, version: string, resources: readonly unknown[]) {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    items: [
      { metadata: group === '' ? {} : { name: group }, versions: [{ version, freshness: 'Current', resources }] },
    ],
  };
}
