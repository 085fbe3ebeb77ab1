import type { Json, JsonObject } from '../core/json.ts';
import { stringifyJson } from '../core/json.ts';
import type { Verb } from './errors.ts';
import type { Body } from './exchange.ts';
import { ask, objectIn } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import type { OpenResource, Resource } from './resource.ts';
import { resourcePath } from './resource.ts';
import { METADATA_ONLY } from './transport.ts';
import type { Call, Transport } from './transport.ts';

export type { Outcome } from './outcome.ts';

export const FIELD_MANAGER = 'sotto';

/** One object's place. */
export interface Target {
  readonly resource: Resource;
  readonly namespace: string;
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}

interface WriteOptions extends Target {
  /** Written as this user, who must be allowed to; we need the right to impersonate. */
  readonly asUser?: string | undefined;
  /** Everything but storing it. */
  readonly dryRun?: boolean | undefined;
  /** Default `sotto`. */
  readonly fieldManager?: string | undefined;
}

export interface Write extends WriteOptions {
  /** JSON. Of a Secret: sent by spec/memory.md R4 and overwritten when the call returns, whatever happened. */
  readonly body: Uint8Array;
}

export interface Apply extends Write {
  /** Take fields that other managers own; without it they are a `conflict`. */
  readonly force: boolean;
}

export interface Patch extends WriteOptions {
  readonly patch: Json;
  readonly subresource?: string | undefined;
}

export interface Written {
  readonly created: boolean;
  /** The object as it is stored now; of a Secret its metadata only. */
  readonly object: JsonObject;
}

/**
 * Server-side apply. `metadata.resourceVersion` in the body is a precondition while the object exists (`changed`) and
 * without effect when it does not: "1", which no object has, creates only what is absent. "0" is no precondition.
 */
export async function applyObject(transport: Transport, apply: Apply): Promise<Outcome<Written>> {
  return write(transport, apply, { ...APPLY, query: { force: String(apply.force) } }, apply.body);
}

/** POST: `already-exists` when it does. */
export async function createObject(transport: Transport, request: Write): Promise<Outcome<Written>> {
  return write(transport, request, CREATE, request.body);
}

/** PUT: `changed` when the live one has not the resourceVersion of the body. */
export async function replaceObject(transport: Transport, request: Write): Promise<Outcome<Written>> {
  return write(transport, request, REPLACE, request.body);
}

/** RFC 6902; `test` on /metadata/resourceVersion makes it conditional. */
export async function jsonPatch(transport: Transport, request: Patch): Promise<Outcome<Written>> {
  return write(transport, request, JSON_PATCH, patchBytes(request.patch), request.subresource);
}

/** RFC 7386: null removes. */
export async function mergePatch(transport: Transport, request: Patch): Promise<Outcome<Written>> {
  return write(transport, request, MERGE_PATCH, patchBytes(request.patch), request.subresource);
}

interface WriteForm {
  readonly verb: Verb;
  readonly method: Call['method'];
  readonly contentType: string;
  readonly query?: Readonly<Record<string, string>>;
}

const APPLY: WriteForm = { verb: 'patch', method: 'PATCH', contentType: 'application/apply-patch+yaml' };
const JSON_PATCH: WriteForm = { verb: 'patch', method: 'PATCH', contentType: 'application/json-patch+json' };
const MERGE_PATCH: WriteForm = { verb: 'patch', method: 'PATCH', contentType: 'application/merge-patch+json' };
const CREATE: WriteForm = { verb: 'create', method: 'POST', contentType: 'application/json' };
const REPLACE: WriteForm = { verb: 'update', method: 'PUT', contentType: 'application/json' };

/** Own memory: `Buffer.from(text)` is a piece of a shared pool, and the body of a Secret's patch is overwritten. */
function patchBytes(patch: Json): Uint8Array {
  return new TextEncoder().encode(stringifyJson(patch));
}

async function write(
  transport: Transport,
  target: WriteOptions,
  form: WriteForm,
  bytes: Uint8Array,
  subresource?: string,
): Promise<Outcome<Written>> {
  const { resource, namespace, signal } = target;
  const query = new URLSearchParams({ fieldManager: target.fieldManager ?? FIELD_MANAGER, ...form.query });
  if (target.dryRun === true) query.set('dryRun', 'All');
  const path = resourcePath(resource, namespace, form.method === 'POST' ? undefined : target.name, subresource);
  const asked = await ask(transport, resource, {
    verb: form.verb,
    method: form.method,
    path: `${path}?${query.toString()}`,
    accept: resource.secret ? METADATA_ONLY : 'application/json',
    contentType: form.contentType,
    body: bodyOf(resource, bytes),
    asUser: target.asUser,
    signal,
  });
  if (!asked.ok) return asked;
  const stored = objectIn(asked.value, resource.secret);
  if (!stored.ok) return stored;
  return { ok: true, value: { created: asked.value.status === 201, object: stored.value } };
}

function bodyOf(resource: Resource, bytes: Uint8Array): Body {
  return resource.secret ? { secret: true, bytes, wipe: () => bytes.fill(0) } : { secret: false, bytes };
}

/** The whole object, or undefined when it is not there. A Secret has no such call: see `readSecret`. */
export async function getObject(
  transport: Transport,
  target: Target & { readonly resource: OpenResource },
): Promise<Outcome<JsonObject | undefined>> {
  return read(transport, target, 'application/json');
}

/** PartialObjectMetadata of an object, or undefined when it is not there. */
export async function getMetadata(transport: Transport, target: Target): Promise<Outcome<JsonObject | undefined>> {
  return read(transport, target, METADATA_ONLY);
}

async function read(transport: Transport, target: Target, accept: string): Promise<Outcome<JsonObject | undefined>> {
  const { resource, namespace, name, signal } = target;
  const path = resourcePath(resource, namespace, name);
  const asked = await ask(transport, resource, { verb: 'get', method: 'GET', path, accept, signal });
  if (asked.ok) return objectIn(asked.value, resource.secret);
  return asked.failure.kind === 'not-found' ? { ok: true, value: undefined } : asked;
}

export interface Deletion extends Target {
  readonly asUser?: string | undefined;
  /** Nothing else of the same name is deleted: `changed` when the live one is another. */
  readonly uid: string;
  readonly resourceVersion?: string | undefined;
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  readonly dryRun?: boolean | undefined;
}

/** `gone`: it was not there. `accepted`: it is deleted, or will be once its finalizers are. */
export async function deleteObject(transport: Transport, request: Deletion): Promise<Outcome<'accepted' | 'gone'>> {
  const { resource, namespace, name, uid, resourceVersion, propagation, signal } = request;
  const options = {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    propagationPolicy: propagation ?? 'Background',
    preconditions: resourceVersion === undefined ? { uid } : { uid, resourceVersion },
    ...(request.dryRun === true ? { dryRun: ['All'] } : {}),
  };
  const asked = await ask(transport, resource, {
    verb: 'delete',
    method: 'DELETE',
    path: resourcePath(resource, namespace, name),
    accept: METADATA_ONLY,
    contentType: 'application/json',
    body: { secret: false, bytes: Buffer.from(JSON.stringify(options)) },
    asUser: request.asUser,
    signal,
  });
  if (asked.ok) return { ok: true, value: 'accepted' };
  return asked.failure.kind === 'not-found' ? { ok: true, value: 'gone' } : asked;
}
