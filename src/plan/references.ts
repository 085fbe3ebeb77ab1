import type { ClosedObject } from '../core/closed.ts';
import { type ObjectId, type ObjectKey, objectKey } from '../core/ids.ts';
import { arrayAt, member, memberAt, stringAt } from '../core/json.ts';
import { POD_SPEC_PATHS } from '../core/pod-spec.ts';

/** What the Pods of a workload cannot start without: Secrets and ConfigMaps that are not optional. */
export function podReferences({ id, tree }: { readonly id: ObjectId; readonly tree: ClosedObject }): ObjectKey[] {
  const path = POD_SPEC_PATHS[`${id.group}/${id.kind}`];
  if (path === undefined) return [];
  const spec = memberAt(tree, ...path);
  const named = [...containers(spec).flatMap(ofContainer), ...arrayAt(spec, 'volumes').flatMap(ofVolume)];
  const pulls = arrayAt(spec, 'imagePullSecrets').map((entry) => ['Secret', stringAt(entry, 'name')] as const);
  const keys = [...named, ...pulls].flatMap(([kind, name]) =>
    name === undefined || name === '' ? [] : [objectKey({ group: '', kind, namespace: id.namespace, name })],
  );
  return [...new Set(keys)];
}

type Named = readonly [kind: 'Secret' | 'ConfigMap', name: string | undefined];

function containers(spec: unknown): unknown[] {
  return ['containers', 'initContainers'].flatMap((list) => [...arrayAt(spec, list)]);
}

function ofContainer(container: unknown): Named[] {
  return [
    ...arrayAt(container, 'env').flatMap((entry) => [
      ...reference('Secret', memberAt(entry, 'valueFrom', 'secretKeyRef')),
      ...reference('ConfigMap', memberAt(entry, 'valueFrom', 'configMapKeyRef')),
    ]),
    ...arrayAt(container, 'envFrom').flatMap((entry) => [
      ...reference('Secret', member(entry, 'secretRef')),
      ...reference('ConfigMap', member(entry, 'configMapRef')),
    ]),
  ];
}

function ofVolume(volume: unknown): Named[] {
  return [
    ...reference('Secret', member(volume, 'secret'), 'secretName'),
    ...reference('ConfigMap', member(volume, 'configMap')),
    ...arrayAt(volume, 'projected', 'sources').flatMap((source) => [
      ...reference('Secret', member(source, 'secret')),
      ...reference('ConfigMap', member(source, 'configMap')),
    ]),
  ];
}

function reference(kind: Named[0], value: unknown, field = 'name'): Named[] {
  return member(value, 'optional') === true ? [] : [[kind, stringAt(value, field)]];
}
