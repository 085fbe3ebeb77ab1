import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTemplateText } from '../../src/sealed/template-text.ts';

const b64 = (of: object) => ({ kind: 'base64', of });
const text = (of: string) => ({ kind: 'text', text: of });
const name = (of: string) => ({ kind: 'name', name: of });

describe('a text of template.data', () => {
  it.each([
    ['plain', [text('plain')]],
    ['', []],
    ['a }} b { c', [text('a }} b { c')]],
    ['{{ .user }}', [name('user')]],
    ['{{.user}}:{{.password}}@db', [name('user'), text(':'), name('password'), text('@db')]],
    ['{{ index . "my-key" }}', [name('my-key')]],
    ['{{ index . `my.key` }}', [name('my.key')]],
    ['{{ .a | b64enc }}', [b64(name('a'))]],
    ['{{ b64enc .a | b64enc }}', [b64(b64(name('a')))]],
    ['{{ (index . "a") | b64enc }}', [b64(name('a'))]],
    ['{{ b64enc (index . "a") }}', [b64(name('a'))]],
    ['{{ "{{" }}{{ `}}` }}', [text('{{'), text('}}')]],
    ['{{ "a\\n\\"" }}', [text('a\n"')]],
    ['a {{- .x -}} b', [text('a'), name('x'), text('b')]],
    ['a \n{{- /* why */ -}}\n b', [text('a'), text('b')]],
    ['a {{/* why }} */}} b', [text('a '), text(' b')]],
    ['{{\n\t.x\n}}', [name('x')]],
  ])('%j is read', (source, parts) => {
    expect(parseTemplateText(source)).toEqual({ ok: true, parts });
  });

  it.each([
    ['{{ .a | quote }}', 'quote is not in the subset'],
    ['{{ if .a }}x{{ end }}', 'if is not in the subset'],
    ['{{ range . }}{{ end }}', 'range is not in the subset'],
    ['{{ . }}', 'the dot alone is not in the subset'],
    ['{{ }}', 'an action ends too soon'],
    ['{{ .a', 'braces are not closed'],
    ['{{ .my-key }}', 'what begins with ".my" is not understood'],
    ['{{ .a.b }}', 'what begins with ".a" is not understood'],
    ['{{ $x }}', '"$" is not understood'],
    ['{{ .a .b }}', 'two operands stand side by side'],
    ['{{ "a }}', 'a text does not end'],
    ['{{ "\\x41" }}', 'a text has an escape other than \\n, \\t, \\\\ and \\"'],
    ['{{ index . 1 }}', '"1" is not understood'],
    ['{{ /* spaced */ }}', '"/" is not understood'],
    ['{{/* never', 'a comment does not end'],
    ['{{ .a | b64enc .b }}', 'two operands stand side by side'],
    ['{{-.a}}', '"-" is not understood'],
    [`{{ ${'('.repeat(30)}.a${')'.repeat(30)} }}`, 'it is nested too deep'],
  ])('%j is refused with the reason', (source, why) => {
    expect(parseTemplateText(source)).toEqual({ ok: false, why });
  });

  it('is read or refused, whatever it is, and at once', () => {
    const piece = fc.constantFrom(
      '{{',
      '}}',
      '-',
      ' ',
      '.',
      'a',
      '"',
      '`',
      '|',
      '(',
      ')',
      '/*',
      '*/',
      '\n',
      '\\',
      'b64enc',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const parsed = parseTemplateText(pieces.join(''));
        expect(typeof (parsed.ok ? parsed.parts : parsed.why)).toBe(parsed.ok ? 'object' : 'string');
      }),
    );
    expect(parseTemplateText(`${' '.repeat(200_000)}{{ .a }}`).ok).toBe(true);
    expect(parseTemplateText('{{ .a }}'.repeat(20_000)).ok).toBe(true);
  });
});
