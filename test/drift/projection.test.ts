import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { parseJson } from '../../src/core/json.ts';
import { EMPTY_SET, parseFields, pathsOf } from '../../src/drift/fields.ts';
import { pointer } from '../../src/drift/pointer.ts';
import { changedPaths, leafTags, ownershipOnlyLeaves, valueMac } from '../../src/drift/projection.ts';
import { A, B, container, D_BASE, D_OURS, DEPLOYMENT_FIELDS, deployment, MAC_KEY } from './objects.ts';

const SET = parseFields(DEPLOYMENT_FIELDS) ?? EMPTY_SET;
const OWNERSHIP_ONLY = ownershipOnlyLeaves(SET, D_BASE);
const mac = (object: Json): string => valueMac(SET, object, OWNERSHIP_ONLY, MAC_KEY);
const changed = (object: Json): string[] =>
  changedPaths(SET, object, OWNERSHIP_ONLY, MAC_KEY, leafTags(SET, D_BASE, OWNERSHIP_ONLY, MAC_KEY)).map(pointer);

const C = '/spec/template/spec/containers[name=c]';

describe('the worked example of 1.3', () => {
  it('takes annotations {}, args [] and emptyDir {} for ownership only', () => {
    expect(pathsOf(OWNERSHIP_ONLY).map(pointer)).toEqual([
      '/metadata/annotations',
      `${C}/args`,
      '/spec/template/spec/volumes[name=t]/emptyDir',
    ]);
  });

  it('is the same after another env, a filled emptyDir and annotations', () => {
    const edited = deployment([D_OURS], {
      env: [{ name: 'EVIL', value: '6' }, A, B],
      emptyDir: { medium: 'Memory' },
      annotations: { x: 'y' },
    });
    expect(mac(edited)).toBe(mac(D_BASE));
    expect(changed(edited)).toEqual([]);
  });

  it.each<[string, JsonObject, string[]]>([
    ['an image', deployment([], { image: 'nginx:2' }), [`${C}/image`]],
    ['the order of owned env', deployment([], { env: [B, A] }), [`${C}/env`]],
    ['the order around a foreign item', deployment([], { env: [B, { name: 'X' }, A] }), [`${C}/env`]],
    ['a value', deployment([], { env: [A, { name: 'B', value: '3' }] }), [`${C}/env[name=B]/value`]],
    [
      'a missing item',
      deployment([], { env: [A] }),
      [`${C}/env[name=B]`, `${C}/env[name=B]/name`, `${C}/env[name=B]/value`, `${C}/env`],
    ],
    [
      'an item that is there twice',
      deployment([], { env: [A, B, { name: 'A', value: '9' }] }),
      [`${C}/env[name=A]`, `${C}/env[name=A]/name`, `${C}/env[name=A]/value`],
    ],
    ['replicas', deployment([], { replicas: 3 }), ['/spec/replicas']],
  ])('differs by %s', (_what, edited, paths) => {
    expect(mac(edited)).not.toBe(mac(D_BASE));
    expect(changed(edited)).toEqual(paths);
  });

  it('does not differ by where a foreign container stands', () => {
    const sidecar = container({}, 'sidecar');
    const before = deployment([], { containers: [sidecar, container()] });
    const after = deployment([], { containers: [container(), sidecar] });
    expect(mac(before)).toBe(mac(D_BASE));
    expect(mac(after)).toBe(mac(D_BASE));
  });
});

describe('projection', () => {
  it('demands that a key which a token lacks is absent in the item (P10)', () => {
    const set = parseFields({ 'f:l': { 'k:{"a":1}': { 'f:v': {} }, 'k:{"a":1,"b":2}': { 'f:v': {} } } }) ?? EMPTY_SET;
    const first = { a: 1, v: 'x' };
    const second = { a: 1, b: 2, v: 'y' };
    const base = { l: [first, second] };
    const tags = leafTags(set, base, EMPTY_SET, MAC_KEY);
    const edited = { l: [first, { ...second, v: 'z' }] };
    expect(changedPaths(set, edited, EMPTY_SET, MAC_KEY, tags).map(pointer)).toEqual(['/l[a=1,b=2]/v']);
  });

  it('asks of set items only that they are there', () => {
    const set = parseFields({ 'f:metadata': { 'f:finalizers': { 'v:"a"': {}, 'v:"b"': {} } } }) ?? EMPTY_SET;
    const of = (...finalizers: string[]) => valueMac(set, { metadata: { finalizers } }, EMPTY_SET, MAC_KEY);
    expect(of('b', 'x', 'a')).toBe(of('a', 'b'));
    expect(of('a')).not.toBe(of('a', 'b'));
  });

  it('tells whole numbers beyond 2^53 apart', () => {
    const set = parseFields({ 'f:n': {} }) ?? EMPTY_SET;
    const of = (text: string) => valueMac(set, parseJson(text), EMPTY_SET, MAC_KEY);
    expect(of('{"n":9007199254740993}')).not.toBe(of('{"n":9007199254740992}'));
  });

  it('does not find inherited names', () => {
    const set = parseFields({ 'f:constructor': {}, 'f:__proto__': { 'f:x': {} } }) ?? EMPTY_SET;
    const none = valueMac(set, {}, EMPTY_SET, MAC_KEY);
    expect(valueMac(set, { a: 1 }, EMPTY_SET, MAC_KEY)).toBe(none);
    expect(valueMac(set, JSON.parse('{"__proto__":{"x":1}}') as Json, EMPTY_SET, MAC_KEY)).not.toBe(none);
  });

  it('is the same under any foreign addition', () => {
    const name = fc.string({ minLength: 1, maxLength: 6 }).filter((text) => !['A', 'B'].includes(text));
    const foreignEnv = fc.array(fc.record({ name, value: fc.string() }), { maxLength: 4 });
    const annotations = fc.dictionary(fc.string(), fc.string(), { maxKeys: 4 });
    const places = fc.tuple(fc.nat(4), fc.nat(4));
    fc.assert(
      fc.property(foreignEnv, annotations, fc.jsonValue(), places, (env, notes, extra, [first, second]) => {
        const list: JsonObject[] = [...env];
        list.splice(Math.min(first, list.length), 0, A);
        list.splice(list.indexOf(A) + 1 + (second % (list.length - list.indexOf(A))), 0, B);
        const edited = deployment([], { env: list, annotations: notes, podAnnotations: notes });
        expect(mac({ ...edited, extra: extra as Json })).toBe(mac(D_BASE));
      }),
    );
  });

  it('answers for any live object without throwing', () => {
    fc.assert(fc.property(fc.jsonValue(), (object) => void leafTags(SET, object as Json, EMPTY_SET, MAC_KEY)));
  });
});
