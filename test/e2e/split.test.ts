import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type JsonObject, stringAt } from '../../src/core/json.ts';
import type { PolicyRule, ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { askAs } from '../harness/as-user.ts';
import { attentionOf, passed, untilReady, untilTried } from '../harness/attention.ts';
import { type Canaries, leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { configMapPath, editByHand, remove, secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { type RequestLog, requestsFromNow, shown } from '../harness/requests.ts';
import { bindAgent, clusterWide, forbidden, rightsOf } from '../harness/rights.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const RBAC = 'rbac.authorization.k8s.io/v1';

/** In the namespace of the agent: keys and credentials, its records, whether another agent lives. */
const OWN_RULES: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch', 'create'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', 'create', 'update', 'patch'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
];

/** In the namespace that is applied to: the kinds of this repository, and Events. */
const TARGET_RULES: readonly PolicyRule[] = [
  {
    apiGroups: [''],
    resources: ['secrets', 'configmaps'],
    verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
  },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
];

/**
 * Needed, but not to be seen in an audit log of this test: a list is asked for where the server gives none as a stream,
 * an apply that creates asks for both rights and is logged as patch, an Event is counted when it repeats for long.
 */
function isOutOfSight(right: string): boolean {
  const [namespace, verb, resource] = right.split(' ');
  return verb === 'list' || (resource === 'events' && verb === 'patch') || (isTarget(namespace) && verb === 'create');
}

function isTarget(namespace: string | undefined): boolean {
  return namespace?.startsWith('target-') === true;
}

const manifest = (name: string): string => JSON.stringify(configMap(name, { color: 'blue' }));

describeReal('keys in one namespace, objects in another one', TOOLS, () => {
  const resources = new AsyncDisposableStack();
  const target = `target-${randomBytes(4).toString('hex')}`;
  let world: World;
  let canaries: Canaries;
  let agent: RunningAgent;
  let log: RequestLog;
  let owner: ServiceAccountAccess;

  const start = (pod: string): Promise<RunningAgent> => world.start([], { env: { SOTTO_POD_NAME: pod } });
  const isBlue = (name: string) => async (): Promise<true | undefined> =>
    stringAt(await world.get(configMapPath(target, name)), 'data', 'color') === 'blue' ? true : undefined;
  const passwordOf = async (name: string): Promise<string> =>
    Buffer.from(stringAt(await world.get(secretPath(target, name)), 'data', 'password') ?? '', 'base64').toString();

  beforeAll(async () => {
    world = resources.use(await createWorld({ rules: OWN_RULES, top: `targetNamespace: ${target}` }));
    canaries = resources.use(plantCanaries([4, 4]));
    await world.own.plane.createNamespace(target);
    await bindAgent(world, target, TARGET_RULES);
    const all = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
    owner = await world.own.plane.createServiceAccount(target, 'owner', all);
    log = await requestsFromNow(world);
    agent = await start('sotto-0');
  });
  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]();
    await resources.disposeAsync();
  });

  test('first contact, drift, pruning and Events work as with one namespace', async () => {
    const [first = '', second = ''] = canaries.values;
    // Both exist already: one like in Git, one not.
    await world.create(`/api/v1/namespaces/${target}/configmaps`, configMap('adopted', { color: 'blue' }));
    await world.create(`/api/v1/namespaces/${target}/secrets`, secret('foreign', { password: 'somebody-else' }));
    const files = {
      'deploy/a.json': manifest('a'),
      'deploy/b.json': manifest('b'),
      'deploy/adopted.json': manifest('adopted'),
      'deploy/db.json': await world.sops(JSON.stringify(secret('db', { password: first })), 'db.json'),
      'deploy/foreign.json': await world.sops(JSON.stringify(secret('foreign', { password: second })), 'f.json'),
    };
    let commit = await world.repository.commit(files, 'first');
    const tried = await untilTried(world, commit);
    expect(attentionOf(tried).map(({ object, code }) => [object, code])).toEqual([
      ['Secret/foreign', 'SOTTO-PLAN-001'],
    ]);
    expect(await passwordOf('foreign')).toBe('somebody-else');
    commit = await world.repository.commit({ 'deploy/foreign.json': null }, 'not ours');
    await untilReady(world, commit);
    // Twice, so that the Event is counted.
    for (const color of ['red', 'green']) {
      await editByHand(world, configMapPath(target, 'a'), { data: { color } });
      await eventually('the edit is undone', isBlue('a'));
    }
    await remove(world, configMapPath(target, 'adopted'));
    await eventually('it is made again', isBlue('adopted'));
    await editByHand(world, secretPath(target, 'db'), { stringData: { password: 'changed' } });
    await eventually('the Secret is as in Git', async () => ((await passwordOf('db')) === first ? true : undefined));
    const left = { 'deploy/b.json': null, 'deploy/db.json': null };
    commit = await world.repository.commit({ ...left, 'deploy/c.json': manifest('c') }, 'two less');
    await passed(agent, commit);
    expect(await world.get(configMapPath(target, 'b'))).toBeUndefined();
    expect(await world.get(secretPath(target, 'db'))).toBeUndefined();
    await eventually('an Event is beside its object', async () => {
      const events = await world.get(`/apis/events.k8s.io/v1/namespaces/${target}/events`);
      return arrayAt(events, 'items').some((item) => stringAt(item, 'regarding', 'namespace') === target)
        ? true
        : undefined;
    });
    await leakCheck(world, agent, canaries);
  });

  test('nothing of the agent is where objects are, nothing of Git where the keys are', async () => {
    const names = async (namespace: string, plural: string): Promise<readonly string[]> =>
      arrayAt(await world.get(`/api/v1/namespaces/${namespace}/${plural}`), 'items').map(
        (item) => stringAt(item, 'metadata', 'name') ?? '',
      );
    expect(await names(target, 'secrets')).toEqual(['foreign']);
    expect((await names(target, 'configmaps')).filter((name) => name.startsWith('sotto'))).toEqual([]);
    expect(await names(world.namespace, 'secrets')).toEqual(['git-auth', 'sops-age', 'sotto-fingerprint']);
    expect(await names(world.namespace, 'configmaps')).toEqual([
      'sotto',
      'sotto-inventory',
      'sotto-last-0',
      'sotto-requests',
      'sotto-status',
    ]);
  });

  test('whoever may do everything where objects are reaches no key', async () => {
    const { plane, namespace } = world.own;
    const core = `/api/v1/namespaces/${namespace}`;
    const ask = (method: string, path: string, body?: JsonObject, asUser?: string) =>
      askAs(plane, owner, { method, path, ...(body && { body }), ...(asUser !== undefined && { asUser }) });
    const binding = {
      metadata: { name: 'mine' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'sotto' },
      subjects: [{ kind: 'ServiceAccount', name: 'owner', namespace: target }],
    };
    const pod = {
      metadata: { name: 'mine' },
      spec: {
        serviceAccountName: 'sotto',
        containers: [{ name: 'c', image: 'example.com/c' }],
        volumes: [{ name: 'v', secret: { secretName: 'sops-age' } }],
      },
    };
    const attempts = [
      ask('GET', `${core}/secrets/sops-age`),
      ask('GET', `${core}/secrets`),
      ask('PATCH', `${core}/configmaps/sotto`, { data: {} }),
      ask('POST', `${core}/pods`, pod),
      ask('POST', `${core}/serviceaccounts/sotto/token`, { spec: {} }),
      ask('POST', `/apis/${RBAC}/namespaces/${namespace}/rolebindings`, binding),
      // Every verb in his namespace is also impersonate, of the accounts there.
      ask('GET', `${core}/secrets/sops-age`, undefined, world.own.account.user),
      ask('GET', `/api/v1/namespaces/${target}/secrets`, undefined, world.own.account.user),
    ];
    expect((await Promise.all(attempts)).map(({ status }) => status)).toEqual(attempts.map(() => 403));
    // Names in a Pod are those of its own namespace: the account and the key of that name are not there.
    for (const path of ['serviceaccounts/sotto', 'secrets/sops-age'])
      expect(await world.get(`/api/v1/namespaces/${target}/${path}`)).toBeUndefined();
  });

  test('a key that is put beside the objects opens nothing and is not read', async () => {
    const pair = await newAgeKeyPair();
    const marked = secret('mine', { 'age.agekey': pair.identity });
    await askAs(world.own.plane, owner, {
      method: 'POST',
      path: `/api/v1/namespaces/${target}/secrets`,
      body: { ...marked, metadata: { name: 'mine', labels: { 'sotto.dev/use': 'keys' } } },
    });
    const rules = [
      '--age',
      pair.recipient,
      '--encrypted-regex',
      '^(data|stringData)$',
      '--filename-override',
      'm.json',
    ];
    const stdin = JSON.stringify(secret('opened', { password: 'x' }));
    const text = (await stockOutput('sops', ['encrypt', ...rules], { stdin })).toString();
    const status = await untilTried(world, await world.repository.commit({ 'deploy/opened.json': text }, 'his key'));
    expect(attentionOf(status).map(({ file }) => file)).toEqual(['deploy/opened.json']);
    expect(attentionOf(status)[0]?.code).toBe('SOTTO-AGE-001');
    expect(await world.get(secretPath(target, 'opened'))).toBeUndefined();
    const read = (await log.entries()).filter(({ verb, name }) => verb === 'get' && name === 'mine');
    expect(shown(read)).toEqual([]);
    await world.repository.commit({ 'deploy/opened.json': null }, 'gone');
  });

  test('a push touches neither the account of the agent nor its rights there, and makes no keys', async () => {
    const account = { kind: 'ServiceAccount', name: 'sotto', namespace: world.namespace };
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'own' };
    const marked = { ...secret('key', { a: 'b' }), metadata: { name: 'key', labels: { 'sotto.dev/use': 'keys' } } };
    const attacks = {
      'deploy/x-role.json': JSON.stringify({ apiVersion: RBAC, kind: 'Role', metadata: { name: 'sotto-target' } }),
      'deploy/x-binding.json': JSON.stringify({
        apiVersion: RBAC,
        kind: 'RoleBinding',
        metadata: { name: 'own' },
        roleRef,
        subjects: [account],
      }),
      'deploy/x-key.json': await world.sops(JSON.stringify(marked), 'k.json'),
      'deploy/x-there.json': JSON.stringify({
        ...configMap('sotto', { 'sotto.yaml': 'syncs: []' }),
        metadata: { name: 'sotto', namespace: world.namespace },
      }),
    };
    const commit = await world.repository.commit(attacks, 'attacks');
    const status = await untilTried(world, commit);
    expect(Object.fromEntries(attentionOf(status).map(({ file, code }) => [file, code]))).toEqual({
      'deploy/x-binding.json': 'SOTTO-PLAN-023',
      'deploy/x-key.json': 'SOTTO-PLAN-024',
      'deploy/x-role.json': 'SOTTO-PLAN-020',
      'deploy/x-there.json': 'SOTTO-PLAN-003',
    });
    const gone = Object.fromEntries(Object.keys(attacks).map((file) => [file, null]));
    await untilReady(world, await world.repository.commit(gone, 'gone'));
  });

  test('every right of the account was needed, and none was missing', async () => {
    // A Pod that is gone without a goodbye: the next one asks whether it lives.
    await agent.kill('SIGKILL');
    const commit = await world.repository.head();
    agent = await start('sotto-1');
    await passed(agent, commit);
    const entries = await log.entries();
    expect(shown(forbidden(entries))).toEqual([]);
    expect(shown(clusterWide(entries))).toEqual([]);
    const used = new Set(entries.map(({ namespace, verb, resource }) => `${namespace} ${verb} ${resource}`));
    const given = [...rightsOf(world.namespace, OWN_RULES), ...rightsOf(target, TARGET_RULES)];
    const unseen = given.filter((right) => !used.has(right) && !isOutOfSight(right));
    expect(unseen).toEqual([]);
    expect([...used].filter((right) => !right.startsWith(' ') && !given.includes(right))).toEqual([]);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
