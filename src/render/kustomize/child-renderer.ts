import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { asSottoError } from '../../core/errors.ts';
import type { Containment } from './containment.ts';
import { endedError, failureOf } from './failure.ts';
import type { Rendered, Renderer } from './renderer.ts';
import { run, type RunLimits } from './run.ts';
import type { BuildFile } from './tree.ts';
import { writeTree } from './write-tree.ts';

export interface ChildRendererOptions {
  /** Absolute path of kustomize. */
  readonly program: string;
  /** An existing folder in which each build makes one of its own and removes it. */
  readonly workFolder: string;
  readonly containment: Containment;
  readonly limits: RunLimits;
  /** Ends the build early. */
  readonly signal?: AbortSignal | undefined;
}

/** Renders in a child process: on a laptop, and in a container that is there for nothing else. */
export function childRenderer(options: ChildRendererOptions): Renderer {
  return {
    async build(files, root) {
      const folder = `${options.workFolder}/${randomUUID()}`;
      try {
        await writeTree(folder, files);
        return await build(options, folder, files, root);
      } catch (thrown) {
        return { ok: false, error: asSottoError(thrown) };
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

async function build(
  { program, containment, limits, signal }: ChildRendererOptions,
  folder: string,
  files: readonly BuildFile[],
  root: string,
): Promise<Rendered> {
  // Absolute: kustomize would take some relative names for addresses.
  const target = root === '' ? folder : `${folder}/${root}`;
  const command = [...containment.wrapper, program, 'build', target];
  const outcome = await run({ command, folder, ...limits, signal });
  if (outcome.kind === 'done') return { ok: true, bytes: outcome.output };
  if (outcome.kind !== 'failed') return { ok: false, error: endedError(outcome, limits, root) };
  const paths = new Set(files.map(({ path }) => path));
  return { ok: false, error: failureOf(outcome.complaint, { folder, root, paths }) };
}
