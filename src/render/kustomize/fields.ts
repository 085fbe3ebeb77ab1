type Names = ReadonlySet<string>;

function names(...lines: readonly string[]): Names {
  return new Set(lines.flatMap((line) => line.split(' ')));
}

/** What a kustomization may hold. */
export const KUSTOMIZATION_FIELDS = names(
  'apiVersion kind metadata resources bases components crds configurations openapi generators transformers validators',
  'configMapGenerator secretGenerator generatorOptions patches patchesStrategicMerge patchesJson6902 replacements vars',
  'images imageTags replicas namePrefix nameSuffix namespace commonLabels labels commonAnnotations sortOptions',
  'buildMetadata',
);

/** Fields that have kustomize start helm, which downloads charts. */
export const HELM_FIELDS = names('helmCharts helmGlobals helmChartInflationGenerator');

export const GENERATOR_FIELDS = names('name namespace behavior literals files envs env options type');
export const PATCH_FIELDS = names('path patch target options');
export const REPLACEMENT_FIELDS = names('path source targets sourceValue');
export const SOURCE_FIELDS = names('group version kind name namespace fieldPath options');
export const TARGET_FIELDS = names('select reject fieldPaths options');
export const OPTION_FIELDS = names('delimiter index encoding create');
export const OPENAPI_FIELDS = names('path version');

/** The builtin plugins, with the field under which each may stand. HelmChartInflationGenerator is not one of them. */
export const PLUGIN_KINDS: Readonly<Record<'generators' | 'transformers', Names>> = {
  generators: names('ConfigMapGenerator SecretGenerator IAMPolicyGenerator'),
  transformers: names(
    'AnnotationsTransformer HashTransformer ImageTagTransformer LabelTransformer NamespaceTransformer',
    'PatchJson6902Transformer PatchStrategicMergeTransformer PatchTransformer PrefixSuffixTransformer',
    'PrefixTransformer SuffixTransformer ReplacementTransformer ReplicaCountTransformer ValueAddTransformer',
  ),
};

/** Fields of plugins that make kustomize read a file, or hold a document. */
export const PLUGIN_READS = names(
  'apiVersion kind metadata literals files envs env path patch jsonOp paths patches replacements targetFilePath target',
);

/** Go's JSON reader takes `Path` for `path` and `\u017fource` for `source`; only the exact spelling may pass. */
export function foldedName(name: string): string {
  return name.toUpperCase().toLowerCase();
}
