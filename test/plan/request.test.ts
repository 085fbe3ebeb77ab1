import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { objectKey } from '../../src/core/ids.ts';
import { LIMITS } from '../../src/core/limits.ts';
import { EMPTY_INVENTORY, encodeInventory } from '../../src/plan/inventory.ts';
import { parseRequest } from '../../src/plan/request.ts';

const NOW = new Date('2026-11-28T12:00:00Z');
const place = { targetNamespace: 'team', now: NOW };
const web = objectKey({ group: 'apps', kind: 'Deployment', namespace: 'team', name: 'web' });

describe('a request', () => {
  it('is read in the form of the interface page', () => {
    const pause = { kind: 'pause', object: 'apps/Deployment/web', until: '2026-11-28T13:00:00Z', reason: 'r', by: 'b' };
    expect(parseRequest(JSON.stringify(pause), place)).toEqual({
      kind: 'pause',
      target: { kind: 'object', key: web },
      until: new Date('2026-11-28T13:00:00Z'),
      reason: 'r',
      by: 'b',
    });
    expect(parseRequest('{"kind":"sync"}', place)).toEqual({
      kind: 'sync',
      sync: undefined,
      by: 'unknown',
      reason: '',
    });
    expect(parseRequest('{"kind":"approve","plan":"p"}', place)).toMatchObject({ kind: 'approve', plan: 'p' });
    expect(parseRequest('{"kind":"resume","sync":"app"}', place)).toMatchObject({
      target: { kind: 'sync', name: 'app' },
    });
    expect(parseRequest('{"kind":"adopt","object":"Secret/db"}', place)).toMatchObject({ kind: 'adopt' });
    expect(parseRequest('{"kind":"fingerprint"}', place)).toMatchObject({ kind: 'fingerprint', plan: undefined });
    expect(parseRequest('{"kind":"fingerprint","plan":"p"}', place)).toMatchObject({ plan: 'p' });
  });

  it('of a rehearsal says how much came back, in whole numbers', () => {
    const rehearsed = { kind: 'rehearsed', documents: 3, objects: 40, by: 'kim' };
    expect(parseRequest(JSON.stringify(rehearsed), place)).toEqual({ ...rehearsed, reason: '' });
    for (const documents of [-1, 1.5, '3', null, 1e9, undefined])
      expect(attempt(JSON.stringify({ ...rehearsed, documents }))).toBeUndefined();
  });

  it('asks for a rotation by words of its own, and shows one only while it names no plan', () => {
    expect(parseRequest('{"kind":"rotate"}', place)).toEqual({
      kind: 'rotate',
      sync: undefined,
      branch: undefined,
      keys: 'age',
      old: undefined,
      keepOldMs: 90 * 24 * 3_600_000,
      plan: undefined,
      by: 'unknown',
      reason: '',
    });
    const whole = {
      kind: 'rotate',
      sync: 'app',
      keys: 'age,sealing',
      branch: 'a/b',
      keepOld: '1h',
      plan: 'p',
      old: 'o',
    };
    expect(parseRequest(JSON.stringify(whole), place)).toMatchObject({
      sync: 'app',
      keys: 'age,sealing',
      branch: 'a/b',
      keepOldMs: 3_600_000,
      plan: 'p',
      old: 'o',
    });
    for (const wrong of [
      { branch: '-x' },
      { branch: 'a..b' },
      { keys: 'all' },
      { keepOld: 'long' },
      { keepOld: '99999d' },
    ])
      expect(attempt(JSON.stringify({ kind: 'rotate', ...wrong }))).toBeUndefined();
  });

  it('that names a key by its private half is refused, in words that do not have it', () => {
    const key = `AGE-SECRET-KEY-1${'Q'.repeat(58)}`;
    for (const request of [
      { kind: 'expose', key },
      { kind: 'rotate', old: key },
    ]) {
      const refused = refusedWith(() => parseRequest(JSON.stringify(request), place));
      expect(refused).toContain('private key');
      expect(refused).not.toContain(key.slice(0, 24));
    }
  });

  it('cannot fill the inventory, whatever people give as reasons', () => {
    const until = '2026-11-28T13:00:00Z';
    const pauses = Array.from({ length: LIMITS.maxPauses }, (_each, index) => {
      const [by, reason] = [randomBytes(900).toString('hex'), randomBytes(900).toString('hex')];
      const request = { kind: 'pause', object: `apps/Deployment/web-${index}`, until, by, reason };
      const parsed = parseRequest(JSON.stringify(request), place);
      if (parsed.kind !== 'pause') throw new TypeError(parsed.kind);
      expect(reason.startsWith(parsed.reason.slice(0, -1))).toBe(true);
      return parsed;
    });
    const entry = encodeInventory({ ...EMPTY_INVENTORY, pauses }, () => new Uint8Array(32));
    expect(entry.length).toBeLessThan(LIMITS.maxInventoryBytes / 4);
  });

  it('cannot name an object outside the target namespace', () => {
    fc.assert(
      fc.property(fc.string(), (object) => {
        const parsed = attempt(JSON.stringify({ kind: 'resume', object }));
        if (parsed?.kind !== 'resume' || parsed.target.kind !== 'object') return;
        expect(parsed.target.key.split('/')[2]).toBe('team');
        expect(parsed.target.key.split('/')).toHaveLength(4);
      }),
    );
  });

  it('that cannot be used ends in one code, whatever it is', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc
        .record({ kind: fc.constantFrom('sync', 'pause', 'adopt', 'prune'), until: fc.anything(), object: fc.string() })
        .map(stringify),
    );
    fc.assert(fc.property(anything, (text) => void attempt(text)));
  });

  it('ends a pause within 90 days, at a time that is one', () => {
    const untils = ['2026-11-28T12:00:00Z', '2027-02-26T12:00:01Z', 'tomorrow', '2026-13-45T99:00:00Z', '1e9', '0'];
    for (const until of untils) {
      expect(() => parseRequest(JSON.stringify({ kind: 'pause', sync: 'app', until }), place), until).toThrow(
        SottoError,
      );
    }
    const last = JSON.stringify({ kind: 'pause', sync: 'app', until: '2027-02-26T13:00:00+01:00' });
    expect(parseRequest(last, place)).toMatchObject({ until: new Date('2027-02-26T12:00:00Z') });
  });
});

function stringify(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
}

function attempt(text: string) {
  try {
    return parseRequest(text, place);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(SottoError);
    expect(thrown).toMatchObject({ code: 'SOTTO-PLAN-040' });
    return undefined;
  }
}

function refusedWith(parse: () => unknown): string {
  try {
    parse();
  } catch (thrown) {
    if (thrown instanceof SottoError) return thrown.text();
    throw thrown;
  }
  return 'it was taken';
}
