import { describe, expect, it } from 'vitest';
import { type UndoneFacts, UndoneEdits } from '../../src/agent/undone-edits.ts';
import { type ObjectId, objectKey, type SourceDigest } from '../../src/core/ids.ts';
import { LIMITS } from '../../src/core/limits.ts';

function facts(name: string, value: string, change: Partial<UndoneFacts> = {}, kind = 'ConfigMap'): UndoneFacts {
  const id: ObjectId = { group: '', kind, namespace: 'team', name };
  const object = {
    id,
    key: objectKey(id),
    apiVersion: 'v1',
    tree: {},
    digest: '' as SourceDigest,
    file: 'a.yaml',
    line: 1,
    encrypted: false,
  };
  const fields = [{ field: ['f:data', 'f:color'], value }];
  return {
    at: '2027-01-01T00:00:00Z',
    object,
    sync: 'app',
    revision: 'main@sha1:0',
    manager: 'kubectl',
    fields,
    ...change,
  };
}

describe('changes that were undone', () => {
  it('are remembered with their values, the newest first, with numbers that stay', () => {
    const edits = new UndoneEdits();
    expect(edits.remember(facts('a', 'red'))).toBe(true);
    expect(edits.remember(facts('b', 'blue'))).toBe(true);
    expect(edits.list().map(({ n, object, fields }) => [n, object, fields[0]?.json])).toEqual([
      [2, 'ConfigMap/b', '"blue"'],
      [1, 'ConfigMap/a', '"red"'],
    ]);
  });

  it('take one place when somebody writes the same fields again and again', () => {
    const edits = new UndoneEdits();
    edits.remember(facts('person', 'red'));
    for (let turn = 0; turn < 1_000; turn += 1) edits.remember(facts('fight', String(turn)));
    expect(edits.list().map(({ n, object }) => [n, object])).toEqual([
      [1_001, 'ConfigMap/fight'],
      [1, 'ConfigMap/person'],
    ]);
  });

  it('are bounded in number and bytes', () => {
    const edits = new UndoneEdits();
    expect(edits.remember(facts('huge', 'x'.repeat(LIMITS.maxUndoneEditBytes)))).toBe(false);
    for (let at = 0; at < LIMITS.maxUndoneEdits + 5; at += 1) edits.remember(facts(`a${at}`, 'x'));
    expect(edits.list()).toHaveLength(LIMITS.maxUndoneEdits);
    for (let at = 0; at < 20; at += 1) edits.remember(facts(`b${at}`, 'x'.repeat(30_000)));
    expect(Buffer.byteLength(JSON.stringify(edits.list()))).toBeLessThanOrEqual(LIMITS.maxUndoneBytes);
    expect(edits.list()[0]?.object).toBe('ConfigMap/b19');
  });

  it('are sorted in time whatever stands in them', () => {
    const edits = new UndoneEdits();
    const part = 'pass-x.'.repeat(4_000);
    for (const value of [
      part,
      part.toUpperCase(),
      `a://${':'.repeat(30_000)}`,
      `${'a'.repeat(30_000)}:`,
      ' '.repeat(30_000),
    ]) {
      for (let at = 0; at < 20; at += 1) expect(edits.remember(facts(`a${at}`, value))).toBe(true);
    }
    expect(edits.remember(facts('a', `${part}: x`))).toBe(false);
    expect(edits.remember(facts('a', `x postgres://${'u'.repeat(20_000)}:pw@host`))).toBe(false);
  });

  it('of a Secret, of a revision nobody knows, or without a field that may be shown, are not', () => {
    const edits = new UndoneEdits();
    expect(edits.remember(facts('db', 'eA==', {}, 'Secret'))).toBe(false);
    expect(edits.remember(facts('a', 'x', { revision: undefined }))).toBe(false);
    expect(edits.remember(facts('a', 'x', { fields: [] }))).toBe(false);
    const hidden = [{ field: ['f:data', 'f:password'], value: 'canary' }];
    expect(edits.remember(facts('a', 'x', { fields: hidden }))).toBe(false);
    const mixed = [...hidden, { field: ['f:data', 'f:color'], value: 'red' }];
    expect(edits.remember(facts('a', 'x', { fields: mixed }))).toBe(true);
    expect(edits.list()[0]?.withheld).toEqual(['/data/password']);
    expect(JSON.stringify(edits.list())).not.toContain('canary');
  });
});
