import { Refused, type Token, tokensOf } from './tokens.ts';
import type { Comparison, Expression, Macro, TextTest, Tree } from './tree.ts';

export type ParsedExpression =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly why: string };

const MAX_CHARS = 2_000;
/** Parentheses, macros, signs of negation and lists within each other. */
const MAX_DEPTH = 24;

const FIELDS: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata', 'spec', 'status', 'data']);
const WORDS: ReadonlySet<string> = new Set(['true', 'false', 'null', 'in']);
const COMPARISONS: readonly Comparison[] = ['==', '!=', '<', '<=', '>', '>='];
const TEXT_TESTS: readonly TextTest[] = ['startsWith', 'endsWith', 'contains'];
const MACROS: readonly Macro[] = ['all', 'exists', 'exists_one', 'filter'];
const FUNCTIONS = 'has(), size(), startsWith(), endsWith(), contains(), all(), exists(), exists_one() and filter()';

/** Reads an expression; everything that is not in the part of CEL that is taken is refused with its place. */
export function parseExpression(text: string): ParsedExpression {
  if (text.length > MAX_CHARS) return { ok: false, why: `it is longer than ${MAX_CHARS} characters` };
  const tokens = tokensOf(text);
  if (tokens instanceof Refused) return refused(tokens);
  try {
    const reader = new Reader(tokens);
    const tree = reader.whole();
    return { ok: true, expression: { text, tree } };
  } catch (thrown) {
    if (thrown instanceof Refused) return refused(thrown);
    throw thrown;
  }
}

function refused({ at, why }: Refused): ParsedExpression {
  return { ok: false, why: `at its character ${at}: ${why}` };
}

/** Recursive descent over the tokens; throws Refused. */
class Reader {
  readonly #tokens: readonly Token[];
  readonly #variables: string[] = [];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Tree {
    const tree = this.#choice();
    if (this.#peek().kind !== 'end') this.#refuse('the expression should end here');
    return tree;
  }

  #choice(): Tree {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.#refuse(`it is nested deeper than ${MAX_DEPTH}`);
    const test = this.#joined('||');
    let tree = test;
    if (this.#takes('?')) {
      const whenTrue = this.#choice();
      this.#expect(':');
      tree = { op: 'choose', test, whenTrue, whenFalse: this.#choice() };
    }
    this.#depth -= 1;
    return tree;
  }

  #joined(sign: '||' | '&&'): Tree {
    const part = (): Tree => (sign === '||' ? this.#joined('&&') : this.#relation());
    let left = part();
    while (this.#takes(sign)) left = { op: sign === '||' ? 'or' : 'and', left, right: part() };
    return left;
  }

  #relation(): Tree {
    const left = this.#unary();
    const { kind, word } = this.#peek();
    if (kind === 'name' && word === 'in') {
      this.#take();
      return { op: 'in', left, right: this.#unary() };
    }
    const how = kind === 'sign' ? COMPARISONS.find((each) => each === word) : undefined;
    if (how === undefined) return left;
    this.#take();
    return { op: 'compare', how, left, right: this.#unary() };
  }

  #unary(): Tree {
    let negated = 0;
    while (this.#takes('!')) negated += 1;
    if (negated > MAX_DEPTH) this.#refuse(`it is nested deeper than ${MAX_DEPTH}`);
    let tree = this.#takes('-') ? this.#number(true) : this.#suffixed(this.#primary());
    for (; negated > 0; negated -= 1) tree = { op: 'not', of: tree };
    return tree;
  }

  #primary(): Tree {
    const { kind, word } = this.#peek();
    if (kind === 'number') return this.#number(false);
    if (kind === 'text') return { op: 'literal', value: this.#take().word };
    if (kind === 'name') return this.#named();
    if (this.#takes('(')) {
      const tree = this.#choice();
      this.#expect(')');
      return tree;
    }
    if (word === '[' && kind === 'sign') return { op: 'list', items: this.#items() };
    return this.#refuse('a value is missing');
  }

  #items(): Tree[] {
    this.#expect('[');
    const items: Tree[] = [];
    if (this.#takes(']')) return items;
    do items.push(this.#choice());
    while (this.#takes(','));
    this.#expect(']');
    return items;
  }

  #number(negative: boolean): Tree {
    const { kind, word } = this.#peek();
    if (kind !== 'number') this.#refuse('a number is missing after the sign');
    this.#take();
    const value = word.includes('.') || Number.isSafeInteger(Number(word)) ? Number(word) : BigInt(word);
    return { op: 'literal', value: negative ? -value : value };
  }

  #named(): Tree {
    const { word, at } = this.#take();
    if (word === 'true' || word === 'false') return { op: 'literal', value: word === 'true' };
    if (word === 'null') return { op: 'literal', value: null };
    if (this.#takes('(')) return this.#called(word, at);
    if (!FIELDS.has(word) && !this.#variables.includes(word)) {
      throw new Refused(at, `there is no such name; an expression begins with one of ${[...FIELDS].join(', ')}`);
    }
    return { op: 'name', name: word };
  }

  #called(word: string, at: number): Tree {
    if (word !== 'has' && word !== 'size') throw new Refused(at, `there is no such function; known: ${FUNCTIONS}`);
    const of = this.#choice();
    this.#expect(')');
    if (word === 'size') return { op: 'size', of };
    if (of.op !== 'member') throw new Refused(at, 'has() asks for a field, as in has(status.phase)');
    return { op: 'has', of: of.of, name: of.name };
  }

  #suffixed(first: Tree): Tree {
    let tree = first;
    for (;;) {
      if (this.#takes('.')) tree = this.#dotted(tree);
      else if (this.#takes('[')) {
        tree = { op: 'index', of: tree, index: this.#choice() };
        this.#expect(']');
      } else return tree;
    }
  }

  #dotted(of: Tree): Tree {
    const { kind, word, at } = this.#peek();
    if (kind !== 'name' || WORDS.has(word)) this.#refuse('the name of a field is missing after the dot');
    this.#take();
    if (!this.#takes('(')) return { op: 'member', of, name: word };
    const how = MACROS.find((each) => each === word);
    if (how !== undefined) return this.#macro(how, of);
    const test = TEXT_TESTS.find((each) => each === word);
    if (test === undefined && word !== 'size') throw new Refused(at, `there is no such function; known: ${FUNCTIONS}`);
    const tree: Tree = test === undefined ? { op: 'size', of } : { op: 'text', how: test, of, part: this.#choice() };
    this.#expect(')');
    return tree;
  }

  #macro(how: Macro, of: Tree): Tree {
    const { kind, word: name } = this.#peek();
    if (kind !== 'name' || WORDS.has(name) || FIELDS.has(name)) {
      this.#refuse('the name of a variable is missing, as in exists(c, c.type == "Ready")');
    }
    this.#take();
    this.#expect(',');
    this.#variables.push(name);
    const body = this.#choice();
    this.#variables.pop();
    this.#expect(')');
    return { op: 'each', how, of, name, body };
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', word: '', at: 0 };
  }

  #take(): Token {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  #takes(sign: string): boolean {
    const { kind, word } = this.#peek();
    if (kind !== 'sign' || word !== sign) return false;
    this.#next += 1;
    return true;
  }

  #expect(sign: string): void {
    if (!this.#takes(sign)) this.#refuse(`"${sign}" is missing`);
  }

  #refuse(why: string): never {
    throw new Refused(this.#peek().at, why);
  }
}
