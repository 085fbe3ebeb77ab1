import type { ToolProgress } from '../../src/demo/tools.ts';

const TERMINAL_EVERY_MS = 100;
const LOG_EVERY_MS = 1_000;

/** Prints progress: one line that is rewritten on a terminal, at most one line a second anywhere else. */
export function progressPrinter(stream: NodeJS.WriteStream): (progress: ToolProgress) => void {
  const everyMs = stream.isTTY ? TERMINAL_EVERY_MS : LOG_EVERY_MS;
  let lastMs = Number.NEGATIVE_INFINITY;
  return (progress) => {
    const nowMs = performance.now();
    if (progress.step !== 'ready' && nowMs - lastMs < everyMs) return;
    lastMs = nowMs;
    const line = formatProgress(progress);
    if (!stream.isTTY) stream.write(`${line}\n`);
    else stream.write(`\r\u001b[K${line}${progress.step === 'ready' ? '\n' : ''}`);
  };
}

export function formatProgress({ tool, step, done, packagesTotal, elapsedMs }: ToolProgress): string {
  const words: Record<ToolProgress['step'], string> = {
    waiting: 'another process builds it, waiting,',
    downloading: `looking at sources, ${done} modules downloaded,`,
    compiling: `${done}/${packagesTotal} packages,`,
    linking: `${done}/${packagesTotal} packages, linking,`,
    ready: 'ready after',
  };
  return `${tool}: ${words[step]} ${Math.round(elapsedMs / 1000)} s`;
}
