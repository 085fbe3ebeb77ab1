import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, type JsonObject, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { passed } from '../harness/attention.ts';
import { type Canaries, leakCheck, leaksIn, plantCanaries } from '../harness/leak-check.ts';
import { editByHand } from '../harness/objects.ts';
import { type Ended, runSotto } from '../harness/once.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair } from '../harness/stock.ts';
import { configMap, createWorld, eventually, secret, settingsText, type World } from '../harness/world.ts';
import { damaged } from '../harness/damage.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const MANY = 25;

type Files = Readonly<Record<string, string | null>>;

interface Checkout {
  readonly files?: Files;
  readonly settings?: string;
  readonly sync?: string;
  readonly top?: string;
  readonly links?: Readonly<Record<string, string>>;
}

interface Seen extends Ended {
  readonly json: Json;
  /** `kind object`, in the order in which they are told. */
  readonly lines: readonly string[];
}

const deployment = (replicas: number, image = 'example.com/c:1'): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'c', image, resources: { limits: { cpu: '1000m' } } }] },
    },
  },
});

function changeOf({ json }: Seen, object: string): Json {
  const found = arrayAt(json, 'changes').find(
    (change) => (stringAt(change, 'object') ?? stringAt(change, 'error', 'object')) === object,
  );
  return found ?? null;
}
const keysOf = (seen: Seen, object: string): Json =>
  Object.fromEntries(
    arrayAt(changeOf(seen, object), 'keys').map((key) => [stringAt(key, 'key') ?? '', stringAt(key, 'change') ?? '']),
  );
const fieldsOf = (seen: Seen, object: string): Json => memberAt(changeOf(seen, object), 'fields') ?? null;
const codeOf = (seen: Seen, object: string): string | undefined => stringAt(changeOf(seen, object), 'error', 'code');

describeReal('sotto diff', TOOLS, () => {
  const resources = new AsyncDisposableStack();
  let world: World;
  let canaries: Canaries;
  let agent: RunningAgent;
  let base: Record<string, string>;
  let otherKeyFile: string;
  const outputs: string[] = [];

  const value = (index: number): string => canaries.values[index] ?? '';
  const collection = (plural: string): string => `/api/v1/namespaces/${world.namespace}/${plural}`;
  const claim: JsonObject = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
  const db = (entries: Readonly<Record<string, string>>, metadata: JsonObject = {}): Promise<string> =>
    world.sops(JSON.stringify({ ...secret('db', entries), metadata: { name: 'db', ...metadata } }), 'db.json');
  const many = (from: number): Promise<string> =>
    world.sops(
      JSON.stringify(
        secret('many', Object.fromEntries(Array.from({ length: MANY }, (_, i) => [`k${i}`, value(from)]))),
      ),
      'many.json',
    );

  /** A working tree: what the agent has applied, with some files other or gone. */
  async function checkout({ files = {}, settings, sync, top, links = {} }: Checkout): Promise<string> {
    const folder = await mkdtemp(join(world.folder, 'checkout-'));
    await mkdir(join(folder, '.git'));
    const url = world.git.url(world.repository);
    const all = {
      ...base,
      'sotto.yaml': settings ?? settingsText(url, { sync: `  wait: false\n${sync ?? ''}`, top: top ?? '' }),
      ...files,
    };
    for (const [path, text] of Object.entries(all)) {
      if (text === null) continue;
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    for (const [path, target] of Object.entries(links)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await symlink(target, join(folder, path));
    }
    return folder;
  }

  /** The command in both forms, without a difference in what they find. */
  async function diff(tree: Checkout, args: readonly string[] = [], kubeconfig?: string): Promise<Seen> {
    const folder = await checkout(tree);
    const config = kubeconfig ?? world.own.account.kubeconfigPath;
    const all = ['diff', folder, '-n', world.namespace, '--kubeconfig', config, ...args];
    const text = await runSotto(all);
    const asJson = await runSotto([...all, '-o', 'json']);
    outputs.push(text.stdout, text.stderr, asJson.stdout, asJson.stderr);
    expect(asJson.code).toBe(text.code);
    const json = asJson.stdout === '' ? null : parseJson(asJson.stdout);
    const lines = arrayAt(json, 'changes').map((change) => {
      const object =
        stringAt(change, 'object') ?? stringAt(change, 'error', 'object') ?? stringAt(change, 'sync') ?? '';
      return `${stringAt(change, 'kind')} ${object}`;
    });
    await rm(folder, { recursive: true });
    return { ...text, json, lines };
  }
  const withKey = (tree: Checkout): Promise<Seen> => diff(tree, ['--key-file', world.ageKeyFile]);

  beforeAll(async () => {
    world = resources.use(await createWorld({ sync: '  wait: false' }));
    canaries = resources.use(plantCanaries(Array.from({ length: 8 }, () => 3)));
    otherKeyFile = join(world.folder, 'other.key');
    await writeFile(otherKeyFile, (await newAgeKeyPair()).identity, { mode: 0o600 });
    base = {
      'deploy/web.json': JSON.stringify(deployment(2)),
      'deploy/settings.json': JSON.stringify(configMap('settings', { color: 'blue' })),
      'deploy/db.json': await db(
        { password: value(0), 'tls.crt': value(1), gone: value(2) },
        { labels: { tier: 'a' } },
      ),
      'deploy/many.json': await many(3),
      'deploy/kept.json': JSON.stringify({
        ...configMap('kept', { a: '1' }),
        metadata: { name: 'kept', annotations: { 'sotto.dev/prune': 'disabled' } },
      }),
      'deploy/data.json': JSON.stringify(claim),
      'deploy/left.json': JSON.stringify(configMap('left', { a: '1' })),
      'deploy/more/skipped.json': JSON.stringify(configMap('skipped', { a: '1' })),
    };
    agent = await world.start();
    await passed(agent, await world.repository.commit(base, 'first'));
    await eventually('the inventory is stored', async () => {
      const stored = await world.get(`${collection('configmaps')}/sotto-inventory`);
      const kinds = stringAt(stored, 'metadata', 'annotations', 'applyset.kubernetes.io/contains-group-kinds');
      return kinds?.includes('Secret') === true ? true : undefined;
    });
    expect(agent.log.filter(({ msg }) => msg === 'refused')).toEqual([]);
  });
  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]();
    await resources.disposeAsync();
  });

  test('a checkout that is what runs shows nothing, defaults and quantities of the server included', async () => {
    const seen = await withKey({});
    expect(seen.lines).toEqual([]);
    expect(seen.stdout).toBe('nothing to do: 8 objects are as in the checkout\n');
    expect(seen.code).toBe(0);
    expect(seen.json).toEqual({
      schema: 'sotto.dev/diff/v1alpha1',
      changes: [],
      recipients: [],
      unchanged: 8,
      warnings: [],
      suspended: [],
      prunesShown: true,
      hasKeys: true,
    });
  });

  test('creates and changes are told by field, and of a Secret by key', async () => {
    const seen = await withKey({
      files: {
        'deploy/web.json': JSON.stringify(deployment(2, 'example.com/c:2')),
        'deploy/new.json': JSON.stringify(configMap('new', { a: '1' })),
        'deploy/db.json': await db(
          { password: value(4), 'tls.crt': value(1), fresh: value(5) },
          { labels: { tier: 'a' } },
        ),
        'deploy/token.json': await world.sops(JSON.stringify(secret('token', { t: value(6) })), 'token.json'),
      },
    });
    expect(seen.code).toBe(1);
    expect(seen.lines.toSorted()).toEqual([
      'change Secret/db',
      'change apps/Deployment/web',
      'create ConfigMap/new',
      'create Secret/token',
    ]);
    expect(fieldsOf(seen, 'apps/Deployment/web')).toEqual([
      {
        path: '/spec/template/spec/containers[name=c]/image',
        before: 'example.com/c:1',
        after: 'example.com/c:2',
      },
    ]);
    expect(keysOf(seen, 'Secret/db')).toEqual({
      password: 'changed',
      'tls.crt': 'same',
      fresh: 'added',
      gone: 'removed',
    });
    expect(fieldsOf(seen, 'Secret/db')).toEqual([]);
    expect(seen.stdout).toContain('~ key password');
    expect(seen.stdout).not.toContain('tls.crt');
  });

  test('what changes in a Secret beside its values is told as fields', async () => {
    const entries = { password: value(0), 'tls.crt': value(1), gone: value(2) };
    const labelled = await withKey({
      files: { 'deploy/db.json': await db(entries, { labels: { tier: 'b' }, annotations: { team: 'x' } }) },
    });
    expect(fieldsOf(labelled, 'Secret/db')).toEqual([
      { path: '/metadata/annotations/team', after: 'x' },
      { path: '/metadata/labels/tier', before: 'a', after: 'b' },
    ]);
    expect(keysOf(labelled, 'Secret/db')).toEqual({ password: 'same', 'tls.crt': 'same', gone: 'same' });
    const manifest = { ...secret('db', entries), metadata: { name: 'db', labels: { tier: 'a' } }, immutable: true };
    const immutable = await withKey({
      files: { 'deploy/db.json': await world.sops(JSON.stringify(manifest), 'db.json') },
    });
    expect(fieldsOf(immutable, 'Secret/db')).toEqual([{ path: '/immutable', after: true }]);
    expect(immutable.code).toBe(1);
  });

  test('more differing values than the server names are changed or unknown, never the same', async () => {
    const seen = await withKey({ files: { 'deploy/many.json': await many(7) } });
    const changes = Object.values(keysOf(seen, 'Secret/many') ?? {});
    expect(changes).toHaveLength(MANY);
    expect(new Set(changes)).toEqual(new Set(['changed', 'unknown']));
  });

  test('without a key that opens the file its structure is compared and its values are unknown', async () => {
    const files = { 'deploy/db.json': await db({ password: value(4), fresh: value(5) }, { labels: { tier: 'b' } }) };
    const cases = [
      { args: [], code: 1 },
      { args: ['--key-file', otherKeyFile], code: 4 },
    ];
    for (const { args, code } of cases) {
      const seen = await diff({ files }, args);
      expect(seen.code).toBe(code);
      expect(seen.lines).toEqual(['change Secret/db', 'unknown Secret/many']);
      expect(keysOf(seen, 'Secret/db')).toEqual({
        password: 'unknown',
        fresh: 'added',
        'tls.crt': 'removed',
        gone: 'removed',
      });
      expect(fieldsOf(seen, 'Secret/db')).toEqual([{ path: '/metadata/labels/tier', before: 'a', after: 'b' }]);
      expect(stringAt(changeOf(seen, 'Secret/many'), 'unopened', 'code')).toBe('SOTTO-AGE-001');
      expect(stringAt(changeOf(seen, 'Secret/db'), 'unopened', 'code')).toBe('SOTTO-AGE-001');
    }
  });

  test('one damaged file is one refused file', async () => {
    const file = damaged(base['deploy/db.json'] ?? '');
    const seen = await withKey({ files: { 'deploy/db.json': file, 'deploy/left.json': 'a: [' } });
    expect(seen.lines).toEqual(['refused Secret/db', 'refused ', 'kept ConfigMap/left']);
    expect(codeOf(seen, 'Secret/db')).toMatch(/^SOTTO-SOPS-/);
    expect(stringAt(changeOf(seen, 'ConfigMap/left'), 'why')).toMatch(/deploy\/left\.json is refused/);
    expect(memberAt(seen.json, 'unchanged')).toBe(6);
  });

  test('what left Git is pruned, or kept with the reason', async () => {
    const gone = { 'deploy/left.json': null, 'deploy/kept.json': null, 'deploy/data.json': null };
    const seen = await withKey({ files: gone });
    expect(seen.lines.toSorted()).toEqual([
      'kept ConfigMap/kept',
      'kept PersistentVolumeClaim/data',
      'prune ConfigMap/left',
    ]);
    expect(
      codeOf(seen, 'PersistentVolumeClaim/data') ??
        stringAt(changeOf(seen, 'PersistentVolumeClaim/data'), 'error', 'code'),
    ).toBe('SOTTO-PLAN-008');
    expect(stringAt(changeOf(seen, 'ConfigMap/kept'), 'why')).toMatch(/annotation/);

    const asked = await withKey({ files: { 'deploy/left.json': null }, sync: '  prune: { ask: [ConfigMap] }' });
    expect(asked.lines).toEqual(['kept ConfigMap/left']);
    expect(asked.code).toBe(1);

    const off = await withKey({ files: { 'deploy/left.json': null }, sync: '  prune: false' });
    expect(off.lines).toEqual(['kept ConfigMap/left']);
    expect(stringAt(changeOf(off, 'ConfigMap/left'), 'why')).toMatch(/prune is off/);
    expect(off.code).toBe(0);

    const skipped = await withKey({ sync: '  skip: [ { kind: ConfigMap, name: skipped } ]' });
    expect(skipped.lines).toEqual(['kept ConfigMap/skipped']);
    expect(stringAt(changeOf(skipped, 'ConfigMap/skipped'), 'why')).toMatch(/skip/);

    const unreadable = await withKey({ files: { 'deploy/left.json': null, 'deploy/bad.yaml': 'a: [' } });
    expect(unreadable.lines).toEqual(['refused ', 'kept ConfigMap/left']);
    expect(codeOf(unreadable, 'ConfigMap/left')).toBe('SOTTO-PLAN-007');
  });

  test('a plan that would be held is told as held, with all that waits', async () => {
    const files = Object.fromEntries(Object.keys(base).map((path) => [path, null]));
    const seen = await withKey({
      files: { ...files, 'deploy/new.json': JSON.stringify(configMap('new', { a: '1' })) },
    });
    expect(seen.lines[0]).toBe('create ConfigMap/new');
    expect(seen.lines).toContain('held app');
    expect(seen.lines).toContain('prune Secret/db');
    expect(seen.stdout).toMatch(/would be held[^]*more than prune\.maxShare/);
    expect(seen.code).toBe(1);
  });

  test('a sync that was renamed prunes nothing, and --sync says that prunes are left out', async () => {
    const url = world.git.url(world.repository);
    const renamed = settingsText(url, { sync: '  wait: false' }).replace('name: app', 'name: other');
    expect((await withKey({ settings: renamed })).lines).toEqual([]);
    const one = await diff({ files: { 'deploy/left.json': null } }, ['--sync', 'app', '--key-file', world.ageKeyFile]);
    expect(one.lines).toEqual([]);
    expect(one.stdout).toContain('prunes are left out with --sync');
    expect(memberAt(one.json, 'prunesShown')).toBe(false);
    expect(one.code).toBe(0);
  });

  test('what the server refuses is told as refused, a create included', async () => {
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'bad' },
      spec: { ports: [{ port: 99999 }] },
    };
    const tls = { ...secret('tls', { 'tls.crt': value(6) }), type: 'kubernetes.io/tls' };
    const seen = await withKey({
      files: {
        'deploy/bad.json': JSON.stringify(service),
        'deploy/tls.json': await world.sops(JSON.stringify(tls), 'tls.json'),
        'deploy/left.json': null,
      },
    });
    expect(seen.lines.toSorted()).toEqual(['kept ConfigMap/left', 'refused Secret/tls', 'refused Service/bad']);
    expect(codeOf(seen, 'Service/bad')).toBe('SOTTO-KUBE-009');
    expect(codeOf(seen, 'Secret/tls')).toBe('SOTTO-KUBE-009');
    expect(seen.code).toBe(1);
  });

  test('what exists and is not adopted is told with what differs; what is equal is not', async () => {
    const create = (plural: string, object: JsonObject): Promise<Json> =>
      world.create(`${collection(plural)}?fieldManager=kubectl-create`, object);
    await create('configmaps', configMap('theirs', { color: 'red' }));
    await create('configmaps', configMap('equal', { color: 'blue' }));
    await create('secrets', secret('their-secret', { a: value(4), b: value(5) }));
    await create('secrets', secret('equal-secret', { a: value(4) }));
    await create('configmaps', {
      ...configMap('helms', { color: 'red' }),
      metadata: { name: 'helms', annotations: { 'meta.helm.sh/release-name': 'a' } },
    });
    const files = {
      'deploy/theirs.json': JSON.stringify(configMap('theirs', { color: 'blue' })),
      'deploy/equal.json': JSON.stringify(configMap('equal', { color: 'blue' })),
      'deploy/helms.json': JSON.stringify(configMap('helms', { color: 'blue' })),
      'deploy/s1.json': await world.sops(
        JSON.stringify(secret('their-secret', { a: value(4), b: value(6), c: value(6) })),
        's.json',
      ),
      'deploy/s2.json': await world.sops(JSON.stringify(secret('equal-secret', { a: value(4) })), 's.json'),
    };
    const seen = await withKey({ files });
    expect(seen.lines.toSorted()).toEqual([
      'refused ConfigMap/helms',
      'refused ConfigMap/theirs',
      'refused Secret/their-secret',
    ]);
    expect(codeOf(seen, 'ConfigMap/theirs')).toBe('SOTTO-PLAN-001');
    expect(codeOf(seen, 'ConfigMap/helms')).toBe('SOTTO-PLAN-006');
    expect(fieldsOf(seen, 'ConfigMap/theirs')).toEqual([{ path: '/data/color', before: 'red', after: 'blue' }]);
    expect(keysOf(seen, 'Secret/their-secret')).toEqual({ a: 'same', b: 'changed', c: 'added' });
    const ask = await withKey({ files, sync: '  adopt: ask' });
    expect(codeOf(ask, 'ConfigMap/equal')).toBe('SOTTO-PLAN-001');
    const always = await withKey({ files, sync: '  adopt: always' });
    expect(always.lines.toSorted()).toEqual([
      'change ConfigMap/theirs',
      'change Secret/their-secret',
      'refused ConfigMap/helms',
    ]);
    const keyless = await diff({ files });
    expect(stringAt(changeOf(keyless, 'Secret/equal-secret'), 'kind')).toBe('unknown');
    expect(stringAt(changeOf(keyless, 'Secret/their-secret'), 'kind')).toBe('refused');
  });

  test('what differs is told beside a refusal of the server too', async () => {
    const labels = { app: 'other' };
    const theirs = deployment(2);
    const spec = theirs['spec'] as JsonObject;
    const template = { ...(spec['template'] as JsonObject), metadata: { labels } };
    const selector = { matchLabels: labels };
    const object = { ...theirs, metadata: { name: 'immutable' }, spec: { ...spec, selector, template } };
    const deployments = `/apis/apps/v1/namespaces/${world.namespace}/deployments?fieldManager=kubectl-create`;
    await world.create(deployments, object);
    const fixed = { ...secret('fixed', { a: value(4), b: value(5) }), immutable: true };
    await world.create(`${collection('secrets')}?fieldManager=kubectl-create`, fixed);
    const changed = JSON.stringify({ ...fixed, stringData: { a: value(4), b: value(6) } });
    const files = {
      'deploy/immutable.json': JSON.stringify({ ...theirs, metadata: { name: 'immutable' } }),
      'deploy/fixed.json': await world.sops(changed, 'fixed.json'),
    };
    const seen = await withKey({ files });
    expect(codeOf(seen, 'apps/Deployment/immutable')).toBe('SOTTO-PLAN-001');
    expect(JSON.stringify(fieldsOf(seen, 'apps/Deployment/immutable'))).toContain('.spec.selector');
    expect(codeOf(seen, 'Secret/fixed')).toBe('SOTTO-PLAN-001');
    expect(keysOf(seen, 'Secret/fixed')).toEqual({ a: 'same', b: 'changed' });
    const always = await withKey({ files, sync: '  adopt: always' });
    expect(codeOf(always, 'apps/Deployment/immutable')).toBe('SOTTO-KUBE-010');
    expect(codeOf(always, 'Secret/fixed')).toBe('SOTTO-KUBE-010');
    expect(keysOf(always, 'Secret/fixed')).toEqual({ a: 'same', b: 'changed' });
  });

  test('a file that was only encrypted again is told as that, and ends with 0', async () => {
    const same = await db({ password: value(0), 'tls.crt': value(1), gone: value(2) }, { labels: { tier: 'a' } });
    const seen = await withKey({ files: { 'deploy/db.json': same } });
    expect(seen.lines).toEqual(['rewritten Secret/db']);
    expect(changeOf(seen, 'Secret/db')).toMatchObject({ encrypted: true });
    expect(seen.code).toBe(0);
  });

  test('a field that cannot be changed in place is told as what is made anew, or refused', async () => {
    const selector = { ...deployment(2) };
    const spec = selector['spec'] as JsonObject;
    const labels = { app: 'other' };
    const template = { ...(spec['template'] as JsonObject), metadata: { labels } };
    const other = { ...spec, selector: { matchLabels: labels }, template };
    const files = (annotations: JsonObject) => ({
      'deploy/web.json': JSON.stringify({ ...selector, metadata: { name: 'web', annotations }, spec: other }),
    });
    const refused = await withKey({ files: files({}) });
    expect(codeOf(refused, 'apps/Deployment/web')).toBe('SOTTO-KUBE-010');
    const asked = await withKey({ files: files({ 'sotto.dev/recreate': 'allowed' }) });
    expect(asked.lines).toEqual(['recreate apps/Deployment/web']);
    expect(asked.stdout).toContain('± recreate apps/Deployment/web');
    expect(asked.code).toBe(1);
  });

  test('another revision of the clone is compared with --rev, with its own settings, also as Markdown', async () => {
    const folder = await checkout({ files: { 'deploy/new.json': JSON.stringify(configMap('new', { a: '`@all`' })) } });
    await rm(join(folder, '.git'), { recursive: true });
    const git = (...args: string[]) =>
      promisify(execFile)('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args]);
    await git('init', '-q');
    await git('add', '-A');
    await git('commit', '-qm', 'first');
    await writeFile(join(folder, 'deploy/new.json'), 'not what was committed');
    await writeFile(join(folder, 'sotto.yaml'), 'not: settings');
    const config = ['-n', world.namespace, '--kubeconfig', world.own.account.kubeconfigPath];
    const all = ['diff', folder, ...config, '--rev', 'HEAD', '--key-file', world.ageKeyFile];
    const text = await runSotto(all);
    const markdown = await runSotto([...all, '-o', 'markdown']);
    outputs.push(text.stdout, text.stderr, markdown.stdout, markdown.stderr);
    expect(text.stdout).toContain('+ create  ConfigMap/new');
    expect([text.code, markdown.code]).toEqual([1, 1]);
    expect(markdown.stdout).toMatch(
      /^### sotto diff of [0-9a-f]{12}\n\n\*\*1 to create, .*\*\*\n\n```diff\n\+ create  ConfigMap\/new/,
    );
    const nothing = await runSotto(['diff', folder, ...config, '--rev', 'no-such']);
    expect([nothing.code, nothing.stderr.includes('SOTTO-CLI-120')]).toEqual([2, true]);
  });

  test('a key file may be a pipe: it is read once', async () => {
    const pipe = join(world.folder, 'pipe');
    await promisify(execFile)('mkfifo', [pipe]);
    const folder = await checkout({});
    const written = writeFile(pipe, await readFile(world.ageKeyFile));
    const config = ['-n', world.namespace, '--kubeconfig', world.own.account.kubeconfigPath];
    const { code } = await runSotto(['diff', folder, ...config, '--key-file', pipe]);
    await written;
    await rm(folder, { recursive: true });
    expect(code).toBe(0);
  });

  test('links are not followed, in the path and below it, and the ignore file is not one', async () => {
    const outside = join(world.folder, 'outside');
    await mkdir(outside, { recursive: true });
    await writeFile(join(outside, 'a.json'), JSON.stringify(configMap('outside', { a: '1' })));
    const below = await withKey({
      files: { 'deploy/left.json': null },
      links: { 'deploy/left.json': join(outside, 'a.json'), 'deploy/sub': outside },
    });
    expect(below.lines).toEqual(['refused ', 'refused ', 'kept ConfigMap/left']);
    expect(below.stdout).toContain('SOTTO-GIT-035');
    expect(below.stdout).not.toContain('ConfigMap/outside');
    const path = await withKey({
      sync: '',
      settings: settingsText(world.git.url(world.repository)).replace('./deploy', './linked'),
      links: { linked: outside },
    });
    expect(path.stdout).toContain('SOTTO-GIT-020');
    expect(path.lines).toEqual(['refused ']);
    const ignored = await withKey({ links: { '.sourceignore': join(outside, 'a.json') } });
    expect(ignored.stdout).toContain('SOTTO-GIT-033');
    expect(ignored.lines).toEqual(['refused ']);
  });

  test('plaintext Secrets are refused or warned of, and their values are not shown', async () => {
    const plain = { ...secret('plain', { a: 'readable-in-git' }), data: { b: 'cmVhZGFibGUtaW4tZ2l0' } };
    const files = { 'deploy/plain.json': JSON.stringify(plain) };
    const refused = await withKey({ files });
    expect(codeOf(refused, 'Secret/plain')).toBe('SOTTO-PLAN-004');
    const warned = await withKey({ files, top: 'plaintextSecrets: warn' });
    expect(warned.lines).toEqual(['create Secret/plain']);
    expect(warned.stderr).toContain('SOTTO-PLAN-004');
    expect(stringAt(arrayAt(warned.json, 'warnings')[0], 'code')).toBe('SOTTO-PLAN-004');
    await world.create(`${collection('secrets')}?fieldManager=kubectl-create`, secret('plain', { a: 'other' }));
    const lastApplied = { 'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"a":"readable-in-git"}}' };
    const annotated = { ...plain, metadata: { name: 'plain', annotations: lastApplied } };
    const changed = await withKey({
      files: { 'deploy/plain.json': JSON.stringify(annotated) },
      top: 'plaintextSecrets: allow',
      sync: '  adopt: always',
    });
    expect(keysOf(changed, 'Secret/plain')).toEqual({ a: 'changed', b: 'added' });
    expect(outputs.join('\n')).not.toMatch(/readable-in-git|cmVhZGFibGUtaW4tZ2l0/);
  });

  test('whole numbers stay exact in JSON', async () => {
    const job = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'long' },
      spec: {
        template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'example.com/c:1' }] } },
        activeDeadlineSeconds: 1,
      },
    };
    await world.create(`/apis/batch/v1/namespaces/${world.namespace}/jobs?fieldManager=kubectl-create`, job);
    const text = JSON.stringify(job).replace('"activeDeadlineSeconds":1', '"activeDeadlineSeconds":9007199254740993');
    const folder = await checkout({ files: { 'deploy/job.json': text } });
    const args = [
      '-n',
      world.namespace,
      '--kubeconfig',
      world.own.account.kubeconfigPath,
      '--key-file',
      world.ageKeyFile,
    ];
    const { stdout } = await runSotto(['diff', folder, ...args, '-o', 'json']);
    expect(stdout).toContain('9007199254740993');
  });

  test('all problems of the settings are told at once', async () => {
    const settings = settingsText(world.git.url(world.repository), { top: 'plaintextSecrets: maybe' }).replace(
      'path: ./deploy',
      'pathh: ./deploy',
    );
    const { code, stderr } = await diff({ settings });
    expect(code).toBe(2);
    expect(stderr.match(/SOTTO-CONF-\d{3}/g)?.length).toBeGreaterThan(2);
  });

  test('a forbidden kind ends with 5 and tells the rest; a server that is away ends with 3', async () => {
    const rules = [
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'patch', 'create'] },
      { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: ['get', 'list', 'patch', 'create'] },
      { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list', 'patch', 'create'] },
    ];
    const reader = await world.own.plane.createServiceAccount(world.namespace, 'reader', rules);
    const seen = await diff(
      { files: { 'deploy/settings.json': JSON.stringify(configMap('settings', { color: 'red' })) } },
      ['--key-file', world.ageKeyFile],
      reader.kubeconfigPath,
    );
    expect(seen.code).toBe(5);
    expect(seen.lines.toSorted()).toEqual(['change ConfigMap/settings', 'refused Secret/db', 'refused Secret/many']);
    expect(codeOf(seen, 'Secret/db')).toBe('SOTTO-KUBE-003');
    const away = join(world.folder, 'away.kubeconfig');
    const text = await readFile(world.own.account.kubeconfigPath, 'utf8');
    await writeFile(away, text.replace(/https:\/\/[^\s"']+/, 'https://127.0.0.1:1'));
    const unreachable = await diff({}, [], away);
    expect(unreachable.code).toBe(3);
    expect(unreachable.stderr).toContain('SOTTO-KUBE-001');
  });

  test('replicas that an autoscaler took are no change, as long as Git does not change them', async () => {
    const url = `/apis/apps/v1/namespaces/${world.namespace}/deployments/web`;
    await editByHand(world, `${url}/scale`, { spec: { replicas: 7 } }, 'kube-controller-manager');
    const seen = await withKey({});
    expect(seen.lines).toEqual([]);
    expect(memberAt(await world.get(url), 'spec', 'replicas')).toBe(7);
    const changed = await withKey({ files: { 'deploy/web.json': JSON.stringify(deployment(2, 'example.com/c:2')) } });
    await eventually('the agent has recorded that it left them', async () => {
      const later = await withKey({ files: { 'deploy/web.json': JSON.stringify(deployment(2, 'example.com/c:2')) } });
      return arrayAt(fieldsOf(later, 'apps/Deployment/web') ?? null).length === 1 ? true : undefined;
    });
    expect(changed.lines).toEqual(['change apps/Deployment/web']);
  });

  test('nothing was written, and no value was shown anywhere', async () => {
    expect(await world.get(`${collection('configmaps')}/new`)).toBeUndefined();
    expect(await world.get(`${collection('secrets')}/token`)).toBeUndefined();
    expect(outputs.length).toBeGreaterThan(80);
    expect(leaksIn([{ name: 'what diff said', bytes: Buffer.from(outputs.join('\n')) }], canaries)).toEqual([]);
    expect(outputs.join('\n')).not.toMatch(/\n\s+at |node:internal/);
    await leakCheck(world, agent, canaries);
  });
});
