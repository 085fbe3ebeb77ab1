import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { LIMITS } from '../core/limits.ts';
import { childRenderer } from '../render/kustomize/child-renderer.ts';
import { tryContainment } from '../render/kustomize/containment.ts';
import type { Renderer } from '../render/kustomize/renderer.ts';

export interface LocalRendererOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where each build makes a folder of its own: on a memory volume. */
  readonly workFolder: string;
  readonly signal?: AbortSignal | undefined;
}

/** kustomize as a child process, held by what this system gives; undefined where there is none on the PATH. */
export function localRenderer({ env, workFolder, signal }: LocalRendererOptions): Renderer | undefined {
  const path = env['PATH'] ?? '';
  const program = findProgram('kustomize', path);
  if (program === undefined) return undefined;
  const limits = { timeoutMs: LIMITS.maxRenderMs, maxOutputBytes: LIMITS.maxRenderedBytes };
  // Tried once, and only where something is rendered at all.
  let made: Promise<Renderer> | undefined;
  const make = async (): Promise<Renderer> => {
    const tools = { unshare: findProgram('unshare', path), prlimit: findProgram('prlimit', path) };
    const caps = { timeoutMs: LIMITS.maxRenderMs, maxMemoryBytes: LIMITS.maxRenderMemoryBytes };
    const containment = await tryContainment(program, tools, caps);
    return childRenderer({ program, workFolder, containment, limits, signal });
  };
  return {
    build: async (files, root) => {
      made ??= make();
      return (await made).build(files, root);
    },
  };
}

function findProgram(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, name))
    .find((file) => isExecutable(file));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
