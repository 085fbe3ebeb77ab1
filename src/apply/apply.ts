import { type ClosedObject, isClosedObject } from '../core/closed.ts';
import { SottoError } from '../core/errors.ts';
import { displayObject } from '../core/ids.ts';
import { type Json, member, stringAt } from '../core/json.ts';
import { MEMBER_LABEL } from '../core/labels.ts';
import type { KubeFailure } from '../kube/failure.ts';
import { kubeError } from '../kube/errors.ts';
import { applyObject, createObject, getMetadata, getObject, type Outcome, type Written } from '../kube/objects.ts';
import type { Resource } from '../kube/resource.ts';
import { withRetry } from '../kube/retry.ts';
import type { Transport } from '../kube/transport.ts';
import type { DesiredObject } from '../render/desired.ts';
import type { BodyBuffer } from './body.ts';
import { fillBody, type ValueOpener } from './fill.ts';
import { takeMarksOff, type Tool } from './former-owner.ts';
import {
  addsToSecret,
  differsIn,
  foreignOwner,
  isEqualButOwnership,
  isHandedOver,
  notAdopted,
  ownerOf,
  type SecretShape,
} from './first-contact.ts';

export type AdoptRule = 'equal' | 'ask' | 'always';

export interface ApplyContext {
  readonly transport: Transport;
  /** Uniform in [0, 1): jitter between repeated requests. */
  readonly random: () => number;
  /** Ends the waiting between repeated requests. */
  readonly signal?: AbortSignal | undefined;
  readonly opener: ValueOpener;
  readonly body: BodyBuffer;
  /** Id of the ConfigMap `sotto-inventory` as a set: value of the member label. */
  readonly setId: string;
  readonly adopt: AdoptRule;
  /** An object of ours stood under this id: the inventory has it. */
  readonly isKnown?: boolean;
  /** Somebody said to take the object over from this tool. */
  readonly adoptFrom?: Tool | undefined;
  /** Writes are made as this user, reads as ourselves. */
  readonly asUser?: string | undefined;
}

export type ApplyOutcome =
  /** `answer` is the object as it is stored now, of a Secret its metadata. */
  | {
      readonly kind: 'applied';
      readonly answer: Json;
      readonly created: boolean;
      /** Another object stood there before and was deleted for it. */
      readonly recreated?: true;
    }
  | FailedApply;

export interface FailedApply {
  readonly kind: 'failed';
  readonly error: SottoError;
  /** Trying later without any change may help. */
  readonly again: boolean;
  readonly retryAfterMs?: number | undefined;
  /** Fields that the API server does not change in place; set when they are the reason. */
  readonly immutableFields?: readonly string[] | undefined;
}

/** An object of ours: forced, so that what others took comes back. */
export async function applyOwned(
  object: DesiredObject,
  resource: Resource,
  context: ApplyContext,
): Promise<ApplyOutcome> {
  return send(object, resource, context, { force: true });
}

/** After a DELETED event: without force, because another owner may have taken the object over (spec/drift.md 3.5). */
export async function applyProbe(
  object: DesiredObject,
  resource: Resource,
  context: ApplyContext,
): Promise<ApplyOutcome> {
  const probe = await patch(object, resource, context, { force: false });
  if (probe.ok) return applied(probe.value);
  if (probe.failure.kind !== 'conflict') return failedApply(object, resource, probe.failure, context.asUser);
  const live = await getMetadata(context.transport, targetOf(object, resource));
  if (!live.ok) return failedApply(object, resource, live.failure);
  const owner = live.value === undefined ? undefined : ownerOf(member(live.value, 'metadata'), context.setId);
  if (owner?.kind === 'other')
    return { kind: 'failed', again: false, error: foreignOwner(owner, context.setId).at(placeOf(object)) };
  return send(object, resource, context, { force: true });
}

/**
 * First contact with an id that is not in the inventory. The body carries a resourceVersion that no object has, so
 * the API server itself creates only what is absent and answers 409 for what exists: one request, and no moment
 * between looking and writing (docs/adr/0003).
 */
export async function applyFirst(
  object: DesiredObject,
  resource: Resource,
  context: ApplyContext,
): Promise<ApplyOutcome> {
  const created = await applyAbsent(object, resource, context);
  if (created.ok) return applied(created.value);
  if (created.failure.kind !== 'changed') return failedApply(object, resource, created.failure, context.asUser);
  const live = await getMetadata(context.transport, targetOf(object, resource));
  if (!live.ok) return failedApply(object, resource, live.failure);
  if (live.value === undefined) return { kind: 'failed', again: true, error: changedMeanwhile(object) };
  return takeOver(object, resource, context, live.value);
}

/** `changed` when an object of this name is there. */
export async function applyAbsent(
  object: DesiredObject,
  resource: Resource,
  context: ApplyContext,
): Promise<Outcome<Written>> {
  return patch(object, resource, context, { force: true, resourceVersion: NO_VERSION });
}

/** Never the version of a stored object: etcd's first revision is the empty store. */
export const NO_VERSION = '1';

async function takeOver(
  object: DesiredObject,
  resource: Resource,
  context: ApplyContext,
  live: Json,
): Promise<ApplyOutcome> {
  const owner = ownerOf(member(live, 'metadata'), context.setId);
  if (owner.kind === 'ours') return send(object, resource, context, { force: true });
  const from = context.adoptFrom;
  if (owner.kind === 'other' && (from === undefined || owner.tool !== from))
    return { kind: 'failed', again: false, error: foreignOwner(owner, context.setId).at(placeOf(object)) };
  const isGiven =
    from !== undefined ||
    context.adopt === 'always' ||
    (resource.secret && isHandedOver(member(live, 'metadata'), object.tree));
  const reason = isGiven ? undefined : await whyNotEqual(object, resource, context, live);
  if (reason !== undefined) return { kind: 'failed', again: false, error: notAdopted(reason).at(placeOf(object)) };
  // The version that was looked at: a change between looking and writing is met with 409.
  const resourceVersion = stringAt(live, 'metadata', 'resourceVersion');
  const how = resourceVersion === undefined ? { force: true } : { force: true, resourceVersion };
  const taken = await send(object, resource, context, how);
  return from === undefined || taken.kind === 'failed' ? taken : withoutOwner(object, resource, context, taken, from);
}

/** Whoever had it would delete it by its marks, and hold on to fields that Git lets go of. */
async function withoutOwner(
  object: DesiredObject,
  resource: Resource,
  context: ApplyContext,
  taken: ApplyOutcome & { readonly kind: 'applied' },
  from: Tool,
): Promise<ApplyOutcome> {
  const { transport, asUser } = context;
  let live = taken.answer;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const freed = await takeMarksOff(live, object, from, { transport, resource, asUser });
    if (freed === undefined) return taken;
    if (freed.ok) return { ...taken, answer: freed.value.object };
    if (freed.failure.kind !== 'changed') return failedApply(object, resource, freed.failure, asUser);
    const again = await getMetadata(transport, targetOf(object, resource));
    if (!again.ok) return failedApply(object, resource, again.failure);
    live = again.value ?? live;
  }
  return { kind: 'failed', again: true, error: changedMeanwhile(object) };
}

/** Undefined when an unforced dry-run changes nothing but ownership (product page, `adopt: equal`). */
async function whyNotEqual(
  object: DesiredObject,
  resource: Resource,
  context: ApplyContext,
  metadata: Json,
): Promise<string | undefined> {
  if (context.adopt === 'ask') return 'adopt is set to ask';
  const before = resource.secret ? metadata : await wholeObject(object, resource, context);
  if (before === undefined) return 'it cannot be read';
  if (resource.secret && addsToSecret(before, secretShape(object.tree)))
    return 'Git has keys or fields that it has not';
  const dry = await patch(object, resource, context, { force: false, dryRun: true });
  if (!dry.ok) {
    const fields = dry.failure.causes.map(({ field }) => field);
    return dry.failure.kind === 'conflict' ? differsIn(fields) : 'a trial apply was refused';
  }
  return isEqualButOwnership(before, dry.value.object) ? undefined : differsIn([]);
}

async function wholeObject(
  object: DesiredObject,
  resource: Resource,
  context: ApplyContext,
): Promise<Json | undefined> {
  if (resource.secret) return undefined;
  const live = await getObject(context.transport, { ...targetOf(object, resource), resource });
  return live.ok ? live.value : undefined;
}

const IDENTITY: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata', 'data']);

function secretShape(tree: ClosedObject): SecretShape {
  const keys = isClosedObject(tree['data']) ? Object.keys(tree['data']) : [];
  return { keys, fields: Object.keys(tree).filter((field) => !IDENTITY.has(field)) };
}

export interface Sending {
  readonly force: boolean;
  readonly dryRun?: boolean;
  readonly resourceVersion?: string;
  readonly fieldManager?: string;
  /** As a plain create, which the API server judges although an object of this name is there. */
  readonly create?: true;
}

async function send(
  object: DesiredObject,
  resource: Resource,
  context: ApplyContext,
  how: Sending,
): Promise<ApplyOutcome> {
  const answer = await patch(object, resource, context, how);
  return answer.ok ? applied(answer.value) : failedApply(object, resource, answer.failure, context.asUser);
}

export async function patch(
  object: DesiredObject,
  resource: Resource,
  context: ApplyContext,
  how: Sending,
): Promise<Outcome<Written>> {
  const tree = marked(object.tree, context.setId, how.resourceVersion);
  const target = targetOf(object, resource);
  const once = async (): Promise<Outcome<Written>> => {
    const body = await fillBody(tree, context.opener, context.body);
    try {
      const { force, dryRun, fieldManager, create } = how;
      const write = { ...target, asUser: context.asUser, dryRun, fieldManager, body };
      return create === true
        ? await createObject(context.transport, write)
        : await applyObject(context.transport, { ...write, force });
    } finally {
      context.body.wipe();
    }
  };
  // Each attempt fills anew: a body that was sent is gone (spec/memory.md, R4).
  return withRetry(once, { attempts: ATTEMPTS, random: context.random, signal: context.signal });
}

/** An API server that is away for longer is the next pass's matter. */
const ATTEMPTS = 3;

function targetOf(object: DesiredObject, resource: Resource) {
  return { resource, namespace: object.id.namespace, name: object.id.name };
}

/** The tree with our member label, and with a precondition where one is wanted. */
function marked(tree: ClosedObject, setId: string, resourceVersion: string | undefined): ClosedObject {
  const metadata = isClosedObject(tree['metadata']) ? tree['metadata'] : {};
  const labels = isClosedObject(metadata['labels']) ? metadata['labels'] : {};
  return {
    ...tree,
    metadata: {
      ...metadata,
      labels: { ...labels, [MEMBER_LABEL]: setId },
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  };
}

function applied(written: Written): ApplyOutcome {
  return { kind: 'applied', answer: written.object, created: written.created };
}

export function failedApply(
  object: DesiredObject,
  resource: Resource,
  failure: KubeFailure,
  asUser?: string,
): FailedApply {
  const error = kubeError(failure, { verb: 'patch', ...targetOf(object, resource), user: asUser });
  return {
    kind: 'failed',
    error: error.at(placeOf(object)),
    again: !failure.permanent,
    retryAfterMs: failure.retryAfterMs,
    immutableFields: failure.kind === 'immutable' ? failure.causes.map(({ field }) => field) : undefined,
  };
}

function placeOf(object: DesiredObject) {
  return { file: object.file, line: object.line, object: displayObject(object.id) };
}

function changedMeanwhile(object: DesiredObject): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-001',
    what: 'the object came and went while it was applied',
    why: 'somebody else creates and deletes it',
    next: 'nothing to do: it is tried again',
    ...placeOf(object),
  });
}
