import { expect, test } from 'vitest';
import { stringAt } from '../../src/core/json.ts';
import { untilReady, untilTried } from '../harness/attention.ts';
import { configMapPath } from '../harness/objects.ts';
import { personIn } from '../harness/person.ts';
import { allowPushing } from '../harness/pushing.ts';
import { describeReal } from '../harness/real.ts';
import { WEB, webGeneration, webPath } from '../harness/restarting-workload.ts';
import { rolledOut } from '../harness/rollout.ts';
import { openedWith, password, sealedFor, sealingKeys, sealingState } from '../harness/sealing-keys.ts';
import { newAgeKeyPair } from '../harness/stock.ts';
import { createWorld, eventually } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kubeseal'] as const;
describeReal('sotto rotate --in-cluster --new-sealing', TOOLS, () => {
  test('the agent makes a sealing key and seals everything for it, once for each rotation; nothing restarts', async () => {
    const recovery = await newAgeKeyPair();
    await using world = await createWorld({
      top: `sealing: { enabled: true, recovery: [ ${recovery.recipient} ] }`,
    });
    const pushing = allowPushing(world);
    await pushing.secret();
    await world.repository.commit(await world.canaryFile(), 'first');
    await using agent = await world.start();
    await world.until('a key', (status) => stringAt(status, 'sealing', 'fingerprint') !== undefined);
    const [old] = await sealingKeys(world);
    const before = `# the database\n${await sealedFor(world, old, 0)}`;
    const base = await world.repository.commit({ 'deploy/db.yaml': before, 'deploy/web.yaml': WEB }, 'sealed');
    await untilTried(world, base);
    expect(await password(world)).toBe(world.value(0));
    await rolledOut(world, webPath(world));
    const generation = await webGeneration(world);
    expect(generation).toBe(1);
    const person = await personIn(world);
    const rotate = (): ReturnType<typeof person.sotto> =>
      person.sotto(['rotate', '--in-cluster', '--new-sealing', '--keep-old', '3d', '--yes']);

    const { exit, stdout } = await rotate();
    expect({ exit, stdout }).toMatchObject({ exit: 0 });
    const [, branch = '', commit = ''] = /branch (\S+) of \S+ is at ([0-9a-f]{40})/.exec(stdout) ?? [];
    const after = (await world.repository.git(['show', `${commit}:deploy/db.yaml`])).toString();
    const blob = /Ag[A-D][A-Za-z0-9+/=]{600,}/g;
    expect(after).not.toBe(before);
    expect(after.replaceAll(blob, 'SEALED')).toBe(before.replaceAll(blob, 'SEALED'));
    expect((await world.repository.head()).trim()).toBe(base);
    const keys = await sealingKeys(world);
    expect(keys.map(sealingState).toSorted()).toEqual(['active', 'decrypt-only']);
    const made = keys.find((key) => sealingState(key) === 'active');
    const gone = keys.find((key) => sealingState(key) === 'decrypt-only');
    const until = stringAt(gone, 'metadata', 'annotations', 'sotto.dev/until') ?? '';
    const days = (Date.parse(until) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(2);
    expect(days).toBeLessThanOrEqual(3);
    const copies = await world.get(configMapPath(world.namespace, 'sotto-recovery'));
    expect(stringAt(copies, 'data', `${stringAt(made, 'metadata', 'name') ?? ''}.age`)).toContain('BEGIN AGE');
    const opened = await openedWith(world, made, after);
    expect(opened).toContain(Buffer.from(world.value(0)).toString('base64'));

    // The same again, as after an answer that was lost: the same branch, and no other key.
    expect((await rotate()).stdout).toContain(
      `branch ${branch} of ${world.git.url(world.repository)} is at ${commit} already`,
    );
    expect(await sealingKeys(world)).toHaveLength(2);
    // Merged, it is a rotation of its own.
    await world.repository.forceTo(commit);
    await untilReady(world, commit);
    expect(await webGeneration(world)).toBe(generation);
    const next = await rotate();
    expect(next.stdout).toContain('branch sotto-rotate-');
    expect(next.stdout).not.toContain(`branch ${branch} `);
    expect((await sealingKeys(world)).map(sealingState).toSorted()).toEqual(['active', 'decrypt-only', 'decrypt-only']);
    expect(await password(world)).toBe(world.value(0));
    expect(await webGeneration(world)).toBe(generation);
    // Another value does restart it.
    await world.repository.commit({ 'deploy/db.yaml': await sealedFor(world, made, 1) }, 'another password');
    await eventually('it restarts', async () => ((await webGeneration(world)) === 2 ? true : undefined));
    expect(await password(world)).toBe(world.value(1));
    await agent.stop();
  });
});
