import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { asSottoError, SottoError } from '../core/errors.ts';
import { parseAgeIdentities } from '../sops/age.ts';
import type { Identity } from '../sops/identity.ts';
import type { Surroundings } from './context.ts';
import { readFileBytes } from './files.ts';
import { commandIdentity, KEY_COMMANDS } from './key-commands.ts';
import { readKeyFiles } from './key-files.ts';
import { lockedAgeFile, lockedSshKey } from './locked-identities.ts';

export interface FoundIdentities {
  /** In the order in which they are tried. */
  readonly identities: readonly Identity[];
  /** What was passed over and why: told only when nothing opens the file, as sops does. */
  readonly notes: readonly string[];
}

/**
 * The age identities at hand: those of `--key-file` first, then those that sops would find (spec/sops.md 13.2). A bad
 * file given as flag is an error; a bad source of sops is left out with a note, as a whole.
 */
export async function findAgeIdentities(around: Surroundings, keyFiles: readonly string[]): Promise<FoundIdentities> {
  const given = await readKeyFiles(around, keyFiles);
  const identities = [...given.identities];
  const notes: string[] = [];
  for (const source of sourcesOfSops(around)) {
    const bytes = await source.read().catch((thrown: unknown) => void notes.push(noteOf(source.name, thrown)));
    if (bytes === undefined) continue;
    try {
      const locked = lockedAgeFile(around, source.name, bytes) ?? lockedSshKey(around, source.name, bytes);
      if (locked !== undefined) {
        identities.push(locked);
        continue;
      }
      const onOther = (error: SottoError): void => void notes.push(noteOf(source.name, error));
      identities.push(...parseAgeIdentities(bytes, { file: source.name, onOther }));
    } catch (thrown) {
      notes.push(noteOf(source.name, thrown));
    } finally {
      bytes.fill(0);
    }
  }
  for (const variable of KEY_COMMANDS) {
    const command = commandIdentity(around, variable, (error) => void notes.push(noteOf(variable, error)));
    if (command !== undefined) identities.push(command);
  }
  return { identities, notes };
}

interface Source {
  readonly name: string;
  /** Throws SottoError. */
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

function sourcesOfSops(around: Surroundings): Source[] {
  const { SOPS_AGE_KEY: content = '', SOPS_AGE_KEY_FILE: file = '' } = around.env;
  const sources = sshSources(around);
  if (content !== '') sources.push({ name: 'SOPS_AGE_KEY', read: () => Promise.resolve(keyLines(content)) });
  if (file !== '') sources.push({ name: file, read: () => readFileBytes(resolve(around.cwd, file), file) });
  const standard = standardKeyFile(around);
  if (standard !== undefined) sources.push({ name: standard, read: () => readFileBytes(standard, standard) });
  return sources;
}

/** The SSH keys that sops reads: the one it is told of, then those of the user. */
function sshSources(around: Pick<Surroundings, 'env' | 'cwd'>): Source[] {
  const { SOPS_AGE_SSH_PRIVATE_KEY_FILE: file = '', HOME: home = '' } = around.env;
  const named = file === '' ? [] : [{ name: file, read: () => readFileBytes(resolve(around.cwd, file), file) }];
  const own = home === '' ? [] : ['id_ed25519', 'id_rsa'].map((name) => join(home, '.ssh', name));
  return [
    ...named,
    ...own.filter((path) => existsSync(path)).map((path) => ({ name: path, read: () => readFileBytes(path, path) })),
  ];
}

/** Since 3.13 sops takes several identities on one line, parted by blanks; comments have a line of their own. */
function keyLines(content: string): Uint8Array<ArrayBuffer> {
  const lines = content.split('\n').map((line) => (line.startsWith('#') ? line : line.trim().split(/\s+/).join('\n')));
  return new TextEncoder().encode(lines.join('\n'));
}

/** Where sops looks without being told; undefined when the environment does not say where that is. */
function standardKeyFile(around: Pick<Surroundings, 'env'>): string | undefined {
  const { XDG_CONFIG_HOME: xdg = '', HOME: home = '', AppData: appData = '' } = around.env;
  const below = ['sops', 'age', 'keys.txt'];
  if (process.platform === 'win32') return appData === '' ? undefined : join(appData, ...below);
  if (xdg !== '') return join(xdg, ...below);
  if (home === '') return undefined;
  const folder = process.platform === 'darwin' ? ['Library', 'Application Support'] : ['.config'];
  return join(home, ...folder, ...below);
}

function noteOf(name: string, thrown: unknown): string {
  const error = asSottoError(thrown);
  return `${name}: ${error.what}, ${error.why}`;
}
