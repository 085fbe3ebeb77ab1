import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import type { Stage } from './stage.ts';

export interface NewFiles {
  readonly contents: readonly Uint8Array[];
  readonly count: number;
}

const MAX_FILE_BYTES = 16 * 1024 ** 2;
const MEMORY_VOLUME = '/dev/shm';

/**
 * Files of the demo and of the agent, and whatever else appeared in the temp folders since the demo began. The
 * store of the API server is left out: it is where the cluster keeps the Secrets.
 */
export async function newFiles({ folder, agent, repository, cluster, startedAt }: Stage): Promise<NewFiles> {
  const own = [folder, agent.workFolder, dirname(dirname(repository.folder))];
  const others = await Promise.all([tmpdir(), MEMORY_VOLUME].map((parent) => entriesSince(parent, startedAt)));
  const contents: Uint8Array[] = [];
  for (const top of new Set([...own, ...others.flat()])) {
    for (const path of await filesBelow(top, cluster.storeFolder)) {
      const found = await stat(path).catch(() => undefined);
      if (found === undefined || found.size > MAX_FILE_BYTES) continue;
      // Other programs' files come and go.
      const content = await readFile(path).catch(() => undefined);
      if (content !== undefined) contents.push(content);
    }
  }
  return { contents, count: contents.length };
}

async function entriesSince(parent: string, startedAt: Date): Promise<readonly string[]> {
  const names = await readdir(parent).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(parent, name);
      const status = await stat(path).catch(() => undefined);
      return status !== undefined && status.birthtimeMs >= startedAt.getTime() ? [path] : [];
    }),
  );
  return found.flat();
}

/** Regular files, no links followed; the path itself when it is one. */
async function filesBelow(top: string, without: string | undefined): Promise<readonly string[]> {
  const entries: readonly Dirent[] | undefined = await readdir(top, { recursive: true, withFileTypes: true }).catch(
    () => undefined,
  );
  if (entries === undefined) return [top];
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => without === undefined || !path.startsWith(without + sep));
}
