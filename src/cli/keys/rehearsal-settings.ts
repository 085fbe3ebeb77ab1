import { dirname, relative, sep } from 'node:path';
import { SottoError } from '../../core/errors.ts';
import { stringAt } from '../../core/json.ts';
import { SETTINGS_KEY, SETTINGS_NAME } from '../../core/labels.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Checkout } from '../../git/checkout.ts';
import type { CommitId } from '../../git/output.ts';
import { listCommit, pathsHolding, readFiles } from '../../git/read-commit.ts';
import { readManifests } from '../../yaml/manifest.ts';

/** Settings as a commit has them: a file of their own, or a ConfigMap manifest. */
export interface CommittedSettings {
  readonly path: string;
  /** As messages call them. */
  readonly name: string;
  readonly text: string;
}

const API_VERSION = 'sotto.dev/v1alpha1';

/**
 * The settings that the repository has for an agent in a namespace: the sotto.yaml nearest upwards from where the person
 * is, else the only ones there are. Undefined where there are none. Throws SOTTO-KEYS-082 where there are several.
 */
export async function committedSettings(
  checkout: Checkout,
  commit: CommitId,
  place: { readonly cwd: string; readonly namespace: string | undefined },
): Promise<CommittedSettings | undefined> {
  const paths = await pathsHolding(checkout, commit, [API_VERSION]);
  const files = (await listCommit(checkout, commit)).filter(
    ({ path, sizeBytes }) => paths.has(path) && /\.(?:ya?ml|json)$/.test(path) && sizeBytes <= LIMITS.maxLocalFileBytes,
  );
  const contents = await readFiles(checkout, files);
  const found = [...contents].flatMap(([path, bytes]) => settingsIn(path, bytes, place.namespace));
  const [first, another] = found;
  if (another === undefined) return first;
  const nearest = upwards(relative(checkout.root, place.cwd)).map((path) => found.find((each) => each.path === path));
  const chosen = nearest.find((each) => each !== undefined);
  if (chosen !== undefined) return chosen;
  throw several(found.map(({ path }) => path));
}

function settingsIn(path: string, bytes: Uint8Array, namespace: string | undefined): CommittedSettings[] {
  let text: string;
  let values: readonly unknown[];
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    values = readManifests(text, path).map(({ value }) => value);
  } catch {
    // A test file, or a template: not what an agent runs by.
    return [];
  }
  return values.flatMap((value) => {
    const isOwnFile = values.length === 1 && stringAt(value, 'apiVersion') === API_VERSION;
    if (isOwnFile && stringAt(value, 'kind') === 'Config') return [{ path, name: path, text }];
    const isMap = stringAt(value, 'kind') === 'ConfigMap' && stringAt(value, 'metadata', 'name') === SETTINGS_NAME;
    const inside = isMap ? stringAt(value, 'data', SETTINGS_KEY) : undefined;
    const of = stringAt(value, 'metadata', 'namespace') ?? namespace;
    return inside === undefined || (namespace !== undefined && of !== namespace)
      ? []
      : [{ path, name: `${path} ConfigMap/${SETTINGS_NAME}`, text: inside }];
  });
}

/** `a/b/sotto.yaml`, `a/sotto.yaml`, `sotto.yaml`. */
function upwards(folder: string): string[] {
  const here = folder === '' || folder === '.' ? '' : folder.split(sep).join('/');
  const path = here === '' ? 'sotto.yaml' : `${here}/sotto.yaml`;
  return here === '' ? [path] : [path, ...upwards(dirname(here) === '.' ? '' : dirname(here))];
}

function several(paths: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-082',
    what: 'nothing was rehearsed, because it is not certain which settings count',
    why: `the commit has several: ${paths.slice(0, 5).join(', ')}`,
    next: `sotto keys rehearse --key-file recovery.txt --config ${paths[0] ?? 'FILE'}`,
  });
}
