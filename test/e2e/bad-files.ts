import type { JsonObject } from '../../src/core/json.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { configMap, secret, type World } from '../harness/world.ts';
import type { Sealer } from './leak-fixture.ts';

/** What the files are made with: a value of its own for each of them, and the tools that hide it. */
export interface Making {
  readonly world: World;
  readonly sealer: Sealer;
  readonly value: string;
}

/** What is live of it: `secrets/x` with the value that it was made with, `configmaps/x` with the word good. */
export interface GoodFile {
  readonly live: string;
  readonly make: (making: Making) => Promise<string>;
}

/** A file that is good in one commit and bad in the next, and what is then said of it. */
export interface BadFile {
  readonly fault: string;
  readonly path: string;
  /** The good version with the key `a`; absent where nothing good can stand there. */
  readonly good?: GoodFile;
  readonly bad: (making: Making) => Promise<string>;
  readonly code: string;
  readonly object?: string;
  /** Text that only the line has which is to be named; the whole file is named where it is absent. */
  readonly lineOf?: string;
  readonly key?: string;
  readonly next: RegExp;
}

const sops = ({ world, value }: Making, name: string, more: JsonObject = {}): Promise<string> =>
  world.sops(yaml({ ...secret(name, { a: value }), ...more }), 's.yaml');

const goodSops = (name: string): GoodFile => ({ live: `secrets/${name}`, make: (making) => sops(making, name) });

const plain = (name: string): GoodFile => ({
  live: `configmaps/${name}`,
  make: () => Promise.resolve(yaml(configMap(name, { a: 'good' }))),
});

const text = (object: JsonObject): (() => Promise<string>) => {
  const written = yaml(object);
  return () => Promise.resolve(written);
};

/** JSON over several lines, which is YAML too: what stands where is known. */
export function yaml(object: JsonObject): string {
  return `${JSON.stringify(object, undefined, 2)}\n`;
}

/** One line of what issue and interface call bad input each. The values are canaries, but for the one Git may read. */
export const BAD_FILES: readonly BadFile[] = [
  {
    fault: 'broken YAML',
    path: 'deploy/broken.yaml',
    good: plain('broken'),
    bad: () => Promise.resolve('apiVersion: v1\nkind: ConfigMap\nmetadata: { name: broken }\ndata: { a: [ }\n'),
    code: 'SOTTO-YAML-001',
    lineOf: 'a: [ }',
    next: /./,
  },
  {
    fault: 'broken JSON',
    path: 'deploy/broken.json',
    good: plain('broken-json'),
    bad: () => Promise.resolve('{\n"apiVersion": "v1",\n"kind": }\n'),
    code: 'SOTTO-YAML-013',
    lineOf: '"kind"',
    next: /./,
  },
  {
    fault: 'a file that was changed after it was encrypted',
    path: 'deploy/mac.yaml',
    good: goodSops('mac'),
    bad: async (making) => (await sops(making, 'mac', { type: 'Opaque' })).replace('type: Opaque', 'type: opaque'),
    code: 'SOTTO-SOPS-001',
    object: 'Secret/mac',
    lineOf: 'age:',
    key: 'sops.mac',
    next: /Git history/,
  },
  {
    fault: 'a file for a key that is not there',
    path: 'deploy/stranger.yaml',
    good: goodSops('stranger'),
    bad: async ({ value }) => {
      const { recipient } = await newAgeKeyPair();
      const args = ['encrypt', '--age', recipient, '--encrypted-regex', '^(data|stringData)$'];
      const stdin = yaml(secret('stranger', { a: value }));
      return (await stockOutput('sops', [...args, '--filename-override', 's.yaml'], { stdin })).toString();
    },
    code: 'SOTTO-AGE-001',
    object: 'Secret/stranger',
    lineOf: 'age:',
    next: /./,
  },
  {
    fault: 'a sealed value of another name',
    path: 'deploy/sealed.yaml',
    good: { live: 'secrets/sealed', make: ({ sealer, value }) => sealer.seal(0, 'sealed', { a: value }) },
    bad: async ({ sealer, value }) =>
      (await sealer.seal(0, 'unsealed', { a: value })).replaceAll('name: unsealed', 'name: sealed'),
    code: 'SOTTO-SEAL-001',
    object: 'bitnami.com/SealedSecret/sealed',
    lineOf: '    a: Ag',
    key: 'a',
    next: /seal/,
  },
  {
    fault: 'a number in an encrypted Secret',
    path: 'deploy/number.yaml',
    good: goodSops('number'),
    bad: (making) => sops(making, 'number', { stringData: { a: making.value, port: 123456789 } }),
    code: 'SOTTO-RENDER-010',
    object: 'Secret/number',
    lineOf: 'port: ENC[',
    key: 'stringData.port',
    next: /quotes/,
  },
  {
    fault: 'bad base64 in an encrypted Secret',
    path: 'deploy/base64.yaml',
    good: goodSops('base64'),
    bad: (making) => sops(making, 'base64', { data: { b: `!${making.value}` } }),
    code: 'SOTTO-RENDER-011',
    object: 'Secret/base64',
    lineOf: 'b: ENC[',
    key: 'data.b',
    next: /sops edit deploy\/base64\.yaml/,
  },
  {
    fault: 'encrypted identity fields',
    path: 'deploy/identity.yaml',
    good: goodSops('identity'),
    bad: async ({ world, value }) => {
      const stdin = yaml(secret('identity', { a: value }));
      const args = ['encrypt', '--age', world.recipient, '--filename-override', 's.yaml'];
      return (await stockOutput('sops', args, { stdin })).toString();
    },
    code: 'SOTTO-RENDER-005',
    lineOf: 'apiVersion: ENC[',
    key: 'apiVersion',
    next: /encrypted_regex: '\^\(data\|stringData\)\$'/,
  },
  {
    fault: 'an encrypted value outside a Secret',
    path: 'deploy/outside.yaml',
    good: plain('outside'),
    bad: ({ world, value }) => world.sops(yaml(configMap('outside', { a: value })), 's.yaml'),
    code: 'SOTTO-RENDER-006',
    object: 'ConfigMap/outside',
    lineOf: 'a: ENC[',
    key: 'data.a',
    next: /Secret/,
  },
  {
    fault: 'a plaintext Secret',
    path: 'deploy/plaintext.yaml',
    good: goodSops('plaintext'),
    bad: text(secret('plaintext', { a: 'readable-in-git' })),
    code: 'SOTTO-PLAN-004',
    object: 'Secret/plaintext',
    lineOf: '{',
    next: /sotto encrypt -i deploy\/plaintext\.yaml/,
  },
  {
    fault: 'a plaintext Secret with bad base64',
    path: 'deploy/plain-base64.yaml',
    bad: text({ ...configMap('plain-base64', {}), kind: 'Secret', data: { b: 'readable-in-git!' } }),
    code: 'SOTTO-RENDER-011',
    object: 'Secret/plain-base64',
    lineOf: '"b":',
    key: 'data.b',
    next: /base64/,
  },
  {
    fault: 'an unknown kind',
    path: 'deploy/unknown.yaml',
    bad: text({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'unknown' } }),
    code: 'SOTTO-RENDER-008',
    object: 'example.com/Widget/unknown',
    lineOf: '{',
    key: 'kind',
    next: /kubectl api-resources/,
  },
  {
    fault: 'a kind that the agent has no right to',
    path: 'deploy/role.yaml',
    bad: text({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'r' }, rules: [] }),
    code: 'SOTTO-KUBE-003',
    object: 'rbac.authorization.k8s.io/Role/r',
    lineOf: '{',
    next: /roles/,
  },
  {
    fault: 'a cluster-scoped kind',
    path: 'deploy/cluster.yaml',
    bad: text({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'c' }, rules: [] }),
    code: 'SOTTO-PLAN-002',
    object: 'rbac.authorization.k8s.io/ClusterRole/c',
    lineOf: '{',
    next: /skip/,
  },
  {
    fault: 'another namespace',
    path: 'deploy/elsewhere.yaml',
    good: plain('elsewhere'),
    bad: text({ ...configMap('elsewhere', { a: 'bad' }), metadata: { name: 'elsewhere', namespace: 'kube-system' } }),
    code: 'SOTTO-PLAN-003',
    object: 'ConfigMap/elsewhere',
    lineOf: '{',
    key: 'metadata.namespace',
    next: /metadata\.namespace/,
  },
  {
    fault: 'the same object twice',
    path: 'deploy/zz-twin.yaml',
    bad: text(configMap('outside-twin', { a: 'second' })),
    code: 'SOTTO-RENDER-007',
    object: 'ConfigMap/outside-twin',
    lineOf: '{',
    next: /remove one/,
  },
  {
    fault: 'generateName',
    path: 'deploy/generated.yaml',
    good: plain('generated'),
    bad: text({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'generated-' } }),
    code: 'SOTTO-RENDER-004',
    lineOf: 'generateName',
    key: 'metadata.generateName',
    next: /metadata\.name/,
  },
  {
    fault: 'a document without a kind',
    path: 'deploy/kindless.yaml',
    good: plain('kindless'),
    bad: text({ apiVersion: 'v1', metadata: { name: 'kindless' } }),
    code: 'SOTTO-RENDER-003',
    lineOf: '{',
    key: 'kind',
    next: /\.sourceignore/,
  },
  {
    fault: 'a schema error',
    path: 'deploy/schema.yaml',
    good: plain('schema'),
    bad: text({ ...configMap('schema', { a: 'bad' }), spec: { replicas: 1 } }),
    code: 'SOTTO-KUBE-011',
    object: 'ConfigMap/schema',
    lineOf: '{',
    next: /./,
  },
  {
    fault: 'a file that is too large',
    path: 'deploy/large.yaml',
    good: plain('large'),
    bad: () => Promise.resolve(`# ${'x'.repeat(6 * 1024 * 1024)}\n${yaml(configMap('large', { a: 'bad' }))}`),
    code: 'SOTTO-GIT-023',
    next: /\.sourceignore/,
  },
];
