import { SottoError } from '../core/errors.ts';
import { type ObjectId, objectKey } from '../core/ids.ts';
import type { ResourceCatalog } from '../kube/discovery.ts';
import type { SealedMode, SealedRule } from '../open/sealed-document.ts';
import type { InventoryRow } from '../plan/inventory.ts';

const SEALED_SECRETS = { group: 'bitnami.com', version: 'v1alpha1', kind: 'SealedSecret' } as const;

export interface SealedSurroundings {
  readonly catalog: () => ResourceCatalog;
  readonly row: (key: InventoryRow['key']) => InventoryRow | undefined;
}

/** `sealedSecrets` of a sync against what runs: what was applied decides which of the two a name is. */
export function sealedRule({ catalog, row }: SealedSurroundings, mode: SealedMode): SealedRule {
  return {
    modeOf: () => mode,
    isServed: () =>
      catalog().find(`${SEALED_SECRETS.group}/${SEALED_SECRETS.version}`, SEALED_SECRETS.kind) !== undefined,
    secretRow: (namespace, name) => {
      const found = row(objectKey({ group: '', kind: 'Secret', namespace, name }));
      if (found === undefined || found.uid === '') return undefined;
      return found.keep ? 'kept' : 'ours';
    },
  };
}

/**
 * `auto` passes a resource through when no key opens it. Where the right to write it is missing too, that alone would
 * send people to their Role when it is a key that was lost or retired.
 */
export function noRightAndNoKey(error: SottoError, id: ObjectId, mode: SealedMode): SottoError {
  const isPassed = mode === 'auto' && id.group === SEALED_SECRETS.group && id.kind === SEALED_SECRETS.kind;
  if (!isPassed || error.code !== 'SOTTO-KUBE-003') return error;
  return new SottoError({
    code: error.code,
    what: error.what,
    why: `no sealing key of the agent opens it, so it goes to the SealedSecrets controller, and ${error.why}`,
    next: `to unseal it here, restore the key that it was sealed for (sotto keys list names those held); for the controller, ${error.next}`,
    ...error.place,
  });
}

/** For somebody who may not have the agent's keys: unsealed, unless the agent has passed it through. */
export function previewedSealedRule(surroundings: SealedSurroundings, mode: SealedMode): SealedRule {
  const rule = sealedRule(surroundings, mode);
  const isPassed = (namespace: string, name: string): boolean =>
    surroundings.row(objectKey({ group: SEALED_SECRETS.group, kind: SEALED_SECRETS.kind, namespace, name })) !==
    undefined;
  return {
    ...rule,
    modeOf: (namespace, name) => {
      if (mode !== 'auto') return mode;
      return isPassed(namespace, name) ? 'passthrough' : 'unseal';
    },
  };
}
