import type { ObjectId } from '../core/ids.ts';

interface ResourceFacts {
  /** The core group is the empty string. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

/** A kind whose objects may be read whole. */
export interface OpenResource extends ResourceFacts {
  readonly secret: false;
}

/** Secrets: what the server answers is metadata only (spec/memory.md, R5), so reading one whole cannot be written down. */
export interface SecretResource extends ResourceFacts {
  readonly secret: true;
}

export type Resource = OpenResource | SecretResource;

export function resourceOf(facts: ResourceFacts): Resource {
  return facts.group === '' && facts.plural === 'secrets' ? { ...facts, secret: true } : { ...facts, secret: false };
}

/** Known without discovery: the two kinds the agent itself lives on. */
export const SECRETS: SecretResource = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  secret: true,
};

export const CONFIG_MAPS: OpenResource = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  secret: false,
};

/** URL path of a collection, an object or its subresource. The case of names is kept: a Role may be called `MyRole`. */
export function resourcePath(resource: Resource, namespace: string, name?: string, subresource?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = resource.namespaced ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  const below = subresource === undefined ? '' : `/${subresource}`;
  return `${root}${scope}/${resource.plural}${object}${below}`;
}

/** `deployments.apps`, `secrets`: as RBAC and kubectl write it. */
export function resourceText(resource: Pick<Resource, 'group' | 'plural'>): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

export function objectIdIn(resource: Resource, namespace: string, name: string): ObjectId {
  return { group: resource.group, kind: resource.kind, namespace: resource.namespaced ? namespace : '', name };
}
