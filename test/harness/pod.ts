import { execFile, execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { arrayAt, type Json, memberAt, stringAt } from '../../src/core/json.ts';
import { freePorts } from '../../src/demo/child-process.ts';
import { CGROUPS, memoryCgroup, type MemoryCgroup } from './memory-cgroup.ts';
import { bridge } from './network-bridge.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);

/** What this machine lacks to give a process the shape of a container; undefined where it lacks nothing. */
export function whyNoPods(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'root on Linux';
  const programs = ['unshare', 'nsenter', 'setpriv', 'chroot', 'ip', 'prlimit', 'ldd'];
  const folders = ['/usr/bin', '/usr/sbin', '/bin', '/sbin'];
  const missing = programs.filter((program) => !folders.some((folder) => existsSync(join(folder, program))));
  if (missing.length > 0) return missing.join(', ');
  try {
    accessSync(CGROUPS, constants.W_OK);
    execFileSync('unshare', ['--net', '--mount', 'true']);
  } catch {
    return 'namespaces and memory limits, which this machine does not let its root make';
  }
  return undefined;
}

/** The files of the image, as .ci/image-root collects them for the Dockerfile. */
export interface Image extends AsyncDisposable {
  readonly folder: string;
  readonly bytes: number;
}

/**
 * The bundle as the Dockerfile builds it: from what it copies and nothing else of the checkout. `npm ci` is not run again:
 * the packages are those of this checkout.
 */
export async function buildAsInImage(folder: string): Promise<string> {
  const lines = (await readFile(join(ROOT, 'Dockerfile'), 'utf8')).split('\n');
  const copies = lines.filter((line) => /^COPY (?!--)/.test(line)).map((line) => line.split(' ').slice(1));
  for (const copy of copies) {
    const sources = copy.slice(0, -1);
    for (const source of sources) await cp(join(ROOT, source), join(folder, source), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await run(process.execPath, [join(folder, '.ci', 'build.ts')], { cwd: folder });
  return join(folder, 'dist', 'sotto.cjs');
}

export async function collectImage(bundle = join(ROOT, 'dist', 'sotto.cjs')): Promise<Image> {
  const folder = await openFolder('sotto-image-');
  await run(join(ROOT, '.ci', 'image-root'), [folder, bundle, process.execPath]);
  const { stdout } = await run('du', ['--summarize', '--bytes', folder]);
  return {
    folder,
    bytes: Number.parseInt(stdout, 10),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

export interface PodOptions {
  readonly image: Image;
  /** `template` of the Deployment of deploy/: command, environment, volumes and limit are taken from it. */
  readonly template: Json;
  readonly namespace: string;
  readonly token: string;
  readonly caPath: string;
  readonly apiPort: number;
  /** The only other port of this machine that can be reached from inside. */
  readonly gitPort: number;
}

/** A process in the shape of the agent's container. */
export interface Pod extends AsyncDisposable {
  /** It is the program itself: everything before it was replaced by it. */
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly uid: number;
  /** `performance.now()` just before it was started. */
  readonly startedMs: number;
  readonly memory: MemoryCgroup;
  /** Of 127.0.0.1 outside: leads to the agent's listener inside. */
  readonly port: number;
  /** Runs a program of this machine in the network of the Pod. */
  inNetwork(program: string, args: readonly string[]): Promise<string>;
}

/**
 * As a container runtime does it: a user of no name, no capability, no way to get one back; the image as a read-only
 * root; one memory volume; the token where a Pod has it; a network of its own; a memory limit. Not shown: seccomp, and
 * what a kubelet does.
 */
export async function startPod(options: PodOptions): Promise<Pod> {
  await using cleanup = new AsyncDisposableStack();
  const { image, template, apiPort, gitPort } = options;
  const container = agentIn(template);
  const folder = await openFolder('sotto-pod-');
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  const limitBytes = bytesOf(stringAt(container, 'resources', 'limits', 'memory'));
  const memory = cleanup.use(await memoryCgroup(`sotto-test-${randomBytes(4).toString('hex')}`, limitBytes));
  await writeToken(join(folder, 'token'), options);
  const listenPort = Number(memberAt(arrayAt(container, 'ports')[0] ?? null, 'containerPort'));
  const network = await startNetwork(cleanup, folder, listenPort, [apiPort, gitPort]);
  const uid = 1_000_000_000 + Math.floor(Math.random() * 1_000_000);
  const name = `sotto-${randomBytes(3).toString('hex')}`;
  const words = [...textsAt(container, 'command'), ...textsAt(container, 'args')];
  const volume = arrayAt(template, 'spec', 'volumes').find((each) => memberAt(each, 'emptyDir') !== undefined) ?? null;
  const size = bytesOf(stringAt(volume, 'emptyDir', 'sizeLimit'));
  const inside = [image.folder, join(folder, 'token'), memory.procs, String(uid), String(size), ...words];
  const startedMs = performance.now();
  const child = spawn('nsenter', [`--net=${network.path}`, 'unshare', '--mount', 'sh', '-c', SCRIPT, 'sh', ...inside], {
    env: {
      ...environmentOf(container, name),
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: `${apiPort}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  cleanup.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const running = cleanup.move();
  return {
    child,
    uid,
    startedMs,
    memory,
    port: network.port,
    inNetwork: async (program, args) => (await run('nsenter', [`--net=${network.path}`, program, ...args])).stdout,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Every step replaces the one before, so the process that is started becomes the agent. */
const SCRIPT = `set -eu
root=$1 token=$2 procs=$3 uid=$4 size=$5
shift 5
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
echo $$ >"$procs"
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o size=64k,mode=0755 tmpfs "$root/dev"
for device in null zero random urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,ro "$root/dev"
mount -t tmpfs -o "size=$size,mode=0777,nosuid,nodev" tmpfs "$root/work"
mount --bind "$token" "$root/var/run/secrets/kubernetes.io/serviceaccount"
mount -o remount,ro,bind "$root/var/run/secrets/kubernetes.io/serviceaccount"
mount -o remount,ro,bind "$root"
setpriv=$(command -v setpriv)
chroot=$(command -v chroot)
export PATH=/usr/local/bin:/usr/bin
unset PWD OLDPWD
exec "$setpriv" --bounding-set=-all,+sys_chroot,+setuid,+setgid --no-new-privs \\
  "$chroot" --userspec="$uid:0" --groups= "$root" "$@"`;

async function openFolder(prefix: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  await chmod(folder, 0o755);
  return folder;
}

async function writeToken(folder: string, { token, namespace, caPath }: PodOptions): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, 'token'), token);
  await writeFile(join(folder, 'namespace'), namespace);
  await writeFile(join(folder, 'ca.crt'), await readFile(caPath));
}

/** Only these ports of this machine lead out of it, and one port in. */
async function startNetwork(
  cleanup: AsyncDisposableStack,
  folder: string,
  inward: number,
  outward: readonly number[],
): Promise<{ readonly path: string; readonly port: number }> {
  for (const port of outward) {
    const server = await bridge({ path: join(folder, `out-${port}.sock`) }, { port });
    cleanup.defer(() => void server.close());
  }
  const script = 'ip link set lo up && exec "$@"';
  const program = join(import.meta.dirname, 'network-bridge.ts');
  const words = [process.execPath, program, folder, String(inward), ...outward.map(String)];
  const holder = spawn('unshare', ['--net', 'sh', '-c', script, 'sh', ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanup.defer(async () => {
    holder.kill('SIGKILL');
    if (holder.exitCode === null && holder.signalCode === null) await once(holder, 'exit');
  });
  await Promise.race([
    once(holder.stdout, 'data'),
    once(holder, 'exit').then(() => Promise.reject(new Error('no network'))),
  ]);
  const [port = 0] = await freePorts(1);
  const entrance = await bridge({ port }, { path: join(folder, `in-${inward}.sock`) });
  cleanup.defer(() => void entrance.close());
  return { path: `/proc/${holder.pid ?? 0}/ns/net`, port };
}

/** Alone in its Pod, or beside an app. */
function agentIn(template: Json): Json {
  const all = [...arrayAt(template, 'spec', 'initContainers'), ...arrayAt(template, 'spec', 'containers')];
  const found = all.find((container) => textsAt(container, 'command').includes('/opt/sotto/sotto.cjs'));
  if (found === undefined) throw new Error('no container of the template runs the agent');
  return found;
}

function environmentOf(container: Json, podName: string): Record<string, string> {
  return Object.fromEntries(
    arrayAt(container, 'env').map((variable) => {
      const field = stringAt(variable, 'valueFrom', 'fieldRef', 'fieldPath');
      return [
        stringAt(variable, 'name') ?? '',
        field === 'metadata.name' ? podName : (stringAt(variable, 'value') ?? ''),
      ];
    }),
  );
}

function textsAt(value: Json, field: string): string[] {
  return arrayAt(value, field).flatMap((item) => (typeof item === 'string' ? [item] : []));
}

function bytesOf(quantity: string | undefined): number {
  const [, number = '', unit = ''] = /^(\d+)(Ki|Mi|Gi)$/.exec(quantity ?? '') ?? [];
  const power = ['Ki', 'Mi', 'Gi'].indexOf(unit) + 1;
  if (power === 0) throw new Error(`not a size: ${String(quantity)}`);
  return Number(number) * 1024 ** power;
}
