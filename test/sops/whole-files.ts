/** Clear files whose form `sops -d` changes in its own way. */
export interface WholeFile {
  readonly name: string;
  /** Tells the format. */
  readonly file: string;
  readonly text: string;
  readonly args?: readonly string[];
}

const STRINGS = [
  'plain',
  'with spaces',
  ' leading',
  'trailing ',
  '- dash',
  '-dash',
  '-',
  '--- x',
  '...',
  'a: b',
  'a:b',
  'a #b',
  'a#b',
  '#a',
  '? q',
  '?q',
  ': c',
  ':c',
  '[a]',
  '{a}',
  'a, b',
  'a]',
  '*a',
  '&a',
  '!a',
  '|',
  '>',
  '%a',
  '@a',
  '`a',
  "it's",
  '"quoted"',
  '\'single\' and "double"',
  'back\\slash',
  'tab\there',
  'cr\rhere',
  'crlf\r\nhere',
  'bell\u0007 esc\u001b del\u007f nul\u0000',
  'nel\u0085 nbsp\u00a0',
  'é ü 日本',
  '😀',
  '\ufeffbom first x',
  'bom \ufeff inside',
  'two\nlines',
  'two\nlines\n',
  'two\nlines\n\n',
  '\nleading break',
  ' leading\nspace',
  'trailing \nspace',
  'a\n  indented\n\nlines\n',
  'tab\tin\nlines',
  'ends with blank \n ',
  '\n',
  '\n\n',
  ' \n',
  'yes',
  'No',
  'y',
  'N',
  'on',
  'OFF',
  'true',
  'False',
  'null',
  '~',
  'NULL',
  'none',
  '0123',
  '0o17',
  '0x1F',
  '0b11',
  '1_000',
  '12',
  '-12',
  '+12',
  '1.5',
  '.5',
  '5.',
  '1e3',
  '1e400',
  '1.e',
  '.',
  '-.5',
  '+.inf',
  '.NaN',
  '08',
  '0777',
  '99999999999999999999',
  '18446744073709551615',
  '18446744073709551616',
  '-9223372036854775809',
  '+9223372036854775808',
  '1'.repeat(400),
  '0x',
  '0x1G',
  '-0x1',
  '-0b1',
  '-0o7',
  '0b2',
  '1__0',
  '_1',
  '1e',
  '1e+',
  '1e-400',
  '.e1',
  '-.e',
  '..5',
  '.5.',
  '.5e3',
  '._5',
  '.5_0',
  '2024-01-01',
  '2024-1-1',
  '2024-13-01',
  '2024-02-30',
  '2024-01-01T00:00:00Z',
  '2024-01-01t1:2:3.5+05:00',
  '2024-01-01 00:00:00',
  '2024-01-01 00:00:00 -5',
  '2024-01-01T00:00:00',
  '2024-01-01T00:00:60Z',
  '2024-01-01 1:2',
  '2024-',
  '12024-01-01',
  '190:20:30',
  '1:5',
  '12:60',
  '1:2.5',
  '1:2.',
  '1:',
  '0:0:61',
  '192.168.1.1',
  '<<',
  '=',
  'soTTo',
  '$(POD)',
  '{{ .x }}',
  '<a&b>',
  'p@ss:w/ord',
  'a:',
  ':',
  '-:',
  'x'.repeat(300),
  'w '.repeat(200) + 'end',
];

const keyed = Object.fromEntries(STRINGS.map((text, at) => [`k${at}`, text]));

export const WHOLE_FILES: readonly WholeFile[] = [
  { name: 'every kind of string, as JSON', file: 'strings.json', text: JSON.stringify(keyed) },
  {
    name: 'every kind of string, as YAML',
    file: 'strings.yaml',
    text: JSON.stringify(keyed)
      .replaceAll('\u007f', '\\u007f')
      .replaceAll('\u0085', '\\u0085')
      .replaceAll('😀', '\\U0001F600')
      .replaceAll('\ufeff', '\\ufeff'),
  },
  {
    name: 'lists and mappings in each other',
    file: 'nested.yaml',
    text: `a:
  b:
    c: [1, [2, [3, {d: e}]], {f: g, h: [i]}]
  list:
  - k: v
    l:
      m: n
      o: |
        text
        more
    p: [x, y]
  - - - deep
    - q: r
  - ""
  - |
    block
    in list
  - {}
  - []
  - ~
empty: {}
none: []
nothing: ~
blank: ""
"quoted key": 1
"yes": 2
"0": 3
"a: b": 4
"12": 5
"": 6
"é": 7
"tab\\t": 8
`,
  },
  {
    name: 'long keys',
    file: 'long.yaml',
    text: `${'k'.repeat(128)}: a\n${'l'.repeat(129)}: b\nm:\n  ${'n'.repeat(130)}: c\n  ${'o'.repeat(130)}:\n    p: q\n    r: [s, {t: u}]\n  ${'v'.repeat(130)}: [w, x]\n  ${'y'.repeat(130)}: |\n    two\n    lines\n  "${'z '.repeat(70)}": {}\n`,
  },
  {
    name: 'types in clear and encrypted',
    file: 'types.yaml',
    text: `i: 7
neg: -0x1F
oct: 0777
big: 9007199254740993
f: 2.50
one: 1.0
exp: 1e21
tiny: 1e-7
small: 0.0001
smaller: 0.00001
large: 123456.5
larger: 1234567.5
huge: 1000000.0
mid: 100000.0
negf: -1234567.25
zero: 0.0
inf: -.inf
pinf: .inf
nan: .nan
b: TRUE
c: false
t: 2024-01-01
time: 2001-12-14t21:59:43.10-05:00
x_unencrypted: {i: 0777, f: 1e21, g: 1_000, b: True, t: 2024-01-01, n: ~, y: yes, s: "0123", e: 1.0}
`,
  },
  {
    name: 'types in JSON',
    file: 'types.json',
    text: '{"i": 9007199254740993, "f": 1e3, "g": 1.5, "h": 9223372036854775808, "s": 1e-7, "t": 0.000001, "u": 1e21, "v": 1e20, "n": null, "b": true, "l": [1, true, "x", {"8080": "y"}, []], "o": {}, "e": "", "p_unencrypted": [1.0, "z", false, 1e-9]}',
  },
  { name: 'several documents', file: 'documents.yaml', text: 'a: 1\n---\nb: x\n---\n{}\n---\nc: [1]\n' },
  {
    name: 'anchors and merges',
    file: 'anchors.yaml',
    text: 'a: &x\n  b: c\nd: *x\ne:\n  <<: *x\n  f: g\n',
    args: ['--encrypted-regex', '^nothing$'],
  },
  {
    name: 'comments above entries',
    file: 'comments.yaml',
    text: `# head
# second line
a: 1
# above b
b: x
m:
  # first in m
  c: y
  # above d
  d: z
  # last in m
# above e
e:
  # above the list
  - a
  # in the list
  - b
list:
  - k: v
    # inside an element
    l: w
  # before an element
  - k: x
#
# after an empty one
z: 1
# at the end
`,
  },
  {
    name: 'comments beside values',
    file: 'beside.yaml',
    text: 'a: 1 # one\nb: "x" # two\nm:\n  c: y # three\nl:\n  - a # four\n  - b\n',
  },
  {
    name: 'comments in clear',
    file: 'clear.yaml',
    text: '# head\n\n# second\na: x # beside\ndata:\n  # inside\n  k: v # secret\n  # end\nb: y\n# foot\n',
    args: ['--encrypted-regex', '^data$'],
  },
  {
    name: 'dotenv with everything',
    file: 'a.env',
    text: '# comment\nA=x\nB="quoted"\nC= spaces \n D=x\nE=\nF=a=b\nG=line\\nbreak\nH=back\\\\nslash\n\nI=é\n#\nJ=tab\there\n',
  },
  { name: 'dotenv with windows line ends', file: 'crlf.env', text: 'A=x\r\nB=ü\r\n' },
  { name: 'dotenv with a byte order mark', file: 'bom.env', text: '\ufeffA=x\nB=y\n' },
  { name: 'dotenv partly in clear', file: 'partly.env', text: '# c\nA=x\nB_unencrypted=y\n' },
  { name: 'a text of any kind', file: 'server.conf', text: '[a]\nb = c ; d\n' },
  { name: 'an empty file', file: 'empty.txt', text: '' },
];
