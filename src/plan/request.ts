import { SottoError } from '../core/errors.ts';
import { type ObjectKey, objectKey } from '../core/ids.ts';
import { isJsonObject, type Json, type JsonObject, member } from '../core/json.ts';
import { REQUESTS_NAME } from '../core/labels.ts';
import { LIMITS } from '../core/limits.ts';
import { isPrivateKey } from '../core/private-key.ts';
import { type BranchName, parseBranch } from '../git/address.ts';
import { parseDurationMs } from '../settings/duration.ts';
import type { PauseTarget } from './pause.ts';

export type Request = {
  /** Who asks, as the request says it: a claim, not a proof. */
  readonly by: string;
  readonly reason: string;
} & (
  | { readonly kind: 'sync'; readonly sync: string | undefined }
  | { readonly kind: 'pause'; readonly target: PauseTarget; readonly until: Date }
  | { readonly kind: 'resume'; readonly target: PauseTarget }
  | { readonly kind: 'approve'; readonly plan: string; readonly sync: string | undefined }
  | { readonly kind: 'prune'; readonly plan: string }
  | { readonly kind: 'adopt-orphans'; readonly plan: string; readonly sync: string | undefined }
  | { readonly kind: 'fingerprint'; readonly plan: string | undefined }
  | { readonly kind: 'canary'; readonly key: string; readonly sealed: string }
  | { readonly kind: 'expose'; readonly key: string }
  /** Undefined: everything that is exposed. */
  | { readonly kind: 'accept'; readonly value: { readonly file: string; readonly key: string } | undefined }
  | RotateRequest
  | { readonly kind: 'rehearsed'; readonly documents: number; readonly objects: number }
  | { readonly kind: 'adopt'; readonly target: PauseTarget; readonly from: string | undefined }
);

/** A rotation by the agent itself. */
export interface RotateRequest {
  readonly kind: 'rotate';
  readonly by: string;
  readonly reason: string;
  readonly sync: string | undefined;
  /** The new branch; undefined: one named after the new key. */
  readonly branch: BranchName | undefined;
  readonly keys: RotatedKeys;
  /** The age recipient that gives way, where more than one could. */
  readonly old: string | undefined;
  readonly keepOldMs: number;
  /** What a person has seen and said yes to; undefined: it is only to be shown. */
  readonly plan: string | undefined;
}

/** `compromised`, or with more words behind a colon: what the key could open is to be followed. */
export function isCompromised(reason: string | undefined): reason is string {
  return reason !== undefined && /^compromised(?::|$)/.test(reason.trim());
}

export type RotatedKeys = 'age' | 'sealing' | 'age,sealing';

/** How a request is written: the fields of the interface page. */
export interface RequestText {
  readonly kind: Exclude<Request['kind'], 'adopt-orphans'>;
  readonly sync?: string | undefined;
  /** `apps/Deployment/web`, `Secret/db`. */
  readonly object?: string | undefined;
  /** RFC 3339. */
  readonly until?: string | undefined;
  readonly reason?: string | undefined;
  readonly by?: string | undefined;
  readonly plan?: string | undefined;
  /** The tool that an object is taken over from. */
  readonly from?: string | undefined;
  /**
   * The key that a canary is for, or that is in wrong hands: an age recipient, or the fingerprint of a sealing
   * certificate. Of a value that is accepted: where it stands in its file.
   */
  readonly key?: string | undefined;
  /** The canary, encrypted for it. */
  readonly sealed?: string | undefined;
  /** Of a value that is accepted, from the root of the repository. */
  readonly file?: string | undefined;
  /** Of a rotation: the new branch, `age`, `sealing` or `age,sealing`, the recipient that goes, `90d`. */
  readonly branch?: string | undefined;
  readonly keys?: RotatedKeys | undefined;
  readonly old?: string | undefined;
  readonly keepOld?: string | undefined;
  /** How many encrypted documents a rehearsal opened, and how many objects the API server would have taken. */
  readonly documents?: number | undefined;
  readonly objects?: number | undefined;
}

export interface RequestPlace {
  /** Objects are those of this namespace. */
  readonly targetNamespace: string;
  readonly now: Date;
}

const KINDS = [
  'sync',
  'pause',
  'resume',
  'approve',
  'adopt',
  'prune',
  'canary',
  'expose',
  'accept',
  'rehearsed',
  'fingerprint',
  'rotate',
] as const;
const FIELDS: ReadonlySet<string> = new Set([
  'kind',
  'sync',
  'object',
  'until',
  'reason',
  'by',
  'plan',
  'from',
  'key',
  'sealed',
  'file',
  'branch',
  'keys',
  'old',
  'keepOld',
  'documents',
  'objects',
]);

/** Reads one request. Throws SottoError: whoever may write the ConfigMap may write anything into it. */
export function parseRequest(text: string, place: RequestPlace): Request {
  if (Buffer.byteLength(text) > LIMITS.maxRequestBytes)
    throw unreadable(`it has more than ${LIMITS.maxRequestBytes} bytes`);
  const object = jsonOf(text);
  const strange = Object.keys(object).find((field) => !FIELDS.has(field));
  if (strange !== undefined) throw unreadable(`it has a field that requests do not have: ${JSON.stringify(strange)}`);
  const asked = textOf(object, 'kind') ?? '';
  const kind = KINDS.find((each) => each === asked);
  if (kind === undefined) throw unreadable(`its kind is none of ${KINDS.join(', ')}`);
  const common = {
    by: shortened(textOf(object, 'by') ?? 'unknown', LIMITS.maxRequestBy),
    reason: shortened(textOf(object, 'reason') ?? '', LIMITS.maxRequestReason),
  };
  switch (kind) {
    case 'sync':
      return { ...common, kind: 'sync', sync: textOf(object, 'sync') };
    case 'pause':
      return { ...common, kind: 'pause', target: targetOf(object, place), until: untilOf(object, place.now) };
    case 'resume':
      return { ...common, kind: 'resume', target: targetOf(object, place) };
    case 'approve':
      return { ...common, kind: 'approve', plan: planOf(object), sync: textOf(object, 'sync') };
    case 'prune':
      return { ...common, kind: 'prune', plan: planOf(object) };
    case 'fingerprint':
      return { ...common, kind: 'fingerprint', plan: textOf(object, 'plan') };
    case 'canary':
      return { ...common, kind: 'canary', ...canaryOf(object) };
    case 'expose':
      return { ...common, kind: 'expose', key: exposedKeyOf(object) };
    case 'accept':
      if (common.reason === '') throw unreadable('an acceptance needs its reason');
      return { ...common, kind: 'accept', value: valueOf(object) };
    case 'rotate':
      return { ...common, kind: 'rotate', ...rotationOf(object) };
    case 'rehearsed':
      return {
        ...common,
        kind: 'rehearsed',
        documents: countOf(object, 'documents'),
        objects: countOf(object, 'objects'),
      };
    case 'adopt':
    default:
      if (textOf(object, 'plan') !== undefined)
        return { ...common, kind: 'adopt-orphans', plan: planOf(object), sync: textOf(object, 'sync') };
      return { ...common, kind: 'adopt', target: targetOf(object, place), from: textOf(object, 'from') };
  }
}

function jsonOf(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unreadable('it is not JSON');
  }
  if (!isJsonObject(value)) throw unreadable('it is not a JSON object');
  return value;
}

function textOf(object: JsonObject, field: string): string | undefined {
  const value: Json | undefined = member(object, field);
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw unreadable(`${field} is not a text`);
}

function shortened(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1).toWellFormed()}…`;
}

/** One of `sync` and `object`. */
function targetOf(object: JsonObject, { targetNamespace }: RequestPlace): PauseTarget {
  const [sync, name] = [textOf(object, 'sync'), textOf(object, 'object')];
  if (name !== undefined && sync === undefined) return { kind: 'object', key: objectOf(name, targetNamespace) };
  if (sync !== undefined && name === undefined) return { kind: 'sync', name: sync };
  throw unreadable('it must name one object or one sync');
}

/** `apps/Deployment/web` and `Secret/db`, as status and Events write them. */
function objectOf(text: string, namespace: string): ObjectKey {
  const parts = text.split('/');
  const [name = '', kind = '', group = ''] = parts.toReversed();
  if (parts.length < 2 || parts.length > 3 || name === '' || kind === '') {
    throw unreadable('object has not the form GROUP/KIND/NAME (apps/Deployment/web, Secret/db)');
  }
  return objectKey({ group, kind, namespace, name });
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

function untilOf(object: JsonObject, now: Date): Date {
  const text = textOf(object, 'until');
  if (text === undefined) throw unreadable('a pause needs its end: until');
  const until = new Date(RFC3339.test(text) ? text : Number.NaN);
  if (Number.isNaN(until.getTime())) throw unreadable('until is not a time of RFC 3339 (2027-01-31T12:00:00Z)');
  if (until <= now) throw unreadable('until is in the past');
  if (until.getTime() - now.getTime() > LIMITS.maxPauseMs) throw unreadable('until is more than 90 days away');
  return until;
}

function planOf(object: JsonObject): string {
  const plan = textOf(object, 'plan');
  if (plan === undefined) throw unreadable('an approval names its plan');
  return plan;
}

/** More than a repository or a namespace has. */
const MAX_COUNT = 1_000_000;

function countOf(object: JsonObject, field: 'documents' | 'objects'): number {
  const value = member(object, field);
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_COUNT) return value;
  throw unreadable(`a rehearsal says how many ${field} there were`);
}

function canaryOf(object: JsonObject): { readonly key: string; readonly sealed: string } {
  const [key, sealed] = [textOf(object, 'key'), textOf(object, 'sealed')];
  if (key === undefined || sealed === undefined)
    throw unreadable('a canary names its key and what is encrypted for it');
  return { key, sealed };
}

function exposedKeyOf(object: JsonObject): string {
  const key = textOf(object, 'key');
  if (key === undefined)
    throw unreadable('what is exposed needs the name of the key: an age recipient or a fingerprint');
  return publicName(key);
}

/** Of whom is asked is told to everybody who reads the status and the log. */
function publicName(key: string): string {
  if (isPrivateKey(key)) throw unreadable('it has a private key where the name of one belongs: an age recipient');
  return key;
}

function valueOf(object: JsonObject): { readonly file: string; readonly key: string } | undefined {
  const [file, key] = [textOf(object, 'file'), textOf(object, 'key')];
  if (file === undefined && key === undefined) return undefined;
  if (file === undefined || key === undefined) throw unreadable('a value is named by its file and its key');
  return { file, key };
}

const DEFAULT_KEEP_OLD = '90d';

function rotationOf(object: JsonObject): Omit<RotateRequest, 'kind' | 'by' | 'reason'> {
  const keys = textOf(object, 'keys') ?? 'age';
  if (keys !== 'age' && keys !== 'sealing' && keys !== 'age,sealing')
    throw unreadable('keys is none of age, sealing and age,sealing');
  const keepOldMs = parseDurationMs(textOf(object, 'keepOld') ?? DEFAULT_KEEP_OLD);
  if (keepOldMs === undefined || keepOldMs > LIMITS.maxKeepOldMs)
    throw unreadable('keepOld is no duration of at most ten years (90d)');
  const old = textOf(object, 'old');
  return {
    sync: textOf(object, 'sync'),
    branch: branchOf(textOf(object, 'branch')),
    keys,
    old: old && publicName(old),
    keepOldMs: Math.round(keepOldMs),
    plan: textOf(object, 'plan'),
  };
}

function branchOf(name: string | undefined): BranchName | undefined {
  if (name === undefined) return undefined;
  try {
    return parseBranch(name);
  } catch {
    throw unreadable('branch is no name that git allows for a branch');
  }
}

function unreadable(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-040',
    what: 'the request cannot be used',
    why,
    next: 'ask with the CLI, which writes requests as they must be: sotto sync|pause|resume|approve|adopt|prune --help',
    object: `ConfigMap/${REQUESTS_NAME}`,
  });
}
