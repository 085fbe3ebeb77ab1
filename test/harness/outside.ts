import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Json, type JsonObject, parseJson, stringAt } from '../../src/core/json.ts';
import type { AuditEntry } from '../../src/demo/control-plane.ts';
import { requestsFromNow, shown } from './requests.ts';
import { eventually, type World } from './world.ts';

/** Somebody besides the agent, with kubectl or a controller. Every change is remembered by its resourceVersion. */
export interface Outside {
  /** A merge patch unless said otherwise; `manager` is the field manager. */
  patch(path: string, body: Json, manager: string, form?: 'merge' | 'json' | 'strategic'): Promise<number>;
  apply(path: string, body: JsonObject, manager: string, force?: boolean): Promise<number>;
  replace(path: string, body: JsonObject, manager: string): Promise<number>;
  scale(path: string, replicas: number, manager: string): Promise<number>;
  status(path: string, status: JsonObject): Promise<number>;
  create(collection: string, body: JsonObject, manager: string): Promise<number>;
  remove(path: string): Promise<number>;
  get(path: string): Promise<Json | undefined>;
}

/** What an agent did about one thing that happened outside. */
export interface Reaction {
  /** Its successful writes, by steps of the resourceVersion that nobody else made. */
  readonly writes: number;
  /** Everything else that it asked: reads, writes that changed nothing, and refused ones. */
  readonly reads: number;
  readonly calls: readonly AuditEntry[];
}

const FORMS = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
};

/** The agent's own records and Events: not part of what a row counts. */
const RECORDS: ReadonlySet<string> = new Set(['sotto-inventory', 'sotto-status', 'sotto-requests']);
const isRecord = ({ name, resource }: AuditEntry): boolean =>
  resource === 'events' || RECORDS.has(name) || name.startsWith('sotto-last-');

const by = (path: string, manager: string): string => `${path}?fieldManager=${manager}`;

export function outsideOf(world: World, changed: (version: string) => void = () => undefined): Outside {
  const { plane } = world.own;
  const send = async (method: string, path: string, body?: JsonObject | string, type?: string): Promise<number> => {
    const answer = await plane.admin(method, path, body, type);
    if (answer.status < 300) changed(stringAt(answer.body, 'metadata', 'resourceVersion') ?? '');
    return answer.status;
  };
  return {
    patch: (path, body, manager, form = 'merge') => send('PATCH', by(path, manager), JSON.stringify(body), FORMS[form]),
    apply: (path, body, manager, force = false) =>
      send('PATCH', `${by(path, manager)}&force=${force}`, body, 'application/apply-patch+yaml'),
    replace: (path, body, manager) => send('PUT', by(path, manager), body),
    scale: (path, replicas, manager) =>
      send('PATCH', by(`${path}/scale`, manager), { spec: { replicas } }, FORMS.merge),
    status: (path, status) => send('PATCH', by(`${path}/status`, 'kube-controller-manager'), { status }, FORMS.merge),
    create: (collection, body, manager) => send('POST', by(collection, manager), body),
    remove: (path) => send('DELETE', path),
    get: (path) => world.get(path),
  };
}

/** Sees every version of the objects of some collections, as the server's own history has them. */
export interface History extends Disposable {
  /** Versions that an object of a collection was written at since then, deletions not among them. */
  since(path: string, version: string): readonly string[];
}

export async function startHistory(world: World, collections: readonly string[]): Promise<History> {
  const { access } = world.own.plane;
  const [ca, cert, key] = await Promise.all(
    [access.caPath, access.adminCertificatePath, access.adminKeyPath].map((path) => readFile(path)),
  );
  const seen: { readonly path: string; readonly version: string }[] = [];
  const agent = new Agent({ ca, cert, key, checkServerIdentity: () => undefined });
  const open = (collection: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const outgoing = request(`${access.url}${collection}?watch=true`, { agent }, (answer) => {
        resolve();
        let rest = '';
        answer.on('error', () => undefined);
        answer.setEncoding('utf8').on('data', (text: string) => {
          const lines = `${rest}${text}`.split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) note(collection, parseJson(line));
        });
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  const note = (collection: string, event: Json | undefined): void => {
    const type = stringAt(event, 'type');
    if (type !== 'ADDED' && type !== 'MODIFIED') return;
    const name = stringAt(event, 'object', 'metadata', 'name') ?? '';
    seen.push({
      path: `${collection}/${name}`,
      version: stringAt(event, 'object', 'metadata', 'resourceVersion') ?? '',
    });
  };
  await Promise.all(collections.map(open));
  return {
    since: (path, version) =>
      seen.filter((each) => each.path === path && Number(each.version) > Number(version)).map((each) => each.version),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

export interface Happening {
  /** Objects whose versions count. */
  readonly paths: readonly string[];
  /** What is done before anybody counts. */
  readonly before?: (outside: Outside) => Promise<void>;
  readonly act: (outside: Outside) => Promise<void>;
  /** As it should be, and stay. */
  readonly holds: () => Promise<boolean>;
  readonly quietMs?: number;
}

/** Lets the thing happen, waits until the objects are as they should be and stay so, and counts. */
export async function reactionTo(world: World, history: History, happening: Happening): Promise<Reaction> {
  const { paths, before: prepare, act, holds, quietMs = 300 } = happening;
  const foreign = new Set<string>();
  await prepare?.(outsideOf(world));
  const before = await newestVersion(world);
  const requests = await requestsFromNow(world);
  await act(outsideOf(world, (version) => foreign.add(version)));
  await eventually('the object is as it should be', async () => ((await holds()) ? true : undefined));
  await sleep(quietMs);
  const calls = (await requests.calls()).filter((call) => !isRecord(call));
  if (!(await holds())) throw new Error(`the object did not stay as it should be\n${shown(calls).join('\n')}`);
  const steps = paths.flatMap((path) => history.since(path, before));
  const writes = new Set(steps.filter((version) => !foreign.has(version))).size;
  return { writes, reads: calls.length - writes, calls };
}

export function told({ writes, reads, calls }: Reaction): string {
  return [`${writes} writes, ${reads} reads`, ...shown(calls)].join('\n');
}

async function newestVersion(world: World): Promise<string> {
  const list = await world.get(`/api/v1/namespaces/${world.namespace}/configmaps?limit=1`);
  return stringAt(list, 'metadata', 'resourceVersion') ?? '0';
}
