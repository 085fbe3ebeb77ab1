import * as fc from 'fast-check';

/** INI files in clear with everything that their reader does to them, and the arguments of sops they are encrypted with. */
export const INI_FILES: readonly {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly args?: readonly string[];
}[] = [
  { name: 'INI, sections and keys', text: 'a=1\nb : 2\n[s]\nlong_name=x\nc=y\n[s.t]\n[u]\nd=z\n' },
  { name: 'INI, nothing before the first section', text: '[s]\na = 1\n' },
  { name: 'INI, the default section by its name', text: 'a=1\n[DEFAULT]\nb=2\n' },
  { name: 'INI, sections of one name', text: '[s]\na=1\n[t]\nb=2\n[s]\na=3\nc=4\n' },
  { name: 'INI, keys of one name', text: '[s]\na=1\nb=2\n; third\na=3 ; beside\n' },
  { name: 'INI, names of sections', text: '[ s ]\na=1\n[a]b]\nc=1\n[x;y#z] ; beside ]\nd=2\n["q"]\ne=3\n[ü=:]\nf=1\n' },
  { name: 'INI, names of keys', text: '"a b"=1\n`c:d`=2\n"""e"f"""=3\ng h = 4\nü=5\n"x=y" : 6\nk`l = 7\n$= 8\n' },
  {
    name: 'INI, quotes',
    text: 'a=\'x\'\nb="y"\nc=\'x\' y\nd="x"y"\ne=`x;y`\nf="""x"y"""\ng=\'"x"\'\nh="it\'s"\ni=\'\nj=""\nk=\'\' \nl=`a`b`c\n',
  },
  {
    name: 'INI, text over several lines',
    text: 'a=`one\ntwo\n`\nb="""x\n  y """ ; beside\nc=x\\\n  y \\\n z\nd = e\\\n\nf=g\n',
  },
  { name: 'INI, a backslash at the end of the file', text: 'a=b\nc=d\\' },
  { name: 'INI, quotes that go on behind a backslash', text: 'a=`one\ntwo` \\\nthree`\nb=c\n' },
  {
    name: 'INI, comments',
    text: '; top\n# next\na=1 ; beside\n\n; of b\n\n;more\nb=2#x\n; of s\n[s] # beside s\n;c\nc=3\n;;d\nd=4\n; # e\ne=5\n;\nf=6\n; the end\n',
  },
  {
    name: 'INI, comments in clear',
    text: '; x\na=1\n[s]\n;;  of b \n#  more\nb=2 ; beside\n',
    args: ['--encrypted-regex', '^b$'],
  },
  {
    name: 'INI, partly in clear',
    text: 'a_unencrypted = `x;y`\nb = "  z "\n[s_unencrypted]\n; c\nc = 1\nempty =\n[t]\nempty =\n',
  },
  {
    name: 'INI, values with blanks and markers',
    text: 'a="  x  "\nb=`#;`\nc=\t\td\t\nd=`\t`\ne="a\tb"\nf=\u00a0x\u2003\ng=`\u3000`\n',
  },
  { name: 'INI, Windows line ends', text: '; top\r\n; more\r\na=1\r\n[s] ; x\r\nb=`x\r\ny`\r\nc=d\\\r\n e\r\n' },
  { name: 'INI, a byte order mark', text: '\ufeffa=1\n[s]\nb=2\n' },
  { name: 'INI, text in any language', text: '[日本]\nключ = значение\nz😀=1\n' },
  { name: 'INI, what is no expansion', text: 'a=x\nb=%(a)s ${a}\n[s.t]\nc=%(b)s\n' },
  { name: 'INI, indentation', text: '  [s]\n   a = 1\n\t; c\n\tb = 2\n' },
  { name: 'INI without anything', text: '\n' },
  { name: 'INI with a number as its names', text: '[1]\n2=3\n' },
].map((each) => ({ ...each, file: 'a.ini' }));

/** Text that is nearly INI. */
export const INI_TEXT: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '[s]',
        '[t]',
        ' [s.t] ; c',
        '[DEFAULT]',
        '; c',
        '# c',
        ';',
        ';# d',
        '',
        '  ',
        'x',
        'a=1',
        'b = 2 ; c',
        'c: `x',
        'y`',
        'd="""',
        '"""',
        'e=f\\',
        '-=1',
        '`a`=1',
        '"b"=\'2\'',
      ),
      fc
        .tuple(
          fc.constantFrom('a', 'b', 'c d', '"e=f"', '`g`', '', ' h'),
          fc.constantFrom('=', ' = ', ':', ' '),
          fc.string({ unit: fc.constantFrom(...Array.from('ab01 \t\'"`;#\\=:[]%é\u00a0\r')), maxLength: 10 }),
        )
        .map((parts) => parts.join('')),
    ),
    { maxLength: 10 },
  )
  .chain((lines) => fc.constantFrom('\n', '\n', '\n', '\r\n').map((end) => lines.join(end) + end));
