import type { Json } from '../core/json.ts';
import { memberAt } from '../core/json.ts';

/** kstatus' words. `Unknown` only for a Pod whose phase is none of the known ones. */
export type HealthStatus = 'Current' | 'InProgress' | 'Failed' | 'Terminating' | 'Unknown';

export interface Health {
  readonly status: HealthStatus;
  /** CamelCase word, printable; empty when the object gave none. */
  readonly reason: string;
  /** For people: one line, printable, at most 512 characters. Never trusted markup. */
  readonly message: string;
}

/** Reason of an object whose controller has not seen its last change yet. */
export const GENERATION_NOT_OBSERVED = 'LatestGenerationNotObserved';

const MAX_REASON_CHARS = 128;
const MAX_MESSAGE_CHARS = 512;
// Control, format (bidi overrides, zero width), surrogate, private and unassigned characters, line separators.
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]+/gu;

/** Conditions are written by anybody's controller: their text goes to terminals and status only in this form. */
function printable(text: string, maxChars: number): string {
  // Cut before the replacement too: a message may be megabytes.
  const clean = text
    .slice(0, maxChars * 4)
    .replaceAll(UNPRINTABLE, ' ')
    .trim();
  return clean.length <= maxChars ? clean : `${clean.slice(0, maxChars - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

function health(status: HealthStatus, reason: string, message: string): Health {
  return { status, reason: printable(reason, MAX_REASON_CHARS), message: printable(message, MAX_MESSAGE_CHARS) };
}

export const current = (message: string, reason = 'Current'): Health => health('Current', reason, message);
export const inProgress = (reason: string, message: string): Health => health('InProgress', reason, message);
export const failed = (reason: string, message: string): Health => health('Failed', reason, message);
export const terminating = (message: string): Health => health('Terminating', 'Terminating', message);
export const unknown = (reason: string, message: string): Health => health('Unknown', reason, message);

/** A whole number at the path; everything else, text and fractions included, is the fallback. */
export function integerAt(object: Json, fallback: number, ...path: readonly string[]): number {
  const found = memberAt(object, ...path);
  return typeof found === 'number' && Number.isInteger(found) ? found : fallback;
}
