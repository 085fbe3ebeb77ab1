import type { YamlComment, YamlDocument, YamlNode } from '../yaml/tree.ts';

/**
 * The paths that each comment of a document may be bound to, the likeliest first. A comment has the path of its
 * container (spec/sops.md, 2.2); which one that is, go-yaml decides without a written rule (7.4). The first path is
 * what sops 3.13.3 was seen to do and what is written; a reader tries the others as well.
 */
export function commentPaths(text: string, document: YamlDocument): readonly (readonly (readonly string[])[])[] {
  const marks: Mark[] = [];
  collectMarks(text, document.root, [], [], marks);
  let at = 0;
  return document.comments.map((comment) => {
    while (at < marks.length && (marks[at]?.start ?? 0) < comment.start) at += 1;
    const before = marks[at - 1];
    const after = marks[at];
    const around = [...(before?.levels ?? []), ...(after?.levels ?? [])].map(({ path }) => path);
    return [pathOf(text, comment, before, after), ...around];
  });
}

/** A block container that is open at a mark. */
interface Level {
  readonly path: readonly string[];
  readonly column: number;
}

/** The start of an entry or element of a block collection. */
interface Mark {
  readonly start: number;
  /** Open containers, from the root to the one that the mark is in. */
  readonly levels: readonly Level[];
  /** The flow collection that is its value: comments in it, and the one behind it, are bound to its inside. */
  readonly flow: { readonly path: readonly string[]; readonly end: number } | undefined;
}

function collectMarks(
  text: string,
  node: YamlNode,
  path: readonly string[],
  levels: readonly Level[],
  marks: Mark[],
): void {
  if (node.kind === 'scalar' || node.flow) return;
  const first = node.kind === 'map' ? (node.entries[0]?.key.start ?? node.start) : node.start;
  const inner = [...levels, { path, column: columnOf(text, first) }];
  if (node.kind === 'seq') {
    for (const item of node.items) {
      // An alias stands elsewhere.
      if (item.start < (marks.at(-1)?.start ?? 0)) continue;
      marks.push({ start: item.start, levels: inner, flow: flowOf(item, path) });
      collectMarks(text, item, path, inner, marks);
    }
    return;
  }
  for (const { key, value } of node.entries) {
    const below = [...path, key.kind === 'scalar' ? key.text : ''];
    const isAlias = value.start < key.start;
    marks.push({ start: key.start, levels: inner, flow: isAlias ? undefined : flowOf(value, below) });
    if (isAlias) continue;
    collectMarks(text, value, below, inner, marks);
  }
}

function flowOf(node: YamlNode, path: readonly string[]): Mark['flow'] {
  return node.kind !== 'scalar' && node.flow ? { path, end: node.end } : undefined;
}

function columnOf(text: string, offset: number): number {
  return offset - lineStart(text, offset);
}

function lineStart(text: string, offset: number): number {
  let at = offset;
  while (at > 0 && text.charCodeAt(at - 1) !== 10 && text.charCodeAt(at - 1) !== 13) at -= 1;
  return at;
}

function pathOf(
  text: string,
  comment: YamlComment,
  before: Mark | undefined,
  after: Mark | undefined,
): readonly string[] {
  const lead = text.slice(lineStart(text, comment.start), comment.start).trim();
  const last = before?.levels.at(-1);
  const next = after?.levels.at(-1);
  if (before === undefined || last === undefined) return [];
  if (before.flow !== undefined && (lead !== '' || comment.start < before.flow.end)) return before.flow.path;
  if (next !== undefined && /^[- \t?]+$/.test(lead)) return next.path;
  if (lead !== '') return last.path;
  const column = columnOf(text, comment.start);
  if (next !== undefined && (next.path.length > last.path.length || column <= next.column)) return next.path;
  // Deeper than what comes next: it closes the innermost of the containers that end here which it is not left of;
  // of a mapping and a list in the same column, the mapping.
  const ending = before.levels.filter((level) => level.column > (next?.column ?? -1));
  const closing = ending.findLast((level) => level.column <= column);
  return (ending.find((level) => level.column === closing?.column) ?? ending[0] ?? last).path;
}
