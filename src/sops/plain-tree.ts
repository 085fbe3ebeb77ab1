import type { YamlComment, YamlMap, YamlNode, YamlScalar } from '../yaml/tree.ts';
import type { CommentPlace } from './comment-place.ts';
import { mapKey } from './walk.ts';
import { type SopsFormat, sopsScalar } from './scalar.ts';

/** A document as sops holds it once it is opened: what is written for `sops -d`. Bytes, because values are in it. */
export type PlainNode = PlainScalar | PlainMap | PlainSeq;

export interface PlainScalar {
  readonly kind: 'scalar';
  readonly type: 'null' | 'str' | 'int' | 'float' | 'bool' | 'time';
  readonly bytes: Uint8Array;
}

/** The texts of comments, without `#`: sops knows those before an entry, beside its value, and after the last one. */
interface Commented {
  readonly comments: readonly Uint8Array[];
  readonly inline: readonly Uint8Array[];
}

export interface PlainEntry extends Commented {
  readonly key: Uint8Array;
  readonly value: PlainNode;
}

export interface PlainItem extends Commented {
  readonly value: PlainNode;
}

export interface PlainMap {
  readonly kind: 'map';
  readonly entries: readonly PlainEntry[];
  readonly trailing: readonly Uint8Array[];
}

export interface PlainSeq {
  readonly kind: 'seq';
  readonly items: readonly PlainItem[];
  readonly trailing: readonly Uint8Array[];
}

/** What stands for the encrypted parts: opened bytes, or tokens. */
export interface Opened {
  readonly format: SopsFormat;
  readonly file: string;
  valueOf(scalar: YamlScalar): PlainScalar | undefined;
  /** An encrypted comment that is an element of a list; undefined for an element that is none. */
  listComment(scalar: YamlScalar): Uint8Array | 'dropped' | undefined;
  comment(comment: YamlComment): { readonly bytes: Uint8Array; readonly wasEncrypted: boolean };
}

const NO_COMMENTS: Commented = { comments: [], inline: [] };

/** The tree of one document; the places of its comments as `placeComments` found them. */
export function plainTree(map: YamlMap, places: readonly CommentPlace[], opened: Opened): PlainMap {
  const at = new Map<YamlNode, { before: Uint8Array[]; inline: Uint8Array[]; trailing: Uint8Array[] }>();
  for (const { place, node, comment } of places) {
    const lists = at.get(node) ?? { before: [], inline: [], trailing: [] };
    at.set(node, lists);
    const { bytes, wasEncrypted } = opened.comment(comment);
    // That a comment stood beside its value is lost when sops opens it.
    lists[place === 'inline' && wasEncrypted ? 'before' : place].push(bytes);
  }
  const commented = (node: YamlNode): Commented => {
    const lists = at.get(node);
    return lists === undefined ? NO_COMMENTS : { comments: lists.before, inline: lists.inline };
  };
  const trailing = (node: YamlNode): readonly Uint8Array[] => at.get(node)?.trailing ?? [];
  const walk = (node: YamlNode): PlainNode => {
    if (node.kind === 'scalar') return opened.valueOf(node) ?? clearScalar(node, opened);
    return node.kind === 'map' ? walkMap(node) : walkSeq(node);
  };
  const walkMap = (node: YamlMap): PlainMap => ({
    kind: 'map',
    entries: node.entries.map(({ key, value }) => ({
      ...commented(key),
      key: Buffer.from(mapKey(key, opened.format, opened.file), 'utf8'),
      value: walk(value),
    })),
    trailing: trailing(node),
  });
  const walkSeq = (node: YamlNode & { readonly kind: 'seq' }): PlainSeq => {
    const items: PlainItem[] = [];
    let waiting: Uint8Array[] = [];
    for (const item of node.items) {
      const own = commented(item);
      const comment = item.kind === 'scalar' ? opened.listComment(item) : undefined;
      if (comment === undefined) {
        items.push({ comments: [...waiting, ...own.comments], inline: own.inline, value: walk(item) });
        waiting = [];
      } else if (comment !== 'dropped') waiting.push(...own.comments, comment);
    }
    return { kind: 'seq', items, trailing: [...waiting, ...trailing(node)] };
  };
  return walkMap(map);
}

function clearScalar(scalar: YamlScalar, opened: Opened): PlainScalar {
  const value = sopsScalar(scalar, opened.format, opened.file);
  if (value.type === 'null') return { kind: 'scalar', type: 'null', bytes: new Uint8Array() };
  return { kind: 'scalar', type: value.type, bytes: Buffer.from(value.text, 'utf8') };
}
