import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { followedText } from '../../../src/agent/exposure/expose.ts';
import { type ExposedValue, type PlacedValue, stillExposed } from '../../../src/agent/exposure/exposure.ts';
import { keyOf } from '../fixture.ts';

/** A value of a repository: the ciphertext is another one each time it is encrypted. */
interface Stands extends PlacedValue {
  readonly value: string;
}

const object = keyOf('Secret', 'db');

function stands(place: string, value: string, encrypted = 0, of = object): Stands {
  return { file: `${place}.yaml`, key: `stringData.${place}`, object: of, cipher: `${value} ${encrypted}`, value };
}

function exposed({ file, key, object: of, cipher, value }: Stands): ExposedValue {
  return { file, key, object: of, cipher, digest: value };
}

async function look(before: readonly Stands[], now: readonly Stands[], isUnknown = false) {
  const opened: Stands[] = [];
  const values = await stillExposed(before.map(exposed), {
    now,
    isUnknown: () => isUnknown,
    digestOf: (value) => {
      opened.push(value);
      return Promise.resolve(value.value);
    },
  });
  return { values, opened: opened.length };
}

describe('an exposed value', () => {
  test('stays open, and is not opened, while its ciphertext is the same', async () => {
    const before = [stands('a', 'x'), stands('b', 'y')];
    expect(await look(before, before)).toEqual({ values: before.map(exposed), opened: 0 });
  });

  test('stays open when it is encrypted anew, and only what stands at its place is opened for that', async () => {
    const [a, b, other] = [stands('a', 'x'), stands('b', 'y', 1), stands('c', 'z')];
    const { values, opened } = await look([a, stands('b', 'y')], [a, b, other]);
    expect(values).toEqual([a, b].map(exposed));
    expect(opened).toBe(1);
  });

  test('is closed when another one stands at its place', async () => {
    expect((await look([stands('a', 'x'), stands('b', 'y')], [stands('a', 'new'), stands('b', 'y')])).values).toEqual([
      exposed(stands('b', 'y')),
    ]);
  });

  test('is closed when it stands nowhere any more', async () => {
    expect((await look([stands('a', 'x')], [stands('b', 'y')])).values).toEqual([]);
  });

  test('is followed to another place, be it encrypted anew or not, and also where another value took its old one', async () => {
    const moved = stands('b', 'x', 1);
    expect((await look([stands('a', 'x')], [moved])).values).toEqual([exposed(moved)]);
    expect((await look([stands('a', 'x')], [stands('a', 'new'), moved])).values).toEqual([exposed(moved)]);
    const asItWas = stands('b', 'x');
    expect(await look([stands('a', 'x')], [asItWas])).toEqual({ values: [exposed(asItWas)], opened: 0 });
  });

  test('is closed at a place of two that have the same value; the other one stays', async () => {
    const before = [stands('a', 'x'), stands('b', 'x', 1)];
    expect((await look(before, [stands('a', 'new'), stands('b', 'x', 1)])).values).toEqual([
      exposed(stands('b', 'x', 1)),
    ]);
  });

  test('stays open while it is not known what its object has, or when it does not open', async () => {
    const before = [stands('a', 'x')];
    expect((await look(before, [], true)).values).toEqual(before.map(exposed));
    const still = await stillExposed(before.map(exposed), {
      now: [stands('a', 'y')],
      isUnknown: () => false,
      digestOf: () => Promise.resolve(undefined),
    });
    expect(still).toEqual(before.map(exposed));
  });

  test('is open exactly as long as the value stands somewhere, whatever is moved, changed and encrypted anew', async () => {
    const places = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 });
    // Values of one repository that are all different: then it is certain which is which.
    const repository = places.chain((names) =>
      fc
        .shuffledSubarray(['1', '2', '3', '4', '5', '6', '7'], { minLength: names.length, maxLength: names.length })
        .chain((values) =>
          fc
            .array(fc.nat(2), { minLength: names.length, maxLength: names.length })
            .map((times) => names.map((name, at) => stands(name, values[at] ?? '', times[at]))),
        ),
    );
    await fc.assert(
      fc.asyncProperty(repository, repository, async (before, now) => {
        const values = new Set(now.map(({ value }) => value));
        const open = before.filter(({ value }) => values.has(value)).map(({ value }) => value);
        const { values: still } = await look(before, now);
        expect(still.map(({ digest }) => digest)).toEqual(open);
        for (const each of still)
          expect(now.find(({ value }) => value === each.digest)).toMatchObject({ file: each.file });
        // Looked at again, nothing is opened: all is as it was noted.
        const again = await stillExposed(still, {
          now,
          isUnknown: () => false,
          digestOf: () => Promise.reject(new Error('opened')),
        });
        expect(again).toEqual(still);
      }),
    );
  });
});

describe('the answer to who exposes a key', () => {
  test('asks whether it is the right key where it opens nothing: one with a typing error opens nothing either', () => {
    expect(followedText(0)).toBe(
      'no value that is applied is one that this key opens; is it the right key? sotto keys list, sotto recipients list',
    );
    expect(followedText(1)).toBe('1 value that this key opens is applied; each is followed until it changes');
    expect(followedText(2)).toBe('2 values that this key opens are applied; each is followed until it changes');
  });
});
