import { randomBytes } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { arrayAt, type Json, memberAt, stringAt, stringifyJson } from '../core/json.ts';
import { kubeError } from '../kube/errors.ts';
import { createObject, mergePatch } from '../kube/objects.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import { REQUESTS_NAME } from '../core/labels.ts';
import type { RequestText } from '../plan/request.ts';
import type { HandledRequest } from '../report/status.ts';
import type { Cluster } from './cluster.ts';
import { followStatus } from './follow-status.ts';

/** Who takes a request up does it at once; longer than this, and nobody is there. */
const TAKE_UP_MS = 15_000;
const CLI_MANAGER = 'sotto-cli';

export interface Asking {
  readonly signal: AbortSignal;
  /** For the end of what was asked, once an agent has taken it up. */
  readonly timeoutMs: number;
  readonly onAccepted: () => void;
}

/**
 * Puts a request before the agent and waits for its answer in the status document. A request that nobody takes up is
 * withdrawn: what happens later must not surprise. Throws SottoError.
 */
export async function askAgent(cluster: Cluster, request: RequestText, asking: Asking): Promise<HandledRequest> {
  const id = newRequestId(request.kind);
  await writeRequest(cluster, id, request);
  const stop = new AbortController();
  const signal = AbortSignal.any([asking.signal, stop.signal]);
  const { promise, resolve } = Promise.withResolvers<HandledRequest | undefined>();
  let isAccepted = false;
  let timer = setTimeout(() => resolve(undefined), TAKE_UP_MS);
  asking.signal.addEventListener('abort', () => resolve(undefined), { once: true });
  const onStatus = (status: Json | undefined): void => {
    const answer = status === undefined ? undefined : answerIn(status, id);
    if (answer === undefined) return;
    if (answer.outcome !== 'accepted') return resolve(answer);
    if (isAccepted) return;
    isAccepted = true;
    clearTimeout(timer);
    timer = setTimeout(() => resolve(undefined), asking.timeoutMs);
    asking.onAccepted();
  };
  const watching = followStatus(cluster, { signal, onStatus, onNote: () => undefined });
  try {
    const answer = await Promise.race([promise, watching.then(() => undefined)]);
    if (answer !== undefined) return answer;
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
  if (isAccepted) throw stillAtIt(cluster);
  await withdraw(cluster, id);
  asking.signal.throwIfAborted();
  throw nobody(cluster);
}

export function newRequestId(kind: string): string {
  return `${kind}-${randomBytes(6).toString('hex')}`;
}

/** Most installs have the ConfigMap, so that the right to change this one is enough. */
export async function writeRequest(cluster: Cluster, id: string, request: RequestText): Promise<void> {
  const { transport, namespace } = cluster;
  const { user } = cluster.connection;
  const target = { resource: CONFIG_MAPS, namespace, name: REQUESTS_NAME };
  const data = { [id]: JSON.stringify(request) };
  const patched = await mergePatch(transport, { ...target, fieldManager: CLI_MANAGER, patch: { data } });
  if (patched.ok) return;
  if (patched.failure.kind === 'forbidden') throw mayNotAsk(cluster);
  if (patched.failure.kind !== 'not-found') throw kubeError(patched.failure, { ...target, verb: 'patch', user });
  const metadata = { name: REQUESTS_NAME, namespace };
  const body = Buffer.from(stringifyJson({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }), 'utf8');
  const created = await createObject(transport, { ...target, fieldManager: CLI_MANAGER, body });
  if (!created.ok) throw kubeError(created.failure, { ...target, verb: 'create', user });
}

async function withdraw({ transport, namespace }: Cluster, id: string): Promise<void> {
  const target = { resource: CONFIG_MAPS, namespace, name: REQUESTS_NAME };
  await mergePatch(transport, { ...target, fieldManager: CLI_MANAGER, patch: { data: { [id]: null } } });
}

const OUTCOMES: readonly HandledRequest['outcome'][] = ['accepted', 'done', 'refused', 'failed'];

function answerIn(status: Json, id: string): HandledRequest | undefined {
  const found = arrayAt(status, 'handled').find((each) => stringAt(each, 'id') === id);
  const outcome = OUTCOMES.find((each) => each === memberAt(found, 'outcome'));
  return outcome === undefined ? undefined : { id, outcome, message: stringAt(found, 'message') ?? '' };
}

/** The right to ask is one of its own, so the general advice (patch on all ConfigMaps) would be far too much. */
function mayNotAsk({ namespace, connection }: Cluster): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-052',
    what: `${connection.user} may not ask the agent in namespace ${namespace}`,
    why: `it takes the right to patch ConfigMap ${REQUESTS_NAME}`,
    next: `kubectl create rolebinding sotto-requests-NAME -n ${namespace} --role=sotto-requests --user=NAME   (by whoever may grant it)`,
  });
}

function nobody({ namespace }: Cluster): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-046',
    what: `no agent answers in namespace ${namespace}`,
    why: `nobody took the request up within ${TAKE_UP_MS / 1000} s; it was withdrawn`,
    next: `check the namespace (-n), and the agent: kubectl -n ${namespace} get deploy,pod -l app.kubernetes.io/name=sotto`,
  });
}

function stillAtIt({ namespace }: Cluster): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-047',
    what: 'the agent has not finished yet',
    why: 'it took the request up and goes on with it',
    next: `sotto status -n ${namespace}   (or wait longer: --timeout 30m)`,
  });
}
