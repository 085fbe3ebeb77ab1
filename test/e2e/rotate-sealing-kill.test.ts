import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { type Json, stringAt } from '../../src/core/json.ts';
import { untilReady, untilTried } from '../harness/attention.ts';
import { clone } from '../harness/checkout.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { freezeAt, type FreezePoint } from '../harness/freeze.ts';
import { ROTATOR } from '../harness/rotator.ts';
import { describeReal } from '../harness/real.ts';
import { WEB, webGeneration, webPath } from '../harness/restarting-workload.ts';
import { rolledOut } from '../harness/rollout.ts';
import { openedWith, password, sealedFor, sealingKeys, sealingState } from '../harness/sealing-keys.ts';
import { createWorld, eventually } from '../harness/world.ts';

const nameOf = (object: Json | undefined): string => stringAt(object, 'metadata', 'name') ?? '';

describeReal(
  'sotto rotate --new-sealing that was killed before its commit',
  ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kubeseal'],
  () => {
    const rows: readonly { readonly when: string; readonly at: FreezePoint }[] = [
      {
        when: 'when the old key was marked',
        at: { method: 'PATCH', path: /\/secrets\/sotto-sealing-/, isCarriedOut: true },
      },
      {
        when: 'when the new key is there and is to be proven',
        at: { method: 'PATCH', path: /\/configmaps\/sotto-requests/, isCarriedOut: false },
      },
    ];

    test.for(rows)('$when: the same command goes on with the key that the agent has made', async ({ at }) => {
      await using world = await createWorld({ top: 'sealing: { enabled: true }' });
      const person = await world.own.plane.createServiceAccount(world.namespace, 'kim', ROTATOR);
      await using proxy = await startFaultProxy({
        access: world.own.plane.access,
        kubeconfigPath: person.kubeconfigPath,
      });
      await world.repository.commit(await world.canaryFile(), 'canary');
      await using agent = await world.start();
      await world.until('a key', (status) => stringAt(status, 'sealing', 'fingerprint') !== undefined);
      const [old] = await sealingKeys(world);
      const before = await sealedFor(world, old, 0);
      const files = { 'deploy/db.yaml': before, 'deploy/web.yaml': WEB };
      const first = await world.repository.commit(files, 'sealed');
      await untilTried(world, first);
      await rolledOut(world, webPath(world));
      const generation = await webGeneration(world);
      const checkout = clone(world, person);
      const words = ['rotate', '--new-sealing', '--push', '--yes'];

      const frozen = freezeAt(proxy, at);
      const cluster = ['-n', world.namespace, '--kubeconfig', proxy.kubeconfigPath];
      const child = spawn(process.execPath, [resolve('dist/sotto.cjs'), ...words, ...cluster], {
        cwd: checkout.folder,
        env: checkout.env,
        stdio: 'ignore',
      });
      const end = ended(child);
      await frozen;
      const [made, ...others] = await eventually('the agent has made another key', async () => {
        const active = (await sealingKeys(world)).filter((key) => sealingState(key) === 'active');
        return active.length > 0 && nameOf(active[0]) !== nameOf(old) ? active : undefined;
      });
      expect(others).toEqual([]);
      child.kill('SIGKILL');
      expect(await end).toBe('SIGKILL');
      expect(checkout.git('rev-parse', 'HEAD').trim()).toBe(first);
      expect((await world.repository.head()).trim()).toBe(first);
      expect(checkout.git('status', '--porcelain')).toBe('');

      const { exit, stderr } = await checkout.run(...words);
      expect({ exit, stderr }).toMatchObject({ exit: 0 });
      expect(stderr).toContain(`SealedSecrets are sealed for the key of Secret ${nameOf(made)}, `);
      expect(stderr).toContain('; 0 workloads changed\n');
      const states = (await sealingKeys(world)).map((key) => [nameOf(key), sealingState(key)]);
      expect(Object.fromEntries(states)).toEqual({ [nameOf(old)]: 'decrypt-only', [nameOf(made)]: 'active' });
      expect(states).toHaveLength(2);
      expect(checkout.git('rev-parse', 'HEAD^').trim()).toBe(first);
      expect(checkout.git('status', '--porcelain')).toBe('');
      await untilReady(world, checkout.git('rev-parse', 'HEAD').trim());
      const after = readFileSync(join(checkout.folder, 'deploy/db.yaml'), 'utf8');
      expect(await openedWith(world, made, after)).toBe(await openedWith(world, old, before));
      await expect(openedWith(world, old, after)).rejects.toThrow();
      expect(await password(world)).toBe(world.value(0));
      expect(await webGeneration(world)).toBe(generation);
      await agent.stop();
    });
  },
);

function ended(child: ChildProcess): Promise<NodeJS.Signals | number | null> {
  return new Promise((settle) => void child.once('exit', (code, signal) => settle(signal ?? code)));
}
