import type { Owner } from '../apply/first-contact.ts';
import { displayObject, type ObjectId } from '../core/ids.ts';
import { arrayAt, type Json, memberAt, numberAt, stringAt } from '../core/json.ts';
import { FIELD_MANAGER } from '../core/labels.ts';
import type { Health } from '../health/result.ts';
import type { InventoryPlace } from './inventory-rows.ts';

/** What the cluster shows of the object itself. */
export type LiveFacts =
  | { readonly kind: 'absent' }
  /** Not read: whoever asks has no right to. */
  | { readonly kind: 'hidden'; readonly why: string }
  | {
      readonly kind: 'there';
      readonly uid: string;
      readonly owner: Owner;
      /** Undefined for what is seen as metadata only. */
      readonly health: Health | undefined;
      /** Names of the field managers besides ours. */
      readonly managers: readonly string[];
    };

export interface WhyFacts {
  readonly id: ObjectId;
  readonly place: InventoryPlace | undefined;
  readonly live: LiveFacts;
  /** The status document; undefined: none. */
  readonly status: Json | undefined;
}

/** One thing that is not as it should be, with the next step. */
export interface Finding {
  readonly code: string;
  readonly message: string;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly key?: string | undefined;
  readonly next: string;
}

export interface Why {
  readonly object: string;
  readonly namespace: string;
  /** Whether sotto keeps it: in the inventory of the agent. */
  readonly kept: boolean;
  readonly sync?: { readonly name: string; readonly state: string; readonly message: string } | undefined;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  /** What was applied last, and what Git has. */
  readonly appliedRevision?: string | undefined;
  readonly revision?: string | undefined;
  readonly owner: string;
  readonly state: string;
  readonly managers: readonly string[];
  readonly pauses: readonly Json[];
  readonly corrections: readonly Json[];
  readonly findings: readonly Finding[];
}

/** All that is known about one object, put together. Nothing of it is trusted, nothing of it is a value. */
export function explain({ id, place, live, status }: WhyFacts): Why {
  const object = displayObject(id);
  const syncs = arrayAt(status, 'syncs');
  const isAbout = (item: Json): boolean => stringAt(item, 'object') === object;
  const sync =
    syncs.find((each) => stringAt(each, 'name') === place?.sync) ?? syncs.find((each) => names(each, object));
  const name = stringAt(sync, 'name') ?? place?.sync;
  return {
    object,
    namespace: id.namespace,
    kept: place !== undefined,
    sync:
      name === undefined
        ? undefined
        : { name, state: stringAt(sync, 'state') ?? '', message: stringAt(sync, 'message') ?? '' },
    file: place?.file ?? stringAt(attentionOn(sync, object)[0], 'file'),
    line: place?.line ?? numberAt(attentionOn(sync, object)[0], 'line'),
    appliedRevision: stringAt(sync, 'appliedRevision'),
    revision: stringAt(sync, 'source', 'revision'),
    owner: ownerText(live),
    state: stateText(live),
    managers: live.kind === 'there' ? live.managers : [],
    pauses: arrayAt(status, 'pauses').filter(
      (pause) => isAbout(pause) || (name !== undefined && stringAt(pause, 'sync') === name),
    ),
    corrections: arrayAt(status, 'corrections').filter(isAbout),
    findings: [
      ...attentionOn(sync, object, place).map(asFinding),
      ...syncFindings(sync),
      ...ownFindings(place, live),
      ...leftOut(sync === undefined ? syncs : [sync], object),
    ],
  };
}

function names(sync: Json, object: string): boolean {
  return attentionOn(sync, object).length > 0;
}

/** What is told about the object, or about the file it comes from where the file as a whole is at fault. */
function attentionOn(sync: Json | undefined, object: string, place?: InventoryPlace): readonly Json[] {
  return arrayAt(sync, 'attention').filter((item) => {
    const about = stringAt(item, 'object');
    if (about !== undefined) return about === object;
    return place !== undefined && stringAt(item, 'file') === place.file;
  });
}

function asFinding(item: Json): Finding {
  return {
    code: stringAt(item, 'code') ?? '',
    message: stringAt(item, 'message') ?? '',
    file: stringAt(item, 'file'),
    line: numberAt(item, 'line'),
    key: stringAt(item, 'key'),
    next: stringAt(item, 'next') ?? '',
  };
}

const SYNC_WAITS: ReadonlySet<string | undefined> = new Set(['SOTTO-PLAN-120', 'SOTTO-PLAN-121']);

/** Why nothing new reaches the object: the source, a plan that waits, or a sync that comes first. */
function syncFindings(sync: Json | undefined): Finding[] {
  const error = memberAt(sync, 'source', 'error');
  const held = arrayAt(sync, 'pending').map((plan) => ({
    code: 'SOTTO-PLAN-005',
    message: `the whole commit is held: ${stringAt(plan, 'why') ?? ''}`,
    next: 'sotto status   (shows the plan that waits for a yes)',
  }));
  const waits = arrayAt(sync, 'attention').filter((item) => SYNC_WAITS.has(stringAt(item, 'code')));
  return [...(error === undefined ? [] : [asFinding(error)]), ...held, ...waits.map(asFinding)];
}

/** The status shows so many things and no more; what it says nothing of may be among the others. */
function leftOut(syncs: readonly Json[], object: string): Finding[] {
  return syncs.flatMap((sync) => {
    const [shown, total] = [arrayAt(sync, 'attention').length, numberAt(sync, 'attentionTotal') ?? 0];
    if (shown >= total || names(sync, object)) return [];
    const message = `the status of sync ${stringAt(sync, 'name')} shows ${shown} of ${total} things that need attention; this object may be among the others`;
    return [{ code: 'SOTTO-PLAN-141', message, next: 'sotto logs --level warn   (each is told with every pass)' }];
  });
}

function ownFindings(place: InventoryPlace | undefined, live: LiveFacts): Finding[] {
  if (place === undefined || live.kind === 'hidden') return [];
  if (live.kind === 'absent') {
    return [
      {
        code: 'SOTTO-KUBE-006',
        message: 'the object is in the inventory and does not exist',
        next: 'sotto logs --since 10m   (the agent makes it anew; a finished Job that was cleaned up may stay away)',
      },
    ];
  }
  if (live.owner.kind === 'other') {
    return [
      {
        code: 'SOTTO-PLAN-006',
        message: `the object is in the inventory and belongs to ${live.owner.name}`,
        next: "end the other tool's care of it, or add it to skip in the settings of this sync",
      },
    ];
  }
  return [];
}

function ownerText(live: LiveFacts): string {
  if (live.kind !== 'there') return '';
  if (live.owner.kind === 'ours') return `this agent (field manager ${FIELD_MANAGER})`;
  return live.owner.kind === 'other' ? live.owner.name : 'nobody that says so';
}

function stateText(live: LiveFacts): string {
  if (live.kind === 'absent') return 'does not exist';
  if (live.kind === 'hidden') return `not read: ${live.why}`;
  if (live.health === undefined) return 'exists (of a Secret only the metadata is read)';
  return `${live.health.status}: ${live.health.message}`;
}
