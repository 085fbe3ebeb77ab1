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
import { canaryValues } from './canary-values.ts';
import { apiItems, fileItems, type Item, listenerItems, processItems } from './leak-places.ts';
import { type ProcessSampler, sampleProcesses } from './process-sampler.ts';
import { GIT_PASSWORD, type Place } from './place.ts';

/** Values that are put into Secrets and must turn up nowhere else, and a watch over the processes of this test. */
export interface Canaries extends Disposable, CanarySet {
  /** 15 digits that can stand as a number; never found as text. */
  readonly numbers: CanarySet;
  readonly needles: Needles;
  readonly processes: ProcessSampler;
  readonly plantedAt: Date;
  /** Throws unless the scan finds every value in a process that holds them. Looks once. */
  readonly proveScan: () => Promise<void>;
}

/** Values of the sizes given, in chunks of 15 bytes. Plant them before the agent starts. */
export function plantCanaries(chunksPerValue: readonly number[]): Canaries {
  return watchedCanaries(canaryValues(chunksPerValue));
}

/** A watch over values that were made before. */
export function watchedCanaries(set: CanarySet): Canaries {
  const { values } = set;
  const digits = String(10 ** 14 + Math.floor(Math.random() * 8 * 10 ** 14));
  const needles = needlesOf(set);
  const processes = sampleProcesses();
  let proof: Promise<void> | undefined;
  return {
    ...set,
    numbers: { prefix: digits.slice(0, 6), values: [digits] },
    needles,
    processes,
    plantedAt: new Date(),
    proveScan: () => (proof ??= scanHolder(values, needles)),
    [Symbol.dispose]: () => processes[Symbol.dispose](),
  };
}

/**
 * Ends an end-to-end test: nothing of the canaries is anywhere but in the live Secrets, plain or as base64. Call it
 * when the agent has nothing to do any more; it waits half a second by itself.
 */
export async function leakCheck(world: Place, agent: RunningAgent, canaries: Canaries): Promise<void> {
  expect(await findLeaks(world, agent, canaries)).toEqual([]);
}

const QUIET_TRIES = 5;

/**
 * The same for an agent that is about to be stopped, or has ended. One that is at work holds what it works with, so the
 * memory is looked at until it is free of it once; what is always there is a leak.
 */
export async function leaksAtEnd(world: Place, agent: RunningAgent, canaries: Canaries): Promise<readonly string[]> {
  const memory: (readonly string[])[] = [];
  while (agent.isRunning() && memory.length < QUIET_TRIES && memory.at(-1)?.length !== 0) {
    await sleep(QUIET_MS);
    if (agent.isRunning()) memory.push(await memoryLeaks(agent.pid, canaries));
  }
  const samples = canaries.processes.samples();
  const output = [{ name: 'log', bytes: Buffer.from(agent.output()) }];
  const isListening = agent.isRunning() && agent.log.some(({ msg }) => msg === 'listening');
  const listening = isListening ? await listenerItems(agent) : [];
  const shown = [...output, ...listening, ...(await apiItems(world)), ...processItems(samples)];
  const files = await fileItems(world, samples, canaries.plantedAt);
  return [...(memory.at(-1) ?? []), ...leaksIn([...shown, ...files], canaries)];
}

/** One line per place that holds something, without the thing itself. */
export async function findLeaks(world: Place, agent: RunningAgent, canaries: Canaries): Promise<readonly string[]> {
  await sleep(QUIET_MS);
  // Memory first: what the rest of the check makes the agent do must not tidy up.
  const memory = await memoryLeaks(agent.pid, canaries);
  const samples = canaries.processes.samples();
  if (!samples.some(({ parent }) => parent === agent.pid)) throw new Error('no child process of the agent was seen');
  const output = [{ name: 'log', bytes: Buffer.from(agent.output()) }];
  const shown = [...output, ...(await listenerItems(agent)), ...(await apiItems(world)), ...processItems(samples)];
  return [
    ...memory,
    ...leaksIn([...shown, ...(await fileItems(world, samples, canaries.plantedAt))], canaries),
    ...shown
      .filter(({ bytes }) => Buffer.from(bytes).includes(GIT_PASSWORD))
      .map(({ name }) => `${name}: the password`),
  ];
}

const QUIET_MS = 500;

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
  return described(scanBytes(bytes, canaries.needles), scanBytes(bytes, needlesOf(canaries.numbers)));
}

/** Digits that begin like the number occur by chance; all fifteen of them do not. */
function described(values: ScanResult, numbers: ScanResult): string {
  const forms = Object.entries(values.hits).filter(([, count]) => count > 0);
  return [
    values.valuesFound > 0 ? `${values.valuesFound} values (${forms.map((form) => form.join(' ')).join(', ')})` : '',
    values.partials > 0 ? `${values.partials} pieces` : '',
    numbers.valuesFound > 0 ? 'a number' : '',
  ]
    .filter((text) => text !== '')
    .join(', ');
}

/** The writable memory of a process; and the same scan of one that does hold the values: without it a zero proves nothing. */
export async function memoryLeaks(pid: number, canaries: Canaries): Promise<readonly string[]> {
  await canaries.proveScan();
  const freeze = true;
  const numbers = scanProcess(pid, needlesOf(canaries.numbers), { freeze });
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
