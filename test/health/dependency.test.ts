import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { type Readiness, readinessFor } from '../../src/health/dependency.ts';
import { computeStatus } from '../../src/health/status.ts';

const ends = (type: string) => ({ startTime: 'x', conditions: [{ type, status: 'True' }] });
const job = (status: JsonObject, spec: JsonObject = {}) => ({ apiVersion: 'batch/v1', kind: 'Job', spec, status });
const pod = (status: JsonObject) => ({ apiVersion: 'v1', kind: 'Pod', status });

const rows: readonly (readonly [string, JsonObject, Readiness])[] = [
  ['a Job that runs', job({ startTime: 'x' }), 'waits'],
  ['a Job that is suspended', job(ends('Suspended'), { suspend: true }), 'waits'],
  ['a Job that is Complete', job(ends('Complete')), 'ready'],
  ['a Job that failed', job(ends('Failed')), 'failed'],
  ['a Pod that succeeded', pod({ phase: 'Succeeded' }), 'ready'],
  ['a Pod that failed', pod({ phase: 'Failed' }), 'failed'],
  ['a Pod that is Ready', pod({ phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }), 'ready'],
  ['a Pod that runs and is not Ready', pod({ phase: 'Running' }), 'waits'],
  ['a ConfigMap', { apiVersion: 'v1', kind: 'ConfigMap' }, 'ready'],
];

describe('what an object means to those that depend on it', () => {
  it.each(rows)('%s', (_name, object, expected) => {
    expect(readinessFor(computeStatus(object, new Date()))).toBe(expected);
  });
});
