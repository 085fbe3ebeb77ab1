import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts, startServer } from '../../src/demo/child-process.ts';
import type { RunningServer } from '../../src/demo/child-process.ts';
import type { ControlPlaneClient } from '../../src/demo/control-plane.ts';

export interface SealedSecretsController extends AsyncDisposable {
  /** Where its sealing keys live. */
  readonly namespace: string;
  /** The public certificate, for `kubeseal --cert`. */
  readonly certificatePem: string;
  readonly certificatePath: string;
  /** `/v1/cert.pem`, `/v1/verify` and `/v1/rotate` are below it. */
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 100;

/** Makes the API server know SealedSecrets; asked twice it stays as it is. */
export async function installSealedSecretsCrd(plane: ControlPlaneClient): Promise<void> {
  const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const yaml = await readFile(join(import.meta.dirname, 'sealed-secrets-crd.yaml'), 'utf8');
  const created = await plane.admin('POST', crds, yaml, 'application/yaml');
  if (created.status !== 201 && created.status !== 409) throw new Error(`SealedSecret CRD: ${created.status}`);
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const listed = await plane.admin('GET', '/apis/bitnami.com/v1alpha1/namespaces/default/sealedsecrets');
    if (listed.status === 200) return;
    if (performance.now() > deadlineMs) throw new Error(`SealedSecrets are not served: ${listed.status}`);
    await sleep(READY_POLL_MS);
  }
}

/** The stock controller over all namespaces. Needs root, for a mount namespace of its own. */
export async function startStockController(
  program: string,
  plane: ControlPlaneClient,
  namespace: string,
): Promise<SealedSecretsController> {
  await using cleanup = new AsyncDisposableStack();
  await installSealedSecretsCrd(plane);
  const folder = await mkdtemp(join(tmpdir(), 'sotto-sealed-secrets-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  await writeServiceAccount(plane, namespace, folder);
  const [port = 0, metricsPort = 0] = await freePorts(2);
  const controller = cleanup.use(await startController(program, plane, folder, port, metricsPort));
  const url = `http://127.0.0.1:${port}`;
  const certificatePem = await waitForCertificate(url, controller);
  const certificatePath = join(folder, 'cert.pem');
  await writeFile(certificatePath, certificatePem);
  const running = cleanup.move();
  const stop = (): Promise<void> => running.disposeAsync();
  return { namespace, certificatePem, certificatePath, url, pid: controller.pid, stop, [Symbol.asyncDispose]: stop };
}

/** The controller may do everything: it is the counterpart of a test here, not what is tested. */
async function writeServiceAccount(plane: ControlPlaneClient, namespace: string, folder: string): Promise<void> {
  const name = 'sealed-secrets-controller';
  const account = await plane.createServiceAccount(namespace, name, []);
  await plane.admin('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: `${name}-${namespace}` },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  });
  await writeFile(join(folder, 'token'), account.token, { mode: 0o600 });
  await writeFile(join(folder, 'namespace'), namespace);
  await writeFile(join(folder, 'ca.crt'), await readFile(plane.access.caPath));
}

/**
 * It knows no kubeconfig, only the folder that a Pod has. So it gets that folder in a private mount namespace, on
 * a tmpfs over /run, and nothing of it is seen or left outside.
 */
function startController(
  program: string,
  plane: ControlPlaneClient,
  folder: string,
  port: number,
  metricsPort: number,
): Promise<RunningServer> {
  const script = [
    'set -e',
    'mount -t tmpfs -o size=1m,mode=0755 tmpfs /run',
    'mkdir -p /run/secrets/kubernetes.io/serviceaccount',
    'cp "$1"/token "$1"/namespace "$1"/ca.crt /run/secrets/kubernetes.io/serviceaccount/',
    'shift',
    'exec "$@"',
  ].join('\n');
  const flags = [`--listen-addr=127.0.0.1:${port}`, `--listen-metrics-addr=127.0.0.1:${metricsPort}`];
  const fast = ['--kubeclient-qps=-1', '--key-renew-period=0', '--rate-limit=1000', '--rate-limit-burst=1000'];
  const controller = [program, ...flags, ...fast];
  return startServer({
    program: 'unshare',
    args: ['--mount', 'sh', '-c', script, 'sh', folder, ...controller],
    env: {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: String(plane.access.port),
    },
    logPath: join(folder, 'controller.log'),
  });
}

async function waitForCertificate(url: string, controller: RunningServer): Promise<string> {
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadlineMs) {
    await controller.assertRunning();
    const pem = await readText(`${url}/v1/cert.pem`).catch(() => '');
    if (pem.includes('BEGIN CERTIFICATE')) return pem;
    await sleep(READY_POLL_MS);
  }
  throw new Error('the SealedSecrets controller served no certificate');
}

function readText(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { timeout: 2_000 }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (piece: string) => (text += piece));
      incoming.once('end', () => resolve(text));
    }).once('error', reject);
  });
}
