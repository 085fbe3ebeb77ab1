import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningServer, startServer } from '../../src/demo/child-process.ts';
import type { ControlPlane } from '../../src/demo/control-plane.ts';

/** Stops and starts the API server of a control plane; etcd and everything in it stays. */
export interface ApiserverSwitch extends AsyncDisposable {
  stop(): Promise<void>;
  /** Resolves when it is ready. */
  start(): Promise<void>;
}

export async function apiserverSwitch(plane: ControlPlane): Promise<ApiserverSwitch> {
  const { folder } = plane.access;
  const first = plane.pids.apiserver;
  const commandLine = await readFile(`/proc/${first}/cmdline`, 'utf8');
  const [program = '', ...args] = commandLine.split('\0').slice(0, -1);
  let again: RunningServer | undefined;
  const stop = async (): Promise<void> => {
    if (again !== undefined) return again.stop();
    process.kill(first, 'SIGKILL');
    while (await isAlive(first)) await sleep(20);
  };
  const start = async (): Promise<void> => {
    again = await startServer({ program, args, cwd: folder, logPath: join(folder, 'kube-apiserver.log') });
    for (;;) {
      await again.assertRunning();
      const answer = await plane.admin('GET', '/readyz').catch(() => undefined);
      if (answer?.status === 200) return;
      await sleep(50);
    }
  };
  return { stop, start, [Symbol.asyncDispose]: async () => again?.stop() };
}

async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !/\) Z /.test(stat);
}
