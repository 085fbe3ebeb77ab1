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
  /** What a person may mean: kind, plural, singular or short name, with `.group` or `.version.group`, most likely first. */
  named(word: string): readonly Resource[];
  /** The words that `named` knows, without groups. */
  readonly words: readonly string[];
}

/** The other names of a kind: singular and short ones. */
type Aliases = ReadonlyMap<Resource, readonly string[]>;

// First the form this is written for; servers before 1.30 know v2beta1, those before 1.26 answer plain lists.
const AGGREGATED = ['v2', 'v2beta1'].map(
  (v) => `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`,
);
const ACCEPT = [...AGGREGATED, 'application/json'].join(',');

/** Two requests, or one per group version on servers without aggregated discovery. */
export async function discover(transport: Transport, signal?: AbortSignal): Promise<Outcome<ResourceCatalog>> {
  const found: Resource[] = [];
  const unknownGroups: string[] = [];
  const aliases = new Map<Resource, readonly string[]>();
  for (const root of ['/api', '/apis']) {
    const answer = await getJson(transport, root, signal);
    if (!answer.ok) return answer;
    if (stringAt(answer.value, 'kind') === 'APIGroupDiscoveryList') {
      addAggregated(answer.value, found, aliases, unknownGroups);
      continue;
    }
    const plain = await addPlain(transport, root, answer.value, found, aliases, unknownGroups, signal);
    if (!plain.ok) return plain;
  }
  return { ok: true, value: catalogOf(found, unknownGroups, aliases) };
}

export function catalogOf(
  resources: readonly Resource[],
  unknownGroups: readonly string[],
  aliases: Aliases = new Map(),
): ResourceCatalog {
  const byKind = new Map(resources.map((resource) => [`${apiVersionOf(resource)} ${resource.kind}`, resource]));
  const wordsOf = (resource: Resource): string[] =>
    [resource.plural, resource.kind, ...(aliases.get(resource) ?? [])].map((word) => word.toLowerCase());
  return {
    resources,
    unknownGroups,
    find: (apiVersion, kind) => byKind.get(`${apiVersion} ${kind}`),
    named: (word) => resourcesNamed(resources, word.toLowerCase(), wordsOf),
    words: [...new Set(resources.flatMap(wordsOf))],
  };
}

/** `deploy`, `deployments.apps`, `deployment.v1.apps`; one version of each kind, the one the server prefers. */
function resourcesNamed(
  resources: readonly Resource[],
  word: string,
  wordsOf: (resource: Resource) => readonly string[],
): Resource[] {
  const [name = '', ...rest] = word.split('.');
  const suffix = rest.join('.');
  const found = resources.filter(({ group, version }) => {
    if (suffix === '') return true;
    return suffix === group || suffix === `${version}.${group}`;
  });
  const kinds = new Map<string, Resource>();
  for (const resource of found) {
    const kind = `${resource.group}/${resource.kind}`;
    if (wordsOf(resource).includes(name) && !kinds.has(kind)) kinds.set(kind, resource);
  }
  return [...kinds.values()];
}

function addAggregated(
  list: Json,
  found: Resource[],
  aliases: Map<Resource, readonly string[]>,
  unknownGroups: string[],
): void {
  for (const item of arrayAt(list, 'items')) {
    const group = stringAt(item, 'metadata', 'name') ?? '';
    for (const entry of arrayAt(item, 'versions')) {
      const version = stringAt(entry, 'version') ?? '';
      if (stringAt(entry, 'freshness') === 'Stale') unknownGroups.push(group);
      for (const resource of arrayAt(entry, 'resources')) {
        const kind = stringAt(resource, 'responseKind', 'kind') ?? '';
        const plural = stringAt(resource, 'resource') ?? '';
        const namespaced = stringAt(resource, 'scope') === 'Namespaced';
        if (kind === '') continue;
        const facts = resourceOf({ group, version, kind, plural, namespaced, verbs: verbsOf(resource) });
        found.push(facts);
        aliases.set(facts, [...textsAt(resource, 'shortNames'), stringAt(resource, 'singularResource') ?? '']);
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
  aliases: Map<Resource, readonly string[]>,
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
    if (list.ok) addResourceList(list.value, group, groupVersion.slice(slash + 1), found, aliases);
    else if (list.failure.kind === 'unreachable') return list;
    else unknownGroups.push(group);
  }
  return { ok: true, value: undefined };
}

function addResourceList(
  list: Json,
  group: string,
  version: string,
  found: Resource[],
  aliases: Map<Resource, readonly string[]>,
): void {
  for (const resource of arrayAt(list, 'resources')) {
    const [kind, plural] = [stringAt(resource, 'kind') ?? '', stringAt(resource, 'name') ?? ''];
    // `deployments/status` is a subresource.
    if (kind === '' || plural.includes('/')) continue;
    const namespaced = memberAt(resource, 'namespaced') === true;
    const facts = resourceOf({ group, version, kind, plural, namespaced, verbs: verbsOf(resource) });
    found.push(facts);
    aliases.set(facts, [...textsAt(resource, 'shortNames'), stringAt(resource, 'singularName') ?? '']);
  }
}

function verbsOf(resource: Json): string[] {
  return textsAt(resource, 'verbs');
}

function textsAt(resource: Json, field: string): string[] {
  return arrayAt(resource, field).flatMap((text) => (typeof text === 'string' ? [text] : []));
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
