export interface AccountName {
  readonly namespace: string;
  readonly name: string;
}

/** A ServiceAccount as RBAC, audit log and impersonation call it. */
export function serviceAccountUser(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

/** Undefined for users that are no ServiceAccounts. */
export function serviceAccountOf(user: string): AccountName | undefined {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}
