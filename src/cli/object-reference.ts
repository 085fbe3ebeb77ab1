import { SottoError } from '../core/errors.ts';
import type { ResourceCatalog } from '../kube/discovery.ts';
import { type Resource, resourceText } from '../kube/resource.ts';
import { nearest } from '../settings/nearest.ts';

/** An object as a person types it: `deploy/web`, `deployments.apps/web`, `apps/Deployment/web`. */
export interface ObjectReference {
  /** As kubectl knows it: kind, plural or short name, with `.group` behind it where one was given. */
  readonly kind: string;
  readonly name: string;
}

/** One word with slashes, or kind and name as two. Throws SOTTO-CLI-081. */
export function readReference(words: readonly string[]): ObjectReference {
  const parts = words.length === 1 ? (words[0] ?? '').split('/') : words;
  if (parts.some((part) => part === '')) throw notAReference(words);
  const [first = '', second = '', third] = parts;
  if (parts.length === 2) return { kind: first, name: second };
  // `apps/Deployment/web` is how status, Events and errors write it.
  if (parts.length === 3 && words.length === 1 && third !== undefined)
    return { kind: `${second}.${first}`, name: third };
  throw notAReference(words);
}

/** The kinds that a reference may mean, most likely first. Throws SOTTO-CLI-081 when the server knows none. */
export function kindsOf(reference: ObjectReference, catalog: ResourceCatalog): readonly [Resource, ...Resource[]] {
  const [first, ...others] = catalog.named(reference.kind).filter(({ namespaced }) => namespaced);
  if (first !== undefined) return [first, ...others];
  const isClusterScoped = catalog.named(reference.kind).length > 0;
  const meant = nearest(reference.kind.toLowerCase(), catalog.words);
  throw new SottoError({
    code: 'SOTTO-CLI-081',
    what: `there is no kind ${reference.kind} in a namespace of this cluster`,
    why: isClusterScoped ? 'its objects are in no namespace, and sotto applies none of them' : whyUnknown(catalog),
    next: meant === undefined || isClusterScoped ? 'kubectl api-resources --namespaced' : `did you mean ${meant}?`,
  });
}

function whyUnknown({ unknownGroups }: ResourceCatalog): string {
  if (unknownGroups.length === 0) return 'the API server serves nothing of that name';
  return `the API server serves nothing of that name, but these groups did not answer: ${unknownGroups.join(', ')}`;
}

function notAReference(words: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-081',
    what: `"${words.join(' ')}" is not the name of an object`,
    why: 'an object is written KIND/NAME, GROUP/KIND/NAME or KIND NAME',
    next: 'for example deploy/web, apps/Deployment/web or secret db',
  });
}

/** `deployments.apps/web`: what kubectl takes. */
export function kubectlName(resource: Resource, name: string): string {
  return `${resourceText(resource)}/${name}`;
}
