import { type ObjectKey, objectKey } from '../core/ids.ts';
import { arrayAt, memberAt, stringAt } from '../core/json.ts';

/** Secrets, ConfigMaps and the account that a Pod names, needed or optional. */
export function podUses(spec: unknown, namespace: string): ObjectKey[] {
  const named: (readonly [string, string | undefined])[] = [
    ['ServiceAccount', stringAt(spec, 'serviceAccountName')],
    ...arrayAt(spec, 'imagePullSecrets').map((entry) => ['Secret', stringAt(entry, 'name')] as const),
    ...arrayAt(spec, 'volumes').flatMap(usesOfVolume),
    ...['containers', 'initContainers', 'ephemeralContainers'].flatMap((list) =>
      arrayAt(spec, list).flatMap(usesOfContainer),
    ),
  ];
  return named.flatMap(([kind, name]) => (name === undefined ? [] : [objectKey({ group: '', kind, namespace, name })]));
}

type Named = readonly [string, string | undefined];

function usesOfContainer(container: unknown): Named[] {
  const env = arrayAt(container, 'env').map((entry) => memberAt(entry, 'valueFrom'));
  const from = arrayAt(container, 'envFrom');
  return [
    ...env.flatMap((value): Named[] => [
      ['Secret', stringAt(value, 'secretKeyRef', 'name')],
      ['ConfigMap', stringAt(value, 'configMapKeyRef', 'name')],
    ]),
    ...from.flatMap((value): Named[] => [
      ['Secret', stringAt(value, 'secretRef', 'name')],
      ['ConfigMap', stringAt(value, 'configMapRef', 'name')],
    ]),
  ];
}

function usesOfVolume(volume: unknown): Named[] {
  const sources = [volume, ...arrayAt(volume, 'projected', 'sources')];
  const secretRefs = ['azureFile', 'csi', 'flexVolume', 'iscsi', 'rbd', 'cephfs', 'scaleIO', 'storageos'];
  return [
    ...sources.flatMap((source): Named[] => [
      ['Secret', stringAt(source, 'secret', 'secretName') ?? stringAt(source, 'secret', 'name')],
      ['ConfigMap', stringAt(source, 'configMap', 'name')],
    ]),
    ...secretRefs.flatMap((field): Named[] => [
      ['Secret', stringAt(volume, field, 'secretRef', 'name')],
      ['Secret', stringAt(volume, field, 'nodePublishSecretRef', 'name')],
      ['Secret', stringAt(volume, field, 'secretName')],
    ]),
  ];
}
