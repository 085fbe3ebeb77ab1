import {
  type AliasEvent,
  COLLECTION_STYLE,
  type DocumentDirective,
  type Event,
  EVENT_ID,
  getScalarValue,
  type MappingEvent,
  type ScalarEvent,
  type SequenceEvent,
} from 'js-yaml';
import type { ErrorPlace } from '../core/errors.ts';
import { Gaps } from './gaps.ts';
import type { ParseLimits } from './limits.ts';
import { aliasesTooLarge, tooDeep, tooManyAliases, tooManyNodes, unknownAlias } from './refusals.ts';
import type { Chunk } from './split.ts';
import { expandTag } from './tag.ts';
import type { Lines, ScalarStyle, YamlDocument, YamlEntry, YamlNode, YamlScalar, YamlToken } from './tree.ts';

const STYLES: Readonly<Record<number, ScalarStyle>> = {
  1: 'plain',
  2: 'single',
  3: 'double',
  4: 'literal',
  5: 'folded',
};

/** What the aliases of a file have stood for so far. */
export interface Aliased {
  nodes: number;
  characters: number;
}

interface Source {
  readonly text: string;
  readonly chunk: Chunk;
  readonly lines: Lines;
  readonly limits: ParseLimits;
  readonly file: string;
  readonly events: readonly Event[];
  /** Index of the first event inside the document. */
  readonly at: number;
  readonly directives: readonly DocumentDirective[];
  /** Of the whole file: a document each would multiply the caps. */
  readonly aliased: Aliased;
}

/** What stands behind an anchor. `node` is undefined while it is being read: an alias then would contain itself. */
interface Anchor {
  node: YamlNode | undefined;
  nodes: number;
  characters: number;
  depth: number;
}

type NodeEvent = ScalarEvent | SequenceEvent | MappingEvent;

/** Makes the tree of one document out of the reader's events, under the caps. */
export class DocumentBuilder {
  /** Index of the next event. */
  at: number;
  readonly #source: Source;
  readonly #gaps: Gaps;
  readonly #anchors = new Map<string, Anchor>();
  readonly #base: number;
  /** Nodes so far, every alias counted as what it stands for. */
  #nodes = 0;
  /** Of all scalars so far, aliases counted likewise. */
  #characters = 0;
  readonly #aliases: YamlToken[] = [];
  /** Deepest level seen since the last anchor opened. */
  #deepest = 0;

  constructor(source: Source) {
    this.#source = source;
    this.at = source.at;
    this.#base = source.chunk.start;
    this.#gaps = new Gaps(source.text, source.chunk.start);
  }

  build(): YamlDocument {
    const { chunk, lines } = this.#source;
    const root = this.#node(1, false);
    const contentEnd = this.#gaps.tokenEnd;
    this.#gaps.rest(chunk.end);
    const line = root.start === root.end ? lines.at(chunk.start) : root.line;
    const aliases = this.#aliases;
    return { root, line, start: chunk.start, end: chunk.end, contentEnd, aliases, comments: this.#gaps.comments };
  }

  #node(depth: number, inFlow: boolean): YamlNode {
    const event = this.#source.events[this.at];
    this.at += 1;
    if (event === undefined || event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP) {
      throw new TypeError('the event reader closed a node that it did not open');
    }
    if (event.type === EVENT_ID.ALIAS) return this.#alias(event, depth);
    const anchor = this.#openAnchor(event);
    const before = { nodes: this.#nodes, characters: this.#characters, deepest: this.#deepest };
    this.#deepest = depth;
    const node = this.#build(event, depth, inFlow);
    if (anchor !== undefined) {
      anchor.node = node;
      anchor.nodes = this.#nodes - before.nodes;
      anchor.characters = this.#characters - before.characters;
      anchor.depth = this.#deepest - depth;
    }
    this.#deepest = Math.max(this.#deepest, before.deepest);
    return node;
  }

  #build(event: NodeEvent, depth: number, inFlow: boolean): YamlNode {
    this.#count(1, event);
    if (depth > this.#source.limits.maxDepth) throw tooDeep(this.#source.limits, this.#placeOf(event));
    if (event.type === EVENT_ID.SCALAR) return this.#scalar(event, inFlow);
    const flow = event.style === COLLECTION_STYLE.FLOW;
    const start = this.#propsStart(event) ?? this.#base + event.start;
    this.#gaps.token(start, Math.max(start, this.#propsEnd(event) ?? start));
    const tag = this.#tagOf(event);
    const line = this.#source.lines.at(start);
    const bracket = flow ? this.#source.text.charAt(this.#base + event.start) : '';
    if (bracket === '{' || bracket === '[') this.#gaps.token(this.#base + event.start, this.#base + event.start + 1);
    if (event.type === EVENT_ID.SEQUENCE) {
      const items: YamlNode[] = [];
      while (!this.#closes()) items.push(this.#node(depth + 1, flow));
      return { kind: 'seq', tag, flow, items, start, end: this.#collectionEnd(bracket), line };
    }
    const entries: YamlEntry[] = [];
    while (!this.#closes()) {
      const key = this.#node(depth + 1, flow);
      entries.push({ key, value: this.#node(depth + 1, flow) });
    }
    return { kind: 'map', tag, flow, entries, start, end: this.#collectionEnd(bracket), line };
  }

  #closes(): boolean {
    if (this.#source.events[this.at]?.type !== EVENT_ID.POP) return false;
    this.at += 1;
    return true;
  }

  #collectionEnd(bracket: string): number {
    if (bracket === '{') this.#gaps.closing('}');
    if (bracket === '[') this.#gaps.closing(']');
    return this.#gaps.tokenEnd;
  }

  #scalar(event: ScalarEvent, inFlow: boolean): YamlScalar {
    const style = STYLES[event.style] ?? 'plain';
    const text = getScalarValue(this.#source.text, this.#moved(event));
    this.#characters += text.length;
    const { tokenStart, end } = this.#scalarToken(event, style);
    const start = this.#propsStart(event) ?? tokenStart;
    this.#gaps.token(start, end);
    const line = this.#source.lines.at(start);
    return { kind: 'scalar', style, text, tag: this.#tagOf(event), start, tokenStart, end, line, inFlow };
  }

  #scalarToken(event: ScalarEvent, style: ScalarStyle): { tokenStart: number; end: number } {
    if (event.valueStart === -1) {
      const at = this.#propsEnd(event) ?? this.#gaps.tokenEnd;
      return { tokenStart: at, end: at };
    }
    const start = this.#base + event.valueStart;
    const end = this.#base + event.valueEnd;
    if (style === 'plain') return { tokenStart: start, end };
    if (style === 'single' || style === 'double') return { tokenStart: start - 1, end: end + 1 };
    return { tokenStart: this.#gaps.blockHeader(this.#propsEnd(event), start), end };
  }

  #moved(event: ScalarEvent): ScalarEvent {
    if (this.#base === 0 || event.valueStart === -1) return event;
    return { ...event, valueStart: event.valueStart + this.#base, valueEnd: event.valueEnd + this.#base };
  }

  #alias(event: AliasEvent, depth: number): YamlNode {
    const { text, limits } = this.#source;
    const start = this.#base + event.anchorStart - 1;
    const end = this.#base + event.anchorEnd;
    this.#gaps.token(start, end);
    const place = this.#place(start);
    this.#aliases.push({ start, end });
    if (this.#aliases.length > limits.maxAliasesPerDocument) throw tooManyAliases(limits, place);
    const anchor = this.#anchors.get(text.slice(start + 1, end));
    if (anchor === undefined) throw unknownAlias('there is no anchor of that name before it in this document', place);
    if (anchor.node === undefined) throw unknownAlias('it stands inside of the very value it refers to', place);
    this.#count(anchor.nodes, undefined, start);
    this.#countAliased(anchor, place);
    if (depth + anchor.depth > limits.maxDepth) throw tooDeep(limits, place);
    this.#deepest = Math.max(this.#deepest, depth + anchor.depth);
    return anchor.node;
  }

  #openAnchor(event: NodeEvent): Anchor | undefined {
    if (event.anchorStart === -1) return undefined;
    const anchor: Anchor = { node: undefined, nodes: 0, characters: 0, depth: 0 };
    const name = this.#source.text.slice(this.#base + event.anchorStart, this.#base + event.anchorEnd);
    this.#anchors.set(name, anchor);
    return anchor;
  }

  #count(nodes: number, event: NodeEvent | undefined, start = 0): void {
    const { maxNodesPerDocument } = this.#source.limits;
    this.#nodes += nodes;
    if (this.#nodes <= maxNodesPerDocument) return;
    const why = `more than ${maxNodesPerDocument} nodes in one document are refused, aliases counted as what they stand for`;
    throw tooManyNodes(why, event === undefined ? this.#place(start) : this.#placeOf(event));
  }

  #countAliased({ nodes, characters }: Anchor, place: ErrorPlace): void {
    const { aliased, limits } = this.#source;
    this.#characters += characters;
    aliased.nodes += nodes;
    aliased.characters += characters;
    const isTooMuch =
      aliased.nodes > limits.maxAliasedNodesPerFile || aliased.characters > limits.maxAliasedCharactersPerFile;
    if (isTooMuch) throw aliasesTooLarge(limits, place);
  }

  #tagOf(event: NodeEvent): string | undefined {
    if (event.tagStart === -1) return undefined;
    const raw = this.#source.text.slice(this.#base + event.tagStart, this.#base + event.tagEnd);
    return expandTag(raw, this.#source.directives);
  }

  /** Start of tag and anchor, the `&` included; undefined when the node has neither. */
  #propsStart(event: NodeEvent): number | undefined {
    const starts = [event.tagStart, event.anchorStart === -1 ? -1 : event.anchorStart - 1].filter((at) => at !== -1);
    return starts.length === 0 ? undefined : this.#base + Math.min(...starts);
  }

  #propsEnd(event: NodeEvent): number | undefined {
    const end = Math.max(event.tagEnd, event.anchorEnd);
    return end === -1 ? undefined : this.#base + end;
  }

  #placeOf(event: NodeEvent): ErrorPlace {
    const start = event.type === EVENT_ID.SCALAR ? event.valueStart : event.start;
    return this.#place(start === -1 ? this.#gaps.tokenEnd : this.#base + start);
  }

  #place(offset: number): ErrorPlace {
    return { file: this.#source.file, line: this.#source.lines.at(offset) };
  }
}
