import { setTimeout as sleep } from 'node:timers/promises';
import { ownerOf } from '../apply/first-contact.ts';
import { SottoError } from '../core/errors.ts';
import { arrayAt, type Json, type JsonObject, member, memberAt, stringAt } from '../core/json.ts';
import { INVENTORY_NAME } from '../core/labels.ts';
import { kubeError, type Verb } from '../kube/errors.ts';
import type { KubeFailure } from '../kube/failure.ts';
import { listMetadata } from '../kube/lists.ts';
import { deleteObject, getMetadata, jsonPatch } from '../kube/objects.ts';
import { type Resource, resourceOf, SECRETS } from '../kube/resource.ts';
import { applySetId } from '../plan/applyset.ts';
import type { Cluster } from './cluster.ts';

export const SEALED_SECRETS: Resource = resourceOf({
  group: 'bitnami.com',
  version: 'v1alpha1',
  kind: 'SealedSecret',
  plural: 'sealedsecrets',
  namespaced: true,
  verbs: ['delete', 'get', 'list'],
});

/** Where objects are, and as whom we act. */
export interface Leaving {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly signal: AbortSignal;
  /** How long a resource that is being deleted is waited for. */
  readonly goneMs: number;
}

/** A SealedSecret with its Secret, and what is to be done to let sotto have the Secret. */
export type Departure =
  /** The agent waits for the Secret, or has it already. */
  | { readonly kind: 'ready'; readonly name: string; readonly sealedUid: string; readonly secretUid: string }
  | { readonly kind: 'refused'; readonly name: string; readonly why: string };

const POLL_MS = 100;
/** The controller may put its reference back while its resource is there: then a marked Secret would never be free. */
const DROP_ATTEMPTS = 10;
const CLI_MANAGER = 'sotto-cli';

/** Name and uid of every SealedSecret of the namespace. Throws SottoError. */
export async function listSealed(leaving: Leaving): Promise<ReadonlyMap<string, string>> {
  const { cluster, namespace, signal } = leaving;
  const listed = await listMetadata(cluster.transport, SEALED_SECRETS, { namespace, signal });
  if (!listed.ok) throw failed(leaving, listed.failure, 'list', SEALED_SECRETS);
  return new Map(
    listed.value.items.map((item) => [
      stringAt(item, 'metadata', 'name') ?? '',
      stringAt(item, 'metadata', 'uid') ?? '',
    ]),
  );
}

/**
 * Whether a Secret may be let go: only when the agent says that it waits for it, which it does when its keys have
 * opened the file in Git, or when it has it already. Otherwise nobody would care for the Secret afterwards.
 */
export async function departureOf(
  leaving: Leaving,
  name: string,
  sealedUid: string,
  status: Json | undefined,
): Promise<Departure> {
  const secret = await secretMetadata(leaving, name);
  if (secret === undefined) {
    return { kind: 'refused', name, why: 'its Secret is not there: the controller has not unsealed it' };
  }
  const secretUid = stringAt(secret, 'uid') ?? '';
  if (isTaken(leaving, secret) || waitsFor(status, name)) return { kind: 'ready', name, sealedUid, secretUid };
  const refusal = attentionTo(status, name);
  const why = refusal === undefined ? 'the agent does not unseal it' : `the agent refuses it: ${refusal}`;
  return { kind: 'refused', name, why };
}

/**
 * Steps in an order in which the Secret is there at every moment, whoever is stopped in between: first the reference
 * goes that would take the Secret along, then the resource, and its deletion lets dependents be.
 */
export async function depart(leaving: Leaving, departure: Extract<Departure, { kind: 'ready' }>): Promise<void> {
  await dropOwner(leaving, departure);
  await deleteSealed(leaving, departure);
  const secret = await secretMetadata(leaving, departure.name);
  if (stringAt(secret ?? null, 'uid') !== departure.secretUid) throw secretChanged(departure.name);
}

async function dropOwner(leaving: Leaving, { name, sealedUid, secretUid }: Extract<Departure, { kind: 'ready' }>) {
  for (let attempt = 0; attempt < DROP_ATTEMPTS; attempt += 1) {
    const secret = await secretMetadata(leaving, name);
    if (secret === undefined || stringAt(secret, 'uid') !== secretUid) throw secretChanged(name);
    const index = arrayAt(secret, 'ownerReferences').findIndex((owner) => stringAt(owner, 'uid') === sealedUid);
    if (index === -1) return;
    const owner = `/metadata/ownerReferences/${index}`;
    // The reference by its place, and only if Secret and reference are still those that were looked at.
    const patch = [
      { op: 'test', path: '/metadata/uid', value: secretUid },
      { op: 'test', path: `${owner}/uid`, value: sealedUid },
      { op: 'remove', path: owner },
    ];
    const { cluster, namespace, signal } = leaving;
    const target = { resource: SECRETS, namespace, name, signal };
    const answer = await jsonPatch(cluster.transport, { ...target, patch, fieldManager: CLI_MANAGER });
    // A test that does not hold any more: looked at again.
    const isMoved = !answer.ok && (answer.failure.kind === 'invalid' || answer.failure.kind === 'changed');
    if (!answer.ok && !isMoved) throw failed(leaving, answer.failure, 'patch', SECRETS, name);
    await sleep(POLL_MS, undefined, { signal });
  }
  throw new SottoError({
    code: 'SOTTO-CLI-112',
    what: `the owner of Secret ${name} comes back`,
    why: 'the controller puts its reference back as often as it is taken away',
    next: `kubectl annotate secret ${name} sealedsecrets.bitnami.com/managed-   (then the same command again)`,
    object: `Secret/${name}`,
  });
}

async function deleteSealed(leaving: Leaving, { name, sealedUid }: Extract<Departure, { kind: 'ready' }>) {
  const { cluster, namespace, signal, goneMs } = leaving;
  const target = { resource: SEALED_SECRETS, namespace, name, signal };
  const answer = await deleteObject(cluster.transport, { ...target, uid: sealedUid, propagation: 'Orphan' });
  // Another one of the name is not what was looked at; it stays.
  if (!answer.ok && answer.failure.kind === 'changed') return;
  if (!answer.ok) throw failed(leaving, answer.failure, 'delete', SEALED_SECRETS, name);
  const deadlineMs = performance.now() + goneMs;
  for (;;) {
    const live = await getMetadata(cluster.transport, target);
    if (!live.ok) throw failed(leaving, live.failure, 'get', SEALED_SECRETS, name);
    if (live.value === undefined || stringAt(live.value, 'metadata', 'uid') !== sealedUid) return;
    if (performance.now() > deadlineMs) throw stillThere(name);
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function secretMetadata(leaving: Leaving, name: string): Promise<JsonObject | undefined> {
  const { cluster, namespace, signal } = leaving;
  const answer = await getMetadata(cluster.transport, { resource: SECRETS, namespace, name, signal });
  if (!answer.ok) throw failed(leaving, answer.failure, 'get', SECRETS, name);
  const metadata = member(answer.value ?? null, 'metadata');
  return metadata === undefined || metadata === null ? undefined : (metadata as JsonObject);
}

function isTaken({ cluster }: Leaving, metadata: JsonObject): boolean {
  return ownerOf(metadata, applySetId(INVENTORY_NAME, cluster.namespace)).kind === 'ours';
}

/** It belongs to the SealedSecret and to no other tool, or it exists and differs. */
function waitsFor(status: Json | undefined, name: string): boolean {
  const isOfSealed = (each: Json): boolean =>
    memberAt(each, 'code') === 'SOTTO-PLAN-006' &&
    stringAt(each, 'message')?.includes(`SealedSecret/${name}:`) === true;
  return waitsForYes(status, name) || attentions(status, name).some(isOfSealed);
}

/** Differs from Git, and is nobody's: it waits for somebody to say that it may be taken over. */
export function waitsForYes(status: Json | undefined, name: string): boolean {
  return attentions(status, name).some((each) => memberAt(each, 'code') === 'SOTTO-PLAN-001');
}

function attentionTo(status: Json | undefined, name: string): string | undefined {
  const [first] = attentions(status, name);
  return first === undefined ? undefined : `${stringAt(first, 'code') ?? ''}: ${stringAt(first, 'message') ?? ''}`;
}

function attentions(status: Json | undefined, name: string): readonly Json[] {
  return arrayAt(status ?? null, 'syncs')
    .flatMap((sync) => arrayAt(sync, 'attention'))
    .filter((each) => stringAt(each, 'object') === `Secret/${name}`);
}

function failed(
  { cluster, namespace }: Leaving,
  failure: KubeFailure,
  verb: Verb,
  resource: Resource,
  name?: string,
): SottoError {
  return kubeError(failure, { verb, resource, namespace, name, user: cluster.connection.user });
}

function secretChanged(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-112',
    what: `Secret ${name} was replaced meanwhile`,
    why: 'somebody else deletes it or makes it anew',
    next: 'the same command again, when nobody else is at it',
    object: `Secret/${name}`,
  });
}

function stillThere(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-112',
    what: `SealedSecret ${name} is being deleted and is still there`,
    why: 'its finalizers are not done: the garbage collector of the cluster, or somebody else’s finalizer',
    next: `kubectl get sealedsecret ${name} -o yaml   (the Secret is free already; the same command goes on)`,
    object: `bitnami.com/SealedSecret/${name}`,
  });
}
