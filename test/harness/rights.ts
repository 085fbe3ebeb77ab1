import type { AuditEntry, PolicyRule } from '../../src/demo/control-plane.ts';
import type { World } from './world.ts';

const DISCOVERY = /^\/(?:api|apis|version)(?:\/[^/?]+){0,2}(?:\?.*)?$/;

/** Requests of no namespace that are not discovery. */
export function clusterWide(entries: readonly AuditEntry[]): readonly AuditEntry[] {
  return entries.filter(({ namespace, uri }) => namespace === '' && !DISCOVERY.test(uri));
}

export function forbidden(entries: readonly AuditEntry[]): readonly AuditEntry[] {
  return entries.filter(({ status }) => status === 403);
}

/** More rights for the account of the agent, in any namespace. */
export async function bindAgent(world: World, namespace: string, rules: readonly PolicyRule[]): Promise<void> {
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const metadata = { name: 'sotto-target' };
  await world.create(`${rbac}/roles`, { metadata, rules: rules.map((rule) => ({ ...rule })) });
  await world.create(`${rbac}/rolebindings`, {
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'sotto-target' },
    subjects: [{ kind: 'ServiceAccount', name: 'sotto', namespace: world.namespace }],
  });
}

/** `namespace verb resource` for every right that rules give. */
export function rightsOf(namespace: string, rules: readonly PolicyRule[]): string[] {
  return rules.flatMap(({ resources, verbs }) =>
    resources.flatMap((resource) => verbs.map((verb) => `${namespace} ${verb} ${resource}`)),
  );
}
