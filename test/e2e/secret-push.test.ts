import { expect, test } from 'vitest';
import { stringAt } from '../../src/core/json.ts';
import { sotto, type CliResult } from '../cli/session.ts';
import { untilTried } from '../harness/attention.ts';
import { clone } from '../harness/checkout.ts';
import { secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { createWorld, eventually, secret } from '../harness/world.ts';

describeReal('sotto secret set --push', ['kube-apiserver', 'etcd', 'sops', 'age-keygen'], () => {
  test('what a person pushes goes live, raced by another too', async () => {
    await using world = await createWorld();
    const { namespace, repository } = world;
    const person = await world.own.plane.createServiceAccount(namespace, 'kim', []);
    const files = {
      'deploy/db.yaml': await world.sops(
        JSON.stringify(secret('db', { password: world.value(0), user: world.value(1) })),
        'db.yaml',
      ),
      '.sops.yaml': `creation_rules:\n- encrypted_regex: ^(data|stringData)$\n  age: ${world.recipient}\n`,
    };
    const first = await repository.commit(files, 'first');
    await using agent = await world.start();
    await untilTried(world, first);
    const checkout = clone(world, person);
    const set = (key: string, value: string): Promise<CliResult> =>
      sotto(['secret', 'set', '--push', '--yes', 'deploy/db.yaml', `stringData.${key}`], {
        cwd: checkout.folder,
        env: { ...checkout.env, SOPS_AGE_KEY_FILE: world.ageKeyFile },
        stdin: value,
      });
    const live = async (key: string): Promise<string> =>
      Buffer.from(stringAt(await world.get(secretPath(namespace, 'db')), 'data', key) ?? '', 'base64').toString();

    const { exit, stderr } = await set('password', world.value(2));
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    expect(checkout.git('status', '--porcelain')).toBe('');
    await untilTried(world, checkout.git('rev-parse', 'HEAD').trim());
    expect([await live('password'), await live('user')]).toEqual([world.value(2), world.value(1)]);

    await repository.commit({ 'deploy/notes.txt': 'theirs\n' }, 'meanwhile');
    const raced = await set('user', world.value(3));
    expect(raced).toMatchObject({ exit: 0, stderr: expect.stringContaining('git pull --ff-only') as string });
    await eventually('it is live', async () => ((await live('user')) === world.value(3) ? true : undefined));
    expect(await live('password')).toBe(world.value(2));
    await agent.stop();
  });
});
