import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { asSottoError } from '../../core/errors.ts';
import { treeNotWritten } from './refusals.ts';
import type { Containment } from './containment.ts';
import { endedError, failureOf } from './failure.ts';
import type { Rendered, Renderer } from './renderer.ts';
import { run, type RunLimits, type RunOutcome } from './run.ts';
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

/** How a build ended, as data that can come from elsewhere. `folder`: where the tree stood, as complaints name it. */
export type BuildOutcome =
  | Exclude<RunOutcome, { kind: 'failed' }>
  | { readonly kind: 'failed'; readonly complaint: string; readonly folder: string }
  | { readonly kind: 'unwritten'; readonly why: string; readonly file: string | undefined };

/** Renders in a child process: on a laptop, and in a container that is there for nothing else. */
export function childRenderer(options: ChildRendererOptions): Renderer {
  return {
    build: async (files, root) => renderedOf(await runBuild(options, files, root), { files, root, ...options.limits }),
  };
}

export async function runBuild(
  options: ChildRendererOptions,
  files: readonly BuildFile[],
  root: string,
): Promise<BuildOutcome> {
  const own = `${options.workFolder}/${randomUUID()}`;
  // kustomize may put the name of the folder it builds into objects, so it is the same each time.
  const folder = `${own}/repository`;
  try {
    await makeFolder(own);
    await writeTree(folder, files);
    const outcome = await runKustomize(options, folder, root);
    return outcome.kind === 'failed' ? { ...outcome, folder } : outcome;
  } catch (thrown) {
    const { why, place } = asSottoError(thrown);
    return { kind: 'unwritten', why, file: place.file };
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

function runKustomize(
  { program, containment, limits, signal }: ChildRendererOptions,
  folder: string,
  root: string,
): Promise<RunOutcome> {
  // Absolute: kustomize would take some relative names for addresses.
  const target = root === '' ? folder : `${folder}/${root}`;
  return run({ command: [...containment.wrapper, program, 'build', target], folder, ...limits, signal });
}

export interface Built extends RunLimits {
  readonly files: readonly BuildFile[];
  readonly root: string;
}

/** What people get to know of a build, whoever ran it. */
export function renderedOf(outcome: BuildOutcome, { files, root, ...limits }: Built): Rendered {
  if (outcome.kind === 'done') return { ok: true, bytes: outcome.output };
  if (outcome.kind === 'unwritten') return { ok: false, error: treeNotWritten(outcome.file, outcome.why) };
  if (outcome.kind !== 'failed') return { ok: false, error: endedError(outcome, limits, root) };
  const paths = new Set(files.map(({ path }) => path));
  return { ok: false, error: failureOf(outcome.complaint, { folder: outcome.folder, root, paths }) };
}

/** What the program says of itself; undefined when it does not run or says something else. */
export async function kustomizeVersion(program: string): Promise<string | undefined> {
  const limits = { timeoutMs: 10_000, maxOutputBytes: 1_024 };
  const outcome = await run({ command: [program, 'version'], folder: '/', ...limits });
  if (outcome.kind !== 'done') return undefined;
  return /^v?(\d+\.\d+\.\d+)\s*$/.exec(Buffer.from(outcome.output).toString('latin1'))?.[1];
}
