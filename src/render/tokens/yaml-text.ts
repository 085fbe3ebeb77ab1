import type { Piece } from '../../core/closed.ts';
import { SottoError } from '../../core/errors.ts';
import { parseYaml } from '../../yaml/parse.ts';
import type { YamlDocument, YamlNode, YamlScalar } from '../../yaml/tree.ts';
import type { Place } from './findings.ts';
import { cut, literal, type Span, type Spanned, unfit } from './pieces.ts';

/**
 * The pieces of a text that is a YAML mapping or list (a file in a Secret): each scalar with a secret in it is a piece
 * of its own, because it may have to be written in another way. Undefined for any other text.
 */
export function yamlPieces(spanned: Spanned): readonly Piece[] | undefined {
  const { text, encoding, spans, place } = spanned;
  const documents = parsed(text, place);
  if (documents === undefined || !documents.some(({ root }) => root.kind !== 'scalar')) return undefined;
  const parts = documents.flatMap((document) => [
    ...scalarParts(document.root, spanned),
    ...commentParts(document, spanned),
  ]);
  const pieces: Piece[] = [];
  let at = 0;
  for (const { start, end, piece } of parts.toSorted((a, b) => a.start - b.start)) {
    pieces.push(...literal(text.slice(at, start), encoding), piece);
    at = end;
  }
  const known = (span: Span): boolean => parts.some(({ start, end }) => start <= span.start && span.end <= end);
  if (!spans.every(known)) throw unfit(place, 'in the YAML text it stands neither in a value nor in a comment');
  return [...pieces, ...literal(text.slice(at), encoding)];
}

/** What is too deep or too large may be YAML all the same. */
const TOO_MUCH: ReadonlySet<string> = new Set(['SOTTO-YAML-003', 'SOTTO-YAML-004', 'SOTTO-YAML-005', 'SOTTO-YAML-006']);

function parsed(text: string, place: Place): readonly YamlDocument[] | undefined {
  try {
    return parseYaml(text, { file: '' });
  } catch (thrown) {
    if (!(thrown instanceof SottoError)) throw thrown;
    if (TOO_MUCH.has(thrown.code)) throw unfit(place, 'it is a YAML text that is too large or too deep to be read');
    return undefined;
  }
}

function scalarParts(root: YamlNode, spanned: Spanned): Span[] {
  const { spans, place } = spanned;
  const parts: Span[] = [];
  const seen = new Set<YamlNode>();
  const walk = (node: YamlNode, isKey: boolean): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.kind === 'seq') {
      for (const item of node.items) walk(item, false);
      return;
    }
    if (node.kind === 'map') {
      for (const { key, value } of node.entries) {
        walk(key, true);
        walk(value, false);
      }
      return;
    }
    const start = node.tokenStart;
    if (!spans.some((span) => span.start < node.end && span.end > start)) return;
    if (isKey) throw unfit(place, 'it is a key of a YAML text');
    if (node.tag !== undefined && node.tag !== 'tag:yaml.org,2002:str') throw unfit(place, 'it has a tag of YAML');
    parts.push({ start, end: node.end, piece: scalarPiece(node, spanned) });
  };
  walk(root, false);
  return parts;
}

function scalarPiece(node: YamlScalar, spanned: Spanned): Piece {
  const written = cut(spanned, node.tokenStart, node.end);
  return {
    kind: 'yaml',
    scalar: { style: node.style, inFlow: node.inFlow, written, meaning: meaningOf(node, spanned) },
  };
}

/** The decoded text with its secrets: they stand in it as they stand in the written one, in the same order. */
function meaningOf(node: YamlScalar, { text, encoding, spans, place }: Spanned): readonly Piece[] {
  const own = spans.filter((span) => span.start >= node.tokenStart && span.end <= node.end);
  const pieces: Piece[] = [];
  let at = 0;
  for (const { start, end, piece } of own) {
    const found = node.text.indexOf(text.slice(start, end), at);
    // Base64 that is folded over lines reads differently from how it is written.
    if (found === -1) throw unfit(place, 'it is written over several lines of a YAML text');
    pieces.push(...literal(node.text.slice(at, found), encoding), piece);
    at = found + end - start;
  }
  return [...pieces, ...literal(node.text.slice(at), encoding)];
}

function commentParts({ comments }: YamlDocument, spanned: Spanned): Span[] {
  return comments.flatMap(({ start, end }): Span[] => {
    if (!spanned.spans.some((span) => span.start >= start && span.end <= end)) return [];
    const written = cut(spanned, start, end);
    const scalar = { style: 'comment', inFlow: false, written, meaning: written } as const;
    return [{ start, end, piece: { kind: 'yaml', scalar } }];
  });
}
