import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { SottoError } from '../../core/errors.ts';
import { arrayAt, type Json, numberAt, parseJson, stringAt } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { shellWord } from '../../core/shell-word.ts';
import type { HandField } from '../../drift/undone-fields.ts';
import { findProgram } from '../../render/kustomize/find-program.ts';
import { findAgentPod } from '../agent-pod.ts';
import type { Cluster, ClusterFlags } from '../cluster.ts';
import type { CommandContext } from '../context.ts';

/** An undone change as the agent tells it; of somebody else's making until it is looked at. */
export interface UndoneByAgent {
  readonly n: number;
  readonly at: string;
  readonly object: string;
  readonly apiVersion: string;
  readonly namespace: string;
  readonly sync: string;
  readonly file: string;
  readonly revision: string;
  readonly manager: string;
  readonly paths: readonly string[];
  readonly fields: readonly HandField[];
  readonly withheld: readonly string[];
}

const DEFAULT_PORT = 8081;
const FORWARD_MS = 15_000;
const READ_MS = 10_000;
const MAX_BYTES = 4 * (LIMITS.maxStatusBytes + LIMITS.maxUndoneBytes);

/** What the agent has undone, newest first: by `--page`, else through `kubectl port-forward`. Throws SOTTO-CLI-200. */
export async function readUndone(
  cluster: Cluster,
  flags: ClusterFlags & { readonly page?: string },
  context: CommandContext,
): Promise<UndoneByAgent[]> {
  if (flags.page !== undefined) return undoneIn(await statusAt(pageUrl(flags.page), context.signal));
  const program = await findProgram('kubectl', context.env['PATH']);
  if (program === undefined) throw notAsked(cluster, 'kubectl is not on PATH, which leads to the agent');
  const pod = await findAgentPod(cluster, context.signal);
  const args = [
    'port-forward',
    `pod/${pod.name}`,
    '-n',
    cluster.namespace,
    '--address',
    '127.0.0.1',
    `:${DEFAULT_PORT}`,
  ];
  if (flags.kubeconfig !== undefined) args.push('--kubeconfig', flags.kubeconfig);
  if (flags.context !== undefined) args.push('--context', flags.context);
  const child = spawn(program, args, {
    env: environment(context.env),
    cwd: context.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    const port = await forwardedPort(child, context.signal);
    if (port === undefined) throw notAsked(cluster, 'kubectl port-forward did not lead to its Pod');
    return undoneIn(await statusAt(new URL(`http://127.0.0.1:${port}/`), context.signal));
  } finally {
    child.kill('SIGTERM');
  }
}

/** Fields whose form is known; one of another version of the agent is left out rather than guessed at. */
function undoneIn(status: Json): UndoneByAgent[] {
  return arrayAt(status, 'undone').flatMap((edit) => {
    const text = (key: string): string => stringAt(edit, key) ?? '';
    const fields = arrayAt(edit, 'fields').flatMap((field) => fieldIn(field) ?? []);
    const n = numberAt(edit, 'n');
    if (n === undefined || fields.length === 0 || fields.length !== arrayAt(edit, 'fields').length) return [];
    const names = { object: text('object'), apiVersion: text('apiVersion'), namespace: text('namespace') };
    const place = { sync: text('sync'), file: text('file'), revision: text('revision') };
    const paths = arrayAt(edit, 'fields').flatMap((field) => stringAt(field, 'path') ?? []);
    const withheld = arrayAt(edit, 'withheld').filter((each) => typeof each === 'string');
    return [{ n, at: text('at'), ...names, ...place, manager: text('manager'), paths, fields, withheld }];
  });
}

function fieldIn(field: Json): HandField | undefined {
  const tokens = arrayAt(field, 'field').filter((token) => typeof token === 'string');
  if (tokens.length === 0 || !tokens.every((token) => isToken(token))) return undefined;
  const json = stringAt(field, 'json');
  if (json === undefined) return { field: tokens };
  try {
    return { field: tokens, value: parseJson(json) };
  } catch {
    return undefined;
  }
}

function isToken(token: string): boolean {
  if (token.startsWith('f:')) return true;
  if (token.startsWith('i:')) return /^i:\d{1,9}$/.test(token);
  try {
    return /^[kv]:/.test(token) && parseJson(token.slice(2)) !== undefined;
  } catch {
    return false;
  }
}

async function statusAt(url: URL, signal: AbortSignal): Promise<Json> {
  const where = new URL('/status.json', url);
  try {
    const answer = await fetch(where, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(READ_MS)]),
      redirect: 'error',
      headers: { connection: 'close' },
    });
    const text = await answer.text();
    if (answer.status !== 200 || text.length > MAX_BYTES) throw new Error(`it answers ${answer.status}`);
    return parseJson(text);
  } catch (cause) {
    signal.throwIfAborted();
    throw pageFailed(where, cause instanceof Error ? cause.message : 'no answer');
  }
}

/** Undefined: it ended, or says nothing for too long. */
async function forwardedPort(child: ChildProcess, signal: AbortSignal): Promise<number | undefined> {
  let said = '';
  const found = new Promise<number | undefined>((resolve) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-4_096);
      const port = /Forwarding from 127\.0\.0\.1:(\d{1,5})/.exec(said)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    child.once('error', () => resolve(undefined));
    child.once('close', () => resolve(undefined));
  });
  const late = new AbortController();
  const waited = sleep(FORWARD_MS, undefined, { signal: AbortSignal.any([signal, late.signal]) }).catch(
    () => undefined,
  );
  const port = await Promise.race([found, waited]);
  late.abort();
  signal.throwIfAborted();
  return port;
}

/** kubectl runs login plugins with what they need, but needs no private key. */
function environment(env: CommandContext['env']): Record<string, string> {
  const kept = Object.entries(env).filter(([name]) => !/^(?:SOPS|SOTTO)_/.test(name));
  return Object.fromEntries(kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

function pageUrl(text: string): URL {
  const url = URL.parse(text);
  const isLocal = url !== null && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (isLocal && url.protocol === 'http:') return url;
  throw new SottoError({
    code: 'SOTTO-CLI-200',
    what: 'the agent cannot be asked there',
    why: 'what was undone is told to whoever asks from this machine or its Pod only, over http',
    next: '--page http://127.0.0.1:8081 with kubectl port-forward beside it',
  });
}

function pageFailed(url: URL, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-200',
    what: `the agent does not tell what it has undone at ${url.origin}`,
    why,
    next: 'check page.listen in the settings, and that a port-forward to the agent runs',
  });
}

function notAsked({ namespace }: Cluster, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-200',
    what: 'the agent cannot be asked what it has undone',
    why,
    next: `kubectl -n ${shellWord(namespace)} port-forward deploy/sotto 8081:8081, and in another terminal: sotto keep --page http://127.0.0.1:8081`,
  });
}
