import { dump } from 'js-yaml';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SopsFormat } from '../../src/sops/file.ts';
import { parseDocuments } from '../../src/sops/file.ts';
import { formatKeyPath, type KeyPath, nodeAt, parseKeyPath } from '../../src/sops/key-path.ts';
import { setValue } from '../../src/sops/set-value.ts';
import { unsetValue } from '../../src/sops/unset-value.ts';
import { parseJsonTree } from '../../src/yaml/json-tree.ts';
import { readManifests } from '../../src/yaml/manifest.ts';
import { refusal } from './fixtures.ts';

const place = (text: string, format: SopsFormat) => {
  const [document] = parseDocuments(text, format, 'f');
  if (document === undefined) throw new Error('no document');
  return { format, file: 'f', root: document.root };
};
const set = (text: string, path: string, value: string, format: SopsFormat = 'yaml'): string =>
  setValue(text, place(text, format), parseKeyPath(path), { kind: 'text', bytes: Buffer.from(value) });
const setJson = (text: string, path: string, json: string, format: SopsFormat = 'yaml'): string =>
  setValue(text, place(text, format), parseKeyPath(path), {
    kind: 'json',
    node: parseJsonTree(json, { file: 'f' }).root,
  });
const unset = (text: string, path: string, format: SopsFormat = 'yaml'): string =>
  unsetValue(text, place(text, format), parseKeyPath(path));

describe('a path', () => {
  it.each([
    ['a.b.c', ['a', 'b', 'c']],
    ['["a"]["b"][0]', ['a', 'b', '0']],
    ['data["tls.crt"]', ['data', 'tls.crt']],
    ['data.tls\\.crt', ['data', 'tls.crt']],
    ["['it''s']", undefined],
    ['a..b', undefined],
    ['a.', undefined],
    ['', undefined],
    ['a[b]', undefined],
    ['["a"', undefined],
  ])('%s', async (text, expected) => {
    if (expected === undefined) expect((await refusal(() => parseKeyPath(text))).code).toBe('SOTTO-CLI-090');
    else expect(parseKeyPath(text)).toEqual(expected);
  });

  it('that is shown can be given again', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { minLength: 1, maxLength: 4 }), (path) => {
        expect(parseKeyPath(formatKeyPath(path))).toEqual(path);
      }),
    );
  });
});

describe('a value is set', () => {
  const secret =
    '# db\nkind: Secret\nstringData:\n  a: one # first\n  # about b\n  b: |\n    two\n    lines\nlast: x\n';

  it('in its place', () => {
    expect(set(secret, 'stringData.a', 'new')).toBe(secret.replace('one', 'new'));
    expect(set(secret, 'stringData.a', 'no\nblock here\n')).toBe(secret.replace('one', '"no\\nblock here\\n"'));
    expect(set(secret, 'stringData.b', 'short')).toBe(secret.replace('|\n    two\n    lines', 'short'));
    expect(set(secret, 'last', 'x\ny\n')).toBe(secret.replace('last: x', 'last: |\n  x\n  y'));
    expect(set(secret, 'last', 'yes')).toBe(secret.replace('last: x', 'last: "yes"'));
  });

  it('behind its neighbours, with the mappings on the way', () => {
    expect(set(secret, 'stringData.c', 'x')).toBe(secret.replace('last:', '  c: x\nlast:'));
    expect(set(secret, 'new.deep["a b"]', 'x')).toBe(`${secret}new:\n  deep:\n    "a b": x\n`);
    expect(set('a:\nb: 1\n', 'a.c', 'x')).toBe('a:\n    c: x\nb: 1\n');
    expect(set('a: ~ # none\n', 'a.c', 'x')).toBe('a:  # none\n    c: x\n');
    expect(set('a: {}\n', 'a.c', 'x')).toBe('a: {"c": "x"}\n');
    expect(set('l:\n- a\nb: 1\n', 'l[1]', 'x')).toBe('l:\n- a\n- "x"\nb: 1\n');
    expect(set('{\n\t"a": 1\n}\n', 'b', 'x', 'json')).toBe('{\n\t"a": 1,\n\t"b": "x"\n}\n');
    expect(set('{}', 'b.c', 'x', 'json')).toBe('{"b": {"c": "x"}}');
  });

  it('of any JSON type, integers to the last digit', () => {
    expect(setJson('a: 1\n', 'a', '9007199254740993')).toBe('a: 9007199254740993\n');
    expect(setJson('a: 1\n', 'b', '{"c": [1.50, true, "\\ud83d\\ude00"]}')).toBe(
      'a: 1\nb: {"c": [1.50, true, "😀"]}\n',
    );
  });

  it('only where there is a place for it', async () => {
    expect((await refusal(() => set(secret, 'stringData', 'x'))).code).toBe('SOTTO-SOPS-052');
    expect((await refusal(() => set(secret, 'last.x', 'x'))).code).toBe('SOTTO-SOPS-053');
    expect((await refusal(() => set('l: [1]\n', 'l.2', 'x'))).code).toBe('SOTTO-SOPS-053');
  });
});

describe('a value is unset', () => {
  it('and its line is gone', async () => {
    expect(unset('a: 1\nb:\n  c: 2 # c\n  d: 3\n', 'b.c')).toBe('a: 1\nb:\n  d: 3\n');
    expect(unset('a: 1\nb:\n  c: 2 # c\n', 'b.c')).toBe('a: 1\nb:\n  {} # c\n');
    expect(unset('a: |\n  x\nb: 1\n', 'a')).toBe('b: 1\n');
    expect(unset('l:\n- a: 1\n  b: 2\n- x\n', 'l[0].a')).toBe('l:\n- b: 2\n- x\n');
    expect(unset('l:\n- a\n- b\n', 'l[0]')).toBe('l:\n- b\n');
    expect(unset('l:\n- a\nb: 1\n', 'l[0]')).toBe('l:\n   []\nb: 1\n');
    expect(unset('{"a": 1, "b": 2}', 'a', 'json')).toBe('{"b": 2}');
    expect(unset('{"a": 1, "b": 2}', 'b', 'json')).toBe('{"a": 1}');
    expect(unset('{"a": 1}', 'a', 'json')).toBe('{}');
    expect((await refusal(() => unset('a: 1\n', 'b'))).code).toBe('SOTTO-SOPS-051');
  });
});

type Tree = string | Tree[] | { [key: string]: Tree };
const KEY = fc.constantFrom('a', 'b', 'key', 'yes', '8080', 'x y', 'tls.crt', 'ü');
const TEXT = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 8 }), fc.constantFrom('a\nb\n', '# no', '12', 'null'));
const { tree } = fc.letrec<{ tree: Tree; map: Tree }>((tie) => ({
  map: fc.dictionary(KEY, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
  tree: fc.oneof({ maxDepth: 3 }, TEXT, fc.array(tie('tree'), { maxLength: 3 }), tie('map')),
}));

function placed(root: Tree, path: readonly string[], value: Tree | undefined): boolean {
  let at: Tree = root;
  for (const [depth, step] of path.entries()) {
    if (typeof at === 'string') return false;
    const isLast = depth === path.length - 1;
    if (Array.isArray(at)) {
      const index = Number(step);
      if (!Number.isInteger(index) || index > at.length) return false;
      if (isLast && value === undefined) return index < at.length && at.splice(index, 1).length === 1;
      if (isLast) {
        if (index < at.length && typeof at[index] !== 'string') return false;
        at[index] = value ?? '';
        return true;
      }
      at = at[index] ??= {};
      continue;
    }
    if (isLast && value === undefined) return Object.hasOwn(at, step) && delete at[step];
    if (isLast) {
      if (Object.hasOwn(at, step) && typeof at[step] !== 'string') return false;
      at[step] = value ?? '';
      return true;
    }
    if (!Object.hasOwn(at, step) && value === undefined) return false;
    at = at[step] ??= {};
  }
  return false;
}

const read = (text: string): unknown => readManifests(text, 'f').map(({ value }) => value)[0];

describe('any tree', () => {
  it('with a value set or unset anywhere is the tree with that change, in each layout', async () => {
    let done = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(KEY, tree, { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
        fc.array(fc.oneof(KEY, fc.constantFrom('0', '1', '2')), { minLength: 1, maxLength: 4 }),
        fc.option(TEXT, { nil: undefined }),
        fc.constantFrom('block', 'flat', 'flow', 'json', 'tabs'),
        async (root, path, value, layout) => {
          const format = layout === 'json' || layout === 'tabs' ? 'json' : 'yaml';
          const text =
            format === 'json'
              ? JSON.stringify(root, null, layout === 'tabs' ? '\t' : undefined)
              : dump(root, { seqNoIndent: layout === 'flat', ...(layout === 'flow' ? { flowLevel: 1 } : {}) });
          const expected = structuredClone(root);
          const fits = placed(expected, path, value);
          const keyPath: KeyPath = [path[0] ?? '', ...path.slice(1)];
          const attempt = (): string =>
            value === undefined
              ? unsetValue(text, place(text, format), keyPath)
              : setValue(text, place(text, format), keyPath, { kind: 'text', bytes: Buffer.from(value) });
          if (!fits) {
            expect((await refusal(attempt)).code).toMatch(/^SOTTO-SOPS-05[123]$/);
            return;
          }
          done += 1;
          const changed = attempt();
          expect(format === 'json' ? JSON.parse(changed) : read(changed)).toEqual(expected);
          const [document] = parseDocuments(changed, format, 'f');
          const node = document === undefined ? undefined : nodeAt(document.root, path);
          expect(node?.kind === 'scalar' ? node.text : undefined).toBe(value);
        },
      ),
      { numRuns: 600 },
    );
    expect(done).toBeGreaterThan(100);
  });
});
