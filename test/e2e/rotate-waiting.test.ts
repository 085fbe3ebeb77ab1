import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, stringAt } from '../../src/core/json.ts';
import { type CliResult, sotto } from '../cli/session.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { untilTried } from '../harness/attention.ts';
import { readyToRotate } from '../harness/rotator.ts';
import type { Checkout } from '../harness/checkout.ts';
import { secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { webGeneration, webPath } from '../harness/restarting-workload.ts';
import { rolledOut } from '../harness/rollout.ts';
import { createWorld, eventually, type World } from '../harness/world.ts';

describeReal('a rotation that waits for the agent', ['kube-apiserver', 'etcd', 'sops', 'age-keygen'], () => {
  let world: World;
  let agent: RunningAgent;
  let checkout: Checkout;

  const generation = (): Promise<number | undefined> => webGeneration(world);
  const journal = (): string => join(checkout.folder, '.git/sotto-rotate');
  const resume = (...more: readonly string[]): Promise<CliResult> =>
    sotto(['rotate', '--resume', ...more], { cwd: checkout.folder, env: checkout.env });
  const head = (): string => checkout.git('rev-parse', 'HEAD').trim();
  const keySecrets = async (): Promise<readonly Json[]> => {
    const selector = encodeURIComponent('sotto.dev/use=keys');
    return arrayAt(await world.get(`/api/v1/namespaces/${world.namespace}/secrets?labelSelector=${selector}`), 'items');
  };
  const made = async (): Promise<string[]> =>
    (await keySecrets()).map((key) => stringAt(key, 'metadata', 'name') ?? '');
  const mark = async (name: string, annotation: 'state' | 'until'): Promise<string | undefined> =>
    stringAt(await world.get(secretPath(world.namespace, name)), 'metadata', 'annotations', `sotto.dev/${annotation}`);

  beforeAll(async () => {
    world = await createWorld();
    ({ agent, checkout } = await readyToRotate(world));
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test('says which workloads somebody changed meanwhile, and is done all the same', async () => {
    const before = await generation();
    const [reached, go] = [join(world.folder, 'reached'), join(world.folder, 'go')];
    const hook = join(checkout.folder, '.git/hooks/pre-push');
    const wait = `touch ${reached}; until test -e ${go}; do sleep 0.05; done`;
    writeFileSync(hook, `#!/bin/sh\n${wait}\n`, { mode: 0o755 });
    const rotating = checkout.run('rotate', '--new-secret', '--push', '--keep-old', '2d', '--yes');
    await eventually('it is about to push', () => Promise.resolve(existsSync(reached) ? true : undefined));
    await world.own.plane.admin(
      'PATCH',
      webPath(world),
      { spec: { revisionHistoryLimit: 3 } },
      'application/merge-patch+json',
    );
    await rolledOut(world, webPath(world));
    expect(await generation()).toBe((before ?? 0) + 1);
    writeFileSync(go, '');
    const { exit, stderr } = await rotating;
    rmSync(hook);

    expect({ exit, stderr }).toMatchObject({ exit: 1, stderr: expect.stringContaining('SOTTO-ROTATE-016') as string });
    expect(stderr).toContain(`the agent runs ${head().slice(0, 12)}; 1 workloads changed\n`);
    expect(stderr).toMatch(/SOTTO-ROTATE-016.*Deployment\/web: .*somebody changed them.*kubectl rollout history/s);
    expect(await mark('sops-age', 'state')).toBe('decrypt-only');
    const untilMs = Date.parse((await mark('sops-age', 'until')) ?? '') - Date.now();
    expect(untilMs / 86_400_000).toBeGreaterThan(1);
    expect(untilMs / 86_400_000).toBeLessThanOrEqual(2);
    expect((await world.repository.git(['rev-parse', 'main'])).toString().trim()).toBe(head());
    expect(checkout.git('status', '--porcelain')).toBe('');
    expect(await resume()).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-ROTATE-003') as string });
  });

  test('tells when the agent does not run it in time, marks nothing, and --resume waits again', async () => {
    const before = await generation();
    const [old, ...others] = await made();
    const broken = await world.repository.commit({ 'deploy/broken.yaml': 'a: [\n' }, 'somebody else’s mistake');
    checkout.git('pull', '-q', '--ff-only');
    await untilTried(world, broken);
    expect({ old: old?.startsWith('sotto-age-'), others }).toEqual({ old: true, others: [] });

    const late = await checkout.run('rotate', '--new-secret', '--push', '--timeout', '2s', '--yes');
    const told = { exit: 3, stderr: expect.stringContaining('SOTTO-ROTATE-015') as string };
    expect(late).toMatchObject(told);
    const rotated = head();
    expect(rotated).not.toBe(broken);
    expect(late.stderr).toMatch(/does not run [0-9a-f]{12} yet.*then sotto rotate --resume; both keys are there/s);
    expect((await world.repository.git(['rev-parse', 'main'])).toString().trim()).toBe(rotated);
    expect(await resume('--timeout', '1s')).toMatchObject(told);
    expect(existsSync(journal())).toBe(true);
    expect(await mark(old ?? '', 'state')).toBeUndefined();

    await world.repository.commit({ 'deploy/broken.yaml': '# nothing\n' }, 'mended');
    const { exit, stderr } = await resume();
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    expect(stderr).toContain(`the agent runs ${rotated.slice(0, 12)}; 0 workloads changed\n`);
    expect(existsSync(journal())).toBe(false);
    expect(await mark(old ?? '', 'state')).toBe('decrypt-only');
    expect(await generation()).toBe(before);
  });

  test('does not take what the agent runs for a commit of a branch that no sync follows', async () => {
    checkout.git('pull', '-q', '--ff-only');
    checkout.git('switch', '-q', '-c', 'work');
    checkout.git('push', '-q', '-u', 'origin', 'work');
    const states = new Map(
      await Promise.all((await made()).map(async (name) => [name, await mark(name, 'state')] as const)),
    );
    const late = await checkout.run('rotate', '--new-secret', '--push', '--timeout', '5s', '--yes');
    expect(late).toMatchObject({ exit: 3, stderr: expect.stringContaining('SOTTO-ROTATE-015') as string });
    expect(late.stderr).toContain('no sync has read it yet');
    // The key of before is in use, and stays so.
    expect([...states.values()].filter((state) => state === undefined)).toHaveLength(1);
    for (const [name, state] of states) expect(await mark(name, 'state'), name).toBe(state);
    expect(existsSync(journal())).toBe(true);
  });
});
