import { SottoError } from '../core/errors.ts';
import type { Surroundings } from './context.ts';
import { readHidden } from './hidden-input.ts';
import { say } from './output.ts';

const TRIES = 3;

/**
 * Asks for a passphrase until it opens something, three times at most. It comes from the terminal and from nowhere
 * else: environment and arguments can be read by others. Throws SottoError.
 */
export async function openByPassphrase<T>(
  around: Surroundings,
  name: string,
  open: (passphrase: Uint8Array) => T | undefined | Promise<T | undefined>,
): Promise<T> {
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    const passphrase = around.isTerminal.stdin ? await readHidden(around, `passphrase of ${name}: `) : undefined;
    if (passphrase === undefined) throw nobodyToAsk(name);
    try {
      const opened = await open(passphrase);
      if (opened !== undefined) return opened;
    } finally {
      passphrase.fill(0);
    }
    if (attempt < TRIES) await say(around, 'that does not open it');
  }
  throw new SottoError({
    code: 'SOTTO-KEYS-040',
    what: 'the passphrase does not open the key',
    why: `${TRIES} were tried on ${name}`,
    next: 'find out which passphrase it is, or give another key: --key-file keys.txt',
    file: name,
  });
}

function nobodyToAsk(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-041',
    what: 'a key needs a passphrase, and nobody can be asked',
    why: `${name} is protected by one, and stdin is no terminal`,
    next: 'run the command at a terminal, with the content in a file; or give a key without a passphrase: --key-file keys.txt',
    file: name,
  });
}
