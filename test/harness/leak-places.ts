import { execFile } from 'node:child_process';
import { type Dirent, existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { arrayAt, isJsonObject, type Json, memberAt, stringAt, stringifyJson } from '../../src/core/json.ts';
import { isolatedGitEnv } from '../../src/demo/git-repository.ts';
import { LAST_PREFIX } from '../../src/core/labels.ts';
import type { RunningAgent } from './agent.ts';
import { lastOpened } from './last-opened.ts';
import type { ProcessSample } from './process-sampler.ts';
import type { Place } from './place.ts';

/** Something that people other than the reader of a Secret may come to see. */
export interface Item {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const run = promisify(execFile);
const LISTENER_PATHS = ['metrics', 'readyz', 'healthz', 'v1/cert.pem'];
const LARGEST_FILE_BYTES = 256 * 1024 * 1024;

/** What the agent answers to whoever reaches its ports; nothing before it listens. */
export async function listenerItems(agent: RunningAgent): Promise<readonly Item[]> {
  const said = agent.log.find(({ msg }) => msg === 'listening');
  if (said === undefined) return [];
  const probes = await agent.listening();
  // Its place may change, and be none; an agent in a network of its own has a loopback of its own, and a page for nobody.
  const page = said['port'] === probes.port ? agent.log.findLast(({ msg }) => msg === 'page listening') : undefined;
  const places = [
    ...LISTENER_PATHS.map((path) => ({ at: probes, path })),
    ...(page === undefined ? [] : [{ at: { host: page['host'], port: page['port'] }, path: 'status.json' }]),
  ];
  return Promise.all(
    places.map(async ({ at, path }) => {
      const answer = await askOnce(`http://${String(at.host)}:${String(at.port)}/${path}`);
      return { name: `/${path}`, bytes: new Uint8Array(await answer.arrayBuffer()) };
    }),
  );
}

/** Nothing before it listens. */
export async function metricsOf(agent: RunningAgent): Promise<string> {
  if (!agent.log.some(({ msg }) => msg === 'listening')) return '';
  const { host, port } = await agent.listening();
  return (await askOnce(`http://${host}:${port}/metrics`)).text();
}

/** On a connection of its own: one that is kept may be closed by the agent at the moment of the next question. */
function askOnce(url: string): Promise<Response> {
  return fetch(url, { headers: { connection: 'close' } });
}

/** Every object of the place of every kind that can be listed; of Secrets all but their values. */
export async function apiItems({ own, namespace }: Place): Promise<readonly Item[]> {
  const namespaces = [namespace, ...(await targetsOf(own.plane, namespace))];
  const items: Item[] = [];
  // Sealed: what is in there is looked at as whoever has the key sees it.
  for (const { name, text } of await lastOpened(own.plane, namespace)) items.push({ name, bytes: Buffer.from(text) });
  for (const { prefix, plural } of await listableKinds(own.plane)) {
    for (const each of namespaces) {
      const { status, body } = await own.plane.admin('GET', `${prefix}/namespaces/${each}/${plural}`);
      // A kind that another test has defined may be gone by now.
      if (status === 404) continue;
      if (status !== 200) throw new Error(`${prefix} ${plural} cannot be listed: ${status}`);
      for (const object of arrayAt(body, 'items')) {
        const name = `${plural}/${stringAt(object, 'metadata', 'name') ?? ''}`;
        const shown = prefix === '/api/v1' && plural === 'secrets' ? withoutValues(object) : object;
        items.push({ name, bytes: Buffer.from(stringifyJson(shown)) }, ...unpacked(name, shown));
      }
    }
  }
  return items;
}

/** Where the settings, good or bad, want objects to be written. */
async function targetsOf(plane: Place['own']['plane'], namespace: string): Promise<readonly string[]> {
  const { body } = await plane.admin('GET', `/api/v1/namespaces/${namespace}/configmaps/sotto`);
  const text = stringAt(body, 'data', 'sotto.yaml') ?? '';
  return [...text.matchAll(/targetNamespace"?: *"?([a-z0-9-]+)/g)].flatMap(([, found]) => found ?? []);
}

async function listableKinds(plane: Place['own']['plane']) {
  const groups = (await plane.admin('GET', '/apis')).body;
  const versions = arrayAt(groups, 'groups').flatMap((group) => arrayAt(group, 'versions'));
  const prefixes = ['/api/v1', ...versions.map((version) => `/apis/${stringAt(version, 'groupVersion') ?? ''}`)];
  const kinds: { prefix: string; plural: string }[] = [];
  for (const prefix of prefixes) {
    for (const resource of arrayAt((await plane.admin('GET', prefix)).body, 'resources')) {
      const plural = stringAt(resource, 'name') ?? '';
      const canList = arrayAt(resource, 'verbs').includes('list') && memberAt(resource, 'namespaced') === true;
      if (canList) kinds.push({ prefix, plural });
    }
  }
  return kinds;
}

function withoutValues(object: Json): Json {
  if (!isJsonObject(object)) return object;
  return Object.fromEntries(Object.entries(object).filter(([key]) => key !== 'data' && key !== 'stringData'));
}

/** Compressed entries of an object (the inventory is one), as they were before. */
function unpacked(name: string, object: Json): Item[] {
  if (name.startsWith(`configmaps/${LAST_PREFIX}`)) return [];
  const entries = ['data', 'binaryData'].flatMap((field) => Object.entries(memberAt(object, field) ?? {}));
  return entries.flatMap(([key, value]) => {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : Buffer.alloc(0);
    const start = bytes.indexOf(Buffer.of(0x1f, 0x8b, 0x08));
    return start === -1 ? [] : [{ name: `${name} ${key}`, bytes: gunzipSync(bytes.subarray(start)) }];
  });
}

/** Arguments, environment and folder of the agent and all that it started. */
export function processItems(samples: readonly ProcessSample[]): readonly Item[] {
  return samples.map(({ pid, argv, environ, cwd }) => ({
    name: `process ${pid} ${argv.replaceAll('\0', ' ')}`,
    bytes: Buffer.from([argv, environ, cwd].join('\n'), 'latin1'),
  }));
}

/** Every file below the folders of the test and of the agent, and what Git keeps compressed there. */
export async function fileItems(
  world: Place,
  samples: readonly ProcessSample[],
  since: Date,
): Promise<readonly Item[]> {
  const folders = new Set([world.folder, join(world.repository.folder, '..', '..'), ...workFolders(samples)]);
  const items: Item[] = [];
  for (const folder of folders) items.push(...(await filesBelow(folder)));
  for (const folder of new Set([tmpdir(), '/dev/shm', process.cwd()])) items.push(...(await newFilesIn(folder, since)));
  return items;
}

/** The agent makes its work folder itself; its children are told where it is. */
function workFolders(samples: readonly ProcessSample[]): string[] {
  const texts = samples.flatMap(({ argv, environ, cwd }) => [argv, environ, cwd]);
  const found = texts.flatMap((text) => text.match(/\/(?:dev\/shm|tmp)\/sotto-[\w-]+/g) ?? []);
  return found.filter((folder) => !folder.includes('sotto-control-plane-'));
}

export async function filesBelow(folder: string): Promise<Item[]> {
  const entries = await entriesOf(folder);
  const items = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesBelow(path);
      return entry.isFile() ? fileItem(path) : [];
    }),
  );
  const isRepository = existsSync(join(folder, 'HEAD')) && existsSync(join(folder, 'objects'));
  return [...items.flat(), ...(isRepository ? [await objectsOf(folder)] : [])];
}

/** Dumps and reports that a runtime drops where it stands. */
async function newFilesIn(folder: string, since: Date): Promise<Item[]> {
  const items: Item[] = [];
  for (const entry of await entriesOf(folder)) {
    if (!entry.isFile()) continue;
    const path = join(folder, entry.name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.mtime >= since) items.push(...(await fileItem(path)));
  }
  return items;
}

async function fileItem(path: string): Promise<Item[]> {
  try {
    if ((await stat(path)).size > LARGEST_FILE_BYTES) throw new Error(`${path} is too large to be searched`);
    return [{ name: path, bytes: await readFile(path) }];
  } catch (thrown) {
    if (isGone(thrown)) return [];
    throw thrown;
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (thrown) {
    if (isGone(thrown)) return [];
    throw thrown;
  }
}

function isGone(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
}

/** All commits, trees and blobs of a repository, uncompressed, reachable or not. */
async function objectsOf(repository: string): Promise<Item> {
  const env = { ...isolatedGitEnv('/nonexistent'), GIT_NO_LAZY_FETCH: '1' };
  const args = ['--git-dir', repository, '-c', 'safe.directory=*', 'cat-file', '--batch-all-objects', '--batch'];
  const options = { env, encoding: 'buffer', maxBuffer: LARGEST_FILE_BYTES } as const;
  const { stdout } = await run('git', [...args, '--unordered'], options);
  return { name: `git objects of ${repository}`, bytes: stdout };
}
