import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { TOOLS } from '../../src/apply/former-owner.ts';
import { arrayAt, type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import { attentionOf, codesOf, passed, untilReady, untilTried } from '../harness/attention.ts';
import { configMapPath, secretPath } from '../harness/objects.ts';
import { personIn } from '../harness/person.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { configMap, createWorld, secret, type World } from '../harness/world.ts';

const REAL = ['kube-apiserver', 'etcd', 'kubectl', 'sops', 'age-keygen'] as const;
const APPLY = 'application/apply-patch+yaml';
const MERGE = 'application/merge-patch+json';
const LAST = 'kubectl.kubernetes.io/last-applied-configuration';

interface Former {
  readonly name: string;
  /** For `--from`. */
  readonly tool: (typeof TOOLS)[number];
  /** As the tool writes: its field manager and kind of request, and what it leaves. */
  readonly manager: string;
  readonly contentType: typeof APPLY | typeof MERGE;
  readonly metadata: JsonObject;
}

const FORMER: readonly Former[] = [
  {
    name: 'flux',
    tool: 'flux',
    manager: 'kustomize-controller',
    contentType: APPLY,
    metadata: {
      labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps', 'kustomize.toolkit.fluxcd.io/namespace': 'flux-system' },
    },
  },
  {
    name: 'flux-helm',
    tool: 'flux',
    manager: 'helm-controller',
    contentType: APPLY,
    metadata: {
      labels: {
        'helm.toolkit.fluxcd.io/name': 'web',
        'helm.toolkit.fluxcd.io/namespace': 'flux-system',
        'app.kubernetes.io/managed-by': 'Helm',
      },
      annotations: { 'meta.helm.sh/release-name': 'web', 'meta.helm.sh/release-namespace': 'team' },
    },
  },
  {
    name: 'argo',
    tool: 'argocd',
    manager: 'argocd-controller',
    contentType: APPLY,
    metadata: { annotations: { 'argocd.argoproj.io/tracking-id': 'web:/ConfigMap:team/argo' } },
  },
  {
    name: 'argo-label',
    tool: 'argocd',
    manager: 'argocd-controller',
    contentType: MERGE,
    metadata: { labels: { 'argocd.argoproj.io/instance': 'web' } },
  },
  {
    name: 'helm',
    tool: 'helm',
    manager: 'helm',
    contentType: MERGE,
    metadata: {
      labels: { 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: { 'meta.helm.sh/release-name': 'web', 'meta.helm.sh/release-namespace': 'team' },
    },
  },
  {
    name: 'kapp',
    tool: 'kapp',
    manager: 'kapp-server',
    contentType: MERGE,
    metadata: {
      labels: { 'kapp.k14s.io/app': '1700000000000000000', 'kapp.k14s.io/association': 'v1.0123456789abcdef' },
      annotations: { 'kapp.k14s.io/identity': 'v1;team//ConfigMap/kapp;v1' },
    },
  },
  {
    name: 'config-sync',
    tool: 'config-sync',
    manager: 'configsync',
    contentType: APPLY,
    metadata: {
      labels: {
        'app.kubernetes.io/managed-by': 'configmanagement.gke.io',
        'applyset.kubernetes.io/part-of': 'applyset-somebody-v1',
      },
      annotations: {
        'configmanagement.gke.io/managed': 'enabled',
        'config.k8s.io/owning-inventory': 'config-management-system_root-sync',
      },
    },
  },
  {
    name: 'kubectl',
    tool: 'kubectl',
    manager: 'kubectl-client-side-apply',
    contentType: MERGE,
    metadata: { annotations: { [LAST]: '{"apiVersion":"v1","kind":"ConfigMap"}' } },
  },
  { name: 'kubectl-ssa', tool: 'kubectl', manager: 'kubectl', contentType: APPLY, metadata: {} },
];

async function appliedBy(world: World, { name, manager, contentType, metadata }: Former): Promise<void> {
  const { plane } = world.own;
  const path = configMapPath(world.namespace, name);
  const object = { ...configMap(name, { a: 'theirs', b: '1', theirs: 'x' }), metadata: { name, ...metadata } };
  if (contentType === APPLY) return void (await plane.admin('PATCH', `${path}?fieldManager=${manager}`, object, APPLY));
  await plane.admin('POST', `${path.replace(/\/[^/]*$/, '')}?fieldManager=${manager}`, object);
}

const managersOf = (live: Json | undefined): string[] =>
  arrayAt(live, 'metadata', 'managedFields').map((entry) => stringAt(entry, 'manager') ?? '');

describeReal('taking objects over from another tool', REAL, () => {
  test('changes nothing unasked, then takes marks and ownership, loses no value, and Git alone decides from then on', async () => {
    await using world = await createWorld();
    for (const former of FORMER) await appliedBy(world, former);
    const before = await Promise.all(FORMER.map(({ name }) => world.get(configMapPath(world.namespace, name))));
    const files = (data: Readonly<Record<string, string>>): Record<string, string> =>
      Object.fromEntries(FORMER.map(({ name }) => [`deploy/${name}.json`, JSON.stringify(configMap(name, data))]));
    const commit = await world.repository.commit(
      { ...files({ a: 'git', b: '1' }), ...(await world.canaryFile()) },
      'first',
    );
    await using agent = await world.start();
    const status = await untilTried(world, commit);
    for (const [index, { name, tool }] of FORMER.entries()) {
      expect(codesOf(status)[`ConfigMap/${name}`], name).toBe(tool === 'kubectl' ? 'SOTTO-PLAN-001' : 'SOTTO-PLAN-006');
      const said = attentionOf(status).find(({ object }) => object === `ConfigMap/${name}`)?.text;
      if (tool !== 'kubectl') expect(said).toContain(`sotto adopt --from ${tool}`);
      else expect(said).toContain('it differs from Git in .data.a');
      expect(await world.get(configMapPath(world.namespace, name)), name).toEqual(before[index]);
    }

    const person = await personIn(world);
    // Another tool than the one whose it is takes nothing.
    const wrong = await person.sotto(['adopt', '--from', 'helm', 'ConfigMap/flux', '--yes']);
    expect(wrong).toMatchObject({ exit: 1, stdout: expect.stringContaining('not taken over: ConfigMap/flux') });
    const noAnswer = await person.sotto(['adopt', '--from', 'kubectl', 'ConfigMap/kubectl']);
    expect(noAnswer.stderr).toContain('ConfigMap/kubectl: the object exists and was not made by sotto');
    expect(await world.get(configMapPath(world.namespace, 'flux'))).toEqual(before[0]);

    for (const { name, tool } of FORMER) {
      const done = await person.sotto(['adopt', '--from', tool, `ConfigMap/${name}`, '--yes']);
      expect(done.stdout, name).toBe(`done: taken over: ConfigMap/${name}\n`);
      const live = await world.get(configMapPath(world.namespace, name));
      expect(memberAt(live, 'data'), name).toEqual({ a: 'git', b: '1', theirs: 'x' });
      expect(managersOf(live), name).toEqual(['sotto']);
      expect(Object.keys(memberAt(live, 'metadata', 'labels') ?? {}), name).toEqual(['applyset.kubernetes.io/part-of']);
      expect(memberAt(live, 'metadata', 'annotations'), name).toBeUndefined();
    }
    // What Git lets go of goes, because nobody else owns it any more; what it never had stays.
    await untilReady(world, await world.repository.commit(files({ a: 'git' }), 'without b'));
    for (const { name } of FORMER) {
      const live = await world.get(configMapPath(world.namespace, name));
      expect(memberAt(live, 'data'), name).toEqual({ a: 'git', theirs: 'x' });
    }
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('--all takes everything that waits of one tool, Secrets included, and leaves what is of another', async () => {
    await using world = await createWorld();
    const [flux, , argo] = FORMER;
    if (flux === undefined || argo === undefined) throw new Error('no such tools');
    await appliedBy(world, flux);
    await appliedBy(world, argo);
    const key: JsonObject = { ...secret('key', { a: 'theirs' }), metadata: { name: 'key', ...flux.metadata } };
    await world.own.plane.admin(
      'PATCH',
      `${secretPath(world.namespace, 'key')}?fieldManager=${flux.manager}`,
      key,
      APPLY,
    );
    const commit = await world.repository.commit(
      {
        'deploy/flux.json': JSON.stringify(configMap('flux', { a: 'git' })),
        'deploy/argo.json': JSON.stringify(configMap('argo', { a: 'git' })),
        'deploy/key.json': await world.sops(JSON.stringify(secret('key', { a: world.value(0) })), 'key.json'),
      },
      'first',
    );
    await using agent = await world.start();
    await untilTried(world, commit);
    const person = await personIn(world);
    const answer = await person.sotto(['adopt', '--from', 'flux', '--all', '--yes']);
    expect(answer.stdout).toContain('not taken over: ConfigMap/argo');
    const live = await world.get(secretPath(world.namespace, 'key'));
    expect(Buffer.from(stringAt(live, 'data', 'a') ?? '', 'base64').toString()).toBe(world.value(0));
    expect(managersOf(live)).toEqual(['sotto']);
    expect(stringAt(await world.get(configMapPath(world.namespace, 'flux')), 'data', 'a')).toBe('git');
    expect(stringAt(await world.get(configMapPath(world.namespace, 'argo')), 'data', 'a')).toBe('theirs');
    for (const words of [['--all', 'ConfigMap/argo'], ['--all', '--sync', 'app'], []]) {
      expect(await person.sotto(['adopt', ...words, '--yes'])).toMatchObject({ exit: 2 });
    }
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('--from kubectl ends what real kubectl apply left, client-side and server-side', async () => {
    await using world = await createWorld();
    const labels = { app: 'web' };
    const containers = [{ name: 'c', image: 'example.com/c:1', env: [{ name: 'OLD', value: '1' }] }];
    const deployment = (more: JsonObject): JsonObject => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ ...containers[0], ...more }] } },
      },
    });
    const server = configMap('server', { a: '1', b: '1' });
    const kubectl = async (args: readonly string[], object: JsonObject): Promise<void> => {
      const file = join(world.folder, 'object.json');
      await writeFile(file, JSON.stringify(object));
      const config = ['--kubeconfig', world.own.account.kubeconfigPath, '-n', world.namespace];
      await promisify(execFile)(toolPath('kubectl'), ['apply', ...args, ...config, '-f', file], {
        env: { HOME: world.folder },
      });
    };
    await kubectl([], deployment({}));
    await kubectl(['--server-side'], server);
    const path = `/apis/apps/v1/namespaces/${world.namespace}/deployments/web`;
    expect(stringAt(await world.get(path), 'metadata', 'annotations', LAST)).toBeDefined();
    const inGit = {
      'deploy/web.json': JSON.stringify(deployment({ image: 'example.com/c:2' })),
      'deploy/server.json': JSON.stringify(configMap('server', { a: '2', b: '1' })),
      ...(await world.canaryFile()),
    };
    const commit = await world.repository.commit(inGit, 'first');
    await using agent = await world.start();
    expect(codesOf(await untilTried(world, commit))).toEqual({
      'ConfigMap/server': 'SOTTO-PLAN-001',
      'apps/Deployment/web': 'SOTTO-PLAN-001',
    });
    const person = await personIn(world);
    const shown = await person.sotto(['adopt', '--from', 'kubectl', '--all']);
    expect(shown.stderr).toContain('.spec.template.spec.containers[name="c"].image');
    expect(await person.sotto(['adopt', '--from', 'kubectl', '--all', '--yes'])).toMatchObject({ exit: 0 });
    const adopted = await world.get(path);
    expect(stringAt(adopted, 'metadata', 'annotations', LAST)).toBeUndefined();
    expect(managersOf(adopted)).toEqual(['sotto']);
    // Both lose what Git lets go of, which kubectl's own entry would have kept for ever.
    const next = {
      'deploy/web.json': JSON.stringify(deployment({ image: 'example.com/c:2', env: [] })),
      'deploy/server.json': JSON.stringify(configMap('server', { a: '2' })),
    };
    await passed(agent, await world.repository.commit(next, 'second'));
    expect(memberAt(await world.get(configMapPath(world.namespace, 'server')), 'data')).toEqual({ a: '2' });
    const [live] = arrayAt(await world.get(path), 'spec', 'template', 'spec', 'containers');
    expect([stringAt(live, 'image'), arrayAt(live, 'env')]).toEqual(['example.com/c:2', []]);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
