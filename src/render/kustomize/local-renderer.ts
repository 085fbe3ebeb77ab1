import { LIMITS } from '../../core/limits.ts';
import { childRenderer, kustomizeVersion } from './child-renderer.ts';
import { type Caps, type Containment, tryContainment } from './containment.ts';
import { findProgram } from './find-program.ts';
import type { Renderer, RendererDescription } from './renderer.ts';

export interface LocalOptions {
  /** Absolute path of kustomize. */
  readonly program: string;
  /** PATH, for the programs of util-linux that contain it. */
  readonly searchPath: string | undefined;
  /** An existing folder for the trees of builds. */
  readonly workFolder: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Local {
  readonly program: string;
  readonly containment: Containment;
  readonly description: RendererDescription;
}

export const RENDER_LIMITS = { timeoutMs: LIMITS.maxRenderMs, maxOutputBytes: LIMITS.maxRenderedBytes };
const CAPS: Caps = { timeoutMs: LIMITS.maxRenderMs, maxMemoryBytes: LIMITS.maxRenderMemoryBytes };

/** What this machine has for kustomize. Starts programs, so it is asked once. */
export async function tryLocal(program: string, searchPath: string | undefined, caps = CAPS): Promise<Local> {
  const [unshare, prlimit] = await Promise.all([
    findProgram('unshare', searchPath),
    findProgram('prlimit', searchPath),
  ]);
  const containment = await tryContainment(program, { unshare, prlimit }, caps);
  const { network, resources } = containment;
  return { program, containment, description: { kustomize: await kustomizeVersion(program), network, resources } };
}

/** A child process of this one; what holds it is tried with the first build. */
export function localRenderer({ program, searchPath, workFolder, signal }: LocalOptions): Renderer & {
  describe(): Promise<RendererDescription>;
} {
  let tried: Promise<Local> | undefined;
  const local = (): Promise<Local> => (tried ??= tryLocal(program, searchPath));
  return {
    async build(files, root) {
      const { containment } = await local();
      return childRenderer({ program, workFolder, containment, limits: RENDER_LIMITS, signal }).build(files, root);
    },
    describe: async () => (await local()).description,
  };
}
