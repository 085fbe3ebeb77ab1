import type { CommandContext } from './context.ts';
import { isRedrawn } from './terminal.ts';

/** How far something is, on one line of a terminal; where there is none, nothing is written. */
export interface Progress {
  /** One more is done. */
  step(): void;
  /** The line is gone again. */
  end(): void;
}

type Shown = Pick<CommandContext, 'stderr' | 'isTerminal' | 'env'>;

/** What is done sooner needs no line, and nobody reads faster than that. */
const FIRST_MS = 500;
const NEXT_MS = 100;

const ERASE = '\r\u001b[K';

/** `what`: `encrypting file`. Nothing but numbers comes behind it. */
export function progressOf(around: Shown, what: string, total: number, now = () => performance.now()): Progress {
  const isShown = isRedrawn({ ...around, isTerminal: { ...around.isTerminal, stdout: around.isTerminal.stderr } });
  let done = 0;
  let nextMs = now() + FIRST_MS;
  let isDrawn = false;
  return {
    step: () => {
      done += 1;
      if (!isShown || now() < nextMs) return;
      nextMs = now() + NEXT_MS;
      isDrawn = true;
      around.stderr.write(`${ERASE}${what} ${done} of ${total}`);
    },
    end: () => {
      if (isDrawn) around.stderr.write(ERASE);
      isDrawn = false;
    },
  };
}

/** With a line for the time that it takes, whatever comes of it. */
export async function withProgress<T>(
  around: Shown,
  what: string,
  total: number,
  work: (step: () => void) => Promise<T>,
): Promise<T> {
  const progress = progressOf(around, what, total);
  try {
    return await work(() => progress.step());
  } finally {
    progress.end();
  }
}
