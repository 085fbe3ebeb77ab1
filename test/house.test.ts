import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { CODES } from '../src/core/codes.ts';
import type { Import, SourceFile } from './house/source-tree.ts';
import { findCycles, readSource, sourceTree } from './house/source-tree.ts';

// The house of docs/architecture.md as rules. A rule that is in the way is changed there first, with the reason.

const STAGES = ['source', 'open', 'render', 'plan', 'apply', 'drift', 'health'];
const CODECS = ['expression', 'sops', 'sealed', 'yaml'];
const DOORS = ['kube', 'git', 'oci'];
const BELOW_STAGES = ['keys', 'settings', 'services', ...CODECS, ...DOORS, 'core'];

/** Room → rooms it may import from, besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  main: ['cli'],
  cli: ['demo', 'agent', 'authoring', 'report', ...STAGES, ...BELOW_STAGES],
  demo: [...DOORS, 'core'],
  agent: ['authoring', 'report', ...STAGES, ...BELOW_STAGES],
  authoring: [...STAGES, ...BELOW_STAGES],
  ...Object.fromEntries(STAGES.map((stage) => [stage, BELOW_STAGES])),
  report: ['settings', 'core'],
  keys: ['settings', 'services', ...CODECS, ...DOORS, 'core'],
  settings: ['services', ...CODECS, ...DOORS, 'core'],
  // It speaks to the outside as a door does, in the words of files, and as kube/exchange does with secret bodies.
  services: ['sops', 'kube', 'core'],
  sops: ['yaml', 'core'],
  sealed: ['yaml', 'core'],
  yaml: ['core'],
  expression: ['core'],
  kube: ['core'],
  git: ['core'],
  oci: ['core'],
  core: [],
};

/** Where a value is seen as bytes. A new line needs a reason that a reader of docs/threat-model.md accepts. */
const MAY_REVEAL: readonly { readonly path: string; readonly why: string }[] = [
  { path: 'src/apply/fill.ts', why: 'writes one value into the request body' },
  { path: 'src/open/whole-secret.ts', why: 'takes a Secret apart that was sealed as a whole' },
  { path: 'src/sealed/', why: 'codec: seals and unseals' },
  { path: 'src/keys/key-secret.ts', why: 'hands entries of key Secrets to the parsers of keys' },
  { path: 'src/keys/fingerprint.ts', why: 'makes the key object of the keyed digests' },
  {
    path: 'src/agent/fingerprint-body.ts',
    why: 'writes a new fingerprint key into its Secret, with the one before it',
  },
  { path: 'src/agent/sealing-key.ts', why: 'writes a new sealing key into its Secret, once' },
  { path: 'src/agent/exposure/bare-value.ts', why: 'takes the base64 off a value, so that it is the same one without' },
  { path: 'src/agent/rotation/new-key.ts', why: 'writes a new age identity into its Secret, once' },
  { path: 'src/services/', why: 'shows its credential to a key service that is allowed' },
  { path: 'src/git/credential.ts', why: 'writes the private configuration that git reads' },
  { path: 'src/sops/pgp.ts', why: 'hands OpenPGP keys to the library that reads them' },
  { path: 'src/sops/change-', why: 'codec: encrypts a changed file anew' },
  { path: 'src/cli/commands/decrypt.ts', why: 'its purpose' },
  { path: 'src/cli/commands/convert.ts', why: 'its purpose' },
  { path: 'src/cli/unsealed.ts', why: 'what sotto unseal prints, and sotto convert encrypts again' },
  { path: 'src/cli/commands/edit.ts', why: 'its purpose: puts the clear text before the editor' },
  { path: 'src/keys/canary.ts', why: 'makes the key of a proof out of a nonce that was made for nothing else' },
  { path: 'src/cli/rotate/canary.ts', why: 'encrypts that nonce for a new key' },
  { path: 'src/cli/rotate/cluster-keys.ts', why: 'writes a new age identity into its Secret, once' },
  { path: 'src/cli/commands/keys-add.ts', why: 'writes a key that somebody brings into its Secret, once' },
  { path: 'src/cli/keys/backup.ts', why: 'encrypts key Secrets into a backup' },
  { path: 'src/cli/keys/restore.ts', why: 'sends the key Secrets of a backup that are missing' },
  { path: 'src/authoring/secret-body.ts', why: 'writes keys into the body of their Secret' },
  { path: 'src/cli/rotate/new-key.ts', why: 'writes a new age identity into the file that the person names' },
  { path: 'src/cli/keep/secret-change.ts', why: 'encrypts the live values of a paused Secret into its file' },
  { path: 'src/cli/blame.ts', why: 'compares a value with what it was in other commits' },
  { path: 'src/cli/change-values.ts', why: 'sets, shows and removes single values of an opened file' },
];

/** Loaded where they are needed: together they cost more memory than the rest of the agent. */
const HEAVY = ['node-forge', 'openpgp', '@kubernetes/client-node'];

const MAX_LINES = 400;

const files = sourceTree();

describe('the rooms of src', () => {
  it('are all known', () => {
    expect([...new Set(files.map((file) => file.room))].filter((room) => MAY_IMPORT[room] === undefined)).toEqual([]);
  });

  it('import only downwards, and stages only types of each other', () => {
    expect(
      importsThat((file, { target, local, typeOnly }) => local && !isAllowed(file.room, target, typeOnly)),
    ).toEqual([]);
  });

  it('have no import cycle, types included', () => {
    expect(findCycles(files)).toEqual([]);
  });

  it('load heavy libraries only when they are used', () => {
    expect(importsThat(loadsHeavyAtOnce)).toEqual([]);
  });

  it('are named after what they hold', () => {
    expect(paths((file) => /(^|[/-])(utils?|helpers?|common|misc|manager)[./-]/.test(file.path))).toEqual([]);
  });
});

describe('a file of src', () => {
  it(`has at most ${MAX_LINES} lines`, () => {
    expect(paths((file) => file.lines > MAX_LINES)).toEqual([]);
  });

  it('reads environment and arguments only in main.ts and cli/', () => {
    expect(paths((file) => !isEntrance(file) && /\bprocess\.(env|argv|execArgv)\b/.test(file.code))).toEqual([]);
  });

  it('sees secret bytes only where that is its task', () => {
    expect(paths((file) => reveals(file) && !MAY_REVEAL.some((each) => file.path.startsWith(each.path)))).toEqual([]);
  });

  it('stays on the list of those that see secret bytes only while it does', () => {
    const seeing = paths(reveals);
    expect(MAY_REVEAL.filter((each) => !seeing.some((file) => file.startsWith(each.path)))).toEqual([]);
  });

  it('has no any', () => {
    expect(paths((file) => /(?:[:<,|&(]|\bas|=>)\s*any\b(?=\s*(?:[;,)>\]=|&{[]|$))/m.test(file.code))).toEqual([]);
  });

  it('awaits nothing at its top level and knows its own place only in main.ts', () => {
    expect(paths((file) => /^(?:(?:const|let) .* = )?await\b/m.test(file.code))).toEqual([]);
    expect(paths((file) => file.room !== 'main' && /\bimport\.meta\b/.test(file.code))).toEqual([]);
  });
});

describe('an end-to-end test that runs an agent', () => {
  const tests = endToEndTests();
  const running = tests.filter(({ text }) => /\bcreateWorld\(|\bwatchLeaks\(/.test(text));

  it('runs it in a world, or gives it to the leak check itself', () => {
    const past = /\bstartAgent\b|src\/agent\/main|src\/main\.ts|\bobserveAgent\(/;
    const given = 'leaks.agent(observeAgent(';
    expect(tests.filter(({ text }) => past.test(text.replaceAll(given, ''))).map(({ file }) => file)).toEqual([]);
  });

  it('has a value in a Secret, so that the leak check in the end has something to find', () => {
    const plants = /\bplantCanaries\(|\.canaryFile\(|\bworld\w*\.value\(|\bcanary\(|\bfindable\(|\breadyToRotate\(/;
    expect(running.filter(({ text }) => !plants.test(text)).map(({ file }) => file)).toEqual([]);
    expect(running.length).toBeGreaterThan(20);
  });
});

describe('an error code', () => {
  it('is used when it is registered', () => {
    const used = codesIn(files.filter((file) => !file.path.startsWith('src/core/codes')));
    expect(Object.keys(CODES).filter((code) => !used.has(code))).toEqual([]);
  });

  it('is registered when it is used', () => {
    expect([...codesIn(files)].filter((code) => !Object.hasOwn(CODES, code))).toEqual([]);
  });

  it('belongs to an area of the interface', () => {
    const areas = 'SOPS|SEAL|AGE|GIT|OCI|YAML|RENDER|KUBE|PLAN|CONF|KEYS|ROTATE|GUARD|CLI';
    expect(Object.keys(CODES).filter((code) => !new RegExp(`^SOTTO-(${areas})-\\d{3}$`).test(code))).toEqual([]);
  });
});

// The rules above say nothing if the scanner sees nothing.
describe('the scanner of these tests', () => {
  const sample = readSource(
    'src/plan/sample.ts',
    [
      "import type { A } from '../open/a.ts';",
      'import {\n  type B,\n  type C,\n} from "../x.ts";'.replaceAll('"', "'"),
      "import { D, type E } from '../kube/d.ts';",
      "// import { no } from '../cli/no.ts';",
      "export { f } from './f.ts';",
      "import 'node:fs';",
      "const late = () => import('../git/late.ts');",
      "const quote = /['\"`]/; const text = 'process.env'; // process.argv",
      'const hole = `any: any, ${secret.reveal()} // not a comment`;',
    ].join('\n'),
  );

  it('finds every import with its kind', () => {
    expect(sample.imports.map(({ target, typeOnly, dynamic }) => [target, typeOnly, dynamic])).toEqual([
      ['src/open/a.ts', true, false],
      ['src/x.ts', true, false],
      ['src/kube/d.ts', false, false],
      ['src/plan/f.ts', false, false],
      ['node:fs', false, false],
      ['src/git/late.ts', false, true],
    ]);
  });

  it('reads past comments, strings and regular expressions, but into templates', () => {
    expect(sample.code).not.toMatch(/process|any/);
    expect(reveals(sample)).toBe(true);
  });

  it('finds a cycle through types', () => {
    const a = readSource('src/core/a.ts', "import type { B } from './b.ts';");
    const b = readSource('src/core/b.ts', "import { A } from './a.ts';");
    expect(findCycles([a, b])).toEqual(['src/core/a.ts → src/core/b.ts']);
    expect(findCycles([a])).toEqual([]);
  });
});

function isAllowed(room: string, target: string, typeOnly: boolean): boolean {
  const other = readSource(target, '').room;
  if (other === room || MAY_IMPORT[room]?.includes(other) === true) return true;
  return typeOnly && isStage(room) && STAGES.includes(other);
}

/** demo/ is excepted: `sotto demo` is all that loads it. */
function loadsHeavyAtOnce(file: SourceFile, { target, dynamic, typeOnly }: Import): boolean {
  const heavy = HEAVY.some((name) => target === name || target.startsWith(`${name}/`));
  return heavy && !dynamic && !typeOnly && file.room !== 'demo';
}

function codesIn(list: readonly SourceFile[]): ReadonlySet<string> {
  return new Set(list.flatMap((file) => file.text.match(/\bSOTTO-[A-Z]+-\d{3}\b/g) ?? []));
}

/** A stage takes what another one made: it knows the type of its input. */
function isStage(room: string): boolean {
  return STAGES.includes(room) || room === 'report';
}

function isEntrance(file: SourceFile): boolean {
  return file.room === 'main' || file.room === 'cli';
}

function reveals(file: SourceFile): boolean {
  return /\.reveal\(/.test(file.code);
}

/** The tests only: what they import runs no agent. */
function endToEndTests(): readonly { readonly file: string; readonly text: string }[] {
  const folder = path.join(import.meta.dirname, 'e2e');
  const names = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  return names.map((file) => ({ file, text: readFileSync(path.join(folder, file), 'utf8') }));
}

function paths(select: (file: SourceFile) => boolean): readonly string[] {
  return files.filter(select).map((file) => file.path);
}

function importsThat(select: (file: SourceFile, each: Import) => boolean): readonly string[] {
  return files.flatMap((file) =>
    file.imports.filter((each) => select(file, each)).map(({ target }) => `${file.path} imports ${target}`),
  );
}
