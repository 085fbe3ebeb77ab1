import type { Json } from '../core/json.ts';
import { arrayAt, numberAt, stringAt } from '../core/json.ts';
import { arrayItems, blankStrings, isStringSpan, objectMembers, stringAtSpan } from './json-bytes.ts';
import type { MemberSpan, Span } from './json-bytes.ts';
import type { Answer, NoAnswer } from './exchange.ts';

/** What happened to a request, as far as a caller acts differently. */
export type FailureKind =
  /** No connection, or it broke. */
  | 'unreachable'
  /** The deadline passed, here (status 0) or in the server (504). */
  | 'timeout'
  /** The caller gave up. */
  | 'aborted'
  /** 401 after the credentials were read again. For a secret body: 401 once, fill the body again and send it. */
  | 'unauthorized'
  /** RBAC refuses; `missingVerb` says what. */
  | 'forbidden'
  /** Admission refuses: pod security, a webhook, a policy. */
  | 'denied'
  | 'terminating-namespace'
  | 'quota'
  /** The object is not there. */
  | 'not-found'
  | 'no-namespace'
  /** The API server does not serve this path: the kind or its version is gone. */
  | 'no-resource'
  /** Server-side apply without force met other managers: `conflictManagers`. */
  | 'conflict'
  /** The uid or resourceVersion asked for is not the live one. */
  | 'changed'
  | 'already-exists'
  | 'invalid'
  | 'immutable'
  /** The object does not fit the schema; a 500 of the server, yet permanent (spec/drift.md 1.11). */
  | 'typed-patch'
  /** managedFields hold an entry of a version no longer served (spec/drift.md 1.6). */
  | 'entry-version'
  /** 410: the resource version is too old. */
  | 'expired'
  /** The resource version is from the future. */
  | 'version-too-large'
  | 'throttled'
  | 'too-large'
  | 'server'
  /** An answer that is not one of a Kubernetes API server, or over its cap. */
  | 'protocol';

export interface FailureCause {
  /** Path of the field, never a value. */
  readonly field: string;
  readonly reason: string;
}

export interface KubeFailure {
  readonly kind: FailureKind;
  /** HTTP status; 0 without an answer. */
  readonly status: number;
  /** The server's word, such as `Invalid`; '' without one. */
  readonly reason: string;
  readonly causes: readonly FailureCause[];
  readonly conflictManagers: readonly string[];
  /** The verb RBAC misses, where the server names it. */
  readonly missingVerb: string | undefined;
  /** The admission webhook that refused or could not be called. */
  readonly webhook: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** Sending the same again cannot succeed before somebody changes something: the object, a right, what is served. */
  readonly permanent: boolean;
  /** The write may have happened or may happen later (spec/drift.md 3.11). */
  readonly outcomeUnknown: boolean;
  /** The server's text, shortened; never for Secrets, whose errors quote values. */
  readonly message: string | undefined;
}

const PERMANENT: ReadonlySet<FailureKind> = new Set<FailureKind>([
  'conflict',
  'already-exists',
  'denied',
  'forbidden',
  'no-resource',
  'invalid',
  'immutable',
  'typed-patch',
  'entry-version',
  'too-large',
  'expired',
]);

export type FailureFacts = Partial<KubeFailure> & Pick<KubeFailure, 'kind' | 'status'>;

export function failureOf(facts: FailureFacts): KubeFailure {
  return {
    reason: '',
    causes: [],
    conflictManagers: [],
    missingVerb: undefined,
    webhook: undefined,
    retryAfterMs: undefined,
    permanent: PERMANENT.has(facts.kind),
    outcomeUnknown: false,
    message: undefined,
    ...facts,
  };
}

/** No answer came: `detail` is our own word, or Node's error code. */
export function failureWithoutAnswer(reply: NoAnswer): KubeFailure {
  return failureOf({
    kind: reply.cause,
    status: 0,
    reason: reply.detail,
    outcomeUnknown: reply.bodySent,
    permanent: reply.cause === 'protocol',
  });
}

/**
 * A refusal as facts. `secret` answers quote values anywhere in their messages: there the text is overwritten in
 * `answer.bytes` before anything is parsed and only status, reason, field paths and names of managers are kept.
 */
export function failureFromAnswer(answer: Answer, secret: boolean): KubeFailure {
  const { bytes } = answer;
  const hints = hintsIn(bytes);
  const status = readStatus(bytes, secret);
  const causes = status === undefined ? [] : causesOf(status.json, secret);
  const kind = kindOf(answer.status, status?.json ?? null, hints, status?.conflictManagers ?? [], causes);
  const retryAfterSeconds = numberAt(status?.json, 'details', 'retryAfterSeconds');
  return failureOf({
    kind,
    status: answer.status,
    reason: word(stringAt(status?.json, 'reason')),
    causes,
    conflictManagers: status?.conflictManagers ?? [],
    missingVerb: hints.missingVerb,
    webhook: hints.webhook,
    retryAfterMs: answer.retryAfterMs ?? (retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1000),
    outcomeUnknown: answer.status === 504 && kind === 'timeout',
    message: secret ? undefined : shortText(stringAt(status?.json, 'message')),
  });
}

interface Hints {
  readonly missingVerb: string | undefined;
  readonly webhook: string | undefined;
  readonly webhookDenied: boolean;
  readonly quota: boolean;
  readonly immutable: boolean;
  readonly typedPatch: boolean;
  readonly entryVersion: boolean;
  readonly tooLarge: boolean;
}

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
/** `impersonate`, and since 1.37 `impersonate-on:serviceaccount:patch` and its like. */
const IMPERSONATE = ' cannot impersonate';
const TYPED_PATCH = [
  'failed to create typed patch object',
  'failed to convert new object',
  // Also while it prunes for an entry of another version, which lacks a field of ours.
  'field not declared in schema',
];

/** Fixed phrases of the server, looked for in the bytes: what stands around them may be a value. */
function hintsIn(bytes: Buffer): Hints {
  const denied = nameAfter(bytes, 'admission webhook \\"');
  return {
    missingVerb: bytes.includes(IMPERSONATE)
      ? 'impersonate'
      : VERBS.find((verb) => bytes.includes(` cannot ${verb} resource `)),
    webhook: denied ?? nameAfter(bytes, 'failed calling webhook \\"'),
    webhookDenied: denied !== undefined,
    quota: bytes.includes('exceeded quota: '),
    immutable:
      bytes.includes('field is immutable') ||
      bytes.includes('is immutable after creation') ||
      bytes.includes('updates to statefulset spec for fields other than'),
    typedPatch: TYPED_PATCH.some((phrase) => bytes.includes(phrase)),
    entryVersion: bytes.includes('invalid group/version'),
    tooLarge: bytes.includes('request is too large'),
  };
}

function kindOf(
  status: number,
  json: Json,
  hints: Hints,
  managers: readonly string[],
  causes: readonly FailureCause[],
): FailureKind {
  const has = (reason: string): boolean => causes.some((cause) => cause.reason === reason);
  switch (status) {
    case 400:
      return hints.webhookDenied ? 'denied' : 'invalid';
    case 401:
      return 'unauthorized';
    case 403:
      if (has('NamespaceTerminating')) return 'terminating-namespace';
      if (hints.quota) return 'quota';
      return hints.missingVerb === undefined ? 'denied' : 'forbidden';
    case 404:
      if (stringAt(json, 'details', 'kind') === 'namespaces') return 'no-namespace';
      return stringAt(json, 'details', 'name') === undefined ? 'no-resource' : 'not-found';
    case 409:
      if (stringAt(json, 'reason') === 'AlreadyExists') return 'already-exists';
      return managers.length > 0 || has('FieldManagerConflict') ? 'conflict' : 'changed';
    case 410:
      return 'expired';
    case 413:
      return 'too-large';
    case 422:
      return hints.immutable ? 'immutable' : 'invalid';
    case 429:
    case 503:
      return 'throttled';
    case 504:
      return has('ResourceVersionTooLarge') ? 'version-too-large' : 'timeout';
    default:
      return status >= 500 ? serverKind(hints) : 'protocol';
  }
}

function serverKind(hints: Hints): FailureKind {
  if (hints.entryVersion) return 'entry-version';
  if (hints.typedPatch) return 'typed-patch';
  return hints.tooLarge ? 'too-large' : 'server';
}

interface StatusRead {
  readonly json: Json;
  readonly conflictManagers: readonly string[];
}

/** The Status object; its messages are overwritten first when they may quote values. Undefined: it is none. */
function readStatus(bytes: Buffer, secret: boolean): StatusRead | undefined {
  try {
    const messages = messagesIn(bytes);
    const managers = messages.flatMap(
      (span) => nameAfter(bytes.subarray(span.start, span.end), 'conflict with \\"') ?? [],
    );
    if (secret) for (const span of messages) blankStrings(bytes, span);
    return { json: JSON.parse(bytes.toString('utf8')) as Json, conflictManagers: [...new Set(managers)] };
  } catch (error) {
    // A proxy's page or a cut answer: its HTTP status is all there is.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function messagesIn(bytes: Buffer): Span[] {
  const found: Span[] = [];
  for (const member of objectMembers(bytes, 0)) {
    if (isNamed(bytes, member, 'message')) found.push(member.value);
    if (isNamed(bytes, member, 'details')) found.push(...messagesInDetails(bytes, member.value));
  }
  return found;
}

function messagesInDetails(bytes: Buffer, details: Span): Span[] {
  return [...objectMembers(bytes, details.start)]
    .filter((member) => isNamed(bytes, member, 'causes'))
    .flatMap((member) => [...arrayItems(bytes, member.value.start)])
    .flatMap((item) => [...objectMembers(bytes, item.start)])
    .filter((member) => isNamed(bytes, member, 'message') && isStringSpan(bytes, member.value))
    .map((member) => member.value);
}

function isNamed(bytes: Buffer, member: MemberSpan, name: string): boolean {
  return stringAtSpan(bytes, member.key) === name;
}

// Roots under which a field path is a path of a Secret; anything else may be a webhook's own text.
const SECRET_FIELD = /^\.?(?:data|stringData|metadata|type|immutable|kind|apiVersion)(?:[.[][\w.\-[\]/"]{0,200})?$/;

function causesOf(json: Json, secret: boolean): FailureCause[] {
  return arrayAt(json, 'details', 'causes')
    .slice(0, 20)
    .map((cause) => {
      const field = shortText(stringAt(cause, 'field')) ?? '';
      const kept = !secret || SECRET_FIELD.test(field) ? field : '';
      return { field: kept, reason: word(stringAt(cause, 'reason')) };
    });
}

/** The name in quotes behind a phrase: plain characters only, at most 128 of them. */
function nameAfter(bytes: Buffer, phrase: string): string | undefined {
  const at = bytes.indexOf(phrase);
  if (at === -1) return undefined;
  const start = at + Buffer.byteLength(phrase);
  const name = /^[\w.\-/:@ ]{1,128}/.exec(bytes.toString('latin1', start, start + 128));
  return name?.[0];
}

function word(text: string | undefined): string {
  return text !== undefined && /^[A-Za-z]{1,64}$/.test(text) ? text : '';
}

const MAX_MESSAGE = 400;

/** One line without control and bidi characters, cut at 400. */
export function shortText(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE)}…` : line;
}
