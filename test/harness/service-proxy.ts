import { execFileSync } from 'node:child_process';
import { createServer, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../src/core/json.ts';
import type { ControlPlaneClient } from '../../src/demo/control-plane.ts';

/**
 * The API server leads to no endpoint on 127.0.0.0/8. For a test the loopback interface gets one more address, which
 * nobody outside of this machine can reach, and behind it a door to a port of 127.0.0.1.
 */
export interface ServiceBehind extends AsyncDisposable {
  readonly address: string;
}

/** TEST-NET-3: addresses for documentation, routed nowhere. */
const READY_MS = 20_000;
const ADDRESS = '203.0.113.77';

export function whyNoServiceProxy(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'root on Linux';
  try {
    execFileSync('ip', ['address', 'show', 'dev', 'lo']);
    return undefined;
  } catch {
    return 'the program ip';
  }
}

/** Endpoints for a Service of deploy/ that lead to `port` of this machine, until disposed. */
export async function serveBehind(
  plane: ControlPlaneClient,
  namespace: string,
  service: string,
  port: number,
): Promise<ServiceBehind> {
  execFileSync('ip', ['address', 'replace', `${ADDRESS}/32`, 'dev', 'lo']);
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) socket.on('error', () => void (near.destroy(), far.destroy()));
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, ADDRESS, resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  await pretendPod(plane, namespace, service);
  const slice = {
    metadata: { name: service, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: [
      { addresses: [ADDRESS], conditions: { ready: true }, targetRef: { kind: 'Pod', namespace, name: service } },
    ],
    ports: [{ name: 'http', port: bound.port, protocol: 'TCP' }],
  };
  await made(plane, 'POST', `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, slice);
  // The API server hears of it by a watch of its own.
  const proxy = `/api/v1/namespaces/${namespace}/services/http:${service}:http/proxy/healthz`;
  const deadlineMs = performance.now() + READY_MS;
  for (;;) {
    const { status, body } = await plane.admin('GET', proxy).catch(() => ({ status: 200, body: null }));
    if (status === 200) break;
    if (performance.now() > deadlineMs) throw new Error(`${proxy}: ${status} ${JSON.stringify(body)}`);
    await sleep(50);
  }
  return {
    address: ADDRESS,
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((resolve) => server.close(() => resolve()));
      execFileSync('ip', ['address', 'delete', `${ADDRESS}/32`, 'dev', 'lo']);
    },
  };
}

/** The API server leads only to what is the address of a Pod. */
async function pretendPod(plane: ControlPlaneClient, namespace: string, name: string): Promise<void> {
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  await made(plane, 'POST', pods, { metadata: { name }, spec: { containers: [{ name: 'agent', image: 'sotto' }] } });
  const status = { podIP: ADDRESS, podIPs: [{ ip: ADDRESS }] };
  await made(plane, 'PATCH', `${pods}/${name}/status`, { status });
}

async function made(
  plane: ControlPlaneClient,
  method: 'POST' | 'PATCH',
  path: string,
  object: JsonObject,
): Promise<void> {
  const type = method === 'POST' ? 'application/json' : 'application/merge-patch+json';
  const { status, body } = await plane.admin(method, path, object, type);
  if (status >= 300) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
}
