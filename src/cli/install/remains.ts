import { isJsonObject, type Json, type JsonObject, memberAt, stringAt } from '../../core/json.ts';
import { EXPOSURE_NAME, INVENTORY_NAME, MEMBER_LABEL, STATUS_NAME } from '../../core/labels.ts';
import { shellWord } from '../../core/shell-word.ts';
import { markOf } from '../../keys/key-secret.ts';
import { STOCK_SEALING_ACTIVE, STOCK_SEALING_LABEL, USE_LABEL } from '../../keys/marks.ts';
import { APPLYSET_KINDS, APPLYSET_NAMESPACES, applySetId } from '../../plan/applyset.ts';
import type { Settings } from '../../settings/settings.ts';

/** What is in a namespace besides what install made, by metadata alone. */
export interface Seen {
  readonly namespace: string;
  readonly targetNamespace: string;
  readonly settings: Settings | undefined;
  readonly configMaps: readonly JsonObject[];
  /** Undefined: it may not be looked at. */
  readonly secrets: readonly JsonObject[] | undefined;
}

/** What an uninstall leaves. */
export interface Remains {
  /** What the agent wrote for itself: goes with `--purge`, in this order. */
  readonly state: readonly { readonly kind: 'ConfigMap' | 'Secret'; readonly name: string }[];
  readonly keySecrets: readonly string[];
  /** Kinds of the applied objects, as kubectl takes them. */
  readonly appliedKinds: readonly string[];
  readonly selector: string;
}

const LAST_APPLIED = /^sotto-last-\d+$/;

export function remainsOf(seen: Seen): Remains {
  const names = seen.configMaps.map(nameIn);
  // The inventory before its key: without the key it could not be read any more.
  const maps = [STATUS_NAME, INVENTORY_NAME, EXPOSURE_NAME, ...names.filter((name) => LAST_APPLIED.test(name))];
  const fingerprint = seen.settings?.fingerprintSecret ?? 'sotto-fingerprint';
  const secretNames = (seen.secrets ?? []).map(nameIn);
  const inventory = seen.configMaps.find((object) => nameIn(object) === INVENTORY_NAME);
  return {
    state: [
      ...maps.filter((name) => names.includes(name)).map((name) => ({ kind: 'ConfigMap' as const, name })),
      ...secretNames.filter((name) => name === fingerprint).map((name) => ({ kind: 'Secret' as const, name })),
    ],
    keySecrets: (seen.secrets ?? []).filter((secret) => isKeyOrCredential(secret, seen.settings)).map(nameIn),
    appliedKinds: kindsIn(stringAt(inventory, 'metadata', 'annotations', APPLYSET_KINDS)),
    selector: `${MEMBER_LABEL}=${applySetId(INVENTORY_NAME, seen.namespace)}`,
  };
}

/** The other namespace that the inventory of a split install names. */
export function appliedElsewhere(configMaps: readonly JsonObject[]): string | undefined {
  const inventory = configMaps.find((object) => nameIn(object) === INVENTORY_NAME);
  const namespaces = stringAt(inventory, 'metadata', 'annotations', APPLYSET_NAMESPACES) ?? '';
  return namespaces.split(',').find((namespace) => namespace !== '');
}

function isKeyOrCredential(secret: JsonObject, settings: Settings | undefined): boolean {
  const labels = marksAt(memberAt(secret, 'metadata', 'labels'));
  const named = [
    ...(settings?.decryption.secretNames ?? []),
    ...(settings?.sealing.secretNames ?? []),
    ...(settings?.syncs ?? []).flatMap(({ decryption }) => decryption.secretNames),
  ];
  return (
    named.includes(nameIn(secret)) ||
    markOf(labels, USE_LABEL) !== undefined ||
    markOf(labels, STOCK_SEALING_LABEL) === STOCK_SEALING_ACTIVE
  );
}

function marksAt(value: Json | undefined): Readonly<Record<string, string>> {
  const entries = Object.entries(isJsonObject(value) ? value : {});
  return Object.fromEntries(entries.flatMap(([key, text]) => (typeof text === 'string' ? [[key, text]] : [])));
}

/** `ConfigMap,Deployment.apps` of the inventory, lower-cased: kubectl takes singular names. */
function kindsIn(annotation: string | undefined): readonly string[] {
  return (annotation ?? '')
    .split(',')
    .filter((kind) => kind !== '')
    .map((kind) => kind.toLowerCase());
}

function nameIn(object: JsonObject): string {
  return stringAt(object, 'metadata', 'name') ?? '';
}

/** One line for what stays and one for how it goes, for each sort. */
export function remainsLines(
  remains: Remains,
  { namespace, targetNamespace }: Seen,
  purged: boolean,
): readonly string[] {
  const { state, keySecrets, appliedKinds, selector } = remains;
  const objects = state.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`);
  const lines: string[] = [];
  if (state.length > 0 && !purged) {
    lines.push(`stays: what the agent wrote for itself: ${objects.join(', ')}`);
    lines.push(`  to remove it: kubectl -n ${namespace} delete ${objects.join(' ')}   (or uninstall with --purge)`);
  }
  if (appliedKinds.length > 0) {
    lines.push(`stays: what it applied in namespace ${targetNamespace}, as it is: ${appliedKinds.join(', ')}`);
    lines.push(
      `  to remove it: kubectl -n ${targetNamespace} delete ${shellWord(appliedKinds.join(','))} -l ${shellWord(selector)}`,
    );
  }
  if (keySecrets.length > 0) {
    lines.push(`stays: keys and credentials: ${keySecrets.map((name) => `secret/${name}`).join(', ')}`);
    lines.push(
      `  to remove them: kubectl -n ${namespace} delete secret ${keySecrets.join(' ')}   (without the keys nothing in Git can be opened)`,
    );
  }
  return lines;
}
