import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { arrayAt, canonicalJson, memberAt, stringAt } from '../../src/core/json.ts';
import { planCorrection, planForeignItems } from '../../src/drift/correction.ts';
import { dropBeforeFirstApply, rewriteVersions } from '../../src/drift/fold.ts';
import type { JsonPatch } from '../../src/drift/fold.ts';
import { judgeAnswer, judgeDeleted, judgeEvent } from '../../src/drift/judge.ts';
import { recordFromAnswer, withAccepted, withYielded, yieldedSet } from '../../src/drift/record.ts';
import { pathsOf } from '../../src/drift/fields.ts';
import {
  GUARD,
  at,
  CM_BASE,
  CM_FIELDS,
  configMap,
  context,
  entry,
  FIELDS,
  lacking,
  LABEL_FIELD,
  live,
  MAC_KEY,
  ours,
} from './objects.ts';

const TARGET = { apiVersion: 'v1', policy: GUARD };
const cmRecord = recordFromAnswer(CM_BASE, 'full', MAC_KEY);

function stepsFor(event: JsonObject, record = cmRecord) {
  const verdict = judgeEvent(event, record, context());
  if (verdict.kind !== 'drifted') throw new Error(verdict.kind);
  return planCorrection(verdict, event, TARGET);
}

function patchOf(steps: ReturnType<typeof planCorrection> | undefined): JsonPatch {
  const fold = steps?.find((step) => step.kind === 'fold');
  if (fold === undefined) throw new Error('no fold');
  return fold.patch;
}

/** `manager: fieldsV1` of the entries that a patch leaves. */
function entriesAfter(patch: JsonPatch): Record<string, string> {
  const value: Json = patch[0]?.value ?? [];
  return Object.fromEntries(
    arrayAt({ value }, 'value').map((item) => [
      stringAt(item, 'manager') ?? '',
      canonicalJson(memberAt(item, 'fieldsV1') ?? null),
    ]),
  );
}

const port = (number: number): JsonObject => ({
  [`k:{"port":${number},"protocol":"TCP"}`]: { '.': {}, 'f:port': {} },
});

const job = (type: string): JsonObject => ({
  ...live('Job', {}, [], '101'),
  apiVersion: 'batch/v1',
  status: { conditions: [{ type, status: 'True' }] },
});

const pod = (restartPolicy: string): JsonObject =>
  live('Pod', { spec: { restartPolicy }, status: { phase: 'Succeeded' } }, []);

describe('a null-merge-patch', () => {
  it('names each foreign key and the version it was seen at', () => {
    const foreign = { 'f:metadata': { 'f:labels': { 'f:team': {} } }, 'f:data': { 'f:__proto__': {}, 'f:k9': {} } };
    const event = configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS), entry('kubectl-edit', foreign)]);
    const [step] = stepsFor(event);
    expect(step?.kind === 'null-patch' && canonicalJson(step.body)).toBe(
      '{"data":{"__proto__":null,"k9":null},"metadata":{"labels":{"team":null},"resourceVersion":"101"}}',
    );
  });
});

describe('a fold', () => {
  const guarded = { op: 'replace', path: '/metadata/resourceVersion', value: '101' };

  it('gives a ghost’s paths back and keeps what else he owns', () => {
    const his = { 'f:data': { 'f:k1': {} }, 'f:metadata': { 'f:labels': { 'f:applyset.kubernetes.io/part-of': {} } } };
    const event = configMap({ k1: 'a', k2: 'b' }, [
      ours(lacking(CM_FIELDS, 'f:data', 'f:k1')),
      entry('kubectl-edit', his),
    ]);
    const patch = patchOf(stepsFor(event));
    expect(patch[1]).toEqual(guarded);
    expect(entriesAfter(patch)).toEqual({
      sotto: canonicalJson(CM_FIELDS),
      'kubectl-edit': canonicalJson({ 'f:metadata': LABEL_FIELD }),
    });
  });

  it('names his entry ours when ours went with its last path', () => {
    const label = { 'f:metadata': LABEL_FIELD };
    const base = recordFromAnswer(live('ConfigMap', {}, [ours(label)], '100'), 'full', MAC_KEY);
    const event = live('ConfigMap', {}, [entry('kubectl-label', label)], '101');
    const steps = stepsFor(event, base);
    expect(steps.map(({ kind }) => kind)).toEqual(['fold']);
    const [own] = arrayAt({ value: patchOf(steps)[0]?.value ?? [] }, 'value');
    expect(own).toEqual({
      manager: 'sotto',
      operation: 'Apply',
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: label,
    });
  });

  it('unites a person’s entry into ours with dots spelled out, and leaves what may stay', () => {
    const notes = { '.': {}, 'f:kubectl.kubernetes.io/restartedAt': {} };
    const template = { 'f:template': { 'f:metadata': { 'f:annotations': notes } } };
    const his = { 'f:spec': { ...template, 'f:list': { 'k:{"name":"evil"}': { '.': {}, 'f:x': {} } } } };
    const mine = { 'f:metadata': LABEL_FIELD, 'f:spec': { 'f:empty': {} } };
    const base = recordFromAnswer(live('Thing', {}, [ours(mine)], '100'), 'full', MAC_KEY);
    const edited = entry('kubectl-edit', { 'f:spec': { ...his['f:spec'], 'f:empty': { 'f:child': {} } } });
    const event = live('Thing', { spec: { list: [{ name: 'evil', x: 1 }] } }, [ours(mine), edited], '101');
    const steps = stepsFor(event, base);
    expect(steps.map(({ kind }) => kind)).toEqual(['fold', 'apply']);
    expect(entriesAfter(patchOf(steps))).toEqual({
      sotto: canonicalJson({
        'f:metadata': LABEL_FIELD,
        'f:spec': {
          'f:empty': { '.': {}, 'f:child': {} },
          'f:list': { 'k:{"name":"evil"}': { '.': {}, 'f:x': {} } },
          'f:template': { 'f:metadata': { 'f:annotations': {} } },
        },
      }),
      'kubectl-edit': canonicalJson(
        at(['f:spec', 'f:template', 'f:metadata', 'f:annotations', 'f:kubectl.kubernetes.io/restartedAt']),
      ),
    });
  });

  it('does not mix versions: an entry of another one is left alone', () => {
    const his = entry('kubectl-edit', at(['f:l', 'k:{"name":"x"}'], { '.': {} }), { apiVersion: 'v2' });
    const steps = stepsFor(configMap({ k1: 'a', k2: 'b' }, [ours(CM_FIELDS), his]));
    expect(steps).toEqual([{ kind: 'apply', force: true }]);
  });
});

describe('row 40 f: an apply that was refused because of foreign list items', () => {
  const mine = { 'f:metadata': LABEL_FIELD, ...at(['f:spec', 'f:ports'], port(80)) };
  const base = recordFromAnswer(live('Service', { spec: { ports: [] } }, [ours(mine)], '100'), 'full', MAC_KEY);

  it('takes them over from whoever made them, and nothing else', () => {
    const his = { 'f:spec': { 'f:ports': port(81), 'f:type': {} } };
    const event = live('Service', {}, [ours({ 'f:metadata': LABEL_FIELD }), entry('operator', his)], '101');
    const steps = planForeignItems(event, base, { apiVersion: 'v1', policy: FIELDS });
    expect(steps?.map(({ kind }) => kind)).toEqual(['fold', 'apply']);
    expect(entriesAfter(patchOf(steps))).toEqual({
      sotto: canonicalJson({ 'f:metadata': LABEL_FIELD, ...at(['f:spec', 'f:ports'], port(81)) }),
      operator: canonicalJson(at(['f:spec', 'f:type'])),
    });
  });

  it('has nothing to offer without any', () => {
    expect(planForeignItems(live('Service', {}, [ours(mine)], '101'), base, TARGET)).toBeUndefined();
  });
});

describe('the answer to our apply', () => {
  it('N10: shows a key that left Git but stays because a person owns it too', () => {
    const answer = configMap({ k1: 'a', k2: 'b' }, [
      ours(lacking(CM_FIELDS, 'f:data', 'f:k2')),
      entry('kubectl-patch', at(['f:data', 'f:k2'])),
    ]);
    const verdict = judgeAnswer(answer, recordFromAnswer(answer, 'full', MAC_KEY), context());
    expect(verdict?.additions.map(({ path }) => path)).toEqual([['f:data', 'f:k2']]);
    expect(verdict && planCorrection(verdict, answer, TARGET).map(({ kind }) => kind)).toEqual(['null-patch']);
  });

  it('is clean when what was there at adoption was accepted, and later events agree', () => {
    const entries = [ours(CM_FIELDS), entry('kubectl-create', at(['f:data', 'f:old']))];
    const answer = configMap({ k1: 'a', k2: 'b', old: 'x' }, entries);
    const record = recordFromAnswer(answer, 'full', MAC_KEY);
    const found = judgeAnswer(answer, record, context());
    const accepted = withAccepted(
      record,
      (found?.additions ?? []).map(({ path }) => path),
    );
    expect(judgeAnswer(answer, accepted, context())).toBeUndefined();
    const moved = configMap({ k1: 'a', k2: 'b', old: 'y' }, entries, '102');
    expect(judgeEvent(moved, accepted, context()).kind).toBe('in-sync');
    const carried = recordFromAnswer(moved, 'full', MAC_KEY, accepted);
    expect(judgeAnswer(moved, carried, context())).toBeUndefined();
  });

  it('row 71: loses the entry that the server made after a wipe, without uniting it', () => {
    const everything = entry('before-first-apply', { 'f:data': { 'f:k1': {}, 'f:k2': {}, 'f:other': {} } });
    const patch = dropBeforeFirstApply(configMap({ k1: 'a', k2: 'b', other: 'c' }, [ours(CM_FIELDS), everything]));
    expect(patch && entriesAfter(patch)).toEqual({ sotto: canonicalJson(CM_FIELDS) });
    expect(dropBeforeFirstApply(CM_BASE)).toBeUndefined();
  });
});

describe('rows 76 and 78: entries of a version that is not served', () => {
  it('are rewritten to the served one, twins united', () => {
    const old = { apiVersion: 'a/v1beta1' };
    const patch = rewriteVersions(
      configMap({}, [
        ours({ 'f:a': {} }, old),
        entry('kubectl-edit', { 'f:b': {} }, old),
        entry('kubectl-edit', { 'f:c': {} }, { apiVersion: 'a/v1' }),
      ]),
      'a/v1',
    );
    expect(arrayAt({ value: patch?.[0]?.value ?? [] }, 'value').map((item) => stringAt(item, 'apiVersion'))).toEqual([
      'a/v1',
      'a/v1',
    ]);
    expect(patch && entriesAfter(patch)).toEqual({
      sotto: '{"f:a":{}}',
      'kubectl-edit': '{"f:b":{},"f:c":{}}',
    });
  });

  it('are left alone when all have it', () => {
    expect(rewriteVersions(CM_BASE, 'v1')).toBeUndefined();
  });
});

describe('judgeDeleted', () => {
  it('rows 51 and 79: probes, as a lost label looks like a deletion', () => {
    expect(judgeDeleted(cmRecord, CM_BASE, false)).toBe('probe');
  });

  it('row 80: forces when the end had been seen', () => {
    expect(judgeDeleted(cmRecord, CM_BASE, true)).toBe('force');
    const last = live('ConfigMap', { metadata: { deletionTimestamp: '2026-01-02T03:04:05Z' } }, [], '101');
    expect(judgeDeleted(cmRecord, last, false)).toBe('force');
  });

  it('row 83: does nothing about a finished Job, also when an event told so before', () => {
    const running = job('Suspended');
    expect(judgeDeleted(recordFromAnswer(running, 'full', MAC_KEY), running, true)).toBe('force');
    expect(judgeDeleted(recordFromAnswer(running, 'full', MAC_KEY), job('Complete'), true)).toBe('none');
    expect(judgeDeleted(recordFromAnswer(job('Failed'), 'full', MAC_KEY), running, true)).toBe('none');
  });

  it('does nothing about a Pod that ran to its end and is not to run again', () => {
    expect(judgeDeleted(cmRecord, pod('Never'), false)).toBe('none');
    expect(judgeDeleted(cmRecord, pod('Always'), false)).toBe('probe');
  });
});

describe('yielded paths of a record', () => {
  it('can be added, and are over when the path is ours again', () => {
    const path = ['f:spec', 'f:replicas'];
    const k1 = ['f:data', 'f:k1'];
    const record = withYielded(cmRecord, [path, k1]);
    expect(pathsOf(yieldedSet(record))).toEqual(expect.arrayContaining([path, k1]));
    expect(pathsOf(yieldedSet(recordFromAnswer(CM_BASE, 'full', MAC_KEY, record)))).toEqual([path]);
  });
});
