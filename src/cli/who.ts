import { isJsonObject, stringAt, stringifyJson } from '../core/json.ts';
import { createObject } from '../kube/objects.ts';
import { resourceOf } from '../kube/resource.ts';
import type { Cluster } from './cluster.ts';

const REVIEWS = resourceOf({
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  namespaced: false,
  verbs: ['create'],
});

/** Who the API server takes us for; everybody may ask. Where it does not say, the name in the kubeconfig. */
export async function whoAmI({ transport, connection }: Cluster): Promise<string> {
  const body = Buffer.from(
    stringifyJson({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }),
    'utf8',
  );
  const answer = await createObject(transport, { resource: REVIEWS, namespace: '', name: '', body });
  const name =
    answer.ok && isJsonObject(answer.value.object)
      ? stringAt(answer.value.object, 'status', 'userInfo', 'username')
      : undefined;
  return name ?? connection.user;
}
