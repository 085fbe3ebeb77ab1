import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { arrayAt, type Json, stringAt } from '../../src/core/json.ts';
import { startServer } from '../../src/demo/child-process.ts';
import { type ControlPlane, startControlPlane } from '../../src/demo/control-plane.ts';
import { toolPath } from './real.ts';
import { eventually, type World } from './world.ts';

export const ROLLING_TOOLS = ['kube-apiserver', 'etcd', 'kube-controller-manager', 'kwok'] as const;

/** What the Pods of an image do on the node (kwok-stages.yaml). */
export const IMAGES = {
  ready: 'example.com/web:1',
  readyToo: 'example.com/web:2',
  /** Runs, and is ready only when `releasePods` says so. */
  slow: 'example.com/slow:1',
  missing: 'example.com/missing:1',
} as const;

/** A control plane whose controllers work, with one node on which kwok plays the kubelet: rollouts really end. */
export interface RollingCluster extends AsyncDisposable {
  readonly plane: ControlPlane;
}

const NODE = 'node-a';
const BIND_EVERY_MS = 50;

export async function startRollingCluster(): Promise<RollingCluster> {
  await using cleanup = new AsyncDisposableStack();
  const programs = {
    'kube-apiserver': toolPath('kube-apiserver'),
    etcd: toolPath('etcd'),
    'kube-controller-manager': toolPath('kube-controller-manager'),
  };
  const plane = cleanup.use(await startControlPlane({ programs, controllerManager: true }));
  const { folder, adminKubeconfigPath } = plane.access;
  await plane.admin('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
  const kwok = cleanup.use(
    await startServer({
      program: toolPath('kwok'),
      args: [
        `--kubeconfig=${adminKubeconfigPath}`,
        `--config=${join(import.meta.dirname, 'kwok-stages.yaml')}`,
        '--manage-all-nodes',
        // The node controller takes a node for lost whose lease is not renewed.
        '--node-lease-duration-seconds=40',
      ],
      cwd: folder,
      env: { HOME: folder },
      logPath: join(folder, 'kwok.log'),
    }),
  );
  await eventually('the node is ready', async () => {
    await kwok.assertRunning();
    const node = await plane.admin('GET', `/api/v1/nodes/${NODE}`);
    const ready = arrayAt(node.body, 'status', 'conditions').find((each) => stringAt(each, 'type') === 'Ready');
    return stringAt(ready, 'status') === 'True' ? true : undefined;
  });
  const stop = new AbortController();
  const binding = bindPods(plane, stop.signal);
  cleanup.defer(async () => {
    stop.abort();
    await binding;
  });
  const running = cleanup.move();
  return { plane, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** With one node there is nothing to decide for a scheduler. */
async function bindPods(plane: ControlPlane, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const unbound = await plane.admin('GET', '/api/v1/pods?fieldSelector=spec.nodeName%3D');
    for (const pod of arrayAt(unbound.body, 'items')) {
      const [namespace, name] = [stringAt(pod, 'metadata', 'namespace'), stringAt(pod, 'metadata', 'name') ?? ''];
      const target = { apiVersion: 'v1', kind: 'Node', name: NODE };
      const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target };
      const answer = await plane.admin('POST', `/api/v1/namespaces/${namespace}/pods/${name}/binding`, binding);
      // It may be gone, or bound, by now.
      if (answer.status !== 201 && answer.status !== 404 && answer.status !== 409) {
        throw new Error(`binding of ${name}: ${answer.status} ${JSON.stringify(answer.body)}`);
      }
    }
    await sleep(BIND_EVERY_MS);
  }
}

export async function podsOf(world: World, labels: string): Promise<readonly Json[]> {
  const path = `/api/v1/namespaces/${world.namespace}/pods?labelSelector=${encodeURIComponent(labels)}`;
  return arrayAt((await world.get(path)) ?? null, 'items');
}

/** Lets the slow Pods with these labels become ready. */
export async function releasePods(world: World, labels: string): Promise<void> {
  const patch = { metadata: { annotations: { 'example.com/released': 'yes' } } };
  for (const pod of await podsOf(world, labels)) {
    const path = `/api/v1/namespaces/${world.namespace}/pods/${stringAt(pod, 'metadata', 'name')}`;
    await world.own.plane.admin('PATCH', path, patch);
  }
}
