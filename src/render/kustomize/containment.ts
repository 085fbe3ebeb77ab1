import { run, type RunLimits } from './run.ts';

/** What holds kustomize besides the scan. Shown to people, so that nobody takes for a wall what is none. */
export interface Containment {
  /** `none`: a network namespace of its own, without any interface. `shared`: that of this process. */
  readonly network: 'none' | 'shared';
  /** Whether the kernel caps memory and processor time of the run. */
  readonly resources: 'capped' | 'free';
  /** Put before the program. */
  readonly wrapper: readonly string[];
}

/** Programs of util-linux; undefined where there are none. */
export interface ContainmentTools {
  readonly unshare?: string | undefined;
  readonly prlimit?: string | undefined;
}

export interface Caps {
  readonly timeoutMs: number;
  readonly maxMemoryBytes: number;
}

export const NO_CONTAINMENT: Containment = { network: 'shared', resources: 'free', wrapper: [] };

/**
 * Tries, once, what this system lets us have: with the program itself, because what works for another one may not
 * work for it (a namespace may be had and a limit be too low). `program version` must succeed inside.
 */
export async function tryContainment(program: string, tools: ContainmentTools, caps: Caps): Promise<Containment> {
  const namespaces =
    tools.unshare === undefined ? [] : NAMESPACES.map((flags) => [tools.unshare ?? '', ...flags, '--']);
  const limits = tools.prlimit === undefined ? [] : [limitArgs(tools.prlimit, caps)];
  // The strongest first; what is fetched cannot be taken back, a run that takes too much is only ended later.
  for (const namespace of [...namespaces, []]) {
    for (const limit of [...limits, []]) {
      const wrapper = [...namespace, ...limit];
      if (wrapper.length === 0 || !(await works([...wrapper, program, 'version']))) continue;
      const network = namespace.length === 0 ? 'shared' : 'none';
      return { network, resources: limit.length === 0 ? 'free' : 'capped', wrapper };
    }
  }
  return NO_CONTAINMENT;
}

/** As root, and as anybody where the kernel lets users have namespaces. */
const NAMESPACES: readonly (readonly string[])[] = [['--net'], ['--user', '--net']];

/**
 * RLIMIT_DATA counts what is really writable; RLIMIT_AS would count the 600 MiB of addresses that a Go program
 * reserves at its start. No file may be written and no core dumped. The processor's clock also ends a run that has
 * outlived this process.
 */
function limitArgs(prlimit: string, { timeoutMs, maxMemoryBytes }: Caps): string[] {
  const seconds = Math.ceil(timeoutMs / 1_000);
  return [prlimit, `--data=${maxMemoryBytes}`, `--cpu=${seconds * 2}`, '--fsize=0', '--core=0', '--'];
}

const TRIAL: RunLimits = { timeoutMs: 10_000, maxOutputBytes: 64 * 1024 };

async function works(command: readonly string[]): Promise<boolean> {
  return (await run({ command, folder: '/', ...TRIAL })).kind === 'done';
}
