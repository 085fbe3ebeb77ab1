import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, type JsonObject, parseJson, stringAt, stringifyJson } from '../../src/core/json.ts';
import { type ControlPlane, type PolicyRule, startControlPlane } from '../../src/demo/control-plane.ts';
import { readManifests } from '../../src/yaml/manifest.ts';
import { deployManifests } from '../../src/cli/install/embedded.ts';
import { manifestsFor } from '../../src/cli/install/manifests.ts';
import { carryOut, planInstall } from '../../src/cli/install/steps.ts';
import { systemClock } from '../../src/core/clock.ts';
import { loadConnection } from '../../src/kube/connection.ts';
import { Transport } from '../../src/kube/transport.ts';
import { type CliResult, sotto } from '../cli/session.ts';
import { kindAndName, kustomizeBuild, objectOf, pathOf, podTemplate, rulesOf } from '../harness/deploy.ts';
import { describeReal, toolPath } from '../harness/real.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'kube-controller-manager', 'kustomize'] as const;
const IMAGE = `images.example.com/sotto@sha256:${'ab'.repeat(32)}`;
const DIGEST = IMAGE.replace(/.*@/, '');
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const SETTINGS = `apiVersion: sotto.dev/v1alpha1
kind: Config
decryption: { keys: [ { secretRef: { name: sops-age } } ] }
syncs:
- name: app
  source: { git: { url: https://git.example.com/team/app.git, ref: { branch: main } } }
  path: ./deploy
`;

interface Person {
  readonly namespace: string;
  /** Runs the CLI as this person, in a repository that holds sotto.yaml. */
  readonly run: (
    command: string,
    options?: { readonly stdin?: string; readonly terminal?: boolean },
  ) => Promise<CliResult>;
}

describeReal('sotto install, uninstall and check --pre', TOOLS, () => {
  let plane: ControlPlane;
  let folder: string;
  beforeAll(async () => {
    plane = await startControlPlane({
      programs: {
        'kube-apiserver': toolPath('kube-apiserver'),
        etcd: toolPath('etcd'),
        'kube-controller-manager': toolPath('kube-controller-manager'),
      },
      controllerManager: true,
    });
    folder = await mkdtemp(join(tmpdir(), 'sotto-install-'));
  });
  afterAll(async () => {
    await plane.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const bind = async (namespace: string, account: string, role: JsonObject, of = namespace): Promise<void> => {
    const answer = await plane.admin('POST', `${RBAC}/namespaces/${namespace}/rolebindings`, {
      metadata: { name: `bound-${randomBytes(3).toString('hex')}` },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', ...role },
      subjects: [{ kind: 'ServiceAccount', name: account, namespace: of }],
    });
    expect(answer.status).toBe(201);
  };

  /** Somebody with these rules, or with a stock ClusterRole, in a namespace of his own. */
  const person = async (
    may: readonly PolicyRule[] | 'admin' | 'edit' | 'view',
    settings: string | null = SETTINGS,
  ): Promise<Person> => {
    const namespace = `team-${randomBytes(4).toString('hex')}`;
    await plane.createNamespace(namespace, { 'pod-security.kubernetes.io/enforce': 'restricted' });
    const account = await plane.createServiceAccount(namespace, 'person', typeof may === 'string' ? [] : may);
    if (typeof may === 'string') await bind(namespace, 'person', { kind: 'ClusterRole', name: may });
    const cwd = await mkdtemp(join(folder, 'repository-'));
    if (settings !== null) await writeFile(join(cwd, 'sotto.yaml'), settings);
    const run: Person['run'] = (command, options = {}) =>
      sotto([...command.split(' '), '-n', namespace, '--kubeconfig', account.kubeconfigPath], { cwd, ...options });
    return { namespace, run };
  };

  const live = async (namespace: string, path: string): Promise<Json | undefined> => {
    const answer = await plane.admin('GET', path.replace('{ns}', namespace));
    return answer.status === 404 ? undefined : answer.body;
  };
  const DEPLOYMENT = '/apis/apps/v1/namespaces/{ns}/deployments/sotto';
  const CONFIG = '/api/v1/namespaces/{ns}/configmaps/sotto';
  const settingsIn = async (namespace: string): Promise<string | undefined> =>
    stringAt(await live(namespace, CONFIG), 'data', 'sotto.yaml');

  test('what it prints is what stock kustomize makes of deploy/', async () => {
    const printed = async (args: readonly string[]): Promise<ReadonlyMap<string, Json>> => {
      const { exit, stdout } = await sotto(['install', '--print', '-n', 'team-app', ...args], { cwd: folder });
      expect(exit).toBe(0);
      return byName(readManifests(stdout, 'printed.yaml').map(({ value }) => objectOf(value)));
    };
    expect(await printed([])).toEqual(byName(await kustomizeBuild('deploy')));
    const withImage = podTemplate([...(await printed(['--image', IMAGE])).values()].map(objectOf));
    expect(stringAt(arrayAt(withImage, 'spec', 'containers')[0], 'image')).toBe(IMAGE);
    const settings = join(folder, 'split.yaml');
    await writeFile(settings, `${SETTINGS}targetNamespace: team-app\n`);
    const { stdout } = await sotto(['install', '--print', '-n', 'team-app-sotto', '--config', settings], {
      cwd: folder,
    });
    const split = readManifests(stdout, 'printed.yaml').map(({ value }) => objectOf(value));
    expect(byName(split.filter((object) => kindAndName(object) !== 'ConfigMap/sotto'))).toEqual(
      byName(await kustomizeBuild('deploy/overlays/split')),
    );
  });

  test('somebody with the rights of the Role and no more than a namespace installs, looks, changes settings and removes', async () => {
    const { namespace, run } = await person([...rulesOf('deploy/rights/role.yaml'), ...INSTALLER]);
    expect(await run('check --pre')).toMatchObject({ exit: 0, stdout: expect.stringContaining('can install') });

    const dry = await run(`install --image ${IMAGE} --dry-run`);
    expect([dry.exit, dry.stderr]).toEqual([0, 'dry run: nothing was changed\n']);
    expect(dry.stdout).toContain('+ Deployment/sotto\n');
    expect(await live(namespace, DEPLOYMENT)).toBeUndefined();

    const alone = await run(`install --image ${IMAGE}`);
    expect([alone.exit, alone.stderr]).toEqual([2, expect.stringContaining('SOTTO-CLI-060')]);
    const no = await run(`install --image ${IMAGE}`, { stdin: 'n\n', terminal: true });
    expect([no.exit, no.stderr]).toEqual([1, expect.stringContaining('nothing was changed')]);
    expect(await live(namespace, DEPLOYMENT)).toBeUndefined();

    const yes = await run(`install --image ${IMAGE}`, { stdin: 'y\n', terminal: true });
    expect([yes.exit, yes.stderr]).toEqual([0, expect.stringContaining('applied Deployment/sotto')]);
    expect(await settingsIn(namespace)).toBe(SETTINGS);
    const deployment = await live(namespace, DEPLOYMENT);
    expect(managersOf(deployment)).toContain('sotto-install');
    expect(stringifyJson(deployment ?? null)).toContain(DIGEST);
    expect(await run(`install --image ${IMAGE} --yes`)).toMatchObject({ exit: 0, stderr: 'nothing to do\n' });

    // Somebody changed the settings in the cluster: that is said, with the lines, before they are replaced.
    const changed = SETTINGS.replace('branch: main', 'branch: trial');
    await plane.admin('PATCH', CONFIG.replace('{ns}', namespace), { data: { 'sotto.yaml': changed } });
    const again = await run(`install --image ${IMAGE} --dry-run`);
    expect(again.stdout).toContain('~ ConfigMap/sotto, taken over from');
    expect(again.stdout).toMatch(/-.*branch: trial/);
    expect(again.stdout).toMatch(/\+.*branch: main/);
    expect(await settingsIn(namespace)).toBe(changed);
    expect((await run(`install --image ${IMAGE}`, { stdin: '\n', terminal: true })).exit).toBe(1);
    expect(await settingsIn(namespace)).toBe(changed);
    expect((await run(`install --image ${IMAGE} --yes`)).exit).toBe(0);
    expect(await settingsIn(namespace)).toBe(SETTINGS);

    await agentWas(plane, namespace);
    const shown = await run('uninstall --dry-run');
    expect(shown.exit).toBe(0);
    expect(shown.stdout).toContain('- Deployment/sotto\n');
    expect(await live(namespace, DEPLOYMENT)).toBeDefined();
    const gone = await run('uninstall --yes');
    expect(gone).toMatchObject({ exit: 0 });
    expect(gone.stdout).toContain(
      `kubectl -n ${namespace} delete configmap/sotto-status configmap/sotto-inventory secret/sotto-fingerprint`,
    );
    expect(gone.stdout).toMatch(
      /kubectl -n \S+ delete configmap,deployment\.apps -l applyset\.kubernetes\.io\/part-of=applyset-\S+-v1/,
    );
    expect(gone.stdout).toContain(`kubectl -n ${namespace} delete secret git-auth sops-age`);
    for (const object of await kustomizeBuild('deploy')) {
      const place = { ...object, metadata: { ...objectOf(object['metadata']), namespace } };
      expect([kindAndName(object), await live(namespace, pathOf(place))]).toEqual([kindAndName(object), undefined]);
    }
    const left = async (plural: string): Promise<readonly (string | undefined)[]> =>
      arrayAt(await live(namespace, `/api/v1/namespaces/{ns}/${plural}`), 'items').map((item) =>
        stringAt(item, 'metadata', 'name'),
      );
    expect(await left('secrets')).toEqual(['git-auth', 'sops-age', 'sotto-fingerprint']);
    expect(await left('configmaps')).toEqual(expect.arrayContaining(['sotto-inventory', 'sotto-status', 'web']));
    expect(await run('uninstall --yes')).toMatchObject({ exit: 0, stderr: 'nothing to remove\n' });

    const purged = await run('uninstall --yes --purge');
    expect(purged).toMatchObject({ exit: 0, stderr: expect.stringContaining('removed Secret/sotto-fingerprint') });
    expect(await left('secrets')).toEqual(['git-auth', 'sops-age']);
    expect(await left('configmaps')).toEqual(['kube-root-ca.crt', 'web']);
  });

  test('the stock role admin of a namespace is enough', async () => {
    const { run } = await person('admin');
    expect(await run('check --pre')).toMatchObject({ exit: 0, stdout: expect.stringContaining('can install') });
    expect((await run('install --yes')).exit).toBe(0);
  });

  test('who misses a kind is told to leave out that kind and no other', async () => {
    const rules = rulesOf('deploy/rights/role.yaml').filter(({ apiGroups }) => !apiGroups.includes('autoscaling'));
    const { namespace, run } = await person([...rules, ...INSTALLER]);
    const said = await run('check --pre');
    const command = `sotto install -n ${namespace} --without horizontalpodautoscalers.autoscaling`;
    expect([said.exit, said.stdout]).toEqual([1, expect.stringContaining(command)]);
    const refused = await run('install --yes');
    expect([refused.exit, refused.stderr]).toEqual([5, expect.stringContaining('SOTTO-CLI-061')]);
    expect(await live(namespace, '/api/v1/namespaces/{ns}/serviceaccounts/sotto')).toBeUndefined();
    const { exit, stdout } = await run('check --pre -o json');
    expect(exit).toBe(1);
    expect(parseJson(stdout)).toMatchObject({
      verdict: 'can-without',
      without: ['horizontalpodautoscalers.autoscaling'],
      paste: [],
    });
    expect((await run('install --yes --without horizontalpodautoscalers.autoscaling')).exit).toBe(0);
  });

  test('who may not make Roles gets exactly what an admin has to paste; after that the install works', async () => {
    const { namespace, run } = await person('edit');
    const { exit, stdout, stderr } = await run('check --pre');
    expect(exit).toBe(1);
    expect(stderr).toContain('paste this');
    const paste = readManifests(stdout, 'paste.yaml').map(({ value }) => objectOf(value));
    expect(paste.map(kindAndName).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      'Role/sotto',
      'Role/sotto-requests',
      'RoleBinding/sotto',
    ]);
    expect(paste.map((object) => stringAt(object, 'metadata', 'namespace'))).toEqual(paste.map(() => namespace));
    for (const object of paste) {
      const answer = await plane.admin(
        'PATCH',
        `${pathOf(object)}?fieldManager=admin`,
        object,
        'application/apply-patch+yaml',
      );
      expect(answer.status).toBe(201);
    }
    // The stock role edit may not even read Roles.
    const installed = await run('install --yes');
    expect([installed.exit, installed.stdout]).toEqual([
      0,
      expect.stringContaining('? Role/sotto: you may neither see nor make it'),
    ]);
    expect(await live(namespace, DEPLOYMENT)).toBeDefined();
    // Whoever may read them sees that nothing is missing any more.
    await plane.createServiceAccount(namespace, 'reader', [
      { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'], verbs: ['get'] },
    ]);
    await bind(namespace, 'person', { kind: 'Role', name: 'reader' });
    expect(await run('check --pre')).toMatchObject({ exit: 0 });
    // What the admin made, uninstall leaves.
    const gone = await run('uninstall --yes');
    expect([gone.exit, gone.stdout]).toEqual([
      0,
      expect.stringContaining('= Role/sotto, left: install did not make it'),
    ]);
    expect(await live(namespace, `${RBAC}/namespaces/{ns}/roles/sotto`)).toBeDefined();
  });

  test('who may do next to nothing gets everything to paste', async () => {
    const { run } = await person('view');
    const { exit, stdout } = await run('check --pre');
    expect(exit).toBe(1);
    const pasted = readManifests(stdout, 'paste.yaml').map(({ value }) => kindAndName(value));
    expect(pasted).toHaveLength(9);
  });

  test('a split install is checked and made in both namespaces', async () => {
    const { namespace, run } = await person([...rulesOf('deploy/rights/role.yaml'), ...INSTALLER], null);
    const target = `${namespace}-target`;
    await plane.createNamespace(target);
    const settings = join(folder, `${namespace}.yaml`);
    await writeFile(settings, `${SETTINGS}targetNamespace: ${target}\n`);
    const first = await run(`check --pre --config ${settings}`);
    expect([first.exit, first.stderr]).toEqual([1, expect.stringContaining(`in ${target}`)]);
    expect(readManifests(first.stdout, 'x.yaml').map(({ value }) => stringAt(value, 'metadata', 'namespace'))).toEqual([
      target,
      target,
    ]);
    await bind(target, 'person', { kind: 'ClusterRole', name: 'cluster-admin' }, namespace);
    expect((await run(`check --pre --config ${settings}`)).exit).toBe(0);
    expect((await run(`install --yes --config ${settings}`)).exit).toBe(0);
    const binding = await live(target, `${RBAC}/namespaces/{ns}/rolebindings/sotto`);
    expect(arrayAt(binding, 'subjects')).toEqual([{ kind: 'ServiceAccount', name: 'sotto', namespace }]);
    expect((await run('uninstall --yes')).exit).toBe(0);
    expect(await live(target, `${RBAC}/namespaces/{ns}/rolebindings/sotto`)).toBeUndefined();
  });

  test('settings that change between plan and yes are not overwritten', async () => {
    const namespace = `race-${randomBytes(4).toString('hex')}`;
    await plane.createNamespace(namespace);
    const connection = await loadConnection({
      kubeconfig: plane.access.adminKubeconfigPath,
      env: {},
      clock: systemClock,
    });
    using closing = new DisposableStack();
    const transport = closing.adopt(new Transport(connection, { clock: systemClock }), (open) => open.close());
    const cluster = { transport, signal: new AbortController().signal };
    const installation = { namespace, targetNamespace: namespace, image: undefined, without: [], settings: SETTINGS };
    const manifests = manifestsFor(await deployManifests(), installation);
    const settingsStep = async () => {
      const steps = await planInstall(cluster, manifests);
      const step = steps.find(({ object }) => kindAndName(object) === 'ConfigMap/sotto');
      if (step?.kind !== 'create' && step?.kind !== 'change') throw new Error('nothing to do');
      return step;
    };
    const create = await settingsStep();
    await plane.admin('POST', `/api/v1/namespaces/${namespace}/configmaps`, {
      metadata: { name: 'sotto' },
      data: { 'sotto.yaml': 'a' },
    });
    await expect(carryOut(cluster, create)).rejects.toMatchObject({ code: 'SOTTO-CLI-064' });
    expect(await settingsIn(namespace)).toBe('a');
    const change = await settingsStep();
    await plane.admin('PATCH', CONFIG.replace('{ns}', namespace), { data: { 'sotto.yaml': 'b' } });
    await expect(carryOut(cluster, change)).rejects.toMatchObject({ code: 'SOTTO-CLI-064' });
    expect(await settingsIn(namespace)).toBe('b');
    await carryOut(cluster, await settingsStep());
    expect(await settingsIn(namespace)).toBe(SETTINGS);
  });

  test('an agent that install did not make keeps its state, whatever is asked', async () => {
    const { namespace, run } = await person('admin');
    for (const object of await kustomizeBuild('deploy')) {
      const placed = objectOf(parseJson(stringifyJson(object).replaceAll('"team-app"', `"${namespace}"`)));
      await plane.admin('PATCH', `${pathOf(placed)}?fieldManager=kubectl`, placed, 'application/apply-patch+yaml');
    }
    await agentWas(plane, namespace);
    const gone = await run('uninstall --yes --purge');
    expect(gone).toMatchObject({ exit: 0, stderr: expect.stringContaining('nothing to remove') });
    expect(gone.stdout).toContain('= Deployment/sotto, left: install did not make it');
    expect(await live(namespace, '/api/v1/namespaces/{ns}/secrets/sotto-fingerprint')).toBeDefined();
    // The same objects by the same files: an install has only the settings to add.
    const installed = await run('install --dry-run');
    expect(installed.stdout.split('\n').filter((line) => /^[+~]/.test(line))).toEqual(['+ ConfigMap/sotto']);
  });

  test('bad settings, a bad image, an unknown kind and a missing namespace are told before anything is made', async () => {
    const { namespace, run } = await person('admin', SETTINGS.replace('syncs:', 'sinks:'));
    expect(await run('install --yes')).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-CONF-002') });
    const good = await person('admin');
    expect(await good.run('install --yes --image https://x/y')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('SOTTO-CLI-062'),
    });
    expect(await good.run('install --yes --without secrets')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('SOTTO-CLI-063'),
    });
    expect(await good.run('check')).toMatchObject({ exit: 2, stderr: expect.stringContaining('not in this version') });
    expect(await live(namespace, CONFIG)).toBeUndefined();
    const nowhere = await sotto(
      ['install', '--yes', '-n', 'nowhere', '--kubeconfig', plane.access.adminKubeconfigPath],
      { cwd: folder },
    );
    expect([nowhere.exit, nowhere.stderr]).toEqual([1, expect.stringContaining('SOTTO-KUBE-008')]);
  });
});

/** Besides the rules of the Role: what making and removing the rest of deploy/ takes. */
const EVERYTHING = ['get', 'list', 'create', 'patch', 'delete'];
const INSTALLER: readonly PolicyRule[] = [
  { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'], verbs: EVERYTHING },
];

function byName(objects: readonly JsonObject[]): ReadonlyMap<string, JsonObject> {
  return new Map(
    objects.map((object) => [`${kindAndName(object)} in ${stringAt(object, 'metadata', 'namespace') ?? ''}`, object]),
  );
}

function managersOf(object: Json | undefined): readonly (string | undefined)[] {
  return arrayAt(object, 'metadata', 'managedFields').map((entry) => stringAt(entry, 'manager'));
}

/** What an agent leaves behind in a namespace. */
async function agentWas(plane: ControlPlane, namespace: string): Promise<void> {
  const core = `/api/v1/namespaces/${namespace}`;
  const annotations = { 'applyset.kubernetes.io/contains-group-kinds': 'ConfigMap,Deployment.apps' };
  const objects: readonly (readonly [string, JsonObject])[] = [
    ['configmaps', { metadata: { name: 'sotto-inventory', annotations } }],
    ['configmaps', { metadata: { name: 'sotto-status' } }],
    ['configmaps', { metadata: { name: 'web' } }],
    ['secrets', { metadata: { name: 'sotto-fingerprint' } }],
    ['secrets', { metadata: { name: 'sops-age' } }],
    ['secrets', { metadata: { name: 'git-auth', labels: { 'sotto.dev/use': 'git' } } }],
  ];
  for (const [plural, object] of objects)
    expect((await plane.admin('POST', `${core}/${plural}`, object)).status).toBe(201);
}
