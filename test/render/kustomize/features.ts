import type { SealedFile } from '../tokens/corpus.ts';

/** A repository with encrypted inputs, each for one thing that kustomize can. Built as by stock tools. */
export interface Feature {
  readonly name: string;
  readonly root: string;
  readonly plain: Readonly<Record<string, string>>;
  readonly sealed: Readonly<Record<string, SealedFile>>;
  /** Secrets in clear, by the path of the file that gets the SealedSecret. */
  readonly sealedSecrets?: Readonly<Record<string, string>>;
}

type Entry = string | SealedFile;

/** Files by path: what is text is in clear. */
function feature(name: string, root: string, files: Readonly<Record<string, Entry>>): Feature {
  const plain = Object.entries(files).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const sealed = Object.entries(files).filter((entry): entry is [string, SealedFile] => typeof entry[1] !== 'string');
  return { name, root, plain: Object.fromEntries(plain), sealed: Object.fromEntries(sealed) };
}

const doc = (text: string): SealedFile => ({ role: 'document', text });
const file = (text: string | Uint8Array): SealedFile => ({ role: 'generator-file', text });
const env = (text: string): SealedFile => ({ role: 'env-file', text });
const COMPONENT = 'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n';
const secret = (name: string, body: string): string =>
  `apiVersion: v1\nkind: Secret\nmetadata:\n  name: ${name}\n${body}`;
const DB = doc(secret('db', 'stringData:\n  password: "it is \\"hard\\": #1 ü"\n  user: admin\n'));
const WEB = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
      - name: web
        image: nginx:1
        args: ["$(DB_NAME)"]
        env:
        - name: PASSWORD
          valueFrom: { secretKeyRef: { name: db, key: password } }
        envFrom:
        - secretRef: { name: app }
      imagePullSecrets:
      - name: app
      volumes:
      - name: s
        secret: { secretName: app }
      - name: p
        projected: { sources: [ { secret: { name: db } } ] }
`;
const MAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings }\ndata: { host: db.example.com }\n';
/** A base beside the overlay, with a Secret as resource and another one generated. */
const BASE = {
  'base/kustomization.yaml':
    'resources: [db.yaml, web.yaml, map.yaml]\nsecretGenerator:\n- { name: app, envs: [app.env], files: [tls.key] }\n',
  'base/db.yaml': DB,
  'base/web.yaml': WEB,
  'base/map.yaml': MAP,
  'base/app.env': env('TOKEN=base token=1\nOTHER=kept\n'),
  'base/tls.key': file('-----BEGIN KEY-----\nbase\n-----END KEY-----\n'),
};

function over(name: string, text: string, files: Readonly<Record<string, Entry>> = {}): Feature {
  return feature(name, 'o', { ...BASE, 'o/kustomization.yaml': `resources: [../base]\n${text}\n`, ...files });
}

const builtin = (kind: string, fields: string): string =>
  `apiVersion: builtin\nkind: ${kind}\nmetadata: { name: p }\n${fields}\n`;

function plugin(kind: string, fields: string, files: Readonly<Record<string, Entry>> = {}): Feature {
  const under = kind.endsWith('Generator') ? 'generators' : 'transformers';
  return over(kind, `${under}: [p.yaml]`, { 'o/p.yaml': builtin(kind, fields), ...files });
}

const PATCH = doc(secret('db', 'stringData:\n  password: patched\n  more: added\n'));
const TO_SECRET = 'target: { kind: Secret, name: db }';
const NAMED = 'fieldSpecs: [{ path: metadata/name }]';

const TREES: readonly Feature[] = [
  over('a base outside of the root', ''),
  feature('a base under bases', 'o', { ...BASE, 'o/kustomization.yaml': 'bases: [../base]\n' }),
  feature('overlays over overlays, each with prefix, suffix and secrets', 'a/b/c', {
    ...BASE,
    'a/b/c/kustomization.yaml':
      'namePrefix: c-\nresources: [../../mid]\nsecretGenerator: [{ name: c, files: [c.txt] }]\n',
    'a/b/c/c.txt': file('of c'),
    'a/mid/kustomization.yaml': 'nameSuffix: -mid\nresources: [../../base]\npatches: [{ path: p.yaml }]\n',
    'a/mid/p.yaml': PATCH,
  }),
  feature('one base in two overlays', 'all', {
    ...BASE,
    'all/kustomization.yaml': 'resources: [../one, ../two]\n',
    'one/kustomization.yaml': 'namePrefix: one-\nresources: [../base]\n',
    'two/kustomization.yaml': 'namePrefix: two-\nresources: [../base]\npatches: [{ path: p.yaml }]\n',
    'two/p.yaml': PATCH,
  }),
  over('components outside of the root, one in another', 'components: [../part]', {
    'part/kustomization.yaml': `${COMPONENT}components: [../deep]\npatches: [{ path: p.yaml }]\n`,
    'part/p.yaml': PATCH,
    'deep/kustomization.yaml': `${COMPONENT}nameSuffix: -d\nresources: [x.yaml]\nsecretGenerator: [{ name: app, behavior: merge, envs: [d.env] }]\n`,
    'deep/x.yaml': doc(secret('x', 'data: { blob: AAECAwQF }\n')),
    'deep/d.env': env('TOKEN=of the component\n'),
  }),
];

const GENERATORS: readonly Feature[] = [
  over('behavior: merge', 'secretGenerator: [{ name: app, behavior: merge, envs: [o.env], files: [k=o.key] }]', {
    'o/o.env': env('TOKEN=of the overlay\nNEW=one\n'),
    'o/o.key': file(Uint8Array.from({ length: 200 }, (_, at) => (at * 11) % 256)),
  }),
  over(
    'behavior: merge with a prefix and a namespace',
    'namePrefix: p-\nnamespace: team\nsecretGenerator: [{ name: app, behavior: merge, envs: [o.env] }]',
    { 'o/o.env': env('TOKEN=of the overlay\n') },
  ),
  over('behavior: replace', 'secretGenerator: [{ name: app, behavior: replace, files: [tls.key] }]', {
    'o/tls.key': file('replaced'),
  }),
  over(
    'generatorOptions with immutable, labels and annotations',
    'generatorOptions: { immutable: true, labels: { a: b }, annotations: { c: d } }\nsecretGenerator: [{ name: g, type: Opaque, files: [g.txt] }]',
    { 'o/g.txt': file('x') },
  ),
  over(
    'options of one generator, no suffix',
    'secretGenerator: [{ name: g, namespace: other, envs: [g.env], options: { disableNameSuffixHash: true, immutable: true, labels: { a: b } } }]',
    { 'o/g.env': env('A=b c d\n') },
  ),
  over(
    'generatorOptions without a suffix',
    'generatorOptions: { disableNameSuffixHash: true }\nsecretGenerator: [{ name: g, env: g.env }]',
    {
      'o/g.env': env('A=b\n'),
    },
  ),
  over(
    'types of Secrets',
    'secretGenerator:\n- { name: t, type: kubernetes.io/tls, files: [tls.crt, tls.key] }\n- { name: d, type: kubernetes.io/dockerconfigjson, files: [.dockerconfigjson=d.json] }',
    {
      'o/tls.crt': file('cert'),
      'o/tls.key': file('key'),
      'o/d.json': file('{"auths":{"r.example.com":{"auth":"dTpw"}}}'),
    },
  ),
  plugin('SecretGenerator', 'name: app\nbehavior: merge\nenvs: [o.env]\nfiles: [f=o.txt]', {
    'o/o.env': env('TOKEN=by a plugin\n'),
    'o/o.txt': file('in a file'),
  }),
  plugin('ConfigMapGenerator', 'name: settings\nbehavior: merge\nliterals: [a=b]'),
  over(
    'a generator in place',
    'generators:\n- |\n  apiVersion: builtin\n  kind: SecretGenerator\n  metadata: { name: g }\n  type: Opaque\n  files: [o.txt]',
    { 'o/o.txt': file('in a file') },
  ),
];

const PATCHES: readonly Feature[] = [
  over('a patch in an encrypted file', 'patches: [{ path: p.yaml }]', { 'o/p.yaml': PATCH }),
  over('a patch in an encrypted file with a target', `patches: [{ path: p.yaml, ${TO_SECRET} }]`, {
    'o/p.yaml': PATCH,
  }),
  over(
    'a patch with a target by label',
    'patches: [{ path: p.yaml, target: { kind: Secret, annotationSelector: "!x" } }]',
    {
      'o/p.yaml': PATCH,
    },
  ),
  over('a patch in encrypted JSON', 'patches: [{ path: p.json }]', {
    'o/p.json': doc(
      '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"password": "<&> ü"}}',
    ),
  }),
  over('several patches in an encrypted file', 'patches: [{ path: p.yaml }]', {
    'o/p.yaml': doc(
      `${secret('db', 'stringData:\n  password: one\n')}---\n${secret('db', 'stringData:\n  user: two\n')}`,
    ),
  }),
  over('an encrypted patch of a generated Secret', 'patches: [{ path: p.yaml }]', {
    'o/p.yaml': doc(secret('app', 'stringData:\n  PATCHED: yes it is\n')),
  }),
  over('patchesStrategicMerge', 'patchesStrategicMerge: [p.yaml]', { 'o/p.yaml': PATCH }),
  over(
    'an inline patch that deletes a key',
    'patches:\n- patch: |-\n    apiVersion: v1\n    kind: Secret\n    metadata: { name: db }\n    stringData: { user: null }',
  ),
  over(
    'an inline patch that deletes the Secret',
    'patches: [{ patch: "{apiVersion: v1, kind: Secret, metadata: {name: db}, $patch: delete}" }]',
  ),
  over(
    'an inline patch that replaces all of stringData',
    'patches:\n- patch: |-\n    apiVersion: v1\n    kind: Secret\n    metadata: { name: db }\n    stringData: { $patch: delete }',
  ),
  over(
    'JSON6902 in place',
    `patches:\n- ${TO_SECRET}\n  patch: |-\n    - { op: move, from: /stringData/password, path: /stringData/pass }\n    - { op: copy, from: /stringData/pass, path: /stringData/again }\n    - { op: remove, path: /stringData/user }`,
  ),
  over('JSON6902 in a file', `patches: [{ path: p.yaml, ${TO_SECRET} }]`, {
    'o/p.yaml': '- { op: remove, path: /stringData/user }\n',
  }),
  over('patchesJson6902', 'patchesJson6902: [{ target: { version: v1, kind: Secret, name: db }, path: p.json }]', {
    'o/p.json': '[{"op": "copy", "from": "/stringData/user", "path": "/stringData/who"}]\n',
  }),
  over(
    'a patch that renames the Secret',
    `patches:\n- ${TO_SECRET}\n  options: { allowNameChange: true }\n  patch: '[{"op": "replace", "path": "/metadata/name", "value": "renamed"}]'`,
  ),
  plugin('PatchTransformer', `path: q.yaml\n${TO_SECRET}`, { 'o/q.yaml': PATCH }),
  plugin('PatchStrategicMergeTransformer', 'paths: [q.yaml]', { 'o/q.yaml': PATCH }),
  plugin(
    'PatchJson6902Transformer',
    'target: { version: v1, kind: Secret, name: db }\njsonOp: "[{\\"op\\": \\"remove\\", \\"path\\": \\"/stringData/user\\"}]"',
  ),
  plugin('PatchJson6902Transformer', 'target: { version: v1, kind: Secret, name: db }\npath: q.json', {
    'o/q.json': '[{"op": "copy", "from": "/stringData/user", "path": "/stringData/who"}]',
  }),
];

const TARGET = 'o/target.yaml';
const REPLACE = 'source: { kind: Secret, name: db, fieldPath: stringData.password }';
const INTO = (path: string, options = ''): string =>
  `targets: [{ select: { kind: Secret, name: target }, fieldPaths: [${path}]${options} }]`;

/** The templates stand in clear, in a Secret of which another value is encrypted. */
function replacing(name: string, text: string, files: Readonly<Record<string, Entry>> = {}): Feature {
  const body = 'stringData:\n  p: x\n  url: "postgres://app|PASS|db"\n  json: \'{"a": {"b": "x"}}\'\n';
  const target: SealedFile = { role: 'document', text: secret('target', body), args: ['--encrypted-regex', '^p$'] };
  const made = over(name, '', { [TARGET]: target, ...files });
  return { ...made, plain: { ...made.plain, 'o/kustomization.yaml': `resources: [../base, target.yaml]\n${text}\n` } };
}

const REPLACEMENTS: readonly Feature[] = [
  replacing('a replacement in place', `replacements:\n- ${REPLACE}\n  ${INTO('stringData.p')}`),
  replacing('a replacement in a file', 'replacements: [{ path: r.yaml }]', {
    'o/r.yaml': `${REPLACE}\n${INTO('stringData.p')}\n`,
  }),
  replacing('replacements in a file', 'replacements: [{ path: r.yaml }]', {
    'o/r.yaml': `- ${REPLACE}\n  ${INTO('stringData.url', ', options: { delimiter: "|", index: 1 }')}\n- ${REPLACE}\n  ${INTO('stringData.json.a.b')}\n`,
  }),
  replacing(
    'a replacement that creates',
    `replacements:\n- ${REPLACE}\n  ${INTO('stringData.new', ', options: { create: true }')}`,
  ),
  replacing(
    'a plain value into a Secret',
    `replacements:\n- source: { kind: ConfigMap, name: settings, fieldPath: data.host }\n  ${INTO('stringData.url', ', options: { delimiter: "|", index: 2 }')}`,
  ),
  replacing(
    'of a generated Secret',
    `replacements:\n- source: { kind: Secret, name: app, fieldPath: data.TOKEN }\n  ${INTO('data.q', ', options: { create: true }')}`,
  ),
  {
    ...replacing('', 'transformers: [p.yaml]', {
      'o/p.yaml': builtin('ReplacementTransformer', 'replacements: [{ path: r.yaml }]'),
      'o/r.yaml': `${REPLACE}\n${INTO('stringData.p')}\n`,
    }),
    name: 'ReplacementTransformer',
  },
  plugin('ValueAddTransformer', 'value: added\ntargetFilePath: t.yaml', {
    'o/t.yaml': 'targets: [{ selector: { kind: Secret }, fieldPath: metadata/annotations/x }]\n',
  }),
  over(
    'vars',
    'vars: [{ name: DB_NAME, objref: { apiVersion: v1, kind: Secret, name: db }, fieldref: { fieldPath: metadata.name } }]\nnamePrefix: v-',
  ),
];

const CRD = JSON.stringify({
  'example.com/v1.Thing': {
    Schema: { properties: { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' } } },
  },
});
const THING = 'apiVersion: example.com/v1\nkind: Thing\nmetadata: { name: t }\nspec: { secret: db }\n';

const TRANSFORMERS: readonly Feature[] = [
  over('namePrefix and nameSuffix', 'namePrefix: a-\nnameSuffix: -z'),
  over('namespace', 'namespace: team'),
  over(
    'labels',
    'labels: [{ pairs: { a: b }, includeSelectors: true }, { pairs: { c: d }, includeTemplates: true }, { pairs: { e: f }, fields: [{ path: metadata/labels, create: true, kind: Secret }] }]',
  ),
  over('commonLabels', 'commonLabels: { team: a }'),
  over('commonAnnotations', 'commonAnnotations: { a: "0123", b: "yes", c: "https://example.com/x" }'),
  over(
    'images',
    'images: [{ name: nginx, newName: registry.example.com/nginx, digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000" }]',
  ),
  over('replicas', 'replicas: [{ name: web, count: 4 }]'),
  over('sortOptions fifo', 'sortOptions: { order: fifo }'),
  over(
    'sortOptions legacy',
    'sortOptions: { order: legacy, legacySortOptions: { orderFirst: [Deployment], orderLast: [Secret] } }',
  ),
  over(
    'buildMetadata',
    'buildMetadata: [originAnnotations, transformerAnnotations, managedByLabel]\nnamePrefix: a-\nsecretGenerator: [{ name: g, files: [g.txt] }]',
    { 'o/g.txt': file('x') },
  ),
  feature('configurations', 'o', {
    ...BASE,
    'o/kustomization.yaml': 'resources: [../base, t.yaml]\nnamePrefix: a-\nconfigurations: [c.yaml]\n',
    'o/t.yaml': THING,
    'o/c.yaml': 'nameReference: [{ kind: Secret, fieldSpecs: [{ kind: Thing, path: spec/secret }] }]\n',
  }),
  feature('crds', 'o', {
    ...BASE,
    'o/kustomization.yaml': 'resources: [../base, t.yaml]\nnamePrefix: a-\ncrds: [c.json]\n',
    'o/t.yaml': THING,
    'o/c.json': CRD,
  }),
  over('openapi with a schema', 'openapi: { path: s.json }\npatches: [{ path: p.yaml }]', {
    'o/s.json': '{"definitions": {}}\n',
    'o/p.yaml': PATCH,
  }),
  over('openapi with a version', 'openapi: { version: v1.21.2 }\npatches: [{ path: p.yaml }]', { 'o/p.yaml': PATCH }),
  plugin('NamespaceTransformer', 'unsetOnly: true\nfieldSpecs: [{ path: metadata/namespace, create: true }]'),
  plugin('PrefixTransformer', `prefix: a-\n${NAMED}`),
  plugin('SuffixTransformer', `suffix: -a\n${NAMED}`),
  plugin('PrefixSuffixTransformer', `prefix: a-\nsuffix: -b\n${NAMED}`),
  plugin('LabelTransformer', 'labels: { a: b }\nfieldSpecs: [{ path: metadata/labels, create: true }]'),
  plugin('AnnotationsTransformer', 'annotations: { a: b }\nfieldSpecs: [{ path: metadata/annotations, create: true }]'),
  plugin(
    'ImageTagTransformer',
    'imageTag: { name: nginx, newTag: "2" }\nfieldSpecs: [{ path: "spec/template/spec/containers[]/image" }]',
  ),
  plugin(
    'ReplicaCountTransformer',
    'replica: { name: web, count: 7 }\nfieldSpecs: [{ path: spec/replicas, create: true, kind: Deployment }]',
  ),
  plugin('HashTransformer', ''),
  over(
    'a transformer and a validator in place',
    'transformers:\n- |\n  apiVersion: builtin\n  kind: PrefixTransformer\n  metadata: { name: t }\n  prefix: a-\n  fieldSpecs: [{ path: metadata/name }]\nvalidators:\n- |\n  apiVersion: builtin\n  kind: LabelTransformer\n  metadata: { name: v }\n  labels: {}\n  fieldSpecs: [{ path: metadata/labels, create: true }]',
  ),
];

const FORMS: readonly Feature[] = [
  feature('a List with a Secret and a ConfigMap', 'o', {
    'o/kustomization.yaml': 'namePrefix: a-\nresources: [list.yaml]\npatches: [{ path: p.yaml }]\n',
    'o/list.yaml': doc(
      'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: { name: db }\n  stringData: { x: one }\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: { name: m }\n',
    ),
    'o/p.yaml': PATCH,
  }),
  feature('several documents, Secrets and others', 'o', {
    'o/kustomization.yaml': 'nameSuffix: -z\nresources: [all.yaml]\n',
    'o/all.yaml': doc(
      `${secret('db', 'stringData: { password: a }\n')}---\n${WEB}---\n${secret('app', 'data: { x: AAEC }\n')}`,
    ),
  }),
  feature('an immutable Secret with needs-hash', 'o', {
    'o/kustomization.yaml': 'resources: [db.yaml, web.yaml]\n',
    'o/db.yaml': doc(
      `apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  annotations: { kustomize.config.k8s.io/needs-hash: "true" }\nimmutable: true\nstringData: { password: a b }\n`,
    ),
    'o/web.yaml': WEB,
  }),
  feature('kustomization.yml and encrypted JSON', 'o', {
    'o/kustomization.yml': 'resources: [db.json]\n',
    'o/db.json': doc(
      '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"a": "\\u2028 ü \\"q\\""}}',
    ),
  }),
];

const BASE64 = (text: string): string => Buffer.from(text).toString('base64');
const SEALED_SECRET = secret(
  'sealed',
  `  namespace: team\ntype: Opaque\ndata:\n  password: ${BASE64('sealed value')}\n  user: ${BASE64('admin')}\n`,
);
const SEALED: readonly Feature[] = [
  {
    ...over('a SealedSecret, with prefix, labels and a hash of its own', 'namePrefix: s-\ncommonLabels: { a: b }'),
    sealedSecrets: { 'base/sealed.yaml': SEALED_SECRET },
  },
  {
    ...over('a SealedSecret with an encrypted patch and a replacement', ''),
    sealedSecrets: { 'base/sealed.yaml': SEALED_SECRET },
    sealed: {
      ...over('', '').sealed,
      'o/p.yaml': doc(
        'apiVersion: v1\nkind: Secret\nmetadata: { name: sealed, namespace: team }\nstringData: { more: patched }\n',
      ),
    },
    plain: {
      ...over('', '').plain,
      'o/kustomization.yaml':
        'resources: [../base]\npatches: [{ path: p.yaml }]\nreplacements:\n- source: { kind: Secret, name: sealed, fieldPath: data.password }\n  targets: [{ select: { kind: Secret, name: sealed }, fieldPaths: [data.again], options: { create: true } }]\n',
    },
  },
];

/** The base of each names the file of SealedSecrets as well. */
function withSealed(each: Feature): Feature {
  const base = each.plain['base/kustomization.yaml'] ?? '';
  return {
    ...each,
    plain: { ...each.plain, 'base/kustomization.yaml': base.replace('[db.yaml', '[sealed.yaml, db.yaml') },
  };
}

export const FEATURES: readonly Feature[] = [
  ...TREES,
  ...GENERATORS,
  ...PATCHES,
  ...REPLACEMENTS,
  ...TRANSFORMERS,
  ...FORMS,
  ...SEALED.map(withSealed),
];
