import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { arrayAt, memberAt, stringAt } from '../../src/core/json.ts';
import { MEMBER_LABEL } from '../../src/core/labels.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { passed, untilReady } from '../harness/attention.ts';
import { listenerOf } from '../harness/listener.ts';
import { configMapPath, editByHand, remove, secretPath } from '../harness/objects.ts';
import { runOnce } from '../harness/once.ts';
import { describeReal } from '../harness/real.ts';
import { requestsFromNow, shown } from '../harness/requests.ts';
import { AGENT_RULES, configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';
import { damaged } from '../harness/damage.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const OBJECTS = 60;
const KILLS = 4;

/** Half of them Secrets: from a few encrypted files. */
async function manyFiles(world: World, color: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (let index = 0; index < OBJECTS / 2; index += 1) {
    files[`deploy/cm-${index}.json`] = JSON.stringify(configMap(`cm-${index}`, { color }));
  }
  const secrets = Array.from({ length: OBJECTS / 2 }, (_, index) =>
    JSON.stringify(secret(`cm-${index}`, { color: `${world.value(0)}-${color}` })),
  );
  for (let file = 0; file < 3; file += 1) {
    const documents = secrets.slice(file * 10, file * 10 + 10).join('\n---\n');
    files[`deploy/secrets-${file}.yaml`] = await world.sops(documents, 'secrets.yaml');
  }
  return files;
}

interface Live {
  readonly wanted: number;
  readonly orphans: readonly string[];
}

/** Objects as Git wants them, and labelled ones that are in Git no more. */
async function liveState(world: World, color: string, without: readonly string[] = []): Promise<Live> {
  let wanted = 0;
  const orphans: string[] = [];
  for (const plural of ['configmaps', 'secrets']) {
    const list = await world.get(`/api/v1/namespaces/${world.namespace}/${plural}`);
    for (const item of arrayAt(list, 'items')) {
      const name = stringAt(item, 'metadata', 'name') ?? '';
      if (stringAt(item, 'metadata', 'labels', MEMBER_LABEL) === undefined) continue;
      const value = stringAt(item, 'data', 'color') ?? '';
      const found =
        plural === 'secrets'
          ? Buffer.from(value, 'base64')
              .toString()
              .replace(`${world.value(0)}-`, '')
          : value;
      if (!name.startsWith('cm-') || without.includes(name)) orphans.push(`${plural}/${name}`);
      else if (found === color) wanted += 1;
    }
  }
  return { wanted, orphans };
}

function converged(world: World, color: string, without: readonly string[] = []): Promise<true> {
  const count = OBJECTS - 2 * without.length;
  return eventually(`${count} objects are ${color} and nothing else is there`, async () => {
    const live = await liveState(world, color, without);
    return live.wanted === count && live.orphans.length === 0 ? true : undefined;
  });
}

const holderOf = async (world: World): Promise<string | undefined> =>
  stringAt(await world.get(configMapPath(world.namespace, 'sotto-inventory')), 'binaryData', 'inventory');

async function untilStarted(agent: RunningAgent): Promise<void> {
  await agent.line('started', ({ msg }) => msg === 'started');
}

describeReal('an agent that is killed and started again', TOOLS, () => {
  test(`kill -9 at ${KILLS} random moments of a first apply and of a change leaves no orphan and loses nothing`, async () => {
    await using world = await createWorld();
    const blue = await manyFiles(world, 'blue');
    const green = await manyFiles(world, 'green');
    const moments: string[] = [];
    const killed = async (): Promise<void> => {
      const agent = await world.start(['--take-over']);
      await untilStarted(agent);
      const afterMs = randomInt(0, 900);
      moments.push(`${afterMs} ms`);
      await sleep(afterMs);
      await agent.kill('SIGKILL');
    };
    try {
      await world.repository.commit(blue, 'first');
      for (let round = 0; round < KILLS; round += 1) await killed();
      // Part of what was begun leaves Git before it was finished.
      const gone = { 'deploy/cm-0.json': null, 'deploy/cm-1.json': null };
      await world.repository.commit({ ...green, ...gone }, 'second');
      for (let round = 0; round < KILLS; round += 1) await killed();
      await using agent = await world.start(['--take-over']);
      await eventually('all is green, cm-0 and cm-1 are gone', async () => {
        const { wanted, orphans } = await liveState(world, 'green');
        if (wanted !== OBJECTS - 2 || orphans.length > 0) return undefined;
        const left = await Promise.all(['cm-0', 'cm-1'].map((name) => world.get(configMapPath(world.namespace, name))));
        return left.every((object) => object === undefined) ? true : undefined;
      });
      expect(await world.get(secretPath(world.namespace, 'cm-0'))).toBeDefined();
      expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
    } catch (thrown) {
      throw new Error(`killed after ${moments.join(', ')}`, { cause: thrown });
    }
  });

  test('SIGTERM at random moments exits 0 and leaves no holder: the next one need not take over', async () => {
    await using world = await createWorld();
    await world.repository.commit(await manyFiles(world, 'blue'), 'first');
    const moments: string[] = [];
    for (let round = 0; round < KILLS; round += 1) {
      const agent = await world.start();
      const afterMs = randomInt(0, 2_000);
      moments.push(`${afterMs} ms`);
      // Before it listens nothing is begun, and the signal ends the process as it ends any other.
      await agent.line('listening', ({ msg }) => msg === 'listening');
      await sleep(afterMs);
      const from = performance.now();
      expect(await agent.kill('SIGTERM'), `ended after ${moments.join(', ')}\n${agent.output()}`).toBe(0);
      // The grace period of a Pod.
      expect(performance.now() - from).toBeLessThan(30_000);
    }
    await using agent = await world.start();
    await converged(world, 'blue');
    expect(agent.output()).not.toContain('SOTTO-PLAN-010');
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('row 96: a restart on an unchanged repository decrypts nothing and writes nothing but the holder', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit(await manyFiles(world, 'blue'), 'first');
    const first = await world.start();
    await untilReady(world, commit);
    await first.kill('SIGTERM');
    const log = await requestsFromNow(world);
    await using second = await world.start();
    await passed(second, commit);
    await sleep(3_000);
    const metrics = await (await listenerOf(second)).text('/metrics');
    const decrypts = metrics.split('\n').filter((line) => line.startsWith('sotto_decrypts_total{'));
    expect(decrypts.filter((line) => !line.endsWith(' 0'))).toEqual([]);
    const writes = (await log.writes()).filter(({ name }) => name !== 'sotto-inventory' && name !== 'sotto-status');
    expect(shown(writes)).toEqual([]);
    const stored = (await log.writes()).filter(({ name }) => name === 'sotto-inventory');
    expect(stored.length, shown(stored).join('\n')).toBeLessThanOrEqual(2);
    const listsOfSecrets = (await log.calls()).filter(({ resource, verb }) => resource === 'secrets' && verb === 'get');
    // The keys, the credential and the fingerprint: no other Secret is read.
    expect(new Set(listsOfSecrets.map(({ name }) => name))).toEqual(
      new Set(['sops-age', 'git-auth', 'sotto-fingerprint']),
    );
  });

  test('what was changed while the agent was down is undone at its start', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit(await manyFiles(world, 'blue'), 'first');
    const first = await world.start();
    await untilReady(world, commit);
    await first.kill('SIGTERM');
    await editByHand(world, configMapPath(world.namespace, 'cm-1'), { data: { color: 'red', added: 'x' } });
    await editByHand(world, secretPath(world.namespace, 'cm-2'), { stringData: { color: 'red' } });
    await remove(world, configMapPath(world.namespace, 'cm-3'));
    await remove(world, secretPath(world.namespace, 'cm-4'));
    await editByHand(world, configMapPath(world.namespace, 'cm-5'), { metadata: { labels: { [MEMBER_LABEL]: null } } });
    await using second = await world.start();
    await converged(world, 'blue');
    await eventually('the addition is gone', async () =>
      memberAt(await world.get(configMapPath(world.namespace, 'cm-1')), 'data', 'added') === undefined
        ? true
        : undefined,
    );
    expect(second.log.filter(({ level }) => level === 'error')).toEqual([]);
    expect(second.output()).not.toContain(world.value(0));
  });
});

describeReal('two agents of one namespace', TOOLS, () => {
  test('the second one waits with a code and writes nothing; --take-over ends the first', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit(
      { 'deploy/a.json': JSON.stringify(configMap('a', { color: 'blue' })) },
      'first',
    );
    const first = await world.start();
    await passed(first, commit);
    await sleep(3_000);
    const before = await holderOf(world);
    const second = await world.start();
    await second.line('it waits', ({ code }) => code === 'SOTTO-PLAN-010');
    await sleep(1_500);
    expect(await holderOf(world)).toBe(before);
    expect(await second.kill('SIGTERM')).toBe(0);
    await using third = await world.start(['--take-over']);
    expect(await first.ended()).not.toBe(0);
    expect(first.output()).toContain('SOTTO-PLAN-010');
    // The loser must not clear the holder of the winner.
    await editByHand(world, configMapPath(world.namespace, 'a'), { data: { color: 'red' } });
    await eventually('the new one corrects', async () =>
      stringAt(await world.get(configMapPath(world.namespace, 'a')), 'data', 'color') === 'blue' ? true : undefined,
    );
    const fourth = await world.start();
    await fourth.line('it waits', ({ code }) => code === 'SOTTO-PLAN-010');
    expect(await fourth.kill('SIGTERM')).toBe(0);
    expect(third.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a waiting agent goes on by itself when the first one has stopped', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit({ 'deploy/a.json': JSON.stringify(configMap('a', {})) }, 'first');
    const first = await world.start();
    await passed(first, commit);
    await using second = await world.start();
    await second.line('it waits', ({ code }) => code === 'SOTTO-PLAN-010');
    expect(await first.kill('SIGTERM')).toBe(0);
    await passed(second, commit);
  });
});

describeReal('agent --once', TOOLS, () => {
  test('its exit code tells what happened', async () => {
    await using world = await createWorld({ sync: '  timeout: 2s' });
    const good = await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.json');
    const first = { 'deploy/a.json': JSON.stringify(configMap('a', {})), 'deploy/db.json': good };
    await world.repository.commit(first, 'good');
    const outputs: string[] = [];
    const code = async (args: readonly string[] = []): Promise<number | null> => {
      const ended = await runOnce(world, args);
      outputs.push(ended.stdout, ended.stderr);
      expect(ended.stderr).not.toMatch(/\n {4}at /);
      return ended.code;
    };
    expect(await code(), outputs.join('')).toBe(0);
    expect(await world.get(secretPath(world.namespace, 'db'))).toBeDefined();

    const pod = { restartPolicy: 'Never', containers: [{ name: 'c', image: 'example.com/c:1' }] };
    const labels = { app: 'never-ready' };
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'never-ready' },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { ...pod, restartPolicy: 'Always' } },
      },
    };
    await world.repository.commit({ 'deploy/d.json': JSON.stringify(deployment) }, 'not ready');
    expect(await code()).toBe(1);
    await world.repository.commit({ 'deploy/d.json': null }, 'ready again');
    expect(await code()).toBe(0);

    const tampered = damaged(good);
    await world.repository.commit({ 'deploy/db.json': tampered }, 'tampered');
    expect(await code()).toBe(4);
    await world.repository.commit({ 'deploy/db.json': good }, 'mended');

    world.git.setFault({ kind: 'status', status: 503 });
    expect(await code()).toBe(3);
    world.git.setFault(null);
    expect(await code(['--kubeconfig', await unreachable(world)])).toBe(3);

    const settings = stringAt(await world.get(configMapPath(world.namespace, 'sotto')), 'data', 'sotto.yaml') ?? '';
    await world.settings(settings.replace('syncs:', 'sinks:'));
    expect(await code()).toBe(2);
    await world.settings(settings);
    expect(await code()).toBe(0);
    expect(outputs.join('')).not.toContain(world.value(0));
  });

  test('a missing right is exit code 5', async () => {
    const rules = AGENT_RULES.filter(({ apiGroups }) => !apiGroups.includes('batch'));
    await using world = await createWorld({ rules });
    const job = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'c' },
      spec: {
        schedule: '0 3 * * *',
        jobTemplate: {
          spec: {
            template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'example.com/c:1' }] } },
          },
        },
      },
    };
    await world.repository.commit({ 'deploy/c.json': JSON.stringify(job) }, 'first');
    const { code, stdout, stderr } = await runOnce(world);
    expect(code, stdout + stderr).toBe(5);
    expect(stdout).toContain('SOTTO-KUBE-003');
  });
});

/** A kubeconfig that names a port on which nothing listens. */
async function unreachable(world: World): Promise<string> {
  const { readFile, writeFile } = await import('node:fs/promises');
  const text = await readFile(world.own.account.kubeconfigPath, 'utf8');
  const path = `${world.folder}/unreachable`;
  await writeFile(path, text.replace(/https:\/\/127\.0\.0\.1:\d+/, 'https://127.0.0.1:9'), { mode: 0o600 });
  return path;
}
