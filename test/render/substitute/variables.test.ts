import { describe, expect, it } from 'vitest';
import { SottoError } from '../../../src/core/errors.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { collectVariables, isSubstituting } from '../../../src/render/substitute/variables.ts';
import type { PostBuildSettings } from '../../../src/settings/settings.ts';

const NONE: PostBuildSettings = { substitute: {}, substituteFrom: [], always: false };

function collected(postBuild: Partial<PostBuildSettings>, maps: Readonly<Record<string, JsonObject>> = {}): unknown {
  try {
    return Object.fromEntries(collectVariables({ ...NONE, ...postBuild }, (name) => maps[name]));
  } catch (thrown) {
    return thrown instanceof SottoError
      ? `${thrown.code} ${thrown.place.object ?? ''} ${thrown.place.key ?? ''}`
      : thrown;
  }
}

const from = (...names: readonly string[]) => names.map((name) => ({ name, optional: false }));

describe('the variables of a sync', () => {
  it('are those of its ConfigMaps in their order, and before all those in the settings', () => {
    const maps = { one: { data: { a: '1', b: '1', c: '1' } }, two: { data: { b: '2', c: '2' } } };
    expect(collected({ substituteFrom: from('one', 'two'), substitute: { c: '3' } }, maps)).toEqual({
      a: '1',
      b: '2',
      c: '3',
    });
  });

  it('have no line breaks, as in Flux', () => {
    const maps = { one: { data: { a: 'x\ny\n' } } };
    expect(collected({ substituteFrom: from('one'), substitute: { b: '1\n' } }, maps)).toEqual({ a: 'xy', b: '1' });
  });

  it('are certain only when each ConfigMap is there, unless it may be missing', () => {
    expect(collected({ substituteFrom: from('one') })).toBe('SOTTO-RENDER-071 ConfigMap/one ');
    expect(collected({ substituteFrom: [{ name: 'one', optional: true }] })).toEqual({});
  });

  it('have names that can be written', () => {
    const maps = { one: { data: { 'app.conf': 'x' } } };
    expect(collected({ substituteFrom: from('one') }, maps)).toBe('SOTTO-RENDER-072 ConfigMap/one data.app.conf');
  });

  it('are nothing but what stands under data as text', () => {
    const odd = { one: { binaryData: { a: 'eA==' } }, two: {}, three: { data: null } };
    expect(collected({ substituteFrom: from('one', 'two', 'three') }, odd)).toEqual({});
  });

  it('are replaced when there is one, or when the settings say so', () => {
    expect(isSubstituting(NONE, new Map())).toBe(false);
    expect(isSubstituting({ ...NONE, always: true }, new Map())).toBe(true);
    expect(isSubstituting(NONE, new Map([['a', '']]))).toBe(true);
  });
});
