import { stringAt } from '../core/json.ts';
import type { AuthHeaders } from './api-server.ts';

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

/** The `sub` of a service account token: the name of whoever holds it, not checked. */
export function subjectOf(token: string): string | undefined {
  const payload = token.split('.')[1];
  if (payload === undefined) return undefined;
  try {
    return stringAt(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')), 'sub');
  } catch {
    return undefined;
  }
}

/** As which ServiceAccount the API server sees requests with these headers; undefined for other users. */
export function accountOf(headers: AuthHeaders): AccountName | undefined {
  const [, token] = /^Bearer (\S+)$/.exec(headers['Authorization'] ?? '') ?? [];
  return token === undefined ? undefined : serviceAccountOf(subjectOf(token) ?? '');
}
