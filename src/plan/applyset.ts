import { createHash } from 'node:crypto';

/** The id of the set whose parent is a ConfigMap (spec/applyset.md 5.2): value of the member label. */
export function applySetId(parentName: string, namespace: string): string {
  const hash = createHash('sha256').update(`${parentName}.${namespace}.ConfigMap.`).digest('base64url');
  return `applyset-${hash}-v1`;
}

export const APPLYSET_ID_LABEL = 'applyset.kubernetes.io/id';
export const APPLYSET_TOOLING = 'applyset.kubernetes.io/tooling';
export const APPLYSET_KINDS = 'applyset.kubernetes.io/contains-group-kinds';
export const APPLYSET_NAMESPACES = 'applyset.kubernetes.io/additional-namespaces';
