import { isClosedObject } from '../core/closed.ts';
import { arrayAt, type Json, stringAt } from '../core/json.ts';
import { jsonPatch, type Outcome, type Written } from '../kube/objects.ts';
import type { Resource } from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import type { DesiredObject } from '../render/desired.ts';

/** Whose objects may be taken over by name: each leaves marks and field managers of its own. */
export const TOOLS = ['flux', 'argocd', 'helm', 'kapp', 'config-sync', 'kubectl'] as const;
export type Tool = (typeof TOOLS)[number];

interface Marks {
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
  readonly managers: readonly string[];
}

const HELM: Marks = {
  labels: ['app.kubernetes.io/managed-by'],
  annotations: ['meta.helm.sh/release-name', 'meta.helm.sh/release-namespace'],
  managers: ['helm'],
};

/** What a tool leaves on an object. By these it finds what it may delete: with them gone, its own pruning spares it. */
const MARKS: Readonly<Record<Tool, Marks>> = {
  flux: {
    labels: [
      'kustomize.toolkit.fluxcd.io/name',
      'kustomize.toolkit.fluxcd.io/namespace',
      'helm.toolkit.fluxcd.io/name',
      'helm.toolkit.fluxcd.io/namespace',
      ...HELM.labels,
    ],
    annotations: ['kustomize.toolkit.fluxcd.io/checksum', ...HELM.annotations],
    managers: ['kustomize-controller', 'helm-controller', ...HELM.managers],
  },
  argocd: {
    labels: ['argocd.argoproj.io/instance'],
    annotations: ['argocd.argoproj.io/tracking-id', 'argocd.argoproj.io/installation-id'],
    managers: ['argocd-controller', 'argocd-application-controller'],
  },
  helm: HELM,
  kapp: {
    labels: ['kapp.k14s.io/app', 'kapp.k14s.io/association'],
    annotations: ['kapp.k14s.io/identity', 'kapp.k14s.io/original', 'kapp.k14s.io/original-diff-md5'],
    managers: ['kapp', 'kapp-server'],
  },
  'config-sync': {
    labels: ['configsync.gke.io/declared-version', 'app.kubernetes.io/managed-by'],
    annotations: [
      'configmanagement.gke.io/managed',
      'configmanagement.gke.io/source-path',
      'configmanagement.gke.io/token',
      'configmanagement.gke.io/cluster-name',
      'configsync.gke.io/declared-fields',
      'configsync.gke.io/git-context',
      'configsync.gke.io/manager',
      'configsync.gke.io/resource-id',
      'config.k8s.io/owning-inventory',
    ],
    managers: ['configsync', 'configmanagement', 'applier'],
  },
  kubectl: {
    labels: [],
    annotations: ['kubectl.kubernetes.io/last-applied-configuration'],
    managers: ['kubectl-client-side-apply', 'kubectl', 'kubectl-last-applied'],
  },
};

/** `app.kubernetes.io/managed-by` is a word of everybody's: only these say that the tool is meant. */
const MANAGED_BY = 'app.kubernetes.io/managed-by';
const THEIR_NAMES: ReadonlySet<string> = new Set(['Helm', 'configmanagement.gke.io']);

/**
 * Takes the marks of a former owner off an object that we have just applied, and its entries out of managedFields, so
 * that what Git lets go of goes. Values stay as they are. What Git itself sets is left. Undefined: there is nothing.
 */
export function withoutMarks(live: Json, { tree }: Pick<DesiredObject, 'tree'>, tool: Tool): Json | undefined {
  const { labels, annotations, managers } = MARKS[tool];
  const metadata = isClosedObject(tree['metadata']) ? tree['metadata'] : {};
  const removed = (['labels', 'annotations'] as const).flatMap((map) => {
    const wanted = isClosedObject(metadata[map]) ? metadata[map] : {};
    return (map === 'labels' ? labels : annotations).flatMap((key) => {
      const value = stringAt(live, 'metadata', map, key);
      if (value === undefined || Object.hasOwn(wanted, key)) return [];
      if (key === MANAGED_BY && !THEIR_NAMES.has(value)) return [];
      return [{ op: 'remove', path: `/metadata/${map}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}` }];
    });
  });
  const entries = arrayAt(live, 'metadata', 'managedFields');
  const kept = entries.filter(
    (entry) => (stringAt(entry, 'subresource') ?? '') !== '' || !managers.includes(stringAt(entry, 'manager') ?? ''),
  );
  if (removed.length === 0 && kept.length === entries.length) return undefined;
  return [
    ...removed,
    { op: 'replace', path: '/metadata/managedFields', value: kept },
    { op: 'replace', path: '/metadata/resourceVersion', value: stringAt(live, 'metadata', 'resourceVersion') ?? '' },
  ];
}

/** The object without its former owner's marks; `live` is the answer to our apply. */
export async function takeMarksOff(
  live: Json,
  object: DesiredObject,
  tool: Tool,
  {
    transport,
    resource,
    asUser,
  }: { readonly transport: Transport; readonly resource: Resource; readonly asUser?: string | undefined },
): Promise<Outcome<Written> | undefined> {
  const patch = withoutMarks(live, object, tool);
  if (patch === undefined) return undefined;
  const { namespace, name } = object.id;
  return jsonPatch(transport, { resource, namespace, name, asUser, patch });
}
