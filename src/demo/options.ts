/** What the demo is started with. It knows only doors and core, so codecs and terminal are handed in. */
export interface DemoOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The program that runs: `dist/sotto.cjs`, or `src/main.ts` from the sources. */
  readonly programPath: string;
  /** As a person types it: `npx sotto`. */
  readonly commandName: string;
  /** A cluster that is there already; without it etcd and kube-apiserver are started. */
  readonly existing?: ExistingCluster | undefined;
  /** Leaves everything running until the signal, for people to look around. */
  readonly keep: boolean;
  readonly codecs: DemoCodecs;
  readonly terminal: DemoTerminal;
  readonly signal: AbortSignal;
}

export interface ExistingCluster {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly namespace: string;
}

export interface DemoCodecs {
  newAgeKey(): Promise<AgeKey>;
  /** A Secret manifest as SOPS file. */
  encrypt(manifest: string, file: string, recipient: string): Promise<string>;
  /** A Secret manifest as SealedSecret, strict scope. */
  seal(manifest: string, file: string, certificatePem: string): Promise<string>;
}

export interface AgeKey {
  readonly identity: string;
  readonly recipient: string;
}

export type DemoStyle = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

export interface DemoTerminal {
  readonly write: (text: string) => void;
  readonly isTerminal: boolean;
  readonly columns: number | undefined;
  readonly paint: (style: DemoStyle, text: string) => string;
}
