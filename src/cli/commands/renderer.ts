import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import type { Command } from 'commander';
import { LIMITS } from '../../core/limits.ts';
import { runBuild } from '../../render/kustomize/child-renderer.ts';
import { findProgram } from '../../render/kustomize/find-program.ts';
import { RENDER_LIMITS, tryLocal } from '../../render/kustomize/local-renderer.ts';
import { noKustomize } from '../../render/kustomize/renderer-failure.ts';
import { KUSTOMIZE_VERSION } from '../../render/kustomize/renderer.ts';
import { readRendererPlace } from '../../render/kustomize/socket/address.ts';
import { startRendererServer } from '../../render/kustomize/socket/server.ts';
import { createLogger, type Logger } from '../../report/log.ts';
import type { CommandContext } from '../context.ts';

interface RendererFlags {
  readonly listen: string;
  readonly token?: string;
  readonly kustomize?: string;
}

const HELP = `
The agent is started with --renderer and the same address. A renderer gets files in which every secret is a token; it
needs no key, no account of the cluster and no network. Trees of builds lie below SOTTO_WORK_DIR. With
SOTTO_MEMORY_LIMIT (bytes, the limit of the container) a build may have half of that.

Examples:
  sotto renderer --listen unix:/run/sotto-renderer/private/socket
  sotto renderer --listen tcp::9443 --token /run/sotto-renderer-token/token`;

export function register(program: Command, context: CommandContext): void {
  program
    .command('renderer')
    .description('run kustomize for an agent, in a container of its own')
    .requiredOption('--listen <address>', 'unix:/PATH, or tcp:HOST:PORT with --token')
    .option('--token <file>', 'token that the agent has too')
    .option('--kustomize <program>', 'default: the one beside sotto, then the one in PATH')
    .addHelpText('after', HELP)
    .action((flags: RendererFlags) => serve(flags, context));
}

/** Until the signal. Throws SottoError for what a person must mend. */
async function serve(flags: RendererFlags, { env, stdout, signal }: CommandContext): Promise<void> {
  const log = createLogger({ stream: stdout, level: 'info' });
  const place = readRendererPlace(flags.listen, flags.token);
  const program = flags.kustomize ?? (await findKustomize(env['PATH']));
  if (program === undefined) throw noKustomize();
  const local = await tryLocal(program, env['PATH'], capsFor(env['SOTTO_MEMORY_LIMIT']));
  const { containment, description } = local;
  if (description.kustomize === undefined) throw noKustomize();
  if (description.kustomize !== KUSTOMIZE_VERSION)
    log.warn('another kustomize than the tested one', { ...description });
  const workFolder = await mkdtemp(join(env['SOTTO_WORK_DIR'] ?? tmpdir(), 'sotto-render-'));
  try {
    await using server = await startRendererServer({
      place,
      about: description,
      build: ({ files, root }, gone) =>
        runBuild({ program, workFolder, containment, limits: RENDER_LIMITS, signal: gone }, files, root),
      onBuilt: (built) => log.info('built', { ...built }),
      onDefect: (thrown) => defect(log, thrown),
    });
    log.info('listening', { address: flags.listen, port: server.port, ...description });
    if (!signal.aborted) await once(signal, 'abort');
    log.info('stopping');
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
}

/** In the image it lies beside the bundle and not in PATH: an agent must not find it there. */
async function findKustomize(searchPath: string | undefined): Promise<string | undefined> {
  return (await findProgram('kustomize', dirname(process.argv[1] ?? '/'))) ?? findProgram('kustomize', searchPath);
}

/** The other half is for this process, the tree on the memory volume, and what came out. */
function capsFor(limit: string | undefined): { timeoutMs: number; maxMemoryBytes: number } {
  const half = Math.floor(Number(limit ?? Number.NaN) / 2);
  const maxMemoryBytes = half > 0 ? Math.min(half, LIMITS.maxRenderMemoryBytes) : LIMITS.maxRenderMemoryBytes;
  return { timeoutMs: LIMITS.maxRenderMs, maxMemoryBytes };
}

function defect(log: Logger, thrown: unknown): void {
  log.error('defect in a build', { error: thrown });
}
