/** Identity of a Kubernetes object. The version is not part of it; the core group is the empty string. */
export interface ObjectId {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** `group/Kind/namespace/name`, the form in which ids are map keys. */
export type ObjectKey = string & { readonly brand: 'ObjectKey' };

/** `main@sha1:0123…`, a revision as Flux writes it. */
export type Revision = string & { readonly brand: 'Revision' };

/** Hex SHA-256 of a document as it is in Git: ciphertext where it is encrypted. */
export type SourceDigest = string & { readonly brand: 'SourceDigest' };

export function objectKey(id: ObjectId): ObjectKey {
  return `${id.group}/${id.kind}/${id.namespace}/${id.name}` as ObjectKey;
}

export function objectIdOf(key: ObjectKey): ObjectId {
  const [group = '', kind = '', namespace = '', name = ''] = key.split('/');
  return { group, kind, namespace, name };
}

/** As a person types and reads it: `apps/Deployment/web`, `Secret/db`. */
export function displayObject(id: ObjectId): string {
  return id.group === '' ? `${id.kind}/${id.name}` : `${id.group}/${id.kind}/${id.name}`;
}

export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash === -1 ? '' : apiVersion.slice(0, slash);
}

export function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf('/') + 1);
}

export function gitRevision(branch: string, sha: string): Revision {
  return `${branch}@sha1:${sha}` as Revision;
}

/** The first 12 characters of the commit, for people. */
export function shortRevision(revision: Revision): string {
  return revision.replace(/(sha1:[0-9a-f]{12})[0-9a-f]+$/, '$1');
}
