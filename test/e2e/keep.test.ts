import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type JsonObject, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import type { PolicyRule, ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import { sotto, type CliResult } from '../cli/session.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { untilTried } from '../harness/attention.ts';
import { type Checkout, clone, pageOf } from '../harness/checkout.ts';
import { asIfAtGithub, pageForPullRequest } from '../harness/forge.ts';
import { configMapPath, editByHand } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { stockOutput } from '../harness/stock.ts';
import { createWorld, eventually, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

/** What docs/rbac.md says of who keeps changes. */
const PERSON: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['configmaps', 'secrets'], verbs: ['get', 'list', 'watch', 'patch'] },
  { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'patch'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
];

const COLORS =
  '# colours of the shop\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: colors\ndata:\n  color: "blue"   # by marketing\n  size: L\n';
const WEB = `apiVersion: v1
kind: ConfigMap
metadata: {name: other}
data: {a: b}
---
# the web server
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
      - name: side
        image: example.com/side:1
      - name: app # the one
        image: 'example.com/app:1'
        env:
        - name: LOG_LEVEL
          value: info
`;

describeReal('a change made by hand is kept', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  let person: ServiceAccountAccess;
  let checkout: Checkout;
  let page: string;
  let dbBefore: string;

  const git = (...args: readonly string[]): string => checkout.git(...args);
  const run = (...words: readonly string[]): Promise<CliResult> => checkout.run(...words);
  const keep = (...words: readonly string[]): Promise<CliResult> => run('keep', ...words, '--page', page);
  const edit = (path: string, patch: JsonObject): Promise<unknown> => editByHand(world, path, patch);
  /** As kubectl edit does: lists are merged by the keys of their items. */
  const editDeployment = async (patch: JsonObject): Promise<void> => {
    const url = `${deployment()}?fieldManager=kubectl-edit`;
    const type = 'application/strategic-merge-patch+json';
    expect((await world.own.plane.admin('PATCH', url, patch, type)).status).toBe(200);
  };
  const deployment = (): string => `/apis/apps/v1/namespaces/${world.namespace}/deployments/web`;
  const undone = (what: string) =>
    eventually(`${what} was undone`, async () => {
      const { stdout } = await keep();
      return stdout.includes(what) ? stdout : undefined;
    });

  beforeAll(async () => {
    world = await createWorld();
    person = await world.own.plane.createServiceAccount(world.namespace, 'kim', PERSON);
    dbBefore = await world.sops(
      `# the database\napiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  user: app\n  password: ${world.value(0)} # rotate\n`,
      'db.yaml',
    );
    const commit = await world.repository.commit(
      { 'deploy/colors.yaml': COLORS, 'deploy/web.yaml': WEB, 'deploy/db.yaml': dbBefore, 'README.md': 'hi\n' },
      'first',
    );
    agent = await world.start();
    await untilTried(world, commit);
    page = await pageOf(agent);
    checkout = clone(world, person, { cwd: 'deploy', env: { SOPS_AGE_KEY_FILE: world.ageKeyFile } });
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test('undone, then kept by its number, merged, and applied by the agent', async () => {
    await edit(configMapPath(world.namespace, 'colors'), { data: { color: 'red' } });
    expect(await undone('/data/color')).toMatch(
      /sotto keep 1 +ConfigMap\/colors +undone .*kubectl-edit +\/data\/color/,
    );
    const before = git('rev-parse', 'HEAD');
    const shown = await keep('1', '--dry-run');
    expect(shown).toMatchObject({ exit: 0 });
    expect(shown.stdout).toContain('-  color: "blue"   # by marketing\n+  color: "red"   # by marketing\n');
    expect(git('branch', '--list', 'sotto/*')).toBe('');
    const { exit, stderr } = await keep('1', '--yes');
    expect([exit, stderr]).toEqual([
      0,
      expect.stringMatching(
        /^branch sotto\/keep-configmap-colors .*\nnext: git push -u origin sotto\/keep-configmap-colors\n$/,
      ),
    ]);
    const branch = 'sotto/keep-configmap-colors';
    expect(git('show', `${branch}:deploy/colors.yaml`)).toBe(COLORS.replace('"blue"', '"red"'));
    expect(git('diff', '--name-only', 'HEAD', branch)).toBe('deploy/colors.yaml\n');
    expect(git('log', '-1', '--format=%s', branch)).toBe('Keep a change of ConfigMap colors\n');
    expect([git('rev-parse', 'HEAD'), git('status', '--porcelain')]).toEqual([before, '']);
    const pushed = await keep('1', '--yes', '--push', '--branch', 'red');
    expect([pushed.exit, pushed.stderr]).toEqual([
      0,
      expect.stringMatching(/^branch red \([0-9a-f]{12}\) has it, on top of main; pushed to origin\/red\n$/),
    ]);
    expect(git('ls-remote', 'origin', 'refs/heads/red')).toBe(`${git('rev-parse', 'red').trim()}\trefs/heads/red\n`);
    expect(git('rev-parse', 'HEAD')).toBe(before);
    const local = git('remote', 'get-url', 'origin').trim();
    asIfAtGithub({ git, remote: world.repository.folder, folder: world.folder });
    const linked = await keep('1', '--yes', '--push', '--branch', 'colours/red');
    expect([linked.exit, linked.stderr]).toEqual([
      0,
      expect.stringContaining(`\npull request: ${pageForPullRequest('colours/red')}\n`),
    ]);
    git('remote', 'set-url', 'origin', local);
    expect(git('ls-remote', 'origin', 'refs/heads/colours/red')).toContain(git('rev-parse', 'colours/red').trim());

    git('merge', '-q', '--no-edit', branch);
    git('push', '-q', 'origin', 'HEAD:main');
    await untilTried(world, git('rev-parse', 'HEAD').trim());
    const live = await world.get(configMapPath(world.namespace, 'colors'));
    expect(stringAt(live, 'data', 'color')).toBe('red');
  });

  test('an item of a list of one of several documents is found by its name', async () => {
    const containers = [
      {
        name: 'app',
        image: 'example.com/app:2',
        env: [
          { name: 'LOG_LEVEL', value: 'debug' },
          { name: 'EXTRA', value: 'on' },
        ],
      },
    ];
    await editDeployment({ spec: { template: { spec: { containers } } } });
    await undone('Deployment/web');
    const { exit, stderr } = await keep('deploy/web', '--yes', '--branch', 'web');
    expect([exit, stderr]).toEqual([0, expect.stringContaining('branch web')]);
    const wanted = WEB.replace("'example.com/app:1'", "'example.com/app:2'").replace(
      'value: info\n',
      'value: debug\n        - name: EXTRA\n          value: "on"\n',
    );
    expect(git('show', 'web:deploy/web.yaml')).toBe(wanted);
  });

  test('nothing is written where the checkout is not as it should be, and the next command is said', async () => {
    const refs = git('for-each-ref');
    expect(await keep('deploy/web', '--yes', '--branch', 'web')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('git branch -D web'),
    });
    expect(await keep('99')).toMatchObject({ exit: 1, stderr: expect.stringContaining('SOTTO-CLI-198') });
    writeFileSync(join(checkout.folder, 'README.md'), 'changed\n');
    expect(await keep('deploy/web', '--yes')).toMatchObject({
      exit: 2,
      stderr: expect.stringMatching(/SOTTO-CLI-191.*git stash/),
    });
    git('checkout', '-q', '--', 'README.md');
    git('checkout', '-q', '--detach');
    expect(await keep('deploy/web', '--yes')).toMatchObject({
      exit: 2,
      stderr: expect.stringMatching(/SOTTO-CLI-192.*git switch/),
    });
    git('checkout', '-q', 'main');
    writeFileSync(join(checkout.folder, 'deploy/web.yaml'), WEB.replace('replicas: 1', 'replicas: 2'));
    git('commit', '-q', '-a', '-m', 'more');
    const changed = await keep('deploy/web', '--yes');
    expect(changed).toMatchObject({ exit: 1, stderr: expect.stringMatching(/SOTTO-CLI-197.*deploy\/web\.yaml/) });
    // What there is to put in by hand is a patch as kustomize takes it.
    expect(changed.stdout).toContain('kind: Deployment\nmetadata:\n  name: web\nspec:\n');
    expect(changed.stdout).toContain('- name: EXTRA\n');
    git('reset', '-q', '--hard', 'HEAD^');
    expect(await run('keep', '1', '--page', 'http://example.com:1')).toMatchObject({
      exit: 3,
      stderr: expect.stringContaining('SOTTO-CLI-200'),
    });
    expect(git('for-each-ref')).toBe(refs);
  });

  test('of a Secret the paused edit, encrypted into its file; an undone one is gone', async () => {
    const path = `/api/v1/namespaces/${world.namespace}/secrets/db`;
    expect(await keep('secret/db')).toMatchObject({
      exit: 1,
      stderr: expect.stringMatching(/SOTTO-CLI-198.*sotto pause secret\/db/),
    });
    expect(await run('pause', 'secret/db', '--for', '1h', '--reason', 'a new password')).toMatchObject({ exit: 0 });
    await edit(path, { stringData: { password: world.value(1), token: world.value(2) } });
    expect((await keep()).stdout).toMatch(/sotto keep Secret\/db +Secret\/db +paused/);
    const { exit, stdout, stderr } = await keep('secret/db', '--yes');
    expect([exit, stdout, stderr]).toEqual([
      0,
      'deploy/db.yaml: entries password, token encrypted anew\n',
      expect.stringContaining('sotto/keep-secret-db'),
    ]);
    const kept = git('show', 'sotto/keep-secret-db:deploy/db.yaml');
    const copy = join(world.folder, 'kept.yaml');
    writeFileSync(copy, kept);
    const opened = await stockOutput('sops', ['decrypt', '--output-type', 'json', copy], {
      env: { SOPS_AGE_KEY_FILE: world.ageKeyFile },
    });
    expect(memberAt(parseJson(opened.toString()), 'stringData')).toEqual({
      user: 'app',
      password: world.value(1),
      token: world.value(2),
    });
    const [lines, before] = [kept.split('\n'), new Set(dbBefore.split('\n'))];
    const fresh = lines.filter((line) => !before.has(line)).map((line) => line.trim().split(':')[0]);
    expect(fresh).toEqual(['password', 'token', 'lastmodified', 'mac']);

    git('merge', '-q', '--no-edit', 'sotto/keep-secret-db');
    git('push', '-q', 'origin', 'HEAD:main');
    await untilTried(world, git('rev-parse', 'HEAD').trim());
    expect(await run('resume', 'secret/db')).toMatchObject({ exit: 0 });
    expect(await run('sync', 'app')).toMatchObject({ exit: 0 });
    const token = Buffer.from(world.value(2)).toString('base64');
    expect(stringAt(await world.get(path), 'data', 'token')).toBe(token);
    // What was merged is what people had made of it: nothing was taken away in between.
    const corrected = agent.log.filter(({ msg }) => msg === 'a change made outside Git was undone');
    expect(corrected.map(({ object }) => object)).not.toContain('Secret/db');
  });

  test('of a paused object what people made of it, without the defaults of the server', async () => {
    expect(await run('pause', 'deploy/web', '--for', '1h', '--reason', 'trying')).toMatchObject({ exit: 0 });
    const containers = [{ name: 'app', image: 'example.com/app:3' }];
    await editDeployment({ spec: { replicas: 4, template: { spec: { containers } } } });
    const { exit, stderr } = await keep('deploy/web', '--yes', '--branch', 'paused');
    expect([exit, stderr]).toEqual([0, expect.stringContaining('branch paused')]);
    const wanted = WEB.replace('app:1', 'app:3').replace('replicas: 1', 'replicas: 4');
    expect(git('show', 'paused:deploy/web.yaml')).toBe(wanted);
    expect(await run('resume', 'deploy/web')).toMatchObject({ exit: 0 });
  });

  test('through kubectl port-forward to the Pod of the agent, where no address is given', async () => {
    const bin = join(world.folder, 'bin');
    mkdirSync(bin);
    // Stands for kubectl and a kubelet: it leads to the page of the agent, which runs outside of a Pod here.
    const script = `#!/bin/sh\necho "$@" > ${bin}/args\necho "Forwarding from 127.0.0.1:${new URL(page).port} -> 8081"\nexec sleep 60\n`;
    writeFileSync(join(bin, 'kubectl'), script);
    chmodSync(join(bin, 'kubectl'), 0o755);
    const metadata = { name: 'sotto-0', labels: { 'app.kubernetes.io/name': 'sotto' } };
    const spec = { containers: [{ name: 'sotto', image: 'example.com/sotto:1' }] };
    await world.create(`/api/v1/namespaces/${world.namespace}/pods`, { apiVersion: 'v1', kind: 'Pod', metadata, spec });
    const { exit, stdout } = await sotto(['keep', '-n', world.namespace, '--kubeconfig', person.kubeconfigPath], {
      cwd: checkout.folder,
      env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` },
    });
    expect([exit, stdout]).toEqual([0, expect.stringContaining('sotto keep 1')]);
    expect(readFileSync(join(bin, 'args'), 'utf8')).toContain(`port-forward pod/sotto-0 -n ${world.namespace}`);
  });

  test('no value of a Secret is in what the agent tells', async () => {
    const status = await (await fetch(`${page}/status.json`)).text();
    expect(arrayAt(parseJson(status), 'undone').map((each) => stringAt(each, 'object'))).not.toContain('Secret/db');
    expect(status).not.toContain(world.value(1));
  });
});
