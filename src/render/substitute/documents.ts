import type { ClosedObject } from '../../core/closed.ts';
import { displayObject, groupOf, type ObjectId, type SourceDigest } from '../../core/ids.ts';
import { stringAt } from '../../core/json.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { ClosedDocument } from '../../open/document.ts';
import type { Variables } from './expand.ts';
import { type RefusedSubstitution, substitute } from './substitute.ts';

export interface SubstitutedDocuments {
  readonly documents: readonly ClosedDocument[];
  readonly refusals: readonly Refusal[];
  /** The digests that documents had before, by those they have now. */
  readonly before: ReadonlyMap<SourceDigest, SourceDigest>;
}

/** The documents of a sync with their variables replaced; what is refused is told with file, line and key. */
export function substituteDocuments(
  documents: readonly ClosedDocument[],
  variables: Variables,
  targetNamespace: string,
): SubstitutedDocuments {
  const { objects, refused, before } = substitute(documents, variables);
  return { documents: objects, refusals: refused.map((each) => refusalOf(each, targetNamespace)), before };
}

function refusalOf(refused: RefusedSubstitution<ClosedDocument>, targetNamespace: string): Refusal {
  const { object, tree, error, path } = refused;
  // An object whose name could not be told: its file protects what it may have been.
  const isNameless = path[0] === 'metadata' && ['name', 'namespace'].includes(path[1] ?? '');
  const id = isNameless ? undefined : idOf(tree, targetNamespace);
  const { file } = object;
  const line = object.lineAt(path) ?? object.line;
  return { error: error.at({ file, line, key: path.join('.'), object: id && displayObject(id) }), file, id };
}

function idOf(tree: ClosedObject, targetNamespace: string): ObjectId | undefined {
  const [apiVersion, kind, name] = [
    stringAt(tree, 'apiVersion'),
    stringAt(tree, 'kind'),
    stringAt(tree, 'metadata', 'name'),
  ];
  if (apiVersion === undefined || kind === undefined || name === undefined) return undefined;
  const namespace = stringAt(tree, 'metadata', 'namespace') || targetNamespace;
  return { group: groupOf(apiVersion), kind, namespace, name };
}
