import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Memory } from './agent-process.ts';
import { followObjects } from './live-objects.ts';
import { measureFirstCommit, measureOneObject, MEMORY_AFTER_MS, SEED, type SizeResult } from './measure.ts';
import { aligned, count, plain, ratio, type Row, time } from './report.ts';
import { configMapFile, configMapPath, inTurns, outputOf, type RepositoryContent, repositoryOf } from './repository.ts';
import { createWorld, type Ground } from './world.ts';

/** The first apply of so many objects beside `kubectl apply --server-side`, and a commit of one object among them. */
export interface ApplyResult {
  readonly objects: number;
  /** kubectl with the same files, Secrets decrypted before: applying alone. */
  readonly kubectlMs: number;
  /** From the push to the last object live: Git, decryption and applying. */
  readonly firstCommit: SizeResult['firstCommit'];
  readonly oneObject: SizeResult['oneObject'];
  /** CPU of the agent for one commit of one object. */
  readonly oneObjectCpuMs: number;
  readonly memory: Memory;
}

export async function measureApply(ground: Ground, kubectl: string, objects: number): Promise<ApplyResult> {
  const step = (text: string): void => ground.say(`${objects} objects: ${text}`);
  step('writing and encrypting the repository');
  const content = await repositoryOf(objects, ground.key.recipient, ground.tools);
  step('kubectl apply --server-side');
  const kubectlMs = await kubectlApply(ground, kubectl, content, `kubectl-${objects}`);
  const name = `apply-${objects}`;
  const repository = await ground.git.createRepository(name);
  await repository.commit({ [configMapPath(SEED)]: configMapFile(SEED, 0) }, 'seed');
  const world = await createWorld(ground, name, repository);
  const { access } = ground.plane;
  using live = await followObjects({ access, namespace: world.namespace, signal: ground.signal });
  const size = { ground, world, repository, content, live };
  await using agent = await world.start();
  await agent.passed();
  step('first commit');
  const firstCommit = await measureFirstCommit(size, agent);
  await sleep(MEMORY_AFTER_MS, undefined, { signal: ground.signal });
  const memory = await agent.memory();
  step('commits of one object');
  const cpuBefore = await agent.metric('process_cpu_seconds_total');
  const oneObject = await measureOneObject(size, agent);
  const cpuMs = ((await agent.metric('process_cpu_seconds_total')) - cpuBefore) * 1000;
  return { objects, kubectlMs, firstCommit, oneObject, oneObjectCpuMs: cpuMs / oneObject.commits, memory };
}

/** One file, as `kustomize build | kubectl apply -f -` hands it over; as cluster admin, without a limit of its own. */
async function kubectlApply(
  { plane, folder, tools, key, signal }: Ground,
  kubectl: string,
  { files }: RepositoryContent,
  namespace: string,
): Promise<number> {
  await plane.createNamespace(namespace);
  const plainFolder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sotto-bench-'));
  try {
    const texts: string[] = [];
    const encrypted: string[] = [];
    for (const text of Object.values(files)) (/^sops:$/m.test(text) ? encrypted : texts).push(text);
    await inTurns(encrypted, async (text) => {
      signal.throwIfAborted();
      const args = ['decrypt', '--input-type', 'yaml', '--output-type', 'yaml', '--filename-override', 'secret.yaml'];
      texts.push(await outputOf(tools.sops, args, text, { SOPS_AGE_KEY: key.identity }));
    });
    const path = join(plainFolder, 'all.yaml');
    await writeFile(path, texts.join('---\n'), { mode: 0o600 });
    const place = ['--kubeconfig', plane.access.adminKubeconfigPath, '--cache-dir', join(folder, 'kubectl')];
    const startedMs = performance.now();
    await outputOf(kubectl, [...place, 'apply', '--server-side', '-n', namespace, '-f', path]);
    return performance.now() - startedMs;
  } finally {
    await rm(plainFolder, { recursive: true, force: true });
  }
}

export function applyTable({ objects, kubectlMs, firstCommit, oneObject, oneObjectCpuMs }: ApplyResult): string {
  const rows: Row[] = [
    {
      what: 'first apply: commit → everything live',
      sotto: time(firstCommit.pushToLiveMs),
      peer: time(kubectlMs),
      ratio: ratio(firstCommit.pushToLiveMs / kubectlMs),
      note: 'sotto: Git and decryption included',
    },
    plain('  from asking the Git server', time(firstCommit.askedToLiveMs)),
    plain('  requests', count(firstCommit.requests.total)),
    plain('  CPU of the agent', time(firstCommit.cpuMs)),
    plain('one-object commit → live (median)', time(oneObject.pushToLiveMs)),
    plain('  from asking the Git server', time(oneObject.askedToLiveMs)),
    plain('  requests', count(oneObject.requestsPerCommit)),
    plain('  CPU of the agent', time(oneObjectCpuMs)),
  ];
  const head = { what: '', sotto: 'sotto', peer: 'kubectl', ratio: 'ratio' };
  return `${count(objects)} objects, a fifth of them SOPS Secrets\n${aligned([head, ...rows])}\n`;
}
