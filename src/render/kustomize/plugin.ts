import { type Json, type JsonObject, stringAt } from '../../core/json.ts';
import { PLUGIN_KINDS, PLUGIN_READS } from './fields.ts';
import { asMap, mapAt, placeAt, type PluginField, type Reading, refuseMisspelt, textAt } from './findings.ts';
import { readGenerator, readMergePatches, readPatch } from './kustomization.ts';
import { foreignPlugin, startsHelm } from './refusals.ts';
import { readReplacements } from './replacements.ts';

/** With either annotation kustomize starts a program or a container, were it allowed to. */
const FUNCTION_ANNOTATIONS = ['config.kubernetes.io/function', 'config.k8s.io/function'];

/** One document under generators, transformers or validators: only what kustomize has built in. */
export function readPlugin(value: Json, field: PluginField, reading: Reading): void {
  const map = asMap(reading, value, []);
  if (map === undefined || !isBuiltin(map, field, reading)) return;
  refuseMisspelt(reading, map, [], PLUGIN_READS);
  switch (stringAt(map, 'kind') ?? '') {
    case 'ConfigMapGenerator':
      return readGenerator(reading, map, [], false);
    case 'SecretGenerator':
      return readGenerator(reading, map, [], true);
    case 'PatchTransformer':
      return readPatch(reading, map, [], 'patch');
    case 'PatchJson6902Transformer':
      return readPatch(reading, map, [], 'jsonOp');
    case 'PatchStrategicMergeTransformer':
      readMergePatches(reading, map, ['paths']);
      return readPatches(reading, map);
    case 'ReplacementTransformer':
      return readReplacements(reading, map, ['replacements']);
    case 'ValueAddTransformer':
      return readTargetFile(reading, map);
    default:
      // The other kinds read nothing.
      return;
  }
}

function isBuiltin(map: JsonObject, field: PluginField, reading: Reading): boolean {
  const { refusals } = reading.findings;
  const kind = stringAt(map, 'kind') ?? '';
  if (kind === 'HelmChartInflationGenerator') {
    refusals.push(startsHelm(placeAt(reading, ['kind'])));
    return false;
  }
  const annotations = mapAt(reading, mapAt(reading, map, ['metadata']) ?? {}, ['metadata', 'annotations']) ?? {};
  const isFunction = FUNCTION_ANNOTATIONS.some((name) => Object.hasOwn(annotations, name));
  const kinds = PLUGIN_KINDS[field === 'generators' ? 'generators' : 'transformers'];
  if (map['apiVersion'] === 'builtin' && kinds.has(kind) && !isFunction) return true;
  refusals.push(foreignPlugin(placeAt(reading, map['apiVersion'] === 'builtin' ? ['kind'] : ['apiVersion']), kinds));
  return false;
}

/** Merge patches as one text. */
function readPatches(reading: Reading, map: JsonObject): void {
  const text = textAt(reading, map, ['patches']);
  if (text !== undefined) reading.findings.inline.push({ ...placeAt(reading, ['patches']), what: 'patch', text });
}

function readTargetFile(reading: Reading, map: JsonObject): void {
  const text = textAt(reading, map, ['targetFilePath']);
  if (text === undefined) return;
  const place = placeAt(reading, ['targetFilePath']);
  reading.findings.references.push({ ...place, text, as: { kind: 'file', role: 'config' } });
}
