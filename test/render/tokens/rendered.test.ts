import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../../src/core/json.ts';
import { closeRendered } from '../../../src/render/tokens/rendered.ts';
import { makeToken, TOKEN_LENGTH } from '../../../src/render/tokens/token.ts';
import { Sensitive } from '../../../src/core/sensitive.ts';
import { filledValues, issue, SECRET, secretOf, testKey, tokenOf } from './secrets.ts';

const issued = issue([Buffer.from('hunter2'), Buffer.from('other')]);
const [TOKEN = '', OTHER = ''] = issued.tokens;
const b64 = (text: string): string => Buffer.from(text).toString('base64');

/** What the object is refused with: code and place; or `none`. */
function refusal(tree: JsonObject): string {
  const { refused } = closeRendered([tree], issued.table);
  const [first] = refused;
  if (first === undefined) return 'none';
  expect(first.error.text()).not.toContain(TOKEN.slice(5));
  return `${first.error.code} ${first.error.place.key ?? ''}`;
}

const map = (data: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'm', ...metadata },
  data,
});

describe('a token', () => {
  it('is letters and digits of a fixed length, and the same for the same value at the same place only', () => {
    expect(TOKEN).toMatch(/^soTTo[A-Za-z0-9]{43}$/);
    expect(TOKEN).toHaveLength(TOKEN_LENGTH);
    const value = Buffer.from('x');
    expect(tokenOf(value)).toBe(tokenOf(Buffer.from('x')));
    expect(tokenOf(value)).not.toBe(tokenOf(Buffer.from('y')));
    expect(tokenOf(value, 'a')).not.toBe(tokenOf(value, 'b'));
  });

  it('is another one in each role and under each key', () => {
    using value = Sensitive.copyOf(Buffer.from('x'));
    const places = [
      { role: 'leaf', object: 'a', path: ['b'] },
      { role: 'leaf', object: 'a', path: ['b', ''] },
      { role: 'file', file: 'a' },
      { role: 'env-line', file: 'a', key: 'b' },
      { role: 'env-line', file: 'ab', key: '' },
    ] as const;
    const tokens = [testKey(1), testKey(2)].flatMap((key) => places.map((place) => makeToken(key, place, value)));
    expect(new Set(tokens).size).toBe(10);
  });
});

describe('a token outside of the values of a Secret', () => {
  it('is found every time, and in one build what was nothing in another', () => {
    const piece = map({ a: TOKEN.slice(8, 24) });
    expect(closeRendered([piece, piece], issue([Buffer.from('third')]).table).refused).toEqual([]);
    const { objects, refused } = closeRendered([map({ a: 'x' }), piece, map({ a: 'x' }), piece], issued.table);
    expect([objects.length, refused.map(({ error }) => error.code)]).toEqual([
      2,
      ['SOTTO-RENDER-043', 'SOTTO-RENDER-043'],
    ]);
  });

  const nested: Json = { spec: { template: { env: [{ name: 'A', value: `x ${TOKEN}` }] } } };
  it.each([
    ['a ConfigMap', map({ a: TOKEN }), 'data.a'],
    ['a name', map({}, { name: `n-${TOKEN}` }), 'metadata.name'],
    ['a label', map({}, { labels: { a: TOKEN } }), 'metadata.labels.a'],
    ['a key', map({ [TOKEN]: 'x' }), `data.`],
    ['a key of a Secret', secretOf({ stringData: { [TOKEN]: 'x' } }), 'stringData.'],
    [
      'an annotation of a Secret',
      { ...secretOf({}), metadata: { name: 's', annotations: { a: TOKEN } } },
      'metadata.annotations.a',
    ],
    ['the type of a Secret', { ...secretOf({}), type: TOKEN }, 'type'],
    ['an env', { apiVersion: 'apps/v1', kind: 'Deployment', ...nested }, 'spec.template.env.0.value'],
    [
      'a Secret of another group',
      { ...secretOf({ stringData: { a: TOKEN } }), apiVersion: 'example.com/v1' },
      'stringData.a',
    ],
    ['base64', map({ a: b64(TOKEN) }), 'data.a'],
    ['base64 shifted', map({ a: `xy${b64(`x${TOKEN}`)}` }), 'data.a'],
    ['base64 twice', map({ a: b64(`-${b64(TOKEN)}`) }), 'data.a'],
    ['base64 for URLs', map({ a: Buffer.from(`~~${TOKEN}`).toString('base64url') }), 'data.a'],
    ['base64 with blanks in it', map({ a: b64(TOKEN).replace(/(.{5})/g, '$1 \n') }), 'data.a'],
  ])('is refused with its place: %s', (_name, tree, key) => {
    const [code, place] = refusal(tree).split(' ');
    expect(code).toBe('SOTTO-RENDER-006');
    if (!key.endsWith('.')) expect(place).toBe(key);
  });
});

describe('what is left of a token', () => {
  it.each([
    ['in lower case', TOKEN.toLowerCase(), 'SOTTO-RENDER-043'],
    ['in upper case', TOKEN.toUpperCase(), 'SOTTO-RENDER-043'],
    ['its first half', TOKEN.slice(0, 24), 'SOTTO-RENDER-043'],
    ['its second half', TOKEN.slice(24), 'SOTTO-RENDER-043'],
    ['eight characters of it', TOKEN.slice(20, 28), 'SOTTO-RENDER-043'],
    ['eight characters in base64', b64(TOKEN.slice(20, 28)), 'SOTTO-RENDER-043'],
    ['the mark alone', 'x soTTo x', 'SOTTO-RENDER-043'],
    ['one that is unknown', `soTTo${'Ab1'.repeat(14)}Z`, 'SOTTO-RENDER-044'],
    ['one that is unknown, in another case', `sotto${'ab1'.repeat(14)}z`, 'SOTTO-RENDER-044'],
  ])('is refused wherever it is: %s', (_name, text, code) => {
    expect(refusal(map({ a: text }))).toBe(`${code} data.a`);
    expect(refusal(secretOf({ stringData: { a: `x ${text}` } }))).toBe(`${code} stringData.a`);
    expect(refusal(secretOf({ stringData: { a: `${OTHER} ${text}` } }))).toBe(`${code} stringData.a`);
    expect(refusal(secretOf({ data: { a: b64(text) } }))).toBe(`${code} data.a`);
  });

  it('is not seen in words of the same letters', () => {
    const words = {
      'sotto.dev/prune': 'disabled',
      a: 'SOTTO',
      b: `registry/sotto-agent:1`,
      c: TOKEN.slice(20, 27),
      d: 'x'.repeat(500),
    };
    expect(refusal(map(words))).toBe('none');
  });
});

function digest(value: string): string | undefined {
  return closeRendered([secretOf({ stringData: { a: value } })], issued.table).objects[0]?.digest;
}

describe('closed objects', () => {
  it('stand beside refused ones; lists are flat; what was not used is told', () => {
    const list: JsonObject = {
      apiVersion: 'v1',
      kind: 'List',
      items: [secretOf({ stringData: { a: TOKEN } }), map({ a: TOKEN })],
    };
    const { objects, refused, unused } = closeRendered([list, map({ a: 'x' })], issued.table);
    expect(objects.map(({ tree, hasSecrets }) => [tree['kind'], hasSecrets])).toEqual([
      ['Secret', true],
      ['ConfigMap', false],
    ]);
    expect(refused.map(({ tree }) => tree['kind'])).toEqual(['ConfigMap']);
    expect(unused.map(({ token }) => token)).toEqual([OTHER]);
  });

  it('have the digest of what was rendered', () => {
    expect(digest(TOKEN)).toBe(digest(TOKEN));
    expect(digest(TOKEN)).not.toBe(digest(OTHER));
  });

  it('other than Secrets may hold text where settings allow it, and no bytes', () => {
    const allowed = { mayHoldSecrets: () => true };
    const { objects, refused } = closeRendered([map({ a: `x ${TOKEN}` })], issued.table, allowed);
    expect([objects[0]?.hasSecrets, refused]).toEqual([true, []]);
    const labelled = closeRendered([map({}, { labels: { a: TOKEN } })], issued.table, allowed);
    expect(labelled.refused.map(({ error }) => error.code)).toEqual(['SOTTO-RENDER-006']);
  });

  it('of any Secret hold every value once they are filled', async () => {
    const keys = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(keys, fc.array(SECRET, { minLength: 6, maxLength: 6 }), async (names, values) => {
        const all = issue(values);
        const data = Object.fromEntries(names.map((name, at) => [name, b64(all.tokens[at] ?? '')]));
        const wanted = Object.fromEntries(names.map((name, at) => [name, Buffer.from(values[at] ?? '')]));
        expect(await filledValues(secretOf({ data }), all)).toEqual(wanted);
      }),
    );
  });
});
