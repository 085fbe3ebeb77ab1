import { expect } from 'vitest';
import { arrayAt, type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import { MEMBER_LABEL } from '../../src/core/labels.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { passed } from '../harness/attention.ts';
import { type Canaries, plantCanaries } from '../harness/leak-check.ts';
import { type History, type Outside, outsideOf, reactionTo, startHistory, told } from '../harness/outside.ts';
import { createWorld, secret, type World, type WorldOptions } from '../harness/world.ts';

// Rows of the table in spec/drift.md 4 on a real API server, under the numbers of that table. `writes` are steps of the
// resourceVersion that nobody else made, `reads` every other request of the agent, Events and its own records left out.

export type Count = number | readonly [from: number, to: number];

export interface Row {
  readonly row: string;
  /** Of the object; each row has its own, and its own name. */
  readonly kind: keyof typeof API;
  readonly fields?: true;
  /** Changed before it is committed. */
  readonly manifest?: JsonObject;
  /** What stands in Git beside it, by the name of the object. */
  readonly beside?: (name: string) => JsonObject;
  /** Before anybody counts. */
  readonly before?: (by: Outside, path: string, bench: Bench) => Promise<unknown>;
  readonly act: (by: Outside, path: string, bench: Bench) => Promise<unknown>;
  /** When everybody has counted, so that nothing of it goes on beside the next row. */
  readonly after?: (by: Outside, path: string, bench: Bench) => Promise<unknown>;
  /** `value`: of the key `p` of Secrets. */
  readonly holds: (live: Json | undefined, value: string) => boolean;
  readonly writes: Count;
  readonly reads: Count;
}

export const API = {
  configmaps: 'api/v1',
  secrets: 'api/v1',
  services: 'api/v1',
  persistentvolumeclaims: 'api/v1',
  deployments: 'apis/apps/v1',
  jobs: 'apis/batch/v1',
  networkpolicies: 'apis/networking.k8s.io/v1',
  ingresses: 'apis/networking.k8s.io/v1',
  horizontalpodautoscalers: 'apis/autoscaling/v2',
  roles: 'apis/rbac.authorization.k8s.io/v1',
} as const;

const labels = { app: 'x' };
export const env = [
  { name: 'A', value: '1' },
  { name: 'B', value: '2' },
];
const readPods = { apiGroups: [''], resources: ['pods'], verbs: ['get'] };

/** Objects of the table: CM, X, S, D, R and others, without name. */
export const OBJECTS: Readonly<Record<keyof typeof API, JsonObject>> = {
  configmaps: { kind: 'ConfigMap', data: { k1: 'a', k2: 'b' } },
  secrets: secret('x', {}),
  services: { kind: 'Service', spec: { selector: labels, ports: [{ name: 'http', port: 80 }] } },
  persistentvolumeclaims: {
    kind: 'PersistentVolumeClaim',
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Gi' } } },
  },
  deployments: {
    kind: 'Deployment',
    metadata: { annotations: {} },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: 'c',
              image: 'example.com/c:1',
              args: [],
              env,
              ports: [{ containerPort: 80 }],
              resources: { limits: { cpu: '1000m' } },
            },
          ],
          volumes: [{ name: 't', emptyDir: {} }],
        },
      },
    },
  },
  jobs: {
    kind: 'Job',
    spec: {
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'example.com/c:1' }] } },
    },
  },
  networkpolicies: { kind: 'NetworkPolicy', spec: { podSelector: { matchLabels: labels }, policyTypes: ['Ingress'] } },
  ingresses: {
    kind: 'Ingress',
    spec: {
      rules: [
        {
          host: 'x.example.com',
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'x', port: { number: 80 } } } }],
          },
        },
      ],
    },
  },
  horizontalpodautoscalers: {
    kind: 'HorizontalPodAutoscaler',
    spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'none' } },
  },
  roles: { kind: 'Role', rules: [readPods] },
};

export const data = (live: Json | undefined): string => JSON.stringify(memberAt(live, 'data') ?? null);
export const IS_CM = (live: Json | undefined): boolean => data(live) === '{"k1":"a","k2":"b"}';
export const pod = (live: Json | undefined): Json | undefined => memberAt(live, 'spec', 'template', 'spec');
export const container = (live: Json | undefined): Json => arrayAt(pod(live), 'containers')[0] ?? null;
export const envOf = (live: Json | undefined): string =>
  arrayAt(container(live), 'env')
    .map((each) => stringAt(each, 'name'))
    .join();
export const IS_IMAGE = (live: Json | undefined): boolean => stringAt(container(live), 'image') === 'example.com/c:1';
export const IS_D = (live: Json | undefined): boolean =>
  IS_IMAGE(live) && envOf(live) === 'A,B' && memberAt(live, 'spec', 'replicas') === 2;
export const annotation = (live: Json | undefined, name: string): string | undefined =>
  stringAt(live, 'metadata', 'annotations', name);
export const labelOf = (live: Json | undefined): string | undefined =>
  stringAt(live, 'metadata', 'labels', MEMBER_LABEL);
export const isMember = (live: Json | undefined): boolean => labelOf(live)?.startsWith('applyset-') === true;
export const POD = '/spec/template/spec';
export const replace = (path: string, value: Json): Json => [{ op: 'replace', path, value }];
export const valuesOf = (live: Json | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.keys((memberAt(live, 'data') ?? {}) as JsonObject).map((key) => [
      key,
      Buffer.from(stringAt(live, 'data', key) ?? '', 'base64').toString(),
    ]),
  );
export const IS_X = (live: Json | undefined, value: string): boolean =>
  JSON.stringify(valuesOf(live)) === JSON.stringify({ p: value });

export function nameIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** A world with an agent in which each row has its object. */
export interface Bench extends AsyncDisposable {
  readonly world: World;
  readonly agent: RunningAgent;
  readonly history: History;
  readonly canaries: Canaries;
  /** Of the key `p` of Secrets. */
  readonly value: string;
  pathOf(row: Row): string;
  nameOf(row: Row): string;
  /** Commits an object anew, and waits until the agent has passed the commit. */
  recommit(path: string, object: JsonObject): Promise<void>;
  /** As it stands in Git. */
  manifestAt(path: string): JsonObject;
  check(row: Row): Promise<void>;
}

export interface BenchOptions extends WorldOptions {
  /** Prefix of the names. */
  readonly prefix?: string;
  /** How the agent is started. */
  readonly start?: (world: World) => Promise<RunningAgent>;
}

export async function startBench(rows: readonly Row[], options: BenchOptions = {}): Promise<Bench> {
  await using cleanup = new AsyncDisposableStack();
  const canaries = cleanup.use(plantCanaries([1]));
  const value = canaries.values[0] ?? '';
  const world = cleanup.use(await createWorld(options));
  const nameOf = (row: Row): string => `${options.prefix ?? 'r'}-${rows.indexOf(row)}`;
  const pathOf = (row: Row): string => `/${API[row.kind]}/namespaces/${world.namespace}/${row.kind}/${nameOf(row)}`;
  const manifestAt = (path: string): JsonObject => {
    const row = rows.find((each) => pathOf(each) === path);
    if (row === undefined) throw new Error(`no row has ${path}`);
    return manifestOf(row, nameOf(row), value);
  };
  const fileOf = async (name: string, object: JsonObject): Promise<Record<string, string>> => {
    const text = JSON.stringify(object);
    const file = `${name}.json`;
    return { [`deploy/${file}`]: object['kind'] === 'Secret' ? await world.sops(text, file) : text };
  };
  const files: Record<string, string> = {};
  for (const row of rows) {
    Object.assign(files, await fileOf(nameOf(row), manifestOf(row, nameOf(row), value)));
    const beside = row.beside?.(nameOf(row));
    if (beside !== undefined) Object.assign(files, await fileOf(`${nameOf(row)}-beside`, beside));
  }
  const commit = await world.repository.commit(files, 'rows');
  const agent = cleanup.use(await (options.start ?? ((of: World) => of.start()))(world));
  await passed(agent, commit);
  const collections = new Set(rows.map((row) => pathOf(row).slice(0, pathOf(row).lastIndexOf('/'))));
  const history = cleanup.use(await startHistory(world, [...collections]));
  const disposables = cleanup.move();
  const bench: Bench = {
    world,
    agent,
    history,
    canaries,
    value,
    pathOf,
    nameOf,
    manifestAt,
    recommit: async (path, object) =>
      void (await passed(agent, await world.repository.commit(await fileOf(nameIn(path), object), 'changed'))),
    check: (row) => check(bench, row),
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  };
  return bench;
}

async function check(bench: Bench, row: Row): Promise<void> {
  const { world, history, value } = bench;
  const path = bench.pathOf(row);
  const reaction = await reactionTo(world, history, {
    paths: [path],
    before: async (by) => void (await row.before?.(by, path, bench)),
    act: async (by) => void (await row.act(by, path, bench)),
    holds: async () => row.holds(await world.get(path), value),
  });
  await row.after?.(outsideOf(world), path, bench);
  const isAsTold = within(reaction.writes, row.writes) && within(reaction.reads, row.reads);
  expect(isAsTold ? '' : told(reaction)).toBe('');
}

function manifestOf(row: Row, name: string, value: string): JsonObject {
  const base = OBJECTS[row.kind];
  const [own, more] = [base['metadata'], row.manifest?.['metadata']].map((part) => (part ?? {}) as JsonObject);
  const annotations = row.fields === true ? { annotations: { 'sotto.dev/drift': 'fields' } } : {};
  const apiVersion = API[row.kind].replace(/^apis?\//, '');
  const values = row.kind === 'secrets' ? { stringData: { p: value } } : {};
  return { ...base, ...values, ...row.manifest, apiVersion, metadata: { ...own, ...more, ...annotations, name } };
}

const within = (count: number, wanted: Count): boolean => {
  const [from, to] = typeof wanted === 'number' ? [wanted, wanted] : wanted;
  return count >= from && count <= to;
};
