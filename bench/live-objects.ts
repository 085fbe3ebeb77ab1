import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { type Json, parseJson, stringAt } from '../src/core/json.ts';
import type { ControlPlaneAccess } from '../src/demo/control-plane.ts';

/** An object as the API server has it now, and when this process heard of it. */
export interface Seen {
  readonly object: Json;
  /** `performance.now()` of the event. */
  readonly atMs: number;
}

export interface LiveObjects extends Disposable {
  readonly count: number;
  get(kind: WatchedKind, name: string): Seen | undefined;
  /** Looks after each event until there is an answer. */
  until<T>(what: string, look: () => T | undefined): Promise<T>;
}

export interface Following {
  readonly access: ControlPlaneAccess;
  readonly namespace: string;
  readonly signal: AbortSignal;
}

export type WatchedKind = keyof typeof COLLECTIONS;

const COLLECTIONS = {
  ConfigMap: 'api/v1/namespaces/NAMESPACE/configmaps',
  Secret: 'api/v1/namespaces/NAMESPACE/secrets',
  Service: 'api/v1/namespaces/NAMESPACE/services',
  Deployment: 'apis/apps/v1/namespaces/NAMESPACE/deployments',
};

const UNTIL_TIMEOUT_MS = 180_000;

/** Watches a namespace as cluster admin, as an observer who knows nothing of the agent. */
export async function followObjects({ access, namespace, signal }: Following): Promise<LiveObjects> {
  const agent = new Agent({
    ca: await readFile(access.caPath),
    cert: await readFile(access.adminCertificatePath),
    key: await readFile(access.adminKeyPath),
  });
  const objects = new Map<string, Seen>();
  const lookers = new Set<() => void>();
  let broken: Error | undefined;
  const onEvent = (kind: string, line: string): void => {
    const event = parseJson(line);
    const object = (event as { readonly object?: Json }).object ?? null;
    const key = `${kind}/${stringAt(object, 'metadata', 'name') ?? ''}`;
    if (stringAt(event, 'type') === 'DELETED') objects.delete(key);
    else objects.set(key, { object, atMs: performance.now() });
    for (const look of lookers) look();
  };
  const onBroken = (error: Error): void => {
    broken ??= error;
    for (const look of lookers) look();
  };
  const streams = Object.entries(COLLECTIONS).map(([kind, collection]) => {
    const path = collection.replace('NAMESPACE', namespace);
    return openWatch(agent, `${access.url}/${path}`, (line) => onEvent(kind, line), onBroken);
  });
  await Promise.all(streams.map((stream) => stream.opened));
  return {
    get count() {
      return objects.size;
    },
    get: (kind, name) => objects.get(`${kind}/${name}`),
    until: <T>(what: string, look: () => T | undefined) =>
      new Promise<T>((resolve, reject) => {
        const end = (): void => {
          lookers.delete(once);
          clearTimeout(timer);
          signal.removeEventListener('abort', once);
        };
        const once = (): void => {
          const found = look();
          if (found === undefined && broken === undefined && !signal.aborted) return;
          end();
          if (found === undefined) reject(broken ?? new Error('interrupted'));
          else resolve(found);
        };
        const timer = setTimeout(() => (end(), reject(new Error(`did not happen: ${what}`))), UNTIL_TIMEOUT_MS);
        lookers.add(once);
        signal.addEventListener('abort', once);
        once();
      }),
    [Symbol.dispose]: () => {
      for (const stream of streams) stream.close();
      agent.destroy();
    },
  };
}

interface OpenWatch {
  readonly opened: Promise<void>;
  close(): void;
}

function openWatch(
  agent: Agent,
  collection: string,
  onLine: (line: string) => void,
  onBroken: (error: Error) => void,
): OpenWatch {
  let isClosed = false;
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
  const failed = (error: Error): void => {
    reject(error);
    if (!isClosed) onBroken(error);
  };
  const outgoing = request(`${collection}?watch=1&timeoutSeconds=86400`, { agent }, (incoming) => {
    if (incoming.statusCode !== 200) return failed(new Error(`watch of ${collection}: ${incoming.statusCode}`));
    resolve();
    let rest = '';
    incoming.setEncoding('utf8').on('data', (piece: string) => {
      const lines = (rest + piece).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
    incoming.once('end', () => failed(new Error(`watch of ${collection} ended`)));
    incoming.once('error', failed);
  });
  outgoing.once('error', failed);
  outgoing.end();
  return {
    opened,
    close: () => {
      isClosed = true;
      outgoing.destroy();
    },
  };
}
