import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../render/kustomize/find-program.ts';
import { KUSTOMIZE_VERSION, type Renderer, type RendererDescription } from '../render/kustomize/renderer.ts';
import type { SocketRenderer } from '../render/kustomize/socket/socket-renderer.ts';
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
  readonly address: string | undefined;
  readonly tokenFile: string | undefined;
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
  if (options.address !== undefined) return elsewhere(options.address, options);
  const program = await findProgram('kustomize', options.searchPath);
  return program === undefined ? NO_RENDERER : childProcess(program, options);
}

/** In a cluster: never in the container that holds keys, token and Git objects. Throws SottoError. */
async function elsewhere(address: string, options: RendererOptions): Promise<AgentRenderer> {
  const { signal, log, onChange, tokenFile } = options;
  const [{ readRendererPlace }, { socketRenderer }] = await Promise.all([
    import('../render/kustomize/socket/address.ts'),
    import('../render/kustomize/socket/socket-renderer.ts'),
  ]);
  const place = readRendererPlace(address, tokenFile);
  const where = place.kind === 'unix' ? 'socket' : 'pod';
  let status: RendererStatus = { where };
  const onDescribed = (description: RendererDescription): void => {
    const next = statusOfRenderer(where, description);
    if (rendererLine(next) === rendererLine(status)) return;
    status = next;
    log.info('renderer', { ...status });
    onChange();
  };
  const renderer = socketRenderer({ place, signal, onDescribed });
  const stop = new AbortController();
  describeLater(renderer, AbortSignal.any([signal, stop.signal])).catch((thrown: unknown) =>
    log.warn('the renderer says nothing of itself', { error: thrown }),
  );
  return {
    renderer,
    status: () => status,
    close: () => Promise.resolve(stop.abort()),
  };
}

const FIRST_ASK_MS = 500;
const MAX_ASK_MS = 30_000;

/** Its container may start after this one. Asked until it has answered once; builds tell what changes later. */
async function describeLater(renderer: SocketRenderer, signal: AbortSignal): Promise<void> {
  for (let waitMs = FIRST_ASK_MS; !signal.aborted; waitMs = Math.min(waitMs * 2, MAX_ASK_MS)) {
    if ((await renderer.describe()) !== undefined) return;
    await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
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
