import { SottoError } from '../core/errors.ts';
import { ownedBytes } from '../core/sensitive.ts';
import type { CommandContext } from './context.ts';

const MAX_BYTES = 64 * 1024;
const [ENTER, NEWLINE, BACKSPACE, DELETE, INTERRUPT, END] = [13, 10, 8, 127, 3, 4];

/** One line typed on the terminal without being shown, as bytes that the caller wipes. */
export async function askValue(context: CommandContext, question: string): Promise<Uint8Array<ArrayBuffer>> {
  const stdin = context.stdin as CommandContext['stdin'] & { setRawMode?: (raw: boolean) => void };
  const typed = ownedBytes(MAX_BYTES);
  let length = 0;
  context.stderr.write(question);
  stdin.setRawMode?.(true);
  try {
    for await (const chunk of stdin.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array | string>) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      for (const byte of bytes) {
        if (byte === ENTER || byte === NEWLINE || byte === END) return typed.slice(0, length);
        if (byte === INTERRUPT) throw interrupted();
        if (byte === BACKSPACE || byte === DELETE) length = previous(typed, length);
        else if (length < MAX_BYTES) typed[length++] = byte;
      }
      bytes.fill(0);
    }
    return typed.slice(0, length);
  } finally {
    typed.fill(0);
    stdin.setRawMode?.(false);
    stdin.pause();
    context.stderr.write('\n');
  }
}

/** Length without the last character, which may have several bytes. */
function previous(bytes: Uint8Array, length: number): number {
  let at = Math.max(0, length - 1);
  while (at > 0 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at -= 1;
  return at;
}

function interrupted(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-096',
    what: 'no value was typed, and nothing was changed',
    why: 'it was interrupted',
    next: 'run the command again',
  });
}
