import type { KeyObject } from 'node:crypto';
import { createSecretKey } from 'node:crypto';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { isJsonObject } from '../../src/core/json.ts';
import type { JudgeContext } from '../../src/drift/judge.ts';
import type { DriftPolicy } from '../../src/drift/policy.ts';

export const MAC_KEY: KeyObject = createSecretKey(Buffer.alloc(32, 7));
export const SET_ID = 'applyset-test-v1';

export const GUARD: DriftPolicy = { ownership: { kind: 'guard' }, ignorePaths: [], ignoreManagers: [] };
export const FIELDS: DriftPolicy = { ...GUARD, ownership: { kind: 'fields' } };

export function context(change: Partial<JudgeContext> = {}): JudgeContext {
  return {
    macKey: MAC_KEY,
    policy: GUARD,
    setId: SET_ID,
    applyInFlight: false,
    unordered: false,
    autoscaled: undefined,
    ...change,
  };
}

export const LABEL_FIELD: JsonObject = { 'f:labels': { 'f:applyset.kubernetes.io/part-of': {} } };

export function entry(manager: string, fieldsV1: JsonObject, change: JsonObject = {}): JsonObject {
  return {
    manager,
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-01-02T03:04:05Z',
    fieldsType: 'FieldsV1',
    fieldsV1,
    ...change,
  };
}

export function ours(fieldsV1: JsonObject, change: JsonObject = {}): JsonObject {
  return entry('sotto', fieldsV1, { operation: 'Apply', ...change });
}

export function live(kind: string, rest: JsonObject, managedFields: readonly JsonObject[], rv = '100'): JsonObject {
  return {
    apiVersion: 'v1',
    kind,
    ...rest,
    metadata: {
      name: 'x',
      namespace: 'team',
      uid: 'uid-1',
      resourceVersion: rv,
      labels: { 'applyset.kubernetes.io/part-of': SET_ID },
      ...(isJsonObject(rest['metadata']) ? rest['metadata'] : {}),
      managedFields,
    },
  };
}

export const CM_FIELDS: JsonObject = { 'f:metadata': LABEL_FIELD, 'f:data': { 'f:k1': {}, 'f:k2': {} } };

/** ConfigMap of the tables: keys k1 and k2. */
export function configMap(data: JsonObject, entries: readonly JsonObject[], rv = '101'): JsonObject {
  return live('ConfigMap', { data }, entries, rv);
}

export const CM_BASE = configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS)], '100');

/** What is owned in the worked example of spec/drift.md 1.3. */
export const DEPLOYMENT_FIELDS: JsonObject = {
  'f:metadata': { 'f:annotations': {}, ...LABEL_FIELD },
  'f:spec': {
    'f:replicas': {},
    'f:selector': {},
    'f:template': {
      'f:metadata': { 'f:labels': { 'f:app': {} } },
      'f:spec': {
        'f:containers': {
          'k:{"name":"c"}': {
            '.': {},
            'f:args': {},
            'f:env': {
              'k:{"name":"A"}': { '.': {}, 'f:name': {}, 'f:value': {} },
              'k:{"name":"B"}': { '.': {}, 'f:name': {}, 'f:value': {} },
            },
            'f:image': {},
            'f:name': {},
            'f:ports': {
              'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {}, 'f:protocol': {} },
            },
            'f:resources': { 'f:limits': { 'f:cpu': {} } },
          },
        },
        'f:volumes': { 'k:{"name":"t"}': { '.': {}, 'f:emptyDir': {}, 'f:name': {} } },
      },
    },
  },
};

export const APPS = { apiVersion: 'apps/v1' };

export interface DeploymentParts {
  readonly replicas?: number;
  readonly image?: string;
  readonly args?: Json;
  readonly env?: readonly JsonObject[];
  readonly ports?: readonly JsonObject[];
  readonly emptyDir?: JsonObject;
  readonly annotations?: JsonObject;
  readonly podAnnotations?: JsonObject;
  readonly containers?: readonly JsonObject[];
  readonly generation?: number;
}

export const A = { name: 'A', value: '1' };
export const B = { name: 'B', value: '2' };

export function container(parts: DeploymentParts = {}, name = 'c'): JsonObject {
  return {
    name,
    image: parts.image ?? 'nginx:1',
    ...(parts.args === undefined ? {} : { args: parts.args }),
    env: parts.env ?? [A, B],
    ports: parts.ports ?? [{ containerPort: 80, protocol: 'TCP' }],
    resources: { limits: { cpu: '1' } },
    imagePullPolicy: 'IfNotPresent',
  };
}

/** Deployment of the worked example, with whatever others did to it. `args` and `annotations` were dropped when empty. */
export function deployment(entries: readonly JsonObject[], parts: DeploymentParts = {}, rv = '101'): JsonObject {
  const annotations = parts.annotations === undefined ? {} : { annotations: parts.annotations };
  const podAnnotations = parts.podAnnotations === undefined ? {} : { annotations: parts.podAnnotations };
  const base = live('Deployment', {}, entries, rv);
  const metadata = isJsonObject(base['metadata']) ? base['metadata'] : {};
  return {
    ...base,
    apiVersion: 'apps/v1',
    metadata: { ...metadata, generation: parts.generation ?? 1, ...annotations },
    spec: {
      replicas: parts.replicas ?? 2,
      selector: { matchLabels: { app: 'x' } },
      template: {
        metadata: { labels: { app: 'x' }, ...podAnnotations },
        spec: {
          containers: parts.containers ?? [container(parts)],
          volumes: [{ name: 't', emptyDir: parts.emptyDir ?? {} }],
        },
      },
    },
    status: { observedGeneration: 1 },
  };
}

export const D_OURS = ours(DEPLOYMENT_FIELDS, APPS);
export const D_BASE = deployment([D_OURS], {}, '100');

/** fieldsV1 with one path taken out, parents that become empty too. */
export function lacking(fields: JsonObject, ...path: readonly string[]): JsonObject {
  const [token = '', ...rest] = path;
  const child = fields[token];
  const others = Object.fromEntries(Object.entries(fields).filter(([key]) => key !== token));
  if (rest.length === 0 || !isJsonObject(child)) return others;
  const left = lacking(child, ...rest);
  return Object.keys(left).length === 0 ? others : { ...fields, [token]: left };
}

/** fieldsV1 below one path. */
export function at(path: readonly string[], below: JsonObject = {}): JsonObject {
  return path.reduceRight<JsonObject>((inner, token) => ({ [token]: inner }), below);
}

export const C_PATH = ['f:spec', 'f:template', 'f:spec', 'f:containers', 'k:{"name":"c"}'];
