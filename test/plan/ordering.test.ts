import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import type { Code } from '../../src/core/codes.ts';
import { SottoError } from '../../src/core/errors.ts';
import { objectKey, type SourceDigest } from '../../src/core/ids.ts';
import { circlesOf, wayRound } from '../../src/plan/circles.ts';
import { type Ordered, ordered } from '../../src/plan/ordering.ts';
import type { DesiredObject, DesiredSet } from '../../src/render/desired.ts';

const GROUPS: Readonly<Record<string, string>> = {
  Deployment: 'apps',
  Job: 'batch',
  SealedSecret: 'bitnami.com',
  Ingress: 'networking.k8s.io',
};
const DEPENDS_ON = 'config.kubernetes.io/depends-on';
const WAVE = 'argocd.argoproj.io/sync-wave';

interface Extra {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly pod?: JsonObject;
}

function wanted(kind: string, name: string, { annotations = {}, pod }: Extra = {}, line = 1): DesiredObject {
  const group = GROUPS[kind] ?? '';
  const id = { group, kind, namespace: 'team', name };
  const tree = {
    apiVersion: group === '' ? 'v1' : `${group}/v1`,
    kind,
    metadata: { name, namespace: 'team', annotations },
    ...(pod === undefined ? {} : { spec: { template: { spec: pod } } }),
  };
  const digest = 'd' as SourceDigest;
  return {
    id,
    key: objectKey(id),
    apiVersion: tree.apiVersion,
    tree,
    digest,
    file: `${name}.yaml`,
    line,
    encrypted: false,
  };
}

const on = (...names: string[]) => ({ annotations: { [DEPENDS_ON]: names.join(', ') } });
const wave = (n: number) => ({ annotations: { [WAVE]: String(n) } });
const hook = (value: string, more = {}) => ({ annotations: { 'argocd.argoproj.io/hook': value, ...more } });

function refusal(code: Code): SottoError {
  return new SottoError({ code, what: 'refused', why: 'of the test', next: 'nothing' });
}

function order(...objects: readonly DesiredObject[]): Ordered {
  return ordered(setOf(objects));
}

function setOf(objects: readonly DesiredObject[]): DesiredSet {
  return { objects, refusals: [], skipped: [], warnings: [] };
}

const shortName = (key: string): string =>
  key
    .split('/')
    .slice(1)
    .filter((part) => part !== 'team')
    .join('/');

const helm = (value: string, weight: string) => ({
  annotations: { 'helm.sh/hook': value, 'helm.sh/hook-weight': weight },
});

/** Stages as text: one line a stage, then what is refused and why. */
function shown({ ordering, desired }: Ordered): string[] {
  return [
    ...ordering.stages.map(
      ({ turn, keys }) => `${turn.phase} ${turn.wave}: ${keys.map(shortName).toSorted().join(' ')}`,
    ),
    ...desired.refusals.map(({ error }) => `${error.code} ${error.place.object}: ${error.why}`).toSorted(),
  ];
}

describe('the order of a set', () => {
  it('is the table of kinds while nothing else is said', () => {
    const set = order(
      wanted('Ingress', 'web'),
      wanted('Deployment', 'web'),
      wanted('ConfigMap', 'c'),
      wanted('Secret', 's'),
    );
    expect(shown(set)).toEqual(['0 0: ConfigMap/c Secret/s', '0 0: Deployment/web', '0 0: Ingress/web']);
  });

  it('has what is depended on first, whatever its kind', () => {
    const set = order(
      wanted('ConfigMap', 'c', on('batch/namespaces/team/Job/migrate')),
      wanted('Job', 'migrate', on('/namespaces/team/Secret/s')),
      wanted('Secret', 's'),
      wanted('Deployment', 'web', { ...on('/namespaces/team/ConfigMap/c') }),
      wanted('Deployment', 'other'),
    );
    expect(shown(set)).toEqual([
      '0 0: Secret/s',
      '0 0: Deployment/other Job/migrate',
      '0 0: ConfigMap/c',
      '0 0: Deployment/web',
    ]);
  });

  it('has waves and hooks around everything', () => {
    const set = order(
      wanted('Job', 'smoke', hook('PostSync')),
      wanted('Job', 'migrate', hook('PreSync', { [WAVE]: '2' })),
      wanted('Job', 'backup', hook('PreSync')),
      wanted('Deployment', 'late', wave(5)),
      wanted('Deployment', 'early', wave(-1)),
      wanted('ConfigMap', 'c'),
      wanted('Job', 'plain', hook('Sync')),
    );
    expect(shown(set)).toEqual([
      '-1 0: Job/backup',
      '-1 2: Job/migrate',
      '0 -1: Deployment/early',
      '0 0: ConfigMap/c',
      '0 0: Job/plain',
      '0 5: Deployment/late',
      '1 0: Job/smoke',
    ]);
  });

  it('has hooks of Helm, with their weight as a wave', () => {
    const set = order(
      wanted('Job', 'a', helm('pre-install,pre-upgrade', '5')),
      wanted('Job', 'b', helm('pre-upgrade,pre-rollback', '-5')),
      wanted('Job', 'c', helm('post-install', '0')),
    );
    expect(shown(set)).toEqual(['-1 -5: Job/b', '-1 5: Job/a', '1 0: Job/c']);
  });

  it('brings configuration forward to the first that needs it, unless it says its turn itself', () => {
    const pod = { containers: [{ envFrom: [{ secretRef: { name: 's' } }, { configMapRef: { name: 'c' } }] }] };
    const set = order(
      wanted('Secret', 's'),
      wanted('ConfigMap', 'c', wave(1)),
      wanted('Job', 'migrate', { ...hook('PreSync'), pod }),
    );
    expect(shown(set)).toEqual([
      '-1 0: Secret/s',
      '0 1: ConfigMap/c',
      'SOTTO-PLAN-062 batch/Job/migrate: batch/Job/migrate (migrate.yaml:1) of PreSync, wave 0 needs ConfigMap/c (c.yaml:1) of wave 1, whose turn comes after it',
    ]);
  });

  it('does not depend on the order of the files', () => {
    const objects = [
      wanted('Secret', 'a'),
      wanted('ConfigMap', 'b', on('/namespaces/team/Secret/a')),
      wanted('Deployment', 'c', wave(1)),
      wanted('Deployment', 'd', on('/namespaces/team/ConfigMap/b')),
      wanted('Job', 'e', hook('PostSync')),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(objects, { minLength: objects.length }), (mixed) => {
        expect(shown(order(...mixed))).toEqual(shown(order(...objects)));
      }),
      { numRuns: 50 },
    );
  });
});

describe('what the Pods of a workload need', () => {
  const needs = (pod: JsonObject, ...more: readonly DesiredObject[]) => {
    const web = wanted('Deployment', 'web', { pod });
    return order(web, ...more)
      .ordering.needs.get(web.key)
      ?.map((key) =>
        key
          .split('/')
          .filter((part) => part !== 'team')
          .slice(1)
          .join('/'),
      );
  };
  const s = wanted('Secret', 's');
  const c = wanted('ConfigMap', 'c');
  const rows: readonly (readonly [string, JsonObject, string[]])[] = [
    [
      'env',
      {
        containers: [
          { env: [{ valueFrom: { secretKeyRef: { name: 's' } } }, { valueFrom: { configMapKeyRef: { name: 'c' } } }] },
        ],
      },
      ['Secret/s', 'ConfigMap/c'],
    ],
    ['envFrom of an init container', { initContainers: [{ envFrom: [{ secretRef: { name: 's' } }] }] }, ['Secret/s']],
    [
      'volumes',
      { volumes: [{ secret: { secretName: 's' } }, { configMap: { name: 'c' } }] },
      ['Secret/s', 'ConfigMap/c'],
    ],
    [
      'projected volumes',
      { volumes: [{ projected: { sources: [{ secret: { name: 's' } }, { configMap: { name: 'c' } }] } }] },
      ['Secret/s', 'ConfigMap/c'],
    ],
    ['a volume driver', { volumes: [{ csi: { driver: 'd', nodePublishSecretRef: { name: 's' } } }] }, ['Secret/s']],
    ['an account, which waits for nothing', { serviceAccountName: 's' }, []],
    ['pull secrets', { imagePullSecrets: [{ name: 's' }] }, ['Secret/s']],
    [
      'what is optional',
      {
        containers: [{ envFrom: [{ secretRef: { name: 's', optional: true } }] }],
        volumes: [{ configMap: { name: 'c', optional: true } }],
      },
      [],
    ],
    [
      'what is optional in one place only',
      {
        containers: [{ envFrom: [{ secretRef: { name: 's' } }] }],
        volumes: [{ secret: { secretName: 's', optional: true } }],
      },
      ['Secret/s'],
    ],
    ['what is not of this sync', { imagePullSecrets: [{ name: 'elsewhere' }] }, []],
  ];
  it.each(rows)('%s', (_name, pod, expected) => {
    expect(needs(pod, s, c)).toEqual(expected);
  });

  it('a Secret that comes through a SealedSecret', () => {
    expect(needs({ imagePullSecrets: [{ name: 's' }] }, wanted('SealedSecret', 's'))).toEqual(['SealedSecret/s']);
  });
});

describe('what stands in no order', () => {
  it('is a circle, of which every member is refused with both ends, and nothing else', () => {
    const set = order(
      wanted('Deployment', 'a', on('apps/namespaces/team/Deployment/b'), 3),
      wanted('Deployment', 'b', on('apps/namespaces/team/Deployment/a'), 7),
      wanted('Deployment', 'after', on('apps/namespaces/team/Deployment/a')),
      wanted('ConfigMap', 'c'),
    );
    const [ab, ba] = ['apps/Deployment/a (a.yaml:3)', 'apps/Deployment/b (b.yaml:7)'];
    expect(shown(set)).toEqual([
      '0 0: ConfigMap/c',
      '0 0: Deployment/after',
      `SOTTO-PLAN-062 apps/Deployment/a: ${ab} → ${ba} → ${ab}`,
      `SOTTO-PLAN-062 apps/Deployment/b: ${ba} → ${ab} → ${ba}`,
    ]);
    // Held back when it is applied, because what it needs is refused.
    expect(set.ordering.needs.get(set.desired.objects[0]?.key ?? ('' as never))).toEqual(['apps/Deployment/team/a']);
  });

  it('is an object that depends on itself', () => {
    expect(shown(order(wanted('ConfigMap', 'c', on('/namespaces/team/ConfigMap/c'))))).toEqual([
      'SOTTO-PLAN-062 ConfigMap/c: ConfigMap/c (c.yaml:1) → ConfigMap/c (c.yaml:1)',
    ]);
  });

  it('is a configuration that depends on its own reader', () => {
    const pod = { volumes: [{ configMap: { name: 'c' } }] };
    const set = order(
      wanted('ConfigMap', 'c', on('apps/namespaces/team/Deployment/web')),
      wanted('Deployment', 'web', { pod }),
    );
    expect(set.desired.refusals.map(({ error }) => error.code)).toEqual(['SOTTO-PLAN-062', 'SOTTO-PLAN-062']);
  });

  const refused: readonly (readonly [string, Extra, string])[] = [
    ['an object of another namespace', on('/namespaces/other/Secret/s'), 'SOTTO-PLAN-063'],
    ['an object without a namespace', on('apps/Deployment/web'), 'SOTTO-PLAN-063'],
    ['an object that the sync does not have', on('/namespaces/team/Secret/none'), 'SOTTO-PLAN-063'],
    ['something that is no reference', on('web'), 'SOTTO-PLAN-063'],
    ['nothing', on(''), 'SOTTO-PLAN-063'],
    ['a wave that is no number', { annotations: { [WAVE]: 'first' } }, 'SOTTO-PLAN-063'],
    ['a hook of a failure', hook('SyncFail'), 'SOTTO-PLAN-064'],
    ['a hook before and after', hook('PreSync,PostSync'), 'SOTTO-PLAN-064'],
    ['a hook that is half known', hook('PreSync,SyncFail'), 'SOTTO-PLAN-064'],
    ['a hook that skips', hook('Skip'), 'SOTTO-PLAN-064'],
    ['a test of Helm', { annotations: { 'helm.sh/hook': 'test' } }, 'SOTTO-PLAN-064'],
    ['a deletion hook of Helm', { annotations: { 'helm.sh/hook': 'pre-delete' } }, 'SOTTO-PLAN-064'],
  ];
  it.each(refused)('is an object that names %s', (_name, extra, code) => {
    const set = order(wanted('ConfigMap', 'c', extra), wanted('ConfigMap', 'other'));
    expect(set.desired.refusals.map(({ error }) => [error.code, error.place.file, error.place.line])).toEqual([
      [code, 'c.yaml', 1],
    ]);
    expect(set.desired.objects.map(({ id }) => id.name)).toEqual(['other']);
  });

  it('never is an object whose need was refused before: it is held back when it is applied', () => {
    const s = wanted('Secret', 's');
    const set = ordered({
      ...setOf([wanted('ConfigMap', 'c', on('/namespaces/team/Secret/s'))]),
      refusals: [{ error: refusal('SOTTO-PLAN-009'), file: 's', id: s.id }],
    });
    expect(set.desired.objects).toHaveLength(1);
  });

  it('holds back what needs an object that could not be opened, by annotation and by reference', () => {
    const s = wanted('Secret', 's');
    const c = wanted('ConfigMap', 'c', on('/namespaces/team/Secret/s'));
    const web = wanted('Deployment', 'web', { pod: { containers: [{ envFrom: [{ secretRef: { name: 's' } }] }] } });
    const { desired, ordering } = ordered(setOf([c, web]), [
      { error: refusal('SOTTO-SOPS-001'), file: 's.yaml', id: s.id },
    ]);
    expect(desired.refusals).toEqual([]);
    expect([ordering.needs.get(c.key), ordering.needs.get(web.key)]).toEqual([[s.key], [s.key]]);
  });

  it('is none of the agent’s own objects, which are there whatever Git says of them', () => {
    const key = wanted('Secret', 'sops-age');
    const pod = { containers: [], volumes: [{ secret: { secretName: 'sops-age' } }] };
    const web = wanted('Deployment', 'web', { pod });
    const { ordering } = ordered({
      ...setOf([web]),
      refusals: [{ error: refusal('SOTTO-PLAN-020'), file: 's', id: key.id }],
    });
    expect(ordering.needs.get(web.key)).toEqual([]);
  });
});

function many(count: number, next: (index: number) => Extra): DesiredObject[] {
  return Array.from({ length: count }, (_, index) => wanted('ConfigMap', `c${index}`, next(index)));
}

describe('a set of many objects', () => {
  it('that wait for each other in one circle are refused, each with a way round', () => {
    const { desired } = order(...many(8_000, (index) => on(`/namespaces/team/ConfigMap/c${(index + 1) % 8_000}`)));
    expect(desired.objects).toEqual([]);
    expect(new Set(desired.refusals.map(({ error }) => error.code))).toEqual(new Set(['SOTTO-PLAN-062']));
    expect(desired.refusals.every(({ error }) => error.why.includes(' → … → '))).toBe(true);
  });

  it('that one of them needs are no stack', () => {
    const names = Array.from({ length: 130_000 }, (_, index) => `/namespaces/team/ConfigMap/c${index}`);
    const { ordering } = order(...many(130_000, () => ({})), wanted('ConfigMap', 'last', on(...names)));
    expect(ordering.stages.map(({ keys }) => keys.length)).toEqual([130_000, 1]);
  });
});

describe('circles of a graph', () => {
  it('are found exactly: every member reaches itself, and nobody else does', () => {
    const edges = fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 30 });
    fc.assert(
      fc.property(edges, (pairs) => {
        const nodes = Array.from({ length: 12 }, (_, index) => index);
        const next = (node: number): number[] => pairs.filter(([from]) => from === node).map(([, to]) => to);
        const found = new Set(circlesOf(nodes, next).flat());
        for (const node of nodes) {
          const way = wayRound(node, next);
          expect(found.has(node)).toBe(way.length > 1);
        }
      }),
    );
  });

  it('need no deep stack', () => {
    const nodes = Array.from({ length: 50_000 }, (_, index) => index);
    expect(circlesOf(nodes, (node) => (node === 0 ? [] : [node - 1]))).toEqual([]);
    expect(circlesOf(nodes, (node) => [(node + 1) % nodes.length])).toHaveLength(1);
  });
});
