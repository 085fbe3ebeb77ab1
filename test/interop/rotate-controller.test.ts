import { afterAll, beforeAll, expect, test } from 'vitest';
import { load } from 'js-yaml';
import { arrayAt, type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import { namespaceForTest, type TestNamespace } from '../harness/control-plane.ts';
import { SCOPES, sealedByStock } from '../harness/mixed-repository.ts';
import { secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { commitAll, type Rotating, rotating } from '../harness/rotation.ts';
import { type SealedSecretsController, startSealedSecretsController } from '../harness/sealed-secrets-controller.ts';
import type { SealingKeySecret } from '../harness/sealing-key.ts';
import { eventually } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'kubeseal', 'age-keygen', 'sops', 'sealed-secrets-controller'] as const;

describeReal('the SealedSecrets controller after sotto rotate --cert', TOOLS, () => {
  let at: Rotating;
  /** Of the controller: with the new key alone, and with both. */
  let keys: TestNamespace;
  let bothKeys: TestNamespace;
  let team: TestNamespace;
  let other: TestNamespace;
  let controller: SealedSecretsController;
  /** Each SealedSecret with its name. */
  let before: readonly JsonObject[];

  beforeAll(async () => {
    at = await rotating({ files: {} });
    [keys, bothKeys] = [await namespaceForTest([]), await namespaceForTest([])];
    [team, other] = [await namespaceForTest([]), await namespaceForTest([])];
    for (const scope of SCOPES) {
      const documents: string[] = [];
      for (const name of [`one-${scope}`, `two-${scope}`])
        documents.push(await sealedByStock(at, 'old.pem', { name, namespace: team.namespace, scope }));
      at.write(`deploy/${scope}.yaml`, documents.join('---\n'));
      const json = { name: `json-${scope}`, namespace: team.namespace, scope };
      at.write(`deploy/${scope}.json`, await sealedByStock(at, 'old.pem', json, 'json'));
    }
    commitAll(at);
    before = manifests();
    expect(before).toHaveLength(9);
    const args = ['--key-file', at.outside('sealing.json'), '--cert', at.outside('new.pem'), '--yes'];
    const { exit, stderr } = await at.run('rotate', ...args);
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    await addKey(keys, at.newSealing);
    controller = await startSealedSecretsController(keys.plane, keys.namespace);
  });
  afterAll(async () => {
    await controller.stop();
    for (const each of [keys, bothKeys, team, other]) each[Symbol.dispose]();
    at[Symbol.dispose]();
  });

  const manifests = (): JsonObject[] =>
    SCOPES.flatMap((scope) => [
      ...at
        .read(`deploy/${scope}.yaml`)
        .split('---\n')
        .map((document) => load(document) as JsonObject),
      JSON.parse(at.read(`deploy/${scope}.json`)) as JsonObject,
    ]);

  async function apply(manifest: JsonObject, name = nameOf(manifest), namespace = team.namespace): Promise<void> {
    const metadata = { ...(memberAt(manifest, 'metadata') as JsonObject), name, namespace };
    const { status, body } = await keys.plane.admin('POST', collection(namespace), { ...manifest, metadata });
    if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
  }

  /** What the controller makes of it: entries of the Secret, or why there is none. */
  async function outcome(name: string, namespace = team.namespace): Promise<Record<string, string> | string> {
    return eventually(`the controller has seen ${name}`, async () => {
      const live = await keys.plane.admin('GET', secretPath(namespace, name));
      if (live.status === 200) return textsOf(live.body);
      const { body } = await keys.plane.admin('GET', `${collection(namespace)}/${name}`);
      const condition = arrayAt(body, 'status', 'conditions').find((each) => stringAt(each, 'type') === 'Synced');
      return stringAt(condition, 'status') === 'False' ? stringAt(condition, 'message') : undefined;
    });
  }

  async function removeAll(): Promise<void> {
    for (const manifest of before) {
      await keys.plane.admin('DELETE', `${collection(team.namespace)}/${nameOf(manifest)}`);
      await keys.plane.admin('DELETE', secretPath(team.namespace, nameOf(manifest)));
    }
  }

  test('opens nothing of before with the new key alone, and everything that was sealed anew', async () => {
    expect(controller.certificatePem.trim()).toBe(at.newSealing.certificatePem.replaceAll('\r', '').trim());
    for (const manifest of before) {
      await apply(manifest);
      expect(await outcome(nameOf(manifest))).toMatch(/no key could decrypt secret/);
    }
    await removeAll();
    const after = manifests();
    expect(after.map(nameOf)).toEqual(before.map(nameOf));
    for (const manifest of after) {
      await apply(manifest);
      expect(await outcome(nameOf(manifest)), nameOf(manifest)).toEqual(valuesOf(nameOf(manifest)));
    }
  });

  test('finds each bound as it was: to its name, to its namespace, or to neither', async () => {
    const found = new Map(manifests().map((manifest) => [nameOf(manifest), manifest]));
    const moved = async (scope: string, name: string, namespace: string) => {
      await apply(found.get(`one-${scope}`) ?? {}, name, namespace);
      return outcome(name, namespace);
    };
    expect(await moved('strict', 'renamed-strict', team.namespace)).toMatch(/no key could decrypt secret/);
    expect(await moved('namespace-wide', 'renamed-namespace', team.namespace)).toEqual(valuesOf('one-namespace-wide'));
    expect(await moved('namespace-wide', 'one-namespace-wide', other.namespace)).toMatch(/no key could decrypt secret/);
    expect(await moved('cluster-wide', 'renamed-cluster', other.namespace)).toEqual(valuesOf('one-cluster-wide'));
  });

  test('with the old key kept beside opens a reverted commit, too', async () => {
    await controller.stop();
    await removeAll();
    for (const key of [at.oldSealing, at.newSealing]) await addKey(bothKeys, key);
    controller = await startSealedSecretsController(bothKeys.plane, bothKeys.namespace);
    at.git('revert', '--no-edit', 'HEAD');
    const reverted = manifests();
    expect(reverted).toEqual(before);
    for (const manifest of reverted) {
      await apply(manifest);
      expect(await outcome(nameOf(manifest)), nameOf(manifest)).toEqual(valuesOf(nameOf(manifest)));
    }
  });
});

async function addKey({ plane, namespace }: TestNamespace, { secret }: SealingKeySecret): Promise<void> {
  const { status, body } = await plane.admin('POST', `/api/v1/namespaces/${namespace}/secrets`, secret);
  if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
}

function nameOf(manifest: Json): string {
  return stringAt(manifest, 'metadata', 'name') ?? '';
}

function collection(namespace: string): string {
  return `/apis/bitnami.com/v1alpha1/namespaces/${namespace}/sealedsecrets`;
}

function valuesOf(name: string): Record<string, string> {
  return { password: `of ${name}`, 'multi.line': `first ${name}\nsecond\n`, empty: '' };
}

function textsOf(secret: Json): Record<string, string> {
  const data = (memberAt(secret, 'data') ?? {}) as Record<string, string | null>;
  return Object.fromEntries(
    Object.entries(data).map(([key, text]) => [key, Buffer.from(text ?? '', 'base64').toString()]),
  );
}
