import { SottoError } from '../core/errors.ts';
import { isJsonObject, type Json, stringAt } from '../core/json.ts';
import { REQUESTS_NAME } from '../core/labels.ts';
import { parseRequest, type RequestPlace } from '../plan/request.ts';

/** On ConfigMap `sotto-requests`: how often each rotation was begun, by id. */
export const BEGUN_ANNOTATION = 'sotto.dev/begun';

/** One that was begun as often, and has no answer, is not begun again: it may be what ends the agent. */
const MOST_BEGUN = 3;

/** What the annotation says; whoever may write requests may write it. */
export function begunIn(object: Json): ReadonlyMap<string, number> {
  try {
    const value: unknown = JSON.parse(stringAt(object, 'metadata', 'annotations', BEGUN_ANNOTATION) ?? '{}');
    const entries = isJsonObject(value) ? Object.entries(value) : [];
    return new Map(
      entries.flatMap(([id, count]) =>
        typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? [[id, count] as const] : [],
      ),
    );
  } catch {
    return new Map();
  }
}

/** Null takes the annotation away. */
export function begunText(begun: ReadonlyMap<string, number>): string | null {
  return begun.size === 0 ? null : JSON.stringify(Object.fromEntries(begun));
}

/** Only what reads a whole repository into memory is counted. */
export function isCounted(text: string, place: RequestPlace): boolean {
  try {
    return parseRequest(text, place).kind === 'rotate';
  } catch {
    return false;
  }
}

/** Undefined: it may be begun once more. */
export function begunTooOften(before: number): SottoError | undefined {
  if (before < MOST_BEGUN) return undefined;
  return new SottoError({
    code: 'SOTTO-ROTATE-036',
    what: 'the rotation was not begun again',
    why: `it was begun ${before} times, and each time the agent ended before it was done`,
    next: 'sotto rotate status; see why the agent ended (kubectl describe pod); then the same command again, or rotate from a checkout',
    object: `ConfigMap/${REQUESTS_NAME}`,
  });
}
