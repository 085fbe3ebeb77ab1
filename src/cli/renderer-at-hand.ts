import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../render/kustomize/find-program.ts';
import { localRenderer } from '../render/kustomize/local-renderer.ts';
import type { Renderer } from '../render/kustomize/renderer.ts';
import type { CommandContext } from './context.ts';

/** Undefined where there is no kustomize. */
export async function rendererAtHand(folder: string, { env, signal }: CommandContext): Promise<Renderer | undefined> {
  const program = await findProgram('kustomize', env['PATH']);
  if (program === undefined) return undefined;
  return localRenderer({ program, searchPath: env['PATH'], workFolder: folder, signal });
}

/** For kustomize: files with tokens in them, no value of a secret. */
export async function workFolder({ env }: CommandContext): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(env['TMPDIR'] ?? tmpdir(), 'sotto-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
