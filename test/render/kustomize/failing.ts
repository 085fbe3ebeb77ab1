import { CONFIG_MAP, DB, DEPLOYMENT, kustomization, MAP, SECRET, WEB } from './trees.ts';

/** What stands for a secret in these; it must not come back in any message. */
export const TOKEN = 'soTTo1A2b3C4d5E6f7G8h9I0j1K2l3M4n5O6p7Q8r9S0t1U2';

/** A kustomization that the scan lets pass and kustomize refuses. */
export interface Failing {
  readonly name: string;
  readonly files: string;
  readonly root: string;
  /** A part of the reason that is told. */
  readonly why: string;
  readonly file: string | undefined;
  /** The object that is named. */
  readonly object: string | undefined;
}

function failing(name: string, why: string, file: string, text: string, ...others: readonly string[]): Failing {
  return { name, files: kustomization(text, ...others), root: '', why, file, object: OBJECTS[name] };
}

const OBJECTS: Readonly<Record<string, string>> = {
  'a patch for nobody': 'Secret/x',
  'a patch file for nobody': 'Secret/x',
  'the same object twice': 'Secret/db',
};

const TOP = 'kustomization.yaml';
const CLOSED = `-- db.yaml\n${SECRET.replace('hunter2', TOKEN)}`;

export const FAILING: readonly Failing[] = [
  failing(
    'a patch for nobody',
    'a patch names an object',
    TOP,
    `resources: [db.yaml]\npatches: [{ patch: "{apiVersion: v1, kind: Secret, metadata: {name: x}, stringData: {a: ${TOKEN}}}" }]`,
    CLOSED,
  ),
  failing(
    'a patch file for nobody',
    'a patch names an object',
    TOP,
    'resources: [db.yaml]\npatchesStrategicMerge: [p.yaml]',
    CLOSED,
    `-- p.yaml\n${SECRET.replace('name: db', 'name: x')}`,
  ),
  failing(
    'the same object twice',
    'two resources have the same',
    'again.yaml',
    'resources: [db.yaml, again.yaml]',
    CLOSED,
    `-- again.yaml\n${SECRET}`,
  ),
  failing(
    'a test that fails',
    'a test operation',
    TOP,
    `resources: [map.yaml]\npatches:\n- target: { kind: ConfigMap }\n  patch: "- { op: test, path: /data/host, value: ${TOKEN} }"`,
    MAP,
  ),
  failing(
    'a path that is not there',
    'names a path that the object has not',
    TOP,
    `resources: [db.yaml]\npatches:\n- target: { kind: Secret }\n  patch: "- { op: remove, path: /stringData/absent }"`,
    CLOSED,
  ),
  failing(
    'a merge of nothing',
    'the behavior of a generator',
    TOP,
    `secretGenerator: [{ name: s, behavior: merge, literals: [a=${TOKEN}] }]`,
  ),
  failing('a key twice', 'the same key twice', TOP, `secretGenerator: [{ name: s, literals: [a=${TOKEN}, a=b] }]`),
  failing(
    'a literal without a key',
    'is not of the form key=value',
    TOP,
    `secretGenerator: [{ name: s, literals: [${TOKEN}] }]`,
  ),
  failing(
    'a field that is not there',
    'names a field or object',
    TOP,
    'resources: [db.yaml, map.yaml]\nreplacements: [{ source: { kind: Secret, fieldPath: stringData.absent }, targets: [{ select: { kind: ConfigMap }, fieldPaths: [data.x] }] }]',
    CLOSED,
    MAP,
  ),
  failing(
    'a target field that is not there',
    'names a field or object',
    TOP,
    'resources: [db.yaml, map.yaml]\nreplacements: [{ source: { kind: Secret, fieldPath: stringData.password }, targets: [{ select: { kind: ConfigMap }, fieldPaths: [data.x.y] }] }]',
    CLOSED,
    MAP,
  ),
  failing(
    'no object',
    'is not a list of objects',
    'x.yaml',
    'resources: [db.yaml, x.yaml]',
    CLOSED,
    `-- x.yaml\npassword: ${TOKEN}\n`,
  ),
  failing('a text in a resource', 'is not a list of objects', 'x.yaml', 'resources: [x.yaml]', `-- x.yaml\n${TOKEN}\n`),
  failing(
    'a JSON patch without target',
    'neither a merge patch nor',
    TOP,
    `resources: [db.yaml]\npatches: [{ patch: "- { op: add, path: /stringData/x, value: ${TOKEN} }" }]`,
    CLOSED,
  ),
  failing(
    'a base among the components',
    'a component stands under',
    'c/kustomization.yaml',
    'components: [c]',
    `-- c/kustomization.yaml\nresources: [map.yaml]\n-- c/map.yaml\n${CONFIG_MAP}`,
  ),
  failing(
    'a field of the wrong type',
    'a field of a kustomization',
    TOP,
    'resources: [db.yaml]\nimages: [{ name: x, newTag: 1.10 }]',
    CLOSED,
  ),
  {
    name: 'a file of a base',
    files: `-- o/kustomization.yaml\nresources: [../base]\n-- base/kustomization.yaml\nresources: [web.yaml, x.yaml]\n-- base/web.yaml\n${DEPLOYMENT}-- base/x.yaml\na: ${TOKEN}\n`,
    root: 'o',
    why: 'is not a list of objects',
    file: 'base/x.yaml',
    object: undefined,
  },
  failing('an empty kustomization', 'a field of a kustomization', TOP, '{}', DB, WEB),
];

/** Nine levels of ten aliases: a billion nodes in a few hundred bytes. */
export const BOMB = kustomization(
  'resources: [bomb.yaml]',
  `-- bomb.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: bomb }\ndata:\n${bombLines()}`,
);

function bombLines(): string {
  const names = Array.from('abcdefghi');
  const lines = names.map((name, index) => {
    const inner = index === 0 ? 'x' : `*${names[index - 1] ?? ''}`;
    return `  ${name}: &${name} [${Array.from({ length: 10 }, () => inner).join(', ')}]\n`;
  });
  return lines.join('');
}
