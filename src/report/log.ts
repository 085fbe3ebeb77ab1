import { pino } from 'pino';
import type { Code } from '../core/codes.ts';
import { SottoError } from '../core/errors.ts';
import { Sensitive } from '../core/sensitive.ts';
import { sanitise } from './sanitise.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a line may carry besides its message. Units belong into the names (`tookMs`, `bytes`). */
export interface LogFields {
  readonly sync?: string | undefined;
  /** As a person types it: `apps/Deployment/web`. */
  readonly object?: string | undefined;
  readonly code?: Code | undefined;
  readonly revision?: string | undefined;
  /** A SottoError is printed as its JSON; anything else is a defect: name, frames, never its message. */
  readonly error?: unknown;
  readonly [field: string]: unknown;
}

/** The log as the rest of sotto sees it. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines all carry `fields`. */
  with(fields: LogFields): Logger;
}

/** Where the lines go: `process.stdout`, a file, a list in a test. */
export interface LogStream {
  write(line: string): unknown;
}

export interface LogOptions {
  readonly stream: LogStream;
  readonly level: LogLevel;
  readonly now?: () => Date;
}

const MAX_TEXT_LENGTH = 2_000;
const MAX_ITEMS = 50;
const MAX_DEPTH = 5;
const MAX_CAUSES = 3;
/** Keys that pino writes itself: a second one in the same line would make it ambiguous. */
const RESERVED = new Set(['level', 'time', 'msg']);

/** One JSON object per line: `level`, `time` (RFC 3339, milliseconds), the fields, `msg`. */
export function createLogger(options: LogOptions): Logger {
  const now = options.now ?? (() => new Date());
  // No transports: they start worker threads, and a worker's memory outlives it (spec/memory.md, section 3).
  const sink = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${now().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void options.stream.write(line) },
  );
  const logger = (bound: LogFields): Logger => {
    const write = (level: LogLevel, message: string, fields?: LogFields): void => {
      if (sink.isLevelEnabled(level))
        sink[level](printable({ ...bound, ...fields }), sanitise(message, MAX_TEXT_LENGTH));
    };
    return {
      debug: (message, fields) => write('debug', message, fields),
      info: (message, fields) => write('info', message, fields),
      warn: (message, fields) => write('warn', message, fields),
      error: (message, fields) => write('error', message, fields),
      with: (fields) => logger({ ...bound, ...fields }),
    };
  };
  return logger({});
}

type Printable = null | boolean | number | string | readonly Printable[] | { readonly [key: string]: Printable };

function printable(fields: LogFields): { readonly [key: string]: Printable } {
  const entries = Object.entries(fields).filter(([key, value]) => value !== undefined && !RESERVED.has(key));
  return Object.fromEntries(entries.map(([key, value]) => [key, printableValue(value, 0)]));
}

/** Everything a line may hold as plain JSON: what is not known to be harmless is named, not printed. */
function printableValue(value: unknown, depth: number): Printable {
  if (value === null || value === undefined || typeof value === 'boolean') return value ?? null;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return sanitise(value, MAX_TEXT_LENGTH);
  if (typeof value !== 'object') return `[${typeof value}]`;
  if (value instanceof Sensitive) return value.toJSON();
  if (value instanceof Error) return printableError(value, MAX_CAUSES);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  // Bytes are how secret values travel: their length is all a log may know.
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (depth >= MAX_DEPTH) return '[deeper]';
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item: unknown) => printableValue(item, depth + 1));
  if (!isPlain(value)) return '[object]';
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.slice(0, MAX_ITEMS).map(([key, item]) => [key, printableValue(item, depth + 1)]));
}

/**
 * A SottoError is safe by construction. The message of any other error is not: JSON.parse and argument checks quote
 * the text they stumbled over. System errors (`connect ECONNREFUSED …`) are made of names and addresses only.
 */
export function printableError(error: Error, causes = 0): { readonly [key: string]: Printable } {
  const cause = causes > 0 && error.cause instanceof Error ? { cause: printableError(error.cause, causes - 1) } : {};
  if (error instanceof SottoError) {
    const json = Object.entries(error.toJSON()).filter(([, value]) => value !== undefined);
    return { ...Object.fromEntries(json.map(([key, value]) => [key, printableValue(value, 1)])), ...cause };
  }
  const system = 'syscall' in error && 'errno' in error;
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  if (system) return { name: error.name, ...code, message: sanitise(error.message), ...cause };
  return { name: error.name, ...code, frames: frames(error), ...cause };
}

/** The call frames without the message that a stack begins with. */
function frames(error: Error): readonly string[] {
  const lines = (error.stack ?? '')
    .replace(error.message, '')
    .split('\n')
    .map((line) => line.trim());
  return lines.filter((line) => /^at .*:\d+:\d+\)?$/.test(line)).slice(0, 8);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
