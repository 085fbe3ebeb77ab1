import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describeReal, toolPath } from '../harness/real.ts';

const BUNDLE = join(import.meta.dirname, '..', '..', 'dist', 'sotto.cjs');
const MEMORY_VOLUME = '/dev/shm';

interface DemoRun {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What it left in its temp folder, and its folders on the memory volume. */
  readonly left: readonly string[];
  /** Processes that still have its temp folder in their command line or environment. */
  readonly processes: readonly string[];
}

/** Runs `sotto demo` from the bundle with a temp folder of its own, so that all it leaves can be seen. */
async function runDemo(args: readonly string[], watch?: (text: string, pid: number) => void): Promise<DemoRun> {
  if (!existsSync(BUNDLE)) throw new Error('dist/sotto.cjs is not there: npm run build');
  const temp = await mkdtemp(join(tmpdir(), 'sotto-demo-test-'));
  try {
    const inMemoryBefore = new Set(await demoFoldersInMemory());
    const env = {
      PATH: `${dirname(toolPath('kube-apiserver'))}:${dirname(toolPath('etcd'))}:${process.env['PATH'] ?? ''}`,
      HOME: process.env['HOME'],
      SOTTO_TOOLS_CACHE: process.env['SOTTO_TOOLS_CACHE'],
      XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'],
      TMPDIR: temp,
    };
    const child = spawn(process.execPath, [BUNDLE, 'demo', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, stderr]: [string[], string[]] = [[], []];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout.push(text);
      watch?.(stdout.join(''), child.pid ?? 0);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => stderr.push(text));
    const exit = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    // Killed children are gone when the kernel has tidied up.
    await sleep(200);
    const inMemory = (await demoFoldersInMemory()).filter((name) => !inMemoryBefore.has(name));
    return {
      exit,
      stdout: stdout.join(''),
      stderr: stderr.join(''),
      left: [...(await readdir(temp)), ...inMemory],
      processes: await processesWith(temp),
    };
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

async function demoFoldersInMemory(): Promise<readonly string[]> {
  const names = await readdir(MEMORY_VOLUME).catch(() => []);
  return names.filter((name) => name.startsWith('sotto-demo-agent-'));
}

async function processesWith(text: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return `${command} ${readFileSync(`/proc/${pid}/environ`, 'utf8')}`.includes(text) ? [command] : [];
    } catch {
      return [];
    }
  });
}

const CLAIMS = [
  /control plane up: kube-apiserver v\d/,
  /agent started: its first object live [\d.]+ m?s after the start/,
  /commit applied: 8 objects live [\d.]+ m?s after the push/,
  /hand edit of ConfigMap\/web data\.greeting undone after/,
  /hand edit of Deployment\/web spec\.replicas undone after/,
  /hand edit of Secret\/database data\.password undone after/,
  /deletion of Service\/web undone after/,
  /bad commit: 2 good changes live after [\d.]+ m?s, 2 bad files isolated/,
  /deploy\/banner\.yaml:7 {2}SOTTO-YAML-\d{3}/,
  /deploy\/mail\.json:\d+ {2}SOTTO-SOPS-\d{3}/,
  /CronJob\/report removed from Git: pruned [\d.]+ m?s after the push/,
  /sotto rotate: new keys for the whole repository, [\d.]+ m?s/,
  /\n {11}the agent has opened a canary for each of 2 new keys\n/,
  /\n {11}SealedSecrets are sealed for the key of Secret\s+sotto-sealing-\w+\n/,
  /\n {11}4 files changed, each opened again and compared\n/,
  /\n {11}the agent runs [0-9a-f]{12}; 0 workloads changed\n/,
  /\n {11}Secret sops-age with the old key only opens from now on\n/,
  /one commit, 4 files changed, \d+ insertions\(\+\), \d+ deletions\(-\)/,
  /\n {11}- +password: ENC\[AES256_GCM,data:\S{12}…\]\n {11}\+ +password: ENC\[AES256_GCM,data:\S{12}…\]\n/,
  /\n {11}- +(?:- )?recipient: age1\w{16}…\n {11}\+ +(?:- )?recipient: age1\w{16}…\n/,
  /sotto check --rotation HEAD: 4 files only have other keys, 5 values\s+new ciphertext; 0 are otherwise/,
  /Deployment\/web has the generation that it had before/,
  /keys rotated +[\d.]+ m?s, 0 workloads restarted/,
  /status: Ready, 8 objects as in Git/,
  /requests to the API server while quiet: 0 in 5\.0 s/,
  /Git +0 of 5/,
  /disk +0 of 5/,
  /log +0 of 5/,
  /status, other ConfigMaps +0 of 5/,
  /Events +0 of 5/,
  /memory of the agent +0 of 5/,
  /control: a process +5 of 5/,
  /control: live Secrets +5 of 5/,
];

describeReal('sotto demo', ['kube-apiserver', 'etcd'], () => {
  test('shows the main job, fits 80 columns without colours, and leaves nothing behind', async () => {
    const run = await runDemo([]);
    expect(run.stderr).toBe('');
    for (const claim of CLAIMS) expect(run.stdout).toMatch(claim);
    expect(run.stdout).not.toContain('FAILED');
    expect(run.stdout).not.toContain('\u001b');
    expect(run.stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect([run.exit, run.left, run.processes]).toEqual([0, [], []]);
  });

  test('--keep says how to look around, and the signal ends it cleanly', async () => {
    let isStopped = false;
    const run = await runDemo(['--keep'], (text, pid) => {
      if (isStopped || !text.includes('tail -f')) return;
      isStopped = true;
      process.kill(pid, 'SIGINT');
    });
    expect(run.stdout).toMatch(/export KUBECONFIG=\S+\n {2}kubectl get .*\n {2}npx sotto status\n/);
    expect(run.stdout).toMatch(/git clone https:\/\/demo:\w+@127\.0\.0\.1:\d+\/app\.git/);
    expect([run.exit, run.left, run.processes]).toEqual([0, [], []]);
  });

  test('a signal in the middle ends it with 130 and leaves nothing behind', async () => {
    let isStopped = false;
    const run = await runDemo([], (text, pid) => {
      if (isStopped || !text.includes('agent started')) return;
      isStopped = true;
      process.kill(pid, 'SIGINT');
    });
    expect(run.stdout).toContain('interrupted: everything that was started is ended and removed');
    expect([run.exit, run.left, run.processes]).toEqual([130, [], []]);
  });
});
