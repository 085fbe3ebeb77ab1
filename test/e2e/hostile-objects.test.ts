import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { arrayAt, type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import { codesOf, passed, untilReady, untilTried } from '../harness/attention.ts';
import { configMapPath, editByHand, secretPath } from '../harness/objects.ts';
import { personIn, REQUEST_RULES } from '../harness/person.ts';
import { describeReal } from '../harness/real.ts';
import { AGENT_RULES, configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const BIG = 1_000_000;
const TOO_BIG = 1_100_000;
const VERBS = ['get', 'list', 'watch', 'create', 'patch', 'delete'];

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
    const roles = { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: VERBS };
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

  test('are corrected, changed and pruned like any other: exact numbers, names with colons, a Secret of a megabyte', async () => {
    const group = `h${randomBytes(4).toString('hex')}.example.com`;
    await using world = await createWorld({
      rules: [
        ...AGENT_RULES,
        { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: VERBS },
        { apiGroups: [group], resources: ['widgets'], verbs: VERBS },
      ],
      sync: '  prune: { minimum: 50 }',
    });
    await world.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', widgets(group));
    // One value of its own to look for, and much that is not.
    const large = { password: world.value(0), filler: 'large and no secret '.repeat(35_000) };
    const widget = (n: string): string =>
      `apiVersion: ${group}/v1\nkind: Widget\nmetadata: { name: a.b.c }\nspec: { count: ${n}, list: [ 9007199254740995 ] }\n`;
    const first = await world.repository.commit(
      {
        'deploy/large.json': await world.sops(JSON.stringify(secret('large', large)), 'large.json'),
        'deploy/widget.yaml': widget('9007199254740993'),
        'deploy/role.json': role,
        'deploy/stays.json': JSON.stringify(configMap('stays', { a: '1' })),
      },
      'first',
    );
    await using agent = await world.start();
    await untilReady(world, first);
    const path = `/apis/${group}/v1/namespaces/${world.namespace}/widgets/a.b.c`;
    const numbers = async () => {
      const live = await world.get(path);
      return [memberAt(live, 'spec', 'count'), ...arrayAt(live, 'spec', 'list')];
    };
    expect(await numbers()).toEqual([9_007_199_254_740_993n, 9_007_199_254_740_995n]);
    const valuesOf = async () => {
      const live = await world.get(secretPath(world.namespace, 'large'));
      return ['password', 'filler'].map((key) => Buffer.from(stringAt(live, 'data', key) ?? '', 'base64').toString());
    };
    const isExact = async () => (await valuesOf()).every((value, index) => value === Object.values(large)[index]);
    expect(await isExact()).toBe(true);

    // To a number that a double cannot tell from the one of Git.
    const { plane } = world.own;
    await plane.admin('PATCH', path, '{"spec":{"count":9007199254740992}}', 'application/merge-patch+json');
    await eventually('the number is as in Git', async () =>
      (await numbers())[0] === 9_007_199_254_740_993n ? true : undefined,
    );
    await editByHand(world, secretPath(world.namespace, 'large'), { stringData: { filler: 'short' } });
    await eventually('the Secret is as in Git', async () => ((await isExact()) ? true : undefined));
    const rolePath = `/apis/rbac.authorization.k8s.io/v1/namespaces/${world.namespace}/roles/team:web:reader`;
    await editByHand(world, rolePath, { rules: [{ apiGroups: [''], resources: ['services'], verbs: ['list'] }] });
    await eventually('the Role is as in Git', async () =>
      JSON.stringify(memberAt(await world.get(rolePath), 'rules')).includes('"get"') ? true : undefined,
    );
    const person = await personIn(world, [
      ...REQUEST_RULES,
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get'] },
      { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['get'] },
    ]);
    const why = await person.sotto(['why', 'role/team:web:reader']);
    expect([why.exit, why.stdout]).toEqual([0, expect.stringContaining('deploy/role.json:1')]);

    const second = await world.repository.commit(
      { 'deploy/widget.yaml': widget('9007199254740994'), 'deploy/role.json': null, 'deploy/large.json': null },
      'second',
    );
    await untilReady(world, second);
    expect(await numbers()).toEqual([9_007_199_254_740_994n, 9_007_199_254_740_995n]);
    expect(await world.get(rolePath)).toBeUndefined();
    expect(await world.get(secretPath(world.namespace, 'large'))).toBeUndefined();
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

function widgets(group: string): JsonObject {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `widgets.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
}
