import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringAt } from '../core/json.ts';
import { AGENT_RULES } from './agent-rules.ts';
import { AGENT_ACCOUNT } from './cluster.ts';
import type { DemoCluster } from './cluster.ts';
import { writeKubeconfig } from './control-plane-client.ts';
import { startControlPlane } from './control-plane.ts';
import type { ControlPlane, ControlPlaneAccess } from './control-plane.ts';
import { noCheckout, planeFailed, toolsFailed } from './failure.ts';
import type { DemoOptions } from './options.ts';
import { duration } from './screen.ts';
import type { Screen } from './screen.ts';
import type { ToolProgress } from './tool-build.ts';
import { ensureTools } from './tools.ts';

const NAMESPACE = 'team-app';

/** etcd and kube-apiserver of our own, built where needed; `folder` takes a kubeconfig. Throws SottoError with what to install. */
export async function startLocalCluster(options: DemoOptions, screen: Screen, folder: string): Promise<DemoCluster> {
  const programs = await findPrograms(options, screen);
  screen.working('starting etcd and kube-apiserver');
  await using cleanup = new AsyncDisposableStack();
  const plane = cleanup.use(await start(programs));
  options.signal.throwIfAborted();
  const version = await plane.admin('GET', '/version');
  await plane.createNamespace(NAMESPACE);
  const account = await plane.createServiceAccount(NAMESPACE, AGENT_ACCOUNT, AGENT_RULES);
  const kubeconfig = join(folder, 'kubeconfig');
  await writeAdminKubeconfig(plane.access, kubeconfig);
  const running = cleanup.move();
  return {
    described: `kube-apiserver ${stringAt(version.body, 'gitVersion') ?? ''} and etcd on 127.0.0.1:${plane.access.port}`,
    namespace: NAMESPACE,
    agentKubeconfig: account.kubeconfigPath,
    access: { kind: 'file', kubeconfig },
    storeFolder: join(plane.access.folder, 'etcd'),
    admin: (method, path, body) => plane.admin(method, path, body),
    audit: {
      mark: () => plane.auditMark(),
      since: (mark) => plane.auditEntries({ user: account.user, since: mark }),
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function writeAdminKubeconfig(access: ControlPlaneAccess, path: string): Promise<void> {
  const caPem = await readFile(access.caPath, 'utf8');
  const user = {
    'client-certificate-data': await readFile(access.adminCertificatePath, 'base64'),
    'client-key-data': await readFile(access.adminKeyPath, 'base64'),
  };
  await writeKubeconfig(path, { url: access.url, caPem, namespace: NAMESPACE, user });
}

type Programs = Record<'kube-apiserver' | 'etcd', string>;

async function findPrograms({ env, programPath, signal }: DemoOptions, screen: Screen): Promise<Programs> {
  const packageRoot = await findPackageRoot(programPath);
  screen.working('looking for etcd and kube-apiserver');
  try {
    const onProgress = progressReporter(screen);
    return await ensureTools(['etcd', 'kube-apiserver'], { packageRoot, env, onProgress, signal });
  } catch (thrown) {
    signal.throwIfAborted();
    throw toolsFailed(thrown);
  }
}

async function start(programs: Programs): Promise<ControlPlane> {
  try {
    return await startControlPlane({ programs });
  } catch (thrown) {
    throw planeFailed(thrown);
  }
}

/** The checkout around the program that runs, wherever it is called from. */
async function findPackageRoot(programPath: string): Promise<string> {
  for (let folder = dirname(programPath); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'test', 'tools')) && (await isSotto(folder))) return folder;
    if (folder === dirname(folder)) throw noCheckout(programPath);
  }
}

async function isSotto(folder: string): Promise<boolean> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => '{}');
  return /"name":\s*"sotto"/.test(text);
}

const LINE_EVERY_MS = 15_000;

/** On a terminal one line that moves; elsewhere a line at the start, every 15 seconds and at the end. */
function progressReporter(screen: Screen): (progress: ToolProgress) => void {
  let printedMs = Number.NEGATIVE_INFINITY;
  let isAnnounced = false;
  return (progress) => {
    if (!isAnnounced) {
      isAnnounced = true;
      screen.done('first run: building the API server from its Go modules, 5 minutes on two cores; then it is cached');
    }
    const text = textOf(progress);
    const nowMs = performance.now();
    if (progress.step === 'ready' || nowMs - printedMs >= LINE_EVERY_MS) {
      printedMs = nowMs;
      screen.detail(text);
    }
    screen.working(text);
  };
}

function textOf({ tool, step, done, packagesTotal, elapsedMs }: ToolProgress): string {
  const after = duration(elapsedMs);
  if (step === 'waiting') return `${tool}: another process builds it, waiting since ${after}`;
  if (step === 'downloading') return `${tool}: ${done} modules downloaded after ${after}`;
  if (step === 'ready') return `${tool}: built in ${after}`;
  return `${tool}: ${done} of ${packagesTotal} packages ${step === 'linking' ? 'compiled, linking' : 'compiled'} after ${after}`;
}
