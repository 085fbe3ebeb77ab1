import type { Command } from 'commander';
import { systemClock } from '../core/clock.ts';
import type { Connection } from '../kube/api-server.ts';
import { loadConnection } from '../kube/connection.ts';
import { type ResourceCatalog, discover } from '../kube/discovery.ts';
import { kubeError } from '../kube/errors.ts';
import type { KubeFailure } from '../kube/failure.ts';
import { CONFIG_MAPS, type OpenResource } from '../kube/resource.ts';
import { Transport } from '../kube/transport.ts';
import type { CommandContext } from './context.ts';
import { contextOption, kubeconfigOption, namespaceOption } from './options.ts';
import { say } from './output.ts';

/** kubectl's flags for which cluster, as whom, in which namespace. */
export interface ClusterFlags {
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
}

export function addClusterOptions(command: Command): Command {
  return command.addOption(namespaceOption()).addOption(kubeconfigOption()).addOption(contextOption());
}

/** A cluster as the person at the command line may use it. */
export interface Cluster {
  readonly transport: Transport;
  readonly connection: Connection;
  /** Of the agent. */
  readonly namespace: string;
}

/** The connection that the flags name; what makes it doubtful is said. Throws SottoError when there is none. */
export async function connectionFor(flags: ClusterFlags, context: CommandContext): Promise<Connection> {
  const { kubeconfig, context: contextName } = flags;
  const connection = await loadConnection({ kubeconfig, context: contextName, env: context.env, clock: systemClock });
  for (const warning of connection.warnings) await say(context, `warning: ${warning}`);
  return connection;
}

/** Runs `task` with a connection that is closed afterwards. Throws SottoError when there is none. */
export async function withCluster<Result>(
  flags: ClusterFlags,
  context: CommandContext,
  task: (cluster: Cluster) => Promise<Result>,
): Promise<Result> {
  const connection = await connectionFor(flags, context);
  const transport = new Transport(connection, { clock: systemClock });
  try {
    return await task({ transport, connection, namespace: flags.namespace ?? connection.namespace });
  } finally {
    transport.close();
  }
}

export async function discoverKinds(cluster: Cluster, signal: AbortSignal): Promise<ResourceCatalog> {
  const found = await discover(cluster.transport, signal);
  if (found.ok) return found.value;
  throw kubeError(found.failure, { verb: 'get', resource: CONFIG_MAPS, namespace: cluster.namespace });
}

/** A refused reading of one object, or of a kind, as a person reads it. */
export function refusedReading(
  cluster: Cluster,
  failure: KubeFailure,
  asked: { readonly verb: 'get' | 'list' | 'watch'; readonly resource: OpenResource; readonly name?: string },
): Error {
  return kubeError(failure, { ...asked, namespace: cluster.namespace, user: cluster.connection.user });
}
