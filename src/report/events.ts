import { hash } from 'node:crypto';
import type { ObjectId } from '../core/ids.ts';
import { cutToBytes, sanitise } from './sanitise.ts';

/** What a person finds with `kubectl describe`: an Event of events.k8s.io/v1 on the object it is about. */
export interface EventFacts {
  /** The object, with the apiVersion it is served at. Without uid where it does not exist (any more). */
  readonly regarding: ObjectId & { readonly apiVersion: string; readonly uid?: string | undefined };
  readonly type: 'Normal' | 'Warning';
  /** Why, one CamelCase word: `DriftCorrected`. */
  readonly reason: string;
  /** What the agent did or would do, one CamelCase word: `Apply`. */
  readonly action: string;
  /** A sentence; never a value and never text of the API server about a Secret. */
  readonly note: string;
}

/** Who reports: the agent of one Pod. */
export interface EventReporter {
  /** Pod name or another name of this process. */
  readonly instance: string;
}

export interface EventObject {
  readonly apiVersion: 'events.k8s.io/v1';
  readonly kind: 'Event';
  readonly metadata: { readonly name: string; readonly namespace: string };
  /** MicroTime. */
  readonly eventTime: string;
  readonly reportingController: 'sotto';
  readonly reportingInstance: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
  readonly regarding: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly uid?: string;
  };
}

/** Limits of the API server, in bytes (kubernetes pkg/apis/core/validation/events.go). */
const MAX_NOTE_BYTES = 1_024;
const MAX_WORD_BYTES = 128;
/** An object's name may take 253 characters; the Event's name adds a dot and 16. */
const MAX_NAME_PREFIX = 230;

/** Same object, reason and note: occurrences of one thing. */
export function eventIdentity(facts: EventFacts): string {
  const { group, kind, namespace, name, uid } = facts.regarding;
  return hash('sha256', JSON.stringify([group, kind, namespace, name, uid ?? '', facts.reason, facts.note]));
}

/**
 * The Event to create. The name follows from identity and `window` (any text that changes with the series), so that a
 * second create of the same meets 409 instead of doubling it, also after a restart.
 */
export function buildEvent(facts: EventFacts, reporter: EventReporter, at: Date, window: string): EventObject {
  const { regarding } = facts;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: {
      name: `${namePrefix(regarding.name)}.${hash('sha256', `${eventIdentity(facts)} ${window}`).slice(0, 16)}`,
      // For cluster-scoped objects the API server takes no other namespace than this and kube-system.
      namespace: regarding.namespace === '' ? 'default' : regarding.namespace,
    },
    eventTime: microTime(at),
    reportingController: 'sotto',
    reportingInstance: cutToBytes(sanitise(reporter.instance, MAX_WORD_BYTES) || 'sotto', MAX_WORD_BYTES),
    type: facts.type,
    reason: cutToBytes(facts.reason, MAX_WORD_BYTES),
    action: cutToBytes(facts.action, MAX_WORD_BYTES),
    note: cutToBytes(sanitise(facts.note, MAX_NOTE_BYTES), MAX_NOTE_BYTES),
    regarding: {
      apiVersion: regarding.apiVersion,
      kind: regarding.kind,
      ...(regarding.namespace === '' ? {} : { namespace: regarding.namespace }),
      name: regarding.name,
      ...(regarding.uid === undefined ? {} : { uid: regarding.uid }),
    },
  };
}

/** MicroTime as the API server writes it; JavaScript knows milliseconds. */
export function microTime(date: Date): string {
  return `${date.toISOString().slice(0, 23)}000Z`;
}

/** Names of some kinds (Role, RoleBinding) may hold characters that an Event's name may not. */
function namePrefix(name: string): string {
  const labels = name.toLowerCase().slice(0, MAX_NAME_PREFIX).split('.');
  const clean = labels.map((label) => label.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, ''));
  return clean.filter((label) => label !== '').join('.') || 'sotto';
}
