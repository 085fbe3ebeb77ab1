import { type ClosedObject, isClosedObject } from '../core/closed.ts';
import type { ObjectId, ObjectKey } from '../core/ids.ts';
import { objectIdOf } from '../core/ids.ts';
import { type DriftPolicy, exactRoots, type Ownership } from '../drift/policy.ts';
import type { InventoryRow } from '../plan/inventory.ts';
import type { DesiredObject } from '../render/desired.ts';
import type { DriftIgnore, DriftSettings } from '../settings/settings.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/** What the policy of one object hangs on. */
export interface Guarded {
  readonly id: ObjectId;
  /** Its values come encrypted from Git: what else is among them would reach a Pod beside them. */
  readonly encrypted: boolean;
  /** Undefined while Git was not read. */
  readonly tree: ClosedObject | undefined;
}

export const DEFAULT_DRIFT: DriftSettings = { policy: 'guard', ignore: [] };

const ANNOTATION = 'sotto.dev/drift';
const WORDS = ['ignore', 'fields', 'guard', 'exact'] as const;

/** Annotations with which people of other tools say that an object is shared: what is added to it stays. */
const SHARED: readonly (readonly [string, string])[] = [
  ['kustomize.toolkit.fluxcd.io/ssa', 'Merge'],
  ['sealedsecrets.bitnami.com/patch', 'true'],
];

/** Types whose entries the cluster itself writes. */
const FILLED_TYPES: ReadonlySet<string> = new Set([
  'kubernetes.io/service-account-token',
  'bootstrap.kubernetes.io/token',
]);

export function driftPolicy(settings: DriftSettings, object: Guarded): DriftPolicy {
  const ignored = settings.ignore.filter((each) => isTarget(each, object.id));
  return {
    ownership: ownershipOf(settings, object),
    ignorePaths: ignored.flatMap(({ paths }) => paths),
    ignoreManagers: ignored.flatMap(({ managers }) => managers),
  };
}

/** Where the manifest says it, the word there counts; then what other tools' marks say, then the sync. */
function ownershipOf({ policy }: DriftSettings, { id, encrypted, tree }: Guarded): Ownership {
  const word = annotationOf(tree, ANNOTATION);
  const said = WORDS.find((each) => each === word);
  if (said !== undefined) return ofKind(said, id);
  const isShared = SHARED.some(([key, value]) => annotationOf(tree, key) === value);
  const type = tree?.['type'];
  if (isShared || (typeof type === 'string' && FILLED_TYPES.has(type))) {
    return { kind: policy === 'fields' ? 'fields' : 'guard' };
  }
  const isSecret = id.group === '' && id.kind === 'Secret';
  return ofKind(policy === 'guard' && isSecret && encrypted ? 'exact' : policy, id);
}

function ofKind(kind: Ownership['kind'], id: ObjectId): Ownership {
  if (kind !== 'exact') return { kind };
  const roots = exactRoots(id);
  return roots.length === 0 ? { kind: 'guard' } : { kind, roots };
}

function annotationOf(tree: ClosedObject | undefined, key: string): string | undefined {
  const metadata = tree?.['metadata'];
  const annotations = isClosedObject(metadata) ? metadata['annotations'] : undefined;
  if (!isClosedObject(annotations) || !Object.hasOwn(annotations, key)) return undefined;
  const value = annotations[key];
  return typeof value === 'string' ? value : undefined;
}

/** An annotation that says nothing we know; undefined when there is none or it is understood. */
export function unknownDriftWord(tree: ClosedObject): string | undefined {
  const word = annotationOf(tree, ANNOTATION);
  return word === undefined || WORDS.some((each) => each === word) ? undefined : word;
}

function isTarget({ target }: DriftIgnore, id: ObjectId): boolean {
  if (target === undefined) return true;
  return (['group', 'kind', 'namespace', 'name'] as const).every(
    (field) => target[field] === undefined || target[field] === id[field],
  );
}

/** The policy of an object of ours as far as it is known: before Git was read, what the inventory tells of it. */
export function policyOf(
  syncs: ReadonlyMap<string, SyncRuntime>,
  row: InventoryRow | undefined,
  key: ObjectKey,
): DriftPolicy {
  const id = objectIdOf(key);
  for (const sync of syncs.values()) {
    const object: DesiredObject | undefined = sync.desired.get(key);
    if (object !== undefined) return driftPolicy(sync.settings.drift, object);
  }
  const settings = (row === undefined ? undefined : syncs.get(row.sync))?.settings.drift ?? DEFAULT_DRIFT;
  return driftPolicy(settings, { id, encrypted: row?.encrypted === true, tree: undefined });
}
