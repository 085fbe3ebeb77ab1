import { SottoError } from '../core/errors.ts';
import { displayObject } from '../core/ids.ts';
import { discover } from '../kube/discovery.ts';
import { kubeError } from '../kube/errors.ts';
import { CONFIG_MAPS, type Resource } from '../kube/resource.ts';
import type { Cluster } from './cluster.ts';

/** The short names that kubectl users type for what an agent applies; others are asked of the API server by kind. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  cj: 'cronjobs',
  cm: 'configmaps',
  deploy: 'deployments',
  ds: 'daemonsets',
  hpa: 'horizontalpodautoscalers',
  ing: 'ingresses',
  netpol: 'networkpolicies',
  pdb: 'poddisruptionbudgets',
  po: 'pods',
  pvc: 'persistentvolumeclaims',
  rs: 'replicasets',
  sa: 'serviceaccounts',
  sts: 'statefulsets',
  svc: 'services',
};

/**
 * `deploy/web`, `deployments.apps/web`, `Deployment/web` or `apps/Deployment/web` as status, Events and requests write
 * it: `apps/Deployment/web`. Asks the API server for its kinds where the form is not the full one. Throws SottoError.
 */
export async function resolveObject(text: string, cluster: Cluster): Promise<string> {
  const parts = text.split('/');
  if (parts.some((part) => part === '') || parts.length < 2 || parts.length > 3) throw unrecognised(text, WRONG_FORM);
  if (parts.length === 3) return text;
  const [kind = '', name = ''] = parts;
  const catalog = await discover(cluster.transport);
  if (!catalog.ok) {
    throw kubeError(catalog.failure, { verb: 'get', resource: CONFIG_MAPS, namespace: cluster.namespace });
  }
  const found = catalog.value.resources.filter((resource) => resource.namespaced && isNamed(resource, kind));
  const [first] = found;
  if (first === undefined) throw unrecognised(text, `the API server has no kind ${JSON.stringify(kind)} in namespaces`);
  const others = new Set(found.map((resource) => resource.group));
  // `events` is served by two groups; the core one and those that come first are what kubectl takes, too.
  const { group } = others.has('') ? { group: '' } : first;
  return displayObject({ group, kind: first.kind, namespace: cluster.namespace, name });
}

function isNamed({ kind, plural, group }: Resource, word: string): boolean {
  const wanted = word.toLowerCase();
  const names = [plural, kind.toLowerCase()];
  return [...names, ...names.map((each) => `${each}.${group}`)].includes(SHORT_NAMES[wanted] ?? wanted);
}

const WRONG_FORM = 'it is not KIND/NAME';

function unrecognised(text: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-048',
    what: `${JSON.stringify(text)} is not an object`,
    why,
    next: 'write it as for kubectl (deploy/web), or as sotto status does (apps/Deployment/web)',
  });
}
