import { SottoError } from '../core/errors.ts';
import { PARSE_LIMITS, type ParseLimits, type ParseOptions } from './limits.ts';
import { tooDeep, tooManyNodes } from './refusals.ts';
import { Lines, type YamlDocument, type YamlEntry, type YamlNode, type YamlScalar } from './tree.ts';

/**
 * Reads one JSON text (RFC 8259, strictly) as a tree that keeps the order of keys, their duplicates and the text of
 * numbers. Strings are `double` scalars, everything else `plain` ones. Not read with the YAML reader: that takes
 * comments, single quotes and bare words, which sops and the API server refuse.
 */
export function parseJsonTree(text: string, options: ParseOptions): YamlDocument {
  const scanner = new JsonScanner(text, { ...PARSE_LIMITS, ...options.limits }, options.file);
  const root = scanner.document();
  const { line, end } = root;
  return { root, line, start: 0, end: text.length, contentEnd: end, aliases: [], comments: [] };
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;
const WORD = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

class JsonScanner {
  readonly #text: string;
  readonly #lines: Lines;
  readonly #limits: ParseLimits;
  readonly #file: string;
  #at = 0;
  #nodes = 0;

  constructor(text: string, limits: ParseLimits, file: string) {
    this.#text = text;
    this.#lines = new Lines(text);
    this.#limits = limits;
    this.#file = file;
  }

  document(): YamlNode {
    const root = this.#value(1);
    this.#blank();
    if (this.#at < this.#text.length) throw this.#bad('there is text after the end of the value');
    return root;
  }

  #value(depth: number): YamlNode {
    this.#blank();
    this.#nodes += 1;
    if (this.#nodes > this.#limits.maxNodesPerDocument) {
      throw tooManyNodes(`more than ${this.#limits.maxNodesPerDocument} nodes are refused`, this.#place());
    }
    if (depth > this.#limits.maxDepth) throw tooDeep(this.#limits, this.#place());
    const char = this.#text.charAt(this.#at);
    if (char === '{') return this.#map(depth);
    if (char === '[') return this.#seq(depth);
    if (char === '"') return this.#string();
    const literal = this.#match(WORD) ?? this.#match(NUMBER);
    if (literal === undefined) throw this.#bad('a value is expected');
    return this.#scalar(this.#at - literal.length, literal, 'plain');
  }

  #map(depth: number): YamlNode {
    const start = this.#at;
    const entries: YamlEntry[] = [];
    this.#at += 1;
    this.#blank();
    while (!this.#takes('}')) {
      if (entries.length > 0) this.#expect(',');
      this.#blank();
      if (this.#text.charAt(this.#at) !== '"') throw this.#bad('a key in double quotes is expected');
      const key = this.#value(depth + 1);
      this.#blank();
      this.#expect(':');
      entries.push({ key, value: this.#value(depth + 1) });
      this.#blank();
    }
    return {
      kind: 'map',
      tag: undefined,
      flow: true,
      entries,
      start,
      end: this.#at,
      line: this.#lines.at(start),
    };
  }

  #seq(depth: number): YamlNode {
    const start = this.#at;
    const items: YamlNode[] = [];
    this.#at += 1;
    this.#blank();
    while (!this.#takes(']')) {
      if (items.length > 0) this.#expect(',');
      items.push(this.#value(depth + 1));
      this.#blank();
    }
    return { kind: 'seq', tag: undefined, flow: true, items, start, end: this.#at, line: this.#lines.at(start) };
  }

  #string(): YamlScalar {
    const start = this.#at;
    this.#at += 1;
    let escaped = false;
    while (this.#text.charCodeAt(this.#at) !== 34) {
      const char = this.#text.charCodeAt(this.#at);
      // Also the end of the text, where the code is NaN.
      if (!(char >= 32)) throw this.#bad('the string is not closed on its line');
      if (char !== 92) this.#at += 1;
      else if (this.#match(ESCAPE) === undefined) throw this.#bad('the string has an escape that JSON does not know');
      escaped ||= char === 92;
    }
    this.#at += 1;
    const token = this.#text.slice(start, this.#at);
    // Every escape was checked above, so JSON.parse cannot throw.
    const text: unknown = escaped ? JSON.parse(token) : token.slice(1, -1);
    return this.#scalar(start, typeof text === 'string' ? text : '', 'double');
  }

  #scalar(start: number, text: string, style: 'plain' | 'double'): YamlScalar {
    const line = this.#lines.at(start);
    return { kind: 'scalar', style, text, tag: undefined, start, tokenStart: start, end: this.#at, line, inFlow: true };
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #takes(char: string): boolean {
    if (this.#text.charAt(this.#at) !== char) return false;
    this.#at += 1;
    return true;
  }

  #expect(char: string): void {
    if (!this.#takes(char)) throw this.#bad(`'${char}' is expected`);
  }

  #blank(): void {
    for (;;) {
      const char = this.#text.charCodeAt(this.#at);
      if (char !== 32 && char !== 9 && char !== 10 && char !== 13) return;
      this.#at += 1;
    }
  }

  #place() {
    return { file: this.#file, line: this.#lines.at(Math.min(this.#at, this.#text.length)) };
  }

  #bad(why: string): SottoError {
    return new SottoError({
      code: 'SOTTO-YAML-013',
      what: 'the file is not valid JSON',
      why,
      next: 'mend the line named; the mistake can be a little before it',
      ...this.#place(),
    });
  }
}
