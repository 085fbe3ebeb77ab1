/** One word or sign of an expression. */
export interface Token {
  readonly kind: 'name' | 'number' | 'text' | 'sign' | 'end';
  /** Of a text without its quotes, escapes resolved. */
  readonly word: string;
  /** 1-based, in characters of the expression. */
  readonly at: number;
}

/** Why an expression is refused. It never repeats what is written: a credential may stand in the wrong place. */
export class Refused {
  readonly at: number;
  readonly why: string;

  constructor(at: number, why: string) {
    this.at = at;
    this.why = why;
  }
}

const TOKEN =
  /(?<name>[A-Za-z_]\w*)|(?<number>\d+(?:\.\d+)?(?!\w))|(?<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?<sign>&&|\|\||==|!=|<=|>=|[<>!?:.,()[\]-])/y;
const SPACE = /\s*/y;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\'],
  ['"', '"'],
  ["'", "'"],
  ['n', '\n'],
  ['t', '\t'],
]);

export function tokensOf(text: string): Token[] | Refused {
  const tokens: Token[] = [];
  let from = skipSpace(text, 0);
  while (from < text.length) {
    TOKEN.lastIndex = from;
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined) return new Refused(from + 1, 'there is a character that does not belong there');
    const token = tokenOf(groups, from + 1);
    if (token instanceof Refused) return token;
    tokens.push(token);
    from = skipSpace(text, TOKEN.lastIndex);
  }
  return [...tokens, { kind: 'end', word: '', at: text.length + 1 }];
}

function skipSpace(text: string, from: number): number {
  SPACE.lastIndex = from;
  SPACE.exec(text);
  return SPACE.lastIndex;
}

function tokenOf(groups: Readonly<Record<string, string | undefined>>, at: number): Token | Refused {
  for (const kind of ['name', 'number', 'sign'] as const) {
    const word = groups[kind];
    if (word !== undefined) return { kind, word, at };
  }
  const word = unescaped((groups['text'] ?? '').slice(1, -1));
  return word === undefined
    ? new Refused(at, 'a text has an escape other than \\\\, \\", \\\', \\n and \\t')
    : { kind: 'text', word, at };
}

function unescaped(inner: string): string | undefined {
  let known = true;
  const word = inner.replaceAll(/\\(.)/g, (_all, letter: string) => {
    const meant = ESCAPES.get(letter);
    known &&= meant !== undefined;
    return meant ?? '';
  });
  return known ? word : undefined;
}
