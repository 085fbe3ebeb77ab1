import { spawn } from 'node:child_process';
import { timingSafeEqual } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from './certificates.ts';
import { createRepository, isolatedGitEnv, STANDARD_PROGRAM_PATH } from './git-repository.ts';
import type { TestRepository } from './git-repository.ts';

export type { CommitOptions, FileContent, SpecialFile, TestRepository } from './git-repository.ts';

/** Who may come in. `none` is a public repository; a bearer token is what some hosts take instead of a password. */
export type GitAccess =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string };

/** What the server does instead of its work. */
export type GitFault =
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: number }
  | { readonly kind: 'status'; readonly status: number; readonly body?: string }
  | { readonly kind: 'hang' }
  /** Answers properly and drops the connection after so many bytes of the body. */
  | { readonly kind: 'cut'; readonly afterBytes: number };

export interface GitRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly status: number;
  readonly authorized: boolean;
  readonly userAgent: string;
}

export interface GitServer extends AsyncDisposable {
  readonly port: number;
  readonly caPath: string;
  readonly caPem: string;
  /** Every request that was answered, cut or left hanging, oldest first. */
  readonly requests: readonly GitRequest[];
  /** The address of a repository, without credentials. */
  url(repository: TestRepository): string;
  createRepository(name: string, branch?: string): Promise<TestRepository>;
  setAccess(access: GitAccess): void;
  /** Who may push, and read: from now on the others only read. */
  setWriter(access: GitAccess): void;
  /** From now on for every request, until `null`; what hangs is cut then, as by a server that starts again. */
  setFault(fault: GitFault | null): void;
  /** From now on each request waits for this before it is answered. */
  setGate(gate: () => Promise<void>): void;
  stop(): Promise<void>;
}

/** `git http-backend` behind TLS on loopback, with an authority of its own. Stopping it removes its repositories. */
export async function startGitServer(
  access: GitAccess = { kind: 'none' },
  programPath: string = STANDARD_PROGRAM_PATH,
): Promise<GitServer> {
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'sotto-git-server-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  const [root, home] = [join(folder, 'repositories'), join(folder, 'home')];
  await Promise.all([mkdir(root), mkdir(home)]);
  const authority = await createAuthority('sotto test git server');
  const issued = await authority.issue({ commonName: 'localhost', hosts: ['localhost', '127.0.0.1'] });
  const caPath = join(folder, 'ca.crt');
  await writeFile(caPath, authority.certificatePem);

  const state: ServerState = {
    root,
    home,
    programPath,
    access,
    writer: undefined,
    fault: null,
    gate: () => Promise.resolve(),
    hanging: new Set(),
    requests: [],
  };
  const server = createServer({ cert: issued.certificatePem, key: issued.privateKeyPem }, (incoming, outgoing) => {
    state.gate().then(
      () => answer(state, incoming, outgoing),
      () => outgoing.destroy(),
    );
  });
  const port = await listen(server);
  cleanup.defer(() => closeServer(server));
  const running = cleanup.move();
  const stop = (): Promise<void> => running.disposeAsync();
  return {
    port,
    caPath,
    caPem: authority.certificatePem,
    requests: state.requests,
    url: (repository) => `https://127.0.0.1:${port}/${repository.name}.git`,
    createRepository: (name, branch = 'main') => createRepository(root, home, name, branch, programPath),
    setAccess: (wanted) => void (state.access = wanted),
    setWriter: (wanted) => void (state.writer = wanted),
    setFault: (wanted) => {
      state.fault = wanted;
      for (const outgoing of state.hanging) outgoing.destroy();
      state.hanging.clear();
    },
    setGate: (gate) => void (state.gate = gate),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

interface ServerState {
  readonly root: string;
  readonly home: string;
  readonly programPath: string;
  access: GitAccess;
  writer: GitAccess | undefined;
  fault: GitFault | null;
  gate: () => Promise<void>;
  readonly hanging: Set<ServerResponse>;
  readonly requests: GitRequest[];
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function answer(state: ServerState, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const [path = '', query = ''] = (incoming.url ?? '').split('?');
  const header = incoming.headers.authorization;
  const isWriter = state.writer !== undefined && isAuthorized(state.writer, header);
  const authorized = isWriter || isAuthorized(state.access, header);
  const record = (status: number): void => {
    const userAgent = incoming.headers['user-agent'] ?? '';
    state.requests.push({ method: incoming.method ?? '', path, query, status, authorized, userAgent });
  };
  const refuse = (status: number, headers: Record<string, string> = {}, body = ''): void => {
    record(status);
    incoming.resume();
    outgoing.writeHead(status, headers).end(body);
  };
  const { fault } = state;
  if (fault?.kind === 'hang') {
    state.hanging.add(outgoing);
    return record(0);
  }
  if (fault?.kind === 'redirect') return refuse(fault.status ?? 302, { location: fault.location });
  if (fault?.kind === 'status') return refuse(fault.status, challenge(fault.status), fault.body);
  if (!authorized) return refuse(401, challenge(401));
  const writes = path.endsWith('/git-receive-pack') || query.includes('service=git-receive-pack');
  if (writes && state.writer !== undefined && !isWriter) return refuse(403);
  const cutAfterBytes = fault?.kind === 'cut' ? fault.afterBytes : undefined;
  runBackend({ state, path, query, incoming, outgoing, record, cutAfterBytes });
}

function challenge(status: number): Record<string, string> {
  return status === 401 ? { 'www-authenticate': 'Basic realm="sotto test"' } : {};
}

function isAuthorized(access: GitAccess, header: string | undefined): boolean {
  if (access.kind === 'none') return true;
  const expected =
    access.kind === 'bearer'
      ? `Bearer ${access.token}`
      : `Basic ${Buffer.from(`${access.username}:${access.password}`).toString('base64')}`;
  const [given, wanted] = [Buffer.from(header ?? ''), Buffer.from(expected)];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

interface BackendCall {
  readonly state: ServerState;
  readonly path: string;
  readonly query: string;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly record: (status: number) => void;
  readonly cutAfterBytes: number | undefined;
}

/** One CGI call. Request and answer are streamed; only the answer's head is read here. */
function runBackend({ state, path, query, incoming, outgoing, record, cutAfterBytes }: BackendCall): void {
  const env = { ...isolatedGitEnv(state.home, state.programPath), ...cgiEnv(state.root, path, query, incoming) };
  const child = spawn('git', ['http-backend'], { env, stdio: ['pipe', 'pipe', 'ignore'] });
  outgoing.once('close', () => child.kill());
  child.once('error', () => outgoing.destroy());
  child.stdin.on('error', () => undefined);
  incoming.pipe(child.stdin);
  let head: Buffer | undefined = Buffer.alloc(0);
  let sentBytes = 0;
  const send = (piece: Buffer): void => {
    const room = (cutAfterBytes ?? Number.POSITIVE_INFINITY) - sentBytes;
    sentBytes += piece.length;
    if (piece.length < room) outgoing.write(piece);
    else outgoing.write(piece.subarray(0, room), () => outgoing.destroy());
  };
  child.stdout.on('data', (piece: Buffer) => {
    if (head === undefined) return send(piece);
    head = Buffer.concat([head, piece]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return;
    const { status, headers } = parseCgiHead(head.subarray(0, end).toString());
    record(status);
    outgoing.writeHead(status, headers);
    const body = head.subarray(end + 4);
    head = undefined;
    if (body.length > 0) send(body);
  });
  child.stdout.once('end', () => outgoing.end());
}

function cgiEnv(root: string, path: string, query: string, incoming: IncomingMessage): NodeJS.ProcessEnv {
  const header = (name: string): string => String(incoming.headers[name] ?? '');
  const length = header('content-length');
  return {
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: decodeURIComponent(path),
    QUERY_STRING: query,
    REQUEST_METHOD: incoming.method,
    CONTENT_TYPE: header('content-type'),
    HTTP_CONTENT_ENCODING: header('content-encoding'),
    GIT_PROTOCOL: header('git-protocol'),
    REMOTE_USER: 'test',
    REMOTE_ADDR: '127.0.0.1',
    // A chunked request has no length; an empty variable would be read as zero bytes.
    ...(length === '' ? {} : { CONTENT_LENGTH: length }),
  };
}

function parseCgiHead(head: string): { status: number; headers: Record<string, string> } {
  const headers: Record<string, string> = {};
  let status = 200;
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    if (name === 'status') status = Number.parseInt(value, 10);
    else headers[name] = value;
  }
  return { status, headers };
}
