import type { Readable, Writable } from 'node:stream';
import type { ExitCode } from './exit-codes.ts';

/** Everything a command may know of the process it runs in; tests hand in their own. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly isTerminal: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  /** Columns of the terminal behind stdout, when it is one. */
  readonly columns: number | undefined;
  /** Aborted with the name of the signal as reason (`SIGINT`, `SIGTERM`). */
  readonly signal: AbortSignal;
}

export interface CommandContext extends Surroundings {
  /**
   * States how the command ended. May be called several times: the code that outranks the others counts. A command
   * that calls nothing and throws nothing ends with 0. Errors are thrown as SottoError, which knows its exit code.
   */
  exitWith(code: ExitCode): void;
}
