import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { stringAt } from '../../src/core/json.ts';
import { attentionOf, codesOf, passed, untilReady, untilTried } from '../harness/attention.ts';
import { collectionOf, configMapPath, editByHand, KIND_CASES, remove, secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { requestsFromNow, shown } from '../harness/requests.ts';
import { bindAgent, clusterWide, forbidden } from '../harness/rights.ts';
import { AGENT_RULES, configMap, createWorld, eventually, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
async function everyKind(world: World): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const { kind, manifest } of KIND_CASES) {
    const text = JSON.stringify(manifest);
    files[`deploy/${kind}.json`] = kind === 'Secret' ? await world.sops(text, 'secret.json') : text;
  }
  return files;
}

describeReal('namespace rights are enough', TOOLS, () => {
  test('with its Role alone the agent is never refused and asks for nothing outside its namespace but discovery', async () => {
    await using world = await createWorld({ sync: '  wait: false' });
    const log = await requestsFromNow(world);
    const files = { ...(await everyKind(world)), ...(await world.canaryFile()) };
    let commit = await world.repository.commit(files, 'every kind');
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
    // Nobody rolls workloads out here, and configuration stays while they are not ready.
    const workloads = ['Deployment', 'StatefulSet', 'DaemonSet'];
    const left = [...workloads, 'ConfigMap', 'Secret', 'Job', 'Ingress'].map((kind) => [`deploy/${kind}.json`, null]);
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
      ...(await world.canaryFile()),
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
    expect((await log.entries()).filter(({ status: code }) => code === 403).length).toBeLessThanOrEqual(12);
    await bindAgent(
      world,
      world.namespace,
      AGENT_RULES.filter(({ apiGroups }) => apiGroups.includes('networking.k8s.io')),
    );
    commit = await world.repository.commit({ 'deploy/c.json': JSON.stringify(configMap('c', {})) }, 'once more');
    await untilReady(world, commit);
    expect(await world.get(`/apis/networking.k8s.io/v1/namespaces/${world.namespace}/ingresses/web`)).toBeDefined();
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
