import { sanitise } from '../report/sanitise.ts';
import type { Surroundings } from './context.ts';

export { escaped } from '../report/sanitise.ts';

/**
 * Text from outside (names, authors, messages, file names) as it may reach a terminal: one line, without control,
 * bidirectional and invisible characters, whatever its length.
 */
export function harmless(text: string): string {
  return sanitise(text, Number.POSITIVE_INFINITY);
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;
export type Style = keyof typeof STYLES;
export type Paint = (style: Style, text: string) => string;

/** Clears the screen and begins at its top; what was scrolled away stays. */
export const REDRAW = '\u001b[H\u001b[2J';

/** Whether a screen can be cleared and written anew; elsewhere every change is a line of its own. */
export function isRedrawn({ env, isTerminal }: Pick<Surroundings, 'env' | 'isTerminal'>): boolean {
  return isTerminal.stdout && env['TERM'] !== 'dumb';
}

/** Colours only on a terminal, and not when NO_COLOR is set (to anything but the empty string). */
export function paintFor(around: Pick<Surroundings, 'env' | 'isTerminal'>, stream: 'stdout' | 'stderr'): Paint {
  const noColor = around.env['NO_COLOR'] ?? '';
  if (!around.isTerminal[stream] || noColor !== '' || around.env['TERM'] === 'dumb') return (_style, text) => text;
  return (style, text) => `\u001b[${STYLES[style]}m${text}\u001b[0m`;
}
