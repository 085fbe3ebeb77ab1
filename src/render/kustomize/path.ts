/**
 * How a text in a kustomization becomes a path. kustomize takes a text for a URL or a Git address before it takes it
 * for a path, so whatever could be one is refused by its form, whether or not a file of that name exists.
 */
export type CleanPath =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'remote' }
  | { readonly kind: 'outside'; readonly why: string }
  | { readonly kind: 'odd'; readonly why: string };

/** `user@…` and `github.com/…` need no scheme to be cloned; every other address has a colon. */
const REMOTE = /^(?:[a-z][a-z0-9-]*@|github\.com\/)|:\/\/|^[a-z][a-z0-9+.-]*:|^git::/i;

/** No system has longer ones, and programs are not started with them. */
const MAX_PATH_BYTES = 4096;

/** A path relative to `folder` as kustomize cleans it: by its letters, so that `absent/../file` is `file`. */
export function cleanPath(folder: string, text: string): CleanPath {
  if (text === '') return { kind: 'odd', why: 'it is empty' };
  if (REMOTE.test(text.trimStart())) return { kind: 'remote' };
  // A colon further on could part a host from a path, in a form that this version does not know.
  if (text.includes(':')) return { kind: 'odd', why: 'it holds a colon, as addresses do' };
  if (hasControl(text)) return { kind: 'odd', why: 'it holds a control character' };
  if (text.startsWith('/')) return { kind: 'outside', why: 'it is absolute' };
  const parts = folder === '' ? [] : folder.split('/');
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return { kind: 'outside', why: 'it leads out of the repository' };
  }
  const path = parts.join('/');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return { kind: 'odd', why: 'it is longer than any path' };
  return { kind: 'path', path };
}

function hasControl(text: string): boolean {
  return Array.from(text).some((char) => char < ' ' || char === '\u007f');
}

/** True for the folder itself and everything in it. */
export function isBelow(path: string, folder: string): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}

export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** A segment such as `base - ..`: two lines of a list that YAML has read as one. kustomize refuses it for folders. */
export function isAmbiguous(text: string): boolean {
  return text.split('/').some((part) => part !== '..' && part.includes('..'));
}
