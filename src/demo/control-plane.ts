import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AUDIT_POLICY } from './audit-log.ts';
import { createAuthority, generateRsa } from './certificates.ts';
import type { IssuedCertificate } from './certificates.ts';
import { freePorts, startServer } from './child-process.ts';
import type { RunningServer } from './child-process.ts';
import { connectControlPlane, writeKubeconfig } from './control-plane-client.ts';
import type { ControlPlaneAccess, ControlPlaneClient } from './control-plane-client.ts';

export type { AuditEntry, AuditQuery } from './audit-log.ts';
export { connectControlPlane } from './control-plane-client.ts';
export type {
  AdminAnswer,
  ControlPlaneAccess,
  ControlPlaneClient,
  PolicyRule,
  ServiceAccountAccess,
} from './control-plane-client.ts';

export interface ControlPlanePrograms {
  readonly 'kube-apiserver': string;
  readonly etcd: string;
  /** Needed with `controllerManager: true`. */
  readonly 'kube-controller-manager'?: string;
}

export interface ControlPlaneOptions {
  readonly programs: ControlPlanePrograms;
  /** Deployments get Pods, namespaces go away, deleted owners take their objects along. */
  readonly controllerManager?: boolean;
  /** More flags for the API server, as they stand on its command line. */
  readonly apiserverFlags?: readonly string[];
  readonly readyTimeoutMs?: number;
}

/** etcd and a kube-apiserver of our own on loopback. Stopping it leaves nothing behind. */
export interface ControlPlane extends ControlPlaneClient, AsyncDisposable {
  readonly pids: { readonly apiserver: number; readonly etcd: number; readonly controllerManager: number | undefined };
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 120_000;
const READY_POLL_MS = 50;
const START_ATTEMPTS = 3;

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options);
    } catch (thrown) {
      // Between the look for a free port and its use another process can take it.
      const portTaken = thrown instanceof Error && thrown.message.includes('address already in use');
      if (!portTaken || attempt === START_ATTEMPTS) throw thrown;
    }
  }
}

async function startOnce(options: ControlPlaneOptions): Promise<ControlPlane> {
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'sotto-control-plane-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  const [apiPort = 0, etcdPort = 0, peerPort = 0] = await freePorts(3);
  const access = await writeCredentials(folder, apiPort);
  const etcd = cleanup.use(await startEtcd(options, access, etcdPort, peerPort));
  const apiserver = cleanup.use(await startApiserver(options, access, etcdPort));
  const client = cleanup.use(await connectControlPlane(access));
  await waitUntilReady(client, [etcd, apiserver], options.readyTimeoutMs ?? READY_TIMEOUT_MS);
  const manager = options.controllerManager === true ? cleanup.use(await startManager(options, access)) : undefined;
  const running = cleanup.move();
  const stop = (): Promise<void> => running.disposeAsync();
  return {
    ...client,
    pids: { apiserver: apiserver.pid, etcd: etcd.pid, controllerManager: manager?.pid },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Client certificates of the control plane itself; all signed by an authority that only this start knows. */
async function writeCredentials(folder: string, port: number): Promise<ControlPlaneAccess> {
  const authority = await createAuthority('sotto test control plane');
  const hosts = ['localhost', '127.0.0.1', '10.0.0.1', 'kubernetes.default.svc', 'kubernetes'];
  const [server, admin, manager, serviceAccounts] = await Promise.all([
    authority.issue({ commonName: 'kube-apiserver', hosts }),
    authority.issue({ commonName: 'sotto-test-admin', organization: 'system:masters' }),
    authority.issue({ commonName: 'system:kube-controller-manager', organization: 'system:masters' }),
    generateRsa(),
  ]);
  const file = (name: string): string => join(folder, name);
  const write = (name: string, text: string): Promise<void> => writeFile(file(name), text, { mode: 0o600 });
  const url = `https://127.0.0.1:${port}`;
  await write('ca.crt', authority.certificatePem);
  await writePair(write, 'server', server);
  await writePair(write, 'admin', admin);
  await write('service-accounts.key', serviceAccounts.privateKey);
  await write('service-accounts.pub', serviceAccounts.publicKey);
  await write('audit-policy.yaml', AUDIT_POLICY);
  const kubeconfig = { url, caPem: authority.certificatePem, namespace: 'default' };
  await writeKubeconfig(file('kubeconfig-admin'), { ...kubeconfig, user: kubeconfigUser(admin) });
  await writeKubeconfig(file('kubeconfig-manager'), { ...kubeconfig, user: kubeconfigUser(manager) });
  return {
    url,
    port,
    folder,
    caPath: file('ca.crt'),
    adminCertificatePath: file('admin.crt'),
    adminKeyPath: file('admin.key'),
    adminKubeconfigPath: file('kubeconfig-admin'),
    auditLogPath: file('audit.log'),
    serverFingerprint: server.fingerprint256,
  };
}

async function writePair(
  write: (name: string, text: string) => Promise<void>,
  name: string,
  issued: IssuedCertificate,
): Promise<void> {
  await write(`${name}.crt`, issued.certificatePem);
  await write(`${name}.key`, issued.privateKeyPem);
}

function kubeconfigUser(issued: IssuedCertificate): Record<string, string> {
  return {
    'client-certificate-data': Buffer.from(issued.certificatePem).toString('base64'),
    'client-key-data': Buffer.from(issued.privateKeyPem).toString('base64'),
  };
}

/** etcd asks for client certificates too: another user of the machine must not read Secrets past the API server. */
function startEtcd(
  options: ControlPlaneOptions,
  { folder }: ControlPlaneAccess,
  port: number,
  peerPort: number,
): Promise<RunningServer> {
  const clientUrl = `https://127.0.0.1:${port}`;
  const peerUrl = `https://127.0.0.1:${peerPort}`;
  const args = [
    `--data-dir=${join(folder, 'etcd')}`,
    '--unsafe-no-fsync',
    '--name=test',
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=test=${peerUrl}`,
    '--log-level=warn',
  ];
  for (const prefix of ['', 'peer-']) {
    args.push(
      `--${prefix}cert-file=${join(folder, 'server.crt')}`,
      `--${prefix}key-file=${join(folder, 'server.key')}`,
      `--${prefix}trusted-ca-file=${join(folder, 'ca.crt')}`,
      `--${prefix}client-cert-auth=true`,
    );
  }
  return startServer({ program: options.programs.etcd, args, cwd: folder, logPath: join(folder, 'etcd.log') });
}

function startApiserver(
  options: ControlPlaneOptions,
  { folder, port, caPath, auditLogPath }: ControlPlaneAccess,
  etcdPort: number,
): Promise<RunningServer> {
  // Without the controller manager nobody makes the default service account, and every Pod would be refused.
  const admission = options.controllerManager === true ? [] : ['--disable-admission-plugins=ServiceAccount'];
  const args = [
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    '--endpoint-reconciler-type=none',
    `--tls-cert-file=${join(folder, 'server.crt')}`,
    `--tls-private-key-file=${join(folder, 'server.key')}`,
    `--client-ca-file=${caPath}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${join(folder, 'service-accounts.pub')}`,
    `--service-account-signing-key-file=${join(folder, 'service-accounts.key')}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    `--etcd-servers=https://127.0.0.1:${etcdPort}`,
    `--etcd-cafile=${caPath}`,
    `--etcd-certfile=${join(folder, 'admin.crt')}`,
    `--etcd-keyfile=${join(folder, 'admin.key')}`,
    `--audit-policy-file=${join(folder, 'audit-policy.yaml')}`,
    `--audit-log-path=${auditLogPath}`,
    '--audit-log-maxsize=10000',
    ...admission,
    ...(options.apiserverFlags ?? []),
  ];
  const logPath = join(folder, 'kube-apiserver.log');
  return startServer({ program: options.programs['kube-apiserver'], args, cwd: folder, logPath });
}

function startManager(options: ControlPlaneOptions, { folder, caPath }: ControlPlaneAccess): Promise<RunningServer> {
  const program = options.programs['kube-controller-manager'];
  if (program === undefined) throw new Error('controllerManager: true needs the program kube-controller-manager');
  const args = [
    `--kubeconfig=${join(folder, 'kubeconfig-manager')}`,
    '--secure-port=0',
    '--leader-elect=false',
    `--root-ca-file=${caPath}`,
    `--service-account-private-key-file=${join(folder, 'service-accounts.key')}`,
  ];
  return startServer({ program, args, cwd: folder, logPath: join(folder, 'kube-controller-manager.log') });
}

/** Ready when our own server says so: the client speaks to no server with another certificate. */
async function waitUntilReady(
  client: ControlPlaneClient,
  servers: readonly RunningServer[],
  timeoutMs: number,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  let last = 'no answer';
  while (performance.now() < deadlineMs) {
    for (const server of servers) await server.assertRunning();
    const answer = await client.admin('GET', '/readyz').catch((thrown: unknown) => String(thrown));
    if (typeof answer !== 'string' && answer.status === 200) return;
    last = typeof answer === 'string' ? answer : JSON.stringify(answer.body).slice(0, 2_000);
    await sleep(READY_POLL_MS);
  }
  throw new Error(`the API server was not ready after ${timeoutMs} ms: ${last}`);
}
