import { STAMP_ANNOTATION } from '../core/labels.ts';
import type { ManagedEntry } from './entries.ts';
import type { FieldPath } from './fields.ts';
import { coversPath } from './pointer.ts';

/** Whose additions to our objects are undone (spec/drift.md 2.4). Our own fields are restored under all but `ignore`. */
export type Ownership =
  /** Nothing that is changed in the object is undone; only that it is gone. */
  | { readonly kind: 'ignore' }
  | { readonly kind: 'fields' }
  /** Additions by people at a keyboard (kubectl) are undone, those by controllers stay. */
  | { readonly kind: 'guard' }
  /** As guard, and below these roots nothing may exist that we do not own, whoever wrote it. */
  | { readonly kind: 'exact'; readonly roots: readonly FieldPath[] };

export interface DriftPolicy {
  readonly ownership: Ownership;
  /** JSON pointers of `drift.ignore`, in the form of `pointer()`: a loss there is left to its taker. */
  readonly ignorePaths: readonly string[];
  /** Field managers of `drift.ignore`: what they take is theirs, what they add stays. */
  readonly ignoreManagers: readonly string[];
}

/** Roots of `exact` for Secrets. `stringData` is where another applier's path stays when it adds a key that way. */
export const SECRET_ROOTS: readonly FieldPath[] = [['f:data'], ['f:stringData']];
export const CONFIG_MAP_ROOTS: readonly FieldPath[] = [['f:data'], ['f:binaryData']];

/** Where `exact` means anything: what a Pod would be given besides. Other kinds are guarded. */
export function exactRoots(id: { readonly group: string; readonly kind: string }): readonly FieldPath[] {
  if (id.group !== '') return [];
  if (id.kind === 'Secret') return SECRET_ROOTS;
  return id.kind === 'ConfigMap' ? CONFIG_MAP_ROOTS : [];
}

/**
 * Documented way past `guard`: `kubectl … --field-manager=sotto-pass-through` adds fields that stay. It is a name that
 * is not interactive and always will be; fields that Git declares are restored all the same.
 */
export const PASS_THROUGH_MANAGER = 'sotto-pass-through';

/** The entry that the server makes at the first apply for what nobody had been recorded for. */
export const BEFORE_FIRST_APPLY = 'before-first-apply';

/** Changes of these through the scale subresource are an autoscaler's. Never `kubectl`: a person who scales is drift. */
const AUTOSCALERS: readonly string[] = ['kube-controller-manager', 'keda-operator'];

/** Write the authority that they vouch for into the objects of others. */
const INJECTORS: readonly string[] = [
  'cert-manager-cainjector',
  'cainjector',
  'pilot-discovery',
  'service-ca-operator',
];

/** An authority that an injector has put in the place of ours. */
export function isInjected(path: FieldPath, taker: ManagedEntry): boolean {
  return path.at(-1) === 'f:caBundle' && taker.subresource === '' && INJECTORS.includes(taker.manager);
}

export function isInteractive(entry: ManagedEntry): boolean {
  if (entry.subresource !== '') return false;
  return entry.manager.startsWith('kubectl') || entry.manager === BEFORE_FIRST_APPLY;
}

export function isAutoscaler(entry: ManagedEntry): boolean {
  return entry.subresource === 'scale' && entry.operation === 'Update' && AUTOSCALERS.includes(entry.manager);
}

const RESTARTS: readonly FieldPath[] = ['kubectl.kubernetes.io/restartedAt', STAMP_ANNOTATION].map((name) => [
  'f:template',
  'f:metadata',
  'f:annotations',
  `f:${name}`,
]);

/** `kubectl rollout restart` works: undoing its annotation would cancel the rollout. So would undoing our own stamp. */
function isRestart(path: FieldPath): boolean {
  return RESTARTS.some(
    (restart) => path.length >= restart.length && restart.every((token, at) => path.at(at - restart.length) === token),
  );
}

export function isIgnoredPath(path: FieldPath, policy: DriftPolicy): boolean {
  return policy.ignorePaths.some((ignored) => coversPath(ignored, path));
}

/** Additions here stay even if a person made them. */
export function isAllowedAddition(path: FieldPath, policy: DriftPolicy): boolean {
  return isRestart(path) || isIgnoredPath(path, policy);
}
