import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, type JsonObject, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import { type ControlPlane, type PolicyRule, startControlPlane } from '../../src/demo/control-plane.ts';
import { attentionOf, codesOf, untilReady, untilTried } from '../harness/attention.ts';
import { documentedBlock, missingPrograms, runLines } from '../harness/documented.ts';
import { startCommand } from '../harness/cli.ts';
import { secretPath } from '../harness/objects.ts';
import { personIn, REQUEST_RULES } from '../harness/person.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { type SealedSecretsController, startSealedSecretsController } from '../harness/sealed-secrets-controller.ts';
import { stockOutput } from '../harness/stock.ts';
import { AGENT_RULES, createWorld, eventually, secret, settingsText, syncOf, type World } from '../harness/world.ts';

const TOOLS = [
  'kube-apiserver',
  'etcd',
  'kube-controller-manager',
  'sops',
  'age-keygen',
  'kubeseal',
  'sealed-secrets-controller',
] as const;
const STOCK_LABEL = 'sealedsecrets.bitnami.com/sealed-secrets-key';

/** What docs/rbac.md says it takes. */
const SEALED_RULES: readonly PolicyRule[] = [
  {
    apiGroups: ['bitnami.com'],
    resources: ['sealedsecrets'],
    verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
  },
];
const LEAVE_RULES: readonly PolicyRule[] = [
  ...REQUEST_RULES,
  { apiGroups: [''], resources: ['configmaps'], resourceNames: ['sotto-inventory'], verbs: ['get'] },
  { apiGroups: ['bitnami.com'], resources: ['sealedsecrets'], verbs: ['get', 'list', 'delete'] },
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'patch'] },
];

function sealedPath(namespace: string, name: string): string {
  return `/apis/bitnami.com/v1alpha1/namespaces/${namespace}/sealedsecrets/${name}`;
}

function valueOf(object: Json | undefined, entry: string): string {
  return Buffer.from(stringAt(object, 'data', entry) ?? '', 'base64').toString();
}

/** Looks at a Secret all the time: when was it not there, when was it another one. */
function watchSecret(world: World, name: string, uid: string) {
  const stop = new AbortController();
  let looks = 0;
  const misses: string[] = [];
  const looking = (async () => {
    while (!stop.signal.aborted) {
      const live = await world.get(secretPath(world.namespace, name));
      looks += 1;
      if (stringAt(live, 'metadata', 'uid') !== uid) misses.push(JSON.stringify(live ?? 'absent').slice(0, 200));
      await sleep(2);
    }
  })();
  return {
    end: async () => {
      stop.abort();
      await looking;
      return { looks, misses };
    },
  };
}

async function applyByHand(world: World, text: string): Promise<void> {
  const manifest = parseJson(text) as JsonObject;
  const name = stringAt(manifest, 'metadata', 'name') ?? '';
  await world.create(`/apis/bitnami.com/v1alpha1/namespaces/${world.namespace}/sealedsecrets`, manifest);
  await eventually('the controller makes the Secret', () => world.get(secretPath(world.namespace, name)));
}

function isReady(status: Json): boolean {
  return stringAt(syncOf(status), 'state') === 'Ready';
}

describeReal('leaving the SealedSecrets controller', TOOLS, () => {
  let plane: ControlPlane;
  let controller: SealedSecretsController;

  beforeAll(async () => {
    plane = await startControlPlane({
      programs: {
        'kube-apiserver': toolPath('kube-apiserver'),
        etcd: toolPath('etcd'),
        'kube-controller-manager': toolPath('kube-controller-manager'),
      },
      controllerManager: true,
    });
    await plane.createNamespace('sealed-secrets');
    controller = await startSealedSecretsController(plane, 'sealed-secrets');
  });
  afterAll(async () => {
    await controller.stop();
    await plane.stop();
  });

  const worldOf = (mode: string): Promise<World> =>
    createWorld({ plane, rules: [...AGENT_RULES, ...SEALED_RULES], sync: `  sealedSecrets: ${mode}\n` });

  const sealedBy = async (world: World, name: string, index: number, annotations: JsonObject = {}): Promise<string> => {
    const metadata = { name, namespace: world.namespace, annotations };
    const manifest = { ...secret(name, { password: world.value(index) }), metadata };
    return (
      await stockOutput('kubeseal', ['--cert', controller.certificatePath], { stdin: JSON.stringify(manifest) })
    ).toString();
  };

  /** The backup of the controller's keys, restored into the namespace of the agent. */
  const restoreKeys = async (world: World): Promise<void> => {
    const selector = encodeURIComponent(`${STOCK_LABEL}=active`);
    const keys = await plane.admin('GET', `/api/v1/namespaces/sealed-secrets/secrets?labelSelector=${selector}`);
    for (const key of arrayAt(keys.body, 'items')) {
      const { labels, name } = memberAt(key, 'metadata') as { labels: JsonObject; name: string };
      const copy = { metadata: { name, labels }, type: memberAt(key, 'type'), data: memberAt(key, 'data') };
      await world.create(`/api/v1/namespaces/${world.namespace}/secrets`, copy as JsonObject);
    }
  };

  test('without a key the resource is applied; with the key its Secret is refused until the controller is left', async () => {
    await using world = await worldOf('auto');
    const sealed = await sealedBy(world, 'db', 0);
    const first = await world.repository.commit({ ...(await world.canaryFile()), 'deploy/db.json': sealed }, 'first');
    await using agent = await world.start();
    await eventually('the controller opens what the agent applied', () => world.get(secretPath(world.namespace, 'db')));
    await untilReady(world, first);
    const before = await world.get(secretPath(world.namespace, 'db'));
    expect(valueOf(before, 'password')).toBe(world.value(0));
    const uid = stringAt(before, 'metadata', 'uid') ?? '';
    // The keys come: the Secret is the controller's, so nothing of it is touched, and nothing is pruned.
    await restoreKeys(world);
    await world.until('refused', (status) => codesOf(status)['Secret/db'] === 'SOTTO-PLAN-006');
    expect(await world.get(sealedPath(world.namespace, 'db'))).toBeDefined();
    const watched = watchSecret(world, 'db', uid);
    const person = await personIn(world, LEAVE_RULES);
    const left = await person.sotto(['adopt', '--from', 'sealed-secrets', '--yes']);
    expect([left.exit, left.stdout, left.stderr]).toEqual([
      0,
      'taken over: Secret/db\n',
      expect.stringContaining('- SealedSecret/db goes, Secret/db stays'),
    ]);
    const { looks, misses } = await watched.end();
    expect([looks > 5, misses]).toEqual([true, []]);
    expect(await world.get(sealedPath(world.namespace, 'db'))).toBeUndefined();
    await world.until('ready', (status) => isReady(status) && Object.keys(codesOf(status)).length === 0);
    const after = await world.get(secretPath(world.namespace, 'db'));
    expect(memberAt(after, 'metadata', 'ownerReferences')).toBeUndefined();
    expect(stringAt(after, 'metadata', 'uid')).toBe(uid);
    // It is sotto's now: a new value arrives, a change by hand is undone.
    await world.repository.commit({ 'deploy/db.json': await sealedBy(world, 'db', 1) }, 'second');
    await eventually('the new value', async () =>
      valueOf(await world.get(secretPath(world.namespace, 'db')), 'password') === world.value(1) ? true : undefined,
    );
    await agent.stop();
  });

  test('without a key and without the right to pass it through, both are said, and a key is enough', async () => {
    await using world = await createWorld({ plane, sync: '  sealedSecrets: auto\n' });
    const sealed = await sealedBy(world, 'db', 0);
    const first = await world.repository.commit({ ...(await world.canaryFile()), 'deploy/db.json': sealed }, 'first');
    await using agent = await world.start();
    const [line] = attentionOf(await untilTried(world, first));
    expect(line).toMatchObject({
      object: 'bitnami.com/SealedSecret/db',
      code: 'SOTTO-KUBE-003',
      file: 'deploy/db.json',
    });
    expect(line?.text).toMatch(
      /no sealing key of the agent opens it.* — .*sotto keys list.*resources: \["sealedsecrets"\]/,
    );
    await restoreKeys(world);
    await untilReady(world, first);
    expect(valueOf(await world.get(secretPath(world.namespace, 'db')), 'password')).toBe(world.value(0));
    await agent.stop();
  });

  test('with passthrough the resource is applied although a key of ours opens it, and the controller keeps its Secret', async () => {
    await using world = await worldOf('passthrough');
    await restoreKeys(world);
    const sealed = await sealedBy(world, 'db', 0);
    const first = await world.repository.commit({ ...(await world.canaryFile()), 'deploy/db.json': sealed }, 'first');
    await using agent = await world.start();
    await untilReady(world, first);
    const live = await eventually('the controller opens it', () => world.get(secretPath(world.namespace, 'db')));
    expect(arrayAt(live, 'metadata', 'ownerReferences').map((owner) => stringAt(owner, 'kind'))).toEqual([
      'SealedSecret',
    ]);
    const managers = arrayAt(live, 'metadata', 'managedFields').map((entry) => stringAt(entry, 'manager'));
    expect(managers).not.toContain('sotto');
    await world.repository.commit({ 'deploy/db.json': await sealedBy(world, 'db', 1) }, 'second');
    await eventually('the new value', async () =>
      valueOf(await world.get(secretPath(world.namespace, 'db')), 'password') === world.value(1) ? true : undefined,
    );
    await agent.stop();
  });

  test('deleted without leaving it, the resource takes its Secret along', async () => {
    await using world = await worldOf('unseal');
    await applyByHand(world, await sealedBy(world, 'db', 0));
    await plane.admin('DELETE', sealedPath(world.namespace, 'db'));
    await eventually('the Secret is gone', async () =>
      (await world.get(secretPath(world.namespace, 'db'))) === undefined ? true : undefined,
    );
  });

  test.skipIf(missingPrograms(['kubectl', 'jq']).length > 0)(
    'the documented line restores the keys of a controller, which then open but do not seal',
    async () => {
      await using world = await worldOf('unseal');
      const lines = (await documentedBlock('docs/sealed-secrets.md', 'kubectl get secret -n kube-system'))
        .replace('-n kube-system', '-n sealed-secrets')
        .replace('-n team-app', `-n ${world.namespace}`);
      await runLines(lines, { cwd: world.folder, kubeconfig: plane.access.adminKubeconfigPath });
      const selector = encodeURIComponent(STOCK_LABEL);
      const listed = await world.get(`/api/v1/namespaces/${world.namespace}/secrets?labelSelector=${selector}`);
      const [key, ...others] = arrayAt(listed, 'items');
      expect([others, stringAt(key ?? null, 'type')]).toEqual([[], 'kubernetes.io/tls']);
      expect(memberAt(key, 'metadata', 'annotations')).toBeUndefined();
      const sealed = await sealedBy(world, 'db', 0);
      const first = await world.repository.commit({ ...(await world.canaryFile()), 'deploy/db.json': sealed }, 'first');
      await using agent = await world.start();
      const status = await untilReady(world, first);
      expect(valueOf(await world.get(secretPath(world.namespace, 'db')), 'password')).toBe(world.value(0));
      expect(memberAt(status, 'sealing') ?? null).toBeNull();
      await agent.stop();
    },
  );

  test('what is killed in the middle goes on: at no moment is a Secret missing', async () => {
    await using world = await worldOf('unseal');
    await restoreKeys(world);
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const files = Object.fromEntries(
      await Promise.all(
        names.map(async (name, index) => [`deploy/${name}.json`, await sealedBy(world, name, index)] as const),
      ),
    );
    for (const text of Object.values(files)) await applyByHand(world, text);
    await world.repository.commit({ ...(await world.canaryFile()), ...files }, 'first');
    await using agent = await world.start();
    await world.until('refused', (status) => arrayAt(syncOf(status), 'attention').length === names.length);
    const watched = await Promise.all(
      names.map(async (name) => {
        const live = await world.get(secretPath(world.namespace, name));
        return watchSecret(world, name, stringAt(live, 'metadata', 'uid') ?? '');
      }),
    );
    const { kubeconfigPath } = await plane.createServiceAccount(world.namespace, 'leaver', LEAVE_RULES);
    const args = ['adopt', '--from', 'sealed-secrets', '--yes', '-n', world.namespace, '--kubeconfig', kubeconfigPath];
    const left = async (): Promise<number> => {
      const listed = await world.get(`/apis/bitnami.com/v1alpha1/namespaces/${world.namespace}/sealedsecrets`);
      return arrayAt(listed, 'items').length;
    };
    // One that was stopped right after the reference went.
    const patch = { metadata: { ownerReferences: null } };
    await plane.admin('PATCH', secretPath(world.namespace, 'a'), patch, 'application/merge-patch+json');
    let kills = 0;
    for (;;) {
      await using command = startCommand(args);
      const ended = command.ended();
      const isOver = (): Promise<boolean> => Promise.race([ended.then(() => true), sleep(5).then(() => false)]);
      const before = await left();
      // Killed as soon as it has taken one more resource away: in the middle of the next.
      while (!(await isOver())) {
        if ((await left()) < before && kills < 3) {
          kills += 1;
          await command.end('SIGKILL');
        }
      }
      if ((await ended) === 0) break;
      // Killed, or an agent that had just been asked by one that was killed.
      expect(kills).toBeGreaterThan(0);
    }
    expect(kills).toBeGreaterThan(0);
    await world.until('ready', (status) => stringAt(syncOf(status), 'state') === 'Ready');
    for (const each of watched) expect((await each.end()).misses).toEqual([]);
    for (const [index, name] of names.entries()) {
      const live = await world.get(secretPath(world.namespace, name));
      expect(valueOf(live, 'password')).toBe(world.value(index));
      expect(memberAt(live, 'metadata', 'ownerReferences')).toBeUndefined();
    }
    expect(await left()).toBe(0);
    await agent.stop();
  });

  test('a Secret that the agent does not wait for stays with its controller', async () => {
    await using world = await worldOf('unseal');
    await world.repository.commit(await world.canaryFile(), 'first');
    await applyByHand(world, await sealedBy(world, 'other', 2));
    await using agent = await world.start();
    await world.until('ready', (status) => stringAt(syncOf(status), 'state') === 'Ready');
    const person = await personIn(world, LEAVE_RULES);
    const left = await person.sotto(['adopt', '--from', 'sealed-secrets', '--yes']);
    expect([left.exit, left.stderr]).toEqual([
      1,
      expect.stringContaining('= SealedSecret/other stays: the agent does not unseal it'),
    ]);
    const unknown = await person.sotto(['adopt', '--from', 'sealed-secrets', 'nobody', '--yes']);
    expect([unknown.exit, unknown.stderr]).toEqual([2, expect.stringContaining('SOTTO-CLI-110')]);
    expect(await world.get(sealedPath(world.namespace, 'other'))).toBeDefined();
    const live = await world.get(secretPath(world.namespace, 'other'));
    expect(arrayAt(live, 'metadata', 'ownerReferences')).toHaveLength(1);
    await agent.stop();
  });

  test('an existing Secret is taken over when it says so itself: managed, or patch in the template too; else by sotto adopt', async () => {
    await using world = await worldOf('unseal');
    await restoreKeys(world);
    const existing = async (name: string, annotations: JsonObject): Promise<void> => {
      const object = { ...secret(name, { foreign: 'kept' }), metadata: { name, annotations } };
      await world.create(`/api/v1/namespaces/${world.namespace}/secrets`, object);
    };
    const PATCH = { 'sealedsecrets.bitnami.com/patch': 'true' };
    await existing('managed', { 'sealedsecrets.bitnami.com/managed': 'true' });
    await existing('patched', PATCH);
    await existing('half', PATCH);
    await existing('plain', {});
    const files = {
      'deploy/managed.json': await sealedBy(world, 'managed', 0),
      'deploy/patched.json': await sealedBy(world, 'patched', 1, PATCH),
      'deploy/half.json': await sealedBy(world, 'half', 2),
      'deploy/plain.json': await sealedBy(world, 'plain', 3),
    };
    const first = await world.repository.commit({ ...(await world.canaryFile()), ...files }, 'first');
    await using agent = await world.start();
    const status = await untilTried(world, first);
    expect(codesOf(status)).toEqual({ 'Secret/half': 'SOTTO-PLAN-001', 'Secret/plain': 'SOTTO-PLAN-001' });
    for (const [index, name] of ['managed', 'patched'].entries()) {
      const live = await world.get(secretPath(world.namespace, name));
      expect([valueOf(live, 'password'), valueOf(live, 'foreign')]).toEqual([world.value(index), 'kept']);
    }
    // Somebody says so: it is the same Secret, and what others have put into it stays.
    const before = await world.get(secretPath(world.namespace, 'plain'));
    const person = await personIn(world, LEAVE_RULES);
    const adopted = await person.sotto(['adopt', 'secret/plain', '--yes']);
    expect([adopted.exit, adopted.stdout || adopted.stderr]).toEqual([0, expect.stringContaining('done')]);
    const plain = await world.get(secretPath(world.namespace, 'plain'));
    expect([valueOf(plain, 'password'), valueOf(plain, 'foreign')]).toEqual([world.value(3), 'kept']);
    expect(stringAt(plain, 'metadata', 'uid')).toBe(stringAt(before, 'metadata', 'uid'));
    expect(await world.get(sealedPath(world.namespace, 'plain'))).toBeUndefined();
    // What was only patched is not ours to delete.
    await world.settings(
      settingsText(world.git.url(world.repository), {
        sync: '  sealedSecrets: unseal\n  prune: { minimum: 50 }\n',
      }),
    );
    const second = await world.repository.commit(
      { 'deploy/managed.json': null, 'deploy/patched.json': null, 'deploy/half.json': null, 'deploy/plain.json': null },
      'second',
    );
    await untilTried(world, second);
    expect(await world.get(secretPath(world.namespace, 'managed'))).toBeUndefined();
    expect(valueOf(await world.get(secretPath(world.namespace, 'patched')), 'foreign')).toBe('kept');
    await agent.stop();
  });

  test('and the way back: a Secret is handed to the controller when its template says so, and not before', async () => {
    await using world = await worldOf('unseal');
    await restoreKeys(world);
    const plain = await sealedBy(world, 'db', 0);
    const first = await world.repository.commit({ ...(await world.canaryFile()), 'deploy/db.json': plain }, 'first');
    await using agent = await world.start();
    await untilReady(world, first);
    const uid = stringAt(await world.get(secretPath(world.namespace, 'db')), 'metadata', 'uid') ?? '';
    const watched = watchSecret(world, 'db', uid);
    const url = world.git.url(world.repository);
    const passthrough = settingsText(url, { sync: '  sealedSecrets: passthrough\n' });
    await world.settings(passthrough);
    await world.until('refused', (status) => codesOf(status)['Secret/db'] === 'SOTTO-SEAL-022');
    expect(await world.get(sealedPath(world.namespace, 'db'))).toBeUndefined();
    await world.settings(settingsText(url, { sync: '  sealedSecrets: unseal\n' }));
    const handOver = { 'sotto.dev/prune': 'disabled', 'sealedsecrets.bitnami.com/managed': 'true' };
    const marked = await sealedBy(world, 'db', 0, handOver);
    const second = await world.repository.commit({ 'deploy/db.json': marked }, 'second');
    await untilReady(world, second);
    await world.settings(passthrough);
    await eventually('the controller owns the Secret', async () => {
      const live = await world.get(secretPath(world.namespace, 'db'));
      return arrayAt(live, 'metadata', 'ownerReferences').length === 1 ? true : undefined;
    });
    await world.until('ready', (status) => isReady(status) && Object.keys(codesOf(status)).length === 0);
    expect((await watched.end()).misses).toEqual([]);
    await agent.stop();
  });
});
