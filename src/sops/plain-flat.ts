import type { PlainEntry, PlainMap, PlainNode, PlainScalar } from './plain-tree.ts';

/** Formats without nesting as trees, as sops holds them: a key, or a comment between two keys. */
export type FlatItem =
  | { readonly key: string; readonly value: PlainNode }
  | { readonly key: undefined; readonly comment: Uint8Array };

export function flatMap(items: readonly FlatItem[]): PlainMap {
  const entries: PlainEntry[] = [];
  let waiting: Uint8Array[] = [];
  for (const item of items) {
    if (item.key === undefined) {
      waiting.push(...linesOf(item.comment));
      continue;
    }
    entries.push({ key: Buffer.from(item.key), value: item.value, comments: waiting, inline: [] });
    waiting = [];
  }
  return { kind: 'map', entries, trailing: waiting };
}

/** A comment of an INI file may have several lines. */
function linesOf(comment: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let start = 0; start <= comment.length; ) {
    const newline = comment.indexOf(10, start);
    const end = newline === -1 ? comment.length : newline;
    lines.push(comment.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

export interface FlatIniSection {
  readonly name: string;
  readonly comment: Uint8Array | undefined;
  readonly keys: readonly {
    readonly name: string;
    readonly value: PlainScalar;
    readonly comment: Uint8Array | undefined;
  }[];
}

/** The comment of a section stands before its keys, and that of a key behind it: so does sops hold them. */
export function iniMap(sections: readonly FlatIniSection[]): PlainMap {
  return flatMap(
    sections.map(({ name, comment, keys }) => ({
      key: name,
      value: flatMap([
        ...commentItem(comment),
        ...keys.flatMap((key): FlatItem[] => [{ key: key.name, value: key.value }, ...commentItem(key.comment)]),
      ]),
    })),
  );
}

function commentItem(comment: Uint8Array | undefined): FlatItem[] {
  return comment === undefined || comment.length === 0 ? [] : [{ key: undefined, comment }];
}

export function plainText(bytes: Uint8Array): PlainScalar {
  return { kind: 'scalar', type: 'str', bytes };
}
