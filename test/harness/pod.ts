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
  /** Without it the container `renderer` is not started. */
  readonly hasKustomize: boolean;
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

export async function collectImage(bundle = join(ROOT, 'dist', 'sotto.cjs'), kustomize?: string): Promise<Image> {
  const folder = await openFolder('sotto-image-');
  await run(join(ROOT, '.ci', 'image-root'), [folder, bundle, process.execPath, kustomize ?? '']);
  const { stdout } = await run('du', ['--summarize', '--bytes', folder]);
  return {
    folder,
    bytes: Number.parseInt(stdout, 10),
    hasKustomize: kustomize !== undefined,
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

/** A process in the shape of a container. */
export interface Container {
  /** It is the program itself: everything before it was replaced by it. */
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly memory: MemoryCgroup;
}

/** A process in the shape of the agent's container. */
export interface Pod extends AsyncDisposable {
  /** It is the program itself: everything before it was replaced by it. */
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** The container beside it: same user and network, a root, mounts and memory of its own. */
  readonly renderer: Container | undefined;
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
 * root; memory volumes; the token where a Pod has it; a network of the Pod; memory limits. Not shown: seccomp, and what a
 * kubelet does.
 */
export async function startPod(options: PodOptions): Promise<Pod> {
  await using cleanup = new AsyncDisposableStack();
  const { image, template, apiPort, gitPort } = options;
  const container = containerThatRuns(template, 'agent');
  if (container === undefined) throw new Error('no container of the template runs the agent');
  const folder = await openFolder('sotto-pod-');
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  await writeToken(join(folder, 'token'), options);
  const listenPort = Number(memberAt(arrayAt(container, 'ports')[0] ?? null, 'containerPort'));
  const network = await startNetwork(cleanup, folder, listenPort, [apiPort, gitPort]);
  const surroundings: Surroundings = {
    options,
    folder,
    network: network.path,
    uid: 1_000_000_000 + Math.floor(Math.random() * 1_000_000),
    podName: `sotto-${randomBytes(3).toString('hex')}`,
  };
  const beside = image.hasKustomize ? containerThatRuns(template, 'renderer') : undefined;
  const renderer = beside === undefined ? undefined : await startContainer(cleanup, beside, surroundings);
  // Nobody reads what it says, and a full pipe would stop it.
  for (const stream of renderer === undefined ? [] : [renderer.child.stdout, renderer.child.stderr]) stream.resume();
  const startedMs = performance.now();
  const { child, memory } = await startContainer(cleanup, container, surroundings);
  const running = cleanup.move();
  return {
    child,
    renderer,
    uid: surroundings.uid,
    startedMs,
    memory,
    port: network.port,
    inNetwork: async (program, args) => (await run('nsenter', [`--net=${network.path}`, program, ...args])).stdout,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** What the containers of a Pod have in common. */
interface Surroundings {
  readonly options: PodOptions;
  readonly folder: string;
  readonly network: string;
  readonly uid: number;
  readonly podName: string;
}

async function startContainer(
  cleanup: AsyncDisposableStack,
  container: Json,
  { options, folder, network, uid, podName }: Surroundings,
): Promise<Container> {
  const { image, template, apiPort } = options;
  const limitBytes = bytesOf(stringAt(container, 'resources', 'limits', 'memory'));
  const memory = cleanup.use(await memoryCgroup(`sotto-test-${randomBytes(4).toString('hex')}`, limitBytes));
  const words = [...textsAt(container, 'command'), ...textsAt(container, 'args')];
  const mounts = await mountsOf(container, template, folder);
  const inside = [image.folder, memory.procs, String(uid), ...mounts, '--', ...words];
  const child = spawn('nsenter', [`--net=${network}`, 'unshare', '--mount', 'sh', '-c', SCRIPT, 'sh', ...inside], {
    env: {
      ...environmentOf(container, podName, limitBytes),
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
  return { child, memory };
}

/** `memory:PLACE:BYTES` for a volume of this container alone; `bind:PLACE:read|write:SOURCE` for what is shared or given. */
async function mountsOf(container: Json, template: Json, folder: string): Promise<string[]> {
  const all = containersIn(template).flatMap((each) => arrayAt(each, 'volumeMounts'));
  const words: string[] = [];
  for (const mount of arrayAt(container, 'volumeMounts')) {
    const [name = '', place = ''] = [stringAt(mount, 'name'), stringAt(mount, 'mountPath')];
    const volume = arrayAt(template, 'spec', 'volumes').find((each) => stringAt(each, 'name') === name) ?? null;
    const mode = memberAt(mount, 'readOnly') === true ? 'read' : 'write';
    const isShared = all.filter((each) => stringAt(each, 'name') === name).length > 1;
    if (memberAt(volume, 'projected') !== undefined) words.push(`bind:${place}:read:${join(folder, 'token')}`);
    else if (isShared) words.push(`bind:${place}:${mode}:${await sharedVolume(join(folder, name))}`);
    else words.push(`memory:${place}:${bytesOf(stringAt(volume, 'emptyDir', 'sizeLimit'))}`);
  }
  return words;
}

/** As the kubelet makes it: anybody may write. That it has a size is not shown. */
async function sharedVolume(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o777);
  return folder;
}

/** Every step replaces the one before, so the process that is started becomes the agent. */
const SCRIPT = `set -eu
root=$1 procs=$2 uid=$3
shift 3
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
while [ "$1" != -- ]; do
  kind=\${1%%:*} rest=\${1#*:}
  place=$root\${rest%%:*} rest=\${rest#*:}
  if [ "$kind" = memory ]; then mount -t tmpfs -o "size=$rest,mode=0777,nosuid,nodev" tmpfs "$place"
  else
    mount --bind "\${rest#*:}" "$place"
    [ "\${rest%%:*}" = write ] || mount -o remount,ro,bind "$place"
  fi
  shift
done
shift
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
function containersIn(template: Json): readonly Json[] {
  return [...arrayAt(template, 'spec', 'initContainers'), ...arrayAt(template, 'spec', 'containers')];
}

function containerThatRuns(template: Json, command: 'agent' | 'renderer'): Json | undefined {
  return containersIn(template).find(
    (each) => textsAt(each, 'command').includes('/opt/sotto/sotto.cjs') && textsAt(each, 'args')[0] === command,
  );
}

function environmentOf(container: Json, podName: string, limitBytes: number): Record<string, string> {
  return Object.fromEntries(
    arrayAt(container, 'env').map((variable) => {
      const field = stringAt(variable, 'valueFrom', 'fieldRef', 'fieldPath');
      const resource = stringAt(variable, 'valueFrom', 'resourceFieldRef', 'resource');
      const value = field === 'metadata.name' ? podName : resource === 'limits.memory' ? String(limitBytes) : undefined;
      return [stringAt(variable, 'name') ?? '', value ?? stringAt(variable, 'value') ?? ''];
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
