import { SottoError } from '../core/errors.ts';
import { type Splice, spliceText } from '../yaml/splice.ts';
import { parseYaml } from '../yaml/parse.ts';
import { endOfLine, lineStart } from '../yaml/split.ts';
import {
  entryOf,
  type YamlDocument,
  type YamlMap,
  type YamlNode,
  type YamlScalar,
  type YamlSeq,
} from '../yaml/tree.ts';
import { readPolicy, type Policy } from '../sops/policy.ts';
import { keyName } from '../sops/key-name.ts';

/** A recipient as a rule has it under `age` or `pgp`. */
export interface PolicyRecipient {
  readonly field: 'age' | 'pgp';
  readonly text: string;
}

/** Where recipients stand: a rule, counted from 0, and one of its key groups where it has any. */
export interface PolicyPlace {
  readonly rule: number;
  readonly group: number | undefined;
}

interface Config {
  readonly text: string;
  readonly file: string;
  readonly document: YamlDocument;
}

/** The text with one more recipient; every other character stays. Throws SottoError for what cannot be spliced. */
export function withRecipient(text: string, file: string, place: PolicyPlace, recipient: PolicyRecipient): string {
  const config = parsed(text, file);
  const holder = holderAt(config, place);
  const field = entryOf(holder, recipient.field);
  const splice = field === undefined ? addField(config, holder, recipient) : addItem(config, field.value, recipient);
  return checked(config, [splice], (policy) => changedAt(policy, place, (keys) => [...keys, nameOf(recipient)]));
}

/** The text without a recipient at a place. Throws SottoError, also when nobody would be left there. */
export function withoutRecipient(text: string, file: string, place: PolicyPlace, recipient: PolicyRecipient): string {
  const config = parsed(text, file);
  const splices = itemsAt(config, place, recipient.field)
    .filter((item) => isItem(item, recipient))
    .map((item) => item.removal());
  const name = nameOf(recipient);
  return checked(config, splices, (policy) => changedAt(policy, place, (keys) => keys.filter((key) => key !== name)));
}

/** The text with another recipient in the place of one, wherever it stands; beside that one it goes. Throws SottoError. */
export function withReplaced(text: string, file: string, old: PolicyRecipient, by: string): string {
  const config = parsed(text, file);
  const policy = readPolicy(text, file);
  const made = { ...old, text: by };
  const splices = policy.rules.flatMap((rule, index) =>
    rule.groups.flatMap((_, group) => {
      const place = { rule: index, group: hasGroups(config, index) ? group : undefined };
      const items = itemsAt(config, place, old.field);
      const isThere = items.some((item) => isItem(item, made));
      return items
        .filter((item) => isItem(item, old))
        .map((item) => (isThere ? item.removal() : { start: item.start, end: item.end, by }));
    }),
  );
  const [from, to] = [nameOf(old), nameOf(made)];
  return checked(config, splices, (before) =>
    before.rules.map(({ groups }) => groups.map((keys) => [...new Set(keys.map((key) => (key === from ? to : key)))])),
  );
}

function parsed(text: string, file: string): Config {
  const [document, second] = parseYaml(text, { file });
  if (document === undefined || second !== undefined) throw notSpliced(file, 1, 'it is not one YAML document');
  // An alias stands for text of another place: which of the two is meant, only a person knows.
  const [alias] = document.aliases;
  if (alias !== undefined) {
    const line = text.slice(0, alias.start).split('\n').length;
    throw notSpliced(file, line, 'it uses aliases (*name), so that one text counts at several places');
  }
  return { text, file, document };
}

function rulesOf({ document, file }: Config): readonly YamlNode[] {
  const rules = entryOf(document.root, 'creation_rules')?.value;
  if (rules?.kind === 'seq') return rules.items;
  throw notSpliced(file, document.line, 'creation_rules is not a list');
}

function hasGroups(config: Config, rule: number): boolean {
  const node = rulesOf(config)[rule];
  const groups = node === undefined ? undefined : entryOf(node, 'key_groups')?.value;
  return groups?.kind === 'seq' && groups.items.length > 0;
}

function holderAt(config: Config, { rule, group }: PolicyPlace): YamlMap {
  const node = rulesOf(config)[rule];
  const groups = node === undefined ? undefined : entryOf(node, 'key_groups')?.value;
  const holder = group === undefined ? node : groups?.kind === 'seq' ? groups.items[group] : undefined;
  if (holder?.kind !== 'map') throw notSpliced(config.file, node?.line ?? 1, 'there is no mapping with recipients');
  if (entryOf(holder, 'merge') !== undefined)
    throw notSpliced(config.file, holder.line, 'the group is put together by merge');
  return holder;
}

/** A recipient where it stands in the text. */
interface Item {
  readonly start: number;
  readonly end: number;
  removal(): Splice;
}

function itemsAt(config: Config, place: PolicyPlace, field: PolicyRecipient['field']): (Item & { text: string })[] {
  const value = entryOf(holderAt(config, place), field)?.value;
  if (value === undefined) return [];
  if (value.kind === 'scalar') return piecesOf(config, value);
  if (value.kind === 'map') throw notSpliced(config.file, value.line, `${field} is a mapping`);
  return value.items.flatMap((item, index) => {
    if (item.kind !== 'scalar') throw notSpliced(config.file, item.line, `${field} is a list of something else`);
    const pieces = piecesOf(config, item);
    const [only] = pieces;
    if (pieces.length !== 1 || only === undefined) return pieces;
    return { ...only, removal: () => (value.flow ? flowRemoval(value, index) : lineRemoval(config, item)) };
  });
}

/** The texts between commas, with their places. */
function piecesOf(config: Config, scalar: YamlScalar): (Item & { text: string })[] {
  const { start, end } = contentOf(config, scalar);
  const pieces: { text: string; start: number; end: number }[] = [];
  const pattern = /[^,]+/g;
  const source = config.text.slice(start, end);
  for (let match = pattern.exec(source); match !== null; match = pattern.exec(source)) {
    const text = match[0].trim();
    if (text === '') continue;
    const at = start + match.index + match[0].indexOf(text);
    pieces.push({ text, start: at, end: at + text.length });
  }
  return pieces.map((piece, index) => ({
    ...piece,
    removal: () => {
      const [before, after] = [pieces[index - 1], pieces[index + 1]];
      if (after !== undefined) return { start: piece.start, end: after.start, by: '' };
      return { start: before?.end ?? piece.start, end: piece.end, by: '' };
    },
  }));
}

/** Between the quotes; of a block scalar what stands below its header. */
function contentOf({ text, file }: Config, scalar: YamlScalar): { readonly start: number; readonly end: number } {
  const { style, tokenStart, end } = scalar;
  if (style === 'single' || style === 'double') {
    if (style === 'double' && text.slice(tokenStart, end).includes('\\'))
      throw notSpliced(file, scalar.line, 'the text has escapes');
    return { start: tokenStart + 1, end: end - 1 };
  }
  return style === 'plain' ? { start: tokenStart, end } : { start: endOfLine(text, tokenStart), end };
}

function flowRemoval({ items }: YamlSeq, index: number): Splice {
  const [before, item, after] = [items[index - 1], items[index], items[index + 1]];
  if (item === undefined) throw new TypeError('an item of a list is gone');
  if (after !== undefined) return { start: item.start, end: after.start, by: '' };
  return { start: before?.end ?? item.start, end: item.end, by: '' };
}

/** The line of an element with its dash, and what else stands on it. */
function lineRemoval({ text, file }: Config, item: YamlScalar): Splice {
  const start = lineStart(text, item.start);
  if (/^\s*-\s+$/.test(text.slice(start, item.start))) return { start, end: endOfLine(text, item.end), by: '' };
  throw notSpliced(file, item.line, 'the element does not stand on a line of its own');
}

function addItem(config: Config, value: YamlNode, recipient: PolicyRecipient): Splice {
  const { text, file } = config;
  if (value.kind === 'map') throw notSpliced(file, value.line, `${recipient.field} is a mapping`);
  if (value.kind === 'scalar') return addPiece(config, value, recipient);
  const last = value.items.at(-1);
  if (value.flow) {
    const at = last?.end ?? value.end - 1;
    return { start: at, end: at, by: `${last === undefined ? '' : ', '}${written(recipient)}` };
  }
  if (last === undefined) throw notSpliced(file, value.line, 'the list is empty');
  const dash = text.slice(lineStart(text, last.start), last.start);
  // The first element may stand behind other dashes; then its own is the last one.
  const margin = dash.replace(/-(?=.*-)/g, ' ');
  if (!/^\s*-\s+$/.test(margin)) throw notSpliced(file, last.line, 'the element does not stand on a line of its own');
  return behindLine(text, last.end, `${margin}${written(recipient)}`);
}

function addPiece(config: Config, scalar: YamlScalar, recipient: PolicyRecipient): Splice {
  const pieces = piecesOf(config, scalar);
  const [first, last, before] = [pieces[0], pieces.at(-1), pieces.at(-2)];
  if (first === undefined || last === undefined) {
    if (scalar.style === 'plain' || scalar.style === 'single' || scalar.style === 'double')
      return {
        start: scalar.start,
        end: scalar.end,
        by: `${scalar.start === scalar.end ? ' ' : ''}${written(recipient)}`,
      };
    throw notSpliced(config.file, scalar.line, 'the text is empty');
  }
  const { text } = config;
  const margin = text.slice(lineStart(text, first.start), first.start);
  const isBlock = scalar.style === 'literal' || scalar.style === 'folded';
  const alone = isBlock ? `,\n${margin}` : ',';
  const separator = before === undefined ? alone : text.slice(before.end, last.start);
  return { start: last.end, end: last.end, by: separator + recipient.text };
}

/** A field of its own, behind the others. */
function addField({ text, file }: Config, holder: YamlMap, recipient: PolicyRecipient): Splice {
  const last = holder.entries.at(-1);
  const first = holder.entries[0];
  if (first === undefined || last === undefined) throw notSpliced(file, holder.line, 'the mapping is empty');
  const field = `${recipient.field}: ${written(recipient)}`;
  if (holder.flow) return { start: last.value.end, end: last.value.end, by: `, ${field}` };
  const margin = ' '.repeat(first.key.start - lineStart(text, first.key.start));
  return behindLine(text, last.value.end, margin + field);
}

/** A new line behind the one on which something ends. */
function behindLine(text: string, end: number, line: string): Splice {
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  if (end > 0 && /[\r\n]/.test(text.charAt(end - 1))) return { start: end, end, by: line + eol };
  const at = endOfLine(text, end);
  if (/[\r\n]/.test(text.charAt(at - 1))) return { start: at, end: at, by: line + eol };
  return { start: at, end: at, by: eol + line };
}

/** The comment of an SSH recipient is anybody's text. */
function written({ text }: PolicyRecipient): string {
  return /^[\w+/=-][\w+/=@. -]*$/.test(text) && !/\s$/.test(text) ? text : JSON.stringify(text);
}

function isItem(item: { readonly text: string }, recipient: PolicyRecipient): boolean {
  return nameOf({ ...recipient, text: item.text }) === nameOf(recipient);
}

export function nameOf({ field, text }: PolicyRecipient): string {
  return keyName(field, () => text);
}

type Groups = Policy['rules'][number]['groups'];

function changedAt(policy: Policy, place: PolicyPlace, change: (keys: readonly string[]) => string[]): Groups[] {
  return policy.rules.map(({ groups }, index) => {
    if (index !== place.rule) return groups;
    if (groups.length === 0) return [change([])];
    return groups.map((keys, group) => (group === (place.group ?? 0) ? change(keys) : keys));
  });
}

/** What was written is read again: it must say what was asked for, and nothing else. */
function checked(config: Config, splices: readonly Splice[], wanted: (before: Policy) => Groups[]): string {
  const { text, file } = config;
  const changed = spliceText(text, distinct(splices));
  const before = readPolicy(text, file);
  const expected = wanted(before);
  const emptied = expected.findIndex((groups, index) => {
    const were = before.rules[index]?.groups ?? [];
    return groups.some((keys, group) => keys.length === 0 && (were[group]?.length ?? 0) > 0);
  });
  if (emptied !== -1) throw nobodyLeft(file, before.rules[emptied]?.line ?? 1);
  const after = readAgain(changed, file);
  const isAsked =
    after !== undefined &&
    sense(
      after,
      after.rules.map(({ groups }) => groups),
    ) === sense(before, expected);
  if (!isAsked) throw notSpliced(file, config.document.line, 'the result would not say what was asked for');
  return changed;
}

/** Of two that overlap only the first: the result is read again anyway. */
function distinct(splices: readonly Splice[]): Splice[] {
  let end = 0;
  return splices
    .toSorted((a, b) => a.start - b.start)
    .filter((splice) => {
      const isBehind = splice.start >= end;
      if (isBehind) end = splice.end;
      return isBehind;
    });
}

function readAgain(text: string, file: string): Policy | undefined {
  try {
    return readPolicy(text, file);
  } catch (thrown) {
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
}

function sense({ rules }: Policy, groups: readonly Groups[]): string {
  const keys = groups.map((each) => each.map((names) => [...names].toSorted()));
  return JSON.stringify(rules.map(({ pathRegex, threshold }, index) => [pathRegex, threshold, keys[index]]));
}

function notSpliced(file: string, line: number, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-211',
    what: '.sops.yaml was not changed',
    why: `only its recipients would be touched, and here that cannot be done: ${why}`,
    next: `change the recipients in ${file} in an editor, then run the same command again: it brings the files in line`,
    file,
    line,
  });
}

function nobodyLeft(file: string, line: number): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-215',
    what: 'the last recipient is not removed',
    why: 'nobody would be left who can open what the rule or key group covers',
    next: 'add the new recipient first: sotto recipients add age1…',
    file,
    line,
  });
}
