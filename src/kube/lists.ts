import type { JsonObject } from '../core/json.ts';
import { arrayAt, isJsonObject, stringAt } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { ask, objectIn } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import type { OpenResource, Resource } from './resource.ts';
import { resourcePath } from './resource.ts';
import { METADATA_LIST_ONLY } from './transport.ts';
import type { Transport } from './transport.ts';

export interface Selection {
  readonly namespace: string;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Listed {
  readonly items: readonly JsonObject[];
  /** The version all of it had at once. */
  readonly resourceVersion: string;
}

/** The metadata of all objects, read consistently and never from an older cache (spec/drift.md 1.10). */
export async function listMetadata(
  transport: Transport,
  resource: Resource,
  selection: Selection,
): Promise<Outcome<Listed>> {
  return list(transport, resource, selection, METADATA_LIST_ONLY);
}

/** All objects whole. */
export async function listObjects(
  transport: Transport,
  resource: OpenResource,
  selection: Selection,
): Promise<Outcome<Listed>> {
  return list(transport, resource, selection, 'application/json');
}

/** The version the kind's store has now, by the smallest request that is answered from the store itself. */
export async function currentVersion(
  transport: Transport,
  resource: Resource,
  selection: Selection,
): Promise<Outcome<string>> {
  const outcome = await page(transport, resource, selection, METADATA_LIST_ONLY, { limit: '1' });
  return outcome.ok ? { ok: true, value: outcome.value.resourceVersion } : outcome;
}

const PAGE_SIZE = '500';

async function list(
  transport: Transport,
  resource: Resource,
  selection: Selection,
  accept: string,
): Promise<Outcome<Listed>> {
  const items: JsonObject[] = [];
  let query: Record<string, string> = { limit: PAGE_SIZE };
  for (;;) {
    const outcome = await page(transport, resource, selection, accept, query);
    if (!outcome.ok) return outcome;
    const { next, resourceVersion } = outcome.value;
    for (const item of outcome.value.items) items.push(item);
    if (next === '') return { ok: true, value: { items, resourceVersion } };
    query = { limit: PAGE_SIZE, continue: next };
  }
}

async function page(
  transport: Transport,
  resource: Resource,
  selection: Selection,
  accept: string,
  paging: Record<string, string>,
): Promise<Outcome<Listed & { readonly next: string }>> {
  const query = new URLSearchParams(paging);
  if (selection.labelSelector !== undefined) query.set('labelSelector', selection.labelSelector);
  if (selection.fieldSelector !== undefined) query.set('fieldSelector', selection.fieldSelector);
  const asked = await ask(transport, resource, {
    verb: 'list',
    method: 'GET',
    path: `${resourcePath(resource, selection.namespace)}?${query.toString()}`,
    accept,
    maxAnswerBytes: LIMITS.maxListAnswerBytes,
    signal: selection.signal,
  });
  if (!asked.ok) return asked;
  const read = objectIn(asked.value, resource.secret);
  if (!read.ok) return read;
  const items = arrayAt(read.value, 'items').filter((item) => isJsonObject(item));
  const resourceVersion = stringAt(read.value, 'metadata', 'resourceVersion') ?? '';
  return { ok: true, value: { items, resourceVersion, next: stringAt(read.value, 'metadata', 'continue') ?? '' } };
}
