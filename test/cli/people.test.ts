import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CODES } from '../../src/core/codes.ts';
import type { ObjectKey, SourceDigest } from '../../src/core/ids.ts';
import { encodeInventory, type InventoryRow } from '../../src/plan/inventory.ts';
import { placesIn } from '../../src/cli/inventory-rows.ts';
import { failure, type FakeCluster, found, startFakeCluster } from './fake-cluster.ts';
import { sotto } from './session.ts';

const EVIL = '\u001b[31m\u202e';

function row(key: string, file: string, line: number): InventoryRow {
  return {
    key: key as ObjectKey,
    apiVersion: 'apps/v1',
    sync: 'app',
    file,
    line,
    digest: 'd' as SourceDigest,
    uid: 'u-1',
    resourceVersion: '5',
    generation: 1,
    setDigest: '',
    ownTime: '',
    keep: false,
    done: false,
    failed: false,
    encrypted: false,
    yielded: undefined,
    accepted: undefined,
    restart: undefined,
    rank: undefined,
  };
}

const INVENTORY = encodeInventory(
  {
    epoch: 3,
    holder: { instance: 'a', pod: 'sotto-1' },
    revisions: {},
    pauses: [],
    approvals: {},
    leaving: {},
    sources: {},
    last: {},
    tokens: {},
    rows: new Map(
      [row('apps/Deployment/team-app/web', 'deploy/web.yaml', 12), row('/Secret/team-app/db', 'deploy/db.yaml', 1)].map(
        (each) => [each.key, each],
      ),
    ),
  },
  () => new Uint8Array(32),
);

const STATUS = {
  schema: 'sotto.dev/status/v1alpha1',
  agent: { version: '0.1.0', instance: 'a', startedAt: '2026-11-25T04:24:00Z' },
  syncs: [
    {
      name: 'app',
      state: 'Degraded',
      message: '1 object is not as Git wants it',
      source: { url: 'https://git.example.com/app.git', ref: 'main', revision: `main@sha1:${'cd'.repeat(20)}` },
      appliedRevision: `main@sha1:${'ab'.repeat(20)}`,
      counts: {},
      attentionTotal: 2,
      attention: [
        {
          object: 'Secret/db',
          code: 'SOTTO-SOPS-001',
          message: `changed ${EVIL}`,
          file: 'deploy/db.yaml',
          line: 3,
          next: 'mend it',
        },
        { code: 'SOTTO-YAML-001', message: 'not YAML', file: 'deploy/other.yaml', line: 1, next: 'mend that' },
      ],
      pending: [],
    },
  ],
  pauses: [{ object: 'apps/Deployment/web', until: '2026-11-25T05:00:00Z', by: 'kim', reason: `debugging${EVIL}` }],
  handled: [],
  keys: [],
  corrections: [
    {
      at: '2026-11-25T04:30:10Z',
      object: 'apps/Deployment/web',
      paths: ['/spec/replicas'],
      manager: `kubectl-edit${EVIL}`,
      operation: 'Update',
      tookMs: 9,
      outcome: 'restored',
    },
    {
      at: '2026-11-25T04:30:09Z',
      object: 'Secret/db',
      paths: ['/data/x'],
      manager: 'x',
      operation: 'Update',
      tookMs: 9,
      outcome: 'restored',
    },
  ],
};

const SET_LABEL = 'applyset.kubernetes.io/part-of';

let cluster: FakeCluster;
beforeEach(async () => {
  cluster = await startFakeCluster();
  const core = '/api/v1/namespaces/team-app/configmaps';
  cluster.answers.set(`${core}/sotto-status`, found({ data: { 'status.json': JSON.stringify(STATUS) } }));
  cluster.answers.set(`${core}/sotto-inventory`, found({ binaryData: { inventory: INVENTORY.toString('base64') } }));
});
afterEach(() => cluster[Symbol.asyncDispose]());

const run = (...argv: readonly string[]) =>
  sotto([...argv, '--kubeconfig', cluster.kubeconfig], { cwd: cluster.folder });

async function setId(): Promise<string> {
  const { applySetId } = await import('../../src/plan/applyset.ts');
  return applySetId('sotto-inventory', 'team-app');
}

async function deployment(more: object = {}, managers: readonly string[] = ['sotto', `kubectl-edit${EVIL}`]) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'web',
      uid: 'u-1',
      generation: 1,
      labels: { [SET_LABEL]: await setId() },
      managedFields: managers.map((manager) => ({ manager, operation: manager === 'sotto' ? 'Apply' : 'Update' })),
      ...more,
    },
    spec: { replicas: 1 },
    status: {
      observedGeneration: 1,
      replicas: 1,
      updatedReplicas: 1,
      readyReplicas: 1,
      availableReplicas: 1,
      conditions: [{ type: 'Available', status: 'True' }],
    },
  };
}

describe('sotto why', () => {
  const web = '/apis/apps/v1/namespaces/team-app/deployments/web';
  const db = '/api/v1/namespaces/team-app/secrets/db';

  it('tells where an object comes from, its state, and what was done to it, harmless for a terminal', async () => {
    cluster.answers.set(web, found(await deployment()));
    expect(await run('why', 'deploy/web')).toEqual({
      exit: 0,
      stderr: '',
      stdout: `apps/Deployment/web in namespace team-app
  state       Current: Deployment is available. Replicas: 1
  kept by     sync app (Degraded: 1 object is not as Git wants it)
  from        deploy/web.yaml:12
  revision    applied main@sha1:abababababab, in Git main@sha1:cdcdcdcdcdcd
  owner       this agent (field manager sotto)
  written by  kubectl-edit [31m
  paused      until 2026-11-25T05:00:00Z, by kim: debugging [31m
  corrected   2026-11-25T04:30:10Z  /spec/replicas by kubectl-edit [31m : restored in 9 ms

File and line are as ConfigMap sotto-inventory has them, not verified: its key is the agent’s.
`,
    });
  });

  it('says what is wrong with the next step, asks for the metadata of a Secret only, and ends with 1', async () => {
    cluster.answers.set(db, found({ kind: 'PartialObjectMetadata', metadata: { name: 'db', uid: 'u-2', labels: {} } }));
    const { exit, stdout } = await run('why', 'secret', 'db');
    expect(exit).toBe(1);
    expect(stdout).toContain('exists (of a Secret only the metadata is read)');
    expect(stdout).toContain(`Needs attention
  SOTTO-SOPS-001
    changed  [31m (deploy/db.yaml:3)
      next: mend it
`);
    expect(stdout).not.toContain('SOTTO-YAML-001');
    expect(/[^\P{C}\n]/u.test(stdout)).toBe(false);
  });

  it('says whose an object is that is not ours', async () => {
    cluster.answers.set('/api/v1/namespaces/team-app/configmaps/sotto-inventory', failure(404, 'NotFound'));
    const labels = { 'app.kubernetes.io/managed-by': 'Helm' };
    cluster.answers.set(web, found(await deployment({ labels }, ['helm'])));
    const { exit, stdout } = await run('why', 'apps/Deployment/web');
    expect(exit).toBe(0);
    expect(stdout).toContain('  kept by     not by sotto: it is in no inventory and no status\n');
    expect(stdout).toContain('  owner       Helm\n');
  });

  it('finds that an object of the inventory is gone, or was taken by another tool', async () => {
    expect(await run('why', 'deploy/web')).toMatchObject({
      exit: 1,
      stdout: expect.stringMatching(/state {7}does not exist[^]*SOTTO-KUBE-006/),
    });
    cluster.answers.set(web, found(await deployment({ labels: { [SET_LABEL]: 'applyset-other-v1' } })));
    expect(await run('why', 'deploy/web')).toMatchObject({
      exit: 1,
      stdout: expect.stringContaining('SOTTO-PLAN-006'),
    });
  });

  it('prints one JSON object on demand', async () => {
    cluster.answers.set(web, found(await deployment()));
    const { stdout } = await run('why', 'deploy/web', '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({
      object: 'apps/Deployment/web',
      kept: true,
      file: 'deploy/web.yaml',
      line: 12,
      sync: { name: 'app', state: 'Degraded' },
      findings: [],
    });
    expect(/[^\P{C}\n]/u.test(stdout)).toBe(false);
  });

  it('ends with what each refusal means', async () => {
    expect(await run('why', 'deploy/nothing')).toMatchObject({
      exit: 1,
      stderr: expect.stringMatching(/^SOTTO-KUBE-006/),
    });
    expect(await run('why', 'widget/x')).toMatchObject({ exit: 2, stderr: expect.stringMatching(/^SOTTO-CLI-081/) });
    cluster.answers.set(
      web,
      failure(
        403,
        'Forbidden',
        'deployments.apps "web" is forbidden: User "kim" cannot get resource "deployments" in API group "apps" in the namespace "team-app"',
      ),
    );
    const hidden = await run('why', 'deploy/web');
    expect(hidden).toMatchObject({ exit: 5, stdout: expect.stringContaining('deploy/web.yaml:12') });
    expect(hidden.stdout).toContain(
      'not read: add to its Role: { apiGroups: ["apps"], resources: ["deployments"], verbs: ["get"] }',
    );
  });
});

describe('the inventory without its key', () => {
  it('is read to its places', () => {
    expect(placesIn(INVENTORY)).toEqual({
      pod: 'sotto-1',
      places: [
        {
          id: { group: '', kind: 'Secret', namespace: 'team-app', name: 'db' },
          sync: 'app',
          file: 'deploy/db.yaml',
          line: 1,
          uid: 'u-1',
        },
        {
          id: { group: 'apps', kind: 'Deployment', namespace: 'team-app', name: 'web' },
          sync: 'app',
          file: 'deploy/web.yaml',
          line: 12,
          uid: 'u-1',
        },
      ],
    });
  });

  it('that is no inventory, cut or a bomb is none', async () => {
    const { gzipSync } = await import('node:zlib');
    const mac = Buffer.alloc(32);
    for (const bad of [
      Buffer.alloc(0),
      INVENTORY.subarray(0, 60),
      Buffer.concat([mac, gzipSync('not JSON')]),
      Buffer.concat([mac, gzipSync(Buffer.alloc(40 * 1024 * 1024))]),
    ]) {
      expect(placesIn(bad)).toBeUndefined();
    }
    expect(placesIn(Buffer.concat([mac, gzipSync('{"rows":[1,[],["a"],{"x":1}]}')]))).toMatchObject({ places: [] });
  });
});

function event(name: string, at: string, more: object = {}) {
  return {
    metadata: { name: `${name}.${at}`, uid: at, resourceVersion: '7' },
    eventTime: at,
    reportingController: 'sotto',
    type: 'Normal',
    reason: 'DriftCorrected',
    note: `Undid a change${EVIL}`,
    regarding: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    ...more,
  };
}

describe('sotto events', () => {
  const path = '/apis/events.k8s.io/v1/namespaces/team-app/events';

  it('lists the Events of the agent with the newest last, of all objects or of one', async () => {
    const items = [
      event('web', '2026-11-25T04:30:10.000000Z', {
        series: { count: 4, lastObservedTime: '2026-11-25T04:40:10.000000Z' },
      }),
      event('api', '2026-11-25T04:35:10.000000Z', { type: 'Warning', reason: 'Refused' }),
      event('web', '2026-11-25T04:31:10.000000Z', { reportingController: 'kubelet' }),
    ];
    cluster.answers.set(path, found({ kind: 'EventList', metadata: {}, items }));
    expect(await run('events')).toEqual({
      exit: 0,
      stderr: '',
      stdout: `LAST SEEN             TYPE     REASON          OBJECT               COUNT  NOTE
2026-11-25T04:35:10Z  Warning  Refused         apps/Deployment/api  1      Undid a change [31m
2026-11-25T04:40:10Z  Normal   DriftCorrected  apps/Deployment/web  4      Undid a change [31m
`,
    });
    const one = await run('events', 'deploy/web', '-o', 'json');
    expect(
      one.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([items[0]]);
    expect(/[^\P{C}\n]/u.test(one.stdout)).toBe(false);
  });

  it('says that there are none, and which right is missing', async () => {
    cluster.answers.set(path, found({ kind: 'EventList', metadata: {}, items: [] }));
    expect(await run('events')).toEqual({
      exit: 0,
      stdout: '',
      stderr: 'no Events of the agent in namespace team-app\n',
    });
    cluster.answers.set(
      path,
      failure(
        403,
        'Forbidden',
        'events.events.k8s.io is forbidden: User "kim" cannot list resource "events" in API group "events.k8s.io" in the namespace "team-app"',
      ),
    );
    expect(await run('events')).toMatchObject({ exit: 5, stderr: expect.stringContaining('SOTTO-KUBE-003') });
  });
});

const pod = (name: string, phase: string, more: object = {}) => ({
  metadata: { name, creationTimestamp: `2026-11-25T04:0${name.at(-1)}:00Z` },
  spec: { containers: [{ name: 'sotto' }], ...more },
  status: { phase },
});

describe('sotto logs', () => {
  const pods = '/api/v1/namespaces/team-app/pods';
  const log = `${pods}/sotto-2/log`;
  const LINES = [
    '{"level":"info","time":"2026-11-25T04:24:01.123Z","sync":"app","applied":5,"msg":"pass ended"}',
    `{"level":"warn","time":"2026-11-25T04:24:02.123Z","sync":"app","code":"SOTTO-SOPS-001","error":{"code":"SOTTO-SOPS-001","message":"changed","file":"deploy/db.yaml","line":3,"next":"mend it"},"msg":"refused \\u001b[31m\\u202e"}`,
    `(node:1) Warning ${EVIL}`,
  ];

  beforeEach(() => {
    const items = [pod('sotto-1', 'Running'), pod('sotto-3', 'Pending'), pod('sotto-2', 'Running')];
    cluster.answers.set(pods, found({ kind: 'PodList', metadata: {}, items }));
    cluster.answers.set(log, (response) => response.writeHead(200).end(`${LINES.join('\n')}\n`));
  });

  it('shows the log of the newest running Pod for people, with each error and its next step, harmless', async () => {
    expect(await run('logs', '--since', '90s')).toEqual({
      exit: 0,
      stderr: '',
      stdout: `04:24:01 INFO  pass ended  sync=app  applied=5
04:24:02 WARN  refused  [31m  sync=app
         SOTTO-SOPS-001: changed (deploy/db.yaml:3)
         next: mend it
(node:1) Warning  [31m
`,
    });
    expect(cluster.asked.at(-1)).toBe(`GET ${log}?follow=false&container=sotto&sinceSeconds=90`);
  });

  it('leaves out what is less severe, and prints the lines as they are with -o json', async () => {
    expect((await run('logs', '--level', 'warn')).stdout).not.toContain('pass ended');
    const { stdout } = await run('logs', '-o', 'json');
    const lines = stdout.trimEnd().split('\n');
    expect(JSON.parse(lines[1] ?? '')).toEqual(JSON.parse(LINES[1] ?? ''));
    expect(/[^\P{C}\n]/u.test(stdout)).toBe(false);
  });

  it('finds the Pod by the Deployment, or as the inventory names it, and a sidecar in it', async () => {
    cluster.answers.set(pods, found({ kind: 'PodList', metadata: {}, items: [] }));
    const beside = { containers: [{ name: 'web' }], initContainers: [{ name: 'sotto' }] };
    cluster.answers.set(`${pods}/sotto-1`, found(pod('sotto-1', 'Running', beside)));
    cluster.answers.set(`${pods}/sotto-1/log`, (response) => response.writeHead(200).end(`${LINES[0]}\n`));
    expect((await run('logs')).stdout).toContain('pass ended');
    expect(cluster.asked.at(-1)).toContain('sotto-1/log?follow=false&container=sotto');
    cluster.answers.set(
      '/apis/apps/v1/namespaces/team-app/deployments/sotto',
      found({ spec: { selector: { matchLabels: { app: 'x' } } } }),
    );
    await run('logs');
    expect(cluster.asked).toContain(`GET ${pods}?limit=500&labelSelector=app%3Dx`);
  });

  it('says what is missing: a Pod, a right, the kubelet, the rest of the log', async () => {
    cluster.answers.set(
      log,
      failure(
        403,
        'Forbidden',
        'pods "sotto-2" is forbidden: User "kim" cannot get resource "pods/log" in API group "" in the namespace "team-app"',
      ),
    );
    const forbidden = await run('logs');
    expect(forbidden).toMatchObject({ exit: 5 });
    expect(forbidden.stderr).toContain('{ apiGroups: [""], resources: ["pods/log"], verbs: ["get"] }');
    cluster.answers.set(log, failure(500, 'InternalError', 'dial tcp 10.0.0.1:10250: connect: connection refused'));
    expect(await run('logs')).toMatchObject({ exit: 3, stderr: expect.stringContaining('SOTTO-KUBE-016') });
    cluster.answers.set(log, (response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write(`${LINES[0]}\n`, () => response.destroy());
    });
    expect(await run('logs')).toMatchObject({
      exit: 3,
      stdout: expect.stringContaining('pass ended'),
      stderr: expect.stringContaining('SOTTO-CLI-084'),
    });
    cluster.answers.set(pods, found({ kind: 'PodList', metadata: {}, items: [] }));
    expect(await run('logs')).toMatchObject({ exit: 1, stderr: expect.stringContaining('SOTTO-CLI-082') });
    expect(await run('logs', '--since', 'soon')).toMatchObject({ exit: 2 });
    expect(await run('logs', '--level', 'loud')).toMatchObject({ exit: 2 });
  });

  it('-f ends with 130 when it is interrupted', async () => {
    const stop = new AbortController();
    cluster.answers.set(log, (response) => {
      response.writeHead(200);
      response.write(`${LINES[0]}\n`, () => setTimeout(() => stop.abort('SIGINT'), 50));
    });
    const followed = await sotto(['logs', '-f', '--kubeconfig', cluster.kubeconfig], {
      cwd: cluster.folder,
      signal: stop.signal,
    });
    expect(followed).toMatchObject({ exit: 130, stderr: '', stdout: expect.stringContaining('pass ended') });
  });
});

const plain = (...argv: readonly string[]) => sotto(argv, { cwd: cluster.folder });

describe('sotto errors', () => {
  it('lists every code, and prints the page of one however it is typed', async () => {
    const { stdout } = await plain('errors');
    for (const code of Object.keys(CODES)) expect(stdout).toContain(code);
    for (const typed of ['SOTTO-CLI-010', 'cli-010', 'sotto-cli-010']) {
      expect(await plain('errors', typed)).toEqual({
        exit: 0,
        stderr: '',
        stdout: expect.stringMatching(
          /^SOTTO-CLI-010: There is no status yet\n\nThe namespace [^]*ends with exit code 1\.\n$/,
        ),
      });
    }
    expect((await plain('errors', 'cli-082')).stdout).toContain('\n  kubectl get pods -n team-app');
    expect(JSON.parse((await plain('errors', 'git-001', '-o', 'json')).stdout)).toMatchObject({
      code: 'SOTTO-GIT-001',
      exit: 3,
    });
  });

  it('names the nearest code when there is none of that name', async () => {
    const { exit, stderr } = await plain('errors', 'SOTO-SOPS-001');
    expect({ exit, stderr: stderr.replace(/ \(.*/, '') }).toMatchObject({ exit: 2 });
    expect(stderr).toContain('sotto errors SOTTO-SOPS-001');
    expect((await plain('errors', 'GIT-999')).stderr).toMatch(/SOTTO-CLI-083.*sotto errors SOTTO-GIT-\d/);
  });
});
