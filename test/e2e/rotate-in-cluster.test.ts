import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import { isolatedGitEnv } from '../../src/demo/git-repository.ts';
import { needlesOf, scanProcess } from '../../src/demo/memory-scan.ts';
import { sotto } from '../cli/session.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { untilTried } from '../harness/attention.ts';
import { logOf } from '../harness/leak-check.ts';
import { apiItems, fileItems, type Item, listenerItems, processItems } from '../harness/leak-places.ts';
import { configMapPath, secretPath } from '../harness/objects.ts';
import { type Person, personIn } from '../harness/person.ts';
import { allowPushing, type Pushing } from '../harness/pushing.ts';
import { type ProcessSampler, sampleProcesses } from '../harness/process-sampler.ts';
import { describeReal } from '../harness/real.ts';
import { WEB, webGeneration, webPath } from '../harness/restarting-workload.ts';
import { rolledOut } from '../harness/rollout.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { createWorld, eventually, secret, type World } from '../harness/world.ts';

const DATABASE = 'deploy/db.yaml';
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

const noMore = (): Promise<Record<string, string>> => Promise.resolve({});

/** A repository with a file in the path of the sync and one beside it, both for the key of the agent. */
async function scene(
  more: (world: World) => Promise<Record<string, string>> = noMore,
  recipients: readonly string[] = [],
): Promise<Scene> {
  const recovery = await newAgeKeyPair();
  const top = `sealing: { recovery: [ ${recovery.recipient} ] }\nrotation: { recipients: [ ${recipients.join(', ')} ] }`;
  const world = await createWorld({ top });
  const pushing = allowPushing(world);
  const first = await world.repository.commit(
    {
      'deploy/web.yaml': WEB,
      'deploy/db.yaml': `# the database\n${await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.yaml')}`,
      'other/values.env': await world.sops(`TOKEN=${world.value(1)}\n`, 'values.env', []),
      'docs/readme.md': 'sops is not what this is\n',
      '.sops.yaml': `creation_rules:\n- path_regex: \\.yaml$\n  encrypted_regex: ^(data|stringData)$\n  age: ${world.recipient}\n- age: ${world.recipient}\n`,
      ...(await more(world)),
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

/** The last word on a request; `accepted` is none. */
function answered(world: World, id: string): Promise<Json> {
  return eventually(`${id} is answered`, async () =>
    arrayAt((await world.status()) ?? null, 'handled').find(
      (each) => stringAt(each, 'id') === id && stringAt(each, 'outcome') !== 'accepted',
    ),
  );
}

function nameOf(object: Json | undefined): string {
  return stringAt(object, 'metadata', 'name') ?? '';
}

async function password(world: World): Promise<string> {
  return entryOf(await world.get(secretPath(world.namespace, 'db')), 'password');
}

/** The agent runs the first commit, and its workload is there. */
async function running({ world, first }: Scene): Promise<RunningAgent> {
  const agent = await world.start();
  await untilTried(world, first);
  await rolledOut(world, webPath(world));
  return agent;
}

/** What of a branch stock sops makes with one key alone. */
function openerWith(at: Scene, identity: string): (revision: string, path: string, type: string) => Promise<string> {
  const keyFile = join(at.world.folder, 'made.txt');
  return async (revision, path, type) => {
    const file = join(at.world.folder, `opened.${type}`);
    writeFileSync(keyFile, identity, { mode: 0o600 });
    writeFileSync(file, await at.file(revision, path));
    const args = ['decrypt', '--input-type', type, '--output-type', type, file];
    return (await stockOutput('sops', args, { env: { SOPS_AGE_KEY_FILE: keyFile } })).toString();
  };
}

/** Every place where the identity of a key stands, as text or as base64: its Secret has to be among them. */
async function placesOf(
  identity: string,
  { world }: Scene,
  agent: RunningAgent,
  processes: ProcessSampler,
  since: Date,
): Promise<readonly string[]> {
  const [key = ''] = /AGE-SECRET-KEY-1[0-9A-Z]+/.exec(identity) ?? [];
  expect(key).not.toBe('');
  const text = key.slice(20, 60);
  const encoded = [0, 1, 2].map((skip) =>
    Buffer.from(identity.slice(identity.indexOf(text) + skip))
      .toString('base64')
      .slice(0, 40),
  );
  const samples = processes.samples();
  expect(samples.some(({ parent }) => parent === agent.pid)).toBe(true);
  const items: Item[] = [
    logOf(agent),
    ...(await listenerItems(agent)),
    ...(await apiItems(world)),
    ...(await valuesOfSecrets(world)),
    ...processItems(samples),
    ...(await fileItems(world, samples, since)),
  ];
  const found = items.filter(({ bytes }) => [text, ...encoded].some((each) => Buffer.from(bytes).includes(each)));
  // The identity itself is a number in memory; its text is gone.
  const chunk = { prefix: key.slice(20, 26), values: [key.slice(20, 35)] };
  const { valuesFound } = scanProcess(agent.pid, needlesOf(chunk), { freeze: true });
  return [...found.map(({ name }) => name), ...(valuesFound === 0 ? [] : ['memory of the agent'])];
}

async function valuesOfSecrets(world: World): Promise<readonly Item[]> {
  const secrets = arrayAt(await world.get(`/api/v1/namespaces/${world.namespace}/secrets`), 'items');
  return secrets.map((each) => ({ name: `values of ${nameOf(each)}`, bytes: Buffer.from(JSON.stringify(each)) }));
}

describeReal('sotto rotate --in-cluster', TOOLS, () => {
  test('the agent makes the key, encrypts in memory and pushes a branch; merged, it marks the old key', async () => {
    const since = new Date();
    using processes = sampleProcesses();
    await using at = await scene();
    const { world, first } = at;
    await at.pushing.secret();
    await using agent = await running(at);
    const generation = await webGeneration(world);

    const shown = await at.rotate('--plan');
    expect(shown).toMatchObject({ exit: 0, stdout: expect.stringContaining('2 of 2 SOPS files') as string });
    expect(await at.newKeys()).toEqual([]);

    const { exit, stdout, stderr } = await at.rotate('--keep-old', '3d');
    expect({ exit, stdout, stderr }).toMatchObject({ exit: 0 });
    const { branch, commit } = pushedIn(stdout);
    expect(await at.tip(branch)).toBe(commit);
    expect(await at.tip('main')).toBe(first);
    const [made, ...others] = await at.newKeys();
    expect(others).toEqual([]);
    const identity = entryOf(made, 'age.agekey');
    const recipient = /# public key: (age1\w+)/.exec(identity)?.[1] ?? '';
    expect(stdout).toContain(recipient);
    expect(await placesOf(identity, at, agent, processes, since)).toEqual([`values of ${nameOf(made)}`]);
    // The old one besides where this test has put it.
    const old = readFileSync(world.ageKeyFile, 'utf8');
    expect(await placesOf(old, at, agent, processes, since)).toEqual(['values of sops-age', world.ageKeyFile]);
    expect(agent.output()).not.toContain(at.pushing.password);

    // Encrypted at birth to whoever can get it back.
    const copies = await world.get(configMapPath(world.namespace, 'sotto-recovery'));
    writeFileSync(join(world.folder, 'recovery.txt'), `${at.recovery.identity}\n`);
    const opened = await stockOutput('age', ['-d', '-i', join(world.folder, 'recovery.txt')], {
      stdin: stringAt(copies, 'data', `${nameOf(made)}.age`) ?? '',
    });
    expect(stringAt(parseJson(opened.toString()), 'data', 'age.agekey')).toBe(stringAt(made, 'data', 'age.agekey'));

    // Stock sops opens all of the branch with the new key alone.
    const open = openerWith(at, identity);
    expect(await open(commit, DATABASE, 'yaml')).toContain(world.value(0));
    expect(await open(commit, 'other/values.env', 'dotenv')).toContain(world.value(1));
    expect(await at.file(commit, '.sops.yaml')).not.toContain(world.recipient);
    const changed = await world.repository.git(['diff', '--name-only', first, commit]);
    expect(changed.toString().trim().split('\n')).toEqual([
      '.sops.yaml',
      '.sotto/rotation.json',
      DATABASE,
      'other/values.env',
    ]);
    const log = await world.repository.git(['log', '-1', '--format=%an <%ae> %P', commit]);
    expect(log.toString().trim()).toBe(`sotto in ${world.namespace} <sotto@${world.namespace}.invalid> ${first}`);

    // Whoever reviews it needs no key: the receipt says which key opened what, signed by the agent.
    const review = join(world.folder, 'review');
    execFileSync('git', ['clone', '-q', '-b', branch, world.repository.folder, review], {
      env: isolatedGitEnv(world.folder),
    });
    const signer = stringAt(await world.status(), 'receipts', 'publicKey') ?? '';
    const checked = await sotto(['check', '--rotation', 'HEAD', '--receipt-key', signer, '--require-receipt'], {
      cwd: review,
      env: { PATH: process.env['PATH'] ?? '' },
    });
    expect(checked).toMatchObject({ exit: 0, stdout: '' });
    expect(checked.stderr).toContain('0 are otherwise');

    // Whose answer was lost asks again, and gets the same.
    const again = await at.rotate();
    expect(again).toMatchObject({ exit: 0, stdout: expect.stringContaining(`at ${commit} already`) as string });
    expect(await at.newKeys()).toHaveLength(1);
    const before = await at.person.sotto(['rotate', 'status']);
    expect(before.stdout).toContain(`old key  ${world.recipient} in Secret sops-age: active\n`);
    expect(before.stdout).toContain(`runs     files that are for the old key\nnext     look at branch ${branch}`);

    await world.repository.forceTo(commit);
    await untilTried(world, commit);
    const marked = await world.until('the old key only opens', (status) =>
      arrayAt(status, 'keys').some((key) => stringAt(key, 'state') === 'decrypt-only'),
    );
    const gone = arrayAt(marked, 'keys').find((key) => stringAt(key, 'id') === world.recipient);
    expect(gone).toMatchObject({ state: 'decrypt-only' });
    const days = (Date.parse(stringAt(gone, 'until') ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(2);
    expect(days).toBeLessThanOrEqual(3);
    expect(await webGeneration(world)).toBe(generation);
    expect(await password(world)).toBe(world.value(0));
    const after = await at.person.sotto(['rotate', 'status']);
    expect(after.stdout).toContain(`next     sotto keys retire sops-age -n ${world.namespace}`);
    // What is encrypted for the old key goes on opening.
    const late = await world.sops(JSON.stringify(secret('db', { password: world.value(2) })), 'db.yaml');
    await world.repository.commit({ [DATABASE]: late }, 'as before');
    await eventually('the old key opens it', async () =>
      (await password(world)) === world.value(2) ? true : undefined,
    );
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
    await agent.stop();
  });

  test('an agent that is killed in the middle leaves a request and a key, and the next one goes on with both', async () => {
    await using at = await scene();
    const { world, first } = at;
    await at.pushing.secret();
    const agent = await running(at);
    const [, plan = ''] = /plan ([0-9a-f]{16}): /.exec((await at.rotate('--plan')).stdout) ?? [];
    const request = JSON.stringify({ kind: 'rotate', plan, branch: 'rotate-2027', by: 'test' });
    const path = configMapPath(world.namespace, 'sotto-requests');
    await world.own.plane.admin('PATCH', path, { data: { mine: request } }, 'application/merge-patch+json');
    const [made] = await eventually('a key is made', async () => {
      const keys = await at.newKeys();
      return keys.length > 0 ? keys : undefined;
    });
    world.git.setFault({ kind: 'hang' });
    await agent.kill('SIGKILL');
    world.git.setFault(null);
    const left = await world.get(path);
    expect(memberAt(left, 'data')).toEqual({ mine: request });
    expect(stringAt(left, 'metadata', 'annotations', 'sotto.dev/begun')).toBe('{"mine":1}');
    await using next = await world.start(['--take-over']);
    const answer = await answered(world, 'mine');
    const { branch, commit } = pushedIn(stringAt(answer, 'message') ?? '');
    expect(branch).toBe('rotate-2027');
    expect(await at.tip(branch)).toBe(commit);
    expect(await at.tip('main')).toBe(first);
    expect((await at.newKeys()).map(nameOf)).toEqual([nameOf(made)]);
    expect(await openerWith(at, entryOf(made, 'age.agekey'))(commit, DATABASE, 'yaml')).toContain(world.value(0));
    await next.stop();
  });

  test('a request that was begun twice before is done; one that ended three agents is answered and removed', async () => {
    await using at = await scene();
    const { world } = at;
    await at.pushing.secret();
    await using agent = await running(at);
    const path = configMapPath(world.namespace, 'sotto-requests');
    const begun = (id: string, times: number): Promise<unknown> => {
      const metadata = { annotations: { 'sotto.dev/begun': JSON.stringify({ [id]: times }) } };
      const patch = { metadata, data: { [id]: JSON.stringify({ kind: 'rotate', by: 'test' }) } };
      return world.own.plane.admin('PATCH', path, patch, 'application/merge-patch+json');
    };
    const settled = (): Promise<unknown> =>
      eventually('it is removed, and so is its count', async () => {
        const live = await world.get(path);
        const count = stringAt(live, 'metadata', 'annotations', 'sotto.dev/begun');
        return memberAt(live, 'data') === undefined && count === undefined ? true : undefined;
      });
    await begun('second', 2);
    expect(await answered(world, 'second')).toMatchObject({ outcome: 'done' });
    await settled();
    await begun('third', 3);
    const answer = await answered(world, 'third');
    expect(answer).toMatchObject({ outcome: 'failed', message: expect.stringContaining('ROTATE-036') as string });
    await settled();
    await agent.stop();
  });

  test('its reason is in the commit, and what a key in wrong hands could open is followed from before there is another', async () => {
    await using at = await scene();
    const { world } = at;
    await at.pushing.secret();
    await using agent = await running(at);
    const { exit, stdout, stderr } = await at.rotate('--reason', 'compromised: a laptop is gone');
    expect({ exit, stdout, stderr }).toMatchObject({ exit: 0 });
    const { commit } = pushedIn(stdout);
    const message = (await world.repository.git(['log', '-1', '--format=%B', commit])).toString();
    expect(message).toContain('\n\nReason: compromised: a laptop is gone\n\n');
    expect(arrayAt((await world.status()) ?? null, 'exposures')).toMatchObject([
      {
        key: world.recipient,
        reason: 'compromised: a laptop is gone',
        open: 1,
        values: [{ file: DATABASE, key: 'stringData.password' }],
      },
    ]);
    const followed = agent.log.findIndex(({ msg }) => msg === 'what a key that gives way could open is followed');
    const stored = agent.log.findIndex(({ msg }) => msg === 'an age key was made');
    expect(followed).toBeGreaterThan(-1);
    expect(stored).toBeGreaterThan(followed);
  });

  test('without a Secret that is for writing to this source nothing is made, and the commands for one are told', async () => {
    await using at = await scene();
    const { world } = at;
    await using agent = await running(at);
    const nothingMade = async (): Promise<void> => {
      expect(await at.newKeys()).toEqual([]);
      expect(await world.get(configMapPath(world.namespace, 'sotto-recovery'))).toBeUndefined();
    };
    const none = await at.rotate();
    expect(none).toMatchObject({ exit: 1, stdout: expect.stringContaining('SOTTO-ROTATE-020') as string });
    expect(none.stdout).toContain(`kubectl label secret git-push -n ${world.namespace} sotto.dev/use=git-write`);
    await nothingMade();
    // A Secret for reading is never pushed with, whatever it may do at the host.
    await at.pushing.secret('for-reading', { use: 'git' });
    expect((await at.rotate()).stdout).toContain('SOTTO-ROTATE-020');
    await at.pushing.secret('for-another', { url: 'https://git.example.com/team' });
    const another = await at.rotate();
    expect(another.stdout).toContain('Secret for-another is for writing, but');
    expect(another.stdout).toContain('kubectl annotate secret for-another');
    await at.pushing.secret('one');
    await at.pushing.secret('two');
    expect((await at.rotate()).stdout).toContain('SOTTO-ROTATE-021');
    await nothingMade();
    expect(world.git.requests.filter(({ query, path }) => /receive-pack/.test(query + path))).toEqual([]);
    await agent.stop();
  });

  test('a credential that may not push ends it, and the key that was made is taken by the next run', async () => {
    await using at = await scene();
    const { world } = at;
    await using agent = await running(at);
    await at.pushing.secret();
    world.git.setWriter({ kind: 'basic', username: 'bot', password: 'another' });
    const refused = await at.rotate();
    expect(refused).toMatchObject({ exit: 1, stdout: expect.stringContaining('SOTTO-ROTATE-024') as string });
    expect(refused.stdout).toContain('does not let this credential write');
    expect(refused.stdout).not.toContain(at.pushing.password);
    const [made] = await at.newKeys();
    // What was not pushed is not said to be: `sotto rotate status` would have somebody merge it.
    expect(stringAt(made ?? null, 'metadata', 'annotations', 'sotto.dev/rotation')).toBeUndefined();
    world.git.setWriter({ kind: 'basic', username: 'bot', password: at.pushing.password });
    const { commit } = pushedIn((await at.rotate()).stdout);
    expect((await at.newKeys()).map(nameOf)).toEqual([nameOf(made)]);
    // Told only now that the key was in wrong hands: the branch is there, and what it could open is followed.
    const late = await at.rotate('--reason', 'compromised');
    expect(late).toMatchObject({ exit: 0, stdout: expect.stringContaining(`at ${commit} already`) as string });
    expect(arrayAt((await world.status()) ?? null, 'exposures')).toMatchObject([{ key: world.recipient, open: 1 }]);
    await agent.stop();
  });

  test('what a person has seen and what is there now is another plan by then, and nothing is made', async () => {
    const { recipient } = await newAgeKeyPair();
    await using at = await scene(noMore, [recipient]);
    const { world } = at;
    await at.pushing.secret();
    await using agent = await running(at);
    const [, plan = ''] = /plan ([0-9a-f]{16}): /.exec((await at.rotate('--plan')).stdout) ?? [];
    const path = configMapPath(world.namespace, 'sotto-requests');
    const request = JSON.stringify({ kind: 'rotate', plan });
    const ask = async (id: string): Promise<Json> => {
      await world.own.plane.admin('PATCH', path, { data: { [id]: request } }, 'application/merge-patch+json');
      return answered(world, id);
    };
    // A key that somebody has put where a rotation looks for the one that it has made.
    const planted = await newAgeKeyPair();
    await world.create(`/api/v1/namespaces/${world.namespace}/secrets`, {
      ...secret('planted', { 'age.agekey': planted.identity }),
      metadata: {
        name: 'planted',
        labels: { 'sotto.dev/use': 'keys' },
        annotations: { 'sotto.dev/origin': 'sotto', 'sotto.dev/replaces': world.recipient },
      },
    });
    await eventually('the plan names it', async () =>
      (await at.rotate('--plan')).stdout.includes(
        `gives way to ${planted.recipient}, which is there already in Secret planted`,
      )
        ? true
        : undefined,
    );
    expect(stringAt(await ask('early'), 'message')).toContain('SOTTO-ROTATE-027');
    const args = ['encrypt', '--age', `${world.recipient},${recipient}`, '--filename-override', 'x.env'];
    const text = (await stockOutput('sops', args, { stdin: `TOKEN=${world.value(3)}\n` })).toString();
    const rules = `creation_rules:\n- age: ${world.recipient},${recipient}\n`;
    await world.repository.commit({ 'x/.sops.yaml': rules, 'x/x.env': text }, 'one more who reads');
    expect(await ask('late')).toMatchObject({
      outcome: 'refused',
      message: expect.stringContaining('SOTTO-ROTATE-027') as string,
    });
    expect((await at.newKeys()).map(nameOf)).toEqual(['planted']);
    // The new plan names who else is going to read.
    expect((await at.rotate('--plan')).stdout).toContain(`besides they are for ${recipient}`);
    await agent.stop();
  });

  test('a branch that is somebody else’s, or that is followed, stays as it is', async () => {
    await using at = await scene();
    const { world, first } = at;
    await at.pushing.secret();
    await using agent = await running(at);
    // The commit of the rotation would come after it: a plain push would move it.
    await world.repository.git(['update-ref', 'refs/heads/theirs', first]);
    const taken = await at.rotate('--branch', 'theirs');
    expect(taken).toMatchObject({ exit: 1, stdout: expect.stringContaining('SOTTO-ROTATE-022') as string });
    expect(await at.tip('theirs')).toBe(first);
    // Found out before there is a key for it.
    expect(await at.newKeys()).toEqual([]);
    const followed = await at.rotate('--branch', 'main');
    expect(followed).toMatchObject({ exit: 1, stdout: expect.stringContaining('SOTTO-ROTATE-023') as string });
    expect(await at.tip('main')).toBe(first);
    // The one that this rotation has pushed, with something on top.
    const { branch, commit } = pushedIn((await at.rotate()).stdout);
    const theirs = await world.repository.commit({ 'docs/note.md': 'x' }, 'on top', { branch, parent: commit });
    expect((await at.rotate()).stdout).toContain('SOTTO-ROTATE-022');
    expect(await at.tip(branch)).toBe(theirs);
    await agent.stop();
  });
});

/** Its rule is right, and the data key in it is for nobody. */
const damaged = (text: string): string => text.replace(/(?<=BEGIN AGE ENCRYPTED FILE-----\\n.{46}).{8}/, 'AAAAAAAA');
const planted = async (world: World): Promise<string> => {
  const { recipient } = await newAgeKeyPair();
  const args = ['encrypt', '--age', `${world.recipient},${recipient}`, '--filename-override', 'x.env'];
  return (await stockOutput('sops', args, { stdin: `TOKEN=${world.value(3)}\n` })).toString();
};

describeReal('what the agent does not rotate', TOOLS, () => {
  const rows: readonly {
    readonly what: string;
    readonly code: string;
    readonly files: (world: World) => Promise<Record<string, string>>;
  }[] = [
    {
      what: 'a file that none of its keys opens',
      code: 'SOTTO-AGE-005',
      files: async (world) => ({ 'other/x.env': damaged(await world.sops(`TOKEN=${world.value(3)}\n`, 'x.env', [])) }),
    },
    {
      what: 'a file that somebody has changed without its key',
      code: 'SOTTO-SOPS-',
      files: async (world) => ({
        'other/x.env': (await world.sops(`TOKEN=${world.value(3)}\n`, 'x.env', [])).replace(/(?<=data:).{4}/, 'AAAA'),
      }),
    },
    {
      what: 'a recipient in a file that no rule names',
      code: 'SOTTO-CLI-216',
      files: async (world) => ({ 'other/x.env': await planted(world) }),
    },
    {
      what: 'a recipient in a rule for whom the file is not',
      code: 'SOTTO-ROTATE-028',
      files: async (world) => ({
        'x/.sops.yaml': `creation_rules:\n- age: ${world.recipient},${(await newAgeKeyPair()).recipient}\n`,
        'x/x.env': await world.sops(`TOKEN=${world.value(3)}\n`, 'x.env', []),
      }),
    },
    {
      // Recipients are not under the MAC of a file: no key takes to write them.
      what: 'somebody whom a pusher has put into both, rule and file, and whom the settings do not name',
      code: 'SOTTO-ROTATE-120',
      files: async (world) => {
        const { recipient } = await newAgeKeyPair();
        const text = await world.sops(`TOKEN=${world.value(3)}\n`, 'x.env', []);
        const entry = `sops_age__list_1__map_enc=nothing\nsops_age__list_1__map_recipient=${recipient}\n`;
        return {
          'x/.sops.yaml': `creation_rules:\n- age: ${world.recipient},${recipient}\n`,
          'x/x.env': `${text.trimEnd()}\n${entry}`,
        };
      },
    },
    {
      what: 'a file of which no rule speaks',
      code: 'SOTTO-ROTATE-006',
      files: async (world) => ({
        'x/.sops.yaml': `creation_rules:\n- path_regex: nothing\n  age: ${world.recipient}\n`,
        'x/x.env': await world.sops(`TOKEN=${world.value(3)}\n`, 'x.env', []),
      }),
    },
  ];
  test.for(rows)('$what ends it before anything is made', async ({ code, files }) => {
    await using at = await scene(files);
    const { world, first } = at;
    await at.pushing.secret();
    await using agent = await running(at);
    const refused = await at.rotate();
    expect(refused).toMatchObject({ exit: 1, stdout: expect.stringContaining(code) as string });
    expect(await at.newKeys()).toEqual([]);
    expect(await world.get(configMapPath(world.namespace, 'sotto-recovery'))).toBeUndefined();
    const branches = await world.repository.git(['for-each-ref', '--format=%(refname:short) %(objectname)']);
    expect(branches.toString().trim()).toBe(`main ${first}`);
    expect(world.git.requests.filter(({ query, path }) => /receive-pack/.test(query + path))).toEqual([]);
    await agent.stop();
  });
});
