import { arrayAt, type Json, type JsonObject, stringAt } from '../../core/json.ts';
import { isAgentRole, nameOf, namespaceOf, resourceWords } from './manifests.ts';
import { resourceFor } from './resources.ts';

/** One thing that must be allowed, as the API server is asked about it. */
export interface Right {
  readonly namespace: string;
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  /** Only objects of this name. */
  readonly name?: string | undefined;
}

/** Why somebody who installs needs a right. */
export type Need =
  /** To see and apply an object of deploy/. */
  | { readonly kind: 'apply'; readonly right: Right; readonly object: JsonObject }
  /** To be allowed to hand it on: whoever makes a Role must have what is in it. */
  | { readonly kind: 'grant'; readonly right: Right; readonly object: JsonObject };

/** What the agent cannot do without. All else of its Role may be left out, Events too: it then tells of corrections in log and status only. */
export const NEEDED_RESOURCES: readonly string[] = ['secrets', 'configmaps', 'pods'];

export function needsOf(manifests: readonly JsonObject[]): readonly Need[] {
  return manifests.flatMap((object) => [...applyNeeds(object), ...grantNeeds(object)]);
}

function applyNeeds(object: JsonObject): readonly Need[] {
  const { group, plural } = resourceFor(object);
  const about = { namespace: namespaceOf(object), group, resource: plural };
  const named = { ...about, name: nameOf(object) };
  const rights: readonly Right[] = [
    { ...named, verb: 'get' },
    { ...about, verb: 'create' },
    { ...named, verb: 'patch' },
  ];
  return rights.map((right) => ({ kind: 'apply', right, object }));
}

function grantNeeds(object: JsonObject): readonly Need[] {
  if (object['kind'] !== 'Role') return [];
  return arrayAt(object, 'rules').flatMap((rule) =>
    rightsOf(rule, namespaceOf(object)).map((right): Need => ({ kind: 'grant', right, object })),
  );
}

function rightsOf(rule: Json, namespace: string): readonly Right[] {
  const names = textsAt(rule, 'resourceNames');
  return textsAt(rule, 'apiGroups').flatMap((group) =>
    textsAt(rule, 'resources').flatMap((resource) =>
      textsAt(rule, 'verbs').flatMap((verb) =>
        (names.length === 0 ? [undefined] : names).map((name) => ({ namespace, group, resource, verb, name })),
      ),
    ),
  );
}

/** Whether a rule of a SelfSubjectRulesReview allows it. */
export function covers(rule: Json, right: Right): boolean {
  const has = (field: string, word: string): boolean => {
    const words = textsAt(rule, field);
    return words.includes(word) || words.includes('*');
  };
  const names = textsAt(rule, 'resourceNames');
  const isNamed = names.length === 0 || (right.name !== undefined && names.includes(right.name));
  return has('verbs', right.verb) && has('apiGroups', right.group) && has('resources', right.resource) && isNamed;
}

/** What follows from the rights that are missing. */
export type Verdict =
  | { readonly kind: 'can' }
  /** `without`: kinds that have to be left out of the Role, as `--without` takes them. */
  | { readonly kind: 'can-without'; readonly without: readonly string[] }
  /** `paste`: what somebody with more rights has to apply. */
  | { readonly kind: 'cannot'; readonly paste: readonly JsonObject[]; readonly without: readonly string[] };

export function verdictOf(manifests: readonly JsonObject[], missing: readonly Need[]): Verdict {
  const grants = missing.filter(({ kind }) => kind === 'grant');
  const words = [...new Set(grants.filter(({ object }) => isAgentRole(object)).map(({ right }) => wordOf(right)))];
  const optional = words.filter((word) => !NEEDED_RESOURCES.includes(word));
  const refused = manifests.filter(
    (object) =>
      missing.some((need) => need.kind === 'apply' && need.object === object) ||
      grants.some((need) => need.object === object && !(isAgentRole(object) && optional.includes(wordOf(need.right)))),
  );
  if (refused.length === 0) return optional.length === 0 ? { kind: 'can' } : { kind: 'can-without', without: optional };
  // Who may not make a Role may not bind it either.
  const roles = new Set(refused.filter(({ kind }) => kind === 'Role').map((role) => placeOf(role, nameOf(role))));
  const paste = manifests.filter(
    (object) => refused.includes(object) || roles.has(placeOf(object, stringAt(object, 'roleRef', 'name') ?? '')),
  );
  return { kind: 'cannot', paste, without: optional };
}

function placeOf(object: JsonObject, name: string): string {
  return `${namespaceOf(object)}/${name}`;
}

export function wordOf({ group, resource }: Right): string {
  return resourceWords({ apiGroups: [group], resources: [resource] })[0] ?? resource;
}

/** `create deployments.apps in team-app`, for people. */
export function shownRight(right: Right): string {
  const name = right.name === undefined ? '' : ` ${right.name}`;
  return `${right.verb} ${wordOf(right)}${name} in ${right.namespace}`;
}

function textsAt(value: Json, field: string): string[] {
  return arrayAt(value, field).flatMap((item) => (typeof item === 'string' ? [item] : []));
}
