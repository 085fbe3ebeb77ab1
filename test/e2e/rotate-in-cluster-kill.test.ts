import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { passed, untilTried } from '../harness/attention.ts';
import { type FaultProxy, startFaultProxy } from '../harness/fault-proxy.ts';
import { freezeAt, type FreezePoint } from '../harness/freeze.ts';
import { configMapPath } from '../harness/objects.ts';
import { type Person, personIn } from '../harness/person.ts';
import { allowPushing } from '../harness/pushing.ts';
import { describeReal } from '../harness/real.ts';
import { openedWith, sealedFor, sealingKeys, sealingState } from '../harness/sealing-keys.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'age'] as const;
const FILES = [
  ['deploy/db.yaml', 'yaml'],
  ['other/values.env', 'dotenv'],
] as const;

/** Where the agent dies: at a request to the API server, or in a hook of the Git server. */
type Moment =
  | { readonly kind: 'request'; readonly at: FreezePoint }
  | { readonly kind: 'hook'; readonly name: 'pre-receive' | 'post-receive'; readonly isTaken: boolean };

/** How things stand when it has died. */
interface Left {
  readonly keys: number;
  readonly branches: number;
}

interface Row {
  readonly when: string;
  readonly moment: Moment;
  readonly left: Left;
}

const request = (method: string, path: RegExp, more: Partial<FreezePoint> = {}): Moment => ({
  kind: 'request',
  at: { method, path, isCarriedOut: true, ...more },
});

const IN_THE_PUSH: readonly Pick<Row, 'when' | 'moment'>[] = [
  {
    when: 'in the push, before the branch is there',
    moment: { kind: 'hook', name: 'pre-receive', isTaken: false },
  },
  { when: 'after the push, before the answer', moment: { kind: 'hook', name: 'post-receive', isTaken: true } },
  {
    when: 'after the answer, before the request is gone',
    // The first one notes that it was begun.
    moment: request('PATCH', /\/configmaps\/sotto-requests/, { nth: 2, isCarriedOut: false }),
  },
];
const inThePush = (keys: number): Row[] =>
  IN_THE_PUSH.map((row, at) => ({ ...row, left: { keys, branches: at === 0 ? 1 : 2 } }));

async function branches(world: World): Promise<Record<string, string>> {
  const listed = await world.repository.git(['for-each-ref', '--format=%(refname:short) %(objectname)', 'refs/heads']);
  const lines = listed.toString().trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(' ') as [string, string]));
}

async function file(world: World, revision: string, path: string): Promise<string> {
  return (await world.repository.git(['show', `${revision}:${path}`])).toString();
}

interface Scene {
  readonly world: World;
  readonly person: Person;
  readonly agent: RunningAgent;
  readonly proxy: FaultProxy;
}

const requestsPath = (world: World): string => configMapPath(world.namespace, 'sotto-requests');

async function waiting(world: World): Promise<readonly string[]> {
  return Object.keys(memberAt(await world.get(requestsPath(world)), 'data') ?? {});
}

/** The request of somebody who has seen the plan; it is not made yet. */
async function planned({ world, person }: Scene, keys: 'age' | 'sealing'): Promise<string> {
  const flags = keys === 'sealing' ? ['--new-sealing'] : [];
  const shown = await person.sotto(['rotate', '--in-cluster', '--plan', ...flags]);
  const [, plan = ''] = /plan ([0-9a-f]{16}): /.exec(shown.stdout) ?? [];
  expect(plan, shown.stdout + shown.stderr).not.toBe('');
  await eventually('the plan is answered and gone', async () =>
    (await waiting(world)).length === 0 ? true : undefined,
  );
  return JSON.stringify({ kind: 'rotate', plan, keys, by: 'test' });
}

/** The agent is asked to rotate, and dies there. */
async function dies(at: Scene, row: Row, keys: 'age' | 'sealing', count: () => Promise<number>): Promise<void> {
  const { world, agent, proxy } = at;
  const { moment, left } = row;
  const mine = await planned(at, keys);
  const ask = () =>
    world.own.plane.admin('PATCH', requestsPath(world), { data: { mine } }, 'application/merge-patch+json');
  if (moment.kind === 'hook') {
    const hook = join(world.repository.folder, 'hooks', moment.name);
    writeFileSync(hook, `#!/bin/sh\nkill -9 ${agent.pid}\nexit ${moment.isTaken ? 0 : 1}\n`, { mode: 0o755 });
    await ask();
    await agent.ended();
    rmSync(hook);
  } else {
    const frozen = freezeAt(proxy, moment.at);
    await ask();
    await frozen;
  }
  const stands = async (): Promise<Left> => ({
    keys: await count(),
    branches: Object.keys(await branches(world)).length,
  });
  await eventually('what it did is there', async () => {
    const { keys: made, branches: there } = await stands();
    return made === left.keys && there === left.branches ? true : undefined;
  });
  await agent.kill('SIGKILL');
  expect(await stands()).toEqual(left);
  expect(await waiting(world)).toEqual(['mine']);
}

/** What the next agent answers, and the branch that is there then; no other one is. */
async function goesOn(world: World, first: string, next: RunningAgent): Promise<{ branch: string; commit: string }> {
  const before = await branches(world);
  const said = await next.line('the answer', ({ msg, id }) => msg === 'request answered' && id === 'mine');
  expect(said).toMatchObject({ outcome: 'done' });
  const [, branch = '', commit = ''] = /branch (\S+) of \S+ is at ([0-9a-f]{40})/.exec(String(said['message'])) ?? [];
  expect(await branches(world)).toEqual({ main: first, [branch]: commit });
  // One that was there already is not pushed again.
  expect(before).toEqual(before[branch] === undefined ? { main: first } : { main: first, [branch]: commit });
  const parents = await world.repository.git(['log', '-1', '--format=%P', commit]);
  expect(parents.toString().trim()).toBe(first);
  await eventually('the request is gone', async () => ((await waiting(world)).length === 0 ? true : undefined));
  return { branch, commit };
}

const nameOf = (object: Json | undefined): string => stringAt(object, 'metadata', 'name') ?? '';

async function ageKeys(world: World): Promise<readonly Json[]> {
  const selector = encodeURIComponent('sotto.dev/use=keys');
  return arrayAt(await world.get(`/api/v1/namespaces/${world.namespace}/secrets?labelSelector=${selector}`), 'items');
}

/** Byte by byte what stock sops makes of the files with one key alone. */
async function opened(world: World, revision: string, identity: string): Promise<string[]> {
  const keyFile = join(world.folder, 'alone.txt');
  writeFileSync(keyFile, identity, { mode: 0o600 });
  const all: string[] = [];
  for (const [path, type] of FILES) {
    const encrypted = join(world.folder, 'opened');
    writeFileSync(encrypted, await file(world, revision, path));
    const args = ['decrypt', '--input-type', type, '--output-type', type, encrypted];
    all.push((await stockOutput('sops', args, { env: { SOPS_AGE_KEY_FILE: keyFile } })).toString('latin1'));
  }
  return all;
}

/** The copy of a key for whoever holds the recovery identity. */
async function copyOf(world: World, { identity }: AgeKeyPair, key: Json | undefined): Promise<Json | undefined> {
  const keyFile = join(world.folder, 'recovery.txt');
  writeFileSync(keyFile, `${identity}\n`, { mode: 0o600 });
  const copies = await world.get(configMapPath(world.namespace, 'sotto-recovery'));
  const stdin = stringAt(copies, 'data', `${nameOf(key)}.age`) ?? '';
  return parseJson((await stockOutput('age', ['-d', '-i', keyFile], { stdin })).toString());
}

describeReal('an agent that is killed while it rotates an age key', TOOLS, () => {
  const rows: readonly Row[] = [
    {
      when: 'after the recovery copy',
      moment: request('PATCH', /\/configmaps\/sotto-recovery/),
      left: { keys: 0, branches: 1 },
    },
    { when: 'after the Secret', moment: request('POST', /\/secrets(?:\?|$)/), left: { keys: 1, branches: 1 } },
    {
      when: 'after the note of what it will push, before the push',
      moment: request('PATCH', /\/secrets\/sotto-age-/),
      left: { keys: 1, branches: 1 },
    },
    ...inThePush(1),
  ];

  test.for(rows)('$when: the next one ends it with one key and one branch', async (row) => {
    const recovery = await newAgeKeyPair();
    await using world = await createWorld({ top: `sealing: { recovery: [ ${recovery.recipient} ] }` });
    await using proxy = await startFaultProxy({
      access: world.own.plane.access,
      kubeconfigPath: world.own.account.kubeconfigPath,
    });
    await allowPushing(world).secret();
    await world.create(`/api/v1/namespaces/${world.namespace}/configmaps`, configMap('sotto-recovery', {}));
    const db = JSON.stringify(secret('db', { password: world.value(0), user: world.value(1) }));
    const first = await world.repository.commit(
      {
        'deploy/db.yaml': await world.sops(db, 'db.yaml'),
        'other/values.env': await world.sops(`TOKEN=${world.value(2)}\n`, 'values.env', []),
        '.sops.yaml': `creation_rules:\n- path_regex: \\.yaml$\n  encrypted_regex: ^(data|stringData)$\n  age: ${world.recipient}\n- age: ${world.recipient}\n`,
      },
      'first',
    );
    const agent = await world.start([], { kubeconfig: proxy.kubeconfigPath });
    await untilTried(world, first);
    const person = await personIn(world);
    await dies({ world, person, agent, proxy }, row, 'age', async () => (await ageKeys(world)).length);
    const before = (await ageKeys(world)).map(nameOf);

    await using next = await world.start(['--take-over']);
    const { commit } = await goesOn(world, first, next);
    const [made, ...others] = await ageKeys(world);
    expect(others).toEqual([]);
    expect([[], [nameOf(made)]]).toContainEqual(before);
    const identity = Buffer.from(stringAt(made, 'data', 'age.agekey') ?? '', 'base64').toString();
    const old = readFileSync(world.ageKeyFile, 'utf8');
    expect(await opened(world, commit, identity)).toEqual(await opened(world, first, old));
    await expect(opened(world, commit, old)).rejects.toThrow();
    expect(memberAt(await copyOf(world, recovery, made), 'data')).toEqual(memberAt(made, 'data'));
    await passed(next, first);
    await next.stop();
  });
});

describeReal('an agent that is killed while it rotates a sealing key', [...TOOLS, 'kubeseal'], () => {
  const marked = /\/secrets\/sotto-sealing-/;
  const rows: readonly Row[] = [
    {
      when: 'after the old key was marked',
      moment: request('PATCH', marked),
      left: { keys: 1, branches: 1 },
    },
    { when: 'after the new key', moment: request('POST', /\/secrets(?:\?|$)/), left: { keys: 2, branches: 1 } },
    {
      when: 'after the note of what it will push, before the push',
      moment: request('PATCH', marked, { nth: 2 }),
      left: { keys: 2, branches: 1 },
    },
    ...inThePush(2),
  ];

  test.for(rows)('$when: the next one ends it with one new key and one branch', async (row) => {
    await using world = await createWorld({ top: 'sealing: { enabled: true }' });
    await using proxy = await startFaultProxy({
      access: world.own.plane.access,
      kubeconfigPath: world.own.account.kubeconfigPath,
    });
    await allowPushing(world).secret();
    await world.repository.commit(await world.canaryFile(), 'canary');
    const agent = await world.start([], { kubeconfig: proxy.kubeconfigPath });
    await world.until('a key', (status) => stringAt(status, 'sealing', 'fingerprint') !== undefined);
    const [old] = await sealingKeys(world);
    const text = await sealedFor(world, old, 0);
    const first = await world.repository.commit({ 'deploy/db.yaml': text }, 'sealed');
    await untilTried(world, first);
    const person = await personIn(world);
    await dies({ world, person, agent, proxy }, row, 'sealing', async () => (await sealingKeys(world)).length);

    await using next = await world.start(['--take-over']);
    const { commit } = await goesOn(world, first, next);
    const keys = await sealingKeys(world);
    expect(keys.map(sealingState).toSorted()).toEqual(['active', 'decrypt-only']);
    expect(keys.filter((key) => sealingState(key) !== 'active').map(nameOf)).toEqual([nameOf(old)]);
    const made = keys.find((key) => sealingState(key) === 'active');
    const after = await file(world, commit, 'deploy/db.yaml');
    expect(await openedWith(world, made, after)).toBe(await openedWith(world, old, text));
    await expect(openedWith(world, old, after)).rejects.toThrow();
    await passed(next, first);
    await next.stop();
  });
});
