/** Where a node stands: character offsets into the text (end exclusive) and the 1-based line of its start. */
interface NodePlace {
  /** Of the first character of the node, its tag and anchor included. */
  readonly start: number;
  readonly end: number;
  readonly line: number;
}

export type ScalarStyle = 'plain' | 'single' | 'double' | 'literal' | 'folded';

export interface YamlScalar extends NodePlace {
  readonly kind: 'scalar';
  readonly style: ScalarStyle;
  /** The decoded text: escapes, folding and indentation resolved; the type is not. */
  readonly text: string;
  /** `tag:yaml.org,2002:str` for `!!str`, `!foo` for a local one; undefined for none and for the bare `!`. */
  readonly tag: string | undefined;
  /** The token itself: with its quotes, or from the `|` of a block scalar. Tag and anchor are before it. */
  readonly tokenStart: number;
  /** Inside `{…}` or `[…]`: there a plain scalar may not hold brackets and commas. */
  readonly inFlow: boolean;
}

export interface YamlSeq extends NodePlace {
  readonly kind: 'seq';
  readonly tag: string | undefined;
  /** Written with brackets. */
  readonly flow: boolean;
  readonly items: readonly YamlNode[];
}

export interface YamlEntry {
  readonly key: YamlNode;
  readonly value: YamlNode;
}

export interface YamlMap extends NodePlace {
  readonly kind: 'map';
  readonly tag: string | undefined;
  /** Written with braces, or a pair inside of brackets. */
  readonly flow: boolean;
  readonly entries: readonly YamlEntry[];
}

/**
 * A node of a parsed document. An alias is the very node of its anchor, so a node can be reached on several paths;
 * a node that contains itself cannot be made.
 */
export type YamlNode = YamlScalar | YamlSeq | YamlMap;

export interface YamlDocument {
  readonly root: YamlNode;
  /** 1-based line of the first node; of the document marker when the document is empty. */
  readonly line: number;
  /** The document's part of the text: from its `---`, or the start of the text, to the next marker. */
  readonly start: number;
  readonly end: number;
  /** Character offset after the last token: everything behind it is blank or comment. */
  readonly contentEnd: number;
  /** Where the aliases stand, in order: `*` and name. */
  readonly aliases: readonly YamlToken[];
  /** Comments outside of scalars, in order: from the `#` to the end of the line. */
  readonly comments: readonly YamlToken[];
}

export interface YamlToken {
  readonly start: number;
  readonly end: number;
}

export type YamlComment = YamlToken;

export function isNullScalar(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.style === 'plain' && node.tag === undefined && node.text === '';
}

/** The value of a key of a mapping whose keys are compared as text. */
export function entryOf(node: YamlNode, key: string): YamlEntry | undefined {
  if (node.kind !== 'map') return undefined;
  return node.entries.find((entry) => entry.key.kind === 'scalar' && entry.key.text === key);
}

/** Line numbers of a text: `\n`, `\r\n` and a lone `\r` end a line, as the YAML reader counts. */
export class Lines {
  readonly #starts: number[] = [0];

  constructor(text: string) {
    const ends = /\r\n?|\n/g;
    while (ends.exec(text) !== null) this.#starts.push(ends.lastIndex);
  }

  /** 1-based. */
  at(offset: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  }

  /** Offset at which a 1-based line starts. */
  startOf(line: number): number {
    return this.#starts[line - 1] ?? 0;
  }
}
