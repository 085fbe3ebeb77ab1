import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import {
  type CanarySet,
  type Needles,
  needlesOf,
  scanBytes,
  scanProcess,
  type ScanResult,
} from '../../src/demo/memory-scan.ts';
import type { RunningAgent } from './agent.ts';
import { canaryValues, FILE_CANARIES } from './canary-values.ts';
import { apiItems, fileItems, type Item, listenerItems, metricsOf, processItems } from './leak-places.ts';
import { type ProcessSampler, sampleProcesses } from './process-sampler.ts';
import { GIT_PASSWORD, type Place } from './place.ts';
import { countDigests, digestsOf } from './value-digests.ts';

/** Values that are put into Secrets and must turn up nowhere else. */
export interface Findable extends CanarySet {
  /** 15 digits that can stand as a number; never found as text. None where no number is planted. */
  readonly numbers: CanarySet;
  readonly needles: Needles;
  /** Of the values, without any key. */
  readonly digests: ReadonlySet<string>;
  /** Throws unless the scan finds every value in a process that holds them. Looks once. */
  readonly proveScan: () => Promise<void>;
}

/** The same with a watch over the processes of this test. */
export interface Canaries extends Disposable, Findable {
  readonly processes: ProcessSampler;
  readonly plantedAt: Date;
}

/**
 * Values of the sizes given, in chunks of 15 bytes, and a number. Plant them before the agent starts. They begin like
 * those of the world, whose own check in the end therefore finds them too; `apart`: for values that are left on purpose.
 */
export function plantCanaries(chunksPerValue: readonly number[], apart = false): Canaries {
  const digits = String(10 ** 14 + Math.floor(Math.random() * 8 * 10 ** 14));
  return watched(
    findable(canaryValues(chunksPerValue, apart ? undefined : FILE_CANARIES.prefix), {
      prefix: digits.slice(0, 6),
      values: [digits],
    }),
  );
}

export function findable(set: CanarySet, numbers: CanarySet = { prefix: '', values: [] }): Findable {
  const needles = needlesOf(set);
  let proof: Promise<void> | undefined;
  return {
    ...set,
    numbers,
    needles,
    digests: digestsOf(set.values),
    proveScan: () => (proof ??= scanHolder(set.values, needles)),
  };
}

export function watched(values: Findable): Canaries {
  const processes = sampleProcesses();
  return { ...values, processes, plantedAt: new Date(), [Symbol.dispose]: () => processes[Symbol.dispose]() };
}

/**
 * In the middle of a test: nothing of the canaries is anywhere but in the live Secrets, plain or as base64. Call it when
 * the agent has nothing to do any more; it waits half a second by itself. In the end the world looks by itself.
 */
export async function leakCheck(world: Place, agent: RunningAgent, canaries: Canaries): Promise<void> {
  expect(await findLeaks(world, agent, canaries)).toEqual([]);
}

const QUIET_MS = 500;
const QUIET_TRIES = 10;

/** One line per place that holds something, without the thing itself. */
export async function findLeaks(world: Place, agent: RunningAgent, canaries: Canaries): Promise<readonly string[]> {
  await sleep(QUIET_MS);
  // Memory first: what the rest of the check makes the agent do must not tidy up.
  const memory = await memoryLeaks(agent.pid, canaries);
  if (!hasSeenChild(agent, canaries)) throw new Error(NO_CHILD);
  return [...memory, ...(await placeLeaks(world, agent, [logOf(agent)], canaries))];
}

/**
 * The same in the end, whatever the agent is at: about to be stopped, ended, or none at all. One that is at work holds what
 * it works with; then it is looked at again. `outputs`: all that was written since the beginning.
 */
export async function leaksInTheEnd(
  world: Place,
  agent: RunningAgent | undefined,
  outputs: readonly Item[],
  canaries: Canaries,
): Promise<readonly string[]> {
  const running = agent?.isRunning() === true ? agent : undefined;
  const memory = running === undefined ? [] : await memoryLeaksInTheEnd(running, canaries);
  // An agent that waits for something has no need of git.
  const isBlind = running?.log.some(({ msg }) => msg === 'pass ended') === true && !hasSeenChild(running, canaries);
  return [...memory, ...(isBlind ? [NO_CHILD] : []), ...(await placeLeaks(world, running, outputs, canaries))];
}

async function memoryLeaksInTheEnd(agent: RunningAgent, canaries: Canaries): Promise<readonly string[]> {
  await canaries.proveScan();
  for (let tries = 1; ; tries += 1) {
    const before = await workOf(agent);
    await sleep(QUIET_MS);
    const found = agent.isRunning() ? await memoryLeaks(agent.pid, canaries) : [];
    if (found.length === 0 || tries === QUIET_TRIES) return found;
    await sleep(QUIET_MS);
    if ((await workOf(agent)) === before) return found;
  }
}

const WORK = /^sotto_(?:passes|applied_objects|pruned_objects|corrections|decrypts|api_requests)_total/;

/** Another text after the agent has opened, written or told something; asking Git is no work. */
async function workOf(agent: RunningAgent): Promise<string> {
  const metrics = agent.isRunning() ? await metricsOf(agent) : '';
  return [agent.log.length, ...metrics.split('\n').filter((line) => WORK.test(line))].join('\n');
}

/** Without an agent that runs, what there is without one. */
async function placeLeaks(
  world: Place,
  agent: RunningAgent | undefined,
  outputs: readonly Item[],
  canaries: Canaries,
): Promise<readonly string[]> {
  const samples = canaries.processes.samples();
  const listening = agent === undefined ? [] : await listenerItems(agent);
  const shown = [...outputs, ...listening, ...(await apiItems(world)), ...processItems(samples)];
  return [
    ...leaksIn([...shown, ...(await fileItems(world, samples, canaries.plantedAt))], canaries),
    ...shown
      .filter(({ bytes }) => Buffer.from(bytes).includes(GIT_PASSWORD))
      .map(({ name }) => `${name}: the password`),
  ];
}

export function logOf(agent: RunningAgent): Item {
  return { name: 'log', bytes: Buffer.from(agent.output()) };
}

/** Where none was seen, the watch over processes proves nothing. */
function hasSeenChild(agent: RunningAgent, canaries: Canaries): boolean {
  return canaries.processes.samples().some(({ parent }) => parent === agent.pid);
}

const NO_CHILD = 'no child process of the agent was seen';

/** Searched as one text, because a search has its price; what was found is searched again to be named. */
export function leaksIn(items: readonly Item[], canaries: Canaries): readonly string[] {
  const all = Buffer.concat(items.flatMap(({ bytes }) => [bytes, SEPARATOR]));
  if (whatIsIn(all, canaries) === '') return [];
  return items.flatMap(({ name, bytes }) => {
    const what = whatIsIn(bytes, canaries);
    return what === '' ? [] : [`${name}: ${what}`];
  });
}

const SEPARATOR = Buffer.from('\n');

function whatIsIn(bytes: Uint8Array, canaries: Canaries): string {
  const values = described(
    scanBytes(bytes, canaries.needles),
    numbersIn(canaries, (needles) => scanBytes(bytes, needles)),
  );
  const digests = countDigests(bytes, canaries.digests);
  return [values, ...(digests === 0 ? [] : [`${digests} digests`])].filter((text) => text !== '').join(', ');
}

/** A search has its price: none where nothing can be found. */
function numbersIn({ numbers }: Canaries, scan: (needles: Needles) => ScanResult): number {
  return numbers.values.length === 0 ? 0 : scan(needlesOf(numbers)).valuesFound;
}

/** Digits that begin like the number occur by chance; all fifteen of them do not. */
function described(values: ScanResult, numbers: number): string {
  const forms = Object.entries(values.hits).filter(([, count]) => count > 0);
  return [
    values.valuesFound > 0 ? `${values.valuesFound} values (${forms.map((form) => form.join(' ')).join(', ')})` : '',
    values.partials > 0 ? `${values.partials} pieces` : '',
    numbers > 0 ? 'a number' : '',
  ]
    .filter((text) => text !== '')
    .join(', ');
}

/** The writable memory of a process; and the same scan of one that does hold the values: without it a zero proves nothing. */
export async function memoryLeaks(pid: number, canaries: Canaries): Promise<readonly string[]> {
  await canaries.proveScan();
  const freeze = true;
  const numbers = numbersIn(canaries, (needles) => scanProcess(pid, needles, { freeze }));
  const what = described(scanProcess(pid, canaries.needles, { freeze }), numbers);
  return what === '' ? [] : [`memory: ${what}`];
}

async function scanHolder(values: readonly string[], needles: Needles): Promise<void> {
  const program = join(import.meta.dirname, '..', 'demo', 'memory-holder.ts');
  const holder = spawn(process.execPath, [program, 'buffer'], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    // Hex of the reversed bytes: a form that the scan does not know, so only what is held is found.
    const lines = values.map((value) => Buffer.from(Buffer.from(value).toReversed()).toString('hex'));
    holder.stdin.end(lines.join('\n'));
    await once(holder.stdout, 'data');
    const { valuesFound } = scanProcess(holder.pid ?? 0, needles, { freeze: true });
    if (valuesFound !== values.length) throw new Error(`the control shows ${valuesFound} of ${values.length} values`);
  } finally {
    holder.kill('SIGKILL');
    await once(holder, 'exit');
  }
}
