import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { arrayAt, type Json, stringAt } from '../../src/core/json.ts';
import { untilTried } from '../harness/attention.ts';
import { secretPath } from '../harness/objects.ts';
import { type Person, personIn } from '../harness/person.ts';
import { allowPushing, type Pushing } from '../harness/pushing.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'age'] as const;

interface Rotated {
  readonly branch: string;
  readonly commit: string;
}

interface Scene extends AsyncDisposable {
  readonly world: World;
  readonly pushing: Pushing;
  readonly person: Person;
  readonly recovery: AgeKeyPair;
  /** The head of the followed branch. */
  readonly first: string;
  rotate(...flags: readonly string[]): Promise<Awaited<ReturnType<Person['sotto']>>>;
  tip(branch: string): Promise<string | undefined>;
  file(revision: string, path: string): Promise<string>;
  newKeys(): Promise<readonly Json[]>;
}

/** A repository with a file in the path of the sync and one beside it, both for the key of the agent. */
async function scene(): Promise<Scene> {
  const recovery = await newAgeKeyPair();
  const world = await createWorld({ top: `sealing: { recovery: [ ${recovery.recipient} ] }` });
  const pushing = allowPushing(world);
  const first = await world.repository.commit(
    {
      'deploy/db.yaml': `# the database\n${await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.yaml')}`,
      'other/values.env': await world.sops(`TOKEN=${world.value(1)}\n`, 'values.env', []),
      'docs/readme.md': 'sops is not what this is\n',
      '.sops.yaml': `creation_rules:\n- path_regex: \\.yaml$\n  encrypted_regex: ^(data|stringData)$\n  age: ${world.recipient}\n- age: ${world.recipient}\n`,
    },
    'first',
  );
  const person = await personIn(world);
  return {
    world,
    pushing,
    person,
    recovery,
    first,
    rotate: (...flags) => person.sotto(['rotate', '--in-cluster', '--yes', ...flags]),
    tip: async (branch) => {
      const found = await world.repository.git(['for-each-ref', '--format=%(objectname)', `refs/heads/${branch}`]);
      return found.toString().trim() || undefined;
    },
    file: async (revision, path) => (await world.repository.git(['show', `${revision}:${path}`])).toString(),
    newKeys: async () => {
      const selector = encodeURIComponent('sotto.dev/use=keys');
      const path = `/api/v1/namespaces/${world.namespace}/secrets?labelSelector=${selector}`;
      return arrayAt(await world.get(path), 'items');
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

function pushedIn(stdout: string): Rotated {
  const [, branch, commit] = /branch (\S+) of \S+ is at ([0-9a-f]{40})/.exec(stdout) ?? [];
  if (branch === undefined || commit === undefined) throw new Error(stdout);
  return { branch, commit };
}

function entryOf(object: Json | undefined, entry: string): string {
  return Buffer.from(stringAt(object, 'data', entry) ?? '', 'base64').toString();
}

describeReal('sotto rotate --in-cluster', TOOLS, () => {
  test('the agent makes the key, encrypts in memory and pushes a branch; merged, it marks the old key', async () => {
    await using at = await scene();
    const { world, first } = at;
    await at.pushing.secret();
    await using agent = await world.start();
    await untilTried(world, first);
    await eventually('live', () => world.get(secretPath(world.namespace, 'db')));

    const shown = await at.rotate('--plan');
    expect(shown).toMatchObject({ exit: 0, stdout: expect.stringContaining('2 of 2 SOPS files') as string });
    expect(await at.newKeys()).toEqual([]);

    const { exit, stdout, stderr } = await at.rotate();
    expect({ exit, stdout, stderr }).toMatchObject({ exit: 0 });
    const { branch, commit } = pushedIn(stdout);
    expect(await at.tip(branch)).toBe(commit);
    expect(await at.tip('main')).toBe(first);
    const [made, ...others] = await at.newKeys();
    expect(others).toEqual([]);
    const identity = entryOf(made, 'age.agekey');
    const recipient = /# public key: (age1\w+)/.exec(identity)?.[1] ?? '';
    expect(stdout).toContain(recipient);
    // Stock sops opens all of the branch with the new key alone.
    const keyFile = join(world.folder, 'made.txt');
    writeFileSync(keyFile, identity, { mode: 0o600 });
    const opened = async (path: string, type: string): Promise<string> => {
      const file = join(world.folder, `opened.${type}`);
      writeFileSync(file, await at.file(commit, path));
      const args = ['decrypt', '--input-type', type, '--output-type', type, file];
      return (await stockOutput('sops', args, { env: { SOPS_AGE_KEY_FILE: keyFile } })).toString();
    };
    expect(await opened('deploy/db.yaml', 'yaml')).toContain(world.value(0));
    expect(await opened('other/values.env', 'dotenv')).toContain(world.value(1));
    expect(await at.file(commit, '.sops.yaml')).not.toContain(world.recipient);
    const changed = await world.repository.git(['diff', '--name-only', first, commit]);
    expect(changed.toString().trim().split('\n')).toEqual(['.sops.yaml', 'deploy/db.yaml', 'other/values.env']);
    const log = await world.repository.git(['log', '-1', '--format=%an <%ae> %P', commit]);
    expect(log.toString().trim()).toBe(`sotto in ${world.namespace} <sotto@${world.namespace}.invalid> ${first}`);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
    await agent.stop();
  });
});
