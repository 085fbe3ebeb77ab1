import type { SottoError } from '../../core/errors.ts';
import type { BuildFile } from './tree.ts';

export type Rendered =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly error: SottoError };

/** Runs kustomize somewhere: in a child process, or behind a socket. It gets closed files and gives closed objects. */
export interface Renderer {
  /** `root` is the folder of the kustomization, relative to the tree. Throws only for defects. */
  build(files: readonly BuildFile[], root: string): Promise<Rendered>;
}
