import { posix } from 'node:path';
import { arrayAt, isJsonObject, type Json, type JsonObject, member, stringAt } from '../../core/json.ts';
import { SETTINGS_KEY, SETTINGS_NAME } from '../../core/labels.ts';
import { readManifests } from '../../yaml/manifest.ts';

/** The files of deploy/ that `sotto install` applies, read: the build puts them into the bundle. */
export interface DeployManifests {
  readonly base: readonly JsonObject[];
  /** What is different where the agent applies into another namespace than its own. */
  readonly split: { readonly agentRole: JsonObject; readonly target: readonly JsonObject[] };
}

export interface Installation {
  readonly namespace: string;
  /** Where objects are applied; the same namespace, or another one. */
  readonly targetNamespace: string;
  /** Default: the image of deploy/, which is in no registry. */
  readonly image: string | undefined;
  /** Resources, as `ingresses.networking.k8s.io`, for which the agent gets no rights. */
  readonly without: readonly string[];
  /** Text of sotto.yaml. */
  readonly settings: string | undefined;
}

/** `read` gives the text of a file of deploy/. The resources of a kustomization, in its order. */
export function readDeploy(read: (file: string) => string): DeployManifests {
  const resourcesOf = (folder: string): JsonObject[] => {
    const file = posix.join(folder, 'kustomization.yaml');
    return arrayAt(readManifests(read(file), file)[0]?.value, 'resources').flatMap((resource) => {
      if (typeof resource !== 'string') throw new TypeError(`${file} lists what is no file name`);
      const path = posix.join(folder, resource);
      return path.endsWith('.yaml') ? objectsIn(path, read(path)) : resourcesOf(path);
    });
  };
  const [agentRole] = objectsIn('role.yaml', read('overlays/split/agent/role.yaml'));
  if (agentRole === undefined) throw new TypeError('overlays/split/agent/role.yaml holds no Role');
  return { base: resourcesOf('base'), split: { agentRole, target: resourcesOf('overlays/split/target') } };
}

function objectsIn(file: string, text: string): JsonObject[] {
  return readManifests(text, file).flatMap(({ value }) => (isJsonObject(value) ? [value] : []));
}

/** What is applied, in the order in which it is applied: the Deployment last. */
export function manifestsFor(deploy: DeployManifests, wanted: Installation): readonly JsonObject[] {
  const { namespace, targetNamespace, without, settings } = wanted;
  const isSplit = targetNamespace !== namespace;
  const own = deploy.base.map((object) => {
    if (isAgentRole(object) && isSplit) return { ...object, rules: member(deploy.split.agentRole, 'rules') ?? [] };
    return object;
  });
  const placed = [
    ...own.map((object) => placedIn(object, namespace, namespace)),
    ...(isSplit ? deploy.split.target.map((object) => placedIn(object, targetNamespace, namespace)) : []),
    ...(settings === undefined ? [] : [settingsObject(namespace, settings)]),
  ];
  return placed
    .map((object) => withImage(isAgentRole(object) ? withoutResources(object, without) : object, wanted.image))
    .toSorted((a, b) => orderOf(a) - orderOf(b));
}

export function isAgentRole(object: JsonObject): boolean {
  return object['kind'] === 'Role' && nameOf(object) === 'sotto';
}

export function nameOf(object: JsonObject): string {
  return stringAt(object, 'metadata', 'name') ?? '';
}

export function namespaceOf(object: JsonObject): string {
  return stringAt(object, 'metadata', 'namespace') ?? '';
}

/** `Role/sotto`; with its namespace where there are two. */
export function shownObject(object: JsonObject, ownNamespace: string): string {
  const place = namespaceOf(object) === ownNamespace ? '' : ` in ${namespaceOf(object)}`;
  return `${stringAt(object, 'kind') ?? ''}/${nameOf(object)}${place}`;
}

/** `deployments.apps`, as RBAC and `--without` write it. */
export function resourceWords(rule: Json): readonly string[] {
  return arrayAt(rule, 'apiGroups').flatMap((group) =>
    arrayAt(rule, 'resources').flatMap((resource) =>
      typeof group === 'string' && typeof resource === 'string'
        ? [group === '' ? resource : `${resource}.${group}`]
        : [],
    ),
  );
}

const ORDER = ['ServiceAccount', 'ConfigMap', 'Role', 'RoleBinding', 'Service', 'NetworkPolicy', 'Deployment'];

function orderOf(object: JsonObject): number {
  return ORDER.indexOf(stringAt(object, 'kind') ?? '');
}

function placedIn(object: JsonObject, namespace: string, accountNamespace: string): JsonObject {
  const metadata = { ...asObject(object['metadata']), namespace };
  if (object['kind'] !== 'RoleBinding') return { ...object, metadata };
  const subjects = arrayAt(object, 'subjects').map((subject) => ({
    ...asObject(subject),
    namespace: accountNamespace,
  }));
  return { ...object, metadata, subjects };
}

/** A rule that is left with no resource goes; groups and resources of deploy/ stand one group to a rule. */
function withoutResources(role: JsonObject, without: readonly string[]): JsonObject {
  const rules = arrayAt(role, 'rules').flatMap((rule) => {
    const group = arrayAt(rule, 'apiGroups')[0];
    const left = arrayAt(rule, 'resources').filter(
      (resource) =>
        !resourceWords({ apiGroups: [group ?? ''], resources: [resource] }).some((word) => without.includes(word)),
    );
    return left.length === 0 ? [] : [{ ...asObject(rule), resources: left }];
  });
  return { ...role, rules };
}

function withImage(object: JsonObject, image: string | undefined): JsonObject {
  if (object['kind'] !== 'Deployment' || image === undefined) return object;
  const spec = asObject(object['spec']);
  const template = asObject(spec['template']);
  const pod = asObject(template['spec']);
  const containers = arrayAt(pod, 'containers').map((container) => ({ ...asObject(container), image }));
  return { ...object, spec: { ...spec, template: { ...template, spec: { ...pod, containers } } } };
}

function settingsObject(namespace: string, text: string): JsonObject {
  const labels = { 'app.kubernetes.io/name': 'sotto' };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: SETTINGS_NAME, namespace, labels },
    data: { [SETTINGS_KEY]: text },
  };
}

function asObject(value: Json | undefined): JsonObject {
  return value !== undefined && isJsonObject(value) ? value : {};
}
