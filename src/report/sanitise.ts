/**
 * Text that others wrote (branch names, authors, field managers, file names, a server's reason) on its way to a
 * terminal, an Event or the status document: escape sequences could rewrite a terminal, bidi marks could show a path
 * as another one (docs/threat-model.md).
 */

/**
 * Controls, line and paragraph separators, bidi marks, embeddings and isolates, and everything that is not drawn: zero-width
 * characters, fillers, selectors, tags.
 */
const HIDDEN = /[\p{Cc}\u2028\u2029\u061C\u200E\u200F\u202A-\u202E\uFFF9-\uFFFB\p{Default_Ignorable_Code_Point}]+/gu;

const ELLIPSIS = '…';

export const TEXT_LENGTHS = {
  /** A name, a path, a manager, a URL. */
  name: 300,
  /** A message, a reason, a next step. */
  message: 1_000,
} as const;

/** One line without hidden characters (each run becomes one space), at most `maxLength` UTF-16 units. */
export function sanitise(text: string, maxLength: number = TEXT_LENGTHS.message): string {
  // The regular expression never sees more than what could be kept: foreign text may be megabytes.
  const seen = text.length > 4 * maxLength ? text.slice(0, 4 * maxLength) : text;
  const clean = seen.toWellFormed().replace(HIDDEN, ' ').trim();
  if (clean.length <= maxLength) return seen.length === text.length ? clean : cut(`${clean}${ELLIPSIS}`, maxLength);
  return cut(clean, maxLength);
}

/** At most `maxBytes` bytes of UTF-8, never half a character: the API server counts bytes. */
export function cutToBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes - Buffer.byteLength(ELLIPSIS);
  while (end > 0 && isContinuation(bytes[end])) end--;
  return `${bytes.toString('utf8', 0, end)}${ELLIPSIS}`;
}

/** A URL without user and password, whatever the settings let through. Unparsable text loses what stands before an `@`. */
export function withoutUserinfo(url: string): string {
  return sanitise(url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1'), TEXT_LENGTHS.name);
}

/** JSON, or YAML whose strings stand in double quotes, with what could act on a terminal written as escapes. */
export function escaped(text: string): string {
  return text.replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}\u007f-\u009f\u2028\u2029]/gu, (found) =>
    found.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
}

function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  // toWellFormed would show a replacement character for half a pair; dropping the half is nicer.
  return `${text.slice(0, maxLength - ELLIPSIS.length).replace(/[\uD800-\uDBFF]$/, '')}${ELLIPSIS}`;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
