import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Preview, Previewed } from '../../src/agent/preview/previewed.ts';
import { diffJson } from '../../src/cli/diff-json.ts';
import { diffText, exitOfChange } from '../../src/cli/diff-view.ts';
import { commitTree } from '../../src/cli/commit-tree.ts';
import { diskTree } from '../../src/cli/disk-tree.ts';
import { diffMarkdown } from '../../src/cli/diff-markdown.ts';
import { recipientChanges } from '../../src/cli/recipient-changes.ts';
import { readWorkingTree } from '../../src/cli/working-tree.ts';
import { SottoError } from '../../src/core/errors.ts';
import { parseJson } from '../../src/core/json.ts';
import { LIMITS } from '../../src/core/limits.ts';
import { syncSettings } from '../agent/fixture.ts';
import { encrypted, newKeyPair } from '../sops/fixtures.ts';
import { sotto } from './session.ts';

const at = { object: 'Secret/db', file: 'deploy/db.yaml', line: 3 };
const noKey = new SottoError({ code: 'SOTTO-AGE-001', what: 'no held identity opens the file', why: 'w', next: 'n' });
const forbidden = new SottoError({ code: 'SOTTO-KUBE-003', what: 'No right', why: 'w', next: 'n', object: 'Secret/x' });
const asked = new SottoError({ code: 'SOTTO-PLAN-008', what: 'it is kept', why: 'w', next: 'n' });
const held = new SottoError({ code: 'SOTTO-PLAN-005', what: 'the plan is held', why: 'w', next: 'n' });
const theirs = new SottoError({
  code: 'SOTTO-PLAN-001',
  what: 'it exists',
  why: 'w',
  next: 'n',
  object: 'ConfigMap/c',
});

const EVERY: readonly Previewed[] = [
  { kind: 'create', ...at, unopened: noKey },
  {
    kind: 'change',
    ...at,
    fields: [{ path: '/metadata/labels/a', before: undefined, after: 'x\u001b[31m' }],
    keys: [
      { key: 'a', change: 'added' },
      { key: 'b', change: 'removed' },
      { key: 'c', change: 'changed' },
      { key: 'd', change: 'same' },
      { key: 'e', change: 'unknown' },
    ],
  },
  { kind: 'unknown', ...at, fields: [], keys: [{ key: 'a', change: 'unknown' }], unopened: noKey },
  { kind: 'rewritten', ...at, encrypted: true },
  { kind: 'recreate', ...at, fields: [], keys: [{ key: 'a', change: 'changed' }] },
  { kind: 'prune', object: 'ConfigMap/left', sync: 'app' },
  { kind: 'kept', object: 'ConfigMap/kept', sync: 'app', why: 'prune is off for this sync' },
  { kind: 'kept', object: 'PersistentVolumeClaim/data', sync: 'app', why: 'w', error: asked },
  { kind: 'held', sync: 'app', creates: 1, prunes: 9, error: held },
  { kind: 'refused', error: theirs, fields: [{ path: '/data/n', before: 1, after: 9007199254740993n }], keys: [] },
];

function found(changes: readonly Previewed[], more: Partial<Preview> = {}): Preview {
  return { changes, unchanged: 2, warnings: [], suspended: [], prunesShown: true, hasKeys: true, ...more };
}

describe('what diff shows', () => {
  it('has a line for each kind of finding, and of a Secret names only', () => {
    expect(diffText(found(EVERY, { prunesShown: false, suspended: ['app'] }), (_style, text) => text)).toBe(`\
+ create  Secret/db  (deploy/db.yaml:3)
    values are not compared: SOTTO-AGE-001: no held identity opens the file: w
~ change  Secret/db  (deploy/db.yaml:3)
    /metadata/labels/a
      + "x\\u001b[31m"
    + key a
    - key b
    ~ key c  another value (values are never shown)
    ? key e  whether its value differs is not known
? unknown Secret/db  (deploy/db.yaml:3)
    values are not compared: SOTTO-AGE-001: no held identity opens the file: w
= same    Secret/db  (deploy/db.yaml:3)
    only encrypted again: nothing of the object changes
± recreate Secret/db  (deploy/db.yaml:3)
    a field cannot be changed in place: it is deleted and made anew
    ~ key a  another value (values are never shown)
- prune   ConfigMap/left  (not in the checkout)
= kept    ConfigMap/kept  (not in the checkout)
    prune is off for this sync
= kept    PersistentVolumeClaim/data  (not in the checkout)
    SOTTO-PLAN-008: it is kept: w
    next: n
! held    sync app  would be held: none of it would be done
    SOTTO-PLAN-005: the plan is held: w
    next: n
! refused  ConfigMap/c
    SOTTO-PLAN-001: it exists: w
    next: n
    /data/n
      - 1
      + 9007199254740993

1 to create, 1 to change, 1 to recreate, 1 to prune, 2 kept, 1 refused, 1 not known, 1 the same, written anew, 2 unchanged
sync app is suspended: nothing of it is done before it is resumed
what left Git is not shown: prunes are left out with --sync
`);
  });

  it('is nothing to do when what left Git stays on purpose', () => {
    const kept = EVERY.find(({ kind }) => kind === 'kept');
    if (kept === undefined) throw new Error('no such line');
    expect(diffText(found([kept]), (_style, text) => text)).toContain('nothing to do: 2 objects');
  });

  it('is a document with a schema whose whole numbers are exact', () => {
    const text = diffJson(found(EVERY, { warnings: [asked] }));
    expect(text).toContain('9007199254740993');
    expect(parseJson(text)).toMatchObject({
      schema: 'sotto.dev/diff/v1alpha1',
      unchanged: 2,
      prunesShown: true,
      hasKeys: true,
      warnings: [{ code: 'SOTTO-PLAN-008' }],
      changes: [
        { kind: 'create', object: 'Secret/db', unopened: { code: 'SOTTO-AGE-001' } },
        {
          kind: 'change',
          fields: [{ path: '/metadata/labels/a' }],
          keys: [{ key: 'a', change: 'added' }, {}, {}, {}, {}],
        },
        { kind: 'unknown' },
        { kind: 'rewritten', encrypted: true },
        { kind: 'recreate', keys: [{ key: 'a', change: 'changed' }] },
        { kind: 'prune', object: 'ConfigMap/left', sync: 'app' },
        { kind: 'kept', why: 'prune is off for this sync' },
        { kind: 'kept', error: { code: 'SOTTO-PLAN-008' } },
        { kind: 'held', creates: 1, prunes: 9, error: { code: 'SOTTO-PLAN-005' } },
        { kind: 'refused', error: { code: 'SOTTO-PLAN-001', object: 'ConfigMap/c' }, fields: [{ before: 1 }] },
      ],
    });
  });

  it('ends with the code of what was found', () => {
    expect(EVERY.map((change) => exitOfChange(change, true))).toEqual([4, 1, 4, 0, 1, 1, 0, 1, 1, 1]);
    expect(EVERY.map((change) => exitOfChange(change, false))).toEqual([1, 1, 0, 0, 1, 1, 0, 1, 1, 1]);
    expect(exitOfChange({ kind: 'refused', error: forbidden, fields: [], keys: [] }, true)).toBe(5);
  });
});

describe('what diff shows on a pull request', () => {
  it('is one block that nothing gets out of', () => {
    const hostile = '```\n</details><img src=x> @everyone [a](http://x) ~~~ `` | \u202e';
    const text = diffMarkdown(
      found([{ kind: 'create', object: `ConfigMap/${hostile}`, file: hostile, line: 1 }], { suspended: ['a`b <img>'] }),
      'sotto diff',
    );
    const [head = '', block = ''] = text.split(/\n(?=`{4,}diff\n)/);
    expect(head).toContain('``` sync a`b <img> is suspended'.slice(1));
    expect(block.split('\n').filter((line) => line.startsWith('````'))).toEqual(['````diff', '````']);
    expect(block.split('\n')).toHaveLength(4);
    expect(text).not.toContain('\u202e');
  });

  it('folds what is long, and says what it leaves out', () => {
    const many = Array.from({ length: 3_000 }, (_, index) => ({
      ...at,
      kind: 'create' as const,
      object: `Secret/${index}`,
    }));
    const text = diffMarkdown(found(many), 'sotto diff of 012345678901');
    expect(text.length).toBeLessThan(65_536);
    expect(text).toMatch(/^### sotto diff of 012345678901\n\n\*\*3000 to create, /);
    expect(text).toMatch(/<details><summary>3000 lines<\/summary>/);
    expect(text).toMatch(/\n\d+ more lines are left out/);
    expect(diffMarkdown(found([]), 't')).toBe('### t\n\n**nothing to do: 2 objects are as in the checkout**\n');
  });
});

function git(root: string, ...args: string[]) {
  return promisify(execFile)('git', ['-C', root, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args]);
}

async function sops(recipient: string, more: readonly string[] = []): Promise<Buffer> {
  const options = { recipients: [recipient, ...more], format: 'json' } as const;
  return Buffer.from(await encrypted('{"data": {"a": "x"}}', recipient, options));
}

describe('recipients of files', () => {
  it('that were added or taken out are told by file; new, plain and broken files are not', async () => {
    const first = (await newKeyPair()).recipient;
    const second = (await newKeyPair()).recipient;
    const before: Record<string, Buffer> = {
      'a.json': await sops(first),
      'b.json': await sops(first),
      'c.json': Buffer.from('{"sops": 1}'),
    };
    const read = (path: string): Promise<Uint8Array | string> => Promise.resolve(before[path] ?? 'it is not there');
    const files = [
      { path: 'a.json', bytes: await sops(first, [second]) },
      { path: 'b.json', bytes: await sops(second) },
      { path: 'c.json', bytes: await sops(first) },
      { path: 'new.json', bytes: await sops(first) },
      { path: 'plain.yaml', bytes: Buffer.from('a: 1') },
    ];
    const changes = await recipientChanges(files, { read });
    expect(changes).toEqual([
      { file: 'a.json', added: [second], removed: [] },
      { file: 'b.json', added: [second], removed: [first] },
    ]);
    const text = diffText(found([], { recipients: changes }), (_style, each) => each);
    expect(text).toContain(`~ recipients of a.json\n    + ${second}  can read it from now on\n`);
  });
});

function withBlock(block: string): Buffer {
  const rest = '  lastmodified: "2026-01-02T03:04:05Z"\n  mac: ENC[x]\n  version: 3.13.3\n';
  return Buffer.from(`a_unencrypted: b\nsops:\n${block}${rest}`);
}

function withPgp(...fingerprints: string[]): Buffer {
  return withBlock(`  pgp:\n${fingerprints.map((fp) => `  - fp: ${fp}\n    enc: x\n`).join('')}`);
}

function withGroups(...recipients: string[]): Buffer {
  const age = recipients.map((each) => `    - recipient: ${each}\n      enc: x\n`).join('');
  return withBlock(`  key_groups:\n  - age:\n${age}  - pgp:\n    - fp: ${'C'.repeat(40)}\n      enc: x\n`);
}

describe('recipients of every kind', () => {
  const [one, other] = ['A'.repeat(40), 'B'.repeat(40)];

  it.each([
    ['OpenPGP keys', withPgp(one), withPgp(one, other), `OpenPGP key ${other}`],
    ['members of key groups', withGroups('age1alice'), withGroups('age1alice', 'age1mallory'), 'age1mallory'],
  ])('are told: %s', async (_name, before, now, added) => {
    const read = (): Promise<Uint8Array> => Promise.resolve(before);
    expect(await recipientChanges([{ path: 'a.yaml', bytes: now }], { read })).toEqual([
      { file: 'a.yaml', added: [added], removed: [] },
    ]);
  });
});

describe('a comment on a pull request', () => {
  it('shows what comes behind a very long name', () => {
    const field = { path: `/metadata/annotations/${'`'.repeat(61_000)}`, before: undefined, after: 'x' };
    const change = { kind: 'change', object: 'Deployment/a', file: 'f', line: 1, fields: [field], keys: [] } as const;
    const prune = { kind: 'prune', object: 'Secret/important', sync: 's' } as const;
    const text = diffMarkdown(found([{ ...change, unopened: undefined }, prune]), 'sotto diff');
    expect(text).toContain('Secret/important');
    expect(text.length).toBeLessThan(5_000);
  });
});

describe('a commit of the checkout', () => {
  it('is read like the working tree that it was, whatever lies there now, and nothing of it is checked out', async () => {
    const root = await tree({ 'app/a.yaml': 'a', 'app/.b.yaml': 'b', 'app/sub/c.yaml': 'c', 'app/n.txt': 'x' });
    await symlink('/etc/passwd', join(root, 'app/link.yaml'));
    await git(root, 'init', '-q');
    await git(root, 'add', '-A');
    await git(root, 'commit', '-qm', 'first');
    const then = await readWorkingTree(diskTree(root), syncSettings('app'));
    await rm(join(root, 'app'), { recursive: true });
    const commit = await commitTree(root, 'HEAD', process.env);
    expect(await readWorkingTree(commit, syncSettings('app'))).toEqual(then);
    expect(then.files.map(({ path }) => path)).toEqual(['app/a.yaml', 'app/sub/c.yaml']);
    expect(then.refusals.map(({ file }) => file)).toEqual(['app/link.yaml']);
    expect((await readWorkingTree(commit, syncSettings('gone'))).refusal?.code).toBe('SOTTO-GIT-019');
    for (const revision of ['main~9', '--output=/tmp/x', '', 'HEAD:app', 'a\u001b[31m']) {
      await expect(commitTree(root, revision, process.env)).rejects.toMatchObject({ code: 'SOTTO-CLI-120' });
    }
  });
});

describe('the working tree', () => {
  it('is read by the rules of the agent: no links, no hidden names, nothing else left out', async () => {
    const root = await tree({
      'outside.json': '{}',
      'app/a.yaml': 'a',
      'app/node_modules/b.json': '{}',
      'app/.hidden/c.yaml': 'c',
      'app/.d.yaml': 'd',
      'app/ignored/e.yaml': 'e',
      'app/sub/.git': 'gitdir: elsewhere',
      'app/sub/f.yaml': 'f',
      'app/notes.txt': 'x',
      'app/.sourceignore': 'ignored/\n',
    });
    await symlink('../outside.json', join(root, 'app/link.json'));
    await symlink('..', join(root, 'app/up'));
    const { files, refusals, refusal } = await readWorkingTree(diskTree(root), syncSettings('app'));
    expect(refusal).toBeUndefined();
    expect(files.map(({ path }) => path)).toEqual(['app/a.yaml', 'app/node_modules/b.json']);
    const why = refusals.map(({ file, error }) => `${file}: ${error.code} ${error.why}`);
    expect(why.toSorted()).toEqual([
      'app/link.json: SOTTO-GIT-035 symbolic links are not followed',
      'app/sub: SOTTO-GIT-035 submodules are not fetched',
      'app/up: SOTTO-GIT-035 symbolic links are not followed',
    ]);
  });

  it.each([
    ['a link as path', 'SOTTO-GIT-020', async (root: string) => symlink('real', join(root, 'app'))],
    ['a link on the way', 'SOTTO-GIT-020', async (root: string) => symlink('real', join(root, 'app')), 'app/deep'],
    ['a file as path', 'SOTTO-GIT-020', async (root: string) => writeFile(join(root, 'app'), 'x')],
    ['no folder', 'SOTTO-GIT-019', async () => undefined],
    [
      'a link as ignore file',
      'SOTTO-GIT-033',
      async (root: string) => {
        await mkdir(join(root, 'app'));
        await symlink('../real/deep/a.yaml', join(root, 'app/.sourceignore'));
      },
    ],
    [
      'a kustomization further down',
      'SOTTO-RENDER-001',
      async (root: string) => {
        await mkdir(join(root, 'app'));
        await mkdir(join(root, 'app/sub'));
        await writeFile(join(root, 'app/sub/kustomization.yaml'), '{}');
      },
    ],
  ] as const)('with %s is refused as a whole, with %s', async (_what, code, make, path: string = 'app') => {
    const root = await tree({ 'real/deep/a.yaml': 'a' });
    await make(root);
    const { files, refusal } = await readWorkingTree(diskTree(root), syncSettings('app', { path }));
    expect(files).toEqual([]);
    expect(refusal?.code).toBe(code);
  });

  it('has the caps of a commit', async () => {
    const root = await tree({ 'app/a.yaml': 'a', 'app/large.yaml': '' });
    await truncate(join(root, 'app/large.yaml'), LIMITS.maxFileBytes + 1);
    const one = await readWorkingTree(diskTree(root), syncSettings('app'));
    expect(one.files.map(({ path }) => path)).toEqual(['app/a.yaml']);
    expect(one.refusals.map(({ file, error }) => `${file} ${error.code}`)).toEqual(['app/large.yaml SOTTO-GIT-023']);
    const count = Math.floor(LIMITS.maxSnapshotBytes / LIMITS.maxFileBytes) + 1;
    for (let index = 0; index < count; index += 1) {
      await writeFile(join(root, `app/${index}.yaml`), '');
      await truncate(join(root, `app/${index}.yaml`), LIMITS.maxFileBytes);
    }
    expect((await readWorkingTree(diskTree(root), syncSettings('app'))).refusal?.code).toBe('SOTTO-GIT-024');
  });
});

describe('sotto diff', () => {
  it('tells every problem of the settings, and asks nobody', async () => {
    const root = await tree({
      'sotto.yaml': 'apiVersion: sotto.dev/v1alpha1\nkind: Config\nplaintextSecrets: maybe\nsynks: []\n',
    });
    const { exit, stdout, stderr } = await sotto(['diff', '-o', 'json'], { cwd: root });
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    const codes = stderr
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { code: string }).code);
    expect(codes).toEqual(['SOTTO-CONF-001', 'SOTTO-CONF-002']);
  });

  it('without settings says where it looked', async () => {
    const { exit, stderr } = await sotto(['diff'], { cwd: await tree({ 'a.yaml': 'a' }) });
    expect(exit).toBe(2);
    expect(stderr).toContain('SOTTO-CONF-012');
  });
});

async function tree(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'sotto-tree-'));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}
