import type { JsonObject } from '../core/json.ts';
import { isJsonObject, member, numberAt, stringAt, stringifyJson } from '../core/json.ts';
import { blankLastApplied, parseAnswer } from './answer-json.ts';
import { failureFromAnswer } from './failure.ts';
import type { KubeFailure } from './failure.ts';

export interface SeenObject {
  /** Whole, or PartialObjectMetadata in metadata mode. */
  readonly object: JsonObject;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** One line of a watch. */
export type WatchLine =
  | { readonly kind: 'object'; readonly type: 'added' | 'modified' | 'deleted'; readonly seen: SeenObject }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string; readonly endsList: boolean }
  | { readonly kind: 'error'; readonly failure: KubeFailure }
  | { readonly kind: 'unreadable' };

const TYPES: ReadonlyMap<string, 'added' | 'modified' | 'deleted'> = new Map([
  ['ADDED', 'added'],
  ['MODIFIED', 'modified'],
  ['DELETED', 'deleted'],
]);

/** Never throws: a line that is not an event is `unreadable`. */
export function readWatchLine(line: Buffer, secret: boolean): WatchLine {
  const event = parseLine(line, secret);
  const object = member(event, 'object');
  const type = stringAt(event, 'type') ?? '';
  if (!isJsonObject(object)) return { kind: 'unreadable' };
  if (type === 'ERROR') return { kind: 'error', failure: failureOfEvent(object, secret) };
  const resourceVersion = stringAt(object, 'metadata', 'resourceVersion') ?? '';
  if (resourceVersion === '') return { kind: 'unreadable' };
  if (type === 'BOOKMARK') {
    // A bookmark has only a version; this annotation says that the initial objects are complete (KEP-3157).
    const endsList = stringAt(object, 'metadata', 'annotations', 'k8s.io/initial-events-end') === 'true';
    return { kind: 'bookmark', resourceVersion, endsList };
  }
  const change = TYPES.get(type);
  const seen = seenObject(object);
  return change === undefined || seen === undefined ? { kind: 'unreadable' } : { kind: 'object', type: change, seen };
}

/** Undefined when it has not what every stored object has. */
export function seenObject(object: JsonObject): SeenObject | undefined {
  const name = stringAt(object, 'metadata', 'name');
  const uid = stringAt(object, 'metadata', 'uid');
  const resourceVersion = stringAt(object, 'metadata', 'resourceVersion');
  if (name === undefined || uid === undefined || resourceVersion === undefined) return undefined;
  return { object, name, uid, resourceVersion };
}

function parseLine(line: Buffer, secret: boolean): unknown {
  try {
    if (secret) blankLastApplied(line);
    return parseAnswer(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** An ERROR event carries the Status that a refused request would have had. */
function failureOfEvent(status: JsonObject, secret: boolean): KubeFailure {
  const bytes = Buffer.from(stringifyJson(status));
  return failureFromAnswer(
    { kind: 'answer', status: numberAt(status, 'code') ?? 500, retryAfterMs: undefined, bytes },
    secret,
  );
}
