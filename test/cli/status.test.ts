import { createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sotto } from './session.ts';

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const READY = {
  schema: 'sotto.dev/status/v1alpha1',
  agent: { version: '0.1.0', instance: 'a', startedAt: '2026-11-25T04:24:00Z' },
  syncs: [
    {
      name: 'app',
      state: 'Ready',
      reason: 'Applied',
      message: 'everything is as in Git',
      source: {
        url: 'https://git.example.com/team/app.git',
        ref: 'main',
        revision: `main@sha1:${'ab'.repeat(20)}`,
      },
      appliedRevision: `main@sha1:${'ab'.repeat(20)}`,
      counts: { desired: 13, current: 13, inProgress: 0, failed: 0, held: 0, paused: 0, pruned: 0 },
      attentionTotal: 0,
      attention: [],
      pending: [],
    },
  ],
  pauses: [],
  handled: [],
  keys: [{ kind: 'age', id: 'age1abc', state: 'active', uses: 3, secret: 'sops-age', origin: 'foreign' }],
  corrections: [],
};

const TROUBLED = {
  ...READY,
  syncs: [
    {
      ...READY.syncs[0],
      state: 'Degraded',
      message: '2 objects are not as Git wants them',
      source: {
        ...READY.syncs[0]?.source,
        error: { code: 'SOTTO-GIT-001', message: 'no answer', next: 'check the network' },
      },
      counts: { desired: 13, current: 11, inProgress: 1, failed: 1, held: 2, paused: 0, pruned: 0 },
      attentionTotal: 3,
      attention: [
        {
          object: 'Secret/db',
          code: 'SOTTO-SOPS-001',
          message: 'changed after it was encrypted\u001b[31m red \u202e',
          file: 'deploy/db.yaml',
          line: 12,
          key: 'data.password',
          next: 'sops decrypt deploy/db.yaml',
        },
        { code: 'SOTTO-YAML-001', message: 'not valid YAML', file: 'deploy/x.yaml', line: 3, next: 'mend it' },
      ],
      pending: [{ planId: 'p-1f3a', why: 'would prune 40 of 42 objects', creates: 2, prunes: 40 }],
    },
  ],
  pauses: [{ object: 'apps/Deployment/web', until: '2026-11-25T05:00:00Z', by: 'kim', reason: 'debugging' }],
  corrections: Array.from({ length: 12 }, (_, index) => ({
    at: `2026-11-25T04:30:${10 + index}Z`,
    object: 'apps/Deployment/web',
    paths: ['/spec/replicas'],
    manager: 'kubectl-edit',
    operation: 'Update',
    tookMs: 9,
    outcome: 'restored',
  })),
};

let folder: string;
let server: Server;
let answer: Answer;
let asked: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-status-'));
  asked = [];
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'kim', user: { token: 'x' } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'kim', namespace: 'team-app' } }],
  };
  writeFileSync(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

function configMap(status: unknown): Answer {
  return { status: 200, body: { kind: 'ConfigMap', data: { 'status.json': JSON.stringify(status) } } };
}

function failure(status: number, reason: string, message = reason): Answer {
  const details = { name: 'sotto-status', kind: 'configmaps' };
  return { status, body: { kind: 'Status', status: 'Failure', code: status, reason, message, details } };
}

const FORBIDDEN =
  'configmaps "sotto-status" is forbidden: User "kim" cannot get resource "configmaps" in API group "" in the namespace "team-app"';

const status = (...more: readonly string[]) =>
  sotto(['status', '--kubeconfig', join(folder, 'kubeconfig'), ...more], { cwd: folder });

describe('sotto status', () => {
  it('shows one line per sync and the keys, and ends with 0 when all are Ready', async () => {
    answer = configMap(READY);
    expect(await status()).toEqual({
      exit: 0,
      stderr: '',
      stdout: `sotto 0.1.0, running since 2026-11-25T04:24:00Z

SYNC  STATE  APPLIED                 IN GIT                  OBJECTS         MESSAGE
app   Ready  main@sha1:abababababab  main@sha1:abababababab  13 of 13 current  everything is as in Git

Keys
KIND  ID       STATE   SECRET    ORIGIN
age   age1abc  active  sops-age  foreign
`.replace('OBJECTS         MESSAGE', 'OBJECTS           MESSAGE'),
    });
    expect(asked).toEqual(['GET /api/v1/namespaces/team-app/configmaps/sotto-status']);
  });

  it('shows what needs attention, grouped by code, with place and next step, harmless for a terminal', async () => {
    answer = configMap(TROUBLED);
    const { exit, stdout } = await status('-n', 'other');
    expect(exit).toBe(1);
    expect(stdout).toContain(`
app: the source does not answer as it should
  SOTTO-GIT-001
    https://git.example.com/team/app.git: no answer
      next: check the network

app: 3 need attention
  SOTTO-SOPS-001
    Secret/db (deploy/db.yaml:12, key data.password): changed after it was encrypted [31m red
      next: sops decrypt deploy/db.yaml
  SOTTO-YAML-001
    (deploy/x.yaml:3): not valid YAML
      next: mend it
  and 1 more

Held until someone approves
SYNC  PLAN    CREATES  PRUNES  WHY
app   p-1f3a  2        40      would prune 40 of 42 objects

Paused
WHAT                 UNTIL                 BY   REASON
apps/Deployment/web  2026-11-25T05:00:00Z  kim  debugging

Hand edits undone, newest first
AT                    OBJECT               OUTCOME   TOOK  CHANGED BY    PATHS
2026-11-25T04:30:10Z  apps/Deployment/web  restored  9 ms  kubectl-edit  /spec/replicas
`);
    expect(stdout).toContain('2 older ones: sotto status -o json\n');
    expect(stdout).toContain('11 of 13 current, 1 in progress, 1 failed, 2 held');
    expect(/[^\P{C}\n]/u.test(stdout)).toBe(false);
    expect(asked).toEqual(['GET /api/v1/namespaces/other/configmaps/sotto-status']);
  });

  it('prints the whole document as JSON and YAML with dangerous characters escaped', async () => {
    answer = configMap(TROUBLED);
    const json = await status('-o', 'json');
    expect(JSON.parse(json.stdout)).toEqual(TROUBLED);
    expect(/[^\P{C}\n]/u.test(json.stdout)).toBe(false);
    const { load } = await import('js-yaml');
    const yaml = await status('-o', 'yaml');
    expect(load(yaml.stdout)).toEqual(TROUBLED);
    expect(/[^\P{C}\n]/u.test(yaml.stdout)).toBe(false);
    expect([json.exit, yaml.exit]).toEqual([1, 1]);
  });

  it.each([
    ['no status', failure(404, 'NotFound', 'configmaps "sotto-status" not found'), 'SOTTO-CLI-010', 1],
    ['an empty ConfigMap', { status: 200, body: { kind: 'ConfigMap' } }, 'SOTTO-CLI-010', 1],
    ['a status of another schema', configMap({ schema: 'sotto.dev/status/v9' }), 'SOTTO-CLI-011', 2],
    ['no right', failure(403, 'Forbidden', FORBIDDEN), 'SOTTO-KUBE-003', 5],
    ['no valid credentials', failure(401, 'Unauthorized'), 'SOTTO-KUBE-002', 5],
    ['a failing server', failure(500, 'InternalError'), 'SOTTO-KUBE-016', 3],
  ] as const)('says so and ends with its own exit code: %s', async (_, given, code, exit) => {
    answer = given;
    const result = await status();
    expect(result).toMatchObject({ exit, stdout: '' });
    expect(result.stderr.startsWith(`${code}: `)).toBe(true);
  });

  it('ends with 3 when the cluster cannot be reached and 2 when the kubeconfig cannot be used', async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(await status()).toMatchObject({ exit: 3 });
    expect(await status('--context', 'nope')).toMatchObject({ exit: 2 });
    expect(await sotto(['status', '--kubeconfig', 'missing'], { cwd: folder })).toMatchObject({ exit: 2 });
    server.listen(0);
  });
});
