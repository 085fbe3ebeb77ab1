import { SottoError } from '../core/errors.ts';
import {
  Lines,
  type YamlComment,
  type YamlDocument,
  type YamlMap,
  type YamlNode,
  type YamlScalar,
} from '../yaml/tree.ts';
import { commentOrder } from './comment-place.ts';
import { CommentRuns } from './comment-runs.ts';
import type { CommentSelects, Selects } from './selector.ts';

/** Which scalars and comments of one document are encrypted. */
export interface Selection {
  value(scalar: YamlScalar, path: readonly string[]): boolean;
  comment(comment: YamlComment, path: readonly string[]): boolean;
}

export interface SelectionContext {
  readonly text: string;
  readonly file: string;
}

/** `content` is the document without its sops block. Throws SottoError where a comment selector leaves a doubt. */
export function selectionOf(
  selects: Selects,
  document: YamlDocument,
  content: YamlMap,
  context: SelectionContext,
): Selection {
  if (selects.by === 'key') {
    const { encrypts } = selects;
    return { value: (_, path) => encrypts(path), comment: (_, path) => encrypts(path) };
  }
  const encrypted = encryptedByComments(selects, document, content, context);
  return { value: (scalar) => encrypted.has(scalar), comment: (comment) => encrypted.has(comment) };
}

/** Walks a document as sops does, with the comments that are in force at each place. */
function encryptedByComments(
  selects: CommentSelects,
  document: YamlDocument,
  content: YamlMap,
  { text, file }: SelectionContext,
): ReadonlySet<YamlScalar | YamlComment> {
  const encrypted = new Set<YamlScalar | YamlComment>();
  if (document.aliases.length > 0) throw aliased(file, document.line);
  const order = commentOrder(text, document, content, (comment, why) =>
    notFollowed(comment === undefined ? { file } : { file, line: lineOf(text, comment) }, why),
  );
  const runs = new CommentRuns(selects);
  const pass = (comments: readonly YamlComment[], isList: boolean): void => {
    for (const comment of comments) {
      if (!runs.encryptsComment(text.slice(comment.start + 1, comment.end))) continue;
      encrypted.add(comment);
      if (isList && selects.encryptsMatched && !runs.isInForceAround) throw lostInList(file, text, comment);
    }
  };
  const visit = (node: YamlNode): void => {
    if (node.kind === 'scalar') {
      if (runs.encryptsValue) encrypted.add(node);
      return;
    }
    runs.enter();
    const isList = node.kind === 'seq';
    const entries = isList ? node.items.map((item) => ({ key: item, value: item })) : node.entries;
    for (const { key, value } of entries) {
      pass(order.before.get(key) ?? [], isList);
      visit(value);
      runs.entryEnds();
    }
    pass(order.after.get(node) ?? [], isList);
    runs.leave();
  };
  visit(content);
  return encrypted;
}

/** With `unencrypted_comment_regex` the ciphertext of a comment may happen to match; then it would be taken for a marker. */
export function refuseSaying(selects: Selects, sealed: string, file: string): void {
  if (selects.by === 'key' || selects.encryptsMatched || !selects.matches(sealed)) return;
  throw notFollowed(
    { file },
    'the ciphertext of a comment would match unencrypted_comment_regex itself; sops refuses that too',
  );
}

function aliased(file: string, line: number): SottoError {
  return notFollowed(
    { file, line },
    'the document has aliases, and comments in what they stand for count at each place',
  );
}

/** sops makes an element of the list of it, which ends what the comment before it said: it could not open its own file. */
function lostInList(file: string, text: string, comment: YamlComment): SottoError {
  return notFollowed(
    { file, line: lineOf(text, comment) },
    'in a list, a comment behind the one that matches would be encrypted as an element',
  );
}

function lineOf(text: string, { start }: YamlComment): number {
  return new Lines(text).at(start);
}

function notFollowed(place: { readonly file: string; readonly line?: number }, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-009',
    what: 'what the comments of the file choose to encrypt is not certain',
    why,
    next: 'put the comment on a line of its own right above the key, or select by key name: encrypted_regex',
    ...place,
  });
}
