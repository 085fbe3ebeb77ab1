import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { driftedPointers, judgeEvent } from '../../src/drift/judge.ts';
import { pathsOf } from '../../src/drift/fields.ts';
import { pointer } from '../../src/drift/pointer.ts';
import { recordFromAnswer, yieldedSet } from '../../src/drift/record.ts';
import type { Verdict } from '../../src/drift/verdict.ts';
import {
  at,
  C_PATH,
  CM_BASE,
  configMap,
  context,
  D_BASE,
  deployment,
  GUARD,
  LABEL_FIELD,
  live,
  MAC_KEY,
  ours,
} from './objects.ts';
import { edit, appsEdit, dWithout, C, k1Lost, SCALE, X_FIELDS, secret } from './rows.ts';

const CM_RECORD = recordFromAnswer(CM_BASE, 'full', MAC_KEY);

const scaled = (replicas: number, rv: string): JsonObject =>
  deployment(
    [dWithout('f:spec', 'f:replicas'), edit('kube-controller-manager', at(['f:spec', 'f:replicas']), SCALE)],
    { replicas },
    rv,
  );

const changed = (rv: string, metadata: JsonObject = {}): JsonObject =>
  live('ConfigMap', { data: { k1: 'z', k2: 'b' }, metadata }, k1Lost, rv);

const verdictOf = (metadata: JsonObject, entries = k1Lost): Verdict =>
  judgeEvent(live('ConfigMap', { data: {}, metadata }, entries, '101'), CM_RECORD, context());

const partial = (rv: string, generation: number, time: string): JsonObject =>
  secret([ours(X_FIELDS, { time })], { generation }, rv);

describe('a yielded path', () => {
  it('is kept in the record and not judged again', () => {
    const verdict = judgeEvent(scaled(5, '101'), recordFromAnswer(D_BASE, 'full', MAC_KEY), context());
    if (verdict.kind !== 'yield') throw new Error(verdict.kind);
    expect(pathsOf(yieldedSet(verdict.record)).map(pointer)).toEqual(['/spec/replicas']);
    expect(judgeEvent(scaled(9, '102'), verdict.record, context()).kind).toBe('in-sync');
    const toZero = deployment([dWithout('f:spec', 'f:replicas')], { replicas: 0 }, '103');
    expect(judgeEvent(toZero, verdict.record, context()).kind).toBe('in-sync');
  });

  it('does not hide another change in the same event', () => {
    const both = deployment(
      [dWithout('f:spec', 'f:replicas'), edit('kube-controller-manager', at(['f:spec', 'f:replicas']), SCALE)],
      { replicas: 5, image: 'evil:1' },
    );
    const verdict = judgeEvent(both, recordFromAnswer(D_BASE, 'full', MAC_KEY), context());
    if (verdict.kind !== 'drifted') throw new Error(verdict.kind);
    expect(driftedPointers(verdict)).toEqual([`${C}/image`]);
    expect(verdict.yielded).toEqual([['f:spec', 'f:replicas']]);
  });

  it('is what settings ignore, by path or by manager', () => {
    const record = recordFromAnswer(D_BASE, 'full', MAC_KEY);
    const event = deployment([dWithout(...C_PATH, 'f:image'), appsEdit('updater', at([...C_PATH, 'f:image']))], {
      image: 'b',
    });
    const byPath = judgeEvent(event, record, context({ policy: { ...GUARD, ignorePaths: [C] } }));
    const byManager = judgeEvent(event, record, context({ policy: { ...GUARD, ignoreManagers: ['updater'] } }));
    expect([byPath.kind, byManager.kind]).toEqual(['yield', 'yield']);
  });
});

describe('the order of judgement', () => {
  const record = CM_RECORD;
  it('row 86: drops an echo or a stale event, and compares versions as numbers', () => {
    expect(judgeEvent(changed('100'), record, context()).kind).toBe('drop');
    expect(judgeEvent(changed('99'), record, context()).kind).toBe('drop');
    expect(judgeEvent(changed('1000'), record, context()).kind).toBe('drifted');
  });

  it('judges older versions in a list and after versions went back', () => {
    expect(judgeEvent(changed('99'), record, context({ unordered: true })).kind).toBe('drifted');
    expect(judgeEvent(CM_BASE, record, context({ unordered: true })).kind).toBe('drop');
  });

  it('row 86: holds what comes while an apply is in flight', () => {
    expect(judgeEvent(changed('101'), record, context({ applyInFlight: true })).kind).toBe('hold');
  });

  it('row 80: writes nothing to an object that is being deleted', () => {
    expect(judgeEvent(changed('101', { deletionTimestamp: '2026-01-02T03:04:05Z' }), record, context()).kind).toBe(
      'terminating',
    );
  });

  it('tells a replaced object, a lost label and another agent apart', () => {
    expect(verdictOf({ uid: 'uid-2' })).toEqual({ kind: 'lost-object', why: 'replaced' });
    expect(verdictOf({ labels: {} })).toEqual({ kind: 'lost-object', why: 'label-lost' });
    const labels = { 'applyset.kubernetes.io/part-of': 'applyset-other' };
    expect(verdictOf({ labels })).toEqual({ kind: 'conflict', owner: 'applyset-other', manager: 'unknown' });
    const byHand = edit('kubectl-label', { 'f:metadata': LABEL_FIELD });
    expect(verdictOf({ labels }, [byHand])).toEqual({ kind: 'lost-object', why: 'label-changed' });
  });

  it('asks with a forced apply when the server never lists us', () => {
    const unlisted = recordFromAnswer(configMap({ k1: 'a' }, [], '100'), 'full', MAC_KEY);
    const verdict = judgeEvent(configMap({ k1: 'b' }, [], '101'), unlisted, context());
    expect(verdict).toEqual({ kind: 'suspect', why: 'no-own-entry', yielded: [] });
  });

  it('doubts metadata of a kind with generation only when it or our time moved', () => {
    const base = recordFromAnswer(partial('100', 1, 't'), 'meta', MAC_KEY);
    expect(judgeEvent(partial('101', 1, 't'), base, context()).kind).toBe('in-sync');
    expect(judgeEvent(partial('101', 2, 't'), base, context())).toMatchObject({ why: 'generation-moved' });
    expect(judgeEvent(partial('101', 1, 'u'), base, context())).toMatchObject({ why: 'own-time-moved' });
  });

  it('answers for any managedFields without throwing', () => {
    for (const managedFields of [null, 7, 'x', {}, [null, 7, { manager: 3, fieldsV1: [] }], [ours({})]] as Json[]) {
      const event = {
        ...CM_BASE,
        metadata: { ...(CM_BASE['metadata'] as JsonObject), resourceVersion: '101', managedFields },
      };
      expect(judgeEvent(event, record, context()).kind).toBe('drifted');
    }
  });
});
