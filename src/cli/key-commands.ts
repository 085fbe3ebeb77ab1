import { spawn } from 'node:child_process';
import { SottoError } from '../core/errors.ts';
import { ownedBytes } from '../core/sensitive.ts';
import { parseAgeIdentities } from '../sops/age.ts';
import type { LockedIdentity, OpenIdentity } from '../sops/identity.ts';
import type { KeyEntry } from '../sops/key-entry.ts';
import { commandWords } from './command-words.ts';
import type { Surroundings } from './context.ts';
import { sshStanzas } from './locked-identities.ts';

/** Variables of sops that hold a command; neither an editor nor what it starts needs them. */
export const KEY_COMMANDS = ['SOPS_AGE_SSH_PRIVATE_KEY_CMD', 'SOPS_AGE_KEY_CMD'] as const;

const MAX_OUTPUT_BYTES = 1024 * 1024;

/**
 * What such a command prints. It is run last of all, when nothing else opens a file, once for each recipient, whom it finds in
 * SOPS_AGE_RECIPIENT as under sops. One that fails gives no identity; `onFailed` is told why.
 */
export function commandIdentity(
  around: Surroundings,
  variable: (typeof KEY_COMMANDS)[number],
  onFailed: (error: SottoError) => void,
): LockedIdentity | undefined {
  const command = around.env[variable] ?? '';
  if (command === '') return undefined;
  const mayOpen = (entry: KeyEntry): boolean =>
    variable === 'SOPS_AGE_KEY_CMD' ? entry.kind === 'age' : sshStanzas(entry).length > 0;
  const printed = new Map<string, Promise<readonly OpenIdentity[]>>();
  const identitiesFor = (recipient: string): Promise<readonly OpenIdentity[]> => {
    const known = printed.get(recipient) ?? run(around, variable, recipient, onFailed);
    printed.set(recipient, known);
    return known;
  };
  return {
    kind: 'locked',
    recipient: `what ${variable} prints`,
    mayOpen,
    unlock: async (group) => {
      const entries = group.filter((entry) => mayOpen(entry));
      const found: OpenIdentity[] = [];
      for (const entry of entries) if (entry.kind === 'age') found.push(...(await identitiesFor(entry.recipient)));
      return found;
    },
  };
}

async function run(
  around: Surroundings,
  variable: string,
  recipient: string,
  onFailed: (error: SottoError) => void,
): Promise<readonly OpenIdentity[]> {
  let output: Uint8Array<ArrayBuffer> | undefined;
  try {
    output = await outputOf(around, variable, recipient);
    return parseAgeIdentities(output, { file: variable, onOther: onFailed });
  } catch (thrown) {
    if (!(thrown instanceof SottoError)) throw thrown;
    onFailed(thrown);
    return [];
  } finally {
    output?.fill(0);
  }
}

async function outputOf(around: Surroundings, variable: string, recipient: string): Promise<Uint8Array<ArrayBuffer>> {
  const [program, ...args] = commandWords(around.env[variable] ?? '');
  if (program === undefined) throw failed(variable, 'it is empty');
  const child = spawn(program, args, {
    cwd: around.cwd,
    env: { ...around.env, SOPS_AGE_RECIPIENT: recipient },
    stdio: ['ignore', 'pipe', 'ignore'],
    signal: around.signal,
  });
  const space = ownedBytes(MAX_OUTPUT_BYTES + 1);
  let length = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    const room = chunk.subarray(0, space.length - length);
    space.set(room, length);
    length += room.length;
    chunk.fill(0);
    if (length === space.length) child.kill();
  });
  try {
    const exit = await new Promise<number | null>((resolve, reject) => {
      child.once('error', () => reject(failed(variable, 'it does not start, or was interrupted')));
      child.once('close', resolve);
    });
    if (length > MAX_OUTPUT_BYTES) throw failed(variable, `it prints more than ${MAX_OUTPUT_BYTES} bytes`);
    if (exit !== 0) throw failed(variable, exit === null ? 'it was stopped' : `it ended with ${exit}`);
    const bytes = ownedBytes(length);
    bytes.set(space.subarray(0, length));
    return bytes;
  } finally {
    space.fill(0, 0, length);
  }
}

function failed(variable: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-252',
    what: 'a command that should print a key failed',
    why,
    next: `run the command of ${variable} by hand, with SOPS_AGE_RECIPIENT set, and see what it says`,
    file: variable,
  });
}
