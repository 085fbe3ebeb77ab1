import type { AgentCost, Cost, KustomizeResult, OverlaysResult } from './kustomize.ts';
import { aligned, count, mebi, plain, ratio, type Row, time } from './report.ts';
import type { Stages } from './stages.ts';

/** Tables of `npm run bench -- --kustomize`. */
export function kustomizeTables({ overlays, oneFile, plain: files, kustomized }: KustomizeResult): string {
  const parts = `A commit of one file in a kustomized tree of ${count(oneFile.files)} files: the parts of its pass (median)`;
  const agents = `The same ${count(files.objects)} objects, as plain files and built by kustomize`;
  return [
    overlaysTable(overlays),
    `${parts}\n${aligned(stageRows(oneFile.stages))}\n`,
    `${agents}\n${aligned(agentRows(files, kustomized))}\n`,
  ].join('\n');
}

function overlaysTable({ overlays, objects, sotto, again, loop, once }: OverlaysResult): string {
  const row = (what: string, cost: Cost, note = ''): Row => ({
    what,
    sotto: time(cost.tookMs),
    peer: time(cost.cpuMs),
    ratio: ratio(cost.tookMs / loop.tookMs),
    note,
  });
  const rows: Row[] = [
    { what: '', sotto: 'time', peer: 'CPU', ratio: 'of loop' },
    row('sops -d and kustomize build, in a loop', loop, 'each overlay by itself'),
    row('sops -d of every file, one build', once, 'the least that stock tools need'),
    row('sotto, nothing remembered', sotto, 'the Git server asked, objects ready to be applied'),
    ...stageRows(sotto.stages),
    row('sotto, the same again', again),
    ...stageRows(again.stages),
  ];
  return `${count(overlays)} overlays, ${count(objects)} objects: a base with a SOPS Secret, an encrypted env file each\n${aligned(rows)}\n`;
}

function stageRows(stages: Stages): Row[] {
  return [
    plain('    fetch', time(stages.fetch), 'Git server and reading blobs'),
    plain('    scan', time(stages.scan)),
    plain('    closing', time(stages.closing), 'what was never seen is decrypted once'),
    plain('    kustomize', time(stages.kustomize), 'its files written, the child process, its files removed'),
    plain('    accounting', time(stages.accounting), 'reading the result, every token accounted for'),
    plain('    plan', time(stages.plan), 'normalising and vetoes'),
  ];
}

function agentRows(files: AgentCost, kustomized: AgentCost): Row[] {
  const row = (what: string, figure: (cost: AgentCost) => number, unit: (value: number) => string): Row => {
    const [one, other] = [figure(files), figure(kustomized)];
    return { what, sotto: unit(one), peer: unit(other), ratio: one === 0 ? '' : ratio(other / one) };
  };
  return [
    { what: '', sotto: 'plain', peer: 'kustomize', ratio: 'ratio' },
    row('commit → everything live', (cost) => cost.firstCommitMs, time),
    row('one-object commit → live (median)', (cost) => cost.oneObjectMs, time),
    row('  from asking the Git server', (cost) => cost.oneObjectAskedMs, time),
    row('  CPU of the agent, a commit', (cost) => cost.cpuPerCommit.own, time),
    row('  CPU of git and kustomize, a commit', (cost) => cost.cpuPerCommit.children, time),
    row('restart → everything judged', (cost) => cost.restartMs, time),
    row('resident, 3 s after the pass', (cost) => cost.afterPass.rss, mebi),
    row('private, 3 s after the pass', (cost) => cost.afterPass.private, mebi),
    row('highest resident until then', (cost) => cost.peakRss, mebi),
    row('resident, 3 s after a restart', (cost) => cost.afterRestart.rss, mebi),
    row('private, 3 s after a restart', (cost) => cost.afterRestart.private, mebi),
    row('kustomize itself, highest resident', (cost) => cost.childPeakRss, mebi),
  ];
}
