import { createSecretKey, randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type LastObject,
  lastKeys,
  layOut,
  objectsIn,
  openPart,
  partTexts,
  sealPart,
  storable,
} from '../../src/agent/last-parts.ts';
import type { SourceDigest } from '../../src/core/ids.ts';
import { keyOf, wanted } from './fixture.ts';

const KEYS = lastKeys({ keyObject: createSecretKey(Buffer.alloc(32, 7)) }, 'team');
const OTHER_KEYS = lastKeys({ keyObject: createSecretKey(Buffer.alloc(32, 8)) }, 'team');
const ELSEWHERE = lastKeys({ keyObject: createSecretKey(Buffer.alloc(32, 7)) }, 'other');

const OBJECTS = fc
  .dictionary(
    fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/),
    fc.tuple(fc.string({ minLength: 1 }), fc.dictionary(fc.string(), fc.string(), { maxKeys: 4 })),
    { maxKeys: 12 },
  )
  .map((named) =>
    Object.entries(named).map(
      ([name, [digest, data]]): LastObject => ({
        key: keyOf('ConfigMap', name),
        digest: digest as SourceDigest,
        tree: { kind: 'ConfigMap', metadata: { name }, data: { ...data } },
      }),
    ),
  );

function layout(known: readonly string[] = [], maxBytes = 1_000_000, maxParts = 16) {
  return { keys: KEYS, sync: 'app', version: '1', known, maxBytes, maxParts };
}

function noise(name: string, bytes: number): LastObject {
  const tree = { data: { noise: randomBytes(bytes).toString('base64') } };
  return { key: keyOf('ConfigMap', name), digest: 'd' as SourceDigest, tree };
}

function readBack(parts: readonly { readonly id: string; readonly bytes: Buffer | undefined }[]): LastObject[] {
  return parts.flatMap(({ id, bytes }) => {
    const packed = bytes && openPart(bytes, KEYS, { sync: 'app', version: '1', id });
    return (packed && objectsIn(packed)) ?? [];
  });
}

function sorted(objects: readonly LastObject[]): LastObject[] {
  return objects.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

describe('what was applied last, in parts', () => {
  it('is read as it was laid out, in as many parts as the limit asks for, and each of them is below it', () => {
    fc.assert(
      fc.property(OBJECTS, fc.integer({ min: 250, max: 700 }), (objects, maxBytes) => {
        const laidOut = layOut(objects, layout([], maxBytes));
        if (laidOut === undefined) return;
        expect(laidOut.parts.every(({ bytes }) => bytes !== undefined && bytes.length <= maxBytes)).toBe(true);
        const kept = objects.filter(({ key }) => !laidOut.leftOut.includes(key));
        expect(sorted(readBack(laidOut.parts))).toEqual(sorted(kept));
      }),
    );
  });

  it('is laid out the same in any order, so that nothing is written when nothing changed', () => {
    fc.assert(
      fc.property(OBJECTS, (objects) => {
        const first = layOut(objects, layout());
        const known = first?.parts.map(({ id }) => id) ?? [];
        const again = layOut(objects.toReversed(), layout(known));
        expect(again?.parts).toEqual(known.map((id) => ({ id, bytes: undefined })));
      }),
    );
  });

  it('is written anew only in the part of the object that changed', () => {
    const names = Array.from({ length: 40 }, (_, index) => `object-${index}`);
    const objects = names.map(
      (name): LastObject => ({
        key: keyOf('ConfigMap', name),
        digest: 'd' as SourceDigest,
        tree: { data: { noise: randomBytes(300).toString('base64') } },
      }),
    );
    const first = layOut(objects, layout([], 6_000));
    const known = first?.parts.map(({ id }) => id) ?? [];
    expect(known.length).toBeGreaterThan(1);
    const changed = objects.map((object, at) => (at === 7 ? { ...object, digest: 'e' as SourceDigest } : object));
    const second = layOut(changed, layout(known, 6_000));
    expect(second?.parts.filter(({ bytes }) => bytes !== undefined)).toHaveLength(1);
  });

  it('leaves out what is too large for a part of its own, and nothing is stored where no number of parts is enough', () => {
    const laidOut = layOut([noise('small', 100), noise('large', 20_000)], layout([], 5_000));
    expect(laidOut?.leftOut).toEqual([keyOf('ConfigMap', 'large')]);
    expect(readBack(laidOut?.parts ?? []).map(({ key }) => key)).toEqual([keyOf('ConfigMap', 'small')]);
    const many = Array.from({ length: 64 }, (_, index) => noise(`o-${index}`, 1_000));
    expect(layOut(many, layout([], 3_000, 4))).toBeUndefined();
  });

  it('does not open when a byte of it is another one, nor with another key, namespace, sync, version or content', () => {
    const [text = ''] = partTexts([{ key: keyOf('ConfigMap', 'a'), digest: 'd' as SourceDigest, tree: { a: 'b' } }], 1);
    const id = KEYS.idOf(text);
    const place = { sync: 'app', version: '1', id };
    const sealed = sealPart(text, KEYS, place);
    expect(openPart(sealed, KEYS, place)).toBeDefined();
    fc.assert(
      fc.property(fc.nat({ max: sealed.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(sealed);
        changed[at] = (changed[at] ?? 0) ^ flip;
        expect(openPart(changed, KEYS, place)).toBeUndefined();
        expect(openPart(sealed.subarray(0, at), KEYS, place)).toBeUndefined();
      }),
    );
    const others = [{ sync: 'b' }, { version: '2' }, { id: KEYS.idOf(`${text} `) }];
    for (const other of others) expect(openPart(sealed, KEYS, { ...place, ...other })).toBeUndefined();
    expect(openPart(sealed, OTHER_KEYS, place)).toBeUndefined();
    expect(openPart(sealed, ELSEWHERE, place)).toBeUndefined();
  });

  it('is nothing when it is any other bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(openPart(bytes, KEYS, { sync: 'app', version: '1', id: 'x' })).toBeUndefined();
      }),
    );
  });

  it('shows no text of an object, not even of what stands in clear in Git', () => {
    const tree = { kind: 'Secret', data: { user: 'in-clear-by-a-rule' } };
    const [text = ''] = partTexts([{ key: keyOf('Secret', 'a'), digest: 'd' as SourceDigest, tree }], 1);
    const sealed = sealPart(text, KEYS, { sync: 'app', version: '1', id: KEYS.idOf(text) });
    expect(sealed.includes('in-clear-by-a-rule')).toBe(false);
  });

  it('never has a Secret whose values stand in Git in clear', () => {
    const data = { a: 'eA==' };
    expect(storable(wanted('Secret', 's', { tree: { data } }))).toBe(false);
    expect(storable(wanted('Secret', 's', { tree: { data: { a: '' } } }))).toBe(true);
    expect(storable(wanted('Secret', 's', { tree: {} }))).toBe(true);
    expect(storable(wanted('Secret', 's', { tree: { data }, encrypted: true }))).toBe(true);
    expect(storable(wanted('ConfigMap', 'c', { tree: { data } }))).toBe(true);
  });
});
