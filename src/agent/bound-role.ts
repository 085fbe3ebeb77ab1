import type { ApplyOutcome } from '../apply/apply.ts';
import { type ClosedObject, isOpenTree } from '../core/closed.ts';
import type { SottoError } from '../core/errors.ts';
import { displayObject } from '../core/ids.ts';
import { type Json, member, stringAt } from '../core/json.ts';
import { getObject } from '../kube/objects.ts';
import type { DesiredObject } from '../render/desired.ts';
import { rightsVeto } from '../render/veto.ts';
import { grantOf } from '../render/veto-rbac.ts';
import type { AgentContext } from './context.ts';

const GROUP = 'rbac.authorization.k8s.io';

type Looking = Pick<AgentContext, 'transport' | 'catalog' | 'vetoes'>;

/**
 * A binding hands out what its Role grants as it is live: one that is not in Git, or that Git could not take over, is
 * not seen by the vetoes on manifests. Looked at only when a binding is about to be applied. Undefined: no objection.
 */
export async function boundRoleVeto(agent: Looking, object: DesiredObject): Promise<ApplyOutcome | undefined> {
  const name = boundRole(object);
  const resource = name === undefined ? undefined : agent.catalog().find(`${GROUP}/v1`, 'Role');
  if (name === undefined || resource === undefined || resource.secret) return undefined;
  const vetoes = agent.vetoes();
  if (vetoes.lifted.includes('agent-rbac')) return undefined;
  const live = await getObject(agent.transport, { resource, namespace: object.id.namespace, name });
  if (!live.ok) {
    const what = `the binding hands out Role ${name}, whose rules cannot be read`;
    return { kind: 'failed', again: true, error: placed(rightsVeto(what), object) };
  }
  if (live.value === undefined) {
    // Whoever makes it later decides what it grants, and no binding is looked at again then.
    const what = `the binding hands out Role ${name}, which does not exist`;
    return { kind: 'failed', again: true, error: placed(rightsVeto(what), object) };
  }
  const granted = grantOf(rulesOf(live.value), vetoes);
  if (granted === undefined) return undefined;
  const what = `the binding hands out Role ${name}, which grants ${granted.right}`;
  return { kind: 'failed', again: false, error: placed(rightsVeto(what), object) };
}

function boundRole({ id, tree }: DesiredObject): string | undefined {
  if (id.group !== GROUP || id.kind !== 'RoleBinding' || !isOpenTree(tree)) return undefined;
  return stringAt(tree, 'roleRef', 'kind') === 'Role' ? stringAt(tree, 'roleRef', 'name') : undefined;
}

function rulesOf(role: Json | undefined): ClosedObject[string] | undefined {
  return member(role, 'rules');
}

function placed(error: SottoError, { id, file, line }: DesiredObject): SottoError {
  return error.at({ file, line, object: displayObject(id) });
}
