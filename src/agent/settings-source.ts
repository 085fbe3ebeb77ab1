import { readFile } from 'node:fs/promises';
import type { Clock } from '../core/clock.ts';
import { asSottoError, SottoError } from '../core/errors.ts';
import { type Json, stringAt } from '../core/json.ts';
import { SETTINGS_KEY, SETTINGS_NAME } from '../core/labels.ts';
import { kubeError } from '../kube/errors.ts';
import { getObject } from '../kube/objects.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import { type Repeat, unrepeated } from '../kube/retry.ts';
import type { Transport } from '../kube/transport.ts';
import { watchResource } from '../kube/watch.ts';
import { nextSettings, NO_SETTINGS, type SettingsState, settingsUnreadable } from '../settings/last-good.ts';

/** Where the settings come from: a file that is watched, or ConfigMap `sotto` that is watched. */
export type SettingsOrigin =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'configmap'; readonly namespace: string };

export interface SettingsSourceOptions {
  readonly origin: SettingsOrigin;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  onChange(state: SettingsState): void;
  onDefect(thrown: unknown): void;
  /** For tests: a watcher that fails on demand. */
  watchFile?(path: string): FileWatcher;
}

/** As much of chokidar's watcher as is needed. */
export interface FileWatcher {
  on(event: 'all' | 'ready', listener: () => void): unknown;
  on(event: 'error', listener: (thrown: unknown) => void): unknown;
  close(): Promise<void>;
}

interface Followed {
  changed(): Promise<void>;
  failed(reason: string): void;
}

/** The first reading; problems are in the state, an unreachable API server is thrown. */
export async function readSettings(
  origin: SettingsOrigin,
  transport: Transport,
  repeat: Repeat = unrepeated,
): Promise<SettingsState> {
  if (origin.kind === 'file') return stateOfFile(NO_SETTINGS, origin.path);
  const target = { resource: CONFIG_MAPS, namespace: origin.namespace, name: SETTINGS_NAME };
  const answer = await repeat(() => getObject(transport, target));
  if (!answer.ok) throw kubeError(answer.failure, { verb: 'get', ...target });
  return stateOfObject(NO_SETTINGS, answer.value, origin.namespace);
}

/** Follows the settings until the signal; a bad change keeps the last good ones and is reported. */
export async function followSettings(initial: SettingsState, options: SettingsSourceOptions): Promise<void> {
  const { origin } = options;
  let state = initial;
  const take = (next: SettingsState): void => {
    if (next === state) return;
    state = next;
    options.onChange(next);
  };
  if (origin.kind === 'file')
    return followFile(origin.path, options, {
      changed: async () => take(await stateOfFile(state, origin.path)),
      // The last good settings stay, and status says that a change of them may go unseen.
      failed: (reason) => take(settingsUnreadable(state, unwatched(origin.path, reason))),
    });
  const { transport, clock, random, signal } = options;
  await watchResource({
    mode: 'full',
    resource: CONFIG_MAPS,
    transport,
    clock,
    random,
    signal,
    namespace: origin.namespace,
    fieldSelector: `metadata.name=${SETTINGS_NAME}`,
    onEvent: (event) => {
      if (event.type === 'added' || event.type === 'modified')
        take(stateOfObject(state, event.object, origin.namespace));
      if (event.type === 'deleted') take(stateOfObject(state, undefined, origin.namespace));
    },
  });
}

/** chokidar, because a mounted ConfigMap changes by a swapped link that a plain watch of the file does not see. */
async function followFile(path: string, options: SettingsSourceOptions, file: Followed): Promise<void> {
  const watcher = options.watchFile?.(path) ?? (await chokidarOf(path));
  // One after the other, so that what was read first is not taken last.
  let reading = Promise.resolve();
  const read = (): void => {
    reading = reading.then(() => file.changed()).catch((thrown: unknown) => options.onDefect(thrown));
  };
  watcher.on('all', read);
  // What changed between the first reading and now is no event.
  watcher.on('ready', read);
  // Without a listener the event would end the process.
  watcher.on('error', (thrown) => file.failed(reasonOf(thrown)));
  const { promise, resolve } = Promise.withResolvers<void>();
  options.signal.addEventListener('abort', () => resolve(), { once: true });
  if (!options.signal.aborted) await promise;
  await watcher.close();
}

async function chokidarOf(path: string): Promise<FileWatcher> {
  const { watch } = await import('chokidar');
  return watch(path, { ignoreInitial: true, awaitWriteFinish: { stabilityThreshold: 50, pollInterval: 20 } });
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'no reason';
}

async function stateOfFile(state: SettingsState, path: string): Promise<SettingsState> {
  try {
    return nextSettings(state, await readFile(path, 'utf8'), path);
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown)
      return settingsUnreadable(state, unreadable(path, String(thrown.code)));
    throw asSottoError(thrown);
  }
}

function stateOfObject(state: SettingsState, object: Json | undefined, namespace: string): SettingsState {
  const text = object === undefined ? undefined : stringAt(object, 'data', SETTINGS_KEY);
  if (text !== undefined) return nextSettings(state, text, `ConfigMap/${SETTINGS_NAME}`);
  return settingsUnreadable(
    state,
    new SottoError({
      code: 'SOTTO-CONF-012',
      what: 'there are no settings',
      why:
        object === undefined
          ? `ConfigMap ${SETTINGS_NAME} does not exist in namespace ${namespace}`
          : `ConfigMap ${SETTINGS_NAME} has no key ${SETTINGS_KEY}`,
      next: `kubectl create configmap ${SETTINGS_NAME} -n ${namespace} --from-file=${SETTINGS_KEY}`,
      object: `ConfigMap/${SETTINGS_NAME}`,
    }),
  );
}

function unwatched(path: string, reason: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CONF-012',
    what: 'the settings file cannot be watched',
    why: `the system says ${reason}; the last good settings stay, and a change may go unseen`,
    next: 'see the limits of inotify (sysctl fs.inotify), then start the agent anew',
    file: path,
  });
}

function unreadable(path: string, reason: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CONF-012',
    what: 'the settings cannot be read',
    why: reason === 'ENOENT' ? 'the file does not exist' : `the system says ${reason}`,
    next: 'create the file, or name another one: sotto agent --config FILE',
    file: path,
  });
}
