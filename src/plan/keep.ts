import { type ClosedObject, isClosedObject } from '../core/closed.ts';

/** Annotations with which people of other tools say "keep it when it leaves Git"; one table in docs/annotations.md. */
const KEEP_ANNOTATIONS: readonly (readonly [string, (value: string) => boolean])[] = [
  ['sotto.dev/prune', (value) => value === 'disabled'],
  ['kustomize.toolkit.fluxcd.io/prune', (value) => value === 'disabled'],
  ['argocd.argoproj.io/sync-options', (value) => value.split(',').some((option) => option.trim() === 'Prune=false')],
  ['kapp.k14s.io/delete-strategy', (value) => value === 'orphan'],
  ['cli-utils.sigs.k8s.io/on-remove', (value) => value === 'keep'],
  // The controller leaves a Secret that it has only patched, and what others have put into it.
  ['sealedsecrets.bitnami.com/patch', (value) => value === 'true'],
  ['client.lifecycle.config.k8s.io/deletion', (value) => value === 'detach'],
];

/** True when the manifest asks that the object stays after it left Git. */
export function isKept(tree: ClosedObject): boolean {
  const annotations = isClosedObject(tree['metadata']) ? tree['metadata']['annotations'] : undefined;
  if (!isClosedObject(annotations)) return false;
  return KEEP_ANNOTATIONS.some(([key, asksToKeep]) => {
    const value = Object.hasOwn(annotations, key) ? annotations[key] : undefined;
    return typeof value === 'string' && asksToKeep(value);
  });
}
