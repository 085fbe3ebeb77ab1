import { describe, expect, it } from 'vitest';
import { SottoError } from '../../../src/core/errors.ts';
import { expand } from '../../../src/render/substitute/expand.ts';
import { parseTemplate } from '../../../src/render/substitute/template.ts';

function expanded(text: string, variables: Readonly<Record<string, string>> = {}): string {
  const used = new Set<string>();
  try {
    return expand(parseTemplate(text), { variables: new Map(Object.entries(variables)), used, budget: { left: 1e6 } });
  } catch (thrown) {
    if (!(thrown instanceof SottoError)) throw thrown;
    return thrown.code;
  }
}

type Case = readonly [text: string, variables: Readonly<Record<string, string>>, result: string];

// The table of fluxcd/pkg/envsubst (eval_test.go), which is that of tldp.org.
const OF_FLUX: readonly Case[] = [
  ['abcdEFGH28ij', {}, 'abcdEFGH28ij'],
  ['${#var01}', { var01: 'abcdEFGH28ij' }, '12'],
  ['${var01^}', { var01: 'abcdEFGH28ij' }, 'AbcdEFGH28ij'],
  ['${var01^^}', { var01: 'abcdEFGH28ij' }, 'ABCDEFGH28IJ'],
  ['${var01,}', { var01: 'ABCDEFGH28IJ' }, 'aBCDEFGH28IJ'],
  ['${var01,,}', { var01: 'ABCDEFGH28IJ' }, 'abcdefgh28ij'],
  ['${path_name:11}', { path_name: '/srv/config/plans/a.note.for.later' }, '/plans/a.note.for.later'],
  ['${path_name:11:5}', { path_name: '/srv/config/plans/a.note.for.later' }, '/plan'],
  ['${var=xyz}', { var: 'abc' }, 'abc'],
  ['${var=xyz}', {}, 'xyz'],
  ['something ${var=${default_var}}', { default_var: 'foo' }, 'something foo'],
  ['foo: ${var=${default_var}-suffix}', { default_var: 'foo1' }, 'foo: foo1-suffix'],
  ['foo: ${var=prefix${default_var}-suffix}', { default_var: 'foo1' }, 'foo: prefixfoo1-suffix'],
  ['${var:=xyz}', {}, 'xyz'],
  ['${stringZ/%abc/XYZ}', { stringZ: 'abcABC123ABCabc' }, 'abcABC123ABCXYZ'],
  ['${stringZ/#abc/XYZ}', { stringZ: 'abcABC123ABCabc' }, 'XYZABC123ABCabc'],
  ['${stringZ//abc/xyz}', { stringZ: 'abcABC123ABCabc' }, 'xyzABC123ABCxyz'],
  ['${stringZ/abc/xyz}', { stringZ: 'abcABC123ABCabc' }, 'xyzABC123ABCabc'],
  ['${filename#*.}', { filename: 'bash.string.txt' }, 'string.txt'],
  ['${filename#*/}', { filename: 'path/to/file' }, 'to/file'],
  ['${filename#*/}', { filename: '/path/to/file' }, 'path/to/file'],
  ['${filename##*.}', { filename: 'bash.string.txt' }, 'txt'],
  ['${filename##*/}', { filename: 'path/to/file' }, 'file'],
  ['${filename##*/}', { filename: '/path/to/file' }, 'file'],
  ['${filename%.*}', { filename: 'bash.string.txt' }, 'bash.string'],
  ['${filename%%.*}', { filename: 'bash.string.txt' }, 'bash'],
  ['${var=${var01^^}}', { var01: 'abcdEFGH28ij' }, 'ABCDEFGH28IJ'],
  ['$${var01}', { var01: 'abcdEFGH28ij' }, '${var01}'],
  [
    'some text ${var01}$${var$${var01}$var01${var01}',
    { var01: 'abcdEFGH28ij' },
    'some text abcdEFGH28ij${var${var01}$var01abcdEFGH28ij',
  ],
  ['something $${var=${default_var}}', { default_var: 'foo' }, 'something ${var=foo}'],
  ['${stringZ/\\//-}', { stringZ: 'foo/bar' }, 'foo-bar'],
  ['${stringZ//\\//-}', { stringZ: 'foo/bar/baz' }, 'foo-bar-baz'],
  ['\\\\something ${var=${default_var}}', { default_var: 'foo' }, '\\\\something foo'],
  ['${stringZ/./}', { stringZ: 'foo.bar' }, 'foobar'],
];

const MORE: readonly Case[] = [
  ['${foo}', { foo: '' }, ''],
  ['${missing:-fallback}${missing:=x}${empty:-y}${empty=z}', { empty: '' }, 'fallbackxyz'],
  ['${missing:=}|${missing:-}', {}, '|'],
  ['${a:=a$$b}', {}, 'a$$b'],
  ['$$ $a $', {}, '$ $a $'],
  ['$$$${a} $$$${a}', { a: '1' }, '$${a} $${a}'],
  ['$$${a}', { a: '1' }, '$1'],
  ['${a:0}${a:-3}${a:${n}}', { a: 'abc', n: '2' }, 'abcabcc'],
  ['${a:1:-1}${a:2:-5}${a:9}${a:1:99}', { a: 'abcd' }, 'bcbcd'],
  ['${a#${p}}', { a: 'abc', p: 'a' }, 'bc'],
  ['${a#[a-c]}|${a##[^x]}|${a#\\[}', { a: 'cab' }, 'ab|ab|cab'],
  ['${a#*}|${a##*}|${a%*}|${a%%*}', { a: 'abc' }, 'bc||ab|'],
  ['${a%?}|${a#?}', { a: 'é😀' }, 'é|😀'],
  ['${#a}', { a: 'é😀' }, '6'],
  ['${a^}${a^^}', { a: 'éß' }, 'SOTTO-RENDER-075'],
  ['${a^}', { a: 'éß' }, 'Éß'],
  ['${a:0:1}', { a: 'é' }, 'SOTTO-RENDER-075'],
  ['${a/${b}/$$}', { a: 'xyz', b: 'y' }, 'x$z'],
  ['${a//b/$&}', { a: 'abab' }, 'a$&a$&'],
  ['${1:=k}${é:=l}', {}, 'kl'],
];

// What Flux refuses, and what it reads in a way that nobody means.
const REFUSED: readonly Case[] = [
  ['${missing}', {}, 'SOTTO-RENDER-073'],
  ...['#', '', '^', '^^', ',', ',,', ':0', ':0:10', '/a/b', '//a/b', '/#a/b', '/%a/b', '#a', '##a', '%a', '%%a']
    .filter((use) => use !== '')
    .map((use): Case => [use === '#' ? '${#missing}' : `\${missing${use}}`, {}, 'SOTTO-RENDER-073']),
  ['${a:=${missing}}', { a: '1' }, 'SOTTO-RENDER-073'],
  ...[
    '${',
    '${}',
    '${a',
    '${a:=x',
    '${a b}',
    '${#}',
    '${#a:=b}',
    '${!a}',
    '${a[0]}',
    '${a@Q}',
    '${a-default}',
    '${a+other}',
    '${a:+other}',
    '${a:?message}',
    '${a:}',
    '${a:1:}',
    '${a: -1}',
    '${a:x}',
    '${a#}',
    '${a/}',
    '${a/x}',
    '${a//}',
    '${a/x//y}',
    '${a/${e}/y}',
    '${a#b${a}}',
    '${a^,}',
    '${a^^^}',
    '${a#[}',
    '${a#[]}',
    '${a#b\\}',
    '${a%[a-b]}',
    '${$a}',
    '${a$}',
    `${'${a:='.repeat(20)}${'}'.repeat(20)}`,
  ].map((text): Case => [text, { a: 'abc', e: '' }, 'SOTTO-RENDER-074']),
];

describe('a text with variables', () => {
  it.each(OF_FLUX)('%s is what Flux makes of it', (text, variables, result) => {
    expect(expanded(text, variables)).toBe(result);
  });

  it.each(MORE)('%s is what it says', (text, variables, result) => {
    expect(expanded(text, variables)).toBe(result);
  });

  it.each(REFUSED)('%s is refused', (text, variables, code) => {
    expect(expanded(text, variables)).toBe(code);
  });

  it('is not read again once a value stands in it', () => {
    expect(expanded('${a}${a:-x}${b^}', { a: '${b}', b: '${a}$$' })).toBe('${b}${b}${a}$$');
  });

  it('takes no value with a line break or control character, in any of their forms', () => {
    for (const bad of ['\r', '\u0000', '\u001b', '\u007f', '\u0085', '\u2028', '\u2029', '\ufeff', '\ud800']) {
      expect(expanded('${a}', { a: `x${bad}y` })).toBe('SOTTO-RENDER-075');
      expect(expanded('${a:=d}', { a: `x${bad}y` })).toBe('SOTTO-RENDER-075');
    }
    expect(expanded('${a}', { a: 'x\ty' })).toBe('x\ty');
  });

  it('costs what it may cost at most', () => {
    const many = '${a}'.repeat(2000);
    expect(expanded(many, { a: 'x'.repeat(1000) })).toBe('SOTTO-RENDER-077');
    expect(expanded(`\${a#${'*x'.repeat(2000)}}`, { a: 'x'.repeat(1000) })).toBe('SOTTO-RENDER-077');
    expect(expanded(`\${a#[${'ab'.repeat(2000)}]}`, { a: 'x'.repeat(1000) })).toBe('SOTTO-RENDER-077');
    expect(expanded('${a//x/${b}}', { a: 'x'.repeat(1000), b: 'y'.repeat(10_000) })).toBe('SOTTO-RENDER-077');
  });

  it('names the variable in what is told, and no value', () => {
    const variables = new Map([['name', 'hunter2hunter2\r']]);
    for (const text of ['${name}', '${name:x}', '${name-x}', '${name:=${other}}', '${other}']) {
      try {
        expand(parseTemplate(text), { variables, used: new Set(), budget: { left: 1e6 } });
        expect.unreachable();
      } catch (thrown) {
        const told = thrown instanceof SottoError ? thrown.text() : String(thrown);
        expect(told).toMatch(/name|other/);
        expect(told).not.toContain('hunter2');
      }
    }
  });
});
