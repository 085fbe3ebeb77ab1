import { sanitise } from '../report/sanitise.ts';
import type { Surroundings } from './context.ts';

/**
 * Text from outside (names, authors, messages, file names) as it may reach a terminal: one line, without control,
 * bidirectional and invisible characters, whatever its length.
 */
export function harmless(text: string): string {
  return sanitise(text, Number.POSITIVE_INFINITY);
}

/** JSON, or YAML whose strings stand in double quotes, with what could act on a terminal written as escapes. */
export function escaped(text: string): string {
  return text.replace(/[\p{Cf}\u007f-\u009f\u2028\u2029]/gu, (found) =>
    found.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;
export type Style = keyof typeof STYLES;
export type Paint = (style: Style, text: string) => string;

/** Colours only on a terminal, and not when NO_COLOR is set (to anything but the empty string). */
export function paintFor(around: Pick<Surroundings, 'env' | 'isTerminal'>, stream: 'stdout' | 'stderr'): Paint {
  const noColor = around.env['NO_COLOR'] ?? '';
  if (!around.isTerminal[stream] || noColor !== '' || around.env['TERM'] === 'dumb') return (_style, text) => text;
  return (style, text) => `\u001b[${STYLES[style]}m${text}\u001b[0m`;
}
