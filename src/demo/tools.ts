import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { buildModule, cachedBinary, isFile } from './tool-build.ts';
import type { ToolProgress } from './tool-build.ts';
import { compareVersions, pinTool } from './tool-list.ts';
import type { PinnedTool, ToolName } from './tool-list.ts';

export type { ToolProgress } from './tool-build.ts';
export { isToolName, toolNames } from './tool-list.ts';
export type { ToolName } from './tool-list.ts';

export interface ToolsOptions {
  /** The checkout: the folder that holds `test/tools`. */
  readonly packageRoot: string;
  readonly onProgress?: ((progress: ToolProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** PATH, KUBEBUILDER_ASSETS, SOTTO_TOOLS_CACHE, XDG_CACHE_HOME, and what Go reads. */
  readonly env: NodeJS.ProcessEnv;
}

export interface ToolsFound {
  /** The program of each tool that is there. */
  readonly paths: ReadonlyMap<ToolName, string>;
  /** Not installed, not cached, and Go is not there to build them. */
  readonly missing: readonly ToolName[];
}

/** Tools are missing and cannot be built: a test skips by name, CI fails. */
export class ToolsMissing extends Error {
  readonly code = 'TOOLS_MISSING';
  readonly missing: readonly ToolName[];

  constructor(missing: readonly ToolName[]) {
    super(`${missing.join(', ')} not found, and Go is not there to build them: install Go or set KUBEBUILDER_ASSETS`);
    this.name = 'ToolsMissing';
    this.missing = missing;
  }
}

/** Paths of all named tools, built where needed. Throws ToolsMissing when that cannot be. */
export async function ensureTools<Name extends ToolName>(
  names: readonly Name[],
  options: ToolsOptions,
): Promise<Record<Name, string>> {
  const { paths, missing } = await findOrBuildTools(names, options);
  if (missing.length > 0) throw new ToolsMissing(missing);
  return Object.fromEntries(names.map((name) => [name, paths.get(name)])) as Record<Name, string>;
}

/** Like ensureTools, but what cannot be had is a value and not an error. */
export async function findOrBuildTools(names: readonly ToolName[], options: ToolsOptions): Promise<ToolsFound> {
  const { env } = options;
  const cacheFolder = toolsCacheFolder(env);
  const paths = new Map<ToolName, string>();
  const absent: PinnedTool[] = [];
  for (const name of new Set(names)) {
    const pinned = pinTool(name, options.packageRoot);
    const path = await findTool(pinned, cacheFolder, env);
    if (path === undefined) absent.push(pinned);
    else paths.set(name, path);
  }
  if (absent.length === 0) return { paths, missing: [] };
  const go = await findGo(env);
  if (go === undefined) return { paths, missing: absent.map((pinned) => pinned.tool) };
  for (const tools of Map.groupBy(absent, (pinned) => pinned.moduleFolder).values()) {
    await buildModule(tools, { go, cacheFolder, env, onProgress: options.onProgress, signal: options.signal });
  }
  for (const pinned of absent) paths.set(pinned.tool, cachedBinary(cacheFolder, pinned));
  return { paths, missing: [] };
}

export function toolsCacheFolder(env: NodeJS.ProcessEnv): string {
  if (isSet(env['SOTTO_TOOLS_CACHE'])) return env['SOTTO_TOOLS_CACHE'];
  const caches = isSet(env['XDG_CACHE_HOME']) ? env['XDG_CACHE_HOME'] : join(homedir(), '.cache');
  return join(caches, 'sotto', 'tools');
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

async function findTool(pinned: PinnedTool, cache: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const cached = cachedBinary(cache, pinned);
  return (
    (await findAsset(pinned, env)) ?? (await findOnPath(pinned, env)) ?? ((await isFile(cached)) ? cached : undefined)
  );
}

/** KUBEBUILDER_ASSETS is somebody's decision to run against that version, so any that is new enough is taken. */
async function findAsset(pinned: PinnedTool, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const { oldestAsset, versionArgs } = pinned.recipe;
  if (oldestAsset === undefined || !isSet(env['KUBEBUILDER_ASSETS'])) return undefined;
  const path = join(env['KUBEBUILDER_ASSETS'], pinned.tool);
  const version = await versionOf(path, versionArgs);
  return version !== undefined && compareVersions(version, oldestAsset) >= 0 ? path : undefined;
}

/** What happens to be on PATH must be the pinned version: the tests compare with exactly that one. */
async function findOnPath(pinned: PinnedTool, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of pathFolders(env)) {
    const path = join(folder, pinned.tool);
    const version = await versionOf(path, pinned.recipe.versionArgs);
    if (version !== undefined && compareVersions(version, pinned.version) === 0) return path;
  }
  return undefined;
}

function pathFolders(env: NodeJS.ProcessEnv): readonly string[] {
  return (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
}

async function versionOf(path: string, args: readonly string[]): Promise<string | undefined> {
  if (!(await isFile(path))) return undefined;
  try {
    const { stdout, stderr } = await promisify(execFile)(path, [...args], { timeout: 20_000 });
    return /\d+\.\d+\.\d+/.exec(stdout + stderr)?.[0];
  } catch {
    return undefined;
  }
}

async function findGo(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of pathFolders(env)) {
    const path = join(folder, 'go');
    if (await isFile(path)) return path;
  }
  return undefined;
}
