import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/core/limits.ts';
import { scan } from '../../../src/render/kustomize/scan.ts';
import { encrypted, newKeyPair } from '../../sops/fixtures.ts';
import { BOMB } from './failing.ts';
import { HOSTILE } from './hostile.ts';
import { OVERLAYS } from './overlays.ts';
import { MISTAKES, withMistakes } from './mistakes.ts';
import { CONFIG_MAP, DB, fixture, kustomization, MAP, SECRET, tree, treeOf, WEB, withDecoys } from './trees.ts';

const pair = await newKeyPair();
const SEED = 20_261_128;

/** Of a fixture, what is in the repository. */
function inside(text: string) {
  const { files, links } = fixture(text);
  return treeOf({ files: new Map([...files].filter(([path]) => !path.startsWith('../'))), links });
}

function refusals(text: string, root = '') {
  const scanned = scan(inside(text), root);
  return scanned.ok ? [] : scanned.refusals;
}

/** `CODE file:line key` of each. */
function told(text: string): string[] {
  return refusals(text).map(({ code, place }) => `${code} ${place.file}:${place.line} ${place.key}`);
}

function accepted(text: string, root = '') {
  const scanned = scan(inside(text), root);
  if (!scanned.ok) throw scanned.refusals[0] ?? new Error('no refusal');
  return scanned.result;
}

/** Every place for a path, with the text of one put in. */
const FIELDS: readonly (readonly [string, (text: string) => string])[] = [
  ...['resources', 'bases', 'components', 'crds', 'configurations', 'generators', 'transformers', 'validators'].map(
    (field) => [field, (text: string) => kustomization(`${field}: [${text}]`)] as const,
  ),
  ['patchesStrategicMerge', (text) => kustomization(`patchesStrategicMerge: [${text}]`)],
  ['patches', (text) => kustomization(`patches: [{ path: ${text} }]`)],
  ['patchesJson6902', (text) => kustomization(`patchesJson6902: [{ path: ${text} }]`)],
  ['replacements', (text) => kustomization(`replacements: [{ path: ${text} }]`)],
  ['openapi', (text) => kustomization(`openapi: { path: ${text} }`)],
  ...['configMapGenerator', 'secretGenerator'].flatMap((field) => [
    [field, (text: string) => kustomization(`${field}: [{ name: g, files: [${text}] }]`)] as const,
    [field, (text: string) => kustomization(`${field}: [{ name: g, envs: [${text}] }]`)] as const,
    [field, (text: string) => kustomization(`${field}: [{ name: g, env: ${text} }]`)] as const,
  ]),
  ...[
    ['PatchTransformer', 'path: X'],
    ['PatchJson6902Transformer', 'path: X'],
    ['PatchStrategicMergeTransformer', 'paths: [X]'],
    ['ReplacementTransformer', 'replacements: [{ path: X }]'],
    ['ValueAddTransformer', 'targetFilePath: X'],
  ].map(
    ([kind = '', field = '']) =>
      [
        kind,
        (text: string) =>
          kustomization(
            'transformers: [t.yaml]',
            `-- t.yaml\napiVersion: builtin\nkind: ${kind}\n${field.replace('X', () => text)}\n`,
          ),
      ] as const,
  ),
];

describe('a hostile kustomization', () => {
  it.each(HOSTILE)('is refused before the run: $name', ({ files, code }) => {
    const root = files.startsWith('-- o/') ? 'o' : '';
    const found = refusals(files, root);
    expect(found.map((error) => error.code)).toContain(code);
    expect(found.filter((error) => error.place.file === undefined).map((error) => error.text())).toEqual([]);
  });

  it('is told without a value of its files', () => {
    const texts = HOSTILE.flatMap(({ files }) => refusals(files)).flatMap((error) => [
      error.text(),
      String(error.stack),
    ]);
    expect(texts.filter((text) => /hunter2|db\.example\.com/.test(text))).toEqual([]);
  });

  it('that is not there is told with its folder', () => {
    expect(refusals(MAP).map((error) => error.text())).toEqual([
      'SOTTO-RENDER-027: a folder has no kustomization — there is no kustomization.yaml, kustomization.yml or Kustomization in the root of the repository — add one, or name the files of the folder one by one',
    ]);
    expect(refusals(MAP, 'deploy')[0]?.place.file).toBe('deploy');
  });

  it('is told all at once, each with file, line and key', () => {
    const text = kustomization(
      'resources:\n- map.yaml\n- https://example.com/x\n- b\npatches:\n- path: absent.yaml\ntransformers: [t.yaml]',
      MAP,
      '-- b/kustomization.yaml\nconfigMapGenerator:\n- name: g\n  files: [../map.yaml]\n',
      '-- t.yaml\napiVersion: builtin\nkind: PatchTransformer\nmetadata: { name: p }\npath: git@example.com:x/y\n',
    );
    expect(told(text)).toEqual([
      'SOTTO-RENDER-020 kustomization.yaml:3 resources.1',
      'SOTTO-RENDER-021 b/kustomization.yaml:3 configMapGenerator.0.files.0',
      'SOTTO-RENDER-022 kustomization.yaml:6 patches.0.path',
      'SOTTO-RENDER-020 t.yaml:4 path',
    ]);
  });

  it('never gets a text through that could be an address, in any field', () => {
    const address = fc.oneof(
      fc
        .tuple(
          fc.constantFrom('http', 'https', 'HTTPS', 'ssh', 'file', 'git', 'oci', 's3', 'x+y'),
          fc.constantFrom('://', ':', ':/', ':///', '::', '::https://'),
        )
        .map((parts) => parts.join('')),
      fc.constantFrom('git::', 'git@', 'user-1@h/', 'github.com/', 'GitHub.COM/', 'git@github.com/', 'host:', 'a/b:'),
    );
    const text = fc
      .tuple(
        fc.constantFrom('', ' ', '\t'),
        address,
        fc.string({ unit: fc.constantFrom(...Array.from('ab/.:@?=%#-_~ {&\n')) }),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.constantFrom(...FIELDS), (found, [, field]) => {
        const trees = withDecoys(tree(field(JSON.stringify(found))), found);
        expect(trees.filter((each) => scan(each, '').ok)).toEqual([]);
      }),
      { seed: SEED, numRuns: 3_000 },
    );
  });

  // The property above would say nothing if nothing passed.
  it.each(FIELDS)('gets a plain path through: %s', (_name, field) => {
    const trees = withDecoys(tree(field('a/b.yaml')), 'a/b.yaml');
    expect(trees.filter((each) => scan(each, '').ok).length).toBeGreaterThan(0);
  });
});

describe('a kustomization as people write it', () => {
  it.each(OVERLAYS)('passes: $name', ({ files, root }) => {
    const { files: reachable } = accepted(files, root);
    expect(reachable.map(({ path }) => path).filter((path) => /README|unused|base-of-others/.test(path))).toEqual([]);
  });

  it('is followed everywhere, each file with its role and who names it', () => {
    const result = accepted(
      kustomization(
        'resources: [db.yaml, o/b]\ngenerators: [g.yaml]\npatches: [{ path: p.yaml }]\nconfigurations: [c.yaml]\nsecretGenerator: [{ name: s, files: [k=key.pem], envs: [s.env] }]',
        DB,
        `-- o/b/kustomization.yaml\nresources: [map.yaml]\n-- o/b/map.yaml\n${CONFIG_MAP}`,
        '-- g.yaml\napiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: { name: g }\nfiles: [x.txt]\n',
        `-- p.yaml\n${SECRET}-- c.yaml\nimages: []\n-- key.pem\nk\n-- s.env\nA=b\n-- x.txt\nx\n-- else.yaml\nx\n`,
      ),
    );
    expect(Object.fromEntries(result.files.map(({ path, role }) => [path, role]))).toEqual({
      'kustomization.yaml': 'kustomization',
      'o/b/kustomization.yaml': 'kustomization',
      'db.yaml': 'document',
      'o/b/map.yaml': 'document',
      'p.yaml': 'document',
      'g.yaml': 'plugin',
      'c.yaml': 'config',
      'key.pem': 'generator-file',
      'x.txt': 'generator-file',
      's.env': 'env-file',
    });
    expect(result.files.find(({ path }) => path === 'x.txt')?.places).toEqual([
      { file: 'g.yaml', line: 4, key: 'files.0' },
    ]);
  });

  it('tells what of its generated Secrets stands in clear, and nothing of ConfigMaps', () => {
    const { plaintext } = accepted(
      kustomization(
        'secretGenerator:\n- name: s\n  literals: [a=b]\n  files: [x.txt]\n  envs: [e.env]\nconfigMapGenerator:\n- name: c\n  literals: [a=b]\n  files: [x.txt]\ngenerators: [g.yaml]',
        '-- x.txt\nx\n-- e.env\nA=b\n',
        '-- g.yaml\napiVersion: builtin\nkind: SecretGenerator\nmetadata: { name: g }\nliterals:\n- p=q\n',
      ),
    );
    expect(plaintext.toSorted((a, b) => (a.file > b.file ? -1 : 1))).toEqual([
      { file: 'kustomization.yaml', line: 3, key: 'secretGenerator.0.literals.0', what: 'literal' },
      { file: 'kustomization.yaml', line: 4, key: 'secretGenerator.0.files.0', what: 'file' },
      { file: 'kustomization.yaml', line: 5, key: 'secretGenerator.0.envs.0', what: 'env-file' },
      { file: 'g.yaml', line: 5, key: 'literals.0', what: 'literal' },
    ]);
  });

  it('is rewritten with the plugins in it, wherever they stand', () => {
    const plugin = '"{ apiVersion: builtin, kind: HashTransformer, metadata: { name: h } } # x"';
    const { rewritten } = accepted(
      kustomization(`<<: { generators: [], validators: [${plugin}] }\ntransformers:\n- ${plugin}`),
    );
    const written = '"{apiVersion: builtin, kind: HashTransformer, metadata: {name: h}}\\n"';
    expect(Buffer.from(rewritten.get('kustomization.yaml') ?? []).toString()).toBe(
      `{<<: {generators: [], validators: [${written}]}, transformers: [${written}]}\n`,
    );
  });

  it('hands out the documents that stand in it as text', () => {
    const { inline } = accepted(
      kustomization(
        'resources: [map.yaml, web.yaml]\npatches:\n- patch: "- { op: remove, path: /data/host }"\n  target: { kind: ConfigMap }\ntransformers:\n- |\n  apiVersion: builtin\n  kind: HashTransformer\n  metadata: { name: h }',
        MAP,
        WEB,
      ),
    );
    expect(inline).toMatchObject([
      { file: 'kustomization.yaml', line: 3, key: 'patches.0.patch', what: 'patch', target: { kind: 'ConfigMap' } },
      { file: 'kustomization.yaml', line: 6, key: 'transformers.0', what: 'plugin' },
    ]);
  });
});

describe('a kustomization with any mistake in it', () => {
  it('passes or is refused with a code: nothing else is thrown, nothing hangs', () => {
    const all = [...OVERLAYS, ...HOSTILE.map(({ files }) => ({ files, root: '' }))];
    fc.assert(
      fc.property(fc.constantFrom(...all), MISTAKES, ({ files, root }, mistakes) => {
        const text = withMistakes(files, mistakes);
        const scanned = scan(inside(text), root);
        if (!scanned.ok) expect(scanned.refusals.length).toBeGreaterThan(0);
      }),
      { seed: SEED, numRuns: 3_000 },
    );
  });
});

describe('a kustomization that grows', () => {
  it('by aliases is refused', () => {
    expect(told(BOMB)).toEqual(['SOTTO-YAML-005 bomb.yaml:10 undefined']);
    const [, bomb = ''] = BOMB.split('-- bomb.yaml\n');
    const inline = `resources: [map.yaml]\npatches:\n- patch: |\n${bomb.replace(/^(?=.)/gm, '    ')}`;
    expect(told(kustomization(inline, MAP))).toEqual(['SOTTO-YAML-005 kustomization.yaml:3 patches.0.patch']);
  });

  it('by bases that are built again and again is refused', () => {
    const levels = Array.from({ length: 20 }, (_, level) =>
      ['a', 'b'].map((side) => {
        const next = level === 19 ? '[map.yaml]' : `[../a${level + 1}, ../b${level + 1}]`;
        return `-- ${side}${level}/kustomization.yaml\nnamePrefix: ${side}-\nresources: ${next}\n-- ${side}${level}/map.yaml\n${CONFIG_MAP}`;
      }),
    );
    const found = refusals(kustomization('resources: [a0, b0]', ...levels.flat()));
    expect(found.map(({ code }) => code)).toEqual(['SOTTO-RENDER-035', 'SOTTO-RENDER-035']);
  });

  it('in depth is refused', () => {
    const chain = Array.from(
      { length: LIMITS.maxKustomizationDepth + 1 },
      (_, index) => `-- d${index}/kustomization.yaml\nresources: [../d${index + 1}]\n`,
    );
    expect(refusals(kustomization('resources: [d0]', ...chain)).map(({ code }) => code)).toEqual(['SOTTO-RENDER-035']);
  });

  it('in files is refused', () => {
    const count = LIMITS.maxSnapshotFiles + 1;
    const names = Array.from({ length: count }, (_, index) => `f${index}`);
    const files = new Map(names.map((name) => [name, 'x']));
    files.set('kustomization.yaml', `configMapGenerator: [{ name: g, files: [${names.join(', ')}] }]`);
    const scanned = scan(treeOf({ files, links: new Map() }), '');
    expect(scanned.ok ? [] : scanned.refusals.map(({ code }) => code)).toEqual(['SOTTO-RENDER-035']);
  });

  it('in blanks costs no more than it is long', () => {
    const blanks = 'sops\n'.concat('\n'.repeat(LIMITS.maxFileBytes - 10));
    accepted(kustomization('configMapGenerator: [{ name: g, files: [x] }]', `-- x\n${blanks}`));
  });

  it('in one file is refused', () => {
    const bytes = new Uint8Array(LIMITS.maxFileBytes + 1);
    const files = tree(kustomization('configMapGenerator: [{ name: g, files: [big] }]'));
    const scanned = scan(new Map([...files, ['big', { kind: 'file', bytes }]]), '');
    expect(scanned.ok ? [] : scanned.refusals.map(({ code }) => code)).toEqual(['SOTTO-RENDER-035']);
  });
});

const into = (kind: string, path: string) =>
  `replacements:\n- source: { kind: ConfigMap, fieldPath: data.host }\n  targets: [{ select: { kind: ${kind} }, fieldPaths: ["${path}"], options: { delimiter: "/", index: 1 } }]`;

describe('a replacement between delimiters', () => {
  const selector = { kind: 'encrypted_regex', value: '^(data|stringData)$' } as const;

  it.each(['stringData.password', 'stringData.*', 'stringData.pass\\\\word', 'stringData/password'])(
    'is refused where a token stands for the text: %s',
    async (path) => {
      const db = await encrypted(SECRET, pair.recipient, { selector });
      const of = (kind: string, text: string) =>
        refusals(kustomization(`resources: [map.yaml, db.yaml]\n${into(kind, path)}`, MAP, `-- db.yaml\n${text}`));
      expect(of('Secret', db).map(({ code }) => code)).toEqual(['SOTTO-RENDER-030']);
      expect(of('Sec.*', db).map(({ code }) => code)).toEqual(['SOTTO-RENDER-030']);
      expect(of('ConfigMap', db)).toEqual([]);
    },
  );

  it('passes where the template stands in clear', async () => {
    const db = await encrypted(SECRET, pair.recipient, { selector: { kind: 'encrypted_regex', value: '^password$' } });
    accepted(
      kustomization(`resources: [map.yaml, db.yaml]\n${into('Secret', 'stringData.url')}`, MAP, `-- db.yaml\n${db}`),
    );
  });

  it('is refused where another replacement puts a secret, and for generated values', async () => {
    const whole = await encrypted('{"data": "x"}', pair.recipient, { format: 'json', file: 'a.json' });
    const first =
      '- source: { kind: Secret, fieldPath: data.x }\n  targets: [{ select: { kind: Secret }, fieldPaths: [stringData.u] }]\n';
    const text = into('Secret', 'stringData.u').replace('replacements:\n', `replacements:\n${first}`);
    expect(refusals(kustomization(`resources: [map.yaml]\n${text}`, MAP)).map(({ code }) => code)).toEqual([
      'SOTTO-RENDER-030',
    ]);
    const generated = `secretGenerator: [{ name: s, files: [a] }]\nresources: [map.yaml]\n${into('Secret', 'data.a')}`;
    expect(refusals(kustomization(generated, MAP, `-- a\n${whole}\n`)).map(({ code }) => code)).toEqual([
      'SOTTO-RENDER-030',
    ]);
  });
});

describe('an encrypted file', () => {
  it('that is empty is known as a file and not as a document', async () => {
    const whole = await encrypted('{"data": ""}', pair.recipient, { format: 'json', file: 'a.json' });
    const { files } = accepted(kustomization('secretGenerator: [{ name: s, files: [a.txt] }]', `-- a.txt\n${whole}\n`));
    expect(files.find(({ path }) => path === 'a.txt')?.encryption).toBe('binary');
  });

  const selector = { kind: 'encrypted_regex', value: '^(data|stringData)$' } as const;
  const all = { kind: 'unencrypted_suffix', value: '_unencrypted' } as const;

  it('is known by its form and passes where secrets may stand', async () => {
    const db = await encrypted(SECRET, pair.recipient, { selector });
    const whole = await encrypted('{"data": "x"}', pair.recipient, { format: 'json', file: 'a.json' });
    const { files } = accepted(
      kustomization(
        'resources: [db.yaml]\nsecretGenerator: [{ name: s, files: [a.yaml, b.bin], envs: [c] }]',
        `-- db.yaml\n${db}-- a.yaml\n${db}-- b.bin\n${whole}\n-- c\n${whole}\n`,
      ),
    );
    expect(Object.fromEntries(files.map(({ path, encryption }) => [path, encryption]))).toEqual({
      'kustomization.yaml': 'none',
      'db.yaml': 'yaml',
      'a.yaml': 'yaml',
      'b.bin': 'binary',
      c: 'binary',
    });
  });

  it('has one role', async () => {
    const db = await encrypted(SECRET, pair.recipient, { selector });
    const text = kustomization(
      'resources: [db.yaml]\nsecretGenerator: [{ name: s, files: [db.yaml] }]',
      `-- db.yaml\n${db}`,
    );
    const [error] = refusals(text);
    expect(error?.text()).toContain(
      'SOTTO-RENDER-028: db.yaml is used in two roles (kustomization.yaml:2, key secretGenerator.0.files.0) — resources.0 in kustomization.yaml:1 and secretGenerator.0.files.0 in kustomization.yaml:2',
    );
  });

  it.each([
    [
      'a kustomization',
      kustomization('secretGenerator: [{ name: s, literals: [a=b] }]'),
      'kustomization.yaml',
      'SOTTO-RENDER-029',
    ],
    [
      'a plugin',
      kustomization('generators: [x.yaml]', '-- x.yaml\napiVersion: builtin\nkind: SecretGenerator\nliterals: [a=b]\n'),
      'x.yaml',
      'SOTTO-RENDER-029',
    ],
    [
      'a configuration',
      kustomization('resources: [map.yaml]\nconfigurations: [x.yaml]', MAP, '-- x.yaml\nimages: [{ path: x }]\n'),
      'x.yaml',
      'SOTTO-RENDER-029',
    ],
    ['an apiVersion', kustomization('resources: [db.yaml]', DB), 'db.yaml', 'SOTTO-RENDER-005'],
    ['a number', kustomization('resources: [db.yaml]', DB.replace('hunter2', '123')), 'db.yaml', 'SOTTO-RENDER-010'],
    [
      'envs',
      kustomization('secretGenerator: [{ name: s, envs: [e.yaml] }]', '-- e.yaml\nA: b\n'),
      'e.yaml',
      'SOTTO-RENDER-033',
    ],
  ])('is refused as %s', async (name, files, path, code) => {
    const parts = fixture(files);
    const clear = parts.files.get(path) ?? '';
    const closed = await encrypted(clear, pair.recipient, { selector: name === 'a number' ? selector : all });
    const scanned = scan(treeOf({ ...parts, files: new Map([...parts.files, [path, closed]]) }), '');
    expect(scanned.ok ? [] : [...new Set(scanned.refusals.map((error) => error.code))]).toEqual([code]);
  });

  it('as a whole is refused as a resource', async () => {
    const whole = await encrypted('{"data": "x"}', pair.recipient, { format: 'json', file: 'a.json' });
    expect(told(kustomization('resources: [x.yaml]', `-- x.yaml\n${whole}\n`))).toEqual([
      'SOTTO-RENDER-033 x.yaml:undefined undefined',
    ]);
  });
});
