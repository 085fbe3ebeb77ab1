import { isJsonObject, member, stringAt } from '../core/json.ts';
import { markOf, type SecretMark } from './key-secret.ts';
import { ROTATION_ANNOTATION } from './marks.ts';

/** What the agent has pushed for a key that it rotates to: stored beside the key before the push. Nothing secret. */
export interface RotationMark {
  /** Of the repository, without credentials. */
  readonly url: string;
  readonly branch: string;
  /** Its id says what is in it: a branch that points at another one is not ours. */
  readonly commit: string;
  /** How many files it changes. */
  readonly files: number;
  /** How long the old key is to open older commits, once the agent runs what was merged. */
  readonly keepOldMs: number;
}

export function rotationText({ url, branch, commit, files, keepOldMs }: RotationMark): string {
  return JSON.stringify({ url, branch, commit, files, keepOldMs });
}

/** Undefined where there is none, or none that can be read: then nothing is known to be pushed. */
export function rotationMark({ annotations }: Pick<SecretMark, 'annotations'>): RotationMark | undefined {
  const text = markOf(annotations, ROTATION_ANNOTATION);
  if (text === undefined || text.length > MAX_TEXT) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const [url, branch, commit] = [stringAt(value, 'url'), stringAt(value, 'branch'), stringAt(value, 'commit')];
  const [files, keepOldMs] = [member(value, 'files'), member(value, 'keepOldMs')];
  if (url === undefined || branch === undefined || commit === undefined || !/^[0-9a-f]{40}$/.test(commit))
    return undefined;
  if (!isCount(files) || !isCount(keepOldMs) || keepOldMs > MAX_KEEP_MS) return undefined;
  return { url, branch, commit, files, keepOldMs };
}

const MAX_TEXT = 4_096;
/** As far as a date can be written. */
const MAX_KEEP_MS = 100 * 365 * 24 * 3_600_000;

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
