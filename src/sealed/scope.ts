/** What a sealed item is bound to: namespace and name, the namespace, or nothing. */
export type Scope = 'strict' | 'namespace-wide' | 'cluster-wide';

export const SCOPES: readonly Scope[] = ['strict', 'namespace-wide', 'cluster-wide'];

const NAMESPACE_WIDE = 'sealedsecrets.bitnami.com/namespace-wide';
const CLUSTER_WIDE = 'sealedsecrets.bitnami.com/cluster-wide';

export type Annotations = Readonly<Record<string, string>>;

/** Only the exact text `true` counts, and cluster-wide wins over namespace-wide. */
export function scopeOf(annotations: Annotations): Scope {
  if (isTrue(annotations, CLUSTER_WIDE)) return 'cluster-wide';
  return isTrue(annotations, NAMESPACE_WIDE) ? 'namespace-wide' : 'strict';
}

function isTrue(annotations: Annotations, name: string): boolean {
  return Object.hasOwn(annotations, name) && annotations[name] === 'true';
}

/** The annotation that says the scope; strict has none. */
export function scopeAnnotation(scope: Scope): Annotations {
  if (scope === 'strict') return {};
  return { [scope === 'cluster-wide' ? CLUSTER_WIDE : NAMESPACE_WIDE]: 'true' };
}

/** The annotations with exactly this scope among them. */
export function withScope(annotations: Annotations, scope: Scope): Annotations {
  const others = Object.entries(annotations).filter(([name]) => name !== NAMESPACE_WIDE && name !== CLUSTER_WIDE);
  return { ...Object.fromEntries(others), ...scopeAnnotation(scope) };
}

/** What one sealed value is bound to. */
export interface Binding {
  readonly scope: Scope;
  readonly namespace: string;
  readonly name: string;
}

/** The OAEP label. Namespaces hold no slash, so no two bindings of different scope or place share one. */
export function sealLabel({ scope, namespace, name }: Binding): Uint8Array<ArrayBuffer> {
  if (scope === 'cluster-wide') return new Uint8Array(0);
  return new TextEncoder().encode(scope === 'namespace-wide' ? namespace : `${namespace}/${name}`);
}

/** `strictly for db in namespace team`, for messages. */
export function describeBinding({ scope, namespace, name }: Binding): string {
  if (scope === 'cluster-wide') return 'cluster-wide';
  return scope === 'namespace-wide'
    ? `namespace-wide for ${namespace}`
    : `strictly for ${name} in namespace ${namespace}`;
}
