import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../render/kustomize/find-program.ts';
import { KUSTOMIZE_VERSION, type Renderer, type RendererDescription } from '../render/kustomize/renderer.ts';
import type { Logger } from '../report/log.ts';
import type { RendererStatus } from '../report/status.ts';

/** Where kustomize runs for this agent, and what is known of it. */
export interface AgentRenderer {
  /** Undefined: kustomizations are refused. */
  readonly renderer: Renderer | undefined;
  status(): RendererStatus | undefined;
  close(): Promise<void>;
}

export interface RendererOptions {
  readonly searchPath: string | undefined;
  /** A folder of its own is made in it: trees and Git objects never lie in one. */
  readonly workRoot: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Something that the status document tells has changed. */
  readonly onChange: () => void;
}

const NO_RENDERER: AgentRenderer = {
  renderer: undefined,
  status: () => undefined,
  close: () => Promise.resolve(),
};

/** Outlives an agent that begins anew. Loaded when there is a kustomize: most agents never need one. */
export async function openRenderer(options: RendererOptions): Promise<AgentRenderer> {
  const program = await findProgram('kustomize', options.searchPath);
  return program === undefined ? NO_RENDERER : childProcess(program, options);
}

/** Where nobody has set a renderer up: on a laptop. */
async function childProcess(program: string, options: RendererOptions): Promise<AgentRenderer> {
  const { searchPath, workRoot, signal, log, onChange } = options;
  const { localRenderer } = await import('../render/kustomize/local-renderer.ts');
  const workFolder = await mkdtemp(join(workRoot, 'sotto-render-'));
  const remove = (): void => rmSync(workFolder, { recursive: true, force: true });
  process.once('exit', remove);
  const renderer = localRenderer({ program, searchPath, workFolder, signal });
  let status: RendererStatus = { where: 'process' };
  const describe = async (): Promise<void> => {
    status = statusOfRenderer('process', await renderer.describe());
    log.info('renderer', { ...status });
    onChange();
  };
  describe().catch((thrown: unknown) => log.warn('the renderer says nothing of itself', { error: thrown }));
  return {
    renderer,
    status: () => status,
    close: async () => {
      process.off('exit', remove);
      await rm(workFolder, { recursive: true, force: true });
    },
  };
}

/** As status and `/readyz` show it. */
export function statusOfRenderer(
  where: RendererStatus['where'],
  { kustomize, network, resources }: RendererDescription,
): RendererStatus {
  return { where, kustomize: kustomize ?? 'unknown', pinned: kustomize === KUSTOMIZE_VERSION, network, resources };
}

/** One line of `/readyz`. */
export function rendererLine({ where, kustomize, pinned, network, resources }: RendererStatus): string {
  if (kustomize === undefined) return `renderer: ${where}, has not answered yet`;
  const version = pinned === true ? kustomize : `${kustomize} (${KUSTOMIZE_VERSION} is the one that was tested)`;
  return `renderer: ${where}, kustomize ${version}, network ${network ?? 'unknown'}, resources ${resources ?? 'unknown'}`;
}
