import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, stringAt } from '../../src/core/json.ts';
import type { ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import { type AgentSteps, parseJournal, type RotationJournal } from '../../src/git/rotation-journal.ts';
import { type CliResult, sotto } from '../cli/session.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { untilTried } from '../harness/attention.ts';
import { readyToRotate } from '../harness/rotator.ts';
import type { Checkout } from '../harness/checkout.ts';
import { secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { webGeneration } from '../harness/restarting-workload.ts';
import { createWorld, eventually, type World } from '../harness/world.ts';

describeReal('a rotation with the agent that was killed', ['kube-apiserver', 'etcd', 'sops', 'age-keygen'], () => {
  let world: World;
  let agent: RunningAgent;
  let person: ServiceAccountAccess;
  let checkout: Checkout;

  const generation = (): Promise<number | undefined> => webGeneration(world);
  const journal = (): string => join(checkout.folder, '.git/sotto-rotate');
  const written = (): RotationJournal & { readonly agent: AgentSteps & { readonly secret: string } } => {
    const read = parseJournal(readFileSync(journal(), 'utf8'));
    const secretName = read?.agent?.secret;
    if (read?.agent === undefined || secretName === undefined) throw new Error('the journal names no key of an agent');
    return { ...read, agent: { ...read.agent, secret: secretName } };
  };
  const password = async (): Promise<string> =>
    Buffer.from(
      stringAt(await world.get(secretPath(world.namespace, 'db')), 'data', 'password') ?? '',
      'base64',
    ).toString();
  const ofKey = async (name: string, annotation: string): Promise<string | undefined> =>
    stringAt(await world.get(secretPath(world.namespace, name)), 'metadata', 'annotations', `sotto.dev/${annotation}`);
  const resume = (...more: readonly string[]): Promise<CliResult> =>
    sotto(['rotate', '--resume', ...more], { cwd: checkout.folder, env: checkout.env });
  /** The program itself, as a process that can be killed. */
  const begin = (...more: readonly string[]): ChildProcess => {
    const cluster = ['-n', world.namespace, '--kubeconfig', person.kubeconfigPath];
    const args = [resolve('dist/sotto.cjs'), 'rotate', '--new-secret', '--push', '--yes', ...cluster, ...more];
    const child = spawn(process.execPath, args, { cwd: checkout.folder, env: checkout.env, stdio: 'ignore' });
    writeFileSync(pidFile(), String(child.pid));
    return child;
  };
  const pidFile = (): string => join(world.folder, 'rotate.pid');

  beforeAll(async () => {
    world = await createWorld();
    ({ agent, person, checkout } = await readyToRotate(world));
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  /** Everything that a rotation that nobody killed ends with. */
  async function expectWhole(old: string, until: string | undefined, before: number | undefined): Promise<void> {
    expect(existsSync(journal())).toBe(false);
    expect(checkout.git('status', '--porcelain')).toBe('');
    const head = checkout.git('rev-parse', 'HEAD').trim();
    expect((await world.repository.git(['rev-parse', 'main'])).toString().trim()).toBe(head);
    expect([await ofKey(old, 'state'), await ofKey(old, 'until')]).toEqual(['decrypt-only', until]);
    expect(arrayAt(await world.status(), 'syncs')).toMatchObject([{ appliedRevision: `main@sha1:${head}` }]);
    expect(await generation()).toBe(before);
    expect(await password()).toBe(world.value(0));
  }

  const KILL = 'kill -9 "$(cat PIDFILE)"; sleep 0.2';
  test.each([
    ['before the push', 'checkout', 'pre-push', `${KILL}; exit 1`],
    ['after the push, before the answer', 'remote', 'post-receive', KILL],
    [
      'before the branch follows',
      'checkout',
      'reference-transaction',
      `grep -q ' refs/heads/main$' && { ${KILL}; exit 1; }; exit 0`,
    ],
  ] as const)(
    '%s: goes on with exactly that, waits for the agent and marks the old key',
    async (_, where, name, script) => {
      const before = await generation();
      const folder = where === 'checkout' ? join(checkout.folder, '.git') : world.repository.folder;
      const remove = hook(folder, name, script.replace('PIDFILE', pidFile()));
      expect(await ended(begin())).toBe('SIGKILL');
      remove();
      const { to, agent: left } = written();
      expect(await ofKey(left.secret, 'state')).toBeUndefined();
      expect(await checkout.run('rotate', '--new-secret', '--push', '--yes')).toMatchObject({
        exit: 6,
        stderr: expect.stringContaining('SOTTO-ROTATE-002') as string,
      });
      const { exit, stderr } = await resume();
      expect({ exit, stderr }).toMatchObject({ exit: 0 });
      expect(stderr).toContain(`the agent runs ${to.slice(0, 12)}; 0 workloads changed\n`);
      expect(checkout.git('rev-parse', 'HEAD').trim()).toBe(to);
      await expectWhole(left.secret, left.until, before);
    },
  );

  test('while the agent is waited for: others may push on top, another cluster is noticed, and nothing is done twice', async () => {
    const before = await generation();
    const remove = hook(join(checkout.folder, '.git'), 'pre-push', `kill -STOP ${agent.pid}`);
    const child = begin();
    const end = ended(child);
    await eventually('the checkout has followed', () =>
      Promise.resolve(existsSync(journal()) && written().here === undefined ? true : undefined),
    );
    child.kill('SIGKILL');
    expect(await end).toBe('SIGKILL');
    remove();
    const kept = readFileSync(journal(), 'utf8');
    const { agent: left } = written();
    expect(await ofKey(left.secret, 'state')).toBeUndefined();

    writeFileSync(journal(), kept.replace(left.server, 'https://127.0.0.1:1/'));
    expect(await resume()).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-ROTATE-080') as string });
    writeFileSync(journal(), kept);

    const later = await world.repository.commit({ 'README.md': 'more\n' }, 'on top');
    process.kill(agent.pid, 'SIGCONT');
    const { exit, stderr } = await resume();
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    checkout.git('pull', '-q', '--ff-only');
    expect(checkout.git('rev-parse', 'HEAD').trim()).toBe(later);
    await untilTried(world, later);
    await expectWhole(left.secret, left.until, before);

    // Killed between the mark and the removal of the journal.
    writeFileSync(journal(), kept);
    expect(await resume()).toMatchObject({ exit: 0 });
    await expectWhole(left.secret, left.until, before);
    // Retired since: it stays so.
    const mark = { metadata: { annotations: { 'sotto.dev/state': 'retired' } } };
    await world.own.plane.admin(
      'PATCH',
      secretPath(world.namespace, left.secret),
      mark,
      'application/merge-patch+json',
    );
    writeFileSync(journal(), kept);
    expect(await resume()).toMatchObject({ exit: 0, stderr: expect.stringContaining('is retired') as string });
    expect(await ofKey(left.secret, 'state')).toBe('retired');
  });

  test('raced by others: what was made again is followed to its end', async () => {
    const before = await generation();
    const other = join(world.folder, 'other');
    checkout.git('clone', '-q', world.repository.folder, other);
    const race = `test -e ${other}/raced || { touch ${other}/raced; unset GIT_DIR; cd ${other}; git commit -q --allow-empty -m race; git push -q; exit 0; }`;
    const remove = hook(
      join(checkout.folder, '.git'),
      'pre-push',
      `${race}\n${KILL.replace('PIDFILE', pidFile())}; exit 1`,
    );
    expect(await ended(begin())).toBe('SIGKILL');
    remove();
    expect(written().here).toBeUndefined();
    const { agent: left } = written();
    const { exit, stderr } = await resume();
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    checkout.git('pull', '-q', '--ff-only');
    await expectWhole(left.secret, left.until, before);
  });

  test('with a branch there is no journal: the command for the mark is told', async () => {
    const { exit, stderr } = await checkout.run('rotate', '--new-secret', '--branch', 'rotate-keys', '--push', '--yes');
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    expect(stderr).toMatch(
      /next, once the agent runs it: kubectl annotate secret \S+ -n \S+ sotto\.dev\/state=decrypt-only/,
    );
    expect(existsSync(journal())).toBe(false);
    expect(await resume()).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-ROTATE-003') as string });
  });
});

function ended(child: ChildProcess): Promise<NodeJS.Signals | number | null> {
  return new Promise((settle) => void child.once('exit', (code, signal) => settle(signal ?? code)));
}

function hook(folder: string, name: string, script: string): () => void {
  const path = join(folder, 'hooks', name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return () => rmSync(path);
}
