import { dump } from 'js-yaml';
import type { JsonObject } from '../core/json.ts';

/**
 * A SealedSecret as text, as kubeseal writes it: JSON pretty-printed, YAML after `---`, keys sorted. Every value is
 * ciphertext on one line; texts that YAML 1.1 would read as something else are quoted.
 */
export function writeSealedSecret(manifest: JsonObject, format: 'json' | 'yaml'): string {
  if (format === 'json') return `${JSON.stringify(manifest, undefined, 2)}\n`;
  return `---\n${dump(manifest, { sortKeys: true, lineWidth: -1, noRefs: true })}`;
}
