import { describe, expect, it } from 'vitest';
import { parseJsonTree } from '../../src/yaml/json-tree.ts';
import { parseYaml } from '../../src/yaml/parse.ts';
import { spliceText } from '../../src/yaml/splice.ts';
import type { YamlNode, YamlScalar } from '../../src/yaml/tree.ts';

function scalars(node: YamlNode): YamlScalar[] {
  if (node.kind === 'scalar') return [node];
  if (node.kind === 'seq') return node.items.flatMap(scalars);
  return node.entries.flatMap(({ key, value }) => [...scalars(key), ...scalars(value)]);
}

const TEXT = [
  '# head',
  'plain: value # inline',
  'quoted: "a \\" # b"',
  "single: 'it''s'",
  'tagged: !!str &anchor 12',
  'literal: |- # header',
  '  text # not a comment',
  '',
  'folded: !!str >',
  '  two',
  '  lines',
  'flow: {a: [x, "y", ], b: } # behind',
  '? complex',
  ': - dash',
  '  -',
  '    # inner',
  '    - |',
  '      block',
  'empty:',
  '',
].join('\n');

function placeOf(all: readonly YamlScalar[], text: string): unknown {
  const scalar = all.find((one) => one.text === text);
  return scalar === undefined ? undefined : [scalar.line, scalar.inFlow, scalar.style];
}

describe('a scalar of a parsed text', () => {
  const [document] = parseYaml(TEXT, { file: 'a.yaml' });
  const found = document === undefined ? [] : scalars(document.root);
  const written = (text: string): string | undefined => {
    const scalar = found.find((one) => one.text === text);
    return scalar === undefined ? undefined : TEXT.slice(scalar.start, scalar.end);
  };

  it.each([
    ['value', 'value'],
    ['a " # b', '"a \\" # b"'],
    ["it's", "'it''s'"],
    ['12', '!!str &anchor 12'],
    ['text # not a comment', '|- # header\n  text # not a comment\n\n'],
    ['two lines\n', '!!str >\n  two\n  lines\n'],
    ['y', '"y"'],
    ['complex', 'complex'],
    ['block\n', '|\n      block\n'],
  ])('%j is found where it stands', (text, expected) => {
    expect(written(text)).toBe(expected);
  });

  it('knows its line and whether it stands in brackets', () => {
    expect(placeOf(found, 'value')).toEqual([2, false, 'plain']);
    expect(placeOf(found, 'y')).toEqual([12, true, 'double']);
    expect(placeOf(found, 'block\n')).toEqual([17, false, 'literal']);
  });

  it('leaves the comments of its document apart', () => {
    const comments = document?.comments.map(({ start, end }) => TEXT.slice(start, end));
    expect(comments).toEqual(['# head', '# inline', '# header', '# behind', '# inner']);
  });
});

describe('a document of a stream', () => {
  it('knows its part of the text', () => {
    const text = 'a: 1\n---\nb: 2\n# foot\n...\n# prelude\n---\nc: 3';
    expect(parseYaml(text, { file: 'a.yaml' }).map(({ start, end }) => text.slice(start, end))).toEqual([
      'a: 1\n',
      '---\nb: 2\n# foot\n',
      '# prelude\n---\nc: 3',
    ]);
  });

  it('may start behind a byte order mark or end without a line break', () => {
    expect(parseYaml('\uFEFFa: 1', { file: 'a.yaml' })).toHaveLength(1);
    expect(parseYaml('', { file: 'a.yaml' })).toHaveLength(0);
  });
});

describe('a JSON text', () => {
  it('keeps order, doubles and the text of numbers', () => {
    const text = '{"b": 1.0, "a": [1e3, "\\u0041"], "b": null}';
    const { root } = parseJsonTree(text, { file: 'a.json' });
    expect(scalars(root).map((scalar) => scalar.text)).toEqual(['b', '1.0', 'a', '1e3', 'A', 'b', 'null']);
    expect(
      scalars(root)
        .map(({ start, end }) => text.slice(start, end))
        .at(4),
    ).toBe('"\\u0041"');
  });
});

describe('a splice', () => {
  it('changes its range and nothing else, in any order', () => {
    const splices = [
      { start: 4, end: 5, by: 'long' },
      { start: 0, end: 1, by: '' },
    ];
    expect(spliceText('abcdef', splices)).toBe('bcdlongf');
    expect(() =>
      spliceText('abc', [
        { start: 0, end: 2, by: '' },
        { start: 1, end: 3, by: '' },
      ]),
    ).toThrow(RangeError);
  });
});
