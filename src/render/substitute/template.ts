import { badExpression, unsupportedExpression } from './refusals.ts';

/** A text with variables, taken apart. */
export type Part = { readonly kind: 'text'; readonly text: string } | Expansion;

/** One `${…}`. */
export interface Expansion {
  readonly kind: 'expansion';
  readonly name: string;
  readonly use: Use;
}

/** What is done with the value of a variable: the functions of Flux, which took them from bash. */
export type Use =
  | { readonly op: 'value' }
  | { readonly op: 'length' }
  | { readonly op: 'case'; readonly to: 'upper' | 'lower'; readonly first: boolean }
  /** For a variable that is not there or is empty. */
  | { readonly op: 'default'; readonly parts: readonly Part[] }
  | { readonly op: 'substring'; readonly offset: Part; readonly length: Part | undefined }
  | { readonly op: 'trim'; readonly from: 'start' | 'end'; readonly longest: boolean; readonly pattern: Part }
  | {
      readonly op: 'replace';
      readonly where: 'first' | 'all' | 'start' | 'end';
      readonly pattern: Part;
      readonly by: Part | undefined;
    };

/** Expressions in expressions. */
const MAX_DEPTH = 16;
const NAME = /[\p{L}\p{Nd}_]+/uy;

/** Whether a text is more than itself: `${…}`, or the `$$` that stands for `$`. */
export function isTemplate(text: string): boolean {
  return text.includes('${') || text.includes('$$');
}

/** Reads a text as fluxcd/pkg/envsubst does; what that reads in a surprising way is refused. Throws SottoError. */
export function parseTemplate(text: string): readonly Part[] {
  return new TemplateParser(text).template();
}

class TemplateParser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  /** The variable of the outermost expression, for messages. */
  #name = '';

  constructor(text: string) {
    this.#text = text;
  }

  template(): readonly Part[] {
    const parts: Part[] = [];
    while (this.#at < this.#text.length) {
      if (this.#sees('${')) parts.push(this.#expansion());
      else parts.push({ kind: 'text', text: this.#until('', '$') });
    }
    return parts;
  }

  #expansion(): Expansion {
    this.#at += 2;
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw badExpression(this.#name, `more than ${MAX_DEPTH} stand inside of one another`);
    const isLength = this.#takes('#');
    NAME.lastIndex = this.#at;
    const name = NAME.exec(this.#text)?.[0];
    if (name === undefined) throw badExpression(this.#name, 'what follows "${" is not the name of a variable');
    if (this.#depth === 1) this.#name = name;
    this.#at += name.length;
    const use: Use = isLength ? { op: 'length' } : this.#use();
    if (!this.#takes('}')) throw badExpression(this.#name, 'it has no closing brace where one is expected');
    this.#depth -= 1;
    return { kind: 'expansion', name, use };
  }

  #use(): Use {
    const next = this.#text.charAt(this.#at);
    switch (next) {
      case '}':
        return { op: 'value' };
      case '=':
        this.#at += 1;
        return { op: 'default', parts: this.#defaultParts() };
      case ':':
        this.#at += 1;
        return this.#colon();
      case '^':
      case ',':
        return this.#case(next);
      case '#':
      case '%':
        return this.#trim(next);
      case '/':
        return this.#replace();
      default:
        throw isOfBash(next) ? unsupportedExpression(this.#name, next) : badExpression(this.#name, NO_FUNCTION);
    }
  }

  #colon(): Use {
    const next = this.#text.charAt(this.#at);
    if (next === '=' || next === '-') {
      this.#at += 1;
      return { op: 'default', parts: this.#defaultParts() };
    }
    // Flux reads these as `:-`, which is not what they mean anywhere else.
    if (next === '?' || next === '+') throw unsupportedExpression(this.#name, `:${next}`);
    const offset = this.#argument(':}');
    if (!this.#takes(':')) return { op: 'substring', offset, length: undefined };
    return { op: 'substring', offset, length: this.#argument('}') };
  }

  /** Text and further expressions, up to the brace. `$$` is not read as `$` here. */
  #defaultParts(): readonly Part[] {
    const parts: Part[] = [];
    while (this.#at < this.#text.length && !this.#sees('}')) {
      if (this.#sees('${')) parts.push(this.#expansion());
      else parts.push({ kind: 'text', text: this.#until('}', '') });
    }
    return parts;
  }

  #case(sign: '^' | ','): Use {
    this.#at += 1;
    const first = !this.#takes(sign);
    return { op: 'case', to: sign === '^' ? 'upper' : 'lower', first };
  }

  #trim(sign: '#' | '%'): Use {
    this.#at += 1;
    const longest = this.#takes(sign);
    return { op: 'trim', from: sign === '#' ? 'start' : 'end', longest, pattern: this.#argument('}') };
  }

  #replace(): Use {
    this.#at += 1;
    const where = this.#takes('/') ? 'all' : this.#takes('#') ? 'start' : this.#takes('%') ? 'end' : 'first';
    const pattern = this.#argument('/', '$\\');
    if (!this.#takes('/')) throw badExpression(this.#name, 'a pattern to replace ends with a slash');
    // Flux takes any number of them for one.
    if (this.#sees('/'))
      throw badExpression(this.#name, 'two slashes follow one another; a slash in a text is written \\/');
    const by = this.#sees('}') ? undefined : this.#argument('}', '$\\');
    return { op: 'replace', where, pattern, by };
  }

  /** One text or one expression: Flux takes no mixture of them. */
  #argument(ends: string, escapes = ''): Part {
    if (this.#sees('${')) return this.#expansion();
    const text = this.#until(ends, escapes);
    if (text === '') throw badExpression(this.#name, 'a part of it is empty');
    return { kind: 'text', text };
  }

  /** Text up to an expression, one of the characters, or the end. `escapes`: which of `$$`, `\\` and `\/` are one character. */
  #until(ends: string, escapes: string): string {
    let found = '';
    let from = this.#at;
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      const next = this.#text.charAt(this.#at + 1);
      if (char === '$' && next === '{') break;
      const isEscape =
        escapes.includes(char) &&
        ((char === '$' && next === '$') || (char === '\\' && (next === '\\' || next === '/')));
      if (isEscape) {
        found += this.#text.slice(from, this.#at);
        from = this.#at + 1;
        this.#at += 2;
        continue;
      }
      if (ends.includes(char)) break;
      this.#at += 1;
    }
    return found + this.#text.slice(from, this.#at);
  }

  #sees(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #takes(char: string): boolean {
    if (!this.#sees(char)) return false;
    this.#at += 1;
    return true;
  }
}

const NO_FUNCTION = 'what follows the name is not a function that is known';

/** `${name-default}`, `${name+text}`, `${name?message}`, `${name[0]}`, `${name@Q}` of bash. */
function isOfBash(char: string): boolean {
  return '-+?[@!*'.includes(char) && char !== '';
}
