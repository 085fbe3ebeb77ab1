import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { arrayAt, type JsonObject, stringAt } from '../../src/core/json.ts';
import type { AuditEntry, PolicyRule } from '../../src/demo/control-plane.ts';
import { attentionOf, codesOf, passed, untilReady, untilTried } from '../harness/attention.ts';
import { collectionOf, configMapPath, editByHand, KIND_CASES, remove, secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { requestsFromNow, shown } from '../harness/requests.ts';
import { AGENT_RULES, configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const DISCOVERY = /^\/(?:api|apis|version)(?:\/[^/?]+){0,2}(?:\?.*)?$/;

/** Requests of no namespace that are not discovery. */
function clusterWide(entries: readonly AuditEntry[]): readonly AuditEntry[] {
  return entries.filter(({ namespace, uri }) => namespace === '' && !DISCOVERY.test(uri));
}

const forbidden = (entries: readonly AuditEntry[]): readonly AuditEntry[] =>
  entries.filter(({ status }) => status === 403);

async function everyKind(world: World): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const { kind, manifest } of KIND_CASES) {
    const text = JSON.stringify(manifest);
    files[`deploy/${kind}.json`] = kind === 'Secret' ? await world.sops(text, 'secret.json') : text;
  }
  return files;
}

async function bind(world: World, namespace: string, rules: readonly PolicyRule[]): Promise<void> {
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const metadata = { name: 'sotto-target' };
  await world.create(`${rbac}/roles`, { metadata, rules: rules.map((rule) => ({ ...rule })) });
  await world.create(`${rbac}/rolebindings`, {
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'sotto-target' },
    subjects: [{ kind: 'ServiceAccount', name: 'sotto', namespace: world.namespace }],
  });
}

describeReal('namespace rights are enough', TOOLS, () => {
  test('with its Role alone the agent is never refused and asks for nothing outside its namespace but discovery', async () => {
    await using world = await createWorld({ sync: '  wait: false' });
    const log = await requestsFromNow(world);
    let commit = await world.repository.commit(await everyKind(world), 'every kind');
    const first = await world.start();
    await passed(first, commit);
    for (const { api, plural, edit } of KIND_CASES) {
      const path = `${collectionOf({ api, plural }, world.namespace)}/web`;
      const before = stringAt(await world.get(path), 'metadata', 'resourceVersion');
      const edited = stringAt(await editByHand(world, path, edit), 'metadata', 'resourceVersion');
      await eventually(`${plural} is corrected`, async () => {
        const version = stringAt(await world.get(path), 'metadata', 'resourceVersion');
        return version !== edited && version !== before ? true : undefined;
      });
    }
    await remove(world, configMapPath(world.namespace, 'web'));
    await eventually('it is made again', () => world.get(configMapPath(world.namespace, 'web')));
    const left = ['ConfigMap', 'Secret', 'Job', 'Ingress'].map((kind) => [`deploy/${kind}.json`, null]);
    commit = await world.repository.commit(Object.fromEntries(left), 'some leave');
    await passed(first, commit);
    expect(await world.get(secretPath(world.namespace, 'web'))).toBeUndefined();
    expect(await first.kill('SIGTERM')).toBe(0);
    await using second = await world.start();
    await passed(second, commit);
    await sleep(1_000);
    const entries = await log.entries();
    expect(entries.length).toBeGreaterThan(50);
    expect(shown(forbidden(entries))).toEqual([]);
    expect(shown(clusterWide(entries))).toEqual([]);
    expect(entries.filter(({ namespace }) => namespace !== '' && namespace !== world.namespace)).toEqual([]);
    // No token, no exec, no impersonation, and Secrets are read one by one, by name.
    expect(entries.filter(({ subresource }) => !['', 'status', 'scale'].includes(subresource))).toEqual([]);
    const errors = [...first.log, ...second.log].filter(({ level }) => level === 'error');
    expect(errors).toEqual([]);
  });

  test('a kind without rights is refused with the rule that is missing; the rest goes on; the rule mends it', async () => {
    const rules = AGENT_RULES.filter(({ apiGroups }) => !apiGroups.includes('networking.k8s.io'));
    await using world = await createWorld({ rules });
    const ingress = KIND_CASES.find(({ kind }) => kind === 'Ingress')?.manifest;
    const files = {
      'deploy/ingress.json': JSON.stringify(ingress),
      'deploy/a.json': JSON.stringify(configMap('a', { color: 'blue' })),
      'deploy/b.json': JSON.stringify(configMap('b', { color: 'blue' })),
    };
    let commit = await world.repository.commit(files, 'first');
    await using agent = await world.start();
    const status = await untilTried(world, commit);
    expect(codesOf(status)).toEqual({ 'networking.k8s.io/Ingress/web': 'SOTTO-KUBE-003' });
    const text = attentionOf(status)[0]?.text ?? '';
    expect(text).toContain('networking.k8s.io');
    expect(text).toContain('ingresses');
    expect(text).toMatch(/patch/);
    const path = configMapPath(world.namespace, 'a');
    await editByHand(world, path, { data: { color: 'red' } });
    await eventually('undone', async () =>
      stringAt(await world.get(path), 'data', 'color') === 'blue' ? true : undefined,
    );
    // What it may not do is not tried all the time.
    const log = await requestsFromNow(world);
    await sleep(8_000);
    expect((await log.entries()).filter(({ status: code }) => code === 403).length).toBeLessThanOrEqual(8);
    await bind(
      world,
      world.namespace,
      AGENT_RULES.filter(({ apiGroups }) => apiGroups.includes('networking.k8s.io')),
    );
    commit = await world.repository.commit({ 'deploy/c.json': JSON.stringify(configMap('c', {})) }, 'once more');
    await untilReady(world, commit);
    expect(await world.get(`/apis/networking.k8s.io/v1/namespaces/${world.namespace}/ingresses/web`)).toBeDefined();
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('keys, settings and records in one namespace, the objects in another one', async () => {
    const own: PolicyRule[] = [
      { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch', 'create'] },
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', 'create', 'update', 'patch'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
    ];
    const target = `target-${Math.random().toString(36).slice(2, 10)}`;
    await using world = await createWorld({ rules: own, top: `targetNamespace: ${target}` });
    await world.own.plane.createNamespace(target);
    await bind(world, target, AGENT_RULES);
    const log = await requestsFromNow(world);
    const encrypted = await world.sops(JSON.stringify(secret('db', { password: 'hunter2-hunter2' })), 'db.json');
    const files = {
      'deploy/a.json': JSON.stringify(configMap('a', { color: 'blue' })),
      'deploy/b.json': JSON.stringify(configMap('b', { color: 'blue' })),
      'deploy/db.json': encrypted,
    };
    let commit = await world.repository.commit(files, 'first');
    await using agent = await world.start();
    await untilReady(world, commit);
    expect(await world.get(secretPath(target, 'db'))).toBeDefined();
    const edit: JsonObject = { data: { color: 'red' } };
    await editByHand(world, configMapPath(target, 'a'), edit);
    await eventually('undone', async () =>
      stringAt(await world.get(configMapPath(target, 'a')), 'data', 'color') === 'blue' ? true : undefined,
    );
    await editByHand(world, secretPath(target, 'db'), { stringData: { password: 'changed' } });
    await eventually('the Secret is as in Git', async () => {
      const value = stringAt(await world.get(secretPath(target, 'db')), 'data', 'password') ?? '';
      return Buffer.from(value, 'base64').toString() === 'hunter2-hunter2' ? true : undefined;
    });
    commit = await world.repository.commit({ 'deploy/b.json': null }, 'one less');
    await passed(agent, commit);
    expect(await world.get(configMapPath(target, 'b'))).toBeUndefined();
    await eventually('an Event is beside its object', async () => {
      const events = await world.get(`/apis/events.k8s.io/v1/namespaces/${target}/events`);
      return arrayAt(events, 'items').length > 0 ? true : undefined;
    });
    const names = async (namespace: string, plural: string): Promise<readonly string[]> =>
      arrayAt(await world.get(`/api/v1/namespaces/${namespace}/${plural}`), 'items').map(
        (item) => stringAt(item, 'metadata', 'name') ?? '',
      );
    // Nothing of the agent is in the target namespace, nothing of Git in the agent's.
    expect(await names(target, 'secrets')).toEqual(['db']);
    expect((await names(target, 'configmaps')).filter((name) => name.startsWith('sotto'))).toEqual([]);
    expect(await names(world.namespace, 'secrets')).toEqual(['git-auth', 'sops-age', 'sotto-fingerprint']);
    const entries = await log.entries();
    expect(shown(forbidden(entries))).toEqual([]);
    expect(shown(clusterWide(entries))).toEqual([]);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
