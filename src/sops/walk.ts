import { type ErrorPlace, SottoError } from '../core/errors.ts';
import type { YamlMap, YamlNode, YamlScalar } from '../yaml/tree.ts';
import { parseEnc } from './enc.ts';
import type { EncryptedValue } from './leaf.ts';
import { type SopsFormat, sopsScalar } from './scalar.ts';
import type { Selection } from './selection.ts';

/** One scalar that counts in the MAC, in the order of the file. */
export type MacItem =
  | { readonly kind: 'encrypted'; readonly value: EncryptedValue }
  | { readonly kind: 'clear'; readonly scalar: YamlScalar }
  /** Of a format in which everything is text. */
  | { readonly kind: 'text'; readonly text: string };

/** What a walk over an encrypted document finds. */
export interface Walked {
  readonly encrypted: Map<YamlScalar, EncryptedValue>;
  /** Elements of lists that are encrypted comments. */
  readonly comments: Map<YamlScalar, EncryptedValue>;
  readonly macItems: MacItem[];
}

export interface WalkContext {
  readonly selection: Selection;
  readonly format: SopsFormat;
  readonly file: string;
  readonly macOnlyEncrypted: boolean;
}

/**
 * Sorts the scalars of an encrypted document, `sops` left out by the caller. What is encrypted is told by the
 * selector and never by how a value looks: a selected value in clear is an error, an unselected `ENC[…]` is text.
 */
export function walkEncrypted(root: YamlMap, context: WalkContext, into: Walked): void {
  walkMap(root, [], context, into);
}

function walkMap(map: YamlMap, path: readonly string[], context: WalkContext, into: Walked): void {
  for (const { key, value } of map.entries) {
    const name = mapKey(key, context.format, context.file);
    walk(value, [...path, name], false, context, into);
  }
}

function walk(node: YamlNode, path: readonly string[], inList: boolean, context: WalkContext, into: Walked): void {
  if (node.kind === 'map') return walkMap(node, path, context, into);
  if (node.kind === 'seq') {
    for (const item of node.items) walk(item, path, true, context, into);
    return;
  }
  if (!context.selection.value(node, path)) {
    if (!context.macOnlyEncrypted) into.macItems.push({ kind: 'clear', scalar: node });
    return;
  }
  const clear = sopsScalar(node, context.format, context.file);
  // Neither null nor the empty string is ever encrypted, and neither counts in the MAC (spec 3.1).
  if (clear.type === 'null' || (clear.type === 'str' && clear.text === '')) return;
  const place: ErrorPlace = { file: context.file, line: node.line, key: path.join('.') };
  if (clear.type !== 'str' || !clear.text.startsWith('ENC[')) throw inClear(place);
  const enc = parseEnc(node.text);
  if (enc === undefined || (enc.type === 'comment' && !inList)) throw damaged(place);
  const value: EncryptedValue = { text: node.text, enc, path, line: node.line };
  const known = into.encrypted.get(node) ?? into.comments.get(node);
  if (known !== undefined && known.path.join('\0') !== path.join('\0')) throw aliased(place);
  if (enc.type === 'comment') {
    into.comments.set(node, value);
    return;
  }
  into.encrypted.set(node, value);
  into.macItems.push({ kind: 'encrypted', value });
}

/** The key as sops reads it; sops refuses every key that is not a string. `<<` is one to it (spec 7.3). */
export function mapKey(key: YamlNode, format: SopsFormat, file: string): string {
  if (key.kind === 'scalar') {
    if (key.text === '<<') return key.text;
    const value = sopsScalar(key, format, file);
    if (value.type === 'str') return value.text;
  }
  throw new SottoError({
    code: 'SOTTO-SOPS-013',
    what: 'a key of the document is not a string',
    why: 'sops takes only strings as keys, and this one is read as something else',
    next: 'quote the key',
    file,
    line: key.line,
  });
}

export function inClear(place: ErrorPlace): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-005',
    what: 'a value that must be encrypted is in clear',
    why: 'the selector of the sops block covers it, so it was added or changed without sops',
    next: 'restore the line from Git, then set the value with sops or sotto',
    ...place,
  });
}

export function damaged(place: ErrorPlace): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-006',
    what: 'an encrypted value is damaged',
    why: 'it is not of the form ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]',
    next: 'restore the line from Git history, or set the value anew',
    ...place,
  });
}

function aliased(place: ErrorPlace): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-015',
    what: 'an encrypted value stands at two places',
    why: 'an alias repeats it, but it is bound to the place at which it was encrypted',
    next: 'write the values out and encrypt the file again',
    ...place,
  });
}
