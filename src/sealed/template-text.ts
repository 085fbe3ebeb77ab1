/**
 * The part of Go's text/template that `spec.template.data` may use here: names of entries, `index . "name"`, texts,
 * comments, trim marks, and `b64enc`. All of it puts bytes after bytes, so a value never becomes a string on the way;
 * whatever computes with a value is refused.
 */
export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  /** An entry of the SealedSecret, by name. */
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'base64'; readonly of: TemplatePart };

export type ParsedTemplateText =
  | { readonly ok: true; readonly parts: readonly TemplatePart[] }
  /** What is not in the subset, in words; nothing of it is a value. */
  | { readonly ok: false; readonly why: string };

/** Never throws. */
export function parseTemplateText(source: string): ParsedTemplateText {
  try {
    return { ok: true, parts: partsOf(source) };
  } catch (thrown) {
    if (thrown instanceof OutsideSubset) return { ok: false, why: thrown.message };
    throw thrown;
  }
}

class OutsideSubset extends Error {}

const SPACE = ' \t\r\n';
const OPEN = '{{';
const CLOSE = '}}';
const MAX_NESTING = 20;

function partsOf(source: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let at = 0;
  let trimsNext = false;
  for (;;) {
    const open = source.indexOf(OPEN, at);
    let text = source.slice(at, open === -1 ? undefined : open);
    if (trimsNext) text = text.replace(/^[ \t\r\n]+/, '');
    const trimsBefore = open !== -1 && source[open + 2] === '-' && isSpace(source[open + 3]);
    if (trimsBefore) text = trimmedEnd(text);
    if (text !== '') parts.push({ kind: 'text', text });
    if (open === -1) return parts;
    const action = readAction(source, open + (trimsBefore ? 3 : 2));
    if (action.part !== undefined) parts.push(action.part);
    at = action.end;
    trimsNext = action.trimsAfter;
  }
}

function isSpace(char: string | undefined): boolean {
  return char !== undefined && SPACE.includes(char);
}

/** Without a regular expression: one that ends in `+$` takes quadratic time over many blanks. */
function trimmedEnd(text: string): string {
  let end = text.length;
  while (isSpace(text[end - 1])) end -= 1;
  return text.slice(0, end);
}

interface Action {
  /** Undefined for a comment. */
  readonly part: TemplatePart | undefined;
  readonly end: number;
  readonly trimsAfter: boolean;
}

function readAction(source: string, start: number): Action {
  const comment = readComment(source, start);
  if (comment !== undefined) return comment;
  const words = new Words(source, start);
  const part = readPipeline(words, 0);
  if (words.next.kind !== 'close') throw unexpected(words.next);
  return { part, end: words.next.end, trimsAfter: words.next.trims };
}

/** It has to fill its braces: `{{/* … *\/}}`, with a blank only beside a trim mark. */
function readComment(source: string, start: number): Action | undefined {
  let from = start;
  if (source[start - 1] === '-') while (isSpace(source[from])) from += 1;
  if (!source.startsWith('/*', from)) return undefined;
  const end = source.indexOf('*/', from + 2);
  if (end === -1) throw new OutsideSubset('a comment does not end');
  if (source.startsWith(CLOSE, end + 2)) return { part: undefined, end: end + 4, trimsAfter: false };
  let at = end + 2;
  while (isSpace(source[at])) at += 1;
  if (at > end + 2 && source.startsWith(`-${CLOSE}`, at)) return { part: undefined, end: at + 3, trimsAfter: true };
  throw new OutsideSubset('a comment ends before its braces do');
}

type Word =
  | { readonly kind: 'close'; readonly end: number; readonly trims: boolean }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'dot' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'word'; readonly word: string }
  | { readonly kind: 'sign'; readonly sign: '|' | '(' | ')' };

/** The words of one action, one ahead. */
class Words {
  readonly #source: string;
  #at: number;
  next: Word;

  constructor(source: string, start: number) {
    this.#source = source;
    this.#at = start;
    this.next = this.#read();
  }

  take(): Word {
    const taken = this.next;
    if (taken.kind !== 'close') this.next = this.#read();
    return taken;
  }

  #read(): Word {
    const source = this.#source;
    const from = this.#at;
    while (isSpace(source[this.#at])) this.#at += 1;
    const at = this.#at;
    if (source.startsWith(CLOSE, at)) return { kind: 'close', end: at + 2, trims: false };
    if (at > from && source.startsWith(`-${CLOSE}`, at)) return { kind: 'close', end: at + 3, trims: true };
    const char = source[at];
    if (char === undefined) throw new OutsideSubset('braces are not closed');
    if (char === '"' || char === '`') return this.#readText(char);
    if (char === '|' || char === '(' || char === ')') {
      this.#at += 1;
      return { kind: 'sign', sign: char };
    }
    const [found = '', dot, name = ''] = /^(\.?)([A-Za-z_][A-Za-z0-9_]*|)/.exec(source.slice(at, at + 300)) ?? [];
    if (found === '') throw new OutsideSubset(`${JSON.stringify(char)} is not understood`);
    this.#at += found.length;
    if (!this.#isAtEnd()) throw new OutsideSubset(`what begins with ${JSON.stringify(found)} is not understood`);
    if (dot === '') return { kind: 'word', word: name };
    return name === '' ? { kind: 'dot' } : { kind: 'field', name };
  }

  /** A name ends where Go's does: a dash or a further dot would make it something else. */
  #isAtEnd(): boolean {
    const char = this.#source[this.#at];
    return char === undefined || isSpace(char) || '|()'.includes(char) || this.#source.startsWith(CLOSE, this.#at);
  }

  #readText(quote: '"' | '`'): Word {
    const source = this.#source;
    let text = '';
    for (let at = this.#at + 1; at < source.length; at += 1) {
      const char = source[at] ?? '';
      if (char === quote) {
        this.#at = at + 1;
        return { kind: 'text', text };
      }
      if (quote === '`' ? char === '\r' : char === '\n') break;
      if (quote === '"' && char === '\\') {
        at += 1;
        const meant = ESCAPES.get(source[at] ?? '');
        if (meant === undefined) throw new OutsideSubset('a text has an escape other than \\n, \\t, \\\\ and \\"');
        text += meant;
      } else text += char;
    }
    throw new OutsideSubset('a text does not end');
  }
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['\\', '\\'],
  ['"', '"'],
]);

function readPipeline(words: Words, depth: number): TemplatePart {
  if (depth > MAX_NESTING) throw new OutsideSubset('it is nested too deep');
  let part = readCommand(words, depth);
  while (words.next.kind === 'sign' && words.next.sign === '|') {
    words.take();
    const name = words.take();
    if (name.kind !== 'word' || name.word !== 'b64enc') throw unexpected(name);
    part = encoded(part);
  }
  return part;
}

function readCommand(words: Words, depth: number): TemplatePart {
  const first = words.next;
  if (first.kind === 'word' && first.word === 'b64enc') {
    words.take();
    return encoded(readOperand(words, depth));
  }
  if (first.kind === 'word' && first.word === 'index') {
    words.take();
    const [dot, name] = [words.take(), words.take()];
    if (dot.kind !== 'dot') throw unexpected(dot);
    if (name.kind !== 'text') throw unexpected(name);
    return { kind: 'name', name: name.text };
  }
  return readOperand(words, depth);
}

function readOperand(words: Words, depth: number): TemplatePart {
  const word = words.take();
  if (word.kind === 'field') return { kind: 'name', name: word.name };
  if (word.kind === 'text') return { kind: 'text', text: word.text };
  if (word.kind !== 'sign' || word.sign !== '(') throw unexpected(word);
  const inner = readPipeline(words, depth + 1);
  const close = words.take();
  if (close.kind !== 'sign' || close.sign !== ')') throw unexpected(close);
  return inner;
}

function encoded(of: TemplatePart): TemplatePart {
  return { kind: 'base64', of };
}

function unexpected(word: Word): OutsideSubset {
  switch (word.kind) {
    case 'word':
      return new OutsideSubset(`${word.word} is not in the subset`);
    case 'sign':
      return new OutsideSubset(`${word.sign} stands where nothing of the subset can`);
    case 'close':
      return new OutsideSubset('an action ends too soon');
    case 'dot':
      return new OutsideSubset('the dot alone is not in the subset');
    case 'field':
    case 'text':
    default:
      return new OutsideSubset('two operands stand side by side');
  }
}
