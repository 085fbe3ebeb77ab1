import type { Json, JsonObject } from '../core/json.ts';
import type { AuditEntry } from './audit-log.ts';
import type { AdminAnswer } from './control-plane-client.ts';

/** An API server with a namespace for the demo: one of our own, or somebody's. */
export interface DemoCluster extends AsyncDisposable {
  /** `kube-apiserver v1.37.2 on 127.0.0.1:4711`. */
  readonly described: string;
  readonly namespace: string;
  /** For the agent: an account that has one Role in this namespace and nothing else. */
  readonly agentKubeconfig: string;
  readonly access: PersonAccess;
  /** Where the cluster itself keeps its objects, Secrets included: no place to search for leaks. */
  readonly storeFolder: string | undefined;
  /** A request with the rights of the person who runs the demo. Any HTTP status is an answer. */
  readonly admin: (method: string, path: string, body?: JsonObject) => Promise<AdminAnswer>;
  /** Requests of the agent, from the audit log; undefined where there is none to read. */
  readonly audit: AgentAudit | undefined;
}

export interface AgentAudit {
  mark(): Promise<number>;
  since(mark: number): Promise<readonly AuditEntry[]>;
}

/** How the person in front of the demo reaches the cluster with kubectl and sotto. */
export type PersonAccess =
  /** A kubeconfig of the demo whose context is the namespace. */
  | { readonly kind: 'file'; readonly kubeconfig: string }
  | { readonly kind: 'flags'; readonly flags: readonly string[] };

export const AGENT_ACCOUNT = 'sotto';

export type Create = (path: string, body: JsonObject) => Promise<Json>;
