import { SottoError } from '../../core/errors.ts';
import { isJsonObject, type Json, memberAt } from '../../core/json.ts';
import type { PostBuildSettings } from '../../settings/settings.ts';
import { VARIABLE_NAME } from '../../settings/variable-name.ts';
import type { Variables } from './expand.ts';

/** A ConfigMap of the namespace as it is now; undefined: there is none. */
export type ConfigMapNamed = (name: string) => Json | undefined;

/**
 * The variables of a sync: a later ConfigMap replaces what an earlier one says, and `substitute` all of them. Line
 * breaks are left out, as Flux does. Throws SottoError when a ConfigMap is missing or has a key that is no name.
 */
export function collectVariables(postBuild: PostBuildSettings, configMap: ConfigMapNamed): Variables {
  const variables = new Map<string, string>();
  const add = (entries: readonly (readonly [string, unknown])[]): void => {
    for (const [name, value] of entries) if (typeof value === 'string') variables.set(name, value.replaceAll('\n', ''));
  };
  for (const { name, optional } of postBuild.substituteFrom) {
    const object = configMap(name);
    if (object === undefined && !optional) throw missing(name);
    const data = memberAt(object, 'data');
    const entries = isJsonObject(data) ? Object.entries(data) : [];
    const stray = entries.find(([key]) => !VARIABLE_NAME.test(key));
    if (stray !== undefined) throw badName(name, stray[0]);
    add(entries);
  }
  add(Object.entries(postBuild.substitute));
  return variables;
}

/** Nothing is replaced while there is no variable, unless the settings say `Always`: defaults count only then. */
export function isSubstituting(postBuild: PostBuildSettings, variables: Variables): boolean {
  return postBuild.always || variables.size > 0;
}

function missing(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-071',
    what: `ConfigMap ${name} with variables does not exist`,
    why: 'substituteFrom names it, and without it no object of the sync is certain; what runs stays as it is',
    next: `kubectl create configmap ${name} --from-literal=NAME=VALUE, or set optional: true in substituteFrom`,
    object: `ConfigMap/${name}`,
  });
}

function badName(name: string, key: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-072',
    what: 'a key of a ConfigMap with variables is not the name of one',
    why: 'a name has letters, digits and _, and does not begin with a digit',
    next: 'rename the key, or keep it in another ConfigMap',
    key: `data.${key}`,
    object: `ConfigMap/${name}`,
  });
}
