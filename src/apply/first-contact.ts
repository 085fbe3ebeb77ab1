import { type ClosedObject, secretRefs } from '../core/closed.ts';
import { SottoError } from '../core/errors.ts';
import {
  arrayAt,
  canonicalJson,
  isJsonObject,
  type Json,
  type JsonObject,
  member,
  memberAt,
  stringAt,
} from '../core/json.ts';
import { shellWord } from '../core/shell-word.ts';
import type { Tool } from './former-owner.ts';
import { FIELD_MANAGER, MEMBER_LABEL } from '../core/labels.ts';

/** What other owners leave on an object, and the name under which people know them (product page, first contact). */
const MARKERS: readonly {
  readonly owner: string;
  readonly tool?: Tool;
  readonly in: 'labels' | 'annotations';
  readonly key: string;
}[] = [
  { owner: 'Flux (kustomize-controller)', tool: 'flux', in: 'labels', key: 'kustomize.toolkit.fluxcd.io/name' },
  { owner: 'Flux (helm-controller)', tool: 'flux', in: 'labels', key: 'helm.toolkit.fluxcd.io/name' },
  { owner: 'Argo CD', tool: 'argocd', in: 'annotations', key: 'argocd.argoproj.io/tracking-id' },
  { owner: 'Argo CD', tool: 'argocd', in: 'labels', key: 'argocd.argoproj.io/instance' },
  { owner: 'Helm', tool: 'helm', in: 'annotations', key: 'meta.helm.sh/release-name' },
  { owner: 'kapp', tool: 'kapp', in: 'labels', key: 'kapp.k14s.io/app' },
  { owner: 'Config Sync', tool: 'config-sync', in: 'annotations', key: 'configmanagement.gke.io/managed' },
  { owner: 'cli-utils', in: 'annotations', key: 'config.k8s.io/owning-inventory' },
];

export type Owner = { readonly kind: 'ours' } | { readonly kind: 'nobody' } | ({ readonly kind: 'other' } & OtherOwner);

export interface OtherOwner {
  readonly name: string;
  /** One whose objects can be taken over by its name. */
  readonly tool?: Tool | undefined;
  /** Id of the set that its label names. */
  readonly set?: string | undefined;
}

/** Whose object this is, read from its metadata alone. */
export function ownerOf(metadata: Json | undefined, setId: string): Owner {
  const label = stringAt(metadata, 'labels', MEMBER_LABEL);
  // A copy of one of our manifests has the label as well; only our own apply makes the entry (spec/drift.md 3.8 C).
  if (label === setId && hasOwnEntry(metadata)) return { kind: 'ours' };
  const marker = MARKERS.find((mark) => stringAt(metadata, mark.in, mark.key) !== undefined);
  if (marker !== undefined) return { kind: 'other', name: marker.owner, tool: marker.tool };
  if (label !== undefined && label !== setId) {
    const who = hasOwnEntry(metadata) ? 'another sotto agent' : 'another tool';
    return { kind: 'other', name: `${who} (set ${label})`, set: label };
  }
  const managedBy = stringAt(metadata, 'labels', 'app.kubernetes.io/managed-by');
  if (managedBy === 'Helm') return { kind: 'other', name: 'Helm', tool: 'helm' };
  const controller = controllerOf(metadata);
  return controller === undefined ? { kind: 'nobody' } : { kind: 'other', name: controller };
}

function hasOwnEntry(metadata: Json | undefined): boolean {
  return arrayAt(metadata, 'managedFields').some(
    (entry) => stringAt(entry, 'manager') === FIELD_MANAGER && stringAt(entry, 'operation') === 'Apply',
  );
}

/** An object with a controller (a ReplicaSet of a Deployment, a Secret of a SealedSecret) is that one's to change. */
function controllerOf(metadata: Json | undefined): string | undefined {
  const owners = member(metadata, 'ownerReferences');
  if (!Array.isArray(owners)) return undefined;
  const controller = owners.find((owner: Json) => member(owner, 'controller') === true);
  return controller === undefined ? undefined : `${stringAt(controller, 'kind')}/${stringAt(controller, 'name')}`;
}

/**
 * Whether an unforced dry-run changed nothing but managedFields and our label. `before` and `after` are full objects,
 * or metadata only for a Secret.
 */
export function isEqualButOwnership(before: Json, after: Json): boolean {
  return canonicalJson(comparable(before)) === canonicalJson(comparable(after));
}

const BOOKKEEPING = ['managedFields', 'resourceVersion', 'generation'];

function comparable(object: Json): Json {
  if (!isJsonObject(object)) return object;
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const labels = isJsonObject(metadata['labels']) ? without(metadata['labels'], [MEMBER_LABEL]) : {};
  const rest = without(object, ['metadata', 'status', 'apiVersion', 'kind']);
  return { ...rest, metadata: { ...without(metadata, [...BOOKKEEPING, 'labels']), labels } };
}

function without(object: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}

/** What Git has of a Secret beside its metadata: the keys of its data, and other fields (`type`, `immutable`). */
export interface SecretShape {
  readonly keys: readonly string[];
  readonly fields: readonly string[];
}

/**
 * For a Secret the answer is metadata only: values cannot be compared, ownership can. A data key or a field that no
 * entry owned before, or missing managedFields, counts as a change (product page).
 */
export function addsToSecret(before: Json, wanted: SecretShape): boolean {
  const entries = arrayAt(before, 'metadata', 'managedFields');
  if (entries.length === 0) return true;
  const owned = (...path: string[]): Set<string> =>
    new Set(
      entries.flatMap((entry) => {
        const fields = memberAt(entry, 'fieldsV1', ...path);
        return isJsonObject(fields) ? Object.keys(fields) : [];
      }),
    );
  const [keys, fields] = [owned('f:data'), owned()];
  return wanted.keys.some((key) => !keys.has(`f:${key}`)) || wanted.fields.some((field) => !fields.has(`f:${field}`));
}

/** The stock marks on an existing Secret with which people hand it to whoever unseals a SealedSecret of its name. */
const MANAGED = 'sealedsecrets.bitnami.com/managed';
const PATCH = 'sealedsecrets.bitnami.com/patch';

/**
 * Whether a live Secret says that a SealedSecret may take it over. With `patch` alone the template has to say it too:
 * the mark is what keeps the Secret, with what others have put into it, when the SealedSecret leaves Git.
 */
export function isHandedOver(live: Json | undefined, wanted: ClosedObject): boolean {
  if (!secretRefs(wanted).some(({ ref }) => ref.source.format === 'sealed')) return false;
  if (says(live, MANAGED)) return true;
  return says(live, PATCH) && says(wanted['metadata'], PATCH);
}

function says(metadata: unknown, mark: string): boolean {
  return stringAt(metadata, 'annotations', mark) === 'true';
}

const HOW_TO_END: Readonly<Record<Tool, string>> = {
  flux: 'suspend the Kustomization or HelmRelease (flux suspend …)',
  argocd: 'turn automated sync of the Application off',
  helm: 'make no upgrade and no uninstall of the release any more',
  kapp: 'make no deploy and no delete of the app any more',
  'config-sync': 'stop the RootSync or RepoSync',
  kubectl: 'apply it by hand no more',
};

/** Both are named: whose it is, and who would have taken it. */
export function foreignOwner({ name, tool, set }: OtherOwner, setId: string): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-006',
    what: `the object exists and belongs to ${name}`,
    why: `two tools that apply one object undo each other${set === undefined ? '' : `; this agent's set is ${setId}`}`,
    next: howToEnd(name, tool, set),
  });
}

function howToEnd(name: string, tool: Tool | undefined, set: string | undefined): string {
  const orSkip = 'add it to skip in the settings of this sync';
  if (name.startsWith('SealedSecret/')) {
    const secret = name.slice('SealedSecret/'.length);
    return `sotto adopt --from sealed-secrets ${secret}   (takes it over without a moment in which it is missing)`;
  }
  if (set !== undefined) {
    return `kubectl get configmaps,secrets -A -l ${shellWord(`applyset.kubernetes.io/id=${set}`)}   (tells whose set that is; keep the object in one of the two)`;
  }
  if (tool === undefined) return `end the other tool's care of it first, or ${orSkip}`;
  return `${HOW_TO_END[tool]}, then: sotto adopt --from ${tool}   (or ${orSkip})`;
}

/** Paths only: a value of an object that is not ours is nobody's to tell. */
export function differsIn(paths: readonly string[]): string {
  const known = [...new Set(paths)].filter((path) => path !== '');
  if (known.length === 0) return 'it differs from Git';
  const more = known.length > 5 ? ` and ${known.length - 5} more` : '';
  return `it differs from Git in ${known.slice(0, 5).join(', ')}${more}`;
}

export function notAdopted(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-001',
    what: 'the object exists and was not made by sotto',
    why: `${why}, and first contact changes nothing unasked`,
    next: 'sotto diff   (then make Git equal to what runs, or take the object over: sotto adopt KIND/NAME)',
  });
}
