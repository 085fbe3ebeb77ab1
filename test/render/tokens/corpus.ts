import type { RendererRole } from '../../../src/render/tokens/content.ts';

/**
 * What is rendered with tokens and filled must equal what stock sops and stock kustomize make of the files in clear,
 * or be refused. What only the scan before the run can tell (two roles, a delimiter of a source, encrypted
 * kustomizations) is not in here. A file of `sealed` is encrypted by stock sops; its key is how it is used, which the scan finds out.
 */
export interface CorpusCase {
  readonly name: string;
  /** `=`: equal to the truth. A code: refused with it. `differs`: other bytes on purpose, told by `gives`. */
  readonly expected: '=' | `SOTTO-${string}` | 'differs' | 'build fails';
  /** The value of the last object's entry `c`, where it differs from the truth. */
  readonly gives?: string;
  readonly plain?: Readonly<Record<string, string>>;
  readonly sealed: Readonly<Record<string, SealedFile>>;
}

export interface SealedFile {
  readonly role: RendererRole;
  readonly text: string | Uint8Array;
  /** Of sops; by default `data` and `stringData` of a document, and all of any other file. */
  readonly args?: readonly string[];
}

const doc = (text: string, args?: readonly string[]): SealedFile =>
  args === undefined ? { role: 'document', text } : { role: 'document', text, args };
const file = (text: string | Uint8Array, args?: readonly string[]): SealedFile =>
  args === undefined ? { role: 'generator-file', text } : { role: 'generator-file', text, args };
const env = (text: string, args?: readonly string[]): SealedFile =>
  args === undefined ? { role: 'env-file', text } : { role: 'env-file', text, args };

const k = (text: string): string => `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n${text}`;
const secret = (name: string, body: string): string =>
  `apiVersion: v1\nkind: Secret\nmetadata:\n  name: ${name}\n${body}`;
const b64 = (value: string | Uint8Array): string => Buffer.from(value).toString('base64');
const ALL = ['--unencrypted-suffix', '_nothing'];
const PEM = `-----BEGIN PRIVATE KEY-----\n${'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n'.repeat(30)}-----END PRIVATE KEY-----\n`;
const BINARY = Uint8Array.from({ length: 300 }, (_, at) => (at * 7) % 256);
const MAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {plain: text}\n';
const WEB = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {note: NOTE}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1
        args: [--one]
        env:
        - {name: TOKEN, value: placeholder}
        envFrom:
        - secretRef: {name: app}
      volumes:
      - name: s
        secret: {secretName: app}
`;
const SPECIALS = `stringData:
  newline: "one\\ntwo\\n"
  quotes: "it's \\"quoted\\""
  yaml: "a: [b, {c: d}] # e"
  unicode: "ü é 日本 😀"
  zeros: "0123"
  bool: "true"
  nothing: "null"
  tilde: "~"
  float: "1e3"
  spaces: "  both ends  "
  pod: "$(POD)"
  template: "{{ .x }}"
  dash: "- x"
  pem: ${JSON.stringify(PEM)}
  bom: "\\ufeffbom"
  tab: "a\\tb"
  crlf: "a\\r\\nb\\r\\n"
  empty: ""
`;
const ONE = secret('db', 'stringData:\n  password: "hunter2 is \\"long\\" enough"\n  user: admin\n');
const generator = (text: string): string => k(`secretGenerator:\n- name: app\n${text}`);
const replace = (source: string, target: string): string =>
  k(`resources: [db.yaml, target.yaml]
replacements:
- source: ${source}
  targets:
  - ${target}
`);

const RESOURCES: readonly CorpusCase[] = [
  {
    name: 'stringData',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: { 'db.yaml': doc(ONE) },
  },
  {
    name: 'data with text and binary',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: { 'db.yaml': doc(secret('db', `data:\n  text: ${b64('hello')}\n  blob: ${b64(BINARY)}\n`)) },
  },
  {
    name: 'every special value',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: { 'db.yaml': doc(secret('db', SPECIALS)) },
  },
  {
    name: 'a value of 200 kB',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: { 'db.yaml': doc(secret('db', `stringData:\n  big: ${'x1y2'.repeat(50_000)}\n`)) },
  },
  {
    name: 'a JSON file',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.json]') },
    sealed: {
      'db.json': doc(
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'db', labels: { n: '1', e: '😀' } },
          stringData: { a: 'x', b: '<&>' },
        }),
      ),
    },
  },
  {
    name: 'several documents with a Deployment between, and a namePrefix',
    expected: '=',
    plain: { 'kustomization.yaml': k('namePrefix: p-\nresources: [all.yaml]') },
    sealed: {
      'all.yaml': doc(
        `${secret('app', 'stringData: {a: first}\n')}---\n${WEB}---\n${secret('two', 'stringData: {a: second}\n')}`,
      ),
    },
  },
  {
    name: 'a SecretList',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [list.yaml]') },
    sealed: {
      'list.yaml': doc(
        'apiVersion: v1\nkind: SecretList\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: a}\n  stringData: {x: one}\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: b}\n  stringData: {x: two}\n',
      ),
    },
  },
  {
    name: 'dockerconfigjson in stringData',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: {
      'db.yaml': doc(
        secret(
          'db',
          `type: kubernetes.io/dockerconfigjson\nstringData:\n  .dockerconfigjson: '{"auths":{"r.example.com":{"auth":"${b64('u:p')}"}}}'\n`,
        ),
      ),
    },
  },
  {
    name: 'TLS in data',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: {
      'db.yaml': doc(
        secret('db', `type: kubernetes.io/tls\ndata:\n  tls.crt: ${b64('cert')}\n  tls.key: ${b64(PEM)}\n`),
      ),
    },
  },
  {
    name: 'anchors',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: { 'db.yaml': doc(secret('db', '  labels: &l {a: b}\n  annotations: *l\nstringData:\n  x: y\n')) },
  },
  {
    name: 'comments, encrypted ones too',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: {
      'db.yaml': doc(`# head\n${secret('db', '# in clear\nstringData:\n  # hidden\n  x: y # beside\n  # last\n')}`),
    },
  },
  {
    name: 'base64 folded over lines',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: {
      'db.yaml': doc(secret('db', `data:\n  x: |\n    ${(b64(PEM).match(/.{1,76}/g) ?? []).join('\n    ')}\n`)),
    },
  },
  {
    name: 'a value of the form of a token',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: { 'db.yaml': doc(secret('db', `stringData:\n  x: soTTo${'Ab1'.repeat(14)}Z\n`)) },
  },
  {
    name: 'values that are words of manifests',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: { 'db.yaml': doc(secret('db', 'stringData:\n  a: v1\n  b: Secret\n  c: db\n')) },
  },
  {
    name: 'words of YAML 1.1 in clear',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: {
      'db.yaml': doc(
        `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m, annotations: {on: "off"}}\ndata: {a: "yes", "on": "0123", c: "1e3"}\n---\n${ONE}`,
        ['--encrypted-regex', '^stringData$'],
      ),
    },
  },
  {
    name: 'a number, a boolean or a float encrypted',
    expected: 'SOTTO-RENDER-010',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: { 'db.yaml': doc(secret('db', 'stringData: {a: 12, b: true, c: 1.5}\n')) },
  },
  {
    name: 'all fields encrypted',
    expected: 'SOTTO-RENDER-005',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: { 'db.yaml': doc(ONE, ALL) },
  },
  {
    name: 'a manifest as binary',
    expected: 'SOTTO-RENDER-042',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: { 'db.yaml': doc(ONE, ['--input-type', 'binary', '--output-type', 'binary']) },
  },
  {
    name: 'an encrypted field of a custom kind',
    expected: 'SOTTO-RENDER-006',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: {
      'db.yaml': doc('apiVersion: example.com/v1\nkind: Database\nmetadata: {name: d}\nspec: {password: hunter22}\n', [
        '--encrypted-regex',
        '^password$',
      ]),
    },
  },
  {
    name: 'a Secret of another group',
    expected: 'SOTTO-RENDER-006',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: {
      'db.yaml': doc(
        'apiVersion: example.com/v1\nkind: Secret\nmetadata: {name: d}\nstringData: {password: hunter22}\n',
      ),
    },
  },
  {
    name: 'an encrypted label',
    expected: 'SOTTO-RENDER-005',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: {
      'db.yaml': doc(secret('db', '  labels: {owner: someone}\nstringData: {a: b}\n'), [
        '--encrypted-regex',
        '^(owner|stringData)$',
      ]),
    },
  },
  {
    name: 'no base64 in data',
    expected: 'SOTTO-RENDER-011',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]') },
    sealed: { 'db.yaml': doc(secret('db', 'data:\n  x: "not base64!"\n')) },
  },
  {
    name: 'a text of the form of a token in a ConfigMap',
    expected: 'SOTTO-RENDER-044',
    plain: {
      'kustomization.yaml': k('resources: [db.yaml, map.yaml]'),
      'map.yaml': MAP.replace('text', `soTTo${'Ab1'.repeat(14)}Z`),
    },
    sealed: { 'db.yaml': doc(ONE) },
  },
];

const GENERATORS: readonly CorpusCase[] = [
  {
    name: 'files, referred to by name',
    expected: '=',
    plain: { 'kustomization.yaml': `${generator('  files: [pass.txt]\n')}resources: [web.yaml]\n`, 'web.yaml': WEB },
    sealed: { 'pass.txt': file('hunter2\n') },
  },
  {
    name: 'files that are binary',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  files: [blob=blob.bin]\n') },
    sealed: { 'blob.bin': file(BINARY) },
  },
  {
    name: 'files of a TLS key',
    expected: '=',
    plain: {
      'kustomization.yaml': generator('  type: kubernetes.io/tls\n  files: [tls.crt, tls.key]\n'),
      'tls.crt': 'cert\n',
    },
    sealed: { 'tls.key': file(PEM) },
  },
  {
    name: 'a long PEM and a long variable',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  files: [key.pem]\n  envs: [a.env]\n') },
    sealed: { 'key.pem': file(PEM), 'a.env': env(`LONG=${'v1 '.repeat(170)}x\n`) },
  },
  {
    name: 'files .dockerconfigjson',
    expected: '=',
    plain: {
      'kustomization.yaml': generator(
        '  type: kubernetes.io/dockerconfigjson\n  files: [.dockerconfigjson=docker.json]\n',
      ),
    },
    sealed: { 'docker.json': file('{"auths":{"r.example.com":{"username":"u","password":"p\\"<&>"}}}') },
  },
  {
    name: 'files of a YAML configuration',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  files: [config.yaml]\n') },
    sealed: {
      'config.yaml': file(
        '# top\na: "0123"\nb: 0123\nc: 12\nd: true\ne: |\n  lines\n  more\nf: [x, {y: z}]\n# about g\ng: "yes"\n',
      ),
    },
  },
  {
    name: 'files of a JSON configuration',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  files: [config.json]\n') },
    sealed: { 'config.json': file('{"a": [1, 2.50, true, null, "x"], "b": {}}') },
  },
  {
    name: 'files of an INI kept as binary',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  files: [c.ini]\n') },
    sealed: { 'c.ini': file('[a]\nb = c ; d\n', ['--input-type', 'binary', '--output-type', 'binary']) },
  },
  {
    name: 'files of an INI',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  files: [c.ini]\n') },
    sealed: { 'c.ini': file('top=1\n[a]\n; about b\nb = c ; d\nlonger: "x;y"\nlines = `one\ntwo`\n[ b ]\nc=\n') },
  },
  {
    name: 'files of an INI with one value encrypted',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  files: [c.ini]\n') },
    sealed: { 'c.ini': file('[a]\n# in clear\nb = c\npassword = d\n', ['--encrypted-regex', '^password$']) },
  },
  {
    name: 'files of an INI beside others, under another name',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  files: [my.cnf=c.ini, p.txt]\n') },
    sealed: { 'c.ini': file('[client]\nuser = u\npassword = a\\b"c\n'), 'p.txt': file('plain') },
  },
  {
    name: 'an INI in a Secret that an overlay merges into',
    expected: '=',
    plain: {
      'base/kustomization.yaml': generator('  files: [c.ini]\n'),
      'kustomization.yaml': k('namePrefix: x-\nresources: [base]\n'),
    },
    sealed: { 'base/c.ini': file('[a]\nb = c\n') },
  },
  {
    name: 'envs of an INI',
    expected: 'SOTTO-RENDER-042',
    plain: { 'kustomization.yaml': generator('  envs: [c.ini]\n') },
    sealed: { 'c.ini': env('a = b\n') },
  },
  {
    name: 'files of a dotenv kept whole',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  files: [a.env]\n') },
    sealed: { 'a.env': file('# comment\nA=x\nB="y"\nC=a\\nb\n') },
  },
  {
    name: 'files of a YAML with one value encrypted',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  files: [c.yaml]\n') },
    sealed: { 'c.yaml': file('host: db\npassword: hunter22\nport: 5432\n', ['--encrypted-regex', '^password$']) },
  },
  {
    name: 'files that are empty',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  files: [none.txt]\n') },
    sealed: { 'none.txt': file('') },
  },
  {
    name: 'envs with blanks, quotes, comments and nothing',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  envs: [a.env]\n') },
    sealed: { 'a.env': env('# comment\nA=x y\nB="quoted"\nC=a=b\nD= outer \nE=\nF=#no comment\n\n _G=1\n') },
  },
  {
    name: 'envs with escaped line breaks',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  envs: [a.env]\n') },
    sealed: { 'a.env': env('A=one\\ntwo\nB=back\\\\nslash\n') },
  },
  {
    name: 'envs with windows line ends and an umlaut',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  envs: [a.env]\n') },
    sealed: { 'a.env': env('A=ü\r\nB=x\r\n') },
  },
  {
    name: 'envs with a byte order mark',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  envs: [a.env]\n') },
    sealed: { 'a.env': env('\ufeffA=x\nB=y\n') },
  },
  {
    name: 'envs encrypted as binary',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  envs: [vars]\n') },
    sealed: { vars: env('# comment\n  A=x y\nB="q"\nE=\n\nC=é') },
  },
  {
    name: 'envs and plain literals',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  envs: [a.env]\n  literals: [host=db, x="y"]\n') },
    sealed: { 'a.env': env('A=x\n') },
  },
  {
    name: 'env of old',
    expected: '=',
    plain: { 'kustomization.yaml': generator('  env: a.env\n') },
    sealed: { 'a.env': env('A=x\nB=y\n') },
  },
  {
    name: 'a builtin SecretGenerator',
    expected: '=',
    plain: {
      'kustomization.yaml': k('generators: [gen.yaml]\n'),
      'gen.yaml':
        'apiVersion: builtin\nkind: SecretGenerator\nmetadata: {name: app}\nenvs: [a.env]\nfiles: [pass.txt]\n',
    },
    sealed: { 'a.env': env('A=x\n'), 'pass.txt': file('hunter2\n') },
  },
  {
    name: 'options of generators',
    expected: '=',
    plain: {
      'kustomization.yaml': `${generator('  files: [p.txt]\n  options: {labels: {a: b}, immutable: true}\n')}generatorOptions: {annotations: {c: d}}\n`,
    },
    sealed: { 'p.txt': file('x y\n') },
  },
  {
    name: 'no hash suffix',
    expected: '=',
    plain: {
      'kustomization.yaml': `${generator('  files: [p.txt]\n')}generatorOptions: {disableNameSuffixHash: true}\n`,
    },
    sealed: { 'p.txt': file('x\n') },
  },
  {
    name: 'behavior: merge of a base',
    expected: '=',
    plain: {
      'kustomization.yaml': k(
        'namePrefix: o-\nresources: [base]\nsecretGenerator:\n- {name: app, behavior: merge, envs: [o.env]}\n',
      ),
      'base/kustomization.yaml': k('secretGenerator:\n- {name: app, envs: [b.env]}\nresources: [web.yaml]\n'),
      'base/web.yaml': WEB,
    },
    sealed: { 'o.env': env('A=over\nC=new\n'), 'base/b.env': env('A=base\nB=kept\n') },
  },
  {
    name: 'the annotation needs-hash',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]\n') },
    sealed: {
      'db.yaml': doc(secret('db', '  annotations: {kustomize.config.k8s.io/needs-hash: "true"}\nstringData: {a: b}\n')),
    },
  },
  {
    name: 'one base in two overlays',
    expected: '=',
    plain: {
      'kustomization.yaml': k('resources: [one, two]\n'),
      'one/kustomization.yaml': k('namePrefix: one-\nresources: [../base]\n'),
      'two/kustomization.yaml': k('namePrefix: two-\nresources: [../base]\n'),
      'base/kustomization.yaml': k('resources: [db.yaml]\n'),
    },
    sealed: { 'base/db.yaml': doc(ONE) },
  },
  {
    name: 'one value in four places',
    expected: '=',
    plain: { 'kustomization.yaml': `${generator('  envs: [a.env]\n  files: [p.txt]\n')}resources: [db.yaml]\n` },
    sealed: {
      'a.env': env('A=same\n'),
      'p.txt': file('same'),
      'db.yaml': doc(secret('db', `stringData: {s: same}\ndata: {d: ${b64('same')}}\n`)),
    },
  },
  {
    name: 'a plain ConfigMap generator beside it',
    expected: '=',
    plain: {
      'kustomization.yaml': `${generator('  envs: [a.env]\n')}configMapGenerator:\n- {name: m, literals: [a=b], files: [plain.txt]}\n`,
      'plain.txt': 'text\n',
    },
    sealed: { 'a.env': env('A=x\n') },
  },
  {
    name: 'a line of 70 kB',
    expected: 'SOTTO-RENDER-041',
    plain: { 'kustomization.yaml': generator('  envs: [a.env]\n') },
    sealed: { 'a.env': env(`A=${'x'.repeat(70_000)}\nB=lost\n`) },
  },
  {
    name: 'envs of a YAML',
    expected: 'SOTTO-RENDER-042',
    plain: { 'kustomization.yaml': generator('  envs: [a.yaml]\n') },
    sealed: { 'a.yaml': env('A: x\n') },
  },
  {
    name: 'envs of a file that is no list of variables',
    expected: 'SOTTO-RENDER-040',
    plain: { 'kustomization.yaml': generator('  envs: [key.pem]\n') },
    sealed: { 'key.pem': env(PEM) },
  },
  {
    name: 'a configMapGenerator of an encrypted env',
    expected: 'SOTTO-RENDER-006',
    plain: { 'kustomization.yaml': k('configMapGenerator:\n- {name: m, envs: [a.env]}\n') },
    sealed: { 'a.env': env('A=x\n') },
  },
  {
    name: 'a configMapGenerator of an encrypted binary',
    expected: 'SOTTO-RENDER-006',
    plain: { 'kustomization.yaml': k('configMapGenerator:\n- {name: m, files: [b.bin]}\n') },
    sealed: { 'b.bin': file(BINARY) },
  },
  {
    name: 'a configMapGenerator of a YAML with one leaf encrypted',
    expected: 'SOTTO-RENDER-006',
    plain: { 'kustomization.yaml': k('configMapGenerator:\n- {name: m, files: [c.yaml]}\n') },
    sealed: { 'c.yaml': file('a: b\npassword: hunter22\n', ['--encrypted-regex', '^password$']) },
  },
];

const PATCH = secret('db', 'stringData:\n  password: patched\n  extra: more\n');
const PATCHES: readonly CorpusCase[] = [
  {
    name: 'a strategic merge',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]\npatches: [{path: p.yaml}]\n') },
    sealed: { 'db.yaml': doc(ONE), 'p.yaml': doc(PATCH) },
  },
  {
    name: 'patchesStrategicMerge',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]\npatchesStrategicMerge: [p.yaml]\n') },
    sealed: { 'db.yaml': doc(ONE), 'p.yaml': doc(PATCH) },
  },
  {
    name: 'JSON6902 copy and remove',
    expected: '=',
    plain: {
      'kustomization.yaml': k(
        'resources: [db.yaml]\npatches:\n- target: {kind: Secret, name: db}\n  patch: |\n    - {op: copy, from: /stringData/password, path: /stringData/copied}\n    - {op: remove, path: /stringData/user}\n',
      ),
    },
    sealed: { 'db.yaml': doc(ONE) },
  },
  {
    name: 'a key deleted with null',
    expected: '=',
    plain: {
      'kustomization.yaml': k(
        'resources: [db.yaml]\npatches:\n- patch: |\n    apiVersion: v1\n    kind: Secret\n    metadata: {name: db}\n    stringData: {user: null}\n',
      ),
    },
    sealed: { 'db.yaml': doc(ONE) },
  },
  {
    name: 'ValueAddTransformer adds a plain key',
    expected: '=',
    plain: {
      'kustomization.yaml': k('resources: [db.yaml]\ntransformers: [t.yaml]\n'),
      't.yaml':
        'apiVersion: builtin\nkind: ValueAddTransformer\nmetadata: {name: t}\nvalue: added\ntargets:\n- selector: {kind: Secret}\n  fieldPath: stringData/more\n',
    },
    sealed: { 'db.yaml': doc(ONE) },
  },
  {
    name: 'ValueAddTransformer joins to a secret',
    expected: '=',
    plain: {
      'kustomization.yaml': k('resources: [db.yaml]\ntransformers: [t.yaml]\n'),
      't.yaml':
        'apiVersion: builtin\nkind: ValueAddTransformer\nmetadata: {name: t}\nvalue: added\ntargets:\n- selector: {kind: Secret}\n  fieldPath: stringData/password\n  filePathPosition: 1\n',
    },
    sealed: { 'db.yaml': doc(ONE) },
  },
  {
    name: 'a JSON6902 patch as binary',
    expected: 'SOTTO-RENDER-042',
    plain: { 'kustomization.yaml': k('resources: [db.yaml]\npatches: [{path: p.txt, target: {kind: Secret}}]\n') },
    sealed: { 'db.yaml': doc(ONE), 'p.txt': doc('- {op: remove, path: /stringData/user}\n') },
  },
  {
    name: 'a copy to an annotation',
    expected: 'SOTTO-RENDER-006',
    plain: {
      'kustomization.yaml': k(
        'resources: [db.yaml]\npatches:\n- target: {kind: Secret}\n  patch: |\n    - {op: add, path: /metadata/annotations, value: {}}\n    - {op: copy, from: /stringData/password, path: /metadata/annotations/p}\n',
      ),
    },
    sealed: { 'db.yaml': doc(ONE) },
  },
  {
    name: 'an env of a Deployment',
    expected: 'SOTTO-RENDER-006',
    plain: { 'kustomization.yaml': k('resources: [web.yaml]\npatches: [{path: p.yaml}]\n'), 'web.yaml': WEB },
    sealed: {
      'p.yaml': doc(
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        env:\n        - {name: TOKEN, value: hunter22}\n',
        ['--encrypted-regex', '^value$'],
      ),
    },
  },
  {
    name: 'a JSON6902 test',
    expected: 'build fails',
    plain: {
      'kustomization.yaml': k(
        'resources: [db.yaml]\npatches:\n- target: {kind: Secret}\n  patch: |\n    - {op: test, path: /stringData/user, value: admin}\n',
      ),
    },
    sealed: { 'db.yaml': doc(ONE) },
  },
];

const TARGET = (body: string): string => secret('target', `stringData:\n${body}`);
const FROM = '{kind: Secret, name: db, fieldPath: stringData.password}';
const TO = (path: string, options = ''): string =>
  `{select: {kind: Secret, name: target}, fieldPaths: [${path}]${options}}`;
const value = (text: string): SealedFile => doc(secret('db', `stringData:\n  password: ${JSON.stringify(text)}\n`));
const into = (
  name: string,
  expected: CorpusCase['expected'],
  text: string,
  password: string,
  path: string,
  options = '',
): CorpusCase => ({
  name,
  expected,
  plain: { 'kustomization.yaml': replace(FROM, TO(path, options)), 'target.yaml': TARGET(text) },
  sealed: { 'db.yaml': value(password) },
});
const AT = (index: number): string => `, options: {delimiter: ":", index: ${index}}`;
const HARD = 'a "q" \\ <&> ü\n';

const REPLACEMENTS: readonly CorpusCase[] = [
  into('whole', '=', '  p: x\n', HARD, 'stringData.p'),
  {
    name: 'from data to data',
    expected: '=',
    plain: {
      'kustomization.yaml': replace('{kind: Secret, name: db, fieldPath: data.p}', TO('data.q')),
      'target.yaml': secret('target', 'data: {q: eA==}\n'),
    },
    sealed: { 'db.yaml': doc(secret('db', `data: {p: ${b64(BINARY)}}\n`)) },
  },
  into(
    'into a URL',
    '=',
    '  url: "postgres://app/PASS/db"\n',
    'hunter2',
    'stringData.url',
    ', options: {delimiter: "/", index: 3}',
  ),
  into(
    'into a URL, with its delimiters in the value',
    '=',
    '  url: "postgres://app|PASS|db"\n',
    'a/@:b',
    'stringData.url',
    ', options: {delimiter: "|", index: 1}',
  ),
  {
    name: 'the data of a generated Secret, whole and into a URL',
    expected: '=',
    plain: {
      'kustomization.yaml': `${generator('  files: [pass=p.txt]\n')}resources: [target.yaml]\nreplacements:\n- source: {kind: Secret, name: app, fieldPath: data.pass}\n  targets:\n  - ${TO('data.q')}\n  - ${TO('stringData.url', ', options: {delimiter: "|", index: 1}')}\n`,
      'target.yaml': secret('target', 'data: {q: eA==}\nstringData: {url: "x|PASS|y"}\n'),
    },
    sealed: { 'p.txt': file('p@ss/w:rd ü') },
  },
  into('into JSON inside of a string', '=', `  c: '{"a":{"b":"x"},"d":[1]}'\n`, HARD, 'stringData.c.a.b'),
  into(
    'into pretty JSON inside of a string',
    '=',
    `  c: |-\n    {\n      "a": {\n        "b": "x"\n      }\n    }\n`,
    'it "is"',
    'stringData.c.a.b',
  ),
  into('into YAML inside of a string', '=', '  c: |\n    a:\n      b: x\n    d: 1\n', 'hunter2', 'stringData.c.a.b'),
  {
    ...into(
      'T1: into YAML inside of a string, with a colon and a line break',
      'differs',
      '  c: |\n    a:\n      b: x\n',
      'k: v\nnext',
      'stringData.c.a.b',
    ),
    gives: 'a:\n  b: "k: v\\nnext"',
  },
  into('into YAML inside of a string, a number', '=', '  c: |\n    a:\n      b: x\n', '0123', 'stringData.c.a.b'),
  {
    name: 'T2: two by delimiter into one text, the first value with the delimiter',
    expected: 'differs',
    gives: 'a:b:admin',
    plain: {
      'kustomization.yaml': k(
        `resources: [db.yaml, target.yaml]\nreplacements:\n- source: ${FROM}\n  targets:\n  - ${TO('stringData.c', AT(0))}\n- source: {kind: Secret, name: db, fieldPath: stringData.user}\n  targets:\n  - ${TO('stringData.c', AT(1))}\n`,
      ),
      'target.yaml': TARGET('  c: "one:two"\n'),
    },
    sealed: { 'db.yaml': doc(secret('db', 'stringData: {password: "a:b", user: admin}\n')) },
  },
  {
    name: 'the second part of a value',
    expected: 'build fails',
    plain: {
      'kustomization.yaml': replace(
        '{kind: Secret, name: db, fieldPath: stringData.password, options: {delimiter: ":", index: 1}}',
        TO('stringData.p'),
      ),
      'target.yaml': TARGET('  p: x\n'),
    },
    sealed: { 'db.yaml': value('user:pass') },
  },
  {
    name: 'a part of a value cut at a letter',
    expected: 'SOTTO-RENDER-043',
    plain: {
      'kustomization.yaml': replace(
        '{kind: Secret, name: db, fieldPath: stringData.password, options: {delimiter: "soT", index: 1}}',
        TO('stringData.p'),
      ),
      'target.yaml': TARGET('  p: x\n'),
    },
    sealed: { 'db.yaml': value('user:pass') },
  },
  {
    name: 'into the env of a Deployment',
    expected: 'SOTTO-RENDER-006',
    plain: {
      'kustomization.yaml': replace(
        FROM,
        '{select: {kind: Deployment}, fieldPaths: [spec.template.spec.containers.0.env.0.value]}',
      ),
      'target.yaml': WEB,
    },
    sealed: { 'db.yaml': value('hunter22') },
  },
  {
    name: 'vars into args',
    expected: 'SOTTO-RENDER-006',
    plain: {
      'kustomization.yaml': k(
        'resources: [db.yaml, web.yaml]\nvars:\n- name: PASS\n  objref: {apiVersion: v1, kind: Secret, name: db}\n  fieldref: {fieldpath: stringData.password}\n',
      ),
      'web.yaml': WEB.replace('[--one]', '["--p=$(PASS)"]'),
    },
    sealed: { 'db.yaml': value('hunter22') },
  },
  {
    name: 'into a key that is joined under data',
    expected: 'SOTTO-RENDER-045',
    plain: {
      'kustomization.yaml': replace(
        '{kind: Secret, name: db, fieldPath: data.p}',
        TO('data.q', ', options: {delimiter: "|", index: 1}'),
      ),
      'target.yaml': secret('target', 'data: {q: "eA|x|eA"}\n'),
    },
    sealed: { 'db.yaml': doc(secret('db', `data: {p: ${b64('hello')}}\n`)) },
  },
];

const OTHERS: readonly CorpusCase[] = [
  {
    name: 'a component with a generator and a patch, names, labels, annotations and a namespace',
    expected: '=',
    plain: {
      'kustomization.yaml': k(
        'nameSuffix: -x\nnamespace: team\nlabels: [{pairs: {a: b}, includeSelectors: true}]\ncommonAnnotations: {c: d}\nresources: [db.yaml, web.yaml]\ncomponents: [part]\n',
      ),
      'web.yaml': WEB,
      'part/kustomization.yaml':
        'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nsecretGenerator:\n- {name: app, files: [p.txt]}\npatches: [{path: p.yaml}]\n',
    },
    sealed: { 'db.yaml': doc(ONE), 'part/p.txt': file('hunter2\n'), 'part/p.yaml': doc(PATCH) },
  },
  {
    name: 'images, replicas and a namespace',
    expected: '=',
    plain: {
      'kustomization.yaml': k(
        'namespace: team\nimages: [{name: nginx, newTag: "2"}]\nreplicas: [{name: web, count: 3}]\nresources: [db.yaml, web.yaml]\n',
      ),
      'web.yaml': WEB,
    },
    sealed: { 'db.yaml': doc(ONE) },
  },
  {
    name: 'a file that nothing uses',
    expected: '=',
    plain: { 'kustomization.yaml': k('resources: [map.yaml]\n'), 'map.yaml': MAP },
    sealed: { 'unused.yaml': doc(ONE) },
  },
];

export const CORPUS: readonly CorpusCase[] = [...RESOURCES, ...GENERATORS, ...PATCHES, ...REPLACEMENTS, ...OTHERS];
