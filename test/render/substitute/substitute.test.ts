import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Closed, type ClosedObject, ComposedRef, SecretRef, secretRefs } from '../../../src/core/closed.ts';
import type { SourceDigest } from '../../../src/core/ids.ts';
import { isJsonObject, type Json } from '../../../src/core/json.ts';
import type { ClosedDocument } from '../../../src/open/document.ts';
import { substituteDocuments } from '../../../src/render/substitute/documents.ts';
import { substitute } from '../../../src/render/substitute/substitute.ts';
import { readManifests } from '../../../src/yaml/manifest.ts';

const SOURCE = { format: 'sops', file: 's.yaml' } as const;
const ref = new SecretRef(SOURCE, { text: 'ENC[${a}]' }, 'value', 3);

function composed(...texts: readonly string[]): ComposedRef {
  const literals = texts.map((text) => ({ kind: 'literal' as const, bytes: Buffer.from(text) }));
  const place = { object: 'Secret/a', key: 'stringData.a' };
  const options = { form: 'value', mustBeText: true, place } as const;
  return new ComposedRef(ref, [{ kind: 'value', ref }, ...literals], { text: 'digest' }, options);
}

function done(tree: ClosedObject, variables: Readonly<Record<string, string>> = {}) {
  return substitute([{ tree, digest: 'd' as SourceDigest }], new Map(Object.entries(variables)));
}

/** The tree, or `code key`. */
function result(tree: ClosedObject, variables: Readonly<Record<string, string>> = {}): Closed | undefined {
  const { objects, refused } = done(tree, variables);
  const [failed] = refused;
  return failed === undefined ? objects[0]?.tree : `${failed.error.code} ${failed.path.join('.')}`;
}

/** A value as it reads once `${v}` is replaced in it. */
function valueOf(text: string, v: string): Closed | undefined {
  const found = result({ spec: { k: text } }, { v });
  return typeof found === 'string' ? found : (found as { spec: { k: Closed } }).spec.k;
}

function secret(more: ClosedObject): ClosedObject {
  return { apiVersion: 'v1', kind: 'Secret', ...more };
}

function sealed(spec: ClosedObject): ClosedObject {
  return { apiVersion: 'bitnami.com/v1alpha1', kind: 'SealedSecret', metadata: { name: '${v}' }, spec };
}

describe('a value with a variable', () => {
  it('is typed anew where it stands in YAML without quotes, as in Flux', () => {
    const cases: readonly (readonly [string, string, Closed])[] = [
      ['${v}', '3', 3],
      ['${v}', '0x1f', 31],
      ['${v}', '010', 8],
      ['${v}', '1e3', 1000],
      ['${v}', '9007199254740993', 9007199254740993n],
      ['${v}', 'yes', true],
      ['${v}', 'off', false],
      ['${v}', '', null],
      ['${v}', '~', null],
      ['${v}', '2024-01-02', '2024-01-02'],
      ['${v}', ' x ', 'x'],
      ['${v}0', '1', 10],
      ['x${v}', '1', 'x1'],
      ['"${v}"', '1', '"1"'],
      ['a: ${v}', '1', 'a: 1'],
      ['- ${v}', '1', '- 1'],
      ['line\n${v}', '1', 'line\n1'],
      ['${v}\n', '1', '1\n'],
      ['\t${v}', '1', '\t1'],
    ];
    for (const [text, v, wanted] of cases) expect([text, v, valueOf(text, v)]).toEqual([text, v, wanted]);
  });

  it('is a text where quotes are a variable of their own, as the documentation of Flux has it', () => {
    expect(result({ a: '${quote}${id}${quote}' }, { quote: '"', id: '123' })).toEqual({ a: '123' });
    expect(result({ a: '${quote}${id}${quote}' }, { quote: "'", id: 'true' })).toEqual({ a: 'true' });
  });

  it('is written into the quotes that its text has in YAML', () => {
    expect(valueOf('a: ${v}', "'")).toBe('SOTTO-RENDER-075 spec.k');
    expect(valueOf('a: ${v}', "''")).toBe("a: '");
    expect(valueOf('\t${v}', '\\n')).toBe('\t\n');
    expect(valueOf('\t${v}', '"')).toBe('SOTTO-RENDER-075 spec.k');
  });

  it('stays one value: what would be anything else in YAML is refused', () => {
    const bad = ['a: b', 'a:', '- a', '[a]', '{a: b}', '[', '# c', 'x # c', '*a', '&a b', '!!str 5', '!x', '|', '>-'];
    for (const v of [...bad, '? a', '"a" b', '"', "'", '@a', '`a', '%a', '.inf', '.nan']) {
      expect([v, valueOf('${v}', v)]).toEqual([v, 'SOTTO-RENDER-075 spec.k']);
    }
    for (const v of ['a:b', 'a#b', 'a, b', 'x]', '-a', '---', '<<', '='])
      expect([v, valueOf('${v}', v)]).toEqual([v, v]);
  });

  it('cannot end the block that it stands in', () => {
    for (const v of ['# c', 'a: b', '*a', "'", '"', '---']) expect(valueOf('one\n${v}\n', v)).toBe(`one\n${v}\n`);
    expect(valueOf('${v}one\ntwo\n', '  ')).toBe('SOTTO-RENDER-075 spec.k');
  });

  it('is not looked at where nothing is written: numbers, empty texts, a lone $', () => {
    const tree = { a: 1, b: true, c: null, d: '', e: '$a', f: ['$'], g: { h: 2n } };
    expect(done(tree, { a: 'x' }).objects[0]?.tree).toBe(tree);
  });
});

describe('an object', () => {
  it('has its variables replaced everywhere: name, labels, lists, keys', () => {
    const tree = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'app-${env}', labels: { '${env}': '${env}' } },
      data: { '${env}.yaml': 'a' },
      list: ['${env}', { x: '${n}' }],
    };
    expect(result(tree, { env: 'prod', n: '3' })).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'app-prod', labels: { prod: 'prod' } },
      data: { 'prod.yaml': 'a' },
      list: ['prod', { x: 3 }],
    });
  });

  it('tells which variables it used', () => {
    expect([...done({ a: '${x}${y:-1}${z:-2}' }, { x: '1', y: '2', w: '3' }).used].toSorted()).toEqual(['x', 'y']);
  });

  it('keeps its identity and digest when it has none, and has another digest for each value when it has', () => {
    const object = { tree: { a: 'x' }, digest: 'd' as SourceDigest };
    expect(substitute([object], new Map([['v', '1']])).objects[0]).toBe(object);
    const digests = ['1', '2', '1'].map((v) => done({ a: '${v}' }, { v }).objects[0]?.digest);
    expect(digests[0]).toBe(digests[2]);
    expect(new Set([...digests, 'd']).size).toBe(3);
    const renamed = done({ a: '${v}', ref }, { v: '1' });
    expect([...renamed.before]).toEqual([[renamed.objects[0]?.digest, 'd']]);
  });

  it('is left alone when it says so, by label or annotation', () => {
    for (const field of ['labels', 'annotations']) {
      const tree = {
        metadata: { [field]: { 'kustomize.toolkit.fluxcd.io/substitute': 'disabled' } },
        data: '${a-b}$$',
      };
      expect(done(tree).objects[0]?.tree).toBe(tree);
    }
  });

  it('is refused alone, with the place', () => {
    const objects = ['a', '${b}', '${c}', 'd'].map((text) => ({ tree: { k: [text] }, digest: text as SourceDigest }));
    const found = substitute(objects, new Map([['c', '1']]));
    expect(found.objects.map(({ tree }) => tree['k'])).toEqual([['a'], [1], ['d']]);
    expect(found.refused.map(({ error, path }) => [error.code, path])).toEqual([['SOTTO-RENDER-073', ['k', '0']]]);
  });

  it('is refused when two of its keys become one, or a key ceases to be one', () => {
    expect(result({ m: { a: '1', '${v}': '2' } }, { v: 'a' })).toBe('SOTTO-RENDER-075 m');
    for (const v of ['', '<<', '~', 'a: b', '*a', '# c', '[a]', 'a: &b']) {
      expect([v, result({ m: { '${v}': '2' } }, { v })]).toEqual([v, 'SOTTO-RENDER-075 m.${v}']);
    }
    expect(result({ m: { '${v}': '2', '${v}1': '3' } }, { v: 'yes' })).toEqual({ m: { true: '2', yes1: '3' } });
    expect(result({ m: { 'a\n${v}': '2' } }, { v: 'x' })).toBe('SOTTO-RENDER-075 m.a\n${v}');
  });

  it('does not become another kind', () => {
    expect(result({ apiVersion: '${v}', kind: 'A' }, { v: 'v1' })).toBe('SOTTO-RENDER-076 apiVersion');
    expect(result({ apiVersion: 'v1', kind: '${v}' }, { v: 'Secret' })).toBe('SOTTO-RENDER-076 kind');
    expect(result({ apiVersion: 'v1', '${v}': 'Secret', data: {} }, { v: 'kind' })).toBe('SOTTO-RENDER-076 ${v}');
    expect(result({ apiVersion: 'v1', kind: 'Secret', '${v}': { a: '${v}' } }, { v: 'stringData' })).toBe(
      'SOTTO-RENDER-076 ${v}',
    );
    expect(result({ spec: { kind: '${v}' } }, { v: 'A' })).toEqual({ spec: { kind: 'A' } });
  });
});

describe('a place for text only', () => {
  it('takes no number and no boolean, and the error says how to make a text of it', () => {
    for (const path of ['name', 'namespace', 'labels', 'annotations']) {
      const value = ['name', 'namespace'].includes(path) ? '${n}' : { a: '${n}' };
      const { refused } = done({ kind: 'ConfigMap', metadata: { [path]: value } }, { n: '3' });
      expect(refused.map(({ error }) => [error.code, error.next.includes('${quote}')])).toEqual([
        ['SOTTO-RENDER-075', true],
      ]);
    }
    expect(result({ apiVersion: 'v1', kind: 'ConfigMap', data: { a: '${n}' } }, { n: 'on' })).toBe(
      'SOTTO-RENDER-075 data.a',
    );
    expect(
      result({ apiVersion: 'v1', kind: 'ConfigMap', data: { a: '${q}${n}${q}' } }, { q: '"', n: 'on' }),
    ).toMatchObject({
      data: { a: 'on' },
    });
    expect(result({ apiVersion: 'v1', kind: 'ConfigMap', data: { a: '${n}' } }, { n: '' })).toMatchObject({
      data: { a: null },
    });
    expect(result({ apiVersion: 'example.com/v1', kind: 'ConfigMap', data: { a: '${n}' } }, { n: '3' })).toMatchObject({
      data: { a: 3 },
    });
  });
});

describe('a Secret', () => {
  it('has its name and labels replaced, and its encrypted values left as they are', () => {
    const tree = secret({ metadata: { name: '${v}' }, stringData: { a: ref, b: composed('x') }, data: { c: ref } });
    const found = result(tree, { v: 'db' });
    expect(found).toEqual({ ...tree, metadata: { name: 'db' } });
    expect(secretRefs(found ?? null).map((each) => each.ref)).toEqual(secretRefs(tree).map((each) => each.ref));
  });

  it('is refused when a readable value of it has a variable, also beside a secret', () => {
    const variables = { v: 'x' };
    expect(result(secret({ stringData: { a: '${v}' } }), variables)).toBe('SOTTO-RENDER-076 stringData.a');
    expect(result(secret({ stringData: { a: 'x $${v}' } }), variables)).toBe('SOTTO-RENDER-076 stringData.a');
    expect(result(secret({ stringData: { a: composed('@${v}') } }), variables)).toBe('SOTTO-RENDER-076 stringData.a');
    expect(result(secret({ stringData: { '${v}': 'a' } }), variables)).toBe('SOTTO-RENDER-076 stringData.${v}');
    expect(result(secret({ data: { '${v}': ref } }), variables)).toBe('SOTTO-RENDER-076 data.${v}');
    const off = { annotations: { 'kustomize.toolkit.fluxcd.io/substitute': 'disabled' } };
    expect(result(secret({ metadata: off, stringData: { a: '${v}' } }), variables)).toMatchObject({
      stringData: { a: '${v}' },
    });
  });

  it('has every other value as it is: base64 hides what it holds, and $$ stays', () => {
    const tree = secret({ stringData: { a: 'pa$$word' }, data: { b: composed('${v}'), c: 'JHt2fQ==' } });
    expect(done(tree, { v: 'x' }).objects[0]?.tree).toBe(tree);
  });
});

describe('a SealedSecret that is passed on', () => {
  it('has its name replaced, and nothing of what becomes its Secret', () => {
    const spec = { encryptedData: { a: 'AgB${v' }, template: { metadata: { name: '${v}' }, data: { b: 'x$$y' } } };
    expect(result(sealed(spec), { v: 'db' })).toMatchObject({
      metadata: { name: 'db' },
      spec: { ...spec, template: { metadata: { name: 'db' }, data: { b: 'x$$y' } } },
    });
    for (const field of ['data', 'stringData']) {
      const place = `spec.template.${field}`;
      expect(result(sealed({ template: { [field]: { a: '${v}' } } }), { v: 'x' })).toBe(`SOTTO-RENDER-076 ${place}.a`);
      expect(result(sealed({ template: { [field]: { '${v}': 'a' } } }), { v: 'x' })).toBe(
        `SOTTO-RENDER-076 ${place}.\${v}`,
      );
    }
  });
});

describe('another object with a secret in it', () => {
  it('is refused when a variable stands in the text around the secret', () => {
    expect(result({ kind: 'ConfigMap', data: { a: composed('${v}') } }, { v: 'x' })).toBe('SOTTO-RENDER-076 data.a');
    expect(result({ kind: 'ConfigMap', data: { a: composed('x'), b: '${v}' } }, { v: 'x' })).toMatchObject({
      data: { b: 'x' },
    });
  });
});

describe('the documents of a sync', () => {
  const text = `apiVersion: v1
kind: ConfigMap
metadata:
  name: a
data:
  k: \${missing}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: \${missing}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: \${v}
data: { k: "\${missing}" }
`;
  const documents = readManifests(text, 'a.yaml').map(
    (manifest): ClosedDocument => ({
      file: 'a.yaml',
      line: manifest.line,
      tree: manifest.value as ClosedObject,
      encryption: 'none',
      digest: String(manifest.line) as SourceDigest,
      lineAt: (path) => manifest.lineAt(path),
    }),
  );

  it('are refused with file, line, key and the object, as far as it is known who it is', () => {
    const { refusals } = substituteDocuments(documents, new Map([['v', 'c']]), 'team');
    expect(
      refusals.map(({ error: { place }, file, id }) => [file, place.line, place.key, place.object, id?.name]),
    ).toEqual([
      ['a.yaml', 6, 'data.k', 'ConfigMap/a', 'a'],
      ['a.yaml', 11, 'metadata.name', undefined, undefined],
      ['a.yaml', 17, 'data.k', 'ConfigMap/c', 'c'],
    ]);
  });
});

/** The same with every scalar alike. */
function shapeOf(value: Closed): Json {
  if (value instanceof SecretRef) return 'ref';
  if (Array.isArray(value)) return value.map((item: Closed) => shapeOf(item));
  if (isJsonObject(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]));
  return 'scalar';
}

const odd = fc.constantFrom(
  ...Array.from(' \t\'"\\:#-{}[],&*!|>%@`?~=<ab01é😀$/.'),
  'null',
  'true',
  '${v}',
  ': ',
  ' #',
);
const oddText = fc.array(odd, { maxLength: 8 }).map((pieces) => pieces.join(''));
const leaf = fc.oneof(
  oddText,
  fc.constantFrom<Closed>('${v}', 'x ${v}', '${v:-d}\nx', '${w:2}', '${w#?}', '$$', null, 1, true, ref),
);
const tree: fc.Arbitrary<ClosedObject> = fc.letrec<{ node: Closed; object: ClosedObject }>((tie) => ({
  node: fc.oneof({ maxDepth: 3 }, leaf, fc.array(tie('node'), { maxLength: 3 }), tie('object')),
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'data', 'stringData'), tie('node'), { maxKeys: 4 }),
})).object;

describe('any object with any values', () => {
  it('keeps its structure and its secrets, or is refused by a code that holds no value', () => {
    fc.assert(
      fc.property(tree, oddText, oddText, fc.boolean(), (given, v, w, isSecret) => {
        const whole: ClosedObject = isSecret ? { apiVersion: 'v1', kind: 'Secret', ...given } : given;
        const found = done(whole, { v: `hunter2${v}`, w });
        const [failed] = found.refused;
        if (failed !== undefined) {
          expect(failed.error.code).toMatch(/^SOTTO-RENDER-07[3-7]$/);
          expect(failed.error.text()).not.toContain('hunter2');
          return;
        }
        const [object] = found.objects;
        expect(shapeOf(object?.tree ?? null)).toEqual(shapeOf(whole));
        expect(secretRefs(object?.tree ?? null)).toEqual(secretRefs(whole));
      }),
      { numRuns: 2000 },
    );
  });

  it('with a value of letters only has it where its variable stands', () => {
    const word = fc.stringMatching(/^[g-m]{1,8}$/);
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', ' b', 'c: ', "'", '"', '\n', '\\', '${v}'), { maxLength: 8 }),
        word,
        (parts, v) => {
          const text = `x${parts.join('')}x`;
          expect(valueOf(text, v)).toBe(text.replaceAll('${v}', v));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
