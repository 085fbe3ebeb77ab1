import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { asSottoError } from '../../core/errors.ts';
import type { Containment } from './containment.ts';
import { endedError, failureOf } from './failure.ts';
import type { Rendered, Renderer } from './renderer.ts';
import { run, type RunLimits } from './run.ts';
import type { BuildFile } from './tree.ts';
import { makeFolder, writeTree } from './write-tree.ts';

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
      const own = `${options.workFolder}/${randomUUID()}`;
      // kustomize may put the name of the folder it builds into objects, so it is the same each time.
      const folder = `${own}/repository`;
      try {
        await makeFolder(own);
        await writeTree(folder, files);
        return await build(options, folder, files, root);
      } catch (thrown) {
        return { ok: false, error: asSottoError(thrown) };
      } finally {
        await rm(own, { recursive: true, force: true });
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

/** What the program says of itself; undefined when it does not run or says something else. */
export async function kustomizeVersion(program: string): Promise<string | undefined> {
  const limits = { timeoutMs: 10_000, maxOutputBytes: 1_024 };
  const outcome = await run({ command: [program, 'version'], folder: '/', ...limits });
  if (outcome.kind !== 'done') return undefined;
  return /^v?(\d+\.\d+\.\d+)\s*$/.exec(Buffer.from(outcome.output).toString('latin1'))?.[1];
}
