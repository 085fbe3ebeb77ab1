import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { askAs } from '../harness/as-user.ts';
import { type AttentionLine, attentionOf, codesOf, passed, untilTried } from '../harness/attention.ts';
import { type Canaries, leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { editByHand, secretPath } from '../harness/objects.ts';
import { runSotto } from '../harness/once.ts';
import { describeReal } from '../harness/real.ts';
import { sealingKeySecret } from '../harness/sealing-key.ts';
import { type RequestLog, requestsFromNow } from '../harness/requests.ts';
import { configMap, createWorld, eventually, secret, settingsText, type World } from '../harness/world.ts';
import { yaml } from './bad-files.ts';
import { type Attack, ATTACKS, THINGS_CRD, WIDE_RULES } from './veto-attacks.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const RBAC = 'apis/rbac.authorization.k8s.io/v1';

describeReal('what whoever may push must not do', TOOLS, () => {
  const resources = new AsyncDisposableStack();
  let world: World;
  let canaries: Canaries;
  let agent: RunningAgent;
  let attention: readonly AttentionLine[];
  let log: RequestLog;
  let files: Record<string, string>;
  const before = new Map<string, Json | undefined>();

  const pathOf = ({ at, manifest }: Pick<Attack, 'at' | 'manifest'>): string => {
    const cut = at.lastIndexOf('/');
    const name = stringAt(manifest, 'metadata', 'name') ?? '';
    return `/${at.slice(0, cut)}/namespaces/${world.namespace}/${at.slice(cut + 1)}/${name}`;
  };
  const versionOf = async (attack: Attack): Promise<string | undefined> =>
    stringAt(await world.get(pathOf(attack)), 'metadata', 'uid');
  const collection = (of: string): string => {
    const cut = of.lastIndexOf('/');
    return `/${of.slice(0, cut)}/namespaces/${world.namespace}/${of.slice(cut + 1)}`;
  };
  const text = async (manifest: JsonObject): Promise<string> =>
    stringAt(manifest, 'kind') === 'Secret' && memberAt(manifest, 'stringData') !== undefined
      ? world.sops(yaml(manifest), 's.yaml')
      : yaml(manifest);
  const codeOf = (attack: Attack): string | undefined => attention.find(({ file }) => file === fileOf(attack))?.code;

  beforeAll(async () => {
    world = resources.use(await createWorld({ rules: WIDE_RULES }));
    canaries = resources.use(plantCanaries([4]));
    await world.create(collection('api/v1/secrets'), (await sealingKeySecret('sealing-1')).secret);
    // As an install makes it.
    await world.create(collection('api/v1/configmaps'), configMap('sotto-requests', {}));
    const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    const crd = `${crds}/${stringAt(THINGS_CRD, 'metadata', 'name') ?? ''}`;
    resources.defer(async () => {
      await world.own.plane.admin('DELETE', crd);
    });
    await world.create(crds, THINGS_CRD);
    await eventually('the kind is served', async () => {
      const answer = await world.own.plane.admin('GET', collection(ATTACKS.at(-1)?.at ?? ''));
      return answer.status === 200 ? true : undefined;
    });
    await world.create(collection('api/v1/serviceaccounts'), { metadata: { name: 'app' } });
    const reader = [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }];
    for (const name of ['secret-reader', 'pretended'])
      await world.create(collection(`${RBAC}/roles`), { metadata: { name }, rules: reader });
    files = {
      'deploy/good.yaml': await world.sops(yaml(secret('good', { a: canaries.values[0] ?? '' })), 's.yaml'),
      'deploy/harmless.yaml': yaml({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'harmless' },
        rules: [{ apiGroups: [''], resources: ['services'], verbs: ['get'] }],
      }),
      'deploy/pretended.yaml': yaml({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'pretended' },
        rules: [],
      }),
    };
    for (const attack of ATTACKS) {
      files[fileOf(attack)] = await text(attack.inLists === true ? listOf(listOf(attack.manifest)) : attack.manifest);
      before.set(attack.name, await world.get(pathOf(attack)));
    }
    log = await requestsFromNow(world);
    agent = await world.start();
    const commit = await world.repository.commit(files, 'attacks');
    attention = attentionOf(await untilTried(world, commit));
  });
  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]();
    await resources.disposeAsync();
  });

  test.each(ATTACKS)('is refused and not sent: $code $name', async (attack) => {
    expect(codeOf(attack)).toBe(attack.code);
    const line = attention.find(({ file }) => file === fileOf(attack));
    if (attack.lift === undefined) expect(line?.text).not.toContain('settings lift it');
    else expect(line?.text).toContain(`vetoes: { allow: [ ${attack.lift} ] }`);
    const now = await world.get(pathOf(attack));
    // Nobody but the agent itself makes its records and its fingerprint key.
    if (attack.exists !== true) expect(now).toBeUndefined();
    else if (before.get(attack.name) !== undefined) expect(now).toEqual(before.get(attack.name));
    const [plural = '', name = ''] = pathOf(attack).split('/').slice(-2);
    const sent = (await log.writes()).filter((entry) => entry.resource === plural && entry.name === name);
    expect(sent.filter(({ verb }) => verb === 'patch')).toEqual([]);
  });

  test('a good object of the same commit is applied', async () => {
    expect(await world.get(secretPath(world.namespace, 'good'))).toBeDefined();
    expect(await world.get(`${collection(`${RBAC}/roles`)}/harmless`)).toBeDefined();
    expect(attention.filter(({ code }) => code?.startsWith('SOTTO-PLAN-02') === true).length).toBe(ATTACKS.length);
  });

  test('`sotto diff` says the same of everything that the repository shows', async () => {
    for (const [path, content] of Object.entries({ ...files, '.git/HEAD': '', 'sotto.yaml': settingsOf(world) })) {
      const file = join(world.folder, 'checkout', path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
    }
    const ended = await runSotto([
      'diff',
      '-o',
      'json',
      join(world.folder, 'checkout'),
      '-n',
      world.namespace,
      '--kubeconfig',
      world.own.account.kubeconfigPath,
    ]);
    const live = ['a Role that is not in Git', 'a Role that is not there yet', 'a Role that Git only pretends to have'];
    const codes = new Map(refusalsIn(JSON.parse(ended.stdout) as Json));
    const seen = ATTACKS.filter(({ name }) => !live.includes(name));
    expect(seen.map((attack) => [attack.name, codes.get(fileOf(attack))])).toEqual(
      seen.map(({ name, code }) => [name, code]),
    );
  });

  test('a workload that turns to a key keeps its last good state, and its drift is still undone', async () => {
    const good = deployment('turns', 'harmless');
    const path = `${collection('apis/apps/v1/deployments')}/turns`;
    await passed(agent, await world.repository.commit({ 'deploy/turns.yaml': yaml(good) }, 'good'));
    const uid = stringAt(await world.get(path), 'metadata', 'uid');
    const bad = await world.repository.commit({ 'deploy/turns.yaml': yaml(deployment('turns', 'sops-age')) }, 'bad');
    expect(codesOf(await untilTried(world, bad))).toMatchObject({ 'apps/Deployment/turns': 'SOTTO-PLAN-021' });
    expect(stringAt(await world.get(path), 'metadata', 'uid')).toBe(uid);
    expect(secretOf(await world.get(path))).toBe('harmless');
    await editByHand(world, path, { spec: { replicas: 5 } });
    await eventually('the edit is undone', async () =>
      memberAt(await world.get(path), 'spec', 'replicas') === 2 ? true : undefined,
    );
  });

  test('a Secret that becomes a key is one for everything that was applied before', async () => {
    await world.create(collection('api/v1/secrets'), secret('later', { a: 'b' }));
    const path = `${collection('apis/apps/v1/deployments')}/uses-later`;
    const first = yaml(deployment('uses-later', 'later'));
    await passed(agent, await world.repository.commit({ 'deploy/uses-later.yaml': first }, 'uses it'));
    expect(await world.get(path)).toBeDefined();
    const key = 'apps/Deployment/uses-later';
    await editByHand(world, secretPath(world.namespace, 'later'), { metadata: { labels: { 'sotto.dev/use': 'git' } } });
    await world.until('it is refused', (status) => codesOf(status)[key] === 'SOTTO-PLAN-021');
    expect(await world.get(path)).toBeDefined();
    await editByHand(world, secretPath(world.namespace, 'later'), { metadata: { labels: { 'sotto.dev/use': null } } });
    await world.until('it is not any more', (status) => codesOf(status)[key] === undefined);
  });

  test('what settings lift is applied, and nothing else', async () => {
    const allow = 'vetoes: { allow: [ key-mount, agent-account, agent-rbac, key-label ] }';
    await world.settings(settingsText(world.git.url(world.repository), { top: allow }));
    const lifted = ATTACKS.filter(({ lift, invalid }) => lift !== undefined && invalid !== true);
    await eventually('all of them are there', async () => {
      const found = await Promise.all(lifted.map(versionOf));
      return found.every((uid) => uid !== undefined) ? true : undefined;
    });
    const status = await world.until(
      'vetoes are told no more',
      (document) => !attentionOf(document).some(({ code }) => /SOTTO-PLAN-02[1-4]/.test(code ?? '')),
    );
    const refused = attentionOf(status).filter(({ code }) => code === 'SOTTO-PLAN-020');
    // A marked Secret is one that Git may bring now; it exists and is not like that, so it is left alone.
    const never = ATTACKS.filter(({ lift, name }) => lift === undefined && name !== 'a sealing key by its label');
    expect(new Set(refused.map(({ file }) => file))).toEqual(new Set(never.map(fileOf)));
    const [settings] = ATTACKS;
    expect(settings && stringAt(await world.get(pathOf(settings)), 'data', 'sotto.yaml')).toContain('allow');
  });

  test('and nothing that is said holds a value', async () => {
    await passed(agent, await world.repository.commit({ 'deploy/last.yaml': yaml(configMap('last', {})) }, 'last'));
    await leakCheck(world, agent, canaries);
  });

  test('the right to bind roles of the cluster is one on every Secret, so it has its veto', async () => {
    const rbac = 'rbac.authorization.k8s.io';
    const { plane } = world.own;
    const binder = await plane.createServiceAccount(world.namespace, 'binder', [
      { apiGroups: [rbac], resources: ['clusterroles'], verbs: ['bind'] },
      { apiGroups: [rbac], resources: ['rolebindings'], verbs: ['create'] },
    ]);
    const reads = { method: 'GET', path: secretPath(world.namespace, 'sops-age') };
    expect((await askAs(plane, binder, reads)).status).toBe(403);
    const body = {
      metadata: { name: 'binds' },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ apiGroup: rbac, kind: 'User', name: binder.user }],
    };
    const bound = await askAs(plane, binder, { method: 'POST', path: collection(`${RBAC}/rolebindings`), body });
    expect(bound.status).toBe(201);
    await eventually('it may read a key', async () =>
      (await askAs(plane, binder, reads)).status === 200 ? true : undefined,
    );
  });

  test('the account is protected by the name it has', async () => {
    await using other = await createWorld({ rules: WIDE_RULES, accountName: 'deployer' });
    const workload = deployment('web', 'harmless', { serviceAccountName: 'deployer' });
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'deployer' } };
    const commit = await other.repository.commit(
      { 'deploy/a.yaml': yaml(workload), 'deploy/b.yaml': yaml(account) },
      'x',
    );
    await using running = await other.start();
    expect(codesOf(await untilTried(other, commit))).toEqual({
      'apps/Deployment/web': 'SOTTO-PLAN-022',
      'ServiceAccount/deployer': 'SOTTO-PLAN-020',
    });
    expect(running.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

/** File and code of everything refused, wherever it stands. */
function refusalsIn(value: Json | undefined): (readonly [string, string])[] {
  if (typeof value !== 'object' || value === null) return [];
  const [file, code] = [stringAt(value, 'file'), stringAt(value, 'code')];
  const own = file === undefined || code === undefined ? [] : [[file, code] as const];
  return [...own, ...Object.values(value).flatMap((item: Json) => refusalsIn(item))];
}

function fileOf({ name }: Attack): string {
  return `deploy/${name.toLowerCase().replaceAll(/[^a-z]+/g, '-')}.yaml`;
}

function listOf(item: JsonObject): JsonObject {
  return { apiVersion: 'v1', kind: 'List', items: [item] };
}

function settingsOf(world: World): string {
  return settingsText(world.git.url(world.repository));
}

function deployment(name: string, secretName: string, more: JsonObject = {}): JsonObject {
  const labels = { app: name };
  const spec = {
    containers: [{ name: 'c', image: 'example.com/c' }],
    volumes: [{ name: 'v', secret: { secretName } }],
    ...more,
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas: 2, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}

function secretOf(workload: Json | undefined): string | undefined {
  const volumes = memberAt(workload, 'spec', 'template', 'spec', 'volumes');
  return Array.isArray(volumes) ? stringAt(volumes[0], 'secret', 'secretName') : undefined;
}
