import type { Splice } from '../yaml/splice.ts';
import type { YamlScalar } from '../yaml/tree.ts';
import { openEnc, pathAad, sealEnc } from './cipher.ts';
import { commentPaths } from './comment-path.ts';
import { type DataKey, wrongPlace } from './data-key.ts';
import { parseEnc } from './enc.ts';
import { replaceScalar } from './encrypt-splice.ts';
import type { SopsTree } from './file.ts';
import type { EncryptedValue } from './leaf.ts';
import type { SopsFormat } from './scalar.ts';
import type { SopsWhole } from './whole.ts';

export interface Resealing {
  readonly file: string;
  readonly oldKey: DataKey;
  readonly newKey: DataKey;
}

/** Every encrypted value and comment of a YAML or JSON file for another data key, each in its place. */
export async function resealTree(
  text: string,
  { documents, walked }: SopsTree,
  format: SopsFormat,
  resealing: Resealing,
): Promise<Splice[]> {
  const splices: Splice[] = [];
  for (const [scalar, value] of [...walked.encrypted, ...walked.comments]) {
    splices.push(...inScalar(text, scalar, value.text, await resealed(value, resealing)));
  }
  if (format === 'json') return splices;
  for (const { document } of documents) {
    const paths = commentPaths(text, document);
    for (const [index, { start, end }] of document.comments.entries()) {
      const by = await resealedComment(text.slice(start + 1, end), paths[index] ?? [], resealing);
      if (by !== undefined) splices.push({ start: start + 1, end, by });
    }
  }
  return splices;
}

/** Of a dotenv or INI file: an `ENC[…]` is known by its nonce, so its text tells where it stands. */
export async function resealFlat(whole: SopsWhole, resealing: Resealing): Promise<Splice[]> {
  const splices: Splice[] = [];
  const taken = new Map<string, number>();
  for (const value of sealedOf(whole)) {
    const start = whole.text.indexOf(value.text, taken.get(value.text) ?? 0);
    // A value that is written in some other way is found missing when the result is opened.
    if (start === -1) continue;
    const end = start + value.text.length;
    taken.set(value.text, end);
    splices.push({ start, end, by: await resealed(value, resealing) });
  }
  return splices;
}

function sealedOf({ parsed }: SopsWhole): EncryptedValue[] {
  if (parsed.kind === 'dotenv') return parsed.lines.flatMap(({ value, comment }) => value ?? comment ?? []);
  if (parsed.kind !== 'ini') return [];
  return parsed.sections.flatMap(({ comment, keys }) => [
    ...(comment?.sealed === undefined ? [] : [comment.sealed]),
    ...keys.flatMap((key) => [key.comment?.sealed, key.sealed].flatMap((each) => each ?? [])),
  ]);
}

/** Only the `ENC[…]` is replaced where it stands in one piece, so that quotes stay. */
function inScalar(text: string, scalar: YamlScalar, token: string, by: string): Splice[] {
  const at = text.slice(scalar.tokenStart, scalar.end).indexOf(token);
  if (at === -1 || scalar.style === 'literal' || scalar.style === 'folded')
    return replaceScalar(text, scalar, `"${by}"`);
  const start = scalar.tokenStart + at;
  return [{ start, end: start + token.length, by }];
}

async function resealed(value: EncryptedValue, { file, oldKey, newKey }: Resealing): Promise<string> {
  const aad = pathAad(value.path);
  const opened = await openEnc(value.enc, aad, oldKey.key);
  if (opened === undefined) throw wrongPlace(file, value);
  try {
    return await sealEnc(opened, value.enc.type, aad, newKey.key);
  } finally {
    opened.fill(0);
  }
}

/** Undefined for one in clear, or one that no place opens: sops leaves it alone as well. */
async function resealedComment(
  comment: string,
  paths: readonly (readonly string[])[],
  { oldKey, newKey }: Resealing,
): Promise<string | undefined> {
  const enc = parseEnc(comment);
  if (enc?.type !== 'comment') return undefined;
  for (const path of paths) {
    const opened = await openEnc(enc, pathAad(path), oldKey.key);
    if (opened === undefined) continue;
    try {
      return await sealEnc(opened, 'comment', pathAad(path), newKey.key);
    } finally {
      opened.fill(0);
    }
  }
  return undefined;
}
