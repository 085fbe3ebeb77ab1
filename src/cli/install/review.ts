import { arrayAt, type Json, type JsonObject, memberAt, stringifyJson } from '../../core/json.ts';
import { kubeError } from '../../kube/errors.ts';
import { createObject } from '../../kube/objects.ts';
import type { Transport } from '../../kube/transport.ts';
import { reviewResource } from './resources.ts';
import { covers, type Need, type Right } from './rights.ts';

/**
 * The needs that are not met. The API server is asked once for all rules of each namespace, and once more about each
 * right that is not among them: an authorizer that is not RBAC need not tell its rules.
 */
export async function missingNeeds(
  transport: Transport,
  needs: readonly Need[],
  signal: AbortSignal,
): Promise<readonly Need[]> {
  const namespaces = [...new Set(needs.map(({ right }) => right.namespace))];
  const rules = new Map<string, readonly Json[]>();
  for (const namespace of namespaces) rules.set(namespace, await rulesIn(transport, namespace, signal));
  const isListed = (right: Right): boolean => (rules.get(right.namespace) ?? []).some((rule) => covers(rule, right));
  const answers = new Map<string, boolean>();
  const isAllowed = async (right: Right): Promise<boolean> => {
    if (isListed(right)) return true;
    const question = JSON.stringify(right);
    const known = answers.get(question) ?? (await mayDo(transport, right, signal));
    answers.set(question, known);
    return known;
  };
  const canEscalate = new Map<string, boolean>();
  for (const namespace of namespaces) {
    const roles = { namespace, group: 'rbac.authorization.k8s.io', resource: 'roles' };
    const both = (await isAllowed({ ...roles, verb: 'escalate' })) && (await isAllowed({ ...roles, verb: 'bind' }));
    canEscalate.set(namespace, both);
  }
  const missing: Need[] = [];
  for (const need of needs) {
    if (need.kind === 'grant' && canEscalate.get(need.right.namespace) === true) continue;
    if (!(await isAllowed(need.right))) missing.push(need);
  }
  return missing;
}

async function rulesIn(transport: Transport, namespace: string, signal: AbortSignal): Promise<readonly Json[]> {
  const review = await ask(transport, 'SelfSubjectRulesReview', { namespace }, signal);
  return arrayAt(review, 'status', 'resourceRules');
}

async function mayDo(transport: Transport, right: Right, signal: AbortSignal): Promise<boolean> {
  const { namespace, group, resource, verb, name } = right;
  const resourceAttributes = { namespace, group, resource, verb, ...(name === undefined ? {} : { name }) };
  const review = await ask(transport, 'SelfSubjectAccessReview', { resourceAttributes }, signal);
  return memberAt(review, 'status', 'allowed') === true;
}

async function ask(
  transport: Transport,
  kind: 'SelfSubjectAccessReview' | 'SelfSubjectRulesReview',
  spec: JsonObject,
  signal: AbortSignal,
): Promise<JsonObject> {
  const target = { resource: reviewResource(kind), namespace: '', name: '' };
  const body = new TextEncoder().encode(stringifyJson({ apiVersion: 'authorization.k8s.io/v1', kind, spec }));
  const answer = await createObject(transport, { ...target, body, signal });
  if (!answer.ok) throw kubeError(answer.failure, { verb: 'create', ...target, user: transport.connection.user });
  return answer.value.object;
}
