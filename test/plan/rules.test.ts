import { describe, expect, it } from 'vitest';
import type { Code } from '../../src/core/codes.ts';
import { SottoError } from '../../src/core/errors.ts';
import { displayObject, type ObjectId, objectKey, type SourceDigest } from '../../src/core/ids.ts';
import { applySetId } from '../../src/plan/applyset.ts';
import { EMPTY_INVENTORY, type InventoryRow } from '../../src/plan/inventory.ts';
import { isKept } from '../../src/plan/keep.ts';
import { LAYER_COUNT, layerOf } from '../../src/plan/order.ts';
import { type LiveView, type Plan, plan, type PlanInput } from '../../src/plan/plan.ts';
import { readManifests } from '../../src/yaml/manifest.ts';
import { arrayAt, type Json, type JsonObject, stringAt } from '../../src/core/json.ts';

/**
 * A case as YAML: `git` wants objects (`Kind/name`, `!` in front: its document differs from what was applied), `rows`
 * were applied (a word behind: absent, unsure, keep, done, announced), `refused` could not be used.
 */
function planOf(text: string): string {
  const [manifest] = readManifests(text, 'case.yaml');
  return asText(plan(inputOf(manifest?.value ?? null)));
}

function idOf(name: string): ObjectId {
  const parts = name.split('/');
  const [group, kind, object] = parts.length === 3 ? parts : ['', ...parts];
  return { group: group ?? '', kind: kind ?? '', namespace: 'team', name: object ?? '' };
}

function rowOf(text: string): { row: InventoryRow; live: LiveView } {
  const [name = '', ...words] = text.split(' ');
  const id = idOf(name);
  const sync = words.find((word) => word.startsWith('of:'))?.slice(3) ?? 'app';
  const row: InventoryRow = {
    key: objectKey(id),
    apiVersion: 'v1',
    sync,
    file: `${id.name}.yaml`,
    line: 1,
    digest: 'd1' as SourceDigest,
    uid: words.includes('announced') ? '' : 'u',
    resourceVersion: '1',
    generation: 0,
    setDigest: '',
    ownTime: '',
    keep: words.includes('keep'),
    done: words.includes('done'),
    failed: false,
    encrypted: false,
    yielded: undefined,
    accepted: undefined,
    restart: undefined,
    rank: undefined,
  };
  return { row, live: words.includes('absent') ? 'absent' : words.includes('unsure') ? 'unsure' : 'in-sync' };
}

function texts(value: Json, key: string): string[] {
  return arrayAt(value, key).map(String);
}

function inputOf(given: Json): PlanInput {
  const rows = texts(given, 'rows').map(rowOf);
  const objects = texts(given, 'git').map((text) => {
    const id = idOf(text.replace('!', ''));
    const tree = { apiVersion: 'v1', kind: id.kind, metadata: { name: id.name } };
    const digest = (text.startsWith('!') ? 'd2' : 'd1') as SourceDigest;
    return {
      id,
      key: objectKey(id),
      apiVersion: 'v1',
      tree,
      digest,
      file: `${id.name}.yaml`,
      line: 1,
      encrypted: false,
    };
  });
  const refusals = arrayAt(given, 'refused').map((one) => {
    const object = stringAt(one, 'object');
    const file = stringAt(one, 'file') ?? '';
    const code = stringAt(one, 'code') as Code;
    return {
      error: new SottoError({ code, what: 'w', why: 'w', next: 'n' }),
      file,
      id: object === undefined ? undefined : idOf(object),
    };
  });
  const live = new Map(rows.map((one) => [one.row.key, one.live]));
  return {
    sync: 'app',
    revision: stringAt(given, 'revision') ?? 'main@sha1:1',
    desired: {
      objects,
      refusals: [],
      skipped: texts(given, 'skipped').map((name) => ({ id: idOf(name), file: 's.yaml', why: 'skip' })),
      warnings: [],
    },
    refusals,
    inventory: { ...EMPTY_INVENTORY, rows: new Map(rows.map(({ row }) => [row.key, row])) },
    inventoryLost: stringAt(given, 'inventory') === 'lost',
    prune: {
      enabled: stringAt(given, 'prune') !== 'never',
      maxShare: 0.5,
      minimum: 5,
      ask: [{ group: undefined, kind: 'Database' }],
    },
    approval: undefined,
    isPaused: () => false,
    pruneWaits: stringAt(given, 'sibling'),
    live: (key) => live.get(key) ?? 'absent',
    claimedBy: (key) => (texts(given, 'claimed').some((name) => objectKey(idOf(name)) === key) ? 'other' : undefined),
    wantedBy: (key) => (texts(given, 'elsewhere').some((name) => objectKey(idOf(name)) === key) ? 'other' : undefined),
  };
}

function asText(decided: Plan): string {
  const { steps, held, waiting, released, refusals, movedTo, postponed, unchanged } = decided;
  return [
    ...steps.map((step) =>
      step.action === 'apply'
        ? `apply ${displayObject(step.object.id)}: ${step.reason}${step.contact === 'first' ? ', first contact' : ''}`
        : `prune ${displayObject(step.id)}`,
    ),
    ...waiting.map(({ error }) => `wait ${error.place.object}: ${error.code}`),
    ...released.map((key) => `release ${key}`),
    ...[...movedTo].map(([key, sync]) => `move ${key} to ${sync}`),
    ...refusals.map(({ error }) => `refuse ${error.place.object}: ${error.code}`),
    ...(postponed === 0 ? [] : [`postponed ${postponed}`]),
    ...(held === undefined ? [] : [`held: ${held.creates} creates, ${held.prunes} prunes; ${held.error.why}`]),
    ...(unchanged === 0 ? [] : [`unchanged ${unchanged}`]),
  ].join('\n');
}

function planIdOf(text: string): string | undefined {
  return plan(inputOf(readManifests(text, 'case.yaml')[0]?.value ?? null)).held?.planId;
}

function annotated(annotations: JsonObject): JsonObject {
  return { metadata: { annotations } };
}

const CASES: readonly (readonly [name: string, given: string, expected: string])[] = [
  [
    'gives each step its reason, configuration first and pruning last',
    `
git: [ apps/Deployment/web, "!ConfigMap/a", Secret/b, ConfigMap/c, ConfigMap/d ]
rows: [ ConfigMap/a, Secret/b absent, ConfigMap/c unsure, ConfigMap/d, apps/Deployment/old, ConfigMap/old ]`,
    `
apply ConfigMap/a: changed
apply Secret/b: missing
apply ConfigMap/c: unsure
apply apps/Deployment/web: new, first contact
prune apps/Deployment/old
prune ConfigMap/old
unchanged 1`,
  ],
  [
    'meets an announced object as on first contact again',
    `{ git: [ ConfigMap/a ], rows: [ ConfigMap/a announced ] }`,
    `apply ConfigMap/a: new, first contact`,
  ],
  ['does not run a finished Job again', `{ git: [ batch/Job/j ], rows: [ batch/Job/j absent done ] }`, `unchanged 1`],
  [
    'prunes four of seven: below the minimum',
    `{ git: [ ConfigMap/a, ConfigMap/b, ConfigMap/c ], rows: [ ConfigMap/a, ConfigMap/b, ConfigMap/c, ConfigMap/d, ConfigMap/e, ConfigMap/f, ConfigMap/g ] }`,
    `
prune ConfigMap/d
prune ConfigMap/e
prune ConfigMap/f
prune ConfigMap/g
unchanged 3`,
  ],
  [
    'prunes five of ten: the share itself is allowed',
    `{ git: [ C/a, C/b, C/c, C/d, C/e ], rows: [ C/a, C/b, C/c, C/d, C/e, C/1, C/2, C/3, C/4, C/5 ] }`,
    `
prune C/1
prune C/2
prune C/3
prune C/4
prune C/5
unchanged 5`,
  ],
  [
    'holds five of nine whole, creates included',
    `{ git: [ C/a, C/b, C/c, C/d, C/new ], rows: [ C/a, C/b, C/c, C/d, C/1, C/2, C/3, C/4, C/5 ] }`,
    `
held: 1 creates, 5 prunes; it would remove 5 of 9 objects (56 %), more than prune.maxShare (50 %)
unchanged 4`,
  ],
  [
    'holds the same while the prunes wait for a sibling: nothing of it is created',
    `{ sibling: other, git: [ C/a, C/b, C/c, C/d, C/new ], rows: [ C/a, C/b, C/c, C/d, C/1, C/2, C/3, C/4, C/5 ] }`,
    `
postponed 5
held: 1 creates, 5 prunes; it would remove 5 of 9 objects (56 %), more than prune.maxShare (50 %)
unchanged 4`,
  ],
  [
    'holds the removal of the only object',
    `{ git: [], rows: [ C/a ] }`,
    `held: 0 creates, 1 prunes; it would remove all 1 objects of this sync`,
  ],
  [
    'releases nothing of a held plan',
    `{ git: [], rows: [ C/a, C/b keep ] }`,
    `held: 0 creates, 1 prunes; it would remove all 1 objects of this sync`,
  ],
  [
    'leaves rows of other syncs and objects of other syncs alone',
    `{ git: [ C/a ], claimed: [ C/a ], rows: [ C/a of:other, C/b of:other ] }`,
    `refuse C/a: SOTTO-RENDER-007`,
  ],
  [
    'hands over what another sync wants',
    `{ git: [ C/a ], elsewhere: [ C/b ], rows: [ C/a, C/b ] }`,
    `
move /C/team/b to other
unchanged 1`,
  ],
  [
    'keeps what is refused, without a second report',
    `{ git: [ C/a ], refused: [ { object: C/b, file: b.yaml, code: SOTTO-RENDER-010 } ], rows: [ C/a, C/b ] }`,
    `unchanged 1`,
  ],
  [
    'keeps every object of a file that cannot be read, and lets others wait',
    `{ git: [ C/a ], refused: [ { file: b.yaml, code: SOTTO-YAML-001 } ], rows: [ C/a, C/b, C/c ] }`,
    `
wait C/c: SOTTO-PLAN-007
unchanged 1`,
  ],
  [
    'lets everything wait while one file does not open',
    `{ git: [ C/a ], refused: [ { object: Secret/b, file: b.yaml, code: SOTTO-SOPS-001 } ], rows: [ C/a, C/c ] }`,
    `
wait C/c: SOTTO-PLAN-007
unchanged 1`,
  ],
  [
    'does not take a slip in the kind for a removal',
    `{ git: [ C/a ], refused: [ { object: x/Deploymnt/web, file: web.yaml, code: SOTTO-RENDER-008 } ], rows: [ C/a, apps/Deployment/web ] }`,
    `
wait apps/Deployment/web: SOTTO-PLAN-007
unchanged 1`,
  ],
  [
    'prunes beside an object that is refused by rule',
    `{ git: [ C/a ], refused: [ { object: ClusterRole/r, file: r.yaml, code: SOTTO-PLAN-002 } ], rows: [ C/a, C/b ] }`,
    `
prune C/b
unchanged 1`,
  ],
  [
    'asks before claims and databases go',
    `{ git: [ C/a ], rows: [ C/a, PersistentVolumeClaim/data, db.example.com/Database/main ] }`,
    `
wait PersistentVolumeClaim/data: SOTTO-PLAN-008
wait db.example.com/Database/main: SOTTO-PLAN-008
unchanged 1`,
  ],
  [
    'releases what asked to be kept or is skipped now',
    `{ git: [ C/a ], skipped: [ C/c ], rows: [ C/a, C/b keep, C/c ] }`,
    `
release /C/team/b
release /C/team/c
unchanged 1`,
  ],
  [
    'does not release what asked to be kept while its file cannot be read',
    `{ git: [ C/a ], refused: [ { file: b.yaml, code: SOTTO-YAML-001 } ], rows: [ C/a, C/b keep ] }`,
    `unchanged 1`,
  ],
  ['prunes never when told so', `{ prune: never, git: [], rows: [ C/a ] }`, ``],
  [
    'prunes nothing after the inventory was lost',
    `{ inventory: lost, git: [ C/a ], rows: [ C/a, C/b ] }`,
    `
wait C/b: SOTTO-PLAN-009
unchanged 1`,
  ],
  [
    'postpones while a sibling is behind',
    `{ sibling: other, git: [ "!C/a" ], rows: [ C/a, C/b ] }`,
    `
apply C/a: changed
postponed 1`,
  ],
];

describe('the plan', () => {
  for (const [name, given, expected] of CASES) {
    it(name, () => {
      expect(planOf(given)).toBe(expected.trim());
    });
  }

  it('has an id that covers its revision and its steps', () => {
    const ids = [
      '{ git: [], rows: [ C/a ] }',
      '{ git: [], rows: [ C/b ] }',
      '{ revision: other, git: [], rows: [ C/a ] }',
    ].map(planIdOf);
    expect(new Set(ids).size).toBe(3);
    expect(planIdOf('{ git: [], rows: [ C/a ] }')).toBe(ids[0]);
    expect(planIdOf('{ sibling: other, git: [], rows: [ C/a ] }')).toBe(ids[0]);
  });
});

describe('keep annotations', () => {
  const KEEP = [
    ['sotto.dev/prune', 'disabled'],
    ['kustomize.toolkit.fluxcd.io/prune', 'disabled'],
    ['argocd.argoproj.io/sync-options', 'Replace=true, Prune=false'],
    ['kapp.k14s.io/delete-strategy', 'orphan'],
    ['cli-utils.sigs.k8s.io/on-remove', 'keep'],
    ['client.lifecycle.config.k8s.io/deletion', 'detach'],
  ] as const;

  for (const [key, value] of KEEP) {
    it(`${key}: ${value} keeps, another value does not`, () => {
      expect([isKept(annotated({ [key]: value })), isKept(annotated({ [key]: 'x' }))]).toEqual([true, false]);
    });
  }

  it('are read where annotations are missing or no strings', () => {
    expect([
      isKept({}),
      isKept({ metadata: { annotations: null } }),
      isKept(annotated({ 'sotto.dev/prune': true })),
    ]).toEqual([false, false, false]);
  });
});

describe('layers', () => {
  it('put what a Pod needs first and what points at it last', () => {
    const order = [
      'Secret/s',
      'PersistentVolumeClaim/p',
      'rbac.authorization.k8s.io/Role/r',
      'Service/s',
      'rbac.authorization.k8s.io/RoleBinding/r',
      'apps/Deployment/d',
      'example.com/Thing/t',
      'networking.k8s.io/Ingress/i',
    ];
    expect(order.map((name) => layerOf(idOf(name)))).toEqual([0, 0, 0, 0, 1, 2, 2, 3]);
    expect(LAYER_COUNT).toBe(4);
  });
});

describe('the ApplySet id', () => {
  it('is the one that is known for a ConfigMap', () => {
    expect(applySetId('gitops', 'team-a')).toBe('applyset-FfIl1wTWwNRT35FMJ_KPhgoF5E_CXR072_U-Rq5wyho-v1');
  });
});
