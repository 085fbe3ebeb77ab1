import { type JsonObject, stringAt } from '../../core/json.ts';
import { CONFIG_MAPS, type OpenResource } from '../../kube/resource.ts';

/** The kinds of deploy/, known without asking the API server. */
const KNOWN: readonly OpenResource[] = [
  CONFIG_MAPS,
  known('', 'ServiceAccount', 'serviceaccounts'),
  known('', 'Service', 'services'),
  known('apps', 'Deployment', 'deployments'),
  known('networking.k8s.io', 'NetworkPolicy', 'networkpolicies'),
  known('rbac.authorization.k8s.io', 'Role', 'roles'),
  known('rbac.authorization.k8s.io', 'RoleBinding', 'rolebindings'),
];

export const ROLES = known('rbac.authorization.k8s.io', 'Role', 'roles');

export function resourceFor(object: JsonObject): OpenResource {
  const found = KNOWN.find(({ kind }) => kind === stringAt(object, 'kind'));
  if (found === undefined)
    throw new TypeError(`deploy/ holds a kind that is not listed: ${stringAt(object, 'kind') ?? ''}`);
  return found;
}

/** A question to the API server, in the form of an object that is made and not kept. */
export function reviewResource(kind: 'SelfSubjectAccessReview' | 'SelfSubjectRulesReview'): OpenResource {
  const review = known('authorization.k8s.io', kind, `${kind.toLowerCase()}s`);
  return { ...review, namespaced: false, verbs: ['create'] };
}

function known(group: string, kind: string, plural: string): OpenResource {
  const verbs = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];
  return { group, version: 'v1', kind, plural, namespaced: true, verbs, secret: false };
}
