import type { Json } from '../core/json.ts';
import { arrayAt, memberAt, stringAt } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { parseAnswer } from './answer-json.ts';
import { failureFromAnswer, failureOf, failureWithoutAnswer } from './failure.ts';
import type { Outcome } from './outcome.ts';
import type { Resource } from './resource.ts';
import { apiVersionOf, resourceOf } from './resource.ts';
import type { Transport } from './transport.ts';

/** What the API server serves. */
export interface ResourceCatalog {
  readonly resources: readonly Resource[];
  /** Groups whose own server did not answer: that a kind of theirs is not here says nothing. */
  readonly unknownGroups: readonly string[];
  find(apiVersion: string, kind: string): Resource | undefined;
}

// First the form this is written for; servers before 1.30 know v2beta1, those before 1.26 answer plain lists.
const AGGREGATED = ['v2', 'v2beta1'].map(
  (v) => `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`,
);
const ACCEPT = [...AGGREGATED, 'application/json'].join(',');

/** Two requests, or one per group version on servers without aggregated discovery. */
export async function discover(transport: Transport, signal?: AbortSignal): Promise<Outcome<ResourceCatalog>> {
  const found: Resource[] = [];
  const unknownGroups: string[] = [];
  for (const root of ['/api', '/apis']) {
    const answer = await getJson(transport, root, signal);
    if (!answer.ok) return answer;
    if (stringAt(answer.value, 'kind') === 'APIGroupDiscoveryList') {
      addAggregated(answer.value, found, unknownGroups);
      continue;
    }
    const plain = await addPlain(transport, root, answer.value, found, unknownGroups, signal);
    if (!plain.ok) return plain;
  }
  return { ok: true, value: catalogOf(found, unknownGroups) };
}

export function catalogOf(resources: readonly Resource[], unknownGroups: readonly string[]): ResourceCatalog {
  const byKind = new Map(resources.map((resource) => [`${apiVersionOf(resource)} ${resource.kind}`, resource]));
  return { resources, unknownGroups, find: (apiVersion, kind) => byKind.get(`${apiVersion} ${kind}`) };
}

function addAggregated(list: Json, found: Resource[], unknownGroups: string[]): void {
  for (const item of arrayAt(list, 'items')) {
    const group = stringAt(item, 'metadata', 'name') ?? '';
    for (const entry of arrayAt(item, 'versions')) {
      const version = stringAt(entry, 'version') ?? '';
      if (stringAt(entry, 'freshness') === 'Stale') unknownGroups.push(group);
      for (const resource of arrayAt(entry, 'resources')) {
        const kind = stringAt(resource, 'responseKind', 'kind') ?? '';
        const plural = stringAt(resource, 'resource') ?? '';
        const namespaced = stringAt(resource, 'scope') === 'Namespaced';
        if (kind !== '') found.push(resourceOf({ group, version, kind, plural, namespaced, verbs: verbsOf(resource) }));
      }
    }
  }
}

/** `/api` answers APIVersions, `/apis` an APIGroupList; each group version has a list of its own. */
async function addPlain(
  transport: Transport,
  root: string,
  answer: Json,
  found: Resource[],
  unknownGroups: string[],
  signal: AbortSignal | undefined,
): Promise<Outcome<undefined>> {
  const core = arrayAt(answer, 'versions').flatMap((version) => (typeof version === 'string' ? [version] : []));
  const others = arrayAt(answer, 'groups').flatMap((group) =>
    arrayAt(group, 'versions').flatMap((version) => stringAt(version, 'groupVersion') ?? []),
  );
  for (const groupVersion of root === '/api' ? core : others) {
    const list = await getJson(transport, `${root}/${groupVersion}`, signal);
    const slash = groupVersion.indexOf('/');
    const group = slash === -1 ? '' : groupVersion.slice(0, slash);
    // One group's server being away (503) must not hide the others.
    if (list.ok) addResourceList(list.value, group, groupVersion.slice(slash + 1), found);
    else if (list.failure.kind === 'unreachable') return list;
    else unknownGroups.push(group);
  }
  return { ok: true, value: undefined };
}

function addResourceList(list: Json, group: string, version: string, found: Resource[]): void {
  for (const resource of arrayAt(list, 'resources')) {
    const [kind, plural] = [stringAt(resource, 'kind') ?? '', stringAt(resource, 'name') ?? ''];
    // `deployments/status` is a subresource.
    if (kind === '' || plural.includes('/')) continue;
    const namespaced = memberAt(resource, 'namespaced') === true;
    found.push(resourceOf({ group, version, kind, plural, namespaced, verbs: verbsOf(resource) }));
  }
}

function verbsOf(resource: Json): string[] {
  return arrayAt(resource, 'verbs').flatMap((verb) => (typeof verb === 'string' ? [verb] : []));
}

async function getJson(transport: Transport, path: string, signal: AbortSignal | undefined): Promise<Outcome<Json>> {
  const reply = await transport.send({
    verb: 'get',
    method: 'GET',
    path,
    resource: undefined,
    accept: ACCEPT,
    maxAnswerBytes: LIMITS.maxListAnswerBytes,
    signal,
  });
  if (reply.kind === 'none') return { ok: false, failure: failureWithoutAnswer(reply) };
  if (reply.status !== 200) return { ok: false, failure: failureFromAnswer(reply, false) };
  try {
    return { ok: true, value: parseAnswer(reply.bytes) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { ok: false, failure: failureOf({ kind: 'protocol', status: 200, reason: 'not JSON' }) };
  }
}
