import { type ClosedObject, isClosedObject, SecretRef, secretRefs } from '../core/closed.ts';
import { asSottoError, SottoError } from '../core/errors.ts';
import { displayObject, groupOf, type ObjectId, type ObjectKey, objectKey } from '../core/ids.ts';
import { stringAt } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import type { ClosedDocument } from '../open/document.ts';
import type { DesiredObject, DesiredSet, Skipped } from './desired.ts';
import { normalise } from './normalise.ts';
import { type PlaintextRule, plaintextWarning, secretTree } from './secret.ts';
import { refuseVetoed } from './veto.ts';
import type { VetoRules } from './veto-rules.ts';

/** What is undefined matches everything. */
export interface SkipRule {
  readonly group?: string | undefined;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

export interface RenderContext {
  readonly targetNamespace: string;
  readonly plaintextSecrets: PlaintextRule;
  /** Objects in the repository that settings name as not ours: kind, and name where given. */
  readonly skip: readonly SkipRule[];
  /** What Git may not touch by default, with what the settings allow. */
  readonly vetoes: VetoRules;
  /** Whether a kind is namespaced; undefined where the API server does not serve it. */
  isNamespaced(apiVersion: string, kind: string): boolean | undefined;
}

/** Plain manifests become the desired set: identity checked, namespace defaulted, one object per id. */
export function render(documents: readonly ClosedDocument[], context: RenderContext): DesiredSet {
  const objects = new Map<ObjectKey, DesiredObject>();
  const refusals: Refusal[] = [];
  const skipped: Skipped[] = [];
  const warnings: SottoError[] = [];
  for (const document of documents) {
    try {
      const id = identify(document, context.targetNamespace);
      const skip = skipReason(id, context);
      if (skip !== undefined) {
        skipped.push({ id, file: document.file, why: skip });
        continue;
      }
      try {
        const object = renderOne(document, id, context);
        const twin = objects.get(object.key);
        if (twin !== undefined) throw duplicate(twin);
        objects.set(object.key, object);
        const warning = plaintextWarning(document, object, context.plaintextSecrets);
        if (warning !== undefined) warnings.push(warning);
      } catch (thrown) {
        const error = asSottoError(thrown).at({ ...place(document), object: displayObject(id) });
        refusals.push({ error, file: document.file, id });
      }
    } catch (thrown) {
      refusals.push({ error: asSottoError(thrown).at(place(document)), file: document.file });
    }
  }
  for (const object of objects.values()) {
    const error = sealedTwin(object, objects);
    if (error === undefined) continue;
    objects.delete(object.key);
    refusals.push({ error, file: object.file, id: object.id });
  }
  return { objects: [...objects.values()], refusals, skipped, warnings };
}

/** A SealedSecret for its controller, and the Secret that the controller would make of it: never both. */
function sealedTwin(
  { id, file, line }: DesiredObject,
  objects: ReadonlyMap<ObjectKey, DesiredObject>,
): SottoError | undefined {
  if (id.group !== 'bitnami.com' || id.kind !== 'SealedSecret') return undefined;
  const twin = objects.get(objectKey({ ...id, group: '', kind: 'Secret' }));
  if (twin === undefined) return undefined;
  return new SottoError({
    code: 'SOTTO-SEAL-022',
    what: 'the SealedSecret is not passed through',
    why: `Secret ${id.name} stands in Git as well (${twin.file}:${twin.line}), and with both the one would undo the other`,
    next: 'remove one of the two from Git',
    object: displayObject(id),
    file,
    line,
  });
}

function place(document: ClosedDocument): { file: string; line: number } {
  return { file: document.file, line: document.line };
}

function identify(document: ClosedDocument, targetNamespace: string): ObjectId {
  const { tree } = document;
  const apiVersion = clearString(tree['apiVersion'], 'apiVersion', document);
  const kind = clearString(tree['kind'], 'kind', document);
  const metadata = tree['metadata'];
  if (!isClosedObject(metadata)) throw incomplete('metadata', document);
  if (metadata['generateName'] !== undefined) {
    throw new SottoError({
      code: 'SOTTO-RENDER-004',
      what: 'metadata.generateName is set',
      why: 'an object without a fixed name cannot be kept as Git wants it: every apply would make a new one',
      next: 'give the object a metadata.name',
      key: 'metadata.generateName',
      line: document.lineAt(['metadata', 'generateName']),
    });
  }
  const name = clearString(metadata['name'], 'metadata.name', document);
  if (!isPathSegment(name)) throw unusableName(name, document);
  // Nothing, null and the empty string all mean the default, as kubectl reads them.
  const namespace = clearString(metadata['namespace'] || targetNamespace, 'metadata.namespace', document);
  return { group: groupOf(apiVersion), kind, namespace, name };
}

/** As the API server asks of every name; a slash would make the name end in the middle for whoever takes ids apart. */
function isPathSegment(name: string): boolean {
  return name !== '.' && name !== '..' && !/[/%\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/u.test(name);
}

/** A SOPS file that encrypts identity is the usual beginner's fault: say which setting mends it. */
function clearString(value: unknown, key: string, document: ClosedDocument): string {
  if (typeof value === 'string' && value !== '') return value;
  if (!(value instanceof SecretRef)) throw incomplete(key, document);
  throw new SottoError({
    code: 'SOTTO-RENDER-005',
    what: `${key} is encrypted`,
    why: 'an object whose identity is encrypted cannot be planned, reported or pruned',
    next: "set encrypted_regex: '^(data|stringData)$' in .sops.yaml and encrypt the file again",
    key,
    line: document.lineAt(key.split('.')),
  });
}

function unusableName(name: string, document: ClosedDocument): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-046',
    what: 'metadata.name cannot be the name of an object',
    why: `${JSON.stringify(name)} is ., .., or holds a slash, a percent sign or an invisible character`,
    next: 'give the object another metadata.name',
    key: 'metadata.name',
    line: document.lineAt(['metadata', 'name']),
  });
}

function incomplete(key: string, document: ClosedDocument): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-003',
    what: `the document has no ${key}`,
    why: 'a manifest needs apiVersion, kind and metadata.name, each a string',
    next: `add ${key}, or name the file in .sourceignore if it is no manifest`,
    key,
    line: document.line,
  });
}

function skipReason(id: ObjectId, context: RenderContext): string | undefined {
  const named = context.skip.some(
    (rule) =>
      rule.kind === id.kind &&
      (rule.group ?? id.group) === id.group &&
      (rule.namespace ?? id.namespace) === id.namespace &&
      (rule.name ?? id.name) === id.name,
  );
  if (named) return 'named by skip in the settings';
  const isOwnNamespace = id.group === '' && id.kind === 'Namespace' && id.name === context.targetNamespace;
  return isOwnNamespace ? 'the namespace itself belongs to whoever handed it out' : undefined;
}

function renderOne(document: ClosedDocument, id: ObjectId, context: RenderContext): DesiredObject {
  const apiVersion = stringAt(document.tree, 'apiVersion') ?? '';
  const namespaced = context.isNamespaced(apiVersion, id.kind);
  if (namespaced === undefined) throw unknownKind(apiVersion, id.kind);
  if (!namespaced) throw clusterScoped(id.kind);
  if (id.namespace !== context.targetNamespace) throw foreignNamespace(id.namespace, context.targetNamespace);
  const normal = normalise(document.tree, id, isBuiltIn(id.group));
  const tree =
    id.group === '' && id.kind === 'Secret' ? secretTree(normal, document, context.plaintextSecrets) : normal;
  const applied = id.group === '' && id.kind === 'Secret' ? tree : withoutRefs(tree, document);
  refuseVetoed({ id, tree: applied }, context.vetoes, (path) => document.lineAt(path));
  return {
    id,
    key: objectKey(id),
    apiVersion,
    tree: applied,
    digest: document.digest,
    file: document.file,
    line: document.line,
    encrypted: document.encryption !== 'none',
  };
}

/** Groups of Kubernetes itself: there a null has no meaning and is dropped; in custom resources it may have one. */
export function isBuiltIn(group: string): boolean {
  return !group.includes('.') || group.endsWith('.k8s.io');
}

/** A reference outside a Secret would put its value where everybody who reads the object can read it. */
function withoutRefs(tree: ClosedObject, document: ClosedDocument): ClosedObject {
  // `text` is where settings allow it: only then is it made (tokens/rendered.ts).
  const found = secretRefs(tree).find(({ ref }) => ref.form !== 'text')?.path;
  if (found === undefined) return tree;
  throw new SottoError({
    code: 'SOTTO-RENDER-006',
    what: 'an encrypted value stands outside a Secret',
    why: `the value would be readable for everybody who may read a ${stringAt(tree, 'kind') ?? 'object'}`,
    next: 'move the value to a Secret and refer to it, or leave the file unencrypted if it is no secret',
    key: found.join('.'),
    line: document.lineAt(found),
  });
}

function duplicate(twin: DesiredObject): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-007',
    what: 'the object is in the repository twice',
    why: `it stands in ${twin.file}:${twin.line} as well, and only one can be what runs; the first one is used`,
    next: 'remove one of the two documents',
  });
}

function unknownKind(apiVersion: string, kind: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-008',
    what: `the API server does not know ${apiVersion} ${kind}`,
    why: 'the kind is misspelt, its version is not served here, or its CRD is not installed',
    next: `kubectl api-resources | grep -i ${kind.replace(/[^A-Za-z0-9]/g, '')}`,
    key: 'kind',
  });
}

function clusterScoped(kind: string): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-002',
    what: `${kind} is cluster-scoped`,
    why: 'sotto has the rights of one namespace and applies nothing outside it',
    next: `have the platform team install it, and add { kind: ${kind} } to skip in the settings of this sync`,
  });
}

function foreignNamespace(namespace: string, target: string): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-003',
    what: `the object belongs to namespace ${namespace}`,
    why: `this agent applies into ${target} only`,
    next: `remove metadata.namespace, set it to ${target}, or let the agent of ${namespace} apply it`,
    key: 'metadata.namespace',
  });
}
