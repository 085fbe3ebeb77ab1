import type { Memory } from './agent-process.ts';
import type { SizeResult } from './measure.ts';
import type { PodMemory, PodResult } from './pod.ts';
import type { RequestCount } from './world.ts';

/** What is to be beaten: Flux 2.9, two of its controllers, everything on two cores of the same kind of machine. */
const PEER = 'Flux 2.9';
const PEER_FIGURES: Readonly<Record<number, PeerFigures>> = {
  100: { quietRequests: 212, startToAppliedMs: 2_150 },
  1_000: { firstMs: 7_800, firstRequests: 3_021, oneMs: 5_000, oneRequests: 2_022 },
};
/** Measured for both controllers together; of how many objects is not said. */
const PEER_MEMORY = { rssMiB: [172, 183], privateMiB: [55, 67] } as const;
/** A hand edit restored by a bare loop when that was first measured (median). */
const FLOOR_MS = 7;

interface PeerFigures {
  readonly firstMs?: number;
  readonly firstRequests?: number;
  readonly oneMs?: number;
  readonly oneRequests?: number;
  readonly quietRequests?: number;
  readonly startToAppliedMs?: number;
}

export interface Row {
  readonly what: string;
  readonly sotto: string;
  readonly peer?: string;
  readonly ratio?: string;
  readonly note?: string;
}

/** The table of one size. */
export function sizeTable(result: SizeResult): string {
  const { objects, firstCommit, oneObject, handEdit, quietMinute, restart, fromNothing, memory } = result;
  const peer = PEER_FIGURES[objects] ?? {};
  const secrets = objects / 5;
  const rows: Row[] = [
    against('commit → everything live', firstCommit.pushToLiveMs, peer.firstMs, time),
    plain('  from asking the Git server', time(firstCommit.askedToLiveMs)),
    against('  requests', firstCommit.requests.total, peer.firstRequests, count, verbs(firstCommit.requests)),
    plain('  CPU of the agent', time(firstCommit.cpuMs)),
    against('one-object commit → live (median)', oneObject.pushToLiveMs, peer.oneMs, time),
    plain('  from asking the Git server', time(oneObject.askedToLiveMs)),
    against('  requests', oneObject.requestsPerCommit, peer.oneRequests, count),
    plain('hand edit → restored, p50', time(handEdit.sotto.p50), floorNote(handEdit.floor.p50, handEdit.sotto.p50)),
    plain('hand edit → restored, p99', time(handEdit.sotto.p99), floorNote(handEdit.floor.p99, handEdit.sotto.p99)),
    plain('  requests', count(handEdit.requestsPerEdit), `${handEdit.edits} edits, one after another`),
    against(
      'requests in a quiet minute',
      quietMinute.requests.total,
      peer.quietRequests,
      count,
      verbs(quietMinute.requests),
    ),
    plain('  of the Git server', count(quietMinute.gitRequests)),
    plain('  CPU of the agent', time(quietMinute.cpuMs)),
    plain('restart → everything judged', time(restart.startToReadyMs), `CPU ${time(restart.cpuMs)}`),
    plain(
      '  requests',
      count(restart.requests.total),
      `${verbs(restart.requests)}; ${restart.requests.watchesOpened} watches`,
    ),
    plain('  decrypted', count(restart.decrypts), `of ${secrets} SOPS files`),
    against('start in an empty namespace → applied', fromNothing.startToAppliedMs, peer.startToAppliedMs, time),
    plain('  requests', count(fromNothing.requests.total), verbs(fromNothing.requests)),
    memoryRow('resident, 3 s after the pass', memory.afterPass.rss, PEER_MEMORY.rssMiB),
    memoryRow('private, 3 s after the pass', memory.afterPass.private, PEER_MEMORY.privateMiB),
    memoryRow('resident, 3 s after a restart', memory.afterRestart.rss, PEER_MEMORY.rssMiB),
    memoryRow('private, 3 s after a restart', memory.afterRestart.private, PEER_MEMORY.privateMiB),
  ];
  const title = `${count(objects)} objects (${count(objects * 0.6)} ConfigMaps, ${count(secrets)} SOPS Secrets, ${count(objects / 10)} Deployments, ${count(objects / 10)} Services)`;
  return `${title}\n${aligned([{ what: '', sotto: 'sotto', peer: PEER, ratio: 'ratio' }, ...rows])}\n`;
}

/** Bytes that one more object costs, from the smallest to the largest size. */
export function memoryPerObject(results: readonly SizeResult[]): string {
  const [smallest, largest] = [results[0], results.at(-1)];
  if (smallest === undefined || largest === undefined || smallest === largest) return '';
  const more = largest.objects - smallest.objects;
  const per = (when: keyof SizeResult['memory'], field: 'rss' | 'private'): string =>
    count((largest.memory[when][field] - smallest.memory[when][field]) / more);
  return [
    `Bytes per object, ${count(smallest.objects)} to ${count(largest.objects)} objects:`,
    `after the pass ${per('afterPass', 'rss')} resident, ${per('afterPass', 'private')} private;`,
    `after a restart ${per('afterRestart', 'rss')} resident, ${per('afterRestart', 'private')} private\n`,
  ].join(' ');
}

/** What one more object costs, from the smallest to the largest of them. */
export function bytesPerObject(results: readonly { readonly objects: number; readonly memory: Memory }[]): string {
  const [smallest, largest] = [results[0], results.at(-1)];
  if (smallest === undefined || largest === undefined || smallest === largest) return '';
  const per = (field: 'rss' | 'private'): string =>
    count((largest.memory[field] - smallest.memory[field]) / (largest.objects - smallest.objects));
  return `Bytes per object, ${count(smallest.objects)} to ${count(largest.objects)} objects: ${per('rss')} resident, ${per('private')} private\n`;
}

export const LEGEND = `${PEER}: two of its controllers, same kind of machine, everything on two cores; ratio = sotto / ${PEER}.
Its hand edits are undone after half the interval on average, so no row compares with it; the floor is a bare loop
(watch, one PATCH, no judging) that takes turns with sotto in this run; ${FLOOR_MS} ms when it was first measured.
Requests: API server's audit log, by user, every verb but open watches. CPU: without the git processes.
`;

/** The Pod of deploy/ as a whole. */
export function podTable({ imageBytes, limitBytes, sizes }: PodResult): string {
  const memory = (what: string, { rssBytes, anonymousBytes, volumeBytes, peakBytes }: PodMemory): Row[] => [
    plain(`  ${what}: resident`, mebi(rssBytes), 'every process, shared pages included'),
    plain('    heaps', mebi(anonymousBytes), 'counts into the limit'),
    plain('    memory volume', mebi(volumeBytes), 'counts too'),
    plain('    highest so far', mebi(peakBytes), `${ratio(peakBytes / limitBytes)} of the limit, file cache included`),
  ];
  const rows = sizes.flatMap(({ objects, startToReadyMs, firstPass, restarted }) => [
    plain(`${count(objects)} objects: start → ready`, time(startToReadyMs), 'median of restarts, /readyz'),
    ...memory('after the first pass', firstPass),
    ...memory('after a restart', restarted),
  ]);
  const head = [plain('content of the image', mebi(imageBytes)), plain('memory limit', mebi(limitBytes))];
  return `The agent in the shape of its Pod (read-only root, memory volume, network of its own, memory limit)\n${aligned([...head, ...rows])}\n`;
}

export function mebi(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function against(
  what: string,
  value: number,
  peer: number | undefined,
  unit: (value: number) => string,
  note?: string,
): Row {
  const compared = peer === undefined ? {} : { peer: unit(peer), ratio: ratio(value / peer) };
  return { what, sotto: unit(value), ...compared, ...(note === undefined ? {} : { note }) };
}

export function plain(what: string, sotto: string, note = ''): Row {
  return { what, sotto, note };
}

function memoryRow(what: string, bytes: number, [least, most]: readonly [number, number]): Row {
  const mib = bytes / 1024 / 1024;
  const ratios = `${ratio(mib / most)}-${ratio(mib / least)}`;
  return { what, sotto: `${mib.toFixed(1)} MiB`, peer: `${least}-${most} MiB`, ratio: ratios };
}

export function floorNote(floorMs: number, sottoMs: number): string {
  return `floor ${time(floorMs)}, ${(sottoMs / floorMs).toFixed(1)} times that`;
}

function verbs({ byVerb }: RequestCount): string {
  return Object.entries(byVerb)
    .map(([verb, times]) => `${verb} ${count(times)}`)
    .join(', ');
}

export function time(ms: number): string {
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}

export function count(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 1 : 0 });
}

export function ratio(value: number): string {
  return value < 0.1 ? value.toFixed(3) : value.toFixed(2);
}

const WIDTHS = { what: 39, sotto: 10, peer: 12, ratio: 11 };

export function aligned(rows: readonly Row[]): string {
  return rows
    .map(({ what, sotto, peer = '', ratio: share = '', note = '' }) =>
      [
        `  ${what.padEnd(WIDTHS.what)}`,
        sotto.padStart(WIDTHS.sotto),
        peer.padStart(WIDTHS.peer),
        share.padStart(WIDTHS.ratio),
        note === '' ? '' : `   ${note}`,
      ]
        .join('')
        .trimEnd(),
    )
    .join('\n');
}
