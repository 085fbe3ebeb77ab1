import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { SottoError } from '../../core/errors.ts';
import { RECOVERY_NAME } from '../../core/labels.ts';
import type { AgeIdentity } from '../../sops/age.ts';
import { makeIdentity } from '../../sops/make-identity.ts';
import { encryptForRecipients } from '../../sops/recipients.ts';
import type { Cluster } from '../cluster.ts';
import type { Surroundings } from '../context.ts';
import { reasonOf } from '../files.ts';
import { readKeyFiles } from '../key-files.ts';
import { syncFolder } from '../write-in-place.ts';
import { type ClusterKeys, makeClusterKey, pendingKey } from './cluster-keys.ts';

/** Where the new identity is, or will be. */
export interface NewKey {
  /** For messages: a file, or a Secret. */
  readonly where: string;
  /** One that somebody put there, or an earlier run made; it cannot be the old one. */
  readonly given: AgeIdentity | undefined;
  /** The one that is there already for this rotation. */
  find(old: string): MadeKey | undefined;
  make(old: string, recovery: readonly string[], now: Date): Promise<MadeKey>;
}

export interface MadeKey {
  readonly identity: AgeIdentity;
  /** Where it and its copy are, for the person. */
  readonly said: string;
}

/** The file that `--new-key` names. Throws SOTTO-ROTATE-005. */
export async function fileKey(around: Surroundings, name: string, root: string): Promise<NewKey> {
  const path = resolve(around.cwd, name);
  if (isBelow(path, root)) throw unusable(name, 'it is in the working tree, where a commit could take it along');
  if (!existsSync(dirname(path))) throw unusable(name, 'its folder does not exist');
  const given = existsSync(path) ? await onlyIdentity(around, name) : undefined;
  return {
    where: name,
    given,
    find: () => given && { identity: given, said: `taken from ${name}` },
    make: async (_, recovery, now) => {
      const identity = await writeNewKey(path, name, recovery, now);
      const copy = recovery.length === 0 ? 'there is no other copy of it' : `a copy is in ${name}${RECOVERY}`;
      return { identity, said: `written to ${name}; ${copy}` };
    },
  };
}

async function onlyIdentity(around: Surroundings, name: string): Promise<AgeIdentity> {
  checkWhose(resolve(around.cwd, name), name);
  const { identities } = await readKeyFiles(around, [name]);
  const [identity, another] = identities;
  if (identity?.kind === 'age' && another === undefined) return identity;
  throw unusable(name, 'it holds something else than one age identity');
}

/** In a folder where everybody may lay files, such as /dev/shm, somebody could wait there with a key of theirs. */
function checkWhose(path: string, name: string): void {
  const file = statSync(path);
  const own = process.getuid?.() ?? file.uid;
  // Of a link whoever has laid it says where it leads, also in a moment from now.
  const isOthers = [lstatSync(path), file].some(({ uid }) => uid !== own && uid !== 0);
  if (isOthers) throw unusable(name, 'it is there already, and belongs to another user');
  if ((file.mode & 0o022) !== 0) throw unusable(name, 'it is there already, and others may write to it');
}

/** A Secret of the agent's own that is made for it. */
export function clusterKey(cluster: Cluster, keys: ClusterKeys): NewKey {
  return {
    where: `a Secret in namespace ${cluster.namespace}`,
    given: undefined,
    find: (old) => {
      const pending = pendingKey(keys, old);
      return pending && { ...pending, said: `taken from Secret ${pending.secret}, where an earlier run has put it` };
    },
    make: async (old, recovery, now) => {
      const { identity, secret } = await makeClusterKey(cluster, { old, recovery, now });
      const copy = recovery.length === 0 ? 'there is no other copy of it' : `a copy is in ConfigMap ${RECOVERY_NAME}`;
      return { identity, said: `in Secret ${secret}; ${copy}` };
    },
  };
}

function isBelow(path: string, root: string): boolean {
  let folder: string;
  try {
    folder = join(realpathSync(dirname(path)), basename(path));
  } catch {
    return false;
  }
  const below = relative(realpathSync(root), folder);
  return below !== '..' && !below.startsWith(`..${sep}`);
}

/**
 * Makes the new identity: first its copy for whoever holds the recovery identity, then the file, which nobody else may
 * read. Throws SOTTO-ROTATE-005, and leaves no key that nobody can get back.
 */
async function writeNewKey(path: string, name: string, recovery: readonly string[], now: Date): Promise<AgeIdentity> {
  const { identity, keyFile } = makeIdentity(now);
  using content = keyFile;
  try {
    if (recovery.length > 0) {
      const copy = await encryptForRecipients(content.reveal(), recovery);
      keepFormerCopy(`${path}${RECOVERY}`, name);
      writeDurably(`${path}${RECOVERY}`, Buffer.from(copy), 0o644);
    }
    writeDurably(path, content.reveal(), 0o600);
  } catch (cause) {
    throw cause instanceof SottoError ? cause : unusable(name, reasonOf(cause));
  }
  return identity;
}

const RECOVERY = '.recovery.age';
const MOST_COPIES = 1000;

/** It may be the only one of the key before, whose file is long gone: it goes on under a name with a number. */
function keepFormerCopy(copy: string, name: string): void {
  if (!existsSync(copy)) return;
  for (let number = 1; number <= MOST_COPIES; number += 1) {
    try {
      linkSync(copy, `${copy}.${number}`);
      return;
    } catch (thrown) {
      if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST')) throw thrown;
    }
  }
  throw unusable(name, `there are ${MOST_COPIES} recovery copies of earlier keys of this name`);
}

/**
 * Whole or not at all. What is beside it, left by a kill or put there by somebody who would read along, is removed and never
 * written into: its rights, or where a link leads, are not ours.
 */
function writeDurably(path: string, bytes: Uint8Array, mode: number): void {
  const beside = `${path}.tmp`;
  rmSync(beside, { force: true });
  const fd = openSync(beside, 'wx', mode);
  try {
    try {
      let written = 0;
      while (written < bytes.length) written += writeSync(fd, bytes, written);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, path);
    syncFolder(dirname(path));
  } catch (cause) {
    rmSync(beside, { force: true });
    throw cause;
  }
}

function unusable(file: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-005',
    what: 'the file for the new key cannot be used',
    why,
    next: 'name a new file in a folder outside of the checkout, or one with the new identity alone: --new-key /dev/shm/new.txt',
    file,
  });
}
