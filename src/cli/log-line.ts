import { isJsonObject, type Json, type JsonObject, parseJson, stringAt, stringifyJson } from '../core/json.ts';
import { escaped, harmless, type Paint, type Style } from './terminal.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A line of the agent's log, or of something else that wrote into it (Node itself, a shell). */
export type LogLine =
  | { readonly kind: 'entry'; readonly entry: JsonObject; readonly level: LogLevel | undefined }
  | { readonly kind: 'other'; readonly text: string };

export function readLogLine(text: string): LogLine {
  try {
    const entry = parseJson(text);
    if (isJsonObject(entry) && typeof entry['msg'] === 'string') {
      const level = stringAt(entry, 'level');
      return { kind: 'entry', entry, level: LOG_LEVELS.find((known) => known === level) };
    }
  } catch {
    // Not ours: shown as it is.
  }
  return { kind: 'other', text };
}

/** What is no entry of ours, or of a level nobody knows, is never left out. */
export function isAtLeast(line: LogLine, least: LogLevel): boolean {
  if (line.kind === 'other' || line.level === undefined) return true;
  return LOG_LEVELS.indexOf(line.level) >= LOG_LEVELS.indexOf(least);
}

/** The line as it was written, with what acts on a terminal as escapes. */
export function rawLine(line: LogLine): string {
  // A line that is no JSON may hold raw control characters, which JSON cannot.
  return line.kind === 'entry' ? escaped(stringifyJson(line.entry)) : harmless(line.text);
}

const STYLE: Readonly<Record<LogLevel, Style>> = { debug: 'dim', info: 'green', warn: 'yellow', error: 'red' };
const SHOWN_APART = new Set(['level', 'time', 'msg', 'error', 'code']);

/** `13:05:02 WARN  refused  sync=app`, and below it what an error says with its next step. */
export function prettyLine(line: LogLine, paint: Paint): string {
  if (line.kind === 'other') return harmless(line.text);
  const { entry, level } = line;
  const time = /T(\d\d:\d\d:\d\d)/.exec(stringAt(entry, 'time') ?? '')?.[1] ?? '--:--:--';
  const word = (level ?? '?').toUpperCase().padEnd(5);
  const fields = Object.entries(entry).filter(([name]) => !SHOWN_APART.has(name));
  const head = [
    `${time} ${level === undefined ? word : paint(STYLE[level], word)} ${harmless(stringAt(entry, 'msg') ?? '')}`,
    ...fields.map(([name, value]) => paint('dim', `${harmless(name)}=${fieldText(value)}`)),
  ].join('  ');
  return [head, ...errorLines(entry)].join('\n');
}

function errorLines(entry: JsonObject): string[] {
  const error = entry['error'];
  const code = stringAt(entry, 'code') ?? stringAt(error, 'code');
  if (!isJsonObject(error)) return code === undefined ? [] : [`         ${harmless(code)}`];
  const what = stringAt(error, 'message') ?? stringAt(error, 'name') ?? stringifyJson(error);
  const place = ['object', 'file', 'key'].flatMap((name) => {
    const text = stringAt(error, name);
    if (text === undefined) return [];
    const line = name === 'file' && typeof error['line'] === 'number' ? `:${error['line']}` : '';
    return [`${text}${line}`];
  });
  const where = place.length === 0 ? '' : ` (${place.join(', ')})`;
  const next = stringAt(error, 'next');
  return [
    `         ${code === undefined ? '' : `${harmless(code)}: `}${harmless(`${what}${where}`)}`,
    ...(next === undefined ? [] : [`         next: ${harmless(next)}`]),
  ];
}

function fieldText(value: Json): string {
  return harmless(typeof value === 'string' ? value : stringifyJson(value));
}
