import { writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JsonObject, stringAt } from '../../src/core/json.ts';
import type { PolicyRule, ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import type { CliResult } from '../cli/session.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { untilTried } from '../harness/attention.ts';
import { type Checkout, clone, pageOf } from '../harness/checkout.ts';
import { configMapPath, editByHand, secretPath } from '../harness/objects.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { createWorld, eventually, type World } from '../harness/world.ts';
import { type Sealer, sealerOf } from './leak-fixture.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kustomize', 'kubeseal'] as const;

const PERSON: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['configmaps', 'secrets'], verbs: ['get', 'list', 'watch', 'patch'] },
];

const COLORS = `apiVersion: v1
kind: ConfigMap
metadata: { name: colors }
data:
  color: blue # by marketing
  size: L
`;
const LISTS = 'resources:\n- colors.yaml\n- u.yaml\n';
const PATCHES = `${LISTS}patches:
- target: { kind: ConfigMap, name: colors }
  patch: |-
    - { op: replace, path: /data/size, value: XL }
`;

describeReal('a change made by hand of what a kustomization renders', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  let person: ServiceAccountAccess;
  let sealer: Sealer;
  let checkout: Checkout;
  let page: string;

  const git = (...args: readonly string[]): string => checkout.git(...args);
  const run = (...words: readonly string[]): Promise<CliResult> => checkout.run(...words);
  const keep = (...words: readonly string[]): Promise<CliResult> => run('keep', ...words, '--page', page);
  const color = async (): Promise<string | undefined> =>
    stringAt(await world.get(configMapPath(world.namespace, 'colors')), 'data', 'color');
  const editColor = async (value: string): Promise<void> => {
    const before = (await keep()).stdout;
    await editByHand(world, configMapPath(world.namespace, 'colors'), { data: { color: value } });
    await eventually('it is undone and told', async () => ((await keep()).stdout === before ? undefined : true));
  };
  const merged = async (branch: string): Promise<void> => {
    git('merge', '-q', '--no-edit', branch);
    git('push', '-q', 'origin', 'HEAD:main');
    await untilTried(world, git('rev-parse', 'HEAD').trim());
  };

  beforeAll(async () => {
    process.env['PATH'] = [dirname(toolPath('kustomize')), process.env['PATH'] ?? ''].join(delimiter);
    world = await createWorld();
    person = await world.own.plane.createServiceAccount(world.namespace, 'kim', PERSON);
    sealer = await sealerOf(world);
    const commit = await world.repository.commit(
      {
        'deploy/kustomization.yaml': LISTS,
        'deploy/colors.yaml': COLORS,
        'deploy/u.yaml': await sealer.seal(0, 'u', { user: world.value(0), password: world.value(1) }),
      },
      'first',
    );
    agent = await world.start();
    await untilTried(world, commit);
    page = await pageOf(agent);
    checkout = clone(world, person);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test('goes into the file that the kustomization only lists', async () => {
    await editColor('red');
    const { exit, stderr } = await keep('1', '--yes', '--branch', 'red');
    expect([exit, stderr]).toEqual([0, expect.stringContaining('branch red')]);
    expect(git('show', 'red:deploy/colors.yaml')).toBe(COLORS.replace('color: blue', 'color: red'));
    expect(git('diff', '--name-only', 'main', 'red')).toBe('deploy/colors.yaml\n');
    await merged('red');
    expect(await color()).toBe('red');
  });

  test('of the Secret of a SealedSecret goes into that, sealed with the certificate; the other entries stay', async () => {
    const path = secretPath(world.namespace, 'u');
    expect(await run('pause', 'secret/u', '--for', '1h', '--reason', 'a new password')).toMatchObject({ exit: 0 });
    await editByHand(world, path, { stringData: { password: world.value(2) } satisfies JsonObject });
    expect(await keep('secret/u', '--yes')).toMatchObject({
      exit: 1,
      stdout: '',
      stderr: expect.stringMatching(/SOTTO-CLI-202.*certificate.*--cert/s),
    });
    const before = git('show', 'HEAD:deploy/u.yaml');
    const certificate = join(world.folder, 'sealing.crt');
    const kept = await keep('secret/u', '--yes', '--branch', 'sealed', '--cert', certificate);
    expect([kept.exit, kept.stdout, kept.stderr]).toEqual([
      0,
      'deploy/u.yaml: entries password encrypted anew\n',
      expect.stringContaining('branch sealed'),
    ]);
    const lines = new Set(before.split('\n'));
    const fresh = git('show', 'sealed:deploy/u.yaml')
      .split('\n')
      .filter((line) => !lines.has(line));
    expect(fresh.map((line) => line.trim().split(':')[0])).toEqual(['password']);
    await merged('sealed');
    expect(await run('resume', 'secret/u')).toMatchObject({ exit: 0 });
    expect(await run('sync', 'app')).toMatchObject({ exit: 0 });
    const live = await world.get(path);
    const decoded = ['user', 'password'].map((key) =>
      Buffer.from(stringAt(live, 'data', key) ?? '', 'base64').toString(),
    );
    expect(decoded).toEqual([world.value(0), world.value(2)]);
  });

  test('is no line of a file where a patch renders it: a patch is printed, and nothing is written', async () => {
    writeFileSync(join(checkout.folder, 'deploy', 'kustomization.yaml'), PATCHES);
    git('commit', '-q', '-a', '-m', 'patched');
    git('push', '-q', 'origin', 'HEAD:main');
    await untilTried(world, git('rev-parse', 'HEAD').trim());
    await editColor('green');
    const refs = git('for-each-ref');
    const { exit, stdout, stderr } = await keep('2', '--yes');
    expect([exit, stderr]).toEqual([
      1,
      expect.stringMatching(/SOTTO-CLI-201.*deploy\/kustomization\.yaml has patches/s),
    ]);
    expect(stdout).toContain('kind: ConfigMap\nmetadata:\n  name: colors\n');
    expect(stdout).toMatch(/^data:\n {2}color: "?green"?\n/m);
    expect(git('for-each-ref')).toBe(refs);
    expect(git('status', '--short')).toBe('');
  });
});
