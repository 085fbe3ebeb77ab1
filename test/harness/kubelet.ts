import https from 'node:https';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { createAuthority } from '../../src/demo/certificates.ts';
import type { World } from './world.ts';

/** The log endpoint of a kubelet behind a Node object: the API server asks it for `pods/log` as it asks any other. */
export interface TestKubelet extends AsyncDisposable {
  /** Path and query of what the API server asked. */
  readonly asked: readonly string[];
  /** A Pod on this node with this name and labels. */
  addPod(name: string, labels: Readonly<Record<string, string>>): Promise<void>;
  /** Whoever follows a log gets this too. */
  write(text: string): void;
  /** Ends the logs that are followed, as a container that ended does. */
  endLogs(): void;
  /** Breaks them in the middle. */
  cut(): void;
}

export async function startKubelet(world: World, log: () => string): Promise<TestKubelet> {
  const authority = await createAuthority('sotto test kubelet');
  const issued = await authority.issue({ commonName: 'kubelet', hosts: ['127.0.0.1'] });
  const asked: string[] = [];
  const following = new Set<ServerResponse>();
  const server = https.createServer({ cert: issued.certificatePem, key: issued.privateKeyPem }, (request, response) => {
    asked.push(request.url ?? '');
    response.on('error', () => undefined).once('close', () => following.delete(response));
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.write(log());
    if ((request.url ?? '').includes('follow=true')) following.add(response);
    else response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;
  const node = `node-${randomBytes(4).toString('hex')}`;
  await world.create('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: node } });
  const status = {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
    conditions: [{ type: 'Ready', status: 'True' }],
  };
  const { plane } = world.own;
  const mended = await plane.admin('PATCH', `/api/v1/nodes/${node}/status`, { status }, 'application/merge-patch+json');
  if (mended.status !== 200) throw new Error(`node: ${mended.status} ${JSON.stringify(mended.body)}`);
  const pods = `/api/v1/namespaces/${world.namespace}/pods`;
  return {
    asked,
    addPod: async (name, labels) => {
      const containers = [{ name: 'sotto', image: 'example.com/sotto:1' }];
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels }, spec: { nodeName: node, containers } };
      await world.create(pods, pod);
      const running = { status: { phase: 'Running' } };
      await plane.admin('PATCH', `${pods}/${name}/status`, running, 'application/merge-patch+json');
    },
    write: (text) => {
      for (const response of following) response.write(text);
    },
    endLogs: () => {
      for (const response of following) response.end();
    },
    cut: () => {
      for (const response of following) response.destroy();
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await plane.admin('DELETE', `/api/v1/nodes/${node}`);
    },
  };
}
