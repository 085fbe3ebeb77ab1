import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { codesOf, passed } from '../harness/attention.ts';
import { type Canaries, leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { configMapPath, eventNotes, secretPath } from '../harness/objects.ts';
import { type History, type Outside, reactionTo, startHistory, told } from '../harness/outside.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

const IGNORE = `  drift:
    ignore:
    - { target: { kind: Deployment, name: ignored }, paths: [ "/spec/replicas", "/spec/template/spec/containers[name=c]/image" ] }
    - { managers: [ fleet-operator ] }
`;

function deployment(name: string, replicas = 2, image = 'example.com/c:1'): JsonObject {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'c', image, env: [{ name: 'A', value: '1' }] }] },
      },
    },
  };
}

function drift(policy: string, manifest: JsonObject): JsonObject {
  const metadata = manifest['metadata'] as JsonObject;
  return { ...manifest, metadata: { ...metadata, annotations: { 'sotto.dev/drift': policy } } };
}

const scaler = (name: string): JsonObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name },
  spec: {
    minReplicas: 1,
    maxReplicas: 9,
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
  },
});

const files = (manifests: readonly JsonObject[]): Record<string, string> =>
  Object.fromEntries(
    manifests.map((manifest) => [
      `deploy/${stringAt(manifest, 'kind')}-${stringAt(manifest, 'metadata', 'name')}.json`,
      JSON.stringify(manifest),
    ]),
  );
const until = (what: string, look: () => Promise<boolean>): Promise<true> =>
  eventually(what, async () => ((await look()) ? true : undefined));

describeReal('whose changes are undone', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  let history: History;
  let canaries: Canaries;
  const cm = (name: string): string => configMapPath(world.namespace, name);
  const deploy = (name: string): string => `/apis/apps/v1/namespaces/${world.namespace}/deployments/${name}`;
  const dataOf = async (path: string): Promise<unknown> => memberAt(await world.get(path), 'data');
  const keysOf = async (path: string): Promise<string[]> => Object.keys((await dataOf(path)) ?? {}).toSorted();
  const replicasOf = async (name: string): Promise<unknown> =>
    memberAt(await world.get(deploy(name)), 'spec', 'replicas');
  const imageOf = async (name: string): Promise<string | undefined> => {
    const containers = memberAt(await world.get(deploy(name)), 'spec', 'template', 'spec', 'containers');
    return Array.isArray(containers) ? stringAt(containers[0], 'image') : undefined;
  };

  const count = async (path: string, act: (outside: Outside) => Promise<void>, holds: () => Promise<boolean>) => {
    const reaction = await reactionTo(world, history, { paths: [path], act, holds });
    return { ...reaction, text: told(reaction) };
  };

  beforeAll(async () => {
    canaries = plantCanaries([2]);
    world = await createWorld({ sync: IGNORE });
    const manifests = [
      drift('fields', configMap('fields', { k: 'a' })),
      configMap('guard', { k: 'a' }),
      drift('exact', configMap('exact', { k: 'a' })),
      drift('ignore', configMap('left', { k: 'a' })),
      drift('sometimes', configMap('odd', { k: 'a' })),
      configMap('fleet', { k: 'a', other: 'b' }),
      deployment('ignored'),
      deployment('scaled'),
      scaler('scaled'),
    ];
    // There before sotto: adopted with a key that Git does not have.
    await world.create(`/api/v1/namespaces/${world.namespace}/secrets`, secret('adopted', { a: 'b', before: 'me' }));
    const sealed = {
      'deploy/db.json': await world.sops(
        JSON.stringify(secret('db', { password: canaries.values[0] ?? '' })),
        'db.json',
      ),
      'deploy/adopted.json': await world.sops(JSON.stringify(secret('adopted', { a: 'b' })), 'adopted.json'),
    };
    const commit = await world.repository.commit({ ...files(manifests), ...sealed }, 'first');
    agent = await world.start();
    await world.until('tried', (status) => JSON.stringify(status).includes(commit));
    history = await startHistory(world, [
      `/api/v1/namespaces/${world.namespace}/configmaps`,
      `/api/v1/namespaces/${world.namespace}/secrets`,
      `/apis/apps/v1/namespaces/${world.namespace}/deployments`,
    ]);
    await until('all there', async () => (await imageOf('scaled')) !== undefined);
  });
  afterAll(async () => {
    history[Symbol.dispose]();
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
    canaries[Symbol.dispose]();
  });

  test('fields: what others add stays, people too, and our fields are restored', async () => {
    const path = cm('fields');
    const added = await count(
      path,
      async (by) => void (await by.patch(path, { data: { more: 'x' } }, 'kubectl-patch')),
      async () => (await keysOf(path)).join() === 'k,more',
    );
    expect(added, added.text).toMatchObject({ writes: 0, reads: 0 });
    const changed = await count(
      path,
      async (by) => void (await by.patch(path, { data: { k: 'x' } }, 'kubectl-patch')),
      async () => JSON.stringify(await dataOf(path)) === '{"k":"a","more":"x"}',
    );
    expect(changed, changed.text).toMatchObject({ writes: 1, reads: 0 });
  });

  test('guard: what people add goes, what controllers add stays', async () => {
    const path = cm('guard');
    const reaction = await count(
      path,
      async (by) => {
        await by.patch(path, { data: { more: 'x' } }, 'some-operator');
        await by.patch(path, { data: { mine: 'x' } }, 'kubectl-patch');
      },
      async () => (await keysOf(path)).join() === 'k,more',
    );
    expect(reaction, reaction.text).toMatchObject({ writes: 1, reads: 0 });
  });

  test('exact: what anybody adds to data goes, and metadata is nobody’s business', async () => {
    const path = cm('exact');
    const annotations = { 'operator.example.com/seen': 'yes' };
    const reaction = await count(
      path,
      async (by) => void (await by.patch(path, { metadata: { annotations }, data: { more: 'x' } }, 'some-operator')),
      async () => (await keysOf(path)).join() === 'k',
    );
    expect(reaction, reaction.text).toMatchObject({ writes: 1, reads: 0 });
    expect(stringAt(await world.get(path), 'metadata', 'annotations', 'operator.example.com/seen')).toBe('yes');
  });

  test('exact is the default of a Secret that comes encrypted, and keys of the time before stay', async () => {
    const [db, adopted] = [secretPath(world.namespace, 'db'), secretPath(world.namespace, 'adopted')];
    const reaction = await count(
      db,
      async (by) => void (await by.patch(db, { stringData: { more: 'x' } }, 'some-operator')),
      async () => (await keysOf(db)).join() === 'password',
    );
    // Values are not seen in metadata, so an apply follows: it is the check.
    expect(reaction.writes, reaction.text).toBe(1);
    await until('adopted', async () =>
      JSON.stringify(memberAt(await world.get(adopted), 'metadata', 'labels') ?? '').includes('applyset'),
    );
    await count(
      adopted,
      async (by) => void (await by.patch(adopted, { stringData: { more: 'x' } }, 'some-operator')),
      async () => (await keysOf(adopted)).join() === 'a,before',
    );
  });

  test('ignore: changes stay without a request, a deletion does not', async () => {
    const path = cm('left');
    const reaction = await count(
      path,
      async (by) => void (await by.patch(path, { data: { k: 'x', more: 'y' } }, 'kubectl-patch')),
      async () => JSON.stringify(await dataOf(path)) === '{"k":"x","more":"y"}',
    );
    expect(reaction, reaction.text).toMatchObject({ writes: 0, reads: 0 });
    await count(
      path,
      async (by) => void (await by.remove(path)),
      async () => JSON.stringify(await dataOf(path)) === '{"k":"a"}',
    );
  });

  test('a word that is not known is reported, and the object is guarded', async () => {
    expect(codesOf(await world.status())['ConfigMap/odd']).toBe('SOTTO-PLAN-100');
    await count(
      cm('odd'),
      async (by) => void (await by.patch(cm('odd'), { data: { more: 'y' } }, 'kubectl-patch')),
      async () => (await keysOf(cm('odd'))).join() === 'k',
    );
  });

  test('an ignored path is left to its taker and not taken back by the next correction, nor by a restart', async () => {
    const path = deploy('ignored');
    const taken = await count(
      path,
      async (by) => {
        await by.patch(path, { spec: { replicas: 7 } }, 'kubectl-edit');
        await by.patch(path, imagePatch('example.com/c:9'), 'updater', 'json');
      },
      async () => (await imageOf('ignored')) === 'example.com/c:9' && (await replicasOf('ignored')) === 7,
    );
    expect(taken, taken.text).toMatchObject({ writes: 0, reads: 0 });
    const other = await count(
      path,
      async (by) => void (await by.patch(path, { spec: { minReadySeconds: 5 } }, 'kubectl-edit')),
      async () => memberAt(await world.get(path), 'spec', 'minReadySeconds') !== 5,
    );
    expect(other.writes, other.text).toBe(1);
    expect([await imageOf('ignored'), await replicasOf('ignored')]).toEqual(['example.com/c:9', 7]);
    await agent.kill('SIGKILL');
    const value = 'example.com/c:10';
    await world.own.plane.admin('PATCH', `${path}?fieldManager=updater`, JSON.stringify(imagePatch(value)), JSON_PATCH);
    agent = await world.start(['--take-over']);
    await until('it runs again', async () => agent.log.some(({ msg }) => msg === 'pass ended'));
    expect([await imageOf('ignored'), await replicasOf('ignored')]).toEqual([value, 7]);
  });

  test('what an ignored manager writes is his, from another value to a new key', async () => {
    const path = cm('fleet');
    const reaction = await count(
      path,
      async (by) => void (await by.patch(path, { data: { k: 'x', more: 'y' } }, 'fleet-operator')),
      async () => JSON.stringify(await dataOf(path)) === '{"k":"x","more":"y","other":"b"}',
    );
    expect(reaction, reaction.text).toMatchObject({ writes: 0, reads: 0 });
    await count(
      path,
      async (by) => void (await by.patch(path, { data: { other: 'z' } }, 'kubectl-patch')),
      async () => JSON.stringify(await dataOf(path)) === '{"k":"x","more":"y","other":"b"}',
    );
    await world.repository.commit(files([configMap('fleet', { k: 'new', other: 'b' })]), 'another value for k');
    await until('Git changed it: it is ours again', async () => stringAt(await dataOf(path), 'k') === 'new');
  });

  test('row 13: replicas are the autoscaler’s after it scaled, said once, over a restart and until Git changes the number', async () => {
    const path = deploy('scaled');
    const scaled = await count(
      path,
      async (by) => void (await by.scale(path, 5, 'kube-controller-manager')),
      async () => (await replicasOf('scaled')) === 5,
    );
    expect(scaled, scaled.text).toMatchObject({ writes: 0, reads: 0 });
    await until('it is said', async () =>
      (await eventNotes(world, 'Deployment', 'scaled')).some((note) =>
        note.startsWith('/spec/replicas is left to kube-controller-manager'),
      ),
    );
    await agent.kill('SIGKILL');
    await world.own.plane.admin(
      'PATCH',
      `${path}/scale?fieldManager=kube-controller-manager`,
      JSON.stringify({ spec: { replicas: 6 } }),
      'application/merge-patch+json',
    );
    agent = await world.start(['--take-over']);
    await until('it runs again', async () => agent.log.some(({ msg }) => msg === 'pass ended'));
    expect(await replicasOf('scaled')).toBe(6);
    await world.repository.commit(files([deployment('scaled', 2, 'example.com/c:2')]), 'another image');
    await until('the image is there', async () => (await imageOf('scaled')) === 'example.com/c:2');
    expect(await replicasOf('scaled')).toBe(6);
    await world.repository.commit(files([deployment('scaled', 3, 'example.com/c:2')]), 'another number');
    await until('the number of Git', async () => (await replicasOf('scaled')) === 3);
  });

  test('row 17: replicas leave Git without a dip while an autoscaler is there; when it goes, the number of Git is back', async () => {
    const path = deploy('scaled');
    const { replicas: _replicas, ...spec } = deployment('scaled', 3, 'example.com/c:2')['spec'] as JsonObject;
    const bare = { ...deployment('scaled'), spec };
    const seen = await count(
      path,
      async () => void (await world.repository.commit(files([bare]), 'no number')),
      async () => !JSON.stringify(ownFields(await world.get(path))).includes('f:replicas'),
    );
    expect(await replicasOf('scaled')).toBe(3);
    expect(seen.writes, seen.text).toBe(2);
    await world.repository.commit(files([deployment('scaled', 3, 'example.com/c:2')]), 'a number again');
    await until('ours', async () => JSON.stringify(ownFields(await world.get(path))).includes('f:replicas'));
    await world.own.plane.admin(
      'PATCH',
      `${path}/scale?fieldManager=kube-controller-manager`,
      JSON.stringify({ spec: { replicas: 8 } }),
      'application/merge-patch+json',
    );
    await until('left to it', async () => agent.log.some(({ msg }) => msg === 'fields are left to another writer'));
    await world.repository.commit({ 'deploy/HorizontalPodAutoscaler-scaled.json': null }, 'no autoscaler');
    await until('the number of Git', async () => (await replicasOf('scaled')) === 3);
  });

  test('nothing of this shows a value', async () => {
    await world.repository.commit({ 'deploy/ConfigMap-odd.json': null }, 'no odd word');
    await passed(agent, await world.repository.commit({ 'deploy/x.txt': '' }, 'end'));
    await leakCheck(world, agent, canaries);
  });
});

const JSON_PATCH = 'application/json-patch+json';

function imagePatch(value: string) {
  return [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value }];
}

function ownFields(object: unknown): unknown {
  const entries = memberAt(object, 'metadata', 'managedFields');
  return Array.isArray(entries) ? entries.filter((each) => stringAt(each, 'manager') === 'sotto') : [];
}
