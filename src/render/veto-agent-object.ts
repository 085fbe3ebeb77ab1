import { isClosedObject } from '../core/closed.ts';
import {
  EXPOSURE_NAME,
  INVENTORY_NAME,
  LAST_PREFIX,
  RECOVERY_NAME,
  RENDERER_NAME,
  REQUESTS_NAME,
  SETTINGS_NAME,
  STATUS_NAME,
} from '../core/labels.ts';
import { type Finding, isBesideKeys, type Vetoed, type VetoRules } from './veto-rules.ts';
import { membersOf, textAt } from './veto-walk.ts';

/** What the agent's own Deployment, account, Role, Service and the rest are called. */
export const AGENT_NAME = 'sotto';
/** What renders decides what is applied, so it is the agent's as well. */
const OWN_NAMES: ReadonlySet<string> = new Set([AGENT_NAME, RENDERER_NAME]);
const AGENT_CONFIG_MAPS: readonly string[] = [
  SETTINGS_NAME,
  REQUESTS_NAME,
  INVENTORY_NAME,
  EXPOSURE_NAME,
  RECOVERY_NAME,
  STATUS_NAME,
];
/** Mounted into the Pod of the agent: by them it knows the API server. */
const AUTHORITIES: readonly string[] = ['kube-root-ca.crt', 'openshift-service-ca.crt'];

const NAME_LABEL = 'app.kubernetes.io/name';
/** EndpointSlices belong to the Service that this label names. */
const SERVICE_LABEL = 'kubernetes.io/service-name';
const RBAC_GROUPS: readonly string[] = ['rbac.authorization.k8s.io', 'authorization.openshift.io'];

/** Objects of the agent itself, and objects that would take its place or its size. */
export function agentObject(object: Vetoed, rules: VetoRules): Finding | undefined {
  const { id } = object;
  if (RBAC_GROUPS.includes(id.group) && isAgentRbacName(id.name)) return owned('the agent’s own rights');
  // In a split install nothing else of the agent is where objects are applied.
  if (!isBesideKeys(rules)) return undefined;
  if (OWN_NAMES.has(id.name)) return owned('a name of the agent itself');
  if (id.group === '') return ownCoreObject(object, rules) ?? standIn(object);
  return standIn(object);
}

/** Roles and bindings of the agent: `sotto`, and by convention what begins with it. */
export function isAgentRbacName(name: string): boolean {
  return name === AGENT_NAME || name.startsWith(`${AGENT_NAME}-`);
}

export function isAgentConfigMap(name: string): boolean {
  return AGENT_CONFIG_MAPS.includes(name) || name.startsWith(LAST_PREFIX);
}

function ownCoreObject({ id }: Vetoed, rules: VetoRules): Finding | undefined {
  if (id.kind === 'ConfigMap' && isAgentConfigMap(id.name)) return owned('a record of the agent itself');
  if (id.kind === 'ConfigMap' && AUTHORITIES.includes(id.name)) return owned('what the agent knows the API server by');
  if (id.kind === 'ServiceAccount' && rules.accounts.includes(id.name)) return owned('the account of the agent');
  if (id.kind !== 'Secret') return undefined;
  if (rules.namedSecrets.has(id.name)) return owned('a key or credential of the agent, named in its settings');
  // Where Git may bring marked Secrets, it also keeps them.
  const isMarked = rules.markedSecrets.has(id.name) && !rules.lifted.includes('key-label');
  return isMarked ? owned('a key or credential of the agent, marked as one in the namespace') : undefined;
}

/** Pods behind the agent's Service could hand out a certificate of their own; an autoscaler could end the agent. */
function standIn({ id, tree }: Vetoed): Finding | undefined {
  if (id.kind === 'EndpointSlice' && isOwnName(textAt(tree, 'metadata', 'labels', SERVICE_LABEL))) {
    return {
      what: 'the endpoints would stand behind the agent’s Service',
      path: ['metadata', 'labels', SERVICE_LABEL],
    };
  }
  for (const target of ['scaleTargetRef', 'targetRef']) {
    if (isOwnName(textAt(tree, 'spec', target, 'name')))
      return { what: 'the object would size the agent itself', path: ['spec', target, 'name'] };
  }
  for (const { path, key, value } of membersOf(tree)) {
    const isPodLabel = key === 'labels' && isClosedObject(value) && (path.length > 2 || id.kind === 'Pod');
    const label = isPodLabel ? textAt(value, NAME_LABEL) : undefined;
    if (isOwnName(label))
      return {
        what: `Pods labelled ${NAME_LABEL}: ${label} would pass for the agent or its renderer`,
        path: [...path, NAME_LABEL],
      };
  }
  return undefined;
}

function isOwnName(name: string | undefined): name is string {
  return name !== undefined && OWN_NAMES.has(name);
}

function owned(what: string): Finding {
  return { what: `the object is ${what}`, path: ['metadata', 'name'] };
}
