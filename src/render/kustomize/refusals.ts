import { type ErrorPlace, SottoError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { fileWord } from '../../core/shell-word.ts';
import type { Place } from './scan-result.ts';

/** What a kustomization may not do, each with its code. Texts of the repository are named by their place only. */

export function remoteSource(place: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-020',
    what: 'a kustomization names something outside of the repository',
    why: 'the text is an address to kustomize (a scheme, user@host, host:path or github.com/), and nothing is fetched while rendering',
    next: 'commit a copy into the repository and name it by its path; a local name that looks like an address: put ./ before it',
    ...place,
  });
}

export function outside(place: Place, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-021',
    what: 'a path leads out of where kustomize may read',
    why,
    next: 'move the file below the folder of this kustomization, or make its folder a base or component and name that',
    ...place,
  });
}

export function notThere(place: Place, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-022',
    what: 'a kustomization names something that is not there',
    why,
    next: 'correct the path (it counts from the folder of the kustomization), or commit the file',
    ...place,
  });
}

export function irregular(place: Place, path: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-023',
    what: 'a path is not a regular file or folder',
    why: `${path} is a link or a submodule, which may point anywhere`,
    next: 'commit the file or folder itself in its place',
    ...place,
  });
}

export function foreignPlugin(place: Place, kinds: ReadonlySet<string>): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-024',
    what: 'a plugin is not used',
    why: 'generators, transformers and validators run only what kustomize has built in: no programs, containers or Go plugins',
    next: `use apiVersion: builtin and one of ${[...kinds].toSorted().join(', ')}, without a function annotation; or commit what the plugin makes`,
    ...place,
  });
}

export function pluginFolder(place: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-024',
    what: 'a folder of plugins is not used',
    why: 'kustomize would build the folder first, so what the plugins read is known only while it runs',
    next: 'name the files of the folder one by one',
    ...place,
  });
}

export function startsHelm(place: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-025',
    what: 'a kustomization inflates a Helm chart',
    why: 'kustomize would start helm, which fetches charts and runs their templates',
    next: 'commit the output of `helm template` as a resource',
    ...place,
  });
}

export function unknownField(place: Place, fields: ReadonlySet<string>): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-026',
    what: 'a field is not known',
    why: `it is none of ${[...fields].toSorted().join(', ')} as kustomize 5.8 has them; upper and lower case count here`,
    next: 'correct the spelling or remove the field',
    ...place,
  });
}

export function noKustomization(place: Place | undefined, folder: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-027',
    what: 'a folder has no kustomization',
    why: `there is no kustomization.yaml, kustomization.yml or Kustomization in ${folder === '' ? 'the root of the repository' : folder}`,
    next: 'add one, or name the files of the folder one by one',
    file: folder === '' ? undefined : folder,
    ...place,
  });
}

export function manyKustomizations(files: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-027',
    what: 'a folder has more than one kustomization',
    why: `${files.join(' and ')} are there, and kustomize takes none of them then`,
    next: 'keep one of them',
    file: files[0],
  });
}

/** `resources.0 in deploy/kustomization.yaml:3`. */
function nameOf({ file, line, key = 'the folder' }: Place): string {
  return `${key} in ${line === undefined ? file : `${file}:${line}`}`;
}

export function twoRoles(path: string, places: readonly Place[]): SottoError {
  const where = places.map(nameOf);
  return new SottoError({
    code: 'SOTTO-RENDER-028',
    what: `${path} is used in two roles`,
    why: `${where.join(' and ')} read it in different ways, and what it holds is closed in one way only`,
    next: 'make a copy of the file for one of them',
    ...places.at(-1),
  });
}

export function encryptedConfiguration(file: string, what: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-029',
    what: `${what} is encrypted`,
    why: 'what is to be built must be readable without a key, or nobody could tell what kustomize will read',
    next: `run \`sotto decrypt -i ${fileWord(file)}\`, and put its secrets into files of their own`,
    file,
  });
}

export function splitsSecret(place: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-030',
    what: 'a replacement splits a value that may be a secret',
    why: 'kustomize works on a stand-in for the secret, which has no delimiter: the pieces would be wrong',
    next: 'keep the piece as a value of its own, or say in kind of the source or target that it is no Secret',
    file: place.file,
    line: place.line,
    key: place.key,
  });
}

export function longEnvLine(file: string, line: number, place: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-031',
    what: 'a line of an env file is too long',
    why: `kustomize drops a line of more than ${LIMITS.maxEnvLineBytes} bytes and every line after it, without a word (named by ${nameOf(place)})`,
    next: 'move the value into a file of its own and name it under files',
    file,
    line,
  });
}

export function testsSecret(place: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-032',
    what: 'a JSON patch tests a value of a Secret',
    why: 'kustomize works on a stand-in for the secret, so the test would always fail',
    next: 'remove the test operation, or set target.kind if the patch is for no Secret',
    ...place,
  });
}

export function wrongEncryption(file: string, why: string, next: string, place: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-033',
    what: 'an encrypted file cannot be used in this place',
    why: `${why} (named by ${nameOf(place)})`,
    next,
    file,
  });
}

export function cycle(place: Place, folders: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-034',
    what: 'kustomizations go round in a circle',
    why: `the folder holds, or is, one that is being built already: ${folders.map((each) => each || '.').join(' → ')}`,
    next: 'remove one of the references',
    ...place,
  });
}

export function tooMuch(place: Pick<ErrorPlace, 'file' | 'line' | 'key'>, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-035',
    what: 'the kustomization is too large to be rendered',
    why,
    next: 'split it into several syncs',
    ...place,
  });
}

export function malformed(place: Place, wanted: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-036',
    what: 'a field has the wrong form',
    why: `${wanted} is expected here`,
    next: 'correct the field as the documentation of kustomize has it',
    ...place,
  });
}

export function treeNotWritten(file: string | undefined, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-039',
    what: 'the files for kustomize cannot be written',
    why,
    next: 'look at space and rights of the folder for temporary files (a memory volume in a Pod)',
    file,
  });
}
