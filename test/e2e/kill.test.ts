import { expect, test } from 'vitest';
import { arrayAt, stringAt } from '../../src/core/json.ts';
import { MEMBER_LABEL } from '../../src/core/labels.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { configMapPath } from '../harness/objects.ts';
import { runOnce } from '../harness/once.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
/** More writes than one pass of such a commit has; the loop ends sooner. */
const MOST = 40;

/**
 * One commit of every kind of step: a change of a ConfigMap and a Secret, a create and a prune of either, and an
 * immutable ConfigMap that is made anew. Odd and even rounds have each other's objects.
 */
async function commitOf(world: World, round: number): Promise<Record<string, string | null>> {
  const [here, there] = round % 2 === 0 ? ['even', 'odd'] : ['odd', 'even'];
  const color = `c${round}`;
  const closed = (name: string): Promise<string> =>
    world.sops(JSON.stringify(secret(name, { color: `${world.value(0)}-${color}` })), `${name}.json`);
  return {
    'deploy/same.json': JSON.stringify(configMap('same', { color })),
    'deploy/fixed.json': JSON.stringify({ ...configMap('fixed', { color }), immutable: true }),
    'deploy/key.json': await closed('key'),
    [`deploy/${here}.json`]: JSON.stringify(configMap(here, { color })),
    [`deploy/${here}-key.json`]: await closed(`${here}-key`),
    [`deploy/${there}.json`]: null,
    [`deploy/${there}-key.json`]: null,
  };
}

function expected(world: World, round: number): string[] {
  const here = round % 2 === 0 ? 'even' : 'odd';
  const color = `c${round}`;
  const maps = ['same', 'fixed', here].map((name) => `ConfigMap/${name} ${color}`);
  const keys = ['key', `${here}-key`].map((name) => `Secret/${name} ${world.value(0)}-${color}`);
  return [...maps, ...keys].toSorted();
}

/** Everything that carries our label, with what it holds. */
async function labelled(world: World): Promise<string[]> {
  const found = ['configmaps', 'secrets'].map(async (plural) => {
    const list = await world.get(`/api/v1/namespaces/${world.namespace}/${plural}`);
    return arrayAt(list, 'items')
      .filter((item) => stringAt(item, 'metadata', 'labels', MEMBER_LABEL) !== undefined)
      .map((item) => {
        const color = stringAt(item, 'data', 'color') ?? '';
        const name = stringAt(item, 'metadata', 'name') ?? '';
        return plural === 'configmaps'
          ? `ConfigMap/${name} ${color}`
          : `Secret/${name} ${Buffer.from(color, 'base64').toString()}`;
      });
  });
  return (await Promise.all(found)).flat().toSorted();
}

describeReal('SIGKILL at every write of a pass', TOOLS, () => {
  // Before a write is after the one before it; what matters is that its answer never came.
  test('once it was carried out: a second agent takes over, nothing is lost, orphaned or pruned wrongly', {
    timeout: 420_000,
  }, async () => {
    await using world = await createWorld();
    const { plane, account } = world.own;
    await using proxy = await startFaultProxy({ access: plane.access, kubeconfigPath: account.kubeconfigPath });
    const theirs = configMap('theirs', { color: 'theirs' });
    await world.create(`/api/v1/namespaces/${world.namespace}/configmaps`, theirs);
    await world.repository.commit(await commitOf(world, 0), 'round 0');
    expect((await runOnce(world)).code).toBe(0);
    const killed: string[] = [];
    let round = 1;
    for (; round < MOST; round += 1) {
      await world.repository.commit(await commitOf(world, round), `round ${round}`);
      let [writes, isKilled] = [0, false];
      const agent = await world.start(['--take-over'], { kubeconfig: proxy.kubeconfigPath });
      proxy.setFault(({ method, path }) => {
        if (isKilled) return { kind: 'hang' };
        if (method === 'GET' || path.includes('/events')) return undefined;
        writes += 1;
        if (writes < round) return undefined;
        isKilled = true;
        killed.push(`${method} ${path.replace(/\?.*/, '').split('/').slice(-2).join('/')}`);
        setTimeout(() => void agent.kill('SIGKILL'), 60);
        return { kind: 'cut', afterForward: true };
      });
      const passed = agent.line('the pass', ({ msg }) => msg === 'pass ended').catch(() => undefined);
      await Promise.race([agent.ended(), passed]);
      await agent.kill('SIGKILL');
      proxy.setFault(() => undefined);
      const next = await runOnce(world, ['--take-over']);
      expect(next.code, `${killed.at(-1)}\n${next.stdout}\n${next.stderr}`).toBe(0);
      expect(await labelled(world), `killed at ${killed.at(-1)}`).toEqual(expected(world, round));
      expect(stringAt(await world.get(configMapPath(world.namespace, 'theirs')), 'data', 'color')).toBe('theirs');
      if (!isKilled) break;
    }
    // It ended because a pass had fewer writes than that, each of which was met once.
    expect(round).toBeGreaterThan(8);
    expect(round).toBeLessThan(MOST);
    const kinds = new Set(killed.map((each) => String(each.split(' ')[0])));
    expect(kinds).toEqual(new Set(['DELETE', 'PATCH', 'POST', 'PUT']));
  });
});
