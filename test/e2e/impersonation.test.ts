import { expect, test } from 'vitest';
import { stringAt } from '../../src/core/json.ts';
import type { PolicyRule } from '../../src/demo/control-plane.ts';
import { askAs } from '../harness/as-user.ts';
import { attentionOf, codesOf, passed, untilReady, untilTried } from '../harness/attention.ts';
import { leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { configMapPath, editByHand, remove, secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { requestsFromNow, shown } from '../harness/requests.ts';
import { AGENT_RULES, configMap, createWorld, eventually, secret, settingsText, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

const impersonate = (name: string): PolicyRule => ({
  apiGroups: [''],
  resources: ['serviceaccounts'],
  resourceNames: [name],
  verbs: ['impersonate'],
});

/** Its own records, keys and streams, and the account: nothing that writes what Git holds but ConfigMaps. */
const OWN_RULES: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch', 'create'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', 'create', 'update', 'patch'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
  { apiGroups: [''], resources: ['services'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
  impersonate('deployer'),
];

const WRITE = ['create', 'patch', 'delete'];
const ACCOUNT_RULES: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['configmaps', 'secrets', 'services'], verbs: WRITE },
];

/** A record of the agent itself. */
const isOwn = (name: string): boolean => name.startsWith('sotto-') || name === '';
const SYNC = '  serviceAccountName: deployer';
const manifest = (name: string): string => JSON.stringify(configMap(name, { color: 'blue' }));
const service = (name: string): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port: 80 }] } });
const servicePath = ({ namespace }: World, name: string): string => `/api/v1/namespaces/${namespace}/services/${name}`;

describeReal('objects written as an account of their own', TOOLS, () => {
  test('are applied, corrected and pruned with the rights of the account alone, the agent has none of them', async () => {
    await using world = await createWorld({ rules: OWN_RULES, sync: SYNC });
    const { namespace, own } = world;
    await own.plane.createServiceAccount(namespace, 'deployer', ACCOUNT_RULES);
    using canaries = plantCanaries([4]);
    const [value = ''] = canaries.values;
    // Equal to what Git has: adoption asks by a dry run, which is the account's as well.
    await world.create(`/api/v1/namespaces/${namespace}/configmaps`, configMap('adopted', { color: 'blue' }));
    const log = await requestsFromNow(world);
    const files = {
      'deploy/a.json': manifest('a'),
      'deploy/adopted.json': manifest('adopted'),
      'deploy/web.json': service('web'),
      'deploy/db.json': await world.sops(JSON.stringify(secret('db', { password: value })), 'db.json'),
    };
    let commit = await world.repository.commit(files, 'first');
    await using agent = await world.start();
    await untilReady(world, commit);
    await editByHand(world, configMapPath(namespace, 'a'), { data: { color: 'red', added: 'by hand' } });
    await editByHand(world, secretPath(namespace, 'db'), { stringData: { password: 'changed' } });
    await remove(world, servicePath(world, 'web'));
    const encoded = Buffer.from(value).toString('base64');
    await eventually('everything is as in Git', async () => {
      const [map, db] = [await world.get(configMapPath(namespace, 'a')), await world.get(secretPath(namespace, 'db'))];
      const isBack = stringAt(map, 'data', 'color') === 'blue' && stringAt(map, 'data', 'added') === undefined;
      const isThere = (await world.get(servicePath(world, 'web'))) !== undefined;
      return isBack && isThere && stringAt(db, 'data', 'password') === encoded ? true : undefined;
    });
    commit = await world.repository.commit({ 'deploy/web.json': null }, 'one less');
    await passed(agent, commit);
    expect(await world.get(servicePath(world, 'web'))).toBeUndefined();
    const user = `system:serviceaccount:${namespace}:deployer`;
    const entries = await log.entries();
    const writes = entries.filter(({ verb }) => !['get', 'list', 'watch'].includes(verb));
    const ofGit = writes.filter(({ name, apiGroup }) => !isOwn(name) && apiGroup !== 'events.k8s.io');
    expect(new Set(ofGit.map(({ impersonatedUser }) => impersonatedUser))).toEqual(new Set([user]));
    expect(ofGit.some(({ uri }) => uri.includes('dryRun=All'))).toBe(true);
    expect(ofGit.some(({ verb }) => verb === 'delete')).toBe(true);
    // Records, Events, reads and streams are the agent's own.
    expect(shown(entries.filter((entry) => entry.impersonatedUser !== '' && !ofGit.includes(entry)))).toEqual([]);
    expect(shown(entries.filter(({ status }) => status === 403))).toEqual([]);
    await leakCheck(world, agent, canaries);
  });

  test('are refused where the account may not, although the agent may: the error names account and rule', async () => {
    await using world = await createWorld({ rules: AGENT_RULES, sync: SYNC });
    const { namespace, own } = world;
    const roles = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`;
    const deployer = await own.plane.createServiceAccount(namespace, 'deployer', [
      { apiGroups: [''], resources: ['configmaps'], verbs: WRITE },
    ]);
    const files = { 'deploy/a.json': manifest('a'), 'deploy/web.json': service('web') };
    const commit = await world.repository.commit(files, 'a kind too many');
    await using agent = await world.start();
    const first = await untilTried(world, commit);
    expect(codesOf(first)).toEqual({ 'ConfigMap/a': 'SOTTO-KUBE-003', 'Service/web': 'SOTTO-KUBE-003' });
    expect(attentionOf(first)[0]?.text).toContain(`No right to act as ${deployer.user}`);
    const rules = [...AGENT_RULES, impersonate('deployer')].map((rule) => ({ ...rule }));
    await editByHand(world, `${roles}/sotto`, { rules });
    const status = await world.until('it may act', (document) => codesOf(document)['ConfigMap/a'] === undefined);
    expect(codesOf(status)).toEqual({ 'Service/web': 'SOTTO-KUBE-003' });
    const text = attentionOf(status)[0]?.text ?? '';
    expect(text).toContain(deployer.user);
    expect(text).toContain('{ apiGroups: [""], resources: ["services"], verbs: ["patch"] }');
    expect(await world.get(servicePath(world, 'web'))).toBeUndefined();
    expect(await world.get(configMapPath(namespace, 'a'))).toBeDefined();
    await editByHand(world, `${roles}/deployer`, {
      rules: [{ apiGroups: [''], resources: ['configmaps', 'services'], verbs: WRITE }],
    });
    await untilReady(world, commit);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('are written as no other account than the one that the Role of the agent names', async () => {
    await using world = await createWorld({ rules: OWN_RULES, sync: SYNC });
    const { namespace, own } = world;
    const all = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
    await own.plane.createServiceAccount(namespace, 'deployer', ACCOUNT_RULES);
    const mighty = await own.plane.createServiceAccount(namespace, 'mighty', all);
    // The server itself: one account of one namespace, no user, no group of accounts, no account elsewhere.
    const dryRun = (asUser: string) =>
      askAs(own.plane, own.account, {
        method: 'POST',
        path: `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`,
        body: configMap('a', {}),
        asUser,
      });
    expect((await dryRun(`system:serviceaccount:${namespace}:deployer`)).status).toBe(201);
    for (const user of [mighty.user, 'system:serviceaccount:default:deployer', 'deployer', 'system:admin'])
      expect((await dryRun(user)).status).toBe(403);
    const commit = await world.repository.commit({ 'deploy/a.json': manifest('a') }, 'first');
    await using agent = await world.start();
    await untilReady(world, commit);
    await world.settings(settingsText(world.git.url(world.repository), { sync: '  serviceAccountName: mighty' }));
    const next = await world.repository.commit({ 'deploy/web.json': service('web') }, 'as somebody mighty');
    const status = await untilTried(world, next);
    expect(codesOf(status)).toEqual({ 'Service/web': 'SOTTO-KUBE-003' });
    const text = attentionOf(status)[0]?.text ?? '';
    expect(text).toContain(`No right to act as ${mighty.user}`);
    expect(text).toContain('resourceNames: ["mighty"], verbs: ["impersonate"]');
    expect(await world.get(servicePath(world, 'web'))).toBeUndefined();
    expect(await world.get(configMapPath(namespace, 'a'))).toBeDefined();
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
