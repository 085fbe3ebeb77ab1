import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import type { AuditEntry, PolicyRule } from '../../src/demo/control-plane.ts';
import { type Fault, startFaultProxy } from '../harness/fault-proxy.ts';
import { codesOf, passed, stateOf, untilReady, untilTried } from '../harness/attention.ts';
import { collectionOf, configMapPath, editByHand, KIND_CASES } from '../harness/objects.ts';
import { runOnce } from '../harness/once.ts';
import { describeReal } from '../harness/real.ts';
import { requestsFromNow, shown } from '../harness/requests.ts';
import { AGENT_RULES, configMap, createWorld, eventually, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
/** Many times `retryInterval`, which is a second in these worlds. */
const IDLE_MS = 15_000;
/** The status document is written at most every 10 s, the inventory as well. */
const SETTLE_MS = 11_000;

function manifest(name: string, data: Readonly<Record<string, string>> = { color: 'blue' }): string {
  return JSON.stringify(configMap(name, data));
}

/** Everything but NetworkPolicy and Ingress, which can be watched and not written. */
const NO_INGRESS: readonly PolicyRule[] = [
  ...AGENT_RULES.filter(({ apiGroups }) => !apiGroups.includes('networking.k8s.io')),
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses'], verbs: ['get', 'list', 'watch'] },
];

async function grant(world: World, name: string, rules: readonly PolicyRule[]): Promise<void> {
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${world.namespace}`;
  await world.create(`${rbac}/roles`, { metadata: { name }, rules: rules.map((rule) => ({ ...rule })) });
  await world.create(`${rbac}/rolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name: 'sotto', namespace: world.namespace }],
  });
}

const ingress = KIND_CASES.find(({ kind }) => kind === 'Ingress');
const networking = AGENT_RULES.filter(({ apiGroups }) => apiGroups.includes('networking.k8s.io'));

describeReal('what is refused does not cost a request with every retry', TOOLS, () => {
  test('forbidden or invalid objects are tried less and less often, status keeps saying it, a commit tries again', async () => {
    await using world = await createWorld({ rules: NO_INGRESS });
    const invalid = { ...configMap('invalid', {}), metadata: { name: 'invalid', labels: { bad: 'a b' } } };
    const first = await world.repository.commit(
      {
        'deploy/a.json': manifest('a'),
        'deploy/ingress.json': JSON.stringify(ingress?.manifest),
        'deploy/invalid.json': JSON.stringify(invalid),
      },
      'first',
    );
    await using agent = await world.start();
    const codes = { 'networking.k8s.io/Ingress/web': 'SOTTO-KUBE-003', 'ConfigMap/invalid': 'SOTTO-KUBE-009' };
    expect(codesOf(await untilTried(world, first))).toEqual(codes);
    await sleep(SETTLE_MS);
    const idle = await requestsFromNow(world);
    await sleep(IDLE_MS);
    // One second, two, four, eight: not one with every retry of a second.
    const calls = await idle.calls();
    expect(new Set(calls.map(({ verb, resource }) => `${verb} ${resource}`))).toEqual(
      new Set(['patch ingresses', 'patch configmaps']),
    );
    expect(calls.length, shown(calls).join('\n')).toBeLessThanOrEqual(2 * 4);
    expect(codesOf(await world.status())).toEqual(codes);
    expect(stateOf(await world.status())).toBe('Degraded');

    const log = await requestsFromNow(world);
    const second = await world.repository.commit({ 'deploy/b.json': manifest('b') }, 'another');
    await passed(agent, second);
    const tried = (await log.writes()).filter(({ status }) => status === 403 || status === 422);
    expect(tried.map(({ resource }) => resource).toSorted()).toEqual(['configmaps', 'ingresses']);
    await grant(world, 'more', networking);
    const third = await world.repository.commit({ 'deploy/invalid.json': null }, 'mended');
    await untilReady(world, third);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a hand edit that may not be undone is said, and busy writers cost few requests', async () => {
    await using world = await createWorld({ rules: [...NO_INGRESS] });
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${world.namespace}`;
    await grant(world, 'more', networking);
    const commit = await world.repository.commit({ 'deploy/ingress.json': JSON.stringify(ingress?.manifest) }, 'first');
    await using agent = await world.start();
    await passed(agent, commit);
    await world.own.plane.admin('DELETE', `${rbac}/rolebindings/more`);
    const path = `${collectionOf({ api: 'apis/networking.k8s.io/v1', plural: 'ingresses' }, world.namespace)}/web`;
    const log = await requestsFromNow(world);
    for (let round = 0; round < 20; round += 1) {
      await editByHand(world, path, { spec: { rules: [{ host: `r${round}.example.com` }] } });
      await sleep(300);
    }
    const refused = (await log.writes()).filter(({ status }) => status === 403);
    expect(refused.length, shown(refused).join('\n')).toBeLessThanOrEqual(5);
    await world.until('it is said', (status) => codesOf(status)['networking.k8s.io/Ingress/web'] === 'SOTTO-KUBE-003');
    await grant(world, 'again', networking);
    await untilReady(world, await world.repository.commit({ 'deploy/a.json': manifest('a') }, 'another'));
    expect(stringAt(memberAt(await world.get(path), 'spec', 'rules'), '0')).toBeUndefined();
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

function definition(group: string): JsonObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `widgets.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  };
}

const isDiscovery = ({ uri }: AuditEntry): boolean => /^\/apis?(?:\?|$)/.test(uri);

describeReal('a kind that comes, goes and comes again', TOOLS, () => {
  test('is applied and watched each time, and asked for only while it is missing', async () => {
    const group = `w${Math.random().toString(36).slice(2, 8)}.example.com`;
    const rules: PolicyRule[] = [
      ...AGENT_RULES,
      { apiGroups: [group], resources: ['widgets'], verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
    ];
    await using world = await createWorld({ rules });
    const widget = { apiVersion: `${group}/v1`, kind: 'Widget', metadata: { name: 'w' }, spec: { color: 'blue' } };
    const files = { 'deploy/a.json': manifest('a'), 'deploy/w.json': JSON.stringify(widget) };
    const commit = await world.repository.commit(files, 'first');
    await using agent = await world.start();
    expect(codesOf(await untilTried(world, commit))[`${group}/Widget/w`]).toBe('SOTTO-RENDER-008');
    const path = `/apis/${group}/v1/namespaces/${world.namespace}/widgets/w`;
    const color = async (): Promise<string | undefined> => stringAt(await world.get(path), 'spec', 'color');
    for (let round = 0; round < 2; round += 1) {
      const log = await requestsFromNow(world);
      await world.create(CRDS, definition(group));
      await eventually('it is applied', async () => ((await color()) === 'blue' ? true : undefined));
      await untilReady(world, commit);
      const asked = (await log.calls()).filter(isDiscovery);
      // A kind that comes back before anybody asked is still known from before.
      if (round === 0) expect(asked.length).toBeGreaterThan(0);
      expect(asked.length, shown(asked).join('\n')).toBeLessThanOrEqual(12);
      await eventually('an edit is undone', async () => {
        await editByHand(world, path, { spec: { color: 'red' } });
        await sleep(200);
        return (await color()) === 'blue' ? true : undefined;
      });
      const quiet = await requestsFromNow(world);
      await sleep(5_000);
      expect(shown((await quiet.calls()).filter(isDiscovery))).toEqual([]);
      await world.own.plane.admin('DELETE', `${CRDS}/widgets.${group}`);
      await agent.line('the kind is gone', ({ msg, state }) => msg === 'a watch is not live' && state === 'gone');
      await eventually('it is gone', async () =>
        (await world.get(`${CRDS}/widgets.${group}`)) === undefined ? true : undefined,
      );
    }
    const gone = await world.repository.commit({ 'deploy/w.json': null }, 'without it');
    await untilReady(world, gone);
    const quiet = await requestsFromNow(world);
    await sleep(6_000);
    expect(shown((await quiet.calls()).filter(isDiscovery))).toEqual([]);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

async function twoSyncs(retryInterval: string): Promise<World> {
  const world = await createWorld({ retryInterval });
  const settings = stringAt(await world.get(configMapPath(world.namespace, 'sotto')), 'data', 'sotto.yaml') ?? '';
  const second = (settings.split('syncs:\n')[1] ?? '')
    .replace('name: app', 'name: other')
    .replace('./deploy', './other');
  await world.settings(`${settings.trimEnd()}\n${second}`);
  return world;
}

describeReal('two syncs of one repository', TOOLS, () => {
  test('--once prunes in the first one too, and hands over what moved', async () => {
    await using world = await twoSyncs('10m');
    const names = ['a', 'b', 'c'];
    const files = Object.fromEntries(names.map((name) => [`deploy/${name}.json`, manifest(name)]));
    await world.repository.commit({ ...files, 'other/x.json': manifest('x') }, 'first');
    const first = await runOnce(world);
    expect(first.code, first.stdout + first.stderr).toBe(0);
    const uid = stringAt(await world.get(configMapPath(world.namespace, 'b')), 'metadata', 'uid');
    const moved = { 'deploy/a.json': null, 'deploy/b.json': null, 'other/b.json': manifest('b') };
    await world.repository.commit(moved, 'a goes, b moves');
    const second = await runOnce(world);
    expect(second.code, second.stdout + second.stderr).toBe(0);
    expect(await world.get(configMapPath(world.namespace, 'a'))).toBeUndefined();
    expect(stringAt(await world.get(configMapPath(world.namespace, 'b')), 'metadata', 'uid')).toBe(uid);
  });

  test('neither waits for its interval to prune or to take over what moved', async () => {
    await using world = await twoSyncs('10m');
    let commit = await world.repository.commit(
      { 'deploy/a.json': manifest('a'), 'deploy/b.json': manifest('b'), 'other/x.json': manifest('x') },
      'first',
    );
    await using agent = await world.start();
    await untilReady(world, commit);
    await untilReady(world, commit, 'other');
    for (const [from, to] of [
      ['deploy', 'other'],
      ['other', 'deploy'],
    ] as const) {
      const moved = { [`${from}/b.json`]: null, [`${to}/b.json`]: manifest('b', { color: to }) };
      commit = await world.repository.commit({ ...moved, [`${from}/n.json`]: manifest(`n-${from}`) }, `to ${to}`);
      await untilReady(world, commit);
      await untilReady(world, commit, 'other');
      const live = await world.get(configMapPath(world.namespace, 'b'));
      expect(stringAt(live, 'data', 'color')).toBe(to);
    }
    commit = await world.repository.commit({ 'deploy/n.json': null, 'other/n.json': null }, 'both prune');
    await eventually('both are pruned', async () => {
      const left = await Promise.all(
        ['n-deploy', 'n-other'].map((name) => world.get(configMapPath(world.namespace, name))),
      );
      return left.every((object) => object === undefined) ? true : undefined;
    });
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describeReal('a start', TOOLS, () => {
  const FAULTS: readonly (readonly [string, Fault])[] = [
    ['answered 503', { kind: 'status', status: 503 }],
    ['answered 429', { kind: 'status', status: 429, retryAfterSeconds: 1 }],
    ['cut', { kind: 'cut', afterForward: false }],
    ['cut after they were carried out', { kind: 'cut', afterForward: true }],
  ];

  test.for(FAULTS)('succeeds although the first request for each thing is %s', async ([, fault]) => {
    await using world = await createWorld();
    const access = world.own.plane.access;
    await using proxy = await startFaultProxy({ access, kubeconfigPath: world.own.account.kubeconfigPath });
    const secret = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      stringData: { p: world.value(0) },
    });
    await world.repository.commit(
      { 'deploy/a.json': manifest('a'), 'deploy/s.json': await world.sops(secret, 's.json') },
      'first',
    );
    const met = new Set<string>();
    proxy.setFault(({ method, path, isWatch }) => {
      const what = `${method} ${path.replace(/\?.*/, '')}`;
      if (met.has(what)) return undefined;
      met.add(what);
      // A watch has no end to wait for.
      return isWatch && fault.kind === 'cut' ? { ...fault, afterForward: false } : fault;
    });
    const first = await runOnce(world, [], proxy.kubeconfigPath);
    expect(first.code, first.stdout + first.stderr).toBe(0);
    expect(first.stdout).toContain('is asked again');
    const rv = stringAt(await world.get(configMapPath(world.namespace, 'a')), 'metadata', 'resourceVersion');
    met.clear();
    const log = await requestsFromNow(world);
    const second = await runOnce(world, [], proxy.kubeconfigPath);
    expect(second.code, second.stdout + second.stderr).toBe(0);
    expect(stringAt(await world.get(configMapPath(world.namespace, 'a')), 'metadata', 'resourceVersion')).toBe(rv);
    // A list that comes late is waited for: nothing is applied again for want of knowing.
    const applied = (await log.writes()).filter(({ verb, name }) => verb === 'patch' && name !== 'sotto-status');
    expect(shown(applied)).toEqual([]);
    expect(first.stdout + second.stdout).not.toContain(world.value(0));
  });
});

describeReal('what Git leaves empty', TOOLS, () => {
  test('stays empty: what kubectl adds there goes, also to what was emptied while the agent was down', async () => {
    await using world = await createWorld();
    const path = (name: string): string => configMapPath(world.namespace, name);
    const files = {
      'deploy/a.json': manifest('a', {}),
      'deploy/b.json': manifest('b'),
      'deploy/c.json': manifest('c'),
    };
    let commit = await world.repository.commit(files, 'first');
    const first = await world.start();
    await untilReady(world, commit);
    const isEmpty = (name: string): Promise<true> =>
      eventually(`${name} is empty`, async () =>
        Object.keys(memberAt(await world.get(path(name)), 'data') ?? {}).length === 0 ? true : undefined,
      );
    await editByHand(world, path('a'), { data: { added: 'x' } });
    await isEmpty('a');
    commit = await world.repository.commit({ 'deploy/b.json': manifest('b', {}) }, 'b is emptied');
    await passed(first, commit);
    await editByHand(world, path('b'), { data: { added: 'x' } });
    await isEmpty('b');
    await first.kill('SIGTERM');
    await editByHand(world, path('a'), { data: { added: 'x' } });
    await editByHand(world, path('c'), { data: { added: 'x' } });
    commit = await world.repository.commit({ 'deploy/c.json': manifest('c', {}) }, 'c is emptied');
    await using second = await world.start();
    await passed(second, commit);
    for (const name of ['a', 'b', 'c']) await isEmpty(name);
    expect([...first.log, ...second.log].filter(({ level }) => level === 'error')).toEqual([]);
  });
});
