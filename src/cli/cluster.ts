import { systemClock } from '../core/clock.ts';
import { loadConnection } from '../kube/connection.ts';
import { Transport } from '../kube/transport.ts';
import type { CommandContext } from './context.ts';
import { say } from './output.ts';

/** The flags by which kubectl's users name a cluster and a namespace. */
export interface ClusterFlags {
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
}

export interface Cluster {
  readonly transport: Transport;
  readonly namespace: string;
  /** As the kubeconfig names the user; for messages. */
  readonly user: string;
}

/** Opens the connection that the flags name, for the time of one command. */
export async function withCluster<T>(
  flags: ClusterFlags,
  context: CommandContext,
  use: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const { kubeconfig, context: contextName } = flags;
  const connection = await loadConnection({ kubeconfig, context: contextName, env: context.env, clock: systemClock });
  for (const warning of connection.warnings) await say(context, `warning: ${warning}`);
  const transport = new Transport(connection, { clock: systemClock });
  try {
    return await use({ transport, namespace: flags.namespace ?? connection.namespace, user: connection.user });
  } finally {
    transport.close();
  }
}
