import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { copySecret, ownedBytes } from '../core/sensitive.ts';
import type { CommandContext } from './context.ts';

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACE = 0x08;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const CTRL_U = 0x15;
const DELETE = 0x7f;

/** A terminal that can be told not to show what is typed. */
interface RawTerminal {
  setRawMode(isRaw: boolean): unknown;
}

/**
 * One line from the terminal, which does not show it; in memory of its own, which the caller wipes. Undefined where the
 * terminal cannot hide what is typed.
 */
export async function readHidden(
  context: Pick<CommandContext, 'stdin' | 'stderr' | 'signal'>,
  prompt: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { stdin, stderr, signal } = context;
  if (!hasRawMode(stdin)) return undefined;
  const typed = new Line();
  // Before the prompt: whoever has read it may type at once.
  stdin.setRawMode(true);
  stderr.write(prompt);
  const stop = (): void => void stdin.destroy(new Error('interrupted'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    // A question may follow on the same terminal.
    for await (const chunk of stdin.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array | string>) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      const end = typed.type(bytes);
      bytes.fill(0);
      if (end === 'interrupted') throw interrupted();
      if (end === 'done') break;
    }
    return typed.take();
  } finally {
    signal.removeEventListener('abort', stop);
    stdin.setRawMode(false);
    stdin.pause();
    typed.wipe();
    stderr.write('\n');
  }
}

/** What is typed, with what the keys of a terminal do to it. */
class Line {
  #bytes = ownedBytes(LIMITS.maxSecretDataBytes);
  #length = 0;

  type(bytes: Uint8Array): 'more' | 'done' | 'interrupted' {
    for (const byte of bytes) {
      if (byte === CTRL_C) return 'interrupted';
      if (byte === RETURN || byte === LINE_FEED || byte === CTRL_D) return 'done';
      if (byte === BACKSPACE || byte === DELETE) this.#removeLast();
      else if (byte === CTRL_U) this.wipe();
      else if (this.#length < this.#bytes.length) {
        this.#bytes[this.#length] = byte;
        this.#length += 1;
      }
    }
    return 'more';
  }

  /** A character, which may be several bytes of UTF-8. */
  #removeLast(): void {
    while (this.#length > 0) {
      this.#length -= 1;
      const byte = this.#bytes[this.#length] ?? 0;
      this.#bytes[this.#length] = 0;
      if ((byte & 0xc0) !== 0x80) return;
    }
  }

  take(): Uint8Array<ArrayBuffer> {
    const own = ownedBytes(this.#length);
    copySecret(this.#bytes.subarray(0, this.#length), own);
    return own;
  }

  wipe(): void {
    this.#bytes.fill(0, 0, this.#length);
    this.#length = 0;
  }
}

function hasRawMode<Stream extends object>(stream: Stream): stream is Stream & RawTerminal {
  return 'setRawMode' in stream && typeof stream.setRawMode === 'function';
}

function interrupted(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-096',
    what: 'no value was typed, and nothing was changed',
    why: 'the input was given up',
    next: 'run the command again, or give the value on stdin',
  });
}
