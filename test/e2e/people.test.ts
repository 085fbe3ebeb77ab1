import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseJson, stringAt } from '../../src/core/json.ts';
import type { PolicyRule, ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { codesOf, untilTried } from '../harness/attention.ts';
import { startCommand } from '../harness/cli.ts';
import { startKubelet, type TestKubelet } from '../harness/kubelet.ts';
import { type Canaries, leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { configMapPath, editByHand } from '../harness/objects.ts';
import { type Ended, runSotto } from '../harness/once.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';
import { damaged } from '../harness/damage.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

/** What docs/rbac.md says that people need. */
const PEOPLE: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'watch'], resourceNames: ['sotto-status'] },
  { apiGroups: [''], resources: ['configmaps', 'secrets'], verbs: ['get'] },
  { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['list', 'watch'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
  { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] },
];

const manifest = (name: string, color = 'blue'): string => JSON.stringify(configMap(name, { color }));

describeReal('people ask', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  let kim: ServiceAccountAccess;
  let guest: ServiceAccountAccess;
  let canaries: Canaries;
  let kubelet: TestKubelet;
  const asKim = (...words: readonly string[]): readonly string[] => [
    ...words,
    '-n',
    world.namespace,
    '--kubeconfig',
    kim.kubeconfigPath,
  ];
  const asGuest = (...words: readonly string[]): readonly string[] => [
    ...words,
    '-n',
    world.namespace,
    '--kubeconfig',
    guest.kubeconfigPath,
  ];
  const run = (...words: readonly string[]): Promise<Ended> => runSotto(asKim(...words));

  beforeAll(async () => {
    canaries = plantCanaries([2, 2]);
    world = await createWorld();
    kim = await world.own.plane.createServiceAccount(world.namespace, 'kim', PEOPLE);
    const onlyGet = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'], resourceNames: ['sotto-status'] }];
    guest = await world.own.plane.createServiceAccount(world.namespace, 'guest', onlyGet);
    const db = await world.sops(JSON.stringify(secret('db', { password: canaries.values[0] ?? '' })), 'db.json');
    const bad = await world.sops(JSON.stringify(secret('bad', { password: canaries.values[1] ?? '' })), 'bad.json');
    const commit = await world.repository.commit(
      {
        'deploy/a.json': manifest('a'),
        'deploy/db.json': db,
        'deploy/bad.json': damaged(bad),
      },
      'first',
    );
    agent = await world.start();
    await untilTried(world, commit);
    kubelet = await startKubelet(world, () => agent.output());
  });
  afterAll(async () => {
    await kubelet[Symbol.asyncDispose]();
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
    canaries[Symbol.dispose]();
  });

  test('status --watch is told of every change, ends with 130 on Ctrl-C, and asks again where a watch is forbidden', async () => {
    await using watching = startCommand(asKim('status', '--watch'));
    await using asking = startCommand(asGuest('status', '--watch'));
    await using json = startCommand(asKim('status', '-w', '-o', 'json'));
    await Promise.all([watching.says('app  Degraded'), asking.says('asking every 2 s'), json.says('"schema"')]);
    const next = await world.repository.commit({ 'deploy/b.json': manifest('b') }, 'second');
    const revision = `main@sha1:${next.slice(0, 12)}`;
    await Promise.all([watching.says(revision), asking.says(revision), json.says(next)]);
    expect(await Promise.all([watching.end('SIGINT'), asking.end('SIGTERM'), json.end('SIGINT')])).toEqual([
      130, 130, 130,
    ]);
    expect(watching.stderr()).toBe('');
    for (const line of json.stdout().trimEnd().split('\n')) {
      expect(stringAt(parseJson(line), 'schema')).toBe('sotto.dev/status/v1alpha1');
    }
  });

  test('why knows file and line, state, what was undone, and what is wrong with the next step', async () => {
    await editByHand(world, configMapPath(world.namespace, 'a'), { data: { color: 'red' } });
    const { stdout } = await eventually('it tells of the correction', async () => {
      const ended = await run('why', 'cm/a');
      return ended.stdout.includes('corrected') ? ended : undefined;
    });
    expect(stdout).toMatch(/state +Current/);
    expect(stdout).toMatch(/from +deploy\/a\.json:1\n/);
    expect(stdout).toMatch(/kept by +sync app \(Degraded/);
    expect(stdout).toMatch(/owner +this agent/);
    expect(stdout).toMatch(/corrected .* \/data\/color by kubectl-edit: restored/);
    expect((await run('why', 'configmaps/a')).code).toBe(0);
    const bad = await run('why', 'secret/bad');
    expect(bad.code).toBe(1);
    expect(bad.stdout).toContain(Object.keys(codesOf(await world.status()))[0] ?? 'a code');
    expect(bad.stdout).toContain('deploy/bad.json');
    expect(await run('why', 'Secret/db', '-o', 'json')).toMatchObject({ code: 0, stderr: '' });
    expect(await run('why', 'cm/nothing')).toMatchObject({ code: 1, stdout: '' });
    expect(await run('why', 'nodes/x')).toMatchObject({ code: 2, stdout: '' });
  });

  test('why of an object that is not ours says whose it is', async () => {
    const metadata = { name: 'foreign', labels: { 'app.kubernetes.io/managed-by': 'Helm' } };
    await world.create(`/api/v1/namespaces/${world.namespace}/configmaps`, { ...configMap('foreign', {}), metadata });
    const { code, stdout } = await run('why', 'cm/foreign');
    expect(code).toBe(0);
    expect(stdout).toMatch(/kept by +not by sotto/);
    expect(stdout).toMatch(/owner +Helm/);
  });

  test('events tells what the agent did, of one object too, and goes on with --watch', async () => {
    await using watching = startCommand(asKim('events', 'cm/a', '--watch'));
    await editByHand(world, configMapPath(world.namespace, 'a'), { data: { added: 'x' } });
    await watching.says('/data/added');
    expect(await watching.end('SIGINT')).toBe(130);
    const all = await run('events');
    expect(all.stdout).toMatch(/^LAST SEEN +TYPE +REASON/);
    expect(all.stdout).toContain('DriftCorrected');
    const lines = (await run('events', 'cm/a', '-o', 'json')).stdout.trimEnd().split('\n');
    expect(lines.map((line) => stringAt(parseJson(line), 'regarding', 'name'))).toEqual(lines.map(() => 'a'));
    expect(await runSotto(asGuest('events'))).toMatchObject({ code: 5, stdout: '' });
    expect(await runSotto(asGuest('events', '--watch'))).toMatchObject({ code: 5, stdout: '' });
  });

  test('logs shows the log of the agent as the API server gets it from a kubelet', async () => {
    expect(await run('logs')).toMatchObject({ code: 1, stderr: expect.stringMatching(/^SOTTO-CLI-082/) });
    await kubelet.addPod('sotto-0', { 'app.kubernetes.io/name': 'sotto' });
    const all = await run('logs', '--since', '10m');
    expect(all).toMatchObject({ code: 0, stderr: '' });
    expect(all.stdout).toMatch(/INFO +pass ended +sync=app/);
    expect(kubelet.asked.at(-1)).toMatch(/^\/containerLogs\/test-\w+\/sotto-0\/sotto\?.*sinceSeconds=600/);
    const raw = (await run('logs', '-o', 'json', '--level', 'warn')).stdout.trimEnd().split('\n');
    expect(new Set(raw.map((line) => stringAt(parseJson(line), 'level')))).toEqual(new Set(['warn']));
    await using following = startCommand(asKim('logs', '-f'));
    await following.says('pass ended');
    kubelet.write('{"level":"warn","time":"2026-11-25T04:24:02.123Z","msg":"later \\u001b[31m"}\n');
    await following.says('04:24:02 WARN  later');
    expect(following.stdout()).not.toContain('\u001b');
    expect(await following.end('SIGINT')).toBe(130);
    await using ending = startCommand(asKim('logs', '-f'));
    await ending.says('pass ended');
    kubelet.endLogs();
    expect(await ending.ended()).toBe(0);
    expect(await runSotto(asGuest('logs'))).toMatchObject({ code: 5 });
  });

  test('logs says that the kubelet does not answer', async () => {
    const gone = await startKubelet(world, () => '');
    await gone.addPod('sotto-1', { 'app.kubernetes.io/name': 'sotto' });
    await gone[Symbol.asyncDispose]();
    const asked = await eventually('the newest Pod is asked for', async () => {
      const ended = await run('logs');
      return ended.code === 0 ? undefined : ended;
    });
    expect(asked.stderr).toMatch(/^SOTTO-KUBE-0\d\d/);
    await world.own.plane.admin('DELETE', `/api/v1/namespaces/${world.namespace}/pods/sotto-1`);
  });

  test('nothing of this shows a value', async () => {
    const answers = await Promise.all([
      run('status'),
      run('why', 'secret/bad'),
      run('why', 'secret/db'),
      run('events'),
    ]);
    const text = answers.map(({ stdout, stderr }) => stdout + stderr).join('\n');
    for (const value of canaries.values) expect(text).not.toContain(value);
    await leakCheck(world, agent, canaries);
  });
});
