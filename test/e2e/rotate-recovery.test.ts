import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import type { PolicyRule } from '../../src/demo/control-plane.ts';
import { type Checkout, clone } from '../harness/checkout.ts';
import { secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { createWorld, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'age'] as const;

const WORKLOADS = { apiGroups: ['apps'], resources: ['deployments', 'statefulsets', 'daemonsets'], verbs: ['list'] };

const person = (secrets: readonly string[], recovery: readonly string[]): readonly PolicyRule[] => [
  { apiGroups: [''], resources: ['secrets'], verbs: secrets },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', ...recovery] },
  { apiGroups: [''], resources: ['configmaps'], resourceNames: ['sotto-requests'], verbs: ['patch'] },
  WORKLOADS,
];

// No agent runs: what is asked of one comes after the key.
describeReal('a new key in the cluster, for whoever is to get it back', TOOLS, () => {
  let world: World;
  let recovery: AgeKeyPair;
  let checkout: Checkout;
  let before: string;
  let people = 0;

  const listed = async (kind: string): Promise<readonly Json[]> =>
    arrayAt(await world.get(`/api/v1/namespaces/${world.namespace}/${kind}`), 'items');
  const made = async (): Promise<string[]> =>
    (await listed('secrets')).map(nameOf).filter((name) => name.startsWith('sotto-'));
  const copies = async (): Promise<Readonly<Record<string, string>>> => {
    const map = (await listed('configmaps')).find((each) => nameOf(each) === 'sotto-recovery');
    return (memberAt(map, 'data') ?? {}) as Readonly<Record<string, string>>;
  };
  const rotate = async (secrets: readonly string[], verbs: readonly string[], ...more: readonly string[]) => {
    people += 1;
    const rules = person(secrets, verbs);
    const access = await world.own.plane.createServiceAccount(world.namespace, `kim-${people}`, rules);
    return checkout.runAs(access, 'rotate', '--new-secret', '--push', '--yes', ...more);
  };
  const ALL = ['get', 'list', 'create', 'patch'];
  const expectNothingInGit = async (): Promise<void> => {
    expect(checkout.git('rev-parse', 'HEAD').trim()).toBe(before);
    expect(checkout.git('status', '--porcelain')).toBe('');
    expect((await world.repository.git(['rev-parse', 'main'])).toString().trim()).toBe(before);
  };

  beforeAll(async () => {
    recovery = await newAgeKeyPair();
    world = await createWorld({ top: `sealing: { recovery: [ ${recovery.recipient} ] }` });
    writeFileSync(join(world.folder, 'recovery.txt'), `${recovery.identity}\n`);
    const files = {
      'deploy/db.yaml': await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.yaml'),
      '.sops.yaml': `creation_rules:\n- encrypted_regex: ^(data|stringData)$\n  age: ${world.recipient}\n`,
    };
    before = await world.repository.commit(files, 'first');
    checkout = clone(world, await world.own.plane.createServiceAccount(world.namespace, 'kim', person(ALL, [])));
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test('is not made where its copy may not be stored', async () => {
    const refused = await rotate(ALL, []);
    expect(refused).toMatchObject({ exit: 4, stderr: expect.stringContaining('SOTTO-SEAL-025') as string });
    expect(refused.stderr).toMatch(/: no key was made, .*ConfigMap\/sotto-recovery/);
    expect([await made(), await copies()]).toEqual([[], {}]);
    await expectNothingInGit();
  });

  test('is not made where a recovery recipient is none', async () => {
    const refused = await rotate(ALL, ['patch', 'create'], '--recovery', `${recovery.recipient}x`);
    expect(refused).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-AGE-007') as string });
    expect([await made(), await copies()]).toEqual([[], {}]);
    await expectNothingInGit();
  });

  test('has its copy before it is there itself: the copy stays where the key may not be made', async () => {
    const refused = await rotate(['get', 'list', 'patch'], ['patch', 'create']);
    expect(refused.exit).toBe(5);
    expect(await made()).toEqual([]);
    const [[name, copy] = ['', ''], ...others] = Object.entries(await copies());
    expect(others).toEqual([]);
    expect(nameOf(await opened(copy))).toBe(name.replace(/\.age$/, ''));
    await expectNothingInGit();
  });

  test('is what stock age opens from the copy, ready to be put back', async () => {
    const earlier = Object.keys(await copies());
    // There is no agent, which is noticed after it.
    const stopped = await rotate(ALL, ['patch', 'create']);
    expect(stopped).toMatchObject({ exit: 3, stderr: expect.stringContaining('SOTTO-CLI-046') as string });
    const [name = '', ...others] = await made();
    expect(others).toEqual([]);
    const all = await copies();
    expect(Object.keys(all).toSorted()).toEqual([...earlier, `${name}.age`].toSorted());
    const manifest = await opened(all[`${name}.age`] ?? '');
    const live = await world.get(secretPath(world.namespace, name));
    for (const field of ['data', 'type'] as const) expect(memberAt(manifest, field)).toEqual(memberAt(live, field));
    expect(memberAt(manifest, 'metadata', 'labels')).toEqual(memberAt(live, 'metadata', 'labels'));
    await expectNothingInGit();
  });

  async function opened(copy: string): Promise<Json> {
    const args = ['-d', '-i', join(world.folder, 'recovery.txt')];
    return parseJson((await stockOutput('age', args, { stdin: copy })).toString());
  }
});

function nameOf(object: Json | undefined): string {
  return stringAt(object, 'metadata', 'name') ?? '';
}
