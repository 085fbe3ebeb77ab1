import { type ObjectKey, objectKey } from '../core/ids.ts';
import { arrayAt, member, memberAt, stringAt } from '../core/json.ts';

/** Something that a Pod names, of its own namespace. */
export interface PodUse {
  readonly key: ObjectKey;
  /** The Pod starts without it. */
  readonly isOptional: boolean;
}

/** Secrets, ConfigMaps and the account that a Pod names. */
export function podUses(spec: unknown, namespace: string): PodUse[] {
  const named: Named[] = [
    { kind: 'ServiceAccount', name: stringAt(spec, 'serviceAccountName') },
    ...arrayAt(spec, 'imagePullSecrets').map((entry) => use('Secret', entry)),
    ...arrayAt(spec, 'volumes').flatMap(usesOfVolume),
    ...['containers', 'initContainers', 'ephemeralContainers'].flatMap((list) =>
      arrayAt(spec, list).flatMap(usesOfContainer),
    ),
  ];
  return named.flatMap(({ kind, name, isOptional = false }) =>
    name === undefined || name === '' ? [] : [{ key: objectKey({ group: '', kind, namespace, name }), isOptional }],
  );
}

interface Named {
  readonly kind: string;
  readonly name: string | undefined;
  readonly isOptional?: boolean;
}

function use(kind: Named['kind'], value: unknown, field = 'name'): Named {
  return { kind, name: stringAt(value, field), isOptional: member(value, 'optional') === true };
}

function usesOfContainer(container: unknown): Named[] {
  const env = arrayAt(container, 'env').map((entry) => memberAt(entry, 'valueFrom'));
  const from = arrayAt(container, 'envFrom');
  return [
    ...env.flatMap((value) => [
      use('Secret', member(value, 'secretKeyRef')),
      use('ConfigMap', member(value, 'configMapKeyRef')),
    ]),
    ...from.flatMap((value) => [
      use('Secret', member(value, 'secretRef')),
      use('ConfigMap', member(value, 'configMapRef')),
    ]),
  ];
}

/** Drivers of volumes that read a Secret before a Pod starts. */
const DRIVERS = ['azureFile', 'csi', 'flexVolume', 'iscsi', 'rbd', 'cephfs', 'scaleIO', 'storageos'] as const;

function usesOfVolume(volume: unknown): Named[] {
  return [
    use('Secret', member(volume, 'secret'), 'secretName'),
    use('ConfigMap', member(volume, 'configMap')),
    ...arrayAt(volume, 'projected', 'sources').flatMap((source) => [
      use('Secret', member(source, 'secret')),
      use('ConfigMap', member(source, 'configMap')),
    ]),
    ...DRIVERS.map((driver) => member(volume, driver)).flatMap((driver) => [
      use('Secret', member(driver, 'secretRef')),
      use('Secret', member(driver, 'nodePublishSecretRef')),
      use('Secret', driver, 'secretName'),
    ]),
  ];
}
