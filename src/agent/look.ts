import { type ObjectKey, objectIdOf } from '../core/ids.ts';
import { getMetadata, getObject } from '../kube/objects.ts';
import type { AgentContext } from './context.ts';

/** Reads one object and judges it as a watch would have; what cannot be read is as it was. Of Secrets metadata only. */
export async function look(agent: AgentContext, key: ObjectKey, apiVersion: string): Promise<void> {
  const { kind, namespace, name } = objectIdOf(key);
  const resource = agent.catalog().find(apiVersion, kind);
  if (resource === undefined) return;
  const { transport, signal } = agent;
  const answer = resource.secret
    ? await getMetadata(transport, { resource, namespace, name, signal })
    : await getObject(transport, { resource, namespace, name, signal });
  if (answer.ok && answer.value !== undefined) agent.live.observe(resource, namespace, answer.value, true);
}
