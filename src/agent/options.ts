import type { Code } from '../core/codes.ts';
import type { LogLevel, LogStream } from '../report/log.ts';

/** The command line of `sotto agent`, read. */
export interface AgentOptions {
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdout: LogStream;
  /** Ends the agent: the object in hand is finished, the inventory stored. */
  readonly signal: AbortSignal;
  readonly namespace?: string | undefined;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  /** Settings from a file instead of ConfigMap `sotto`. */
  readonly configFile?: string | undefined;
  /** `HOST:PORT`; empty for no listener. */
  readonly listen: string;
  readonly allowedSources: readonly string[];
  /** `unix:/PATH` or `tcp:HOST:PORT`; undefined: the kustomize in PATH, if any. */
  readonly renderer: string | undefined;
  /** File with the token that the renderer knows as well. */
  readonly rendererToken: string | undefined;
  readonly takeOver: boolean;
  readonly once: boolean;
  readonly logLevel: LogLevel;
}

/** How a run ended. */
export interface AgentEnd {
  readonly isReady: boolean;
  /** Codes of what is not as it should be: the exit code of `--once` follows from them. */
  readonly problems: readonly Code[];
}
