import type { ObjectId } from '../core/ids.ts';
import type { KindMatch, ObjectMatch } from './settings.ts';

export function matchesKind(match: KindMatch, id: ObjectId): boolean {
  return match.kind === id.kind && (match.group === undefined || match.group === id.group);
}

export function matchesObject(match: ObjectMatch, id: ObjectId): boolean {
  if (!matchesKind(match, id)) return false;
  if (match.namespace !== undefined && match.namespace !== id.namespace) return false;
  return match.name === undefined || match.name === id.name;
}
