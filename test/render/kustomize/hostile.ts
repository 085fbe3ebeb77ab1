import { CONFIG_MAP, DB, kustomization, MAP, WEB } from './trees.ts';

/** A kustomization that would read, fetch or start something else; `HOST` is an address that somebody listens at. */
export interface Hostile {
  readonly name: string;
  readonly files: string;
  readonly code: string;
  /** What stock kustomize does with it, where that is seen from outside. */
  readonly stock: 'connects' | 'leaves' | 'refuses' | 'builds';
}

const URL = 'http://HOST/x.yaml';
const REMOTE = 'SOTTO-RENDER-020';
const target = 'target: { kind: ConfigMap, name: settings }';

function remote(field: string, text: string, ...others: readonly string[]): Hostile {
  return { name: field, files: kustomization(text, MAP, ...others), code: REMOTE, stock: 'connects' };
}

function plugin(kind: string, fields: string, under = 'transformers'): Hostile {
  const text = `apiVersion: builtin\nkind: ${kind}\nmetadata: { name: p }\n${fields}\n`;
  const files = kustomization(`resources: [map.yaml]\n${under}: [p.yaml]`, MAP, `-- p.yaml\n${text}`);
  return { name: `${kind} in ${under}`, files, code: REMOTE, stock: 'connects' };
}

function inline({ name, files, ...rest }: Hostile): Hostile {
  const [, under = ''] = /^(generators|transformers|validators): \[p\.yaml\]/m.exec(files) ?? [];
  const [head = '', text = ''] = files.split('-- p.yaml\n');
  const block = `${under}:\n- |\n${text.replace(/^(?=.)/gm, '  ')}`;
  return { ...rest, name: `${name}, inline`, files: head.replace(`${under}: [p.yaml]\n`, block) };
}

const PLUGINS = [
  plugin('ConfigMapGenerator', `name: g\nfiles: [x=${URL}]`, 'generators'),
  plugin('ConfigMapGenerator', `name: g\nenvs: ["${URL}"]`, 'generators'),
  plugin('SecretGenerator', `name: g\nfiles: ["x=${URL}"]`, 'generators'),
  plugin('SecretGenerator', `name: g\nenvs: ["${URL}"]`, 'generators'),
  plugin('PatchTransformer', `path: ${URL}\n${target}`),
  plugin('PatchTransformer', `path: ${URL}\n${target}`, 'validators'),
  plugin('PatchJson6902Transformer', `path: ${URL}\ntarget: { version: v1, kind: ConfigMap, name: settings }`),
  plugin('PatchStrategicMergeTransformer', `paths: ["${URL}"]`),
  plugin('ReplacementTransformer', `replacements: [{ path: "${URL}" }]`),
  plugin('ValueAddTransformer', `value: x\ntargetFilePath: ${URL}`),
];

/** Go's JSON reader takes these spellings for the fields. */
const SPELLINGS: readonly Hostile[] = [
  { ...remote('Resources', `Resources: ["${URL}"]`), code: 'SOTTO-RENDER-026' },
  { ...remote('re\u017fources', `re\u017fources: ["${URL}"]`), code: 'SOTTO-RENDER-026' },
  { ...remote('patches[].Path', `resources: [map.yaml]\npatches: [{ Path: "${URL}" }]`), code: 'SOTTO-RENDER-026' },
  { ...remote('FILES', `secretGenerator: [{ name: s, FILES: ["${URL}"] }]`), code: 'SOTTO-RENDER-026' },
  { ...plugin('PatchTransformer', `PATH: ${URL}\n${target}`), name: 'PATH of a plugin', code: 'SOTTO-RENDER-026' },
  {
    ...plugin('ReplacementTransformer', `replacements: [{ pAth: "${URL}" }]`),
    name: 'pAth of a replacement of a plugin',
    code: 'SOTTO-RENDER-026',
  },
];

const CONNECTS: readonly Hostile[] = [
  remote('resources', `resources: ["${URL}"]`),
  remote('resources in capitals', `resources: ["HTTP://HOST/x.yaml"]`),
  remote('resources through an anchor', `namePrefix: &u "${URL}"\nresources: [*u]`),
  remote('resources through a merge', `<<: { resources: ["${URL}"] }`),
  remote('bases', `bases: ["${URL}"]`),
  remote('crds', `resources: [map.yaml]\ncrds: ["${URL}"]`),
  remote('configurations', `resources: [map.yaml]\nconfigurations: ["${URL}"]`),
  remote('openapi.path', `resources: [map.yaml]\nopenapi: { path: "${URL}" }`),
  remote('patches[].path', `resources: [map.yaml]\npatches: [{ path: "${URL}" }]`),
  remote('patchesStrategicMerge', `resources: [map.yaml]\npatchesStrategicMerge: ["${URL}"]`),
  remote(
    'patchesStrategicMerge that reads as a mapping',
    `resources: [map.yaml]\npatchesStrategicMerge: ["${URL}: y"]`,
  ),
  remote('patchesStrategicMerge with a brace', `resources: [map.yaml]\npatchesStrategicMerge: ["${URL}{"]`),
  remote('transformers with a brace', `resources: [map.yaml]\ntransformers: ["${URL}{"]`),
  remote(
    'patchesJson6902[].path',
    `resources: [map.yaml]\npatchesJson6902: [{ path: "${URL}", target: { version: v1, kind: ConfigMap, name: settings } }]`,
  ),
  remote('replacements[].path', `resources: [map.yaml]\nreplacements: [{ path: "${URL}" }]`),
  remote('generators', `resources: [map.yaml]\ngenerators: ["${URL}"]`),
  remote('transformers', `resources: [map.yaml]\ntransformers: ["${URL}"]`),
  remote('validators', `resources: [map.yaml]\nvalidators: ["${URL}"]`),
  ...['configMapGenerator', 'secretGenerator'].flatMap((field) => [
    remote(`${field} files`, `${field}: [{ name: g, files: ["${URL}"] }]`),
    remote(`${field} files with a key`, `${field}: [{ name: g, files: ["k=${URL}"] }]`),
    remote(`${field} envs`, `${field}: [{ name: g, envs: ["${URL}"] }]`),
    remote(`${field} env`, `${field}: [{ name: g, env: "${URL}" }]`),
  ]),
  remote('a base of a base', 'resources: [b]', `-- b/kustomization.yaml\nresources: ["${URL}"]\n`),
  remote(
    'a component',
    'components: [c]',
    `-- c/kustomization.yaml\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: ["${URL}"]\n`,
  ),
  ...PLUGINS,
  ...PLUGINS.map(inline),
  ...SPELLINGS,
];

/** Where kustomize asks for git: with no git on its path it says so. */
const CLONES: readonly Hostile[] = [
  'https://HOST/org/repo',
  'ssh://git@HOST/org/repo',
  'git::https://HOST/org/repo',
  'git@HOST:org/repo',
  'x@host/org/repo',
  'github.com/org/repo',
  'GitHub.com:org/repo',
  'file:///org/repo',
  'FILE://org/repo.git',
].flatMap((address) => [
  remote(`resources ${address}`, `resources: ["${address}"]`),
  remote(`components ${address}`, `components: ["${address}"]`),
  remote(`transformers ${address}`, `resources: [map.yaml]\ntransformers: ["${address}"]`),
]);

const OTHER_BASE = `-- ../outside/kustomization.yaml\nresources: [map.yaml]\n-- ../outside/map.yaml\n${CONFIG_MAP}`;

const LEAVES: readonly Hostile[] = [
  {
    name: 'a base beside the tree',
    files: kustomization('resources: [../outside]', OTHER_BASE),
    code: 'SOTTO-RENDER-021',
    stock: 'leaves',
  },
  {
    name: 'a component beside the tree',
    files: kustomization('resources: [a/../../outside]', OTHER_BASE),
    code: 'SOTTO-RENDER-021',
    stock: 'leaves',
  },
  {
    name: 'a linked folder',
    files: kustomization('resources: [link]', OTHER_BASE, '-- link -> ../outside\n'),
    code: 'SOTTO-RENDER-023',
    stock: 'leaves',
  },
  {
    name: 'a folder in a linked folder',
    files: kustomization(
      'resources: [link/in]',
      '-- ../outside/in/kustomization.yaml\nresources: [map.yaml]\n',
      `-- ../outside/in/map.yaml\n${CONFIG_MAP}`,
      '-- link -> ../outside\n',
    ),
    code: 'SOTTO-RENDER-023',
    stock: 'leaves',
  },
  {
    name: 'a linked kustomization',
    files: `-- kustomization.yaml -> other.yaml\n-- other.yaml\nresources: [map.yaml]\n${MAP}`,
    code: 'SOTTO-RENDER-023',
    stock: 'builds',
  },
  {
    name: 'a linked file',
    files: kustomization('resources: [link.yaml]', MAP, '-- link.yaml -> map.yaml\n'),
    code: 'SOTTO-RENDER-023',
    stock: 'builds',
  },
  {
    name: 'an absolute file',
    files: kustomization('resources: [/etc/hostname]'),
    code: 'SOTTO-RENDER-021',
    stock: 'refuses',
  },
  {
    name: 'a file above',
    files: kustomization('configMapGenerator: [{ name: g, files: [../outside/map.yaml] }]', OTHER_BASE),
    code: 'SOTTO-RENDER-021',
    stock: 'refuses',
  },
  {
    name: 'a link out of the tree',
    files: kustomization(
      'configMapGenerator: [{ name: g, files: [link] }]',
      OTHER_BASE,
      '-- link -> ../outside/map.yaml\n',
    ),
    code: 'SOTTO-RENDER-023',
    stock: 'refuses',
  },
  {
    name: 'a file of a neighbour',
    files: kustomization(
      'resources: [a]',
      '-- a/kustomization.yaml\nresources: [../b/map.yaml]\n',
      `-- b/map.yaml\n${CONFIG_MAP}`,
    ),
    code: 'SOTTO-RENDER-021',
    stock: 'refuses',
  },
];

/** A directory of transformers is built before it is used: only then the address is there. */
const ASSEMBLED: Hostile = {
  name: 'an address that is put together while building',
  files: kustomization(
    'resources: [map.yaml]\ntransformers: [t]',
    MAP,
    '-- t/kustomization.yaml\nresources: [p.yaml]\nreplacements: [{ path: r.yaml }]\n',
    `-- t/p.yaml\napiVersion: builtin\nkind: PatchTransformer\nmetadata: { name: p, annotations: { a: "http:" } }\npath: a//HOST/x.yaml\n${target}\n`,
    '-- t/r.yaml\nsource: { kind: PatchTransformer, fieldPath: metadata.annotations.a }\ntargets: [{ select: { kind: PatchTransformer }, fieldPaths: [path], options: { delimiter: "/" } }]\n',
  ),
  code: 'SOTTO-RENDER-024',
  stock: 'connects',
};

const FUNCTION = `apiVersion: example.com/v1
kind: Fn
metadata:
  name: fn
  annotations:
    config.kubernetes.io/function: |
      exec: { path: ./run.sh }
`;

const STARTS: readonly Hostile[] = [
  {
    name: 'helmCharts',
    files: kustomization('helmCharts: [{ name: c, repo: "http://HOST" }]'),
    code: 'SOTTO-RENDER-025',
    stock: 'refuses',
  },
  {
    name: 'HelmCharts',
    files: kustomization('HelmCharts: [{ name: c, repo: "http://HOST" }]'),
    code: 'SOTTO-RENDER-025',
    stock: 'refuses',
  },
  {
    name: 'helmGlobals',
    files: kustomization('resources: [map.yaml]\nhelmGlobals: { chartHome: c }', MAP),
    code: 'SOTTO-RENDER-025',
    stock: 'builds',
  },
  {
    name: 'helmChartInflationGenerator',
    files: kustomization('helmChartInflationGenerator: [{ chartName: c, chartRepoUrl: "http://HOST" }]'),
    code: 'SOTTO-RENDER-025',
    stock: 'refuses',
  },
  { ...plugin('HelmChartInflationGenerator', 'name: c', 'generators'), code: 'SOTTO-RENDER-025', stock: 'refuses' },
  {
    name: 'an exec function',
    files: kustomization('resources: [map.yaml]\ntransformers: [f.yaml]', MAP, `-- f.yaml\n${FUNCTION}`),
    code: 'SOTTO-RENDER-024',
    stock: 'refuses',
  },
  {
    name: 'a container function',
    files: kustomization(
      'generators: [f.yaml]',
      `-- f.yaml\n${FUNCTION.replace('exec: { path: ./run.sh }', 'container: { image: x }')}`,
    ),
    code: 'SOTTO-RENDER-024',
    stock: 'refuses',
  },
  {
    name: 'a function annotation on a builtin',
    files: kustomization(
      'resources: [map.yaml]\ntransformers: [f.yaml]',
      MAP,
      `-- f.yaml\n${FUNCTION.replace('example.com/v1', 'builtin').replace('kind: Fn', 'kind: PrefixTransformer\nprefix: x\nfieldSpecs: [{ path: metadata/name }]')}`,
    ),
    code: 'SOTTO-RENDER-024',
    stock: 'builds',
  },
  {
    name: 'a plugin of another group',
    files: kustomization(
      'generators: [f.yaml]',
      '-- f.yaml\napiVersion: example.com/v1\nkind: Gen\nmetadata: { name: g }\n',
    ),
    code: 'SOTTO-RENDER-024',
    stock: 'refuses',
  },
  {
    name: 'an inline plugin of another group',
    files: kustomization('generators:\n- |\n  apiVersion: example.com/v1\n  kind: Gen\n  metadata: { name: g }'),
    code: 'SOTTO-RENDER-024',
    stock: 'refuses',
  },
  {
    name: 'a plugin in a list',
    files: kustomization(
      'generators: [f.yaml]',
      `-- f.yaml\napiVersion: v1\nkind: List\nitems: [{ apiVersion: builtin, kind: ConfigMapGenerator, metadata: { name: g }, name: g, files: ["x=${URL}"] }]\n`,
    ),
    code: 'SOTTO-RENDER-024',
    stock: 'connects',
  },
  {
    name: 'a transformer among the generators',
    files: kustomization(
      'generators: [f.yaml]',
      `-- f.yaml\napiVersion: builtin\nkind: PatchTransformer\nmetadata: { name: p }\npath: ${URL}\n`,
    ),
    code: 'SOTTO-RENDER-024',
    stock: 'connects',
  },
  {
    name: 'a generator among the transformers',
    files: kustomization(
      'resources: [map.yaml]\ntransformers: [f.yaml]',
      MAP,
      '-- f.yaml\napiVersion: builtin\nkind: SecretGenerator\nmetadata: { name: p }\n',
    ),
    code: 'SOTTO-RENDER-024',
    stock: 'refuses',
  },
  ASSEMBLED,
];

/** What would give wrong secrets, or much of them. */
const MISLEADS: readonly Hostile[] = [
  {
    name: 'a cycle',
    files: kustomization(
      'resources: [a]',
      '-- a/kustomization.yaml\nresources: [../b]\n',
      '-- b/kustomization.yaml\nresources: [../a]\n',
    ),
    code: 'SOTTO-RENDER-034',
    stock: 'refuses',
  },
  {
    name: 'a base above',
    files: '-- o/kustomization.yaml\nresources: [..]\n-- kustomization.yaml\nresources: [o]\n',
    code: 'SOTTO-RENDER-034',
    stock: 'refuses',
  },
  { name: 'itself', files: kustomization('resources: [.]'), code: 'SOTTO-RENDER-034', stock: 'refuses' },
  {
    name: 'two kustomizations',
    files: kustomization('resources: [map.yaml]', MAP, '-- Kustomization\nresources: [map.yaml]\n'),
    code: 'SOTTO-RENDER-027',
    stock: 'refuses',
  },
  {
    name: 'a folder without kustomization',
    files: kustomization('resources: [a]', `-- a/map.yaml\n${CONFIG_MAP}`),
    code: 'SOTTO-RENDER-027',
    stock: 'refuses',
  },
  {
    name: 'an absent file',
    files: kustomization('resources: [absent.yaml]'),
    code: 'SOTTO-RENDER-022',
    stock: 'refuses',
  },
  {
    name: 'a folder as a file',
    files: kustomization('configMapGenerator: [{ name: g, files: [a] }]', '-- a/x\nx\n'),
    code: 'SOTTO-RENDER-022',
    stock: 'refuses',
  },
  {
    name: 'a file as a component',
    files: kustomization('components: [map.yaml]', MAP),
    code: 'SOTTO-RENDER-022',
    stock: 'refuses',
  },
  {
    name: 'two lines read as one path',
    files: kustomization(
      'resources:\n- a\n - ../b',
      `-- b/kustomization.yaml\nresources: [map.yaml]\n-- b/map.yaml\n${CONFIG_MAP}`,
      '-- a - ../x\nx\n',
    ),
    code: 'SOTTO-RENDER-022',
    stock: 'refuses',
  },
  {
    name: 'an unknown field',
    files: kustomization('resources: [map.yaml]\nfetch: [x]', MAP),
    code: 'SOTTO-RENDER-026',
    stock: 'refuses',
  },
  {
    name: 'a text where a list belongs',
    files: kustomization('resources: map.yaml', MAP),
    code: 'SOTTO-RENDER-036',
    stock: 'refuses',
  },
  {
    name: 'a second document',
    files: kustomization('resources: [map.yaml]\n---\nresources: [x]', MAP),
    code: 'SOTTO-RENDER-036',
    stock: 'builds',
  },
  { name: 'no document', files: kustomization('# nothing'), code: 'SOTTO-RENDER-036', stock: 'refuses' },
  {
    name: 'a kustomization as content',
    files: kustomization('configMapGenerator: [{ name: g, files: [kustomization.yaml] }]'),
    code: 'SOTTO-RENDER-028',
    stock: 'builds',
  },
  {
    name: 'a text of several lines that is an address to git',
    files: kustomization('resources: [map.yaml]\ngenerators: ["https://HOST/org/repo\\n/x"]', MAP),
    code: 'SOTTO-RENDER-036',
    stock: 'connects',
  },
  {
    name: 'a text that is no patch',
    files: kustomization('resources: [map.yaml]\npatchesStrategicMerge: ["http://HOST/x.yaml\\n"]', MAP),
    code: 'SOTTO-RENDER-036',
    stock: 'refuses',
  },
  {
    name: 'a long env line',
    files: kustomization(
      'secretGenerator: [{ name: g, envs: [x.env] }]',
      `-- x.env\nA=1\nB=${'x'.repeat(65_534)}\nC=2\n`,
    ),
    code: 'SOTTO-RENDER-031',
    stock: 'builds',
  },
  {
    name: 'a split Secret',
    files: kustomization(
      'resources: [db.yaml, map.yaml]\nreplacements: [{ source: { kind: Secret, fieldPath: stringData.password, options: { delimiter: "-" } }, targets: [{ select: { kind: ConfigMap }, fieldPaths: [data.host] }] }]',
      DB,
      MAP,
    ),
    code: 'SOTTO-RENDER-030',
    stock: 'builds',
  },
  {
    name: 'a split source of any kind',
    files: kustomization(
      'resources: [db.yaml, map.yaml]\nreplacements: [{ path: r.yaml }]',
      DB,
      MAP,
      '-- r.yaml\nsource: { name: db, fieldPath: stringData.password, options: { delimiter: "-" } }\ntargets: [{ select: { kind: ConfigMap }, fieldPaths: [data.host] }]\n',
    ),
    code: 'SOTTO-RENDER-030',
    stock: 'builds',
  },
  {
    name: 'a Secret split by way of a ConfigMap',
    files: kustomization(
      'resources: [db.yaml, map.yaml, web.yaml]\nreplacements:\n- { source: { kind: Secret, fieldPath: stringData.password }, targets: [{ select: { kind: Config.* }, fieldPaths: [data.host] }] }\n- { source: { kind: ConfigMap, fieldPath: data.host, options: { delimiter: "-" } }, targets: [{ select: { kind: Deployment }, fieldPaths: [metadata.name] }] }',
      DB,
      MAP,
      WEB,
    ),
    code: 'SOTTO-RENDER-030',
    stock: 'builds',
  },
  {
    name: 'a test of a secret value',
    files: kustomization(
      'resources: [db.yaml]\npatches: [{ target: { kind: Secret }, patch: "- { op: test, path: /stringData/password, value: hunter2 }" }]',
      DB,
    ),
    code: 'SOTTO-RENDER-032',
    stock: 'builds',
  },
  {
    name: 'a test in a file, for any kind',
    files: kustomization(
      'resources: [db.yaml]\npatches: [{ target: { name: db }, path: p.yaml }]',
      DB,
      '-- p.yaml\n- { op: test, path: /stringData, value: { password: hunter2 } }\n',
    ),
    code: 'SOTTO-RENDER-032',
    stock: 'builds',
  },
  {
    name: 'broken YAML',
    files: kustomization('resources: [map.yaml]', '-- map.yaml\na: [\n'),
    code: 'SOTTO-YAML-001',
    stock: 'refuses',
  },
];

export const HOSTILE: readonly Hostile[] = [...CONNECTS, ...CLONES, ...LEAVES, ...STARTS, ...MISLEADS];
