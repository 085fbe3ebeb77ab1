import { expect, test } from 'vitest';
import { type Json, memberAt, stringAt } from '../../src/core/json.ts';
import { codesOf, passed, untilTried } from '../harness/attention.ts';
import { configMapPath, editByHand } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { AGENT_RULES, configMap, createWorld, eventually, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const BIG = 1_000_000;
const TOO_BIG = 1_100_000;

const role = JSON.stringify({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'Role',
  metadata: { name: 'team:web:reader' },
  rules: [{ apiGroups: [''], resources: ['services'], verbs: ['get'] }],
});
/** Above 2^53: one too many and it is another number. */
const job = `apiVersion: batch/v1
kind: Job
metadata: { name: job }
spec:
  activeDeadlineSeconds: 9007199254740993
  template:
    spec: { restartPolicy: Never, containers: [ { name: c, image: "example.com/c:1" } ] }
`;

function files(color: string): Record<string, string> {
  return {
    'deploy/a-first.json': JSON.stringify(configMap('twice', { color, from: 'first' })),
    'deploy/b-second.json': JSON.stringify(configMap('twice', { color, from: 'second' })),
    'deploy/cr.yaml': 'apiVersion: nowhere.example.com/v1\nkind: Widget\nmetadata: { name: w }\nspec: { n: 1 }\n',
    'deploy/big.json': JSON.stringify(configMap('big', { color, text: 'x'.repeat(BIG) })),
    'deploy/too-big.json': JSON.stringify(configMap('too-big', { text: 'x'.repeat(TOO_BIG) })),
    'deploy/dots.json': JSON.stringify(configMap('a.b-c.d', { color })),
    'deploy/role.json': role,
    'deploy/job.yaml': job,
    'deploy/generated.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { generateName: x- }\n',
  };
}

async function colorsOf(world: World): Promise<(string | undefined)[]> {
  const names = ['twice', 'big', 'a.b-c.d'];
  return Promise.all(
    names.map(async (name) => stringAt(await world.get(configMapPath(world.namespace, name)), 'data', 'color')),
  );
}

describeReal('objects that are hard to handle', TOOLS, () => {
  test('are one object each: what can be applied is, exactly, and the rest has a code and holds nothing up', async () => {
    const verbs = ['get', 'list', 'watch', 'create', 'patch', 'delete'];
    const roles = { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs };
    await using world = await createWorld({ rules: [...AGENT_RULES, roles] });
    const first = await world.repository.commit({ ...files('blue'), ...(await world.canaryFile()) }, 'first');
    await using agent = await world.start();
    const status = await untilTried(world, first);
    expect(codesOf(status)).toMatchObject({
      'ConfigMap/twice': 'SOTTO-RENDER-007',
      'nowhere.example.com/Widget/w': 'SOTTO-RENDER-008',
      'ConfigMap/too-big': expect.stringMatching(/^SOTTO-(?:KUBE-009|PLAN-013)$/),
    });
    expect(JSON.stringify(status)).toContain('metadata.generateName is set');
    expect(await colorsOf(world)).toEqual(['blue', 'blue', 'blue']);
    expect(stringAt(await world.get(configMapPath(world.namespace, 'twice')), 'data', 'from')).toBe('first');
    const rolePath = `/apis/rbac.authorization.k8s.io/v1/namespaces/${world.namespace}/roles/team:web:reader`;
    expect(await world.get(rolePath)).toBeDefined();
    const live: Json | undefined = await world.get(`/apis/batch/v1/namespaces/${world.namespace}/jobs/job`);
    expect(memberAt(live, 'spec', 'activeDeadlineSeconds')).toBe(9_007_199_254_740_993n);

    // Corrected and changed like any other.
    await editByHand(world, configMapPath(world.namespace, 'a.b-c.d'), { data: { color: 'by-hand' } });
    await eventually('the edit is undone', async () => ((await colorsOf(world))[2] === 'blue' ? true : undefined));
    const second = await world.repository.commit(files('red'), 'second');
    expect(await passed(agent, second)).toMatchObject({ applied: 3 });
    expect(await colorsOf(world)).toEqual(['red', 'red', 'red']);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
