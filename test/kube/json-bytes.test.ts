import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blankLastApplied, parseAnswer } from '../../src/kube/answer-json.ts';
import { decodeBase64 } from '../../src/kube/base64-bytes.ts';
import { arrayItems, objectMembers, stringAtSpan, valueSpan } from '../../src/kube/json-bytes.ts';

const spaces = fc.constantFrom('', ' ', '\n\t', '  \r\n ');

// V8 13.6: after a key `\` JSON.parse reads a key `"` as `\` too. Not a matter of the scanner.
const name = fc.string().filter((text) => !text.endsWith('\\'));

/** JSON text with white space where it may stand. */
function spaced(value: unknown, space: string): string {
  if (Array.isArray(value)) return `${space}[${value.map((item) => spaced(item, space)).join(',')}${space}]${space}`;
  if (typeof value !== 'object' || value === null) return `${space}${JSON.stringify(value)}${space}`;
  const members = Object.entries(value).map(
    ([key, item]) => `${space}${JSON.stringify(key)}${space}:${spaced(item, space)}`,
  );
  return `${space}{${members.join(',')}${space}}${space}`;
}

function sliceOf(bytes: Buffer, span: { start: number; end: number }): unknown {
  return JSON.parse(bytes.toString('utf8', span.start, span.end));
}

describe('the byte scanner', () => {
  it('finds the members and items that JSON.parse finds', () => {
    fc.assert(
      fc.property(fc.dictionary(name, fc.jsonValue()), fc.array(fc.jsonValue()), spaces, (object, list, space) => {
        const bytes = Buffer.from(spaced(object, space));
        const members = [...objectMembers(bytes, 0)].map(({ key, value }) => [
          stringAtSpan(bytes, key),
          sliceOf(bytes, value),
        ]);
        expect(members).toEqual(Object.entries(JSON.parse(bytes.toString()) as object));
        const array = Buffer.from(spaced(list, space));
        expect([...arrayItems(array, 0)].map((item) => sliceOf(array, item))).toEqual(JSON.parse(array.toString()));
      }),
    );
  });

  it('ends in a SyntaxError or an answer for any bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.constantFrom('', '{"', '{"a":', '[', '{"a":[{"b":"\\'),
        (noise, head) => {
          const bytes = Buffer.concat([Buffer.from(head), noise]);
          try {
            for (const member of objectMembers(bytes, 0)) valueSpan(bytes, member.value.start);
            [...arrayItems(bytes, 0)].forEach((item) => expect(item.end).toBeGreaterThan(item.start));
          } catch (error) {
            expect(error).toBeInstanceOf(SyntaxError);
          }
        },
      ),
    );
  });

  it('follows nesting that would overflow a recursive reader', () => {
    const deep = Buffer.from(`{"a":${'['.repeat(200_000)}${']'.repeat(200_000)},"b":1}`);
    expect([...objectMembers(deep, 0)].map(({ key }) => stringAtSpan(deep, key))).toEqual(['a', 'b']);
  });
});

describe('parseAnswer', () => {
  it('keeps integers exact that JSON.parse would round', () => {
    const bytes = Buffer.from('{"big":9007199254740993,"small":1}');
    expect(parseAnswer(bytes)).toEqual({ big: 9007199254740993n, small: 1 });
  });
});

describe('blankLastApplied', () => {
  it('overwrites the copy of a Secret that kubectl apply keeps in its annotation', () => {
    const copy = JSON.stringify({ kind: 'Secret', data: { password: 'aHVudGVyMg==' } });
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': copy, other: 'stays' };
    const fields = { 'f:kubectl.kubernetes.io/last-applied-configuration': {} };
    const bytes = Buffer.from(JSON.stringify({ metadata: { annotations, managedFields: [fields] } }));
    blankLastApplied(bytes);
    expect(bytes.includes('aHVudGVyMg')).toBe(false);
    expect(JSON.parse(bytes.toString())).toMatchObject({
      metadata: { annotations: { other: 'stays' }, managedFields: [fields] },
    });
  });

  it('leaves the name alone where it stands inside a text', () => {
    const text = '"kubectl.kubernetes.io/last-applied-configuration":"x"';
    const bytes = Buffer.from(JSON.stringify({ a: text }));
    blankLastApplied(bytes);
    expect(JSON.parse(bytes.toString())).toEqual({ a: text });
  });
});

describe('decodeBase64', () => {
  it('decodes what Buffer encodes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (value) => {
        const text = Buffer.from(Buffer.from(value).toString('base64'));
        expect(decodeBase64(text, 0, text.length)).toEqual(value);
      }),
    );
  });

  it.each(['a', 'ab', 'abc', 'a===', 'ab=c', '====', 'ab c', 'ab-_', 'YQ=='.repeat(2)])('refuses %s', (text) => {
    expect(decodeBase64(Buffer.from(text), 0, text.length)).toBeUndefined();
  });
});
