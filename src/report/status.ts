import type { Code } from '../core/codes.ts';
import type { ReceiptKeyName } from '../core/receipt-key.ts';

/** The status document of docs/interface.md: ConfigMap `sotto-status`, key `status.json`. Times are RFC 3339 UTC. */
export const STATUS_SCHEMA = 'sotto.dev/status/v1alpha1';
export const STATUS_CONFIGMAP = 'sotto-status';
export const STATUS_KEY = 'status.json';
/** Annotation of the ConfigMap: keyed signature over the exact text of `status.json`. */
export const STATUS_SIGNATURE_ANNOTATION = 'sotto.dev/signature';

export type SyncStateName = 'Ready' | 'Progressing' | 'Held' | 'Degraded' | 'Stalled' | 'Suspended';
export const SYNC_STATES: readonly SyncStateName[] = [
  'Ready',
  'Progressing',
  'Held',
  'Degraded',
  'Stalled',
  'Suspended',
];

export interface AgentStatus {
  readonly version: string;
  readonly instance: string;
  readonly startedAt: string;
}

export interface SourceStatus {
  /** Without user and password. */
  readonly url: string;
  readonly ref: string;
  /** The newest revision that was read; absent before the first. */
  readonly revision?: string | undefined;
  readonly error?: SourceError | undefined;
}

export interface SourceError {
  readonly code: Code;
  readonly message: string;
  readonly next: string;
}

export interface SyncCounts {
  readonly desired: number;
  readonly current: number;
  readonly inProgress: number;
  readonly failed: number;
  readonly held: number;
  readonly paused: number;
  readonly pruned: number;
}

/** One thing that is not as Git wants it, with one code and one next step. Absent `object`: a file that gave none. */
export interface Attention {
  readonly object?: string | undefined;
  readonly code: Code;
  readonly message: string;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly key?: string | undefined;
  readonly next: string;
}

/** A plan that waits for a yes. */
export interface PendingPlan {
  readonly planId: string;
  readonly why: string;
  readonly creates: number;
  readonly prunes: number;
  /** What it would delete; the first of them. */
  readonly pruned: readonly string[];
}

/** Objects that the agent applied once and that no sync has. */
export interface OrphanStatus {
  /** Digest of all of them: a yes covers exactly these. */
  readonly planId: string;
  readonly total: number;
  /** The first of them. */
  readonly objects: readonly string[];
}

/** What a key in wrong hands could open and is still in use. */
export interface ExposureStatus {
  /** The public half: an age recipient, or the fingerprint of a sealing certificate. */
  readonly key: string;
  readonly since: string;
  readonly reason: string;
  readonly by: string;
  /** Values in all, those of them that people accepted as they are, and those that are to be changed. */
  readonly total: number;
  readonly accepted: number;
  readonly open: number;
  /** The first of them. */
  readonly values: readonly { readonly file: string; readonly key: string }[];
}

/** What was applied last, while it stands in for a source that was not read since the start. */
export interface LastAppliedStatus {
  readonly revision?: string | undefined;
  readonly objects: number;
  /** Objects of the sync that it does not have as they were applied last: their changes stay meanwhile. */
  readonly missing: number;
}

export interface SyncStatus {
  readonly name: string;
  readonly state: SyncStateName;
  readonly reason: string;
  readonly message: string;
  readonly source: SourceStatus;
  readonly lastApplied?: LastAppliedStatus | undefined;
  readonly appliedRevision?: string | undefined;
  readonly attemptedRevision?: string | undefined;
  readonly counts: SyncCounts;
  /** How many there are; `attention` may hold fewer. */
  readonly attentionTotal: number;
  readonly attention: readonly Attention[];
  readonly pending: readonly PendingPlan[];
}

export type PauseStatus = ({ readonly object: string } | { readonly sync: string }) & {
  readonly until?: string | undefined;
  readonly by: string;
  readonly reason: string;
};

/** The key of all digests, by its id: which one it is, and nothing of it. */
export interface FingerprintStatus {
  readonly id: string;
  /** The key before, while something made with it may be left. */
  readonly former?: string | undefined;
  /** What it waits for, then. */
  readonly waits?: string | undefined;
  /** What another key would change, as somebody asked last. */
  readonly plan?: FingerprintPlan | undefined;
}

export interface FingerprintPlan {
  readonly planId: string;
  /** Workloads whose Pods are replaced. */
  readonly restarts: readonly { readonly object: string; readonly why: string }[];
  /** Generated objects that get another name. */
  readonly renames: readonly string[];
  /** Other objects that refer to those. */
  readonly changes: readonly string[];
  /** Syncs whose prunes then wait for a yes. */
  readonly holds: readonly { readonly sync: string; readonly why: string }[];
  /** How many there are; the lists may hold fewer. */
  readonly total: { readonly restarts: number; readonly renames: number; readonly changes: number };
}

export interface HandledRequest {
  readonly id: string;
  /** `accepted`: the agent is at it, and the answer follows under the same id. */
  readonly outcome: 'accepted' | 'done' | 'refused' | 'failed';
  readonly message: string;
}

export type Answer = Pick<HandledRequest, 'outcome' | 'message'>;

/** Where kustomize runs. Everything but `where` is absent until the renderer has answered once. */
export interface RendererStatus {
  /** `process`: a child of the agent. `socket`: a container beside it. `pod`: a Pod of its own. */
  readonly where: 'process' | 'socket' | 'pod';
  readonly kustomize?: string | undefined;
  /** Whether that is the version this one was tested with. */
  readonly pinned?: boolean | undefined;
  /** `none`: each build has a network namespace without interfaces. `shared`: that of the renderer. */
  readonly network?: 'none' | 'shared' | undefined;
  /** Whether the kernel caps memory and processor time of each build. */
  readonly resources?: 'capped' | 'free' | undefined;
}

export interface SealingStatus {
  readonly fingerprint: string;
  readonly notBefore: string;
}

/** Who signs the receipts of its rotations: what `rotation.receiptKey` of sotto.yaml pins. */
export interface ReceiptsStatus {
  readonly publicKey: ReceiptKeyName;
}

export interface KeyStatus {
  readonly kind: 'age' | 'pgp' | 'sealing' | 'vault';
  /** Recipient or fingerprint: the public half. */
  readonly id: string;
  readonly state: 'active' | 'decrypt-only' | 'retired';
  readonly since?: string | undefined;
  /** When a key that is on its way out may go; nothing happens by itself then. */
  readonly until?: string | undefined;
  /** Documents in Git that name this key. */
  readonly uses: number;
  /** Name of the Secret it lies in. */
  readonly secret: string;
  readonly origin: 'sotto' | 'foreign';
}

/** A key that was made to take the place of another which is still there. */
export interface RotationStatus {
  /** Recipients: the public halves. */
  readonly old: string;
  readonly made: string;
  /** The Secret of the new key. */
  readonly secret: string;
  readonly since?: string | undefined;
  /** What the agent has pushed; absent where a person rotates from a checkout. */
  readonly pushed?: { readonly url: string; readonly branch: string; readonly commit: string } | undefined;
  /** Which of the two keys the files name that run now. */
  readonly runs: 'old' | 'both' | 'new' | 'neither' | 'unknown';
  readonly oldSecret: string;
  readonly oldState: 'active' | 'decrypt-only';
  /** When the old key may go; nothing happens by itself then. */
  readonly until?: string | undefined;
}

/** The last rehearsal of the loss of everything but the repository, as who made it said (`sotto keys rehearse`). */
export interface RehearsalStatus {
  readonly at: string;
  readonly by: string;
  /** Encrypted documents that opened. */
  readonly documents: number;
  /** Objects that the API server would have taken. */
  readonly objects: number;
}

export interface CorrectionStatus {
  readonly at: string;
  readonly object: string;
  readonly paths: readonly string[];
  /** Who had changed it, as managedFields says; `unknown` where they do not tell. */
  readonly manager: string;
  readonly operation: string;
  readonly tookMs: number;
  readonly outcome: 'restored' | 'recreated' | 'uncorrectable' | 'backed-off' | 'failed';
}

export interface StatusDocument {
  readonly schema: typeof STATUS_SCHEMA;
  readonly agent: AgentStatus;
  readonly syncs: readonly SyncStatus[];
  /** Absent where there is none. */
  readonly orphans?: OrphanStatus | undefined;
  /** Absent where there is none. */
  readonly exposures?: readonly ExposureStatus[] | undefined;
  readonly pauses: readonly PauseStatus[];
  readonly handled: readonly HandledRequest[];
  /** Absent while the agent has no sealing key. */
  readonly sealing?: SealingStatus | undefined;
  readonly receipts?: ReceiptsStatus | undefined;
  /** Absent where there is none: kustomizations are refused then. */
  readonly renderer?: RendererStatus | undefined;
  readonly fingerprint?: FingerprintStatus | undefined;
  readonly keys: readonly KeyStatus[];
  /** Absent where there is none. */
  readonly rotations?: readonly RotationStatus[] | undefined;
  /** Absent before the first. */
  readonly rehearsal?: RehearsalStatus | undefined;
  readonly corrections: readonly CorrectionStatus[];
}

/** The text that is stored, shown and signed: one form, so that a signature fits exactly one text. */
export function statusText(document: StatusDocument): string {
  return JSON.stringify(document);
}

export interface SignedStatus {
  readonly text: string;
  /** For the annotation STATUS_SIGNATURE_ANNOTATION. */
  readonly signature: string;
}

/** `mac` is keyed with the fingerprint key and separates this purpose from its others. */
export function signStatus(document: StatusDocument, mac: (bytes: Uint8Array) => string): SignedStatus {
  const text = statusText(document);
  return { text, signature: mac(Buffer.from(text, 'utf8')) };
}
