import { spawn } from 'node:child_process';

export interface RunLimits {
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
}

export interface RunCommand extends RunLimits {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
}

/** How a run ended. What it complained of stays in here and in failure.ts: it may quote the files. */
export type RunOutcome =
  | { readonly kind: 'done'; readonly output: Uint8Array }
  | { readonly kind: 'failed'; readonly complaint: string }
  | { readonly kind: 'ended'; readonly why: 'timeout' | 'output' | 'memory' | 'stopped' }
  | { readonly kind: 'absent' };

const MAX_COMPLAINT_BYTES = 64 * 1024;
/** What Go prints when it gets no more memory; now and then its collector trips over what it did not get (no panic: the runtime itself). */
const NO_MEMORY =
  /\bout of memory\b|cannot allocate memory|failed to reserve|pthread_create failed|newosproc|^SIGSEGV: segmentation violation\nPC=/m;

/** Runs a program to its end: no input, an empty environment, nothing inherited. */
export function run({ command, folder, timeoutMs, maxOutputBytes, signal }: RunCommand): Promise<RunOutcome> {
  const [program = '', ...args] = command;
  if (signal?.aborted === true) return Promise.resolve({ kind: 'ended', why: 'stopped' });
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: folder, env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
    let ended: 'timeout' | 'output' | 'stopped' | undefined;
    const end = (why: 'timeout' | 'output' | 'stopped'): void => {
      ended ??= why;
      child.kill('SIGKILL');
    };
    const onStop = (): void => end('stopped');
    const deadline = setTimeout(() => end('timeout'), timeoutMs);
    signal?.addEventListener('abort', onStop, { once: true });
    const output = collect(child.stdout, maxOutputBytes, () => end('output'));
    const complaint = collect(child.stderr, MAX_COMPLAINT_BYTES, () => undefined);
    const finish = (outcome: RunOutcome): void => {
      clearTimeout(deadline);
      signal?.removeEventListener('abort', onStop);
      resolve(ended === undefined ? outcome : { kind: 'ended', why: ended });
    };
    child.once('error', () => finish({ kind: 'absent' }));
    child.once('close', (code, killedBy) => {
      const text = complaint().toString('utf8');
      if (code === 0) finish({ kind: 'done', output: output() });
      else if (killedBy === 'SIGXCPU') finish({ kind: 'ended', why: 'timeout' });
      // The kernel ends with SIGKILL who uses up the memory of a container.
      else if (killedBy === 'SIGKILL' || NO_MEMORY.test(text)) finish({ kind: 'ended', why: 'memory' });
      else finish({ kind: 'failed', complaint: text });
    });
  });
}

/** The first bytes of a stream; the rest is read and dropped, or the run ended with it. */
function collect(stream: NodeJS.ReadableStream, maxBytes: number, over: () => void): () => Buffer {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxBytes) chunks.push(chunk);
    else over();
  });
  return () => Buffer.concat(chunks);
}
