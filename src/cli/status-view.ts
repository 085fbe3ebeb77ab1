import type { Json } from '../core/json.ts';
import { arrayAt, numberAt, stringAt } from '../core/json.ts';
import { shortRevision } from '../core/ids.ts';
import { shellWord } from '../core/shell-word.ts';
import type { Revision } from '../core/ids.ts';
import { table } from './output.ts';
import type { Paint, Style } from './terminal.ts';
import { harmless } from './terminal.ts';

/**
 * The status document as text for people. It is read field by field and not trusted: it comes from the cluster, may
 * be of another version, and every text of it is made harmless.
 */
export function statusText(status: Json, paint: Paint): string {
  const syncs = arrayAt(status, 'syncs');
  const sections = [
    agentLine(status),
    syncTable(syncs, paint),
    ...syncs.map((sync) => sourceError(sync, paint)),
    ...syncs.map((sync) => attention(sync, paint)),
    pending(syncs, paint),
    exposures(status, paint),
    pauses(status, paint),
    corrections(status, paint),
    keys(status, paint),
    rehearsal(status),
  ];
  return sections.filter((section) => section !== '').join('\n');
}

/** True when every sync is Ready; an agent without syncs has nothing to report. */
export function isReady(status: Json): boolean {
  return arrayAt(status, 'syncs').every((sync) => stringAt(sync, 'state') === 'Ready');
}

/** `app  Ready  main@sha1:…  5 of 5 current  message`: for who reads line by line. */
export function syncLines(status: Json): string[] {
  return arrayAt(status, 'syncs').map((sync) =>
    [text(sync, 'name'), text(sync, 'state'), revision(sync, 'appliedRevision'), counts(sync), text(sync, 'message')]
      .filter((cell) => cell !== '')
      .join('  '),
  );
}

function agentLine(status: Json): string {
  const version = text(status, 'agent', 'version');
  return `sotto ${version === '' ? 'of unknown version' : version}, running since ${text(status, 'agent', 'startedAt')}\n`;
}

const STATE_STYLE: ReadonlyMap<string, Style> = new Map([
  ['Ready', 'green'],
  ['Progressing', 'yellow'],
  ['Held', 'yellow'],
  ['Suspended', 'yellow'],
  ['Degraded', 'red'],
  ['Stalled', 'red'],
]);

function syncTable(syncs: readonly Json[], paint: Paint): string {
  if (syncs.length === 0) return 'No syncs in the settings.\n';
  const rows = syncs.map((sync) => [
    text(sync, 'name'),
    text(sync, 'state'),
    revision(sync, 'appliedRevision'),
    revision(sync, 'source', 'revision'),
    counts(sync),
    text(sync, 'message'),
  ]);
  return table(['SYNC', 'STATE', 'APPLIED', 'IN GIT', 'OBJECTS', 'MESSAGE'], rows, (padded, cell, column) => {
    const style = column === 1 ? STATE_STYLE.get(cell) : undefined;
    return style === undefined ? padded : paint(style, padded);
  });
}

function sourceError(sync: Json, paint: Paint): string {
  const code = text(sync, 'source', 'error', 'code');
  if (code === '') return '';
  const url = text(sync, 'source', 'url');
  return [
    paint('bold', `${text(sync, 'name')}: the source does not answer as it should`),
    `  ${paint('red', code)}`,
    `    ${url}: ${text(sync, 'source', 'error', 'message')}`,
    `      next: ${text(sync, 'source', 'error', 'next')}`,
    ...heldLine(sync),
    '',
  ].join('\n');
}

/** The agent was started anew since Git answered. */
function heldLine(sync: Json): string[] {
  const objects = numberAt(sync, 'lastApplied', 'objects');
  if (objects === undefined) return [];
  const missing = numberAt(sync, 'lastApplied', 'missing') ?? 0;
  const rest = missing === 0 ? '' : `; changes of ${missing} others stay, because they are not in it`;
  const held = revision(sync, 'lastApplied', 'revision');
  return [
    `    held meanwhile: ${held} as it was applied last, ${objects} objects, of which changes by hand are undone${rest}`,
  ];
}

const COUNTED = ['inProgress', 'failed', 'held', 'paused'] as const;

function counts(sync: Json): string {
  const current = numberAt(sync, 'counts', 'current') ?? 0;
  const desired = numberAt(sync, 'counts', 'desired') ?? 0;
  const others = COUNTED.flatMap((name) => {
    const count = numberAt(sync, 'counts', name) ?? 0;
    return count === 0 ? [] : [`${count} ${name === 'inProgress' ? 'in progress' : name}`];
  });
  return [`${current} of ${desired} current`, ...others].join(', ');
}

/** What is not as Git wants it: one heading per code, one entry per object. */
function attention(sync: Json, paint: Paint): string {
  const entries = arrayAt(sync, 'attention');
  if (entries.length === 0) return '';
  const total = numberAt(sync, 'attentionTotal') ?? entries.length;
  const lines = [paint('bold', `${text(sync, 'name')}: ${total} ${total === 1 ? 'needs' : 'need'} attention`)];
  const byCode = Map.groupBy(entries, (entry) => text(entry, 'code'));
  for (const [code, group] of byCode) {
    lines.push(`  ${paint('red', code)}`);
    for (const entry of group) lines.push(...attentionEntry(entry));
  }
  if (total > entries.length) lines.push(`  and ${total - entries.length} more`);
  return `${lines.join('\n')}\n`;
}

function attentionEntry(entry: Json): string[] {
  const key = text(entry, 'key') === '' ? '' : `key ${text(entry, 'key')}`;
  const where = [place(entry), key].filter((part) => part !== '').join(', ');
  const head = [text(entry, 'object'), where === '' ? '' : `(${where})`].filter((part) => part !== '').join(' ');
  const next = text(entry, 'next');
  const said = head === '' ? text(entry, 'message') : `${head}: ${text(entry, 'message')}`;
  return [`    ${said}`, ...(next === '' ? [] : [`      next: ${next}`])];
}

function place(entry: Json): string {
  const file = text(entry, 'file');
  const line = numberAt(entry, 'line');
  return line === undefined || file === '' ? file : `${file}:${line}`;
}

function pending(syncs: readonly Json[], paint: Paint): string {
  const rows = syncs.flatMap((sync) =>
    arrayAt(sync, 'pending').map((plan) => [
      text(sync, 'name'),
      text(plan, 'planId'),
      String(numberAt(plan, 'creates') ?? '?'),
      String(numberAt(plan, 'prunes') ?? '?'),
      text(plan, 'why'),
    ]),
  );
  if (rows.length === 0) return '';
  return `${paint('bold', 'Held until someone approves')}\n${table(['SYNC', 'PLAN', 'CREATES', 'PRUNES', 'WHY'], rows)}`;
}

/** Values that have to change, because a key in wrong hands could open them. */
function exposures(status: Json, paint: Paint): string {
  return arrayAt(status, 'exposures')
    .map((exposure) => {
      const places = arrayAt(exposure, 'values').map((value) => [text(value, 'file'), text(value, 'key')] as const);
      const [count, total] = [numberAt(exposure, 'open'), numberAt(exposure, 'total')].map((each) => each ?? 0);
      const accepted = numberAt(exposure, 'accepted') ?? 0;
      const rest = accepted === 0 ? '' : `, ${accepted} accepted as they are`;
      const head = `Exposed: ${count} of ${total} values are as ${text(exposure, 'key')} could open them${rest}`;
      const why = `since ${text(exposure, 'since')}, by ${text(exposure, 'by')}: ${text(exposure, 'reason')}`;
      const [first] = places;
      const named = first === undefined ? 'FILE KEY' : first.map((word) => shellWord(word)).join(' ');
      const change = text(exposure, 'key').startsWith('age1') ? `sotto secret set ${named}` : `seal ${named} anew`;
      return [
        paint('bold', head),
        `  ${why}`,
        ...places.map(([file, key]) => `    ${file}  ${key}`),
        ...((count ?? 0) > places.length ? [`    and ${(count ?? 0) - places.length} more`] : []),
        `      next: ${change}, and commit it   (no secret: sotto rotate accept ${named} --reason TEXT)`,
        '',
      ].join('\n');
    })
    .join('\n');
}

function pauses(status: Json, paint: Paint): string {
  const rows = arrayAt(status, 'pauses').map((pause) => [
    text(pause, 'object') || text(pause, 'sync'),
    text(pause, 'until'),
    text(pause, 'by'),
    text(pause, 'reason'),
  ]);
  return rows.length === 0 ? '' : `${paint('bold', 'Paused')}\n${table(['WHAT', 'UNTIL', 'BY', 'REASON'], rows)}`;
}

const SHOWN_CORRECTIONS = 10;

function corrections(status: Json, paint: Paint): string {
  const all = arrayAt(status, 'corrections');
  if (all.length === 0) return '';
  const rows = all
    .slice(0, SHOWN_CORRECTIONS)
    .map((correction) => [
      text(correction, 'at'),
      text(correction, 'object'),
      text(correction, 'outcome'),
      `${numberAt(correction, 'tookMs') ?? '?'} ms`,
      text(correction, 'manager'),
      arrayAt(correction, 'paths').map(String).join(' '),
    ]);
  const more = all.length > rows.length ? `${all.length - rows.length} older ones: sotto status -o json\n` : '';
  const header = ['AT', 'OBJECT', 'OUTCOME', 'TOOK', 'CHANGED BY', 'PATHS'];
  return `${paint('bold', 'Hand edits undone, newest first')}\n${table(header, rows)}${more}`;
}

function keys(status: Json, paint: Paint): string {
  const rows = arrayAt(status, 'keys').map((key) => [
    text(key, 'kind'),
    text(key, 'id'),
    text(key, 'state'),
    text(key, 'secret'),
    text(key, 'origin'),
  ]);
  return rows.length === 0
    ? ''
    : `${paint('bold', 'Keys')}\n${table(['KIND', 'ID', 'STATE', 'SECRET', 'ORIGIN'], rows)}`;
}

function rehearsal(status: Json): string {
  const at = text(status, 'rehearsal', 'at');
  if (at === '') return '';
  const count = (field: string): string => String(numberAt(status, 'rehearsal', field) ?? '?');
  const by = text(status, 'rehearsal', 'by');
  return `Rehearsed ${at} by ${by}: ${count('documents')} documents, ${count('objects')} objects\n`;
}

function revision(from: Json, ...path: readonly string[]): string {
  const found = text(from, ...path);
  return found === '' ? '-' : shortRevision(found as Revision);
}

function text(from: Json, ...path: readonly string[]): string {
  return harmless(stringAt(from, ...path) ?? '');
}
