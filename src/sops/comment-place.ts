import { SottoError } from '../core/errors.ts';
import { endOfLine } from '../yaml/split.ts';
import type { YamlComment, YamlDocument, YamlMap, YamlNode } from '../yaml/tree.ts';
import { type CommentLines, commentLines } from './comment-lines.ts';
import { isSopsKey } from './sops-key.ts';
import { unknownForm } from './plain-scalar.ts';

/** To which entry a comment belongs in the tree that sops makes of a document. */
export interface CommentPlace {
  readonly comment: YamlComment;
  /** Before the entry of this key or element; beside its value; after the last entry of this collection. */
  readonly place: 'before' | 'inline' | 'trailing';
  readonly node: YamlNode;
}

/** Each is looked at together with those around it. */
const MAX_COMMENTS = 2_000;

/** The start of an entry or element of a block collection. */
interface Mark {
  readonly start: number;
  readonly column: number;
  /** Key of the entry, or the element itself. */
  readonly node: YamlNode;
  readonly value: YamlNode;
  readonly within: YamlNode;
}

/**
 * Where each comment of a document belongs. go-yaml decides it while it reads, without a written rule; here are the
 * layouts in which there is no doubt (and which sops itself writes), and every other one is refused: a file whose
 * exact text is not known must not be handed out. Comments of the sops block are left out; `content` is the document
 * without it.
 */
export function placeComments(text: string, document: YamlDocument, content: YamlMap, file: string): CommentPlace[] {
  const refuse: Refuse = (comment, why) =>
    comment === undefined ? unknownForm(file, why) : doubtful(file, text, comment);
  return places({ text, document, content, placeIn: placeOf, refuse });
}

/** Makes the error for a comment whose place is in doubt, or for all of them. */
type Refuse = (comment: YamlComment | undefined, why: string) => SottoError;

/** What is looked at around each comment. */
interface Layout {
  readonly text: string;
  readonly marks: readonly Mark[];
  readonly lines: CommentLines;
}

interface Placing {
  readonly text: string;
  readonly document: YamlDocument;
  readonly content: YamlMap;
  readonly placeIn: typeof placeOf;
  readonly refuse: Refuse;
}

function places({ text, document, content, placeIn, refuse }: Placing): CommentPlace[] {
  const { root } = document;
  if (root.kind !== 'map' || document.comments.length === 0) return [];
  if (document.comments.length > MAX_COMMENTS) {
    throw refuse(undefined, `it has more than ${MAX_COMMENTS} comments`);
  }
  const marks: Mark[] = [];
  collectMarks(text, root, marks);
  const layout = { text, marks, lines: commentLines(text) };
  const block = root.entries.find(({ key }) => isSopsKey(key));
  return document.comments.flatMap((comment) => {
    if (block !== undefined && comment.start > block.key.start && comment.start < endOfLine(text, block.value.end)) {
      return [];
    }
    const place = placeIn(layout, comment, content);
    if (place === undefined) throw refuse(comment, 'sops could take a comment here to belong to more than one place');
    return [{ comment, ...place }];
  });
}

/** In what order the comments of a document come between its entries. */
export interface CommentOrder {
  /** By key of a mapping or element of a list: those right before it. */
  readonly before: ReadonlyMap<YamlNode, readonly YamlComment[]>;
  /** Behind the last entry of a collection. */
  readonly after: ReadonlyMap<YamlNode, readonly YamlComment[]>;
}

/**
 * The order alone is certain in more layouts than the exact text: blank lines do not count, and a comment behind
 * `key:` or `key: |` comes before that entry. Throws SottoError where it is not.
 */
export function commentOrder(text: string, document: YamlDocument, content: YamlMap, refuse: Refuse): CommentOrder {
  const before = new Map<YamlNode, YamlComment[]>();
  const after = new Map<YamlNode, YamlComment[]>();
  for (const { comment, place, node } of places({ text, document, content, placeIn: orderOf, refuse })) {
    const into = place === 'trailing' ? after : before;
    const list = into.get(node);
    if (list === undefined) into.set(node, [comment]);
    else list.push(comment);
  }
  return { before, after };
}

type Place = Omit<CommentPlace, 'comment'>;

function placeOf(layout: Layout, comment: YamlComment, root: YamlMap): Place | undefined {
  const { text, marks } = layout;
  const lead = text.slice(lineStart(text, comment.start), comment.start);
  const before = marks[firstFrom(marks, comment.start) - 1];
  if (lead.trim() !== '') return beside(text, comment, before);
  const column = lead.length;
  const next = nextEntry(layout, comment.end);
  const [first] = root.entries;
  if (before === undefined) return first === undefined ? undefined : { place: 'before', node: first.key };
  if (isInside(comment, before.value) || isDeeperThanCommentAbove(layout, comment, column)) return undefined;
  if (next.marks.length === 0 || next.marks.some(({ node }) => isSopsKey(node))) {
    return column === 0 ? { place: 'trailing', node: root } : trailing(column, -1, comment, marks);
  }
  const mark = next.marks.find((each) => each.column === column);
  if (mark !== undefined) return next.adjoins ? { place: 'before', node: mark.node } : undefined;
  return trailing(column, next.marks[0]?.column ?? 0, comment, marks);
}

function orderOf(layout: Layout, comment: YamlComment, root: YamlMap): Place | undefined {
  const { text, marks } = layout;
  const exact = placeOf(layout, comment, root);
  if (exact !== undefined) return exact;
  const lead = text.slice(lineStart(text, comment.start), comment.start);
  const before = marks[firstFrom(marks, comment.start) - 1];
  if (before === undefined) return undefined;
  if (lead.trim() !== '') return behindKey(text, comment, before);
  if (isInside(comment, before.value) || isDeeperThanCommentAbove(layout, comment, lead.length)) return undefined;
  const next = nextEntry(layout, comment.end);
  const mark = next.marks.find((each) => each.column === lead.length);
  return mark === undefined ? undefined : { place: 'before', node: mark.node };
}

/** On the line of a key whose value starts below, or goes on below as a block. */
function behindKey(text: string, comment: YamlComment, { start, node, value, within }: Mark): Place | undefined {
  if (within.kind !== 'map' || !onOneLine(text, start, comment.start)) return undefined;
  const isBlock = value.kind === 'scalar' && (value.style === 'literal' || value.style === 'folded');
  const isBelow = value.kind !== 'scalar' && value.start > comment.start;
  return isBlock || isBelow ? { place: 'before', node } : undefined;
}

/** At the end of a line: beside a scalar, or on the line of a key whose value follows below. */
function beside(text: string, comment: YamlComment, before: Mark | undefined): Place | undefined {
  if (before === undefined || before.within.kind === 'seq') {
    const isBesideItem = before?.value.kind === 'scalar' && before.value.end <= comment.start;
    return isBesideItem && isPlainText(before.value) && onOneLine(text, before.start, comment.start)
      ? { place: 'inline', node: before.node }
      : undefined;
  }
  if (before.value.kind === 'scalar') {
    const isOnItsLine = onOneLine(text, before.start, comment.start) && before.value.end <= comment.start;
    return isOnItsLine && isPlainText(before.value) ? { place: 'inline', node: before.node } : undefined;
  }
  return undefined;
}

function isPlainText(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.style !== 'literal' && node.style !== 'folded' && node.end > node.start;
}

function onOneLine(text: string, from: number, to: number): boolean {
  return !/[\r\n]/.test(text.slice(from, to));
}

/** Deeper than what follows: it closes the innermost collection that ends here, if it stands in its column. */
function trailing(column: number, nextColumn: number, comment: YamlComment, marks: readonly Mark[]): Place | undefined {
  const before = marks[firstFrom(marks, comment.start) - 1];
  if (before === undefined || before.column !== column || column <= nextColumn) return undefined;
  if (before.value.kind !== 'scalar') return undefined;
  return { place: 'trailing', node: before.within };
}

/** The entries that start on the next line with content, and whether nothing but comments lies between. */
function nextEntry({ text, lines, marks }: Layout, from: number): { marks: readonly Mark[]; adjoins: boolean } {
  const { content, adjoins } = lines.below(endOfLine(text, from));
  if (content === undefined) return { marks: [], adjoins };
  return { marks: marks.slice(firstFrom(marks, content.start), firstFrom(marks, content.end)), adjoins };
}

function collectMarks(text: string, node: YamlNode, marks: Mark[]): void {
  if (node.kind === 'scalar' || node.flow) return;
  if (node.kind === 'map') {
    for (const { key, value } of node.entries) {
      marks.push({ start: key.start, column: columnOf(text, key.start), node: key, value, within: node });
      // An alias stands elsewhere: its comments are found at its anchor.
      if (value.start >= key.end) collectMarks(text, value, marks);
    }
    return;
  }
  for (const item of node.items) {
    if (item.start < (marks.at(-1)?.start ?? 0)) continue;
    const dash = text.lastIndexOf('-', item.start - 1);
    marks.push({ start: dash, column: columnOf(text, dash), node: item, value: item, within: node });
    collectMarks(text, item, marks);
  }
}

function isDeeperThanCommentAbove({ text, lines }: Layout, comment: YamlComment, column: number): boolean {
  const above = lines.above(lineStart(text, comment.start));
  return above?.kind === 'comment' && text.slice(above.start, above.end).indexOf('#') < column;
}

/** Index of the first mark at or behind an offset; they are in order. */
function firstFrom(marks: readonly Mark[], offset: number): number {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((marks[middle]?.start ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isInside(comment: YamlComment, node: YamlNode): boolean {
  const isFlow = node.kind !== 'scalar' && node.flow;
  return isFlow && comment.start > node.start && comment.start < node.end;
}

function columnOf(text: string, offset: number): number {
  return offset - lineStart(text, offset);
}

function lineStart(text: string, offset: number): number {
  let at = offset;
  while (at > 0 && text.charCodeAt(at - 1) !== 10 && text.charCodeAt(at - 1) !== 13) at -= 1;
  return at;
}

function doubtful(file: string, text: string, comment: YamlComment): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-021',
    what: 'a decrypted file cannot be written as sops writes it',
    why: 'where sops puts this comment is not certain, and the file has to be exactly the one that sops -d gives',
    next: 'put the comment on lines of its own right above the entry it belongs to, or remove it (sops edit)',
    file,
    line: text.slice(0, comment.start).split(/\r\n|\r|\n/).length,
  });
}
