import type { SottoError } from '../../core/errors.ts';
import type { Containment } from './containment.ts';
import type { BuildFile } from './tree.ts';

export type Rendered =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly error: SottoError };

/** Runs kustomize somewhere: in a child process, or behind a socket. It gets closed files and gives closed objects. */
export interface Renderer {
  /** `root` is the folder of the kustomization, relative to the tree. Throws only for defects. */
  build(files: readonly BuildFile[], root: string): Promise<Rendered>;
}

/** What a renderer says of itself. For people: nothing is decided by it. */
export interface RendererDescription {
  /** Undefined: the program does not run, or says something else. */
  readonly kustomize: string | undefined;
  readonly network: Containment['network'];
  readonly resources: Containment['resources'];
}

/** The version whose fields and behaviour the scan knows; another one is reported to people. */
export const KUSTOMIZE_VERSION = '5.8.2';
