import { Agent, request as requestPlain } from 'node:http';
import { Agent as TlsAgent, request as requestTls } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../core/clock.ts';
import { SottoError } from '../core/errors.ts';
import { type Json, type JsonObject, parseJson, stringAt, stringifyJson } from '../core/json.ts';
import type { Connection } from '../kube/connection.ts';
import { loadConnection } from '../kube/connection.ts';
import { AGENT_RULES } from './agent-rules.ts';
import { AGENT_ACCOUNT } from './cluster.ts';
import type { Create, DemoCluster } from './cluster.ts';
import { createBoundAccount, writeKubeconfig } from './control-plane-client.ts';
import type { AdminAnswer } from './control-plane-client.ts';
import { namespaceExists, reasonOf, setupRefused } from './failure.ts';
import type { DemoOptions, ExistingCluster } from './options.ts';
import type { Screen } from './screen.ts';

const REQUEST_TIMEOUT_MS = 30_000;
const REMOVE_TIMEOUT_MS = 60_000;
const REMOVE_POLL_MS = 500;
const TOKEN_SECONDS = 6 * 3600;

/** A cluster that is there: a namespace is made in it, and removed at the end. `folder` holds the agent's kubeconfig. */
export async function useExistingCluster(
  existing: ExistingCluster,
  { env, signal }: DemoOptions,
  screen: Screen,
  folder: string,
): Promise<DemoCluster> {
  screen.working('asking the cluster');
  const { namespace } = existing;
  const connection = await loadConnection({ ...existing, env, clock: systemClock });
  for (const warning of connection.warnings) screen.detail(warning);
  await using cleanup = new AsyncDisposableStack();
  const client = cleanup.use(adminClient(connection));
  const { admin } = client;
  const version = await answered(() => admin('GET', '/version'), connection);
  signal.throwIfAborted();
  await makeNamespace(admin, namespace, connection);
  cleanup.defer(() => removeNamespace(admin, namespace, screen));
  const create = creator(admin, connection);
  const account = { namespace, name: AGENT_ACCOUNT, rules: AGENT_RULES, tokenSeconds: TOKEN_SECONDS };
  const token = await createBoundAccount(create, account);
  const agentKubeconfig = join(folder, 'agent-kubeconfig');
  await writeKubeconfig(agentKubeconfig, { ...serverOf(connection), namespace, user: { token } });
  const running = cleanup.move();
  return {
    described: `${stringAt(version.body, 'gitVersion') ?? 'the API server'} at ${connection.server.host}, ${connection.user}`,
    namespace,
    agentKubeconfig,
    access: { kind: 'flags', flags: flagsOf(existing) },
    storeFolder: undefined,
    admin,
    audit: undefined,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function flagsOf({ kubeconfig, context, namespace }: ExistingCluster): readonly string[] {
  return [
    ...(kubeconfig === undefined ? [] : [`--kubeconfig ${kubeconfig}`]),
    ...(context === undefined ? [] : [`--context ${context}`]),
    `-n ${namespace}`,
  ];
}

type Admin = DemoCluster['admin'];

function adminClient(connection: Connection): Disposable & { readonly admin: Admin } {
  const { server, tls } = connection;
  const isTls = server.protocol === 'https:';
  const agent = isTls ? new TlsAgent({ keepAlive: true, ...tls }) : new Agent({ keepAlive: true });
  const send = isTls ? requestTls : requestPlain;
  const admin: Admin = async (method, path, body) => {
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const headers = {
      ...(await connection.authorize(false)),
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': contentType }),
    };
    const url = new URL(server.pathname.replace(/\/$/, '') + path, server);
    return new Promise((resolve, reject) => {
      const outgoing = send(url, { method, agent, headers, timeout: REQUEST_TIMEOUT_MS }, (incoming) => {
        const pieces: Buffer[] = [];
        incoming.on('data', (piece: Buffer) => pieces.push(piece));
        incoming.once('error', reject);
        incoming.once('end', () => {
          const text = Buffer.concat(pieces).toString();
          const isJson = incoming.headers['content-type']?.startsWith('application/json') === true;
          resolve({ status: incoming.statusCode ?? 0, body: isJson ? parseJson(text) : text });
        });
      });
      outgoing.once('timeout', () => outgoing.destroy(new Error('the API server does not answer')));
      outgoing.once('error', reject);
      outgoing.end(body === undefined ? undefined : stringifyJson(body));
    });
  };
  return { admin, [Symbol.dispose]: () => agent.destroy() };
}

async function answered(ask: () => Promise<AdminAnswer>, connection: Connection): Promise<AdminAnswer> {
  try {
    return await ask();
  } catch (thrown) {
    if (thrown instanceof SottoError) throw thrown;
    const where = `${connection.server.host} (${connection.user})`;
    throw setupRefused('its namespace', `${where}: ${reasonOf(thrown)}`, 'check the cluster: kubectl version');
  }
}

async function makeNamespace(admin: Admin, name: string, connection: Connection): Promise<void> {
  const metadata = { name, labels: { 'app.kubernetes.io/managed-by': 'sotto-demo' } };
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata };
  const answer = await answered(() => admin('POST', '/api/v1/namespaces', body), connection);
  if (answer.status === 201) return;
  if (answer.status === 409) throw namespaceExists(name, connection.user);
  throw refused(`namespace ${name}`, answer, connection);
}

function creator(admin: Admin, connection: Connection): Create {
  return async (path: string, body: JsonObject): Promise<Json> => {
    const answer = await answered(() => admin('POST', path, body), connection);
    if (answer.status !== 201) throw refused(path.split('/').slice(-2).join(' '), answer, connection);
    return answer.body;
  };
}

function refused(what: string, answer: AdminAnswer, connection: Connection): SottoError {
  const reason = stringAt(answer.body, 'reason') ?? 'no reason given';
  const why = `the API server answered ${answer.status} (${reason}) to ${connection.user}`;
  return setupRefused(
    what,
    why,
    'use a context that may make namespaces and Roles: kubectl auth can-i create namespaces',
  );
}

function serverOf({ server, tls }: Connection) {
  return {
    url: server.href.replace(/\/$/, ''),
    caPem: tls.ca === undefined ? undefined : String(tls.ca),
    skipVerification: tls.rejectUnauthorized === false,
    serverName: tls.servername === undefined || tls.servername === '' ? undefined : tls.servername,
  };
}

async function removeNamespace(admin: Admin, namespace: string, screen: Screen): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}`;
  screen.working(`removing namespace ${namespace}`);
  const answer = await admin('DELETE', path).catch((thrown: unknown) => reasonOf(thrown));
  const failure = typeof answer === 'string' ? answer : answer.status >= 400 ? `answer ${answer.status}` : undefined;
  if (failure !== undefined) return screen.failed(`namespace ${namespace} was not removed: ${failure}`);
  const deadlineMs = performance.now() + REMOVE_TIMEOUT_MS;
  while (performance.now() < deadlineMs) {
    const found = await admin('GET', path).catch(() => undefined);
    if (found?.status === 404) return screen.done(`namespace ${namespace} removed`);
    await sleep(REMOVE_POLL_MS);
  }
  screen.done(`namespace ${namespace} is being removed; the cluster is still at it`);
}
