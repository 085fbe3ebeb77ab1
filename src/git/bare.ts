import { mkdir, rm, writeFile } from 'node:fs/promises';
import type { GitUrl } from './address.ts';
import { quote } from './credential.ts';

/**
 * An empty bare repository, written by hand: `git init` would copy templates, and the configuration must be complete
 * before git sees the folder. It is the only place configuration comes from besides the private file of a command.
 */
export async function writeBareRepository(folder: string, url: GitUrl, timeoutMs: number): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  await mkdir(folder, { mode: 0o700, recursive: true });
  for (const inner of ['objects', 'objects/info', 'objects/pack', 'refs', 'refs/heads']) {
    await mkdir(`${folder}/${inner}`, { mode: 0o700 });
  }
  await writeFile(`${folder}/config`, bareConfig(url, timeoutMs), { mode: 0o600 });
  await writeFile(`${folder}/HEAD`, 'ref: refs/heads/none\n', { mode: 0o600 });
}

/** Each line takes a power away from whoever runs the server or wrote the repository (docs/threat-model.md). */
function bareConfig(url: GitUrl, timeoutMs: number): string {
  const sections: Record<string, readonly string[]> = {
    core: [
      'repositoryFormatVersion = 1',
      'bare = true',
      'hooksPath = /dev/null',
      'symlinks = false',
      'fsmonitor = false',
      'askPass = ""',
      // Blobs above it are checked and stored by streaming, not in memory.
      'bigFileThreshold = 8m',
    ],
    extensions: ['partialClone = origin'],
    'remote "origin"': [
      `url = ${quote(url)}`,
      'promisor = true',
      'partialCloneFilter = blob:none',
      'tagOpt = --no-tags',
    ],
    protocol: ['allow = never', 'version = 2'],
    'protocol "https"': ['allow = always'],
    http: [
      // Also keeps a dumb server from naming other servers (http-alternates).
      'followRedirects = false',
      'sslVerify = true',
      'saveCookies = false',
      'emptyAuth = false',
      'lowSpeedLimit = 1',
      `lowSpeedTime = ${Math.max(1, Math.ceil(timeoutMs / 1000))}`,
    ],
    transfer: ['fsckObjects = true', 'credentialsInUrl = die', 'bundleURI = false'],
    // Old histories have them, and nothing here reads modes or dates by them.
    'fetch "fsck"': ['zeroPaddedFilemode = ignore', 'badTimezone = ignore', 'missingSpaceBeforeDate = ignore'],
    // Always packs: many loose files cost inodes of the volume, and the download is watched in one folder.
    fetch: ['unpackLimit = 1', 'recurseSubmodules = no', 'writeCommitGraph = false', 'showForcedUpdates = false'],
    submodule: ['recurse = false'],
    credential: ['helper = ""', 'interactive = never'],
    gc: ['auto = 0', 'autoDetach = false'],
    maintenance: ['auto = false', 'autoDetach = false'],
    advice: ['fetchShowForcedUpdates = false'],
  };
  return Object.entries(sections)
    .map(([name, lines]) => `[${name}]\n${lines.map((line) => `\t${line}\n`).join('')}`)
    .join('');
}
