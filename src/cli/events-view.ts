import { groupOf } from '../core/ids.ts';
import { type Json, numberAt, stringAt } from '../core/json.ts';
import { table } from './output.ts';
import { harmless, type Paint } from './terminal.ts';

/** Whether the agent reported it; other controllers report on the same objects. */
export function isOwnEvent(event: Json): boolean {
  return stringAt(event, 'reportingController') === 'sotto';
}

export function isAbout(
  event: Json,
  object: { readonly group: string; readonly kind: string; readonly name: string },
): boolean {
  return (
    stringAt(event, 'regarding', 'kind') === object.kind &&
    stringAt(event, 'regarding', 'name') === object.name &&
    groupOf(stringAt(event, 'regarding', 'apiVersion') ?? '') === object.group
  );
}

/** When it was seen last: of a series its newest occurrence. */
export function seenAt(event: Json): string {
  return stringAt(event, 'series', 'lastObservedTime') ?? stringAt(event, 'eventTime') ?? '';
}

/** Newest last, as a log. MicroTime has one form, so text order is time order. */
export function inOrder(events: readonly Json[]): Json[] {
  return events.toSorted((a, b) => (seenAt(a) < seenAt(b) ? -1 : 1));
}

export function eventTable(events: readonly Json[], paint: Paint): string {
  const rows = events.map(cells);
  return table(HEADER, rows, (padded, cell, column) =>
    column === 1 && cell === 'Warning' ? paint('yellow', padded) : padded,
  );
}

/** One event on a line of its own: what comes later is not known, so nothing is aligned. */
export function eventLine(event: Json): string {
  return `${cells(event).map(harmless).join('  ')}\n`;
}

const HEADER = ['LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'COUNT', 'NOTE'];

function cells(event: Json): string[] {
  const group = groupOf(stringAt(event, 'regarding', 'apiVersion') ?? '');
  const object = `${stringAt(event, 'regarding', 'kind') ?? ''}/${stringAt(event, 'regarding', 'name') ?? ''}`;
  return [
    seenAt(event).replace(/\.\d+Z$/, 'Z'),
    stringAt(event, 'type') ?? '',
    stringAt(event, 'reason') ?? '',
    group === '' ? object : `${group}/${object}`,
    String(numberAt(event, 'series', 'count') ?? 1),
    stringAt(event, 'note') ?? '',
  ];
}
