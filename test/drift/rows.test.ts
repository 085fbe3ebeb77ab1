import type { JsonObject } from '../../src/core/json.ts';
import type { DriftPolicy } from '../../src/drift/policy.ts';
import { SECRET_ROOTS } from '../../src/drift/policy.ts';
import {
  at,
  CM_BASE,
  CM_FIELDS,
  configMap,
  FIELDS,
  GUARD,
  LABEL_FIELD,
  lacking,
  live,
  ours,
  SET_ID,
} from './objects.ts';
import type { Case } from './rows.ts';
import { edit, cmWithout, k1Lost, X_FIELDS, secret, describeRow } from './rows.ts';

const configMaps: Case[] = [
  {
    row: '1: kubectl patch k1 to another value',
    base: CM_BASE,
    event: configMap({ k1: 'z', k2: 'b' }, k1Lost),
    kind: 'drifted',
    paths: ['/data/k1'],
    by: 'kubectl-patch Update',
    steps: ['apply'],
  },
  {
    row: '3: patched and back within one event is a ghost',
    base: CM_BASE,
    event: configMap({ k1: 'a', k2: 'b' }, k1Lost),
    kind: 'drifted',
    paths: ['/data/k1'],
    steps: ['fold'],
  },
  {
    row: '4: edit removes k1',
    base: CM_BASE,
    event: configMap({ k2: 'b' }, [cmWithout('f:k1')]),
    kind: 'drifted',
    paths: ['/data/k1'],
    steps: ['apply'],
  },
  {
    row: '8: kubectl adds key k9',
    base: CM_BASE,
    event: configMap({ k1: 'a', k2: 'b', k9: 'x' }, [ours(CM_FIELDS), edit('kubectl-patch', at(['f:data', 'f:k9']))]),
    kind: 'drifted',
    paths: ['/data/k9'],
    steps: ['null-patch'],
  },
  {
    row: '8 f: the key stays under fields',
    base: CM_BASE,
    event: configMap({ k1: 'a', k2: 'b', k9: 'x' }, [ours(CM_FIELDS), edit('kubectl-patch', at(['f:data', 'f:k9']))]),
    kind: 'in-sync',
    change: { policy: FIELDS },
  },
  {
    row: '10: an operator adds key k9',
    base: CM_BASE,
    event: configMap({ k1: 'a', k2: 'b', k9: 'x' }, [ours(CM_FIELDS), edit('operator', at(['f:data', 'f:k9']))]),
    kind: 'in-sync',
  },
  {
    row: '35: another applier forces k1',
    base: CM_BASE,
    event: configMap({ k1: 'z', k2: 'b' }, [
      cmWithout('f:k1'),
      edit('rival', at(['f:data', 'f:k1']), { operation: 'Apply' }),
    ]),
    kind: 'drifted',
    by: 'rival Apply',
    steps: ['apply'],
  },
  {
    row: '37: apply under our manager name with another value',
    base: CM_BASE,
    event: configMap({ k1: 'z', k2: 'b' }, [ours(CM_FIELDS)]),
    kind: 'drifted',
    paths: ['/data/k1'],
    steps: ['apply'],
  },
  {
    row: '37: apply under our manager name with one more key',
    base: CM_BASE,
    event: configMap({ k1: 'a', k2: 'b', k3: 'c' }, [
      ours({ ...CM_FIELDS, 'f:data': { ...at(['f:k1']), ...at(['f:k2']), ...at(['f:k3']) } }),
    ]),
    kind: 'drifted',
    paths: ['/data/k3'],
    steps: ['apply'],
  },
  {
    row: '54: kubectl label adds a label',
    base: CM_BASE,
    event: configMap({ k1: 'a', k2: 'b' }, [
      ours(CM_FIELDS),
      edit('kubectl-label', at(['f:metadata', 'f:labels', 'f:team'])),
    ]),
    kind: 'drifted',
    paths: ['/metadata/labels/team'],
    steps: ['null-patch'],
  },
  {
    row: '57: an owner reference is added by a controller',
    base: CM_BASE,
    event: configMap({ k1: 'a', k2: 'b' }, [
      ours(CM_FIELDS),
      edit('controller', at(['f:metadata', 'f:ownerReferences'], { '.': {}, 'k:{"uid":"1"}': {} })),
    ]),
    kind: 'in-sync',
  },
  {
    row: '71: managedFields wiped',
    base: CM_BASE,
    event: configMap({ k1: 'a', k2: 'b' }, []),
    kind: 'drifted',
    paths: ['/data/k1', '/data/k2', '/metadata/labels/applyset.kubernetes.io~1part-of'],
    steps: ['apply'],
  },
  {
    row: '72: only our entry was removed',
    base: CM_BASE,
    event: configMap({ k1: 'a', k2: 'b' }, [edit('operator', at(['f:data', 'f:k9']))]),
    kind: 'drifted',
    steps: ['apply'],
  },
  {
    row: '74: the oldest of many updaters sank into ancient-changes',
    base: CM_BASE,
    event: configMap({ k1: 'a', k2: 'b', k9: 'x' }, [ours(CM_FIELDS), edit('ancient-changes', at(['f:data', 'f:k9']))]),
    kind: 'in-sync',
  },
  {
    row: '92: an older body of ours lands late, equal to what is desired',
    base: CM_BASE,
    event: configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS, { time: '2026-01-02T04:00:00Z' })]),
    kind: 'in-sync',
  },
  {
    row: '95: the storage migrator moves the version only',
    base: CM_BASE,
    event: configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS)]),
    kind: 'in-sync',
  },
];

const S_FIELDS: JsonObject = {
  'f:metadata': LABEL_FIELD,
  'f:spec': {
    'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:name': {} } },
    'f:selector': {},
  },
};
const service = (ports: readonly JsonObject[], entries: readonly JsonObject[], rv = '101', app = 'x'): JsonObject =>
  live('Service', { spec: { ports, selector: { app }, clusterIP: '10.0.0.1' } }, entries, rv);
const http = { name: 'http', port: 80, protocol: 'TCP' };
const S_BASE = service([http], [ours(S_FIELDS)], '100');
const port = (number: number): JsonObject => ({
  [`k:{"port":${number},"protocol":"TCP"}`]: { '.': {}, 'f:port': {}, 'f:name': {} },
});

const services: Case[] = [
  {
    row: '40: edit turns port 80 into 81',
    base: S_BASE,
    event: service(
      [{ ...http, port: 81 }],
      [ours(lacking(S_FIELDS, 'f:spec', 'f:ports')), edit('kubectl-edit', at(['f:spec', 'f:ports'], port(81)))],
    ),
    kind: 'drifted',
    steps: ['fold', 'apply'],
  },
  {
    row: '40 f: under fields the apply is tried first',
    base: S_BASE,
    event: service(
      [{ ...http, port: 81 }],
      [ours(lacking(S_FIELDS, 'f:spec', 'f:ports')), edit('kubectl-edit', at(['f:spec', 'f:ports'], port(81)))],
    ),
    kind: 'drifted',
    steps: ['apply'],
    change: { policy: FIELDS },
  },
  {
    row: '41: edit adds port 9090',
    base: S_BASE,
    event: service(
      [http, { name: 'm', port: 9090 }],
      [ours(S_FIELDS), edit('kubectl-edit', at(['f:spec', 'f:ports'], port(9090)))],
    ),
    kind: 'drifted',
    steps: ['fold', 'apply'],
  },
  {
    row: '42: edit extends the selector, an atomic leaf',
    base: S_BASE,
    event: service(
      [http],
      [ours(lacking(S_FIELDS, 'f:spec', 'f:selector')), edit('kubectl-edit', at(['f:spec', 'f:selector']))],
      '101',
      'y',
    ),
    kind: 'drifted',
    paths: ['/spec/selector'],
    steps: ['apply'],
  },
  {
    row: '43: the cloud controller adds a finalizer and an annotation',
    base: S_BASE,
    event: service(
      [http],
      [
        ours(S_FIELDS),
        edit('cloud-controller-manager', {
          'f:metadata': { 'f:finalizers': { '.': {}, 'v:"lb"': {} }, 'f:annotations': { 'f:lb': {} } },
        }),
      ],
    ),
    kind: 'in-sync',
  },
];

const X_BASE = secret([ours(X_FIELDS)], {}, '100');
const EXACT: DriftPolicy = { ...GUARD, ownership: { kind: 'exact', roots: SECRET_ROOTS } };
const inMeta = { mode: 'meta', base: X_BASE, change: { policy: EXACT } } as const;

const secrets: Case[] = [
  {
    ...inMeta,
    row: '59: patch of p is seen in metadata',
    event: secret([ours(lacking(X_FIELDS, 'f:data', 'f:p')), edit('kubectl-patch', at(['f:data', 'f:p']))]),
    kind: 'drifted',
    paths: ['/data/p'],
    steps: ['apply'],
  },
  {
    ...inMeta,
    row: '61: a foreign annotation is doubt, as a Secret has no generation',
    event: secret([ours(X_FIELDS), edit('operator', at(['f:metadata', 'f:annotations', 'f:x']))], {
      annotations: { x: '1' },
    }),
    kind: 'suspect',
    steps: ['apply'],
  },
  {
    ...inMeta,
    row: 'exact: whoever adds a key, it goes',
    event: secret([ours(X_FIELDS), edit('operator', at(['f:data', 'f:extra']))]),
    kind: 'drifted',
    paths: ['/data/extra'],
    steps: ['null-patch', 'apply'],
  },
  {
    ...inMeta,
    row: 'exact: a key added as stringData is a key of data',
    event: secret([
      ours(X_FIELDS),
      edit('rival', at(['f:stringData'], { 'f:p': {}, 'f:extra': {} }), { operation: 'Apply' }),
    ]),
    kind: 'drifted',
    paths: ['/stringData/extra'],
    steps: ['null-patch', 'apply'],
  },
  {
    ...inMeta,
    row: 'exact: the data map itself is nobody’s addition',
    event: secret([ours(X_FIELDS), edit('operator', at(['f:data'], { '.': {} }))]),
    kind: 'suspect',
  },
  {
    ...inMeta,
    row: '55: our label changed under our name shows in metadata',
    base: secret(
      [ours({ 'f:metadata': { 'f:labels': { ...at(['f:applyset.kubernetes.io/part-of']), ...at(['f:tier']) } } })],
      {
        labels: { 'applyset.kubernetes.io/part-of': SET_ID, tier: 'a' },
      },
      '100',
    ),
    event: secret(
      [ours({ 'f:metadata': { 'f:labels': { ...at(['f:applyset.kubernetes.io/part-of']), ...at(['f:tier']) } } })],
      {
        labels: { 'applyset.kubernetes.io/part-of': SET_ID, tier: 'b' },
      },
    ),
    kind: 'drifted',
    paths: ['/metadata/labels/tier'],
    steps: ['apply'],
  },
];

for (const given of [...configMaps, ...services, ...secrets]) describeRow(given);
