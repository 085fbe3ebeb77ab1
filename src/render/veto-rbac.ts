import type { Closed, ClosedObject } from '../core/closed.ts';
import { isAgentConfigMap, isAgentRbacName } from './veto-agent-object.ts';
import { type Finding, isBesideKeys, type Vetoed, type VetoRules } from './veto-rules.ts';
import { objectsAt, textAt, textsAt, valueAt } from './veto-walk.ts';

const RBAC = 'rbac.authorization.k8s.io';
const OPENSHIFT = 'authorization.openshift.io';

/** A right that Git may not hand out. */
interface Right {
  readonly group: string;
  readonly resources: readonly string[];
  /** Undefined: every verb. */
  readonly verbs: readonly string[] | undefined;
}

const EVERYWHERE: readonly Right[] = [
  { group: '', resources: ['secrets'], verbs: undefined },
  { group: '', resources: ['serviceaccounts/token'], verbs: undefined },
  // In a Role the right to bind ClusterRoles holds for its namespace: `edit`, for example, with every Secret.
  { group: RBAC, resources: ['roles', 'rolebindings', 'clusterroles'], verbs: ['escalate', 'bind'] },
];

/** Whose wildcard verb means impersonation, of old and by the constrained form. */
const ACCOUNTS: readonly Right[] = ['', 'authentication.k8s.io'].map((group) => ({
  group,
  resources: ['serviceaccounts'],
  verbs: undefined,
}));

const WRITE = ['create', 'update', 'patch'];

/** Where the keys are, whoever may start or enter Pods may read them. */
const BESIDE_KEYS: readonly Right[] = [
  {
    group: '',
    resources: ['pods/exec', 'pods/attach', 'pods/portforward', 'pods/ephemeralcontainers'],
    verbs: undefined,
  },
  { group: '', resources: ['pods', 'replicationcontrollers', 'podtemplates'], verbs: WRITE },
  {
    group: 'apps',
    resources: ['deployments', 'statefulsets', 'daemonsets', 'replicasets', 'controllerrevisions'],
    verbs: WRITE,
  },
  { group: 'apps.openshift.io', resources: ['deploymentconfigs'], verbs: WRITE },
  { group: 'batch', resources: ['jobs', 'cronjobs'], verbs: WRITE },
];

const CONFIG_MAP_WRITE: Right = {
  group: '',
  resources: ['configmaps'],
  verbs: [...WRITE, 'delete', 'deletecollection'],
};

/** Roles and bindings that touch the agent or lead to its keys. */
export function agentRights({ id, tree }: Vetoed, rules: VetoRules): Finding | undefined {
  const isRole = id.kind === 'Role' || id.kind === 'RoleBinding';
  if (id.group === OPENSHIFT && isRole)
    return { what: `a ${id.kind} of ${OPENSHIFT} is not judged, so it is refused`, path: ['apiVersion'] };
  if (id.group !== RBAC || !isRole) return undefined;
  if (id.kind === 'RoleBinding') return boundRole(tree) ?? boundSubject(tree, rules);
  const granted = grantOf(valueAt(tree, 'rules'), rules);
  return granted && { what: `the Role grants ${granted.right}`, path: ['rules', String(granted.index)] };
}

/** The first right of `rules` of a Role that Git may not hand out, in words. */
export function grantOf(
  roleRules: Closed | undefined,
  vetoes: Pick<VetoRules, 'agentNamespace' | 'targetNamespace'>,
): { readonly right: string; readonly index: number } | undefined {
  const besideKeys = isBesideKeys(vetoes);
  for (const [index, rule] of objectsAt({ rules: roleRules ?? null }, 'rules').entries()) {
    const right = rightOf(rule, besideKeys);
    if (right !== undefined) return { right, index };
  }
  return undefined;
}

function rightOf(rule: ClosedObject, besideKeys: boolean): string | undefined {
  const verbs = textsAt(rule, 'verbs');
  // `impersonate`, and the forms that name what may be done as somebody else.
  const impersonating = verbs.find((verb) => verb.startsWith('impersonate'));
  if (impersonating !== undefined) return impersonating;
  const isEveryVerb = verbs.includes('*') && ACCOUNTS.some((right) => grants(rule, right) !== undefined);
  if (isEveryVerb) return 'every verb on serviceaccounts, impersonate among them';
  const rights = besideKeys ? [...EVERYWHERE, ...BESIDE_KEYS] : EVERYWHERE;
  for (const right of rights) {
    const granted = grants(rule, right);
    if (granted !== undefined) return granted;
  }
  if (!besideKeys) return undefined;
  const names = textsAt(rule, 'resourceNames');
  return names.length === 0 || names.some((name) => isAgentConfigMap(name))
    ? grants(rule, CONFIG_MAP_WRITE)
    : undefined;
}

/** `patch on pods`, or undefined when the rule does not give the right. Wildcards are read as RBAC reads them. */
function grants(rule: ClosedObject, { group, resources, verbs }: Right): string | undefined {
  const [groups, named, given] = [textsAt(rule, 'apiGroups'), textsAt(rule, 'resources'), textsAt(rule, 'verbs')];
  if (!groups.some((each) => each === group || each === '*')) return undefined;
  const resource = resources.find((each) => named.some((name) => coversResource(name, each)));
  const verb = given.find((each) => each === '*' || verbs === undefined || verbs.includes(each));
  return resource === undefined || verb === undefined ? undefined : `${verb} on ${resource}`;
}

function coversResource(named: string, resource: string): boolean {
  if (named === '*' || named === '*/*' || named === resource) return true;
  const [kind, sub] = resource.split('/');
  return sub !== undefined && (named === `*/${sub}` || named === `${kind}/*`);
}

/** Rules of a ClusterRole cannot be read with the rights of a namespace; `view` is known to hold no Secrets. */
function boundRole(tree: ClosedObject): Finding | undefined {
  const [kind, name] = [textAt(tree, 'roleRef', 'kind'), textAt(tree, 'roleRef', 'name') ?? ''];
  const path = ['roleRef', 'name'];
  if (kind === 'Role' && isAgentRbacName(name))
    return { what: `the binding hands out Role ${name} of the agent`, path };
  if (kind === 'Role' || (kind === 'ClusterRole' && name === 'view')) return undefined;
  return { what: `the binding hands out ${kind ?? 'a role'} ${name}, whose rules cannot be seen from here`, path };
}

function boundSubject(
  tree: ClosedObject,
  { accounts, agentNamespace, targetNamespace }: VetoRules,
): Finding | undefined {
  const groups = ['system:authenticated', 'system:serviceaccounts', `system:serviceaccounts:${agentNamespace}`];
  const users = accounts.map((name) => `system:serviceaccount:${agentNamespace}:${name}`);
  const index = objectsAt(tree, 'subjects').findIndex((subject) => {
    const [kind, name] = [textAt(subject, 'kind'), textAt(subject, 'name') ?? ''];
    if (kind === 'Group') return groups.includes(name);
    if (kind === 'User') return users.includes(name);
    const namespace = textAt(subject, 'namespace') ?? targetNamespace;
    return kind === 'ServiceAccount' && namespace === agentNamespace && accounts.includes(name);
  });
  if (index === -1) return undefined;
  return {
    what: 'the binding names the account of the agent, or a group that it is in',
    path: ['subjects', String(index)],
  };
}
