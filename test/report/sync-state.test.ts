import { describe, expect, it } from 'vitest';
import type { SyncFacts } from '../../src/report/sync-state.ts';
import { syncState } from '../../src/report/sync-state.ts';

const COUNTS = { desired: 4, current: 4, inProgress: 0, failed: 0, held: 0, paused: 0, pruned: 0 };
const READY: SyncFacts = {
  suspended: false,
  pendingPlans: 0,
  wantedRevision: 'main@sha1:b',
  appliedRevision: 'main@sha1:b',
  counts: COUNTS,
  refused: 0,
  wait: true,
  timedOut: false,
};
const AWAY = { code: 'SOTTO-GIT-001', message: 'git.example.com does not answer', mends: 'itself' } as const;
const REFUSED = { code: 'SOTTO-RENDER-001', message: 'the path holds a kustomization', mends: 'person' } as const;

const TABLE: readonly [string, Partial<SyncFacts>, string, string][] = [
  ['all as in Git', {}, 'Ready/Applied', '4 objects as in Git'],
  ['nothing wanted', { counts: { ...COUNTS, desired: 0 } }, 'Ready/Applied', '0 objects as in Git'],
  [
    'the source unread',
    { wantedRevision: undefined, appliedRevision: undefined },
    'Progressing/ReadingSource',
    'not read',
  ],
  ['a new commit', { wantedRevision: 'main@sha1:c' }, 'Progressing/Applying', 'applying main@sha1:c'],
  ['an object not ready', { counts: { ...COUNTS, inProgress: 1 } }, 'Progressing/InProgress', '1 object of 4'],
  ['the same without wait', { wait: false, counts: { ...COUNTS, inProgress: 1 } }, 'Ready/Applied', '4 objects'],
  [
    'not ready in time',
    { timedOut: true, counts: { ...COUNTS, inProgress: 2 } },
    'Degraded/ReadinessTimeout',
    '2 objects',
  ],
  ['a failed object', { counts: { ...COUNTS, failed: 1 } }, 'Degraded/ObjectsFailed', '1 object of 4'],
  ['a refused file', { refused: 1 }, 'Degraded/ObjectsRefused', '1 object or file refused'],
  ['a held object', { counts: { ...COUNTS, held: 1 } }, 'Held/ObjectsHeld', '1 object held'],
  [
    'a held and a refused one',
    { refused: 2, counts: { ...COUNTS, held: 1 } },
    'Degraded/ObjectsRefused',
    '2 objects or files',
  ],
  ['a plan held whole', { pendingPlans: 1, refused: 3 }, 'Held/PlanHeld', '1 plan held whole'],
  ['Git away', { trouble: AWAY }, 'Degraded/Retrying', 'SOTTO-GIT-001: git.example.com'],
  [
    'Git away before the first read',
    { trouble: AWAY, wantedRevision: undefined },
    'Degraded/Retrying',
    'SOTTO-GIT-001',
  ],
  ['Git away while a plan waits', { trouble: AWAY, pendingPlans: 1 }, 'Held/PlanHeld', '1 plan'],
  ['a refused path', { trouble: REFUSED, pendingPlans: 1 }, 'Stalled/NeedsPerson', 'SOTTO-RENDER-001'],
  [
    'a sync that comes first and rolls out',
    { wantedRevision: 'main@sha1:c', dependency: { kind: 'waits', why: 'sync infra is Progressing: applying' } },
    'Progressing/DependencyNotReady',
    'waits, because sync infra is Progressing',
  ],
  [
    'a sync that comes first and has failed',
    { wantedRevision: 'main@sha1:c', dependency: { kind: 'failed', why: 'sync infra is Degraded: 1 object failed' } },
    'Degraded/DependencyFailed',
    'waits, because sync infra is Degraded',
  ],
  ['suspended', { suspended: true, trouble: REFUSED }, 'Suspended/Suspended', 'suspended'],
];

describe('the state of a sync', () => {
  it.each(TABLE)('with %s', (_name, facts, expected, message) => {
    const found = syncState({ ...READY, ...facts });
    expect(`${found.state}/${found.reason}`).toBe(expected);
    expect(found.message).toContain(message);
  });
});
