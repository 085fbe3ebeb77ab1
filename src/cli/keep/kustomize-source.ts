import { posix } from 'node:path';
import { parseManifests } from '../../authoring/edit-manifest.ts';
import { SottoError } from '../../core/errors.ts';
import { arrayAt, isJsonObject } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import type { FileTree } from '../working-tree.ts';

const NAMES = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];
/** Fields under which a resource comes out as it stands in its file, but for its namespace and names of generated objects. */
const LETS_BE: ReadonlySet<string> = new Set(
  'apiVersion kind metadata resources namespace configMapGenerator secretGenerator generatorOptions buildMetadata'.split(
    ' ',
  ),
);

/**
 * Why what a path renders need not be what stands in a file of it; undefined where it is: plain files, or
 * kustomizations that only list them.
 */
export async function whyRendered(tree: FileTree, path: string, file: string): Promise<string | undefined> {
  const first = await kustomizationIn(tree, path);
  if (first === undefined) return undefined;
  const waiting = [first];
  const seen = new Set<string>();
  const listed: string[] = [];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    if (seen.size > LIMITS.maxKustomizationBuilds) return 'there are too many kustomizations';
    const fields = await fieldsOf(tree, at);
    if (fields === undefined) return `${at} cannot be read`;
    const field = Object.keys(fields).find((key) => !LETS_BE.has(key));
    if (field !== undefined) return `${at} has ${field}, which may change what the file says`;
    for (const resource of arrayAt(fields, 'resources')) {
      const target = posix.normalize(posix.join(posix.dirname(at), typeof resource === 'string' ? resource : ''));
      const below = target.startsWith('..') ? undefined : await kustomizationIn(tree, target);
      if (below === undefined) listed.push(target);
      else waiting.push(below);
    }
  }
  const count = listed.filter((each) => each === file).length;
  if (count === 1) return undefined;
  return count === 0 ? `${first} does not list ${file} among its resources` : `${file} is listed more than once`;
}

/** The kustomization of a folder; undefined: its files are applied as they are. */
export async function kustomizationIn(tree: FileTree, folder: string): Promise<string | undefined> {
  for (const name of NAMES) {
    const path = folder === '' || folder === '.' ? name : `${folder}/${name}`;
    if ((await tree.entryAt(path))?.kind === 'file') return path;
  }
  return undefined;
}

async function fieldsOf(tree: FileTree, path: string) {
  const bytes = await tree.read(path, LIMITS.maxFileBytes);
  if (!(bytes instanceof Uint8Array)) return undefined;
  try {
    const [only, ...others] = parseManifests(Buffer.from(bytes).toString('utf8'), path);
    return others.length === 0 && isJsonObject(only?.value) ? only.value : undefined;
  } catch (thrown) {
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
}
