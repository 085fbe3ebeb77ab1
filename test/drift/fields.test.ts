import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/core/json.ts';
import type { PathSet } from '../../src/drift/fields.ts';
import {
  difference,
  EMPTY_SET,
  fieldsJson,
  fieldsText,
  intersection,
  isEmptySet,
  isMember,
  parseFields,
  pathsOf,
  setOf,
  subsetAt,
  union,
  without,
} from '../../src/drift/fields.ts';
import { packSet, setDigest, unpackSet } from '../../src/drift/packed.ts';
import { coversPath, managerName, pointer } from '../../src/drift/pointer.ts';

const token = fc.oneof(
  fc.constantFrom('f:a', 'f:b', 'f:__proto__', 'f:constructor', 'f:', 'f:.'),
  fc.string({ maxLength: 4 }).map((name) => `f:${name}`),
  fc.record({ port: fc.integer(), 'na me': fc.string({ maxLength: 3 }) }).map((key) => `k:${JSON.stringify(key)}`),
  fc.constantFrom('v:"x"', 'v:1', 'v:{"b":1,"a":2}', 'i:0', 'i:7'),
);
const path = fc.array(token, { minLength: 1, maxLength: 5 });
const anySet = fc.array(path, { maxLength: 12 }).map((paths) => parseFields(fieldsJson(setOf(paths))) ?? EMPTY_SET);

function text(set: PathSet | undefined): string {
  return set === undefined ? 'undefined' : fieldsText(set);
}

describe('parseFields', () => {
  it('reads the encoding: leaves, nodes with and without a dot, every token kind', () => {
    const set = parseFields({
      'f:data': { '.': {}, 'f:k': {} },
      'f:spec': { 'f:l': { 'k:{"b":1,"a":2}': {}, 'v:"x"': {}, 'i:3': {} } },
    });
    expect(set && pathsOf(set)).toEqual([
      ['f:data'],
      ['f:data', 'f:k'],
      ['f:spec', 'f:l', 'i:3'],
      ['f:spec', 'f:l', 'k:{"a":2,"b":1}'],
      ['f:spec', 'f:l', 'v:"x"'],
    ]);
  });

  it('skips tokens of unknown kind and unreadable keys with all below them', () => {
    const set = parseFields({ 'x:new': { 'f:a': {} }, 'k:{broken': {}, 'k:7': {}, 'i:z': {}, 'f:a': {} });
    expect(text(set)).toBe('{"f:a":{}}');
  });

  it('counts a node whose children are all unknown as a leaf, as the server does', () => {
    expect(text(parseFields({ 'f:a': { 'x:new': {} } }))).toBe('{"f:a":{}}');
  });

  it('keeps keys beyond 2^53 apart', () => {
    const set = parseFields({ 'f:l': { 'k:{"n":9007199254740993}': {}, 'k:{"n":9007199254740992}': {} } });
    expect(set && pathsOf(set)).toHaveLength(2);
  });

  it('holds __proto__ and constructor as names like others', () => {
    const json = JSON.parse('{"f:__proto__":{"f:constructor":{}},"__proto__":{"f:x":{}}}') as Json;
    const set = parseFields(json) ?? EMPTY_SET;
    expect(pathsOf(set)).toEqual([['f:__proto__', 'f:constructor']]);
    expect(Object.keys(fieldsJson(set))).toEqual(['f:__proto__']);
  });

  it('refuses what is no object and what has too many nodes, and cuts what is too deep', () => {
    expect(parseFields(undefined)).toBeUndefined();
    expect(parseFields([])).toBeUndefined();
    const wide = Object.fromEntries(Array.from({ length: 200_001 }, (_, index) => [`f:${index}`, {}]));
    expect(parseFields(wide)).toBeUndefined();
    const deep = JSON.parse(`${'{"f:a":'.repeat(5_000)}{}${'}'.repeat(5_000)}`) as Json;
    expect(pathsOf(parseFields(deep) ?? EMPTY_SET)).toEqual([Array.from({ length: 100 }, () => 'f:a')]);
  });

  it('is undone and redone by its text form', () => {
    fc.assert(
      fc.property(anySet, (set) => {
        expect(text(parseFields(JSON.parse(fieldsText(set)) as Json))).toBe(text(set));
        expect(text(unpackSet(packSet(set)))).toBe(text(set));
      }),
    );
  });

  it('gives equal sets equal digests whatever the order of keys', () => {
    const a = parseFields({ 'f:a': {}, 'f:l': { 'k:{"x":1,"y":2}': {} } });
    const b = parseFields({ 'f:l': { 'k:{"y": 2, "x": 1}': {} }, 'f:a': {} });
    expect(a && setDigest(a)).toBe(b && setDigest(b));
  });

  it('never throws, whatever JSON it is given', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void parseFields(value as Json)));
  });
});

describe('set operations', () => {
  it('obey the laws of sets', () => {
    fc.assert(
      fc.property(anySet, anySet, anySet, (a, b, c) => {
        expect(text(union(a, b))).toBe(text(union(b, a)));
        expect(text(union(union(a, b), c))).toBe(text(union(a, union(b, c))));
        expect(text(union(a, a))).toBe(text(a));
        expect(text(union(a, EMPTY_SET))).toBe(text(a));
        expect(isEmptySet(difference(a, a))).toBe(true);
        expect(text(union(difference(a, b), intersection(a, b)))).toBe(text(a));
        expect(text(difference(union(a, b), b))).toBe(text(difference(a, b)));
      }),
    );
  });

  it('mean membership of paths', () => {
    fc.assert(
      fc.property(anySet, anySet, (a, b) => {
        const all = new Set([...pathsOf(a), ...pathsOf(b)].map((p) => JSON.stringify(p)));
        for (const key of all) {
          const p = JSON.parse(key) as string[];
          expect(isMember(union(a, b), p)).toBe(isMember(a, p) || isMember(b, p));
          expect(isMember(difference(a, b), p)).toBe(isMember(a, p) && !isMember(b, p));
        }
        expect(pathsOf(union(a, b))).toHaveLength(all.size);
      }),
    );
  });

  it('leave out what is asked to be left out, and what is below it', () => {
    const set = setOf([['f:a'], ['f:a', 'f:b'], ['f:c', 'f:d']]);
    expect(text(without(set, (p) => p.join() === 'f:a'))).toBe('{"f:c":{"f:d":{}}}');
    expect(text(subsetAt(set, ['f:a']))).toBe('{"f:a":{".":{},"f:b":{}}}');
    expect(isEmptySet(subsetAt(set, ['f:x']))).toBe(true);
  });
});

describe('pointer', () => {
  it('names list items by their keys and escapes as JSON pointers do', () => {
    expect(pointer(['f:spec', 'f:replicas'])).toBe('/spec/replicas');
    expect(pointer(['f:metadata', 'f:annotations', 'f:a.b/c~d'])).toBe('/metadata/annotations/a.b~1c~0d');
    expect(pointer(['f:l', 'k:{"containerPort":80,"protocol":"TCP"}'])).toBe('/l[containerPort=80,protocol=TCP]');
    expect(pointer(['f:metadata', 'f:finalizers', 'v:"a/b"'])).toBe('/metadata/finalizers[=a/b]');
    expect(pointer(['f:l', 'i:3'])).toBe('/l[3]');
  });

  it('prints no control characters and no endless names', () => {
    expect(pointer(['f:a\u001b[2J\u202e'])).toBe('/a?[2J?');
    expect(pointer([`f:${'x'.repeat(9_999)}`])).toHaveLength(512);
    expect(managerName('kubectl\n\u202Eevil')).toBe('kubectl??evil');
    expect(managerName('x'.repeat(500))).toHaveLength(128);
  });

  it('covers a path and what is below it, not a longer name', () => {
    expect(coversPath('/spec/replicas', ['f:spec', 'f:replicas'])).toBe(true);
    expect(coversPath('/spec', ['f:spec', 'f:replicas'])).toBe(true);
    expect(coversPath('/spec/rep', ['f:spec', 'f:replicas'])).toBe(false);
    expect(coversPath('/l', ['f:l', 'k:{"name":"a"}', 'f:x'])).toBe(true);
  });
});
