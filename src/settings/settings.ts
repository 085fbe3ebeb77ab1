import type { ReceiptKeyName } from '../core/receipt-key.ts';
import type { HealthRules } from '../expression/health-rules.ts';
import type { ServiceRules } from '../services/rules.ts';
import type { ListenAddress } from './listen-address.ts';

/**
 * The settings as this version acts on them: defaults filled in, durations in milliseconds. A field of the interface
 * page that is missing here belongs to a feature that is not built; its default behaves as off.
 */
export interface Settings {
  /** Namespace the objects are applied to; undefined: the agent's own. */
  readonly targetNamespace: string | undefined;
  readonly fingerprintSecret: string;
  /** Names of key Secrets for every sync (already merged into `SyncSettings.decryption`). */
  readonly decryption: DecryptionSettings;
  readonly sealing: SealingSettings;
  readonly rotation: RotationSettings;
  readonly plaintextSecrets: 'refuse' | 'warn' | 'allow';
  /** Vetoes on what comes from Git that do not count here. */
  readonly liftedVetoes: readonly LiftableVeto[];
  /** Where `/status.json` is served; undefined: nowhere. */
  readonly pageListen: ListenAddress | undefined;
  readonly syncs: readonly SyncSettings[];
}

/** The vetoes that settings may lift; all others always count. */
export type LiftableVeto = 'key-mount' | 'agent-account' | 'agent-rbac' | 'key-label';

export interface DecryptionSettings {
  /** Secrets in the agent's namespace whose entries are read as Flux names them (`*.agekey`, `*.asc`). */
  readonly secretNames: readonly string[];
  /** The key services that files may have asked for their data key. */
  readonly services: ServiceRules;
}

export interface SealingSettings {
  /** The agent makes a sealing key when it has none. */
  readonly enabled: boolean;
  /** Secrets besides those sotto made whose sealing key may seal. */
  readonly secretNames: readonly string[];
  /** SHA-256 fingerprint of the certificate that people may seal to, lower case hex; undefined: any. */
  readonly certificate: string | undefined;
  /** age recipients that a new key is encrypted to before it is used. */
  readonly recovery: readonly string[];
}

export interface RotationSettings {
  /** By whom receipts of rotations have to be signed; undefined: nobody says. */
  readonly receiptKey: ReceiptKeyName | undefined;
  /** Who besides the agent's key may open what the agent encrypts, as files name them. */
  readonly recipients: readonly string[];
}

export interface SyncSettings {
  /** DNS label, unique. */
  readonly name: string;
  readonly source: { readonly git: GitSettings; readonly ignore: readonly string[] };
  /** Inside the repository, without leading `./` and trailing `/`; the root is the empty string. */
  readonly path: string;
  /** Variables in the manifests; undefined: none is replaced. */
  readonly postBuild: PostBuildSettings | undefined;
  /** The sync's own keys when it names any, otherwise those of all syncs. */
  readonly decryption: DecryptionSettings;
  readonly sealedSecrets: 'auto' | 'unseal' | 'passthrough';
  /** Account beside the agent as which objects are written; undefined: as the agent. */
  readonly serviceAccountName: string | undefined;
  readonly adopt: 'equal' | 'ask' | 'always';
  /** Everything is judged again in memory this often. */
  readonly intervalMs: number;
  /** For one pass, readiness included. */
  readonly timeoutMs: number;
  readonly wait: boolean;
  readonly retryIntervalMs: number;
  readonly suspend: boolean;
  readonly prune: PruneSettings;
  /** Names of syncs that come first. Each exists, and nothing waits for itself. */
  readonly dependsOn: readonly string[];
  /** What happens with its objects when the sync leaves the settings. */
  readonly deletionPolicy: 'orphan' | 'delete';
  readonly skip: readonly ObjectMatch[];
  readonly drift: DriftSettings;
  readonly health: HealthRules;
  /** Objects other than Secrets in which a kustomization may put secrets, generated names without their hash. */
  readonly secretsIn: readonly { readonly group: string; readonly kind: string; readonly name: string }[];
}

export interface GitSettings {
  /** https, without credentials, query and fragment. */
  readonly url: string;
  readonly branch: string;
  readonly secretName: string | undefined;
  /** The head is asked for this often. */
  readonly intervalMs: number;
  /** True: a branch that was rewritten is refused instead of followed. */
  readonly requireFastForward: boolean;
}

/** As in a Kustomization of Flux. */
export interface PostBuildSettings {
  /** Counts before what ConfigMaps say. */
  readonly substitute: Readonly<Record<string, string>>;
  /** ConfigMaps of the target namespace, a later one before an earlier one. */
  readonly substituteFrom: readonly VariableSource[];
  /** Also while there is no variable at all: for defaults that stand in the manifests. */
  readonly always: boolean;
}

export interface VariableSource {
  readonly name: string;
  /** It may be missing. */
  readonly optional: boolean;
}

export interface PruneSettings {
  readonly enabled: boolean;
  /** A pass is held when it would prune at least `minimum` objects and more than this share, 0 to 100. */
  readonly maxSharePercent: number;
  readonly minimum: number;
  /** Kinds that are pruned only with approval, PersistentVolumeClaims besides. */
  readonly ask: readonly KindMatch[];
}

export interface DriftSettings {
  readonly policy: 'fields' | 'guard' | 'exact';
  readonly ignore: readonly DriftIgnore[];
}

/** Fields that are left to others: by their place, or by who writes them. */
export interface DriftIgnore {
  /** Which objects; undefined, also of a field of it: all. */
  readonly target: { readonly [field in 'group' | 'kind' | 'namespace' | 'name']: string | undefined } | undefined;
  /** JSON pointers; items of lists by their keys: `/spec/template/spec/containers[name=web]/image`. */
  readonly paths: readonly string[];
  readonly managers: readonly string[];
}

/** A kind, of one group (the core group is the empty string) or of every group (undefined). */
export interface KindMatch {
  readonly group: string | undefined;
  readonly kind: string;
}

/** Which objects an entry of `skip` means; what is undefined matches everything. */
export interface ObjectMatch extends KindMatch {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}
