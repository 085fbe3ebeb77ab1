import { editManifest, parseManifests } from '../../authoring/edit-manifest.ts';
import type { ManifestEdit } from '../../authoring/edit.ts';
import { findObject, type ManifestPlace } from '../../authoring/find-object.ts';
import { keepEdits } from '../../authoring/keep-fields.ts';
import { SottoError } from '../../core/errors.ts';
import { displayObject, type ObjectId } from '../../core/ids.ts';
import type { Json } from '../../core/json.ts';
import type { HandField } from '../../drift/undone-fields.ts';
import { looksEncrypted } from '../../sops/file.ts';
import type { RepositoryFile } from './repository-file.ts';
import { unmapped } from './unmapped.ts';

/** A manifest in a file of the repository, and the text around it. */
export interface FoundManifest extends ManifestPlace {
  readonly text: string;
}

export interface ManifestSearch {
  /** Whether the namespace is set by something besides the file. */
  readonly isRendered: boolean;
}

/** The one manifest of an object in its file. Throws SOTTO-CLI-201. */
export function manifestOf(
  { path, bytes }: RepositoryFile,
  id: ObjectId,
  { isRendered }: ManifestSearch,
): FoundManifest {
  const object = displayObject(id);
  const text = utf8(bytes, object, path);
  if (looksEncrypted(text)) throw unmapped(object, 'the file is encrypted, and the object is no Secret', path);
  const documents = parseManifests(text, path).map(({ value }) => value);
  return { ...onlyOne(documents, id, isRendered, path), text };
}

export function onlyOne(documents: readonly Json[], id: ObjectId, isRendered: boolean, path: string): ManifestPlace {
  const { group, kind, name, namespace } = id;
  const [first, ...others] = findObject(documents, {
    group,
    kind,
    name,
    namespace: isRendered ? undefined : namespace,
  });
  if (first !== undefined && others.length === 0) return first;
  const why =
    first === undefined
      ? 'the file has no manifest of it: it is generated or rendered'
      : 'several manifests in the file are of it';
  throw unmapped(displayObject(id), why, path);
}

/** The file with the fields in it. `undefined`: it says so already. Throws SOTTO-CLI-199 and -201. */
export function withFields(
  file: RepositoryFile,
  found: FoundManifest,
  fields: readonly HandField[],
  { id, hasVariables }: { readonly id: ObjectId; readonly hasVariables: boolean },
): string | undefined {
  const object = displayObject(id);
  const mapped = keepEdits(found.manifest, fields, { hasVariables });
  if (mapped.kind === 'unmapped') throw unmapped(object, `${mapped.path}: ${mapped.why}`, file.path);
  if (mapped.edits.length === 0) return undefined;
  const edits = mapped.edits.map((edit): ManifestEdit => ({ ...edit, path: [...found.within, ...edit.path] }));
  return editManifest(found.text, file.path, found.document, edits);
}

export function utf8(bytes: Uint8Array, object: string, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw unmapped(object, 'the file is not UTF-8 text', path);
  }
}

/** Whether a patch by hand helps. */
export function isUnmapped(thrown: unknown): thrown is SottoError {
  return thrown instanceof SottoError && ['SOTTO-CLI-197', 'SOTTO-CLI-199', 'SOTTO-CLI-201'].includes(thrown.code);
}
