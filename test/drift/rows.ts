import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/core/json.ts';
import type { CorrectionStep } from '../../src/drift/correction.ts';
import { planCorrection } from '../../src/drift/correction.ts';
import type { JudgeContext } from '../../src/drift/judge.ts';
import { driftedPointers, judgeEvent } from '../../src/drift/judge.ts';
import { pointer } from '../../src/drift/pointer.ts';
import { recordFromAnswer } from '../../src/drift/record.ts';
import type { Verdict } from '../../src/drift/verdict.ts';
import { driftManagers } from '../../src/drift/verdict.ts';
import {
  APPS,
  at,
  C_PATH,
  CM_FIELDS,
  context,
  DEPLOYMENT_FIELDS,
  entry,
  GUARD,
  LABEL_FIELD,
  lacking,
  live,
  MAC_KEY,
  ours,
} from './objects.ts';

export interface Case {
  readonly row: string;
  readonly base: JsonObject;
  readonly event: JsonObject;
  readonly kind: Verdict['kind'];
  readonly paths?: readonly string[];
  readonly by?: string;
  /** `apply`, `probe`, `null-patch`, `fold`: one or two writes as in the table. */
  readonly steps?: readonly string[];
  readonly change?: Partial<JudgeContext>;
  readonly mode?: 'full' | 'meta';
}

export const edit = (manager: string, fields: JsonObject, change: JsonObject = {}): JsonObject =>
  entry(manager, fields, change);
export const appsEdit = (manager: string, fields: JsonObject, change: JsonObject = {}): JsonObject =>
  entry(manager, fields, { ...APPS, ...change });
export const cmWithout = (key: string): JsonObject => ours(lacking(CM_FIELDS, 'f:data', key));
export const dWithout = (...path: readonly string[]): JsonObject => ours(lacking(DEPLOYMENT_FIELDS, ...path), APPS);
export const C = '/spec/template/spec/containers[name=c]';
export const ENV = [...C_PATH, 'f:env'];
export const item = (name: string): JsonObject => ({
  [`k:{"name":"${name}"}`]: { '.': {}, 'f:name': {}, 'f:value': {} },
});
export const k1Lost = [cmWithout('f:k1'), edit('kubectl-patch', at(['f:data', 'f:k1']))];
export const evil = { name: 'EVIL', value: '6' };
export const SCALE = { subresource: 'scale', ...APPS };
export const POD_NOTES = ['f:spec', 'f:template', 'f:metadata', 'f:annotations'];

export const X_FIELDS: JsonObject = { 'f:metadata': LABEL_FIELD, 'f:data': { 'f:p': {}, 'f:q': {} }, 'f:type': {} };
export const secret = (entries: readonly JsonObject[], metadata: JsonObject = {}, rv = '101'): JsonObject => ({
  ...live('PartialObjectMetadata', { metadata }, entries, rv),
  apiVersion: 'meta.k8s.io/v1',
});
function stepName(step: CorrectionStep): string {
  if (step.kind === 'apply') return step.force ? 'apply' : 'probe';
  return step.kind;
}

function pathsOfVerdict(verdict: Verdict): string[] | undefined {
  if (verdict.kind === 'drifted') return driftedPointers(verdict);
  return verdict.kind === 'yield' ? verdict.yielded.map(({ path }) => pointer(path)) : undefined;
}

export function describeRow(given: Case): void {
  describe(`row ${given.row}`, () => {
    const judged = (event: Json): Verdict => {
      const record = recordFromAnswer(given.base, given.mode ?? 'full', MAC_KEY);
      return judgeEvent(event, record, context(given.change));
    };

    it(`is ${given.kind}`, () => {
      const verdict = judged(given.event);
      expect(verdict.kind).toBe(given.kind);
      if (given.paths !== undefined) expect(pathsOfVerdict(verdict)).toEqual(given.paths);
      if (given.by !== undefined && verdict.kind === 'drifted') {
        expect(driftManagers(verdict).map(({ manager, operation }) => `${manager} ${operation}`)).toEqual([given.by]);
      }
      if (given.steps === undefined) return;
      if (verdict.kind !== 'drifted' && verdict.kind !== 'suspect') throw new Error('nothing to correct');
      const apiVersion = given.base['apiVersion'] === 'apps/v1' ? 'apps/v1' : 'v1';
      const target = { apiVersion, policy: given.change?.policy ?? GUARD };
      expect(planCorrection(verdict, given.event, target).map(stepName)).toEqual(given.steps);
    });

    it('is quiet about the baseline itself, under any resourceVersion', () => {
      const metadata = given.base['metadata'];
      const replay = { ...given.base, metadata: { ...(metadata as JsonObject), resourceVersion: '999' } };
      expect(judged(replay).kind).toBe((given.mode ?? 'full') === 'meta' ? 'suspect' : 'in-sync');
      expect(judged(given.base).kind).toBe('drop');
    });
  });
}
