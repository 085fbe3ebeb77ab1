/** Every cap on what comes from outside, in one place; each has a test (docs/threat-model.md). */
export const LIMITS = {
  /** One file of the repository. */
  maxFileBytes: 5 * 1024 * 1024,
  /** One file that a person names on the command line, and its nodes. */
  maxLocalFileBytes: 64 * 1024 * 1024,
  maxLocalNodesPerDocument: 2_000_000,
  /** All files of one path together. */
  maxSnapshotBytes: 64 * 1024 * 1024,
  maxSnapshotFiles: 10_000,
  /** Entries of a path in Git, manifests or not: a few kilobytes of trees can name billions of files. */
  maxTreeEntries: 100_000,
  /** One download from a Git server, as it stands on the volume. */
  maxFetchBytes: 256 * 1024 * 1024,
  /** The same for a rotation by the agent, beside what the syncs have there; and what the agent writes in one commit. */
  maxRotationFetchBytes: 64 * 1024 * 1024,
  /** Each path counted, because one file may stand at many: what is encrypted, and every .sops.yaml. */
  maxRotatedFiles: 10_000,
  maxRotatedBytes: 16 * 1024 * 1024,
  /** Steps of all patterns of all .sops.yaml together, while the agent looks for the rule of each file. */
  maxRuleWork: 100_000_000,
  maxIgnoreBytes: 64 * 1024,
  maxIgnorePatterns: 500,
  /** YAML and JSON nesting. */
  maxDepth: 100,
  maxDocumentsPerFile: 10_000,
  /** Nodes of one document after aliases are expanded: the alias bomb's cap. */
  maxNodesPerDocument: 200_000,
  maxAliasesPerDocument: 1_000,
  /** Of a whole file: what its aliases stand for, each counted where it stands. Nodes: maxNodesPerDocument. */
  maxAliasedCharacters: 5 * 1024 * 1024,
  /** What kustomize would have to hold and do: nodes of all files with aliases expanded, a base counted as often as it is built. */
  maxRenderNodes: 1_000_000,
  maxKustomizationBuilds: 2_000,
  maxKustomizationDepth: 50,
  /** kustomize reads env files with a buffer of 64 KiB, line break included. */
  maxEnvLineBytes: 64 * 1024 - 1,
  /** Of one run of a renderer. */
  maxRenderedBytes: 64 * 1024 * 1024,
  maxRenderMemoryBytes: 1024 * 1024 * 1024,
  maxRenderMs: 60_000,
  /** Characters written and patterns compared while the variables of one sync are replaced. */
  maxSubstitutionSteps: 64 * 1024 * 1024,
  /** etcd refuses requests over 1.5 MiB; an object above that can never be applied. */
  maxObjectBytes: 1_500_000,
  /** All values of one Secret together, as the API server checks them. */
  maxSecretDataBytes: 1024 * 1024,
  /** The inventory ConfigMap and the status document. */
  maxInventoryBytes: 1_000_000,
  /** One ConfigMap of what was applied last, how many a sync may have, and what one unpacks to. */
  maxLastPartBytes: 1_000_000,
  maxLastParts: 32,
  maxLastTextBytes: 64 * 1024 * 1024,
  /** What keys in wrong hands could open: keys, values of all of them, and the ConfigMap that holds it. */
  maxExposures: 20,
  maxExposedValues: 5_000,
  maxExposureBytes: 1_000_000,
  maxStatusBytes: 256 * 1024,
  maxAttention: 200,
  maxCorrections: 100,
  maxHandled: 50,
  /** Changes of people that were undone and can be kept: how many, one of them, all of them. */
  maxUndoneEdits: 50,
  maxUndoneEditBytes: 32 * 1024,
  maxUndoneBytes: 256 * 1024,
  /** Requests looked at in one go; one request; how far away the end of a pause may be; pauses at a time. */
  maxRequests: 64,
  maxRequestBytes: 4 * 1024,
  maxPauseMs: 90 * 24 * 3_600_000,
  maxPauses: 500,
  /** Keys that one rule of .sops.yaml names, in all its groups, and characters of the name of one. */
  maxRuleKeys: 1_000,
  maxKeyNameLength: 16 * 1024,
  /** Stanzas in the age file of one data key, where sops writes one, and of a backup: each costs a key exchange. */
  maxDataKeyStanzas: 20,
  maxAgeStanzas: 1_000,
  /** As maxRuleWork, of one .sops.yaml that a command reads. */
  maxLocalRuleWork: 250_000_000,
  /** How long the old key of a rotation may be asked to open older commits. */
  maxKeepOldMs: 10 * 365 * 24 * 3_600_000,
  /** UTF-16 units of what a request says of itself: pauses keep it in the inventory, which must not be filled by it. */
  maxRequestBy: 100,
  maxRequestReason: 300,
  maxPlanIdLength: 64,
  /** One event line of a watch stream. */
  maxWatchLineBytes: 8 * 1024 * 1024,
  /** One object as the API server answers it, managedFields included; and a page of a list or discovery. */
  maxAnswerBytes: 8 * 1024 * 1024,
  maxListAnswerBytes: 64 * 1024 * 1024,
  maxErrorBodyBytes: 64 * 1024,
  maxSettingsBytes: 256 * 1024,
  /** The receipt of a rotation: half a kilobyte for each file. */
  maxReceiptBytes: 8 * 1024 * 1024,
  /** The journal of a rotation in a checkout, with the name of each workload. */
  maxJournalBytes: 8 * 1024 * 1024,
} as const;
