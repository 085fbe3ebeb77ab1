import { describe, expect, it } from 'vitest';
import { type Closed, type ClosedObject, SecretRef } from '../../src/core/closed.ts';
import type { SourceDigest } from '../../src/core/ids.ts';
import type { ClosedDocument } from '../../src/open/document.ts';
import { type RenderContext, render } from '../../src/render/render.ts';
import type { VetoRules } from '../../src/render/veto-rules.ts';
import { readManifests } from '../../src/yaml/manifest.ts';

const SOPS = { format: 'sops', file: 's.yaml' } as const;
const SEALED = { format: 'sealed', file: 's.yaml' } as const;
const NAMESPACED = new Set(['ConfigMap', 'Secret', 'Service', 'Deployment', 'Thing', 'Pod', 'CronJob']);
const CLUSTER = new Set(['Namespace', 'ClusterRole']);

const NO_KEYS: VetoRules = {
  lifted: [],
  agentNamespace: 'team',
  targetNamespace: 'team',
  accounts: ['sotto'],
  namedSecrets: new Set(),
  markedSecrets: new Set(),
};

function rendering(list: readonly ClosedDocument[], more: Partial<RenderContext> = {}) {
  return render(list, {
    targetNamespace: 'team',
    plaintextSecrets: 'refuse',
    skip: [],
    vetoes: NO_KEYS,
    isNamespaced: (_apiVersion, kind) => (NAMESPACED.has(kind) ? true : CLUSTER.has(kind) ? false : undefined),
    ...more,
  });
}

/** Documents of a file; strings `ENC(type)` become references. */
function documents(text: string, encryption: ClosedDocument['encryption'] = 'none', file = 'a.yaml'): ClosedDocument[] {
  return readManifests(text, file).map((manifest, index) => ({
    file,
    line: manifest.line,
    tree: closed(manifest.value, encryption === 'sealed' ? SEALED : SOPS) as ClosedObject,
    encryption,
    digest: `d${index}` as SourceDigest,
    lineAt: (path) => manifest.lineAt(path),
  }));
}

function closed(value: Closed, source: SecretRef['source']): Closed {
  const type = typeof value === 'string' ? /^ENC\((\w*)\)$/.exec(value)?.[1] : undefined;
  if (type !== undefined)
    return new SecretRef(source, type === '' ? { text: 'ENC' } : { text: 'ENC', type }, 'value', 7);
  if (Array.isArray(value)) return value.map((item: Closed) => closed(item, source));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, closed(item as Closed, source)]));
}

function tree(
  text: string,
  more: Partial<RenderContext> = {},
  encryption: ClosedDocument['encryption'] = 'none',
): Closed | undefined {
  const set = rendering(documents(text, encryption), more);
  return set.refusals[0] === undefined ? set.objects[0]?.tree : set.refusals[0].error.code;
}

/** `code line key`: what a person is told. */
function told(
  text: string,
  encryption: ClosedDocument['encryption'] = 'none',
  more: Partial<RenderContext> = {},
): string[] {
  return rendering(documents(text, encryption), more).refusals.map(({ error }) => {
    const { line, key } = error.place;
    return `${error.code} ${line ?? '?'}${key === undefined ? '' : ` ${key}`}`;
  });
}

describe('normalising', () => {
  it('leaves out what the server writes and sets the namespace', () => {
    const text = `
apiVersion: v1
kind: ConfigMap
metadata: { name: a, uid: u, resourceVersion: "1", generation: 2, creationTimestamp: null, managedFields: [], selfLink: x, labels: { l: v } }
data: { k: v }
status: { x: 1 }`;
    expect(tree(text)).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a', namespace: 'team', labels: { l: 'v' } },
      data: { k: 'v' },
    });
  });

  it('drops nulls where they have no meaning, and keeps them in custom resources', () => {
    const spec = 'spec: { a: null, list: [ { b: null, c: 1 } ] }';
    expect(tree(`{ apiVersion: apps/v1, kind: Deployment, metadata: { name: a }, ${spec} }`)).toMatchObject({
      spec: { list: [{ c: 1 }] },
    });
    expect(tree(`{ apiVersion: example.com/v1, kind: Thing, metadata: { name: a }, ${spec} }`)).toMatchObject({
      spec: { a: null, list: [{ b: null, c: 1 }] },
    });
  });

  it('gives ports their protocol, of Services and of Pods however deep', () => {
    const pod =
      'spec: { containers: [ { name: c, ports: [ { containerPort: 80 }, { containerPort: 53, protocol: UDP } ] } ], initContainers: [ { name: i, ports: [ { containerPort: 1 } ] } ] }';
    const ports = {
      containers: [{ ports: [{ protocol: 'TCP' }, { protocol: 'UDP' }] }],
      initContainers: [{ ports: [{ protocol: 'TCP' }] }],
    };
    expect(tree(`{ apiVersion: v1, kind: Pod, metadata: { name: a }, ${pod} }`)).toMatchObject({ spec: ports });
    expect(
      tree(`{ apiVersion: apps/v1, kind: Deployment, metadata: { name: a }, spec: { template: { ${pod} } } }`),
    ).toMatchObject({ spec: { template: { spec: ports } } });
    expect(
      tree(
        `{ apiVersion: batch/v1, kind: CronJob, metadata: { name: a }, spec: { jobTemplate: { spec: { template: { ${pod} } } } } }`,
      ),
    ).toMatchObject({ spec: { jobTemplate: { spec: { template: { spec: ports } } } } });
    expect(
      tree(
        '{ apiVersion: v1, kind: Service, metadata: { name: a }, spec: { ports: [ { port: 80, protocol: null } ] } }',
      ),
    ).toMatchObject({ spec: { ports: [{ port: 80, protocol: 'TCP' }] } });
  });

  it('reads no namespace, null and the empty string alike, as kubectl does', () => {
    for (const namespace of ['', 'namespace: null', 'namespace: ""', 'namespace: team']) {
      expect(tree(`apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  ${namespace}\n`)).toMatchObject({
        metadata: { namespace: 'team' },
      });
    }
  });
});

describe('identity', () => {
  it.each(['.', '..', 'web/evil', '../../secrets/db', 'a%2fb', 'a\u0000b', 'a\u202eb'])(
    'is a name that the API server can have in its paths: %j',
    (name) => {
      const text = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
      const { objects, refusals } = rendering(documents(text));
      expect(objects).toEqual([]);
      expect(refusals.map(({ error, id }) => [error.code, error.place.key, id])).toEqual([
        ['SOTTO-PLAN-046', 'metadata.name', undefined],
      ]);
    },
  );

  const CASES: readonly (readonly [string, string, string])[] = [
    ['apiVersion is missing', 'kind: ConfigMap\nmetadata: { name: a }', 'SOTTO-RENDER-003 1 apiVersion'],
    ['kind is no string', 'apiVersion: v1\nkind: 3\nmetadata: { name: a }', 'SOTTO-RENDER-003 1 kind'],
    ['metadata is missing', 'apiVersion: v1\nkind: ConfigMap', 'SOTTO-RENDER-003 1 metadata'],
    [
      'the name is empty',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "" }',
      'SOTTO-RENDER-003 1 metadata.name',
    ],
    [
      'the name is generated',
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: a-',
      'SOTTO-RENDER-004 4 metadata.generateName',
    ],
    [
      'the name is encrypted',
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ENC(str)',
      'SOTTO-RENDER-005 4 metadata.name',
    ],
    ['the kind is not served', 'apiVersion: v1\nkind: Confimap\nmetadata: { name: a }', 'SOTTO-RENDER-008 1 kind'],
    ['the object is cluster-scoped', 'apiVersion: v1\nkind: ClusterRole\nmetadata: { name: a }', 'SOTTO-PLAN-002 1'],
    [
      'the namespace is foreign',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a, namespace: x }',
      'SOTTO-PLAN-003 1 metadata.namespace',
    ],
    [
      'the label is ours',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a, labels: { applyset.kubernetes.io/part-of: x } }',
      'SOTTO-RENDER-009 1 metadata.labels.applyset.kubernetes.io/part-of',
    ],
    [
      'a value of a ConfigMap is encrypted',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata:\n  k: ENC(str)',
      'SOTTO-RENDER-006 5 data.k',
    ],
  ];
  for (const [name, text, expected] of CASES) {
    it(`is refused alone, with its line, when ${name}`, () => {
      const other = '\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: good }\n';
      expect(told(text + other, 'sops')).toEqual([expected]);
      expect(rendering(documents(text + other, 'sops')).objects.map(({ id }) => id.name)).toEqual(['good']);
    });
  }

  it('that comes twice is used once, and both places are named', () => {
    const one = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n';
    const set = rendering([...documents(one), ...documents(one, 'none', 'b.yaml')]);
    expect(set.objects.map(({ file }) => file)).toEqual(['a.yaml']);
    expect(set.refusals.map(({ error }) => [error.code, error.place.file, error.why.includes('a.yaml:1')])).toEqual([
      ['SOTTO-RENDER-007', 'b.yaml', true],
    ]);
  });

  it('of a SealedSecret for its controller and its Secret beside it is the Secret alone, whichever comes first', () => {
    const sealed =
      'apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: { name: db }\nspec: { encryptedData: { a: QQ== } }\n';
    const secret = 'apiVersion: v1\nkind: Secret\nmetadata: { name: db }\nstringData: { a: ENC(str) }\n';
    const both = [documents(sealed, 'none', 's.yaml'), documents(secret, 'sops', 'b.yaml')];
    for (const list of [both, both.toReversed()]) {
      const set = rendering(list.flat(), { isNamespaced: () => true });
      expect(set.objects.map(({ id }) => id.kind)).toEqual(['Secret']);
      expect(set.refusals.map(({ error, file }) => [error.code, file, error.why.includes('b.yaml:1')])).toEqual([
        ['SOTTO-SEAL-022', 's.yaml', true],
      ]);
    }
    const alone = rendering(documents(sealed), { isNamespaced: () => true });
    expect([alone.objects.length, alone.refusals]).toEqual([1, []]);
  });

  it('that the settings skip, and the own Namespace, are neither applied nor refused', () => {
    const text =
      'apiVersion: v1\nkind: Namespace\nmetadata: { name: team }\n---\napiVersion: v1\nkind: ClusterRole\nmetadata: { name: r }\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n';
    const set = rendering(documents(text), { skip: [{ kind: 'ClusterRole' }, { kind: 'ConfigMap', name: 'other' }] });
    expect([set.objects.map(({ id }) => id.kind), set.refusals, set.skipped.map(({ id }) => id.kind)]).toEqual([
      ['ConfigMap'],
      [],
      ['Namespace', 'ClusterRole'],
    ]);
  });
});

function forms(found: Closed | undefined): string[] {
  return Object.values(found as ClosedObject).map((ref) => (ref instanceof SecretRef ? ref.form : 'clear'));
}

describe('a Secret', () => {
  it('is told of with a command that does nothing else when it is pasted, whatever its file is called', () => {
    const text = 'apiVersion: v1\nkind: Secret\nmetadata: { name: db }\nstringData: { a: b }\n';
    const { refusals } = rendering(documents(text, 'none', 'deploy/$(curl evil).yaml'));
    expect(refusals[0]?.error.next).toContain("sotto encrypt -i 'deploy/$(curl evil).yaml'");
  });

  const head = 'apiVersion: v1\nkind: Secret\nmetadata: { name: a }\n';
  const data = (text: string, encryption: ClosedDocument['encryption'] = 'sops'): Closed | undefined => {
    const found = tree(head + text, { plaintextSecrets: 'allow' }, encryption);
    return typeof found === 'object' && found !== null && 'data' in found ? found.data : found;
  };

  it('has its stringData folded into data, where stringData wins', () => {
    expect(data('data: { a: YQ==, b: "Y\\nQ==" }\nstringData: { a: "ä" }')).toEqual({
      a: Buffer.from('ä').toString('base64'),
      b: 'YQ==',
    });
    expect(data('data: null\nstringData: { n: null }')).toEqual({});
    expect(tree(head)).toEqual({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a', namespace: 'team' } });
  });

  it('takes encrypted entries as they will be filled: text under data, the value under stringData or sealed', () => {
    expect(forms(data('data: { a: ENC(str) }\nstringData: { b: ENC(str), c: ENC(bytes) }'))).toEqual([
      'base64',
      'value',
      'value',
    ]);
    expect(forms(data('data: { a: ENC() }', 'sealed'))).toEqual(['value']);
  });

  it('is refused before the server could quote it: numbers, lists, wrong types behind the encryption, bad base64', () => {
    expect(told(`${head}data:\n  a: 3`, 'sops')).toEqual(['SOTTO-RENDER-010 5 data.a']);
    expect(told(`${head}stringData:\n  a: [ x ]`, 'sops')).toEqual(['SOTTO-RENDER-010 5 stringData.a']);
    expect(told(`${head}stringData:\n  a: ENC(int)`, 'sops')).toEqual(['SOTTO-RENDER-010 7 stringData.a']);
    expect(told(`${head}data: text`, 'sops')).toEqual(['SOTTO-RENDER-010 4 data']);
    expect(told(`${head}data:\n  a: "no base64"`, 'sops')).toEqual(['SOTTO-RENDER-011 5 data.a']);
    expect(told(`${head}type: ENC(str)\ndata: {}`, 'sops')).toEqual(['SOTTO-RENDER-005 4 type']);
  });

  it('names no value in what it says', () => {
    const value = 'hunter2hunter2';
    for (const text of [`data: { a: "${value}" }`, `data: ${value}`, `stringData: { a: [ ${value} ] }`]) {
      const refusals = rendering(documents(head + text, 'sops')).refusals.map(
        ({ error }) => JSON.stringify(error) + error.text(),
      );
      expect([refusals.length, refusals.join('').includes(value)]).toEqual([1, false]);
    }
  });

  it('in plain text is refused, reported or taken, as the settings say', () => {
    const text = `${head}stringData: { a: x }`;
    const marked = text.replace('name: a', 'name: a, annotations: { sotto.dev/plaintext: allowed }');
    const result = (rule: RenderContext['plaintextSecrets'], of = text) => {
      const set = rendering(documents(of), { plaintextSecrets: rule });
      return [
        set.objects.length,
        ...[...set.refusals.map(({ error }) => error), ...set.warnings].map(({ code }) => code),
      ];
    };
    expect(result('refuse')).toEqual([0, 'SOTTO-PLAN-004']);
    expect(result('refuse', marked)).toEqual([0, 'SOTTO-PLAN-004']);
    expect(result('warn')).toEqual([1, 'SOTTO-PLAN-004']);
    expect(result('warn', marked)).toEqual([1]);
    expect(result('allow')).toEqual([1]);
    expect(result('refuse', `${head}stringData: { a: "" }`)).toEqual([1]);
  });

  it('of a SOPS file of which no value is encrypted is in plain text all the same', () => {
    expect(told(`${head}stringData: { a: x }`, 'sops')).toEqual(['SOTTO-PLAN-004 1']);
    expect(told(`${head}stringData: { user: x, password: ENC(str) }`, 'sops')).toEqual([]);
    expect(told(`${head}data: { template: YQ== }`, 'sealed')).toEqual([]);
  });
});
