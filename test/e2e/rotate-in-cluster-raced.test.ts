import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, memberAt } from '../../src/core/json.ts';
import type { LogLine, RunningAgent } from '../harness/agent.ts';
import { untilTried } from '../harness/attention.ts';
import { configMapPath } from '../harness/objects.ts';
import { type Person, personIn } from '../harness/person.ts';
import { allowPushing } from '../harness/pushing.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

describeReal('a rotation by the agent while others push', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  let person: Person;
  let workDir: string;
  let first: string;

  const requestsPath = (): string => configMapPath(world.namespace, 'sotto-requests');
  const encrypted = (name: string, index: number): Promise<string> =>
    world.sops(JSON.stringify(secret(name, { password: world.value(index) })), `${name}.json`);
  const branches = async (): Promise<string[]> =>
    (await world.repository.git(['for-each-ref', '--format=%(refname:short)', 'refs/heads']))
      .toString()
      .trim()
      .split('\n');
  const newKeys = async (): Promise<number> => {
    const selector = encodeURIComponent('sotto.dev/use=keys');
    const path = `/api/v1/namespaces/${world.namespace}/secrets?labelSelector=${selector}`;
    return arrayAt(await world.get(path), 'items').length;
  };
  /** The rotation has brought a commit from the server, and will ask for more. */
  const hasFetched = (): boolean =>
    readdirSync(workDir).some((name) => existsSync(join(workDir, name, 'rotation/repo.git/shallow')));

  /** Somebody pushes after the agent has the commit that it begins with. What it answers then. */
  async function racedBy(id: string, files: () => Promise<Record<string, string>>): Promise<LogLine & { tip: string }> {
    const shown = await person.sotto(['rotate', '--in-cluster', '--plan']);
    const [, plan = ''] = /plan ([0-9a-f]{16}): /.exec(shown.stdout) ?? [];
    expect(plan, shown.stdout + shown.stderr).not.toBe('');
    await eventually('the plan is answered and gone', async () =>
      Object.keys(memberAt(await world.get(requestsPath()), 'data') ?? {}).length === 0 ? true : undefined,
    );
    expect(hasFetched()).toBe(false);
    const theirs = await files();
    let tip: Promise<string> | undefined;
    world.git.setGate(async () => {
      if (tip === undefined && hasFetched()) tip = world.repository.commit(theirs, 'meanwhile');
      await tip;
    });
    const data = { [id]: JSON.stringify({ kind: 'rotate', plan, keys: 'age', by: 'test' }) };
    await world.own.plane.admin('PATCH', requestsPath(), { data }, 'application/merge-patch+json');
    const answer = await agent.line('the answer', (line) => line.msg === 'request answered' && line['id'] === id);
    world.git.setGate(() => Promise.resolve());
    expect(tip).toBeDefined();
    return { ...answer, tip: (await tip) ?? '' };
  }

  beforeAll(async () => {
    world = await createWorld();
    await allowPushing(world).secret();
    workDir = join(world.folder, 'work');
    mkdirSync(workDir);
    person = await personIn(world);
    agent = await world.start([], { env: { SOTTO_WORK_DIR: workDir } });
    first = await world.repository.commit(
      { 'deploy/db.json': await encrypted('db', 0), '.sops.yaml': rules(world.recipient) },
      'first',
    );
    await untilTried(world, first);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test('makes no key and no branch where what they push lets somebody in', async () => {
    const mallory = await newAgeKeyPair();
    const manifest = JSON.stringify(secret('api', { password: world.value(1) }));
    const both = `${world.recipient},${mallory.recipient}`;
    const args = [
      'encrypt',
      '--age',
      both,
      '--encrypted-regex',
      '^(data|stringData)$',
      '--filename-override',
      'api.json',
    ];
    const made = (await stockOutput('sops', args, { stdin: manifest })).toString();
    const answer = await racedBy('planted', () =>
      Promise.resolve({
        'deploy/api.json': made,
        '.sops.yaml': `${rules(both, '^deploy/api')}${ruleOf(world.recipient)}`,
      }),
    );
    expect(answer).toMatchObject({
      outcome: 'refused',
      message: expect.stringContaining('SOTTO-ROTATE-120') as string,
    });
    expect(await branches()).toEqual(['main']);
    expect(await newKeys()).toBe(0);
    await world.repository.forceTo(first);
  });

  test('goes on from what they have pushed, with what they have encrypted meanwhile', async () => {
    const sent = await encrypted('api', 1);
    const answer = await racedBy('mine', () =>
      Promise.resolve({ 'docs/readme.md': 'theirs\n', 'deploy/api.json': sent }),
    );
    expect(answer).toMatchObject({ outcome: 'done' });
    const [, commit = ''] = / is at ([0-9a-f]{40})/.exec(String(answer['message'])) ?? [];
    const parent = (await world.repository.git(['log', '-1', '--format=%P', commit])).toString().trim();
    expect(parent).toBe(answer.tip);
    const api = (await world.repository.git(['show', `${commit}:deploy/api.json`])).toString();
    expect(api).not.toContain(world.recipient);
    expect((await world.repository.git(['show', `${commit}:docs/readme.md`])).toString()).toBe('theirs\n');
    expect(await newKeys()).toBe(1);
  });
});

const ruleOf = (names: string, path?: string): string =>
  `- encrypted_regex: ^(data|stringData)$\n${path === undefined ? '' : `  path_regex: ${path}\n`}  age: ${names}\n`;
const rules = (names: string, path?: string): string => `creation_rules:\n${ruleOf(names, path)}`;
