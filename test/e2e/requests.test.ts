import { expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, stringAt } from '../../src/core/json.ts';
import { codesOf, passed, stateOf, untilReady, untilTried } from '../harness/attention.ts';
import { leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { configMapPath, editByHand, eventNotes, secretPath } from '../harness/objects.ts';
import { personIn } from '../harness/person.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, eventually, secret, settingsText, syncOf, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

function manifest(name: string, data: Readonly<Record<string, string>> = { color: 'blue' }): string {
  return JSON.stringify(configMap(name, data));
}

function many(count: number): Record<string, string> {
  const names = Array.from({ length: count }, (_, index) => `cm-${index}`);
  return Object.fromEntries(names.map((name) => [`deploy/${name}.json`, manifest(name)]));
}

function gone(files: Readonly<Record<string, string>>): Record<string, null> {
  return Object.fromEntries(Object.keys(files).map((path) => [path, null]));
}

async function colorOf(world: World, name: string): Promise<string | undefined> {
  return stringAt(await world.get(configMapPath(world.namespace, name)), 'data', 'color');
}

async function requestsLeft(world: World): Promise<readonly string[]> {
  return Object.keys(memberAt(await world.get(configMapPath(world.namespace, 'sotto-requests')), 'data') ?? {});
}

async function put(world: World, id: string, text: string): Promise<void> {
  const path = configMapPath(world.namespace, 'sotto-requests');
  const answer = await world.own.plane.admin('PATCH', path, { data: { [id]: text } }, 'application/merge-patch+json');
  if (answer.status !== 200) throw new Error(`requests: ${answer.status}`);
}

function handled(status: Json, id: string): Json | undefined {
  return arrayAt(status, 'handled').find((each) => stringAt(each, 'id') === id);
}

describeReal('a person asks the agent', TOOLS, () => {
  test('sync asks Git at once instead of after the interval, and says what runs now', async () => {
    await using world = await createWorld();
    await world.settings(settingsText(world.git.url(world.repository)).replace('interval: 1s }', 'interval: 1h }'));
    await untilReadyAfterStart(world);
    await using agent = await world.start();
    const first = await world.repository.commit({ 'deploy/web.json': manifest('web') }, 'first');
    await untilReady(world, first);
    const person = await personIn(world);
    const second = await world.repository.commit({ 'deploy/web.json': manifest('web', { color: 'red' }) }, 'second');
    const answer = await person.sotto(['sync', 'app', '--wait']);
    expect(answer).toMatchObject({ exit: 0, stdout: expect.stringContaining(second.slice(0, 12)) });
    expect(answer.stdout).toMatch(/^done: app at main@sha1:.*: Ready, 1 object as in Git\n$/);
    expect(await colorOf(world, 'web')).toBe('red');
    const unknown = await person.sotto(['sync', 'web']);
    expect(unknown).toMatchObject({ exit: 1, stdout: expect.stringContaining('SOTTO-PLAN-041') });
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a paused object keeps its hand edit, over a commit and a restart too, until it is resumed', async () => {
    using canaries = plantCanaries([4]);
    const [password = ''] = canaries.values;
    await using world = await createWorld();
    const files = {
      'deploy/web.json': manifest('web'),
      'deploy/other.json': manifest('other'),
      'deploy/db.json': await world.sops(JSON.stringify(secret('db', { password })), 'db.json'),
    };
    const first = await world.repository.commit(files, 'first');
    const agent = await world.start();
    await untilReady(world, first);
    const person = await personIn(world);
    const paused = await person.sotto(['pause', 'ConfigMap/web', '--for', '1h', '--reason', 'looking at\u202eit']);
    expect(paused).toMatchObject({ exit: 0, stderr: '' });
    const [web, other] = ['web', 'other'].map((name) => configMapPath(world.namespace, name)) as [string, string];
    await editByHand(world, web, { data: { color: 'green', extra: 'x' } });
    await editByHand(world, other, { data: { color: 'green' } });
    await eventually('the other is undone', async () =>
      (await colorOf(world, 'other')) === 'blue' ? true : undefined,
    );
    expect(await colorOf(world, 'web')).toBe('green');
    const status = await world.until('the pause is told', (document) => arrayAt(document, 'pauses').length === 1);
    const [pause] = arrayAt(status, 'pauses');
    expect(pause).toMatchObject({ object: 'ConfigMap/web', by: person.user, reason: 'looking at it' });
    expect(memberAt(syncOf(status), 'counts', 'paused')).toBe(1);
    const second = await world.repository.commit({ 'deploy/web.json': manifest('web', { color: 'red' }) }, 'second');
    await passed(agent, second);
    expect(await colorOf(world, 'web')).toBe('green');
    expect(await agent.kill('SIGTERM')).toBe(0);

    await using again = await world.start();
    await passed(again, second);
    expect(await colorOf(world, 'web')).toBe('green');
    const resumed = await person.sotto(['resume', 'ConfigMap/web']);
    expect(resumed).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('ConfigMap/web is kept as in Git again'),
    });
    await eventually('Git is what runs', async () => ((await colorOf(world, 'web')) === 'red' ? true : undefined));
    await untilReady(world, second);
    // The apply brings our values back; what was added meanwhile shows in its answer and goes right after.
    await eventually('what was added is gone', async () =>
      memberAt(await world.get(web), 'data', 'extra') === undefined ? true : undefined,
    );
    expect(memberAt(await world.get(web), 'data')).toEqual({ color: 'red' });
    const notes = await eventually('Events tell it', async () => {
      const all = await eventNotes(world, 'ConfigMap', 'web');
      return all.some((note) => note.startsWith('Kept as in Git again')) ? all : undefined;
    });
    expect(notes.join('\n')).toMatch(
      /Left alone until .*, asked for by .*: looking at it\. `sotto resume ConfigMap\/web` ends it/,
    );
    expect(await person.sotto(['resume', 'ConfigMap/web'])).toMatchObject({ exit: 1 });
    await leakCheck(world, again, canaries);
  });

  test('a resumed object is kept as it was applied last while Git does not answer', async () => {
    await using world = await createWorld();
    const first = await world.repository.commit({ 'deploy/web.json': manifest('web') }, 'first');
    await using agent = await world.start();
    await untilReady(world, first);
    const person = await personIn(world);
    await person.sotto(['pause', 'configmap/web', '--for', '1h', '--reason', 'a look']);
    await editByHand(world, configMapPath(world.namespace, 'web'), { data: { color: 'green' } });
    world.git.setFault({ kind: 'status', status: 503 });
    expect(await person.sotto(['resume', 'configmap/web'])).toMatchObject({ exit: 0 });
    await eventually('it is undone', async () => ((await colorOf(world, 'web')) === 'blue' ? true : undefined));
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('the end of a pause names who changed what while it lasted', async () => {
    await using world = await createWorld();
    const first = await world.repository.commit({ 'deploy/web.json': manifest('web') }, 'first');
    await using agent = await world.start();
    await untilReady(world, first);
    const person = await personIn(world);
    await person.sotto(['pause', 'configmap/web', '--for', '3s', '--reason', 'a short look']);
    await editByHand(world, configMapPath(world.namespace, 'web'), { data: { color: 'green' } });
    await eventually('the pause ends by itself', async () =>
      (await colorOf(world, 'web')) === 'blue' ? true : undefined,
    );
    const notes = await eventually('the correction is told', async () => {
      const all = await eventNotes(world, 'ConfigMap', 'web');
      return all.find((note) => note.startsWith('Undid a change'));
    });
    expect(notes).toContain('Undid a change of /data/color by kubectl-edit');
    expect(notes).toContain('sotto pause ConfigMap/web --for 1h');
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a paused sync applies no commit and undoes nothing; everything happens when it is resumed', async () => {
    await using world = await createWorld();
    const first = await world.repository.commit({ 'deploy/web.json': manifest('web') }, 'first');
    await using agent = await world.start();
    await untilReady(world, first);
    const person = await personIn(world);
    expect(await person.sotto(['pause', '--sync', 'app', '--for', '1h', '--reason', 'freeze'])).toMatchObject({
      exit: 0,
    });
    const status = await world.until('it is told', (document) => stateOf(document) === 'Suspended');
    expect(stringAt(syncOf(status), 'reason')).toBe('Paused');
    expect(stringAt(syncOf(status), 'message')).toMatch(/^paused by system:serviceaccount:.*: freeze$/);
    await world.repository.commit({ 'deploy/new.json': manifest('new') }, 'second');
    await editByHand(world, configMapPath(world.namespace, 'web'), { data: { color: 'green' } });
    expect(await person.sotto(['sync', 'app'])).toMatchObject({ exit: 1, stdout: expect.stringContaining('PLAN-045') });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await colorOf(world, 'web')).toBe('green');
    expect(await colorOf(world, 'new')).toBeUndefined();
    expect(await person.sotto(['resume', '--sync', 'app'])).toMatchObject({ exit: 0 });
    await eventually('both happen', async () => {
      const both = [await colorOf(world, 'web'), await colorOf(world, 'new')];
      return both.every((color) => color === 'blue') ? true : undefined;
    });
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a held plan is carried out when somebody says yes to exactly that plan', async () => {
    await using world = await createWorld();
    const files = many(8);
    const first = await world.repository.commit(files, 'first');
    await using agent = await world.start();
    await untilReady(world, first);
    const person = await personIn(world);
    const second = await world.repository.commit({ ...gone(files), 'deploy/new.json': manifest('new') }, 'second');
    await untilTried(world, second);
    const held = await world.until('it is held', (status) => stateOf(status) === 'Held');
    const planId = stringAt(arrayAt(syncOf(held), 'pending')[0], 'planId') ?? '';
    expect(arrayAt(syncOf(held), 'pending')[0]).toMatchObject({ creates: 1, prunes: 8 });
    expect(memberAt(arrayAt(syncOf(held), 'pending')[0], 'pruned')).toContain('ConfigMap/cm-7');
    // Another plan, no terminal to ask, a no: nothing happens.
    expect(await person.sotto(['approve', '0123456789abcdef', '--yes'])).toMatchObject({ exit: 1 });
    expect(await person.sotto(['approve', planId])).toMatchObject({ exit: 2 });
    const no = await person.sotto(['approve', planId], { stdin: 'n\n', terminal: true });
    expect(no).toMatchObject({ exit: 1 });
    expect(no.stderr).toContain('it creates 1 and deletes 8 objects');
    expect(await colorOf(world, 'new')).toBeUndefined();
    const third = await world.repository.commit({ 'deploy/more.json': manifest('more') }, 'third');
    await untilTried(world, third);
    // A yes never covers another plan: the commit has moved on.
    expect(await person.sotto(['approve', planId, '--yes'])).toMatchObject({ exit: 1 });
    expect(await colorOf(world, 'cm-7')).toBe('blue');
    const newer = await world.until('the new one is held', (status) => {
      const id = stringAt(arrayAt(syncOf(status), 'pending')[0], 'planId');
      return id !== undefined && id !== planId;
    });
    const newId = stringAt(arrayAt(syncOf(newer), 'pending')[0], 'planId') ?? '';
    const yes = await person.sotto(['approve', newId], { stdin: 'y\n', terminal: true });
    expect(yes).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^done: 8 pruned; app at /) });
    expect(await colorOf(world, 'cm-7')).toBeUndefined();
    expect(await colorOf(world, 'new')).toBe('blue');
    await untilReady(world, third);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a yes outlives a kill in the middle of its plan, and ends with it', async () => {
    await using world = await createWorld();
    const files = many(60);
    const first = await world.repository.commit(files, 'first');
    const agent = await world.start();
    await untilReady(world, first);
    const second = await world.repository.commit({ ...gone(files), 'deploy/new.json': manifest('new') }, 'second');
    const held = await world.until('it is held', (status) => stateOf(status) === 'Held');
    const planId = stringAt(arrayAt(syncOf(held), 'pending')[0], 'planId') ?? '';
    const person = await personIn(world);
    await person.sotto(['approve', planId, '--yes', '--no-wait']);
    await agent.line('the first is pruned', ({ msg }) => msg === 'pruned');
    await agent.kill('SIGKILL');
    await using again = await world.start(['--take-over']);
    await untilReady(world, second);
    expect(await colorOf(world, 'cm-59')).toBeUndefined();
    expect(await requestsLeft(world)).toEqual([]);
    // The yes was for that plan: the next one that removes everything is held again.
    await world.repository.commit({ ...files, 'deploy/new.json': null }, 'back');
    await eventually('they are back', async () => ((await colorOf(world, 'cm-59')) === 'blue' ? true : undefined));
    const fourth = await world.repository.commit({ ...gone(files), 'deploy/new.json': manifest('new') }, 'again');
    await passed(again, fourth);
    expect(await colorOf(world, 'cm-59')).toBe('blue');
    expect(again.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a volume claim that left Git goes when somebody approves, and the rest of the commit does not wait', async () => {
    await using world = await createWorld();
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    };
    const files = { 'deploy/data.json': JSON.stringify(claim), 'deploy/web.json': manifest('web') };
    const first = await world.repository.commit({ ...files, 'deploy/keep.json': manifest('keep') }, 'first');
    await using agent = await world.start();
    await untilTried(world, first);
    const second = await world.repository.commit(gone(files), 'second');
    const status = await world.until(
      'it waits for a yes',
      (document) => arrayAt(syncOf(document), 'pending').length === 1,
    );
    expect(stringAt(syncOf(status), 'attemptedRevision')).toContain(second);
    expect(await colorOf(world, 'web')).toBeUndefined();
    const planId = stringAt(arrayAt(syncOf(status), 'pending')[0], 'planId') ?? '';
    expect(JSON.stringify(arrayAt(syncOf(status), 'attention'))).toContain(`sotto approve ${planId}`);
    const person = await personIn(world);
    const answer = await person.sotto(['approve', planId, '--yes']);
    expect(answer).toMatchObject({ exit: 0, stdout: expect.stringContaining('done: 1 pruned') });
    const path = `/api/v1/namespaces/${world.namespace}/persistentvolumeclaims/data`;
    await eventually('it is going', async () => {
      const live = await world.get(path);
      return live === undefined || stringAt(live, 'metadata', 'deletionTimestamp') !== undefined ? true : undefined;
    });
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('adopt takes over what differs, Secrets included, and never what another tool marked', async () => {
    using canaries = plantCanaries([4]);
    const [password = ''] = canaries.values;
    await using world = await createWorld();
    const at = `/api/v1/namespaces/${world.namespace}`;
    await world.create(`${at}/configmaps?fieldManager=kubectl-create`, configMap('web', { color: 'red', theirs: 'x' }));
    await world.create(
      `${at}/secrets?fieldManager=kubectl-create`,
      secret('db', { password: 'another-one', theirs: 'x' }),
    );
    const marked = {
      ...configMap('helm', { color: 'red' }),
      metadata: { name: 'helm', labels: { 'app.kubernetes.io/managed-by': 'Helm' } },
    };
    await world.create(`${at}/configmaps`, marked);
    const commit = await world.repository.commit(
      {
        'deploy/web.json': manifest('web'),
        'deploy/helm.json': manifest('helm'),
        'deploy/db.json': await world.sops(JSON.stringify(secret('db', { password })), 'db.json'),
      },
      'first',
    );
    await using agent = await world.start();
    expect(codesOf(await untilTried(world, commit))).toEqual({
      'ConfigMap/web': 'SOTTO-PLAN-001',
      'Secret/db': 'SOTTO-PLAN-001',
      'ConfigMap/helm': 'SOTTO-PLAN-006',
    });
    const person = await personIn(world);
    const refused = await person.sotto(['adopt', 'ConfigMap/helm', '--yes']);
    expect(refused).toMatchObject({
      exit: 1,
      stdout: expect.stringMatching(/^refused: SOTTO-PLAN-044: .*SOTTO-PLAN-006/),
    });
    expect(await person.sotto(['adopt', 'Secret/db', '--yes'])).toMatchObject({ exit: 0 });
    const live = await world.get(secretPath(world.namespace, 'db'));
    expect(Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString()).toBe(password);
    expect(stringAt(live, 'data', 'theirs')).toBe(Buffer.from('x').toString('base64'));
    expect(await colorOf(world, 'web')).toBe('red');
    const all = await person.sotto(['adopt', '--sync', 'app', '--yes']);
    expect(all).toMatchObject({ exit: 0, stdout: 'done: taken over: ConfigMap/web\n' });
    expect(memberAt(await world.get(configMapPath(world.namespace, 'web')), 'data')).toEqual({
      color: 'blue',
      theirs: 'x',
    });
    expect(await person.sotto(['adopt', 'ConfigMap/web', '--yes'])).toMatchObject({ exit: 1 });
    await leakCheck(world, agent, canaries);
  });

  test('no agent: the request is withdrawn and the command says where to look', async () => {
    await using world = await createWorld();
    await world.create(`/api/v1/namespaces/${world.namespace}/configmaps`, configMap('sotto-requests', {}));
    const person = await personIn(world);
    const answer = await person.sotto(['pause', 'ConfigMap/web', '--for', '1h', '--reason', 'x', '-o', 'json']);
    expect(answer.exit).toBe(3);
    expect(answer.stderr).toContain('SOTTO-CLI-046');
    expect(await requestsLeft(world)).toEqual([]);
  });

  test('asking is a right of its own', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit({ 'deploy/web.json': manifest('web') }, 'first');
    await using agent = await world.start();
    await untilReady(world, commit);
    const [status] = [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['sotto-status'], verbs: ['get'] }];
    const reader = await personIn(world, [status], 'reader');
    const refused = await reader.sotto(['pause', 'ConfigMap/web', '--for', '1h', '--reason', 'x']);
    expect(refused).toMatchObject({ exit: 5, stdout: '' });
    expect(refused.stderr).toContain('SOTTO-CLI-052');
    expect(refused.stderr).toContain('--role=sotto-requests');
    // Without the right to watch the answer is asked for.
    const requests = {
      apiGroups: [''],
      resources: ['configmaps'],
      resourceNames: ['sotto-requests'],
      verbs: ['patch'],
    };
    const slow = await personIn(world, [status, requests], 'slow');
    expect(await slow.sotto(['sync'])).toMatchObject({ exit: 0 });
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('whatever stands in the ConfigMap is answered with a code, once, and nothing else happens', async () => {
    await using world = await createWorld();
    const commit = await world.repository.commit({ 'deploy/web.json': manifest('web') }, 'first');
    await using agent = await world.start();
    await untilReady(world, commit);
    const bad: readonly (readonly [string, string, RegExp])[] = [
      ['junk', 'not json \u001b[31m', /it is not JSON/],
      ['empty', '', /it is not JSON/],
      ['list', '[]', /it is not a JSON object/],
      ['kind', '{"kind":"explode"}', /its kind is none of sync/],
      ['rotate', '{"kind":"rotate"}', /SOTTO-ROTATE-020.*no credential to push/],
      ['branch', '{"kind":"rotate","branch":"--force"}', /branch is no name that git allows/],
      ['field', '{"kind":"sync","\u202eforce":true}', /a field that requests do not have/],
      ['number', '{"kind":"sync","sync":7}', /sync is not a text/],
      ['long', `{"kind":"sync","reason":"${'x'.repeat(5_000)}"}`, /more than 4096 bytes/],
      ['past', '{"kind":"pause","object":"ConfigMap/web","until":"2020-01-01T00:00:00Z"}', /until is in the past/],
      ['far', '{"kind":"pause","object":"ConfigMap/web","until":"2999-01-01T00:00:00Z"}', /more than 90 days away/],
      ['endless', '{"kind":"pause","object":"ConfigMap/web"}', /a pause needs its end/],
      ['both', '{"kind":"resume","object":"ConfigMap/web","sync":"app"}', /one object or one sync/],
      ['form', '{"kind":"resume","object":"a/b/c/d"}', /GROUP\/KIND\/NAME/],
      ['stranger', '{"kind":"pause","object":"Secret/sotto-fingerprint","until":"TOMORROW"}', /PLAN-04[01]/],
      ['agent', '{"kind":"adopt","object":"ConfigMap/sotto"}', /PLAN-041/],
      ['proto', '{"kind":"sync","sync":"__proto__"}', /PLAN-041/],
    ];
    const version = stringAt(await world.get(configMapPath(world.namespace, 'web')), 'metadata', 'resourceVersion');
    for (const [id, text] of bad)
      await put(world, id, text.replace('TOMORROW', new Date(Date.now() + 6e7).toISOString()));
    for (const [id, , why] of bad) {
      const status = await world.until(`${id} is answered`, (document) => handled(document, id) !== undefined);
      expect(handled(status, id), id).toMatchObject({ outcome: 'refused', message: expect.stringMatching(why) });
    }
    await eventually('all are removed', async () => ((await requestsLeft(world)).length === 0 ? true : undefined));
    const after = stringAt(await world.get(configMapPath(world.namespace, 'web')), 'metadata', 'resourceVersion');
    expect(after).toBe(version);
    const status = await world.status();
    expect(JSON.stringify(status)).not.toMatch(/\\u001b|\u202e/);
    expect(arrayAt(status, 'pauses')).toEqual([]);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

/** Settings are read at the start: nothing to wait for, but the world must have a repository with a commit. */
async function untilReadyAfterStart(world: World): Promise<void> {
  await world.repository.commit({ 'deploy/.gitkeep': '' }, 'empty');
}
