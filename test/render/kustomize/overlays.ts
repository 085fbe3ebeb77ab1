import { CONFIG_MAP, DB, DEPLOYMENT, kustomization, MAP, WEB } from './trees.ts';

/** A kustomization as people write them: each shows one thing that kustomize can. */
export interface Overlay {
  readonly name: string;
  readonly files: string;
  /** Folder that is built. */
  readonly root: string;
}

const COMPONENT = 'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n';
const BASE = `-- base/kustomization.yaml\nresources: [web.yaml, map.yaml]\n-- base/web.yaml\n${DEPLOYMENT}-- base/map.yaml\n${CONFIG_MAP}`;
/** Files that no build needs. */
const UNUSED = '-- README.md\nhello\n-- base-of-others/x.yaml\na: [\n-- unused.yaml\nkind: X\n';

function at(root: string, name: string, files: string): Overlay {
  return { name, root, files: `${files}${UNUSED}` };
}

function top(name: string, text: string, ...others: readonly string[]): Overlay {
  return at('', name, kustomization(text, ...others));
}

/** Folder `o` over the base beside it. */
function over(name: string, text: string, ...others: readonly string[]): Overlay {
  return at('o', name, `-- o/kustomization.yaml\n${text}\n${others.join('')}${BASE}`);
}

function builtin(kind: string, fields: string, ...others: readonly string[]): Overlay {
  const under = kind.endsWith('Generator') ? 'generators' : 'transformers';
  const text = `apiVersion: builtin\nkind: ${kind}\nmetadata: { name: p }\n${fields}\n`;
  return top(kind, `resources: [web.yaml, map.yaml]\n${under}: [p.yaml]`, WEB, MAP, `-- p.yaml\n${text}`, ...others);
}

const PATCH = '{ apiVersion: apps/v1, kind: Deployment, metadata: { name: web }, spec: { replicas: 3 } }';
const LABELS = 'fieldSpecs: [{ path: metadata/labels, create: true }]';
const CRD_SCHEMA = JSON.stringify({
  'example.com/v1.Thing': {
    Schema: {
      properties: {
        apiVersion: { type: 'string' },
        kind: { type: 'string' },
        metadata: { type: 'object' },
        spec: { $ref: 'ThingSpec' },
      },
    },
  },
});

export const OVERLAYS: readonly Overlay[] = [
  top('resources', 'resources: [web.yaml, map.yaml, db.yaml]', WEB, MAP, DB),
  top(
    'apiVersion and kind',
    'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nmetadata: { name: x }\nresources: [map.yaml]',
    MAP,
  ),
  top(
    'several documents in a file',
    'resources: [all.yaml]',
    `-- all.yaml\n${CONFIG_MAP}---\n# nothing\n---\n${DEPLOYMENT}`,
  ),
  top(
    'a resource in JSON',
    'resources: [map.json]',
    '-- map.json\n{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "j"}, "data": {"a": "1"}}\n',
  ),
  top(
    'a List',
    'resources: [list.yaml]',
    '-- list.yaml\napiVersion: v1\nkind: List\nitems:\n- { apiVersion: v1, kind: ConfigMap, metadata: { name: a } }\n- { apiVersion: v1, kind: ConfigMap, metadata: { name: b } }\n',
  ),
  top(
    'anchors in a resource',
    'resources: [a.yaml]',
    '-- a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: a, labels: &l { app: x } }\ndata: *l\n',
  ),
  top(
    'anchors and merges in the kustomization',
    'commonAnnotations: &a { k: v }\nlabels: [{ pairs: { <<: *a, x: "y" } }]\nresources: [map.yaml]',
    MAP,
  ),
  at('', 'kustomization.yml', `-- kustomization.yml\nresources: [map.yaml]\n${MAP}`),
  at('', 'Kustomization', `-- Kustomization\nresources: [map.yaml]\n${MAP}`),
  at(
    '',
    'a kustomization with marker, comment and BOM',
    `-- kustomization.yaml\n\ufeff# yes\n---\nresources:\n- map.yaml # this\n${MAP}`,
  ),
  at(
    'deploy/prod',
    'a folder below',
    `-- deploy/prod/kustomization.yaml\nresources: [./map.yaml, sub/../web.yaml]\n-- deploy/prod/map.yaml\n${CONFIG_MAP}-- deploy/prod/web.yaml\n${DEPLOYMENT}`,
  ),
  over('a base', 'resources: [../base]'),
  over('a base under bases', 'bases: [../base/]'),
  over('name prefix and suffix', 'resources: [../base]\nnamePrefix: a-\nnameSuffix: -z'),
  over('namespace', 'resources: [../base]\nnamespace: team'),
  over(
    'labels',
    'resources: [../base]\nlabels: [{ pairs: { app: x }, includeSelectors: true }, { pairs: { t: "1" }, includeTemplates: true }, { pairs: { f: "2" }, fields: [{ path: spec/labels, create: true, kind: Deployment }] }]',
  ),
  over(
    'commonLabels and commonAnnotations',
    'resources: [../base]\ncommonLabels: { team: a }\ncommonAnnotations: { see: "https://example.com/x" }',
  ),
  over(
    'images',
    'resources: [../base]\nimages: [{ name: nginx, newName: registry.example.com:5000/nginx, newTag: "1.27" }]',
  ),
  over(
    'imageTags and digests',
    'resources: [../base]\nimageTags: [{ name: nginx, digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000" }]',
  ),
  over('replicas', 'resources: [../base]\nreplicas: [{ name: web, count: 4 }]'),
  over('a merge patch in a file', 'resources: [../base]\npatches: [{ path: p.yaml }]', `-- o/p.yaml\n${PATCH}\n`),
  over('a merge patch in place', `resources: [../base]\npatches: [{ patch: "${PATCH}" }]`),
  over(
    'two merge patches in one text',
    `resources: [../base]\npatches:\n- patch: |-\n    ${PATCH}\n    ---\n    { apiVersion: v1, kind: ConfigMap, metadata: { name: settings }, data: { host: null } }`,
  ),
  over(
    'a merge patch with a target',
    'resources: [../base]\npatches: [{ path: p.yaml, target: { kind: Deployment, labelSelector: "!x" }, options: { allowNameChange: true } }]',
    '-- o/p.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata: { name: other }\n',
  ),
  over(
    'a deleting patch',
    'resources: [../base]\npatches: [{ patch: "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, $patch: delete}" }]',
  ),
  over(
    'a JSON patch in place',
    'resources: [../base]\npatches:\n- target: { kind: Deployment }\n  patch: |-\n    - { op: test, path: /spec/replicas, value: 1 }\n    - { op: replace, path: /spec/replicas, value: 2 }',
  ),
  over(
    'a JSON patch in a JSON file',
    'resources: [../base]\npatches: [{ path: p.json, target: { kind: ConfigMap, name: settings } }]',
    '-- o/p.json\n[{"op": "test", "path": "/data/host", "value": "db.example.com"}, {"op": "add", "path": "/data/b", "value": "1"}]\n',
  ),
  over(
    'patchesStrategicMerge',
    `resources: [../base]\npatchesStrategicMerge:\n- p.yaml\n- |-\n  apiVersion: v1\n  kind: ConfigMap\n  metadata: { name: settings }\n  data: { url: "http://example.com/" }`,
    `-- o/p.yaml\n${PATCH}\n`,
  ),
  over(
    'patchesJson6902',
    'resources: [../base]\npatchesJson6902:\n- { target: { group: apps, version: v1, kind: Deployment, name: web }, path: p.yaml }\n- { target: { version: v1, kind: ConfigMap, name: settings }, patch: "[{\\"op\\": \\"remove\\", \\"path\\": \\"/data/host\\"}]" }',
    '-- o/p.yaml\n- { op: replace, path: /spec/replicas, value: 5 }\n',
  ),
  top(
    'a component',
    'resources: [web.yaml]\ncomponents: [c]',
    WEB,
    `-- c/kustomization.yaml\n${COMPONENT}patches: [{ path: p.yaml }]\nconfigMapGenerator: [{ name: g, literals: [a=b] }]\n-- c/p.yaml\n${PATCH}\n`,
  ),
  top(
    'a component in a component',
    'resources: [web.yaml]\ncomponents: [c]',
    WEB,
    `-- c/kustomization.yaml\n${COMPONENT}components: [d]\n-- c/d/kustomization.yaml\n${COMPONENT}nameSuffix: -d\n`,
  ),
  at(
    'o',
    'one base in two overlays',
    `-- o/kustomization.yaml\nresources: [../a, ../b]\n-- a/kustomization.yaml\nnamePrefix: a-\nresources: [../base]\n-- b/kustomization.yaml\nnamePrefix: b-\nresources: [../base]\n${BASE}`,
  ),
  top(
    'configMapGenerator',
    'configMapGenerator:\n- name: g\n  literals: ["a=http://x/y", "b=\'q\'"]\n  files: [x.txt, k=sub/y.txt]\n  envs: [e.env]\n  env: f.env',
    '-- x.txt\nx\n-- sub/y.txt\ny: [\n-- e.env\nE=1\n# c\nF\n-- f.env\nG=2',
  ),
  top('binary content', 'configMapGenerator: [{ name: g, files: [b.bin] }]', '-- b.bin\n\u0000\u0001\u0002\n'),
  top(
    'secretGenerator',
    'resources: [web.yaml]\nsecretGenerator:\n- { name: s, type: kubernetes.io/tls, files: [tls.crt, tls.key] }\n- { name: t, envs: [e.env], literals: [p=q] }',
    WEB,
    '-- tls.crt\nc\n-- tls.key\nk\n-- e.env\nA=1\n',
  ),
  top(
    'generatorOptions',
    'generatorOptions: { disableNameSuffixHash: true, labels: { a: b }, annotations: { c: d }, immutable: true }\nsecretGenerator: [{ name: s, literals: [a=b] }]',
  ),
  top(
    'options of one generator',
    'configMapGenerator: [{ name: g, namespace: ns, literals: [a=b], options: { disableNameSuffixHash: true } }]',
  ),
  at(
    'o',
    'behavior: merge and replace',
    '-- o/kustomization.yaml\nresources: [../b]\nconfigMapGenerator: [{ name: g, behavior: merge, literals: [c=d] }]\nsecretGenerator: [{ name: s, behavior: replace, literals: [e=f] }]\n-- b/kustomization.yaml\nconfigMapGenerator: [{ name: g, literals: [a=b] }]\nsecretGenerator: [{ name: s, literals: [a=b] }]\n',
  ),
  top(
    'a generated name that is used',
    'resources: [web.yaml]\nconfigMapGenerator: [{ name: settings, files: [a.txt] }]\npatches: [{ patch: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {volumes: [{name: v, configMap: {name: settings}}]}}}}" }]',
    WEB,
    '-- a.txt\na\n',
  ),
  top(
    'needs-hash',
    'resources: [m.yaml]',
    '-- m.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: m, annotations: { kustomize.config.k8s.io/needs-hash: "true" } }\n',
  ),
  top(
    'replacements in place',
    'resources: [web.yaml, map.yaml]\nreplacements:\n- source: { kind: ConfigMap, name: settings, fieldPath: data.host, options: { delimiter: ".", index: 0 } }\n  targets: [{ select: { kind: Deployment }, reject: [{ name: x }], fieldPaths: ["spec.template.spec.containers.[name=web].env.[name=HOST].value"] }]',
    WEB,
    MAP,
  ),
  top(
    'replacements in files',
    'resources: [web.yaml, map.yaml, db.yaml]\nreplacements: [{ path: one.yaml }, { path: many.yaml }]',
    WEB,
    MAP,
    DB,
    '-- one.yaml\nsource: { kind: Secret, name: db }\ntargets: [{ select: { kind: ConfigMap }, fieldPaths: [data.secret], options: { create: true } }]\n-- many.yaml\n- sourceValue: v\n  targets: [{ select: { kind: ConfigMap }, fieldPaths: [data.v], options: { create: true } }]\n- source: { kind: Secret, fieldPath: metadata.name, options: { delimiter: b, index: 0 } }\n  targets: [{ select: { kind: ConfigMap }, fieldPaths: [data.d], options: { create: true } }]\n',
  ),
  top(
    'vars',
    'resources: [web.yaml, map.yaml]\nvars: [{ name: NAME, objref: { apiVersion: v1, kind: ConfigMap, name: settings }, fieldref: { fieldPath: data.host } }]\npatches: [{ patch: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: web, args: [\\"$(NAME)\\"]}]}}}}" }]',
    WEB,
    MAP,
  ),
  top(
    'configurations',
    'resources: [t.yaml]\nnamePrefix: a-\nconfigurations: [c.yaml]',
    '-- t.yaml\napiVersion: example.com/v1\nkind: Thing\nmetadata: { name: t }\nspec: { other: t }\n-- c.yaml\nnameReference: [{ kind: Thing, fieldSpecs: [{ kind: Thing, path: spec/other }] }]\n',
  ),
  top(
    'crds',
    'resources: [t.yaml]\ncrds: [c.json]',
    '-- t.yaml\napiVersion: example.com/v1\nkind: Thing\nmetadata: { name: t }\n',
    `-- c.json\n${CRD_SCHEMA}\n`,
  ),
  top(
    'openapi with a schema',
    'resources: [web.yaml]\nopenapi: { path: s.json }',
    WEB,
    '-- s.json\n{"definitions": {}}\n',
  ),
  top('openapi with a version', 'resources: [web.yaml]\nopenapi: { version: v1.21.2 }', WEB),
  top(
    'sortOptions',
    'resources: [web.yaml, map.yaml]\nsortOptions: { order: legacy, legacySortOptions: { orderFirst: [Deployment], orderLast: [] } }',
    WEB,
    MAP,
  ),
  over(
    'buildMetadata',
    'resources: [../base]\nbuildMetadata: [originAnnotations, transformerAnnotations, managedByLabel]\nnamePrefix: a-',
  ),
  top(
    'local configuration',
    'resources: [web.yaml, l.yaml]',
    WEB,
    '-- l.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: l, annotations: { config.kubernetes.io/local-config: "true" } }\n',
  ),
  builtin(
    'ConfigMapGenerator',
    'name: g\nliterals: [a=b]\nfiles: [x.txt]\nenvs: [e.env]',
    '-- x.txt\nx\n-- e.env\nE=1\n',
  ),
  builtin('SecretGenerator', 'name: g\ntype: Opaque\nfiles: [k=x.txt]\nbehavior: create', '-- x.txt\nx\n'),
  builtin(
    'IAMPolicyGenerator',
    'cloud: gke\nkubernetesService: { name: ksa, namespace: n }\nserviceAccount: { name: gsa, projectId: p }',
  ),
  builtin(
    'AnnotationsTransformer',
    'annotations: { Path: x, Env: y }\nfieldSpecs: [{ path: metadata/annotations, create: true }]',
  ),
  builtin('LabelTransformer', `labels: { a: b }\n${LABELS}`),
  builtin(
    'NamespaceTransformer',
    'metadata: { name: p, namespace: n }\nunsetOnly: true\nfieldSpecs: [{ path: metadata/namespace, create: true }]'.replace(
      'metadata: { name: p, namespace: n }\n',
      '',
    ),
  ),
  builtin('PrefixTransformer', 'prefix: a-\nfieldSpecs: [{ path: metadata/name }]'),
  builtin('SuffixTransformer', 'suffix: -a\nfieldSpecs: [{ path: metadata/name }]'),
  builtin('PrefixSuffixTransformer', 'prefix: a-\nsuffix: -b\nfieldSpecs: [{ path: metadata/name }]'),
  builtin(
    'ImageTagTransformer',
    'imageTag: { name: nginx, newTag: "2" }\nfieldSpecs: [{ path: "spec/template/spec/containers[]/image" }]',
  ),
  builtin(
    'ReplicaCountTransformer',
    'replica: { name: web, count: 7 }\nfieldSpecs: [{ path: spec/replicas, create: true, kind: Deployment }]',
  ),
  builtin('HashTransformer', ''),
  builtin('PatchTransformer', 'path: q.yaml\ntarget: { kind: Deployment }', `-- q.yaml\n${PATCH}\n`),
  builtin(
    'PatchJson6902Transformer',
    'target: { group: apps, version: v1, kind: Deployment, name: web }\njsonOp: "[{\\"op\\": \\"replace\\", \\"path\\": \\"/spec/replicas\\", \\"value\\": 2}]"',
  ),
  builtin('PatchStrategicMergeTransformer', `paths: [q.yaml]\npatches: "${PATCH}"`, `-- q.yaml\n${PATCH}\n`),
  builtin(
    'ReplacementTransformer',
    'replacements: [{ path: r.yaml }]',
    '-- r.yaml\nsource: { kind: ConfigMap }\ntargets: [{ select: { kind: Deployment }, fieldPaths: [metadata.labels.x], options: { create: true } }]\n',
  ),
  builtin(
    'ValueAddTransformer',
    'value: v\ntargetFilePath: t.yaml',
    '-- t.yaml\ntargets: [{ selector: { kind: ConfigMap }, fieldPath: metadata/annotations/x }]\n',
  ),
  top(
    'inline generator and transformer',
    'resources: [map.yaml]\ngenerators:\n- |\n  apiVersion: builtin\n  kind: ConfigMapGenerator\n  metadata: { name: g }\n  files: [x.txt]\ntransformers:\n- |\n  apiVersion: builtin\n  kind: PrefixTransformer\n  metadata: { name: t }\n  prefix: a-\n  fieldSpecs: [{ path: metadata/name }]\n  ---\n  apiVersion: builtin\n  kind: SuffixTransformer\n  metadata: { name: u }\n  suffix: -z\n  fieldSpecs: [{ path: metadata/name }]',
    MAP,
    '-- x.txt\nx\n',
  ),
  top(
    'a validator',
    `resources: [map.yaml]\nvalidators: [v.yaml]`,
    MAP,
    `-- v.yaml\napiVersion: builtin\nkind: LabelTransformer\nmetadata: { name: v }\nlabels: {}\n${LABELS}\n`,
  ),
  top(
    'plugins that are only comments',
    'resources: [map.yaml]\ngenerators: ["# nothing\\n", g.yaml]',
    MAP,
    '-- g.yaml\n# nothing\n---\n',
  ),
  top(
    'an inline plugin in a merge',
    '<<: [{ generators: ["{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: g}, literals: [a=n]}"] }]\nresources: [map.yaml]',
    MAP,
  ),
  top(
    'a plugin in JSON',
    'generators: [g.json]',
    '-- g.json\n{"apiVersion": "builtin", "kind": "ConfigMapGenerator", "metadata": {"name": "g"}, "literals": ["a=b"]}\n',
  ),
  top(
    'a plugin in JSON that holds a patch in YAML',
    'resources: [web.yaml]\ntransformers: [p.json]',
    WEB,
    `-- p.json\n${JSON.stringify({ apiVersion: 'builtin', kind: 'PatchTransformer', metadata: { name: 'p' }, patch: PATCH })}\n`,
  ),
  top('a kustomization in JSON', '{"resources": ["map.yaml"], "namePrefix": "a-"}', MAP),
  top('a plain file in two roles', 'resources: [map.yaml]\nconfigMapGenerator: [{ name: g, files: [map.yaml] }]', MAP),
  top(
    'odd names',
    'resources: ["a b.yaml", "ä.yaml", ./x..y.yaml]',
    '-- a b.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n-- ä.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: b }\n-- x..y.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\n',
  ),
  top(
    'texts that YAML readers see in different ways',
    'resources: [map.yaml]\ncommonAnnotations: { a: "yes", b: "0123", c: "\\u2028\\u0085x", d: "1e3", e: "null", f: "2001-01-01", g: "line\\nbreak", h: "tab\\t" }',
    MAP,
  ),
];
