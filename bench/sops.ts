import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAgeIdentities } from '../src/sops/age.ts';
import { decryptFile } from '../src/sops/change.ts';
import { encryptFile } from '../src/sops/encrypt-file.ts';
import type { WholeFormat } from '../src/sops/scalar.ts';
import type { AgentProgram } from './agent-process.ts';
import { newAgeKeyPair, type SopsTools } from './repository.ts';

const VALUES = 20;
/** Stock starts a process for each file, which takes the same time for each: a part of them tells. */
const STOCK_FILES = 100;

/** Decrypting against stock sops in one run: many small files, and a large one as a process each. A table of times and ratios. */
export async function benchSops(
  tools: SopsTools,
  program: AgentProgram,
  files: number,
  largest: number,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sotto-bench-sops-'));
  try {
    const { identity, recipient } = await newAgeKeyPair(tools);
    const identities = parseAgeIdentities(Buffer.from(identity));
    const seal = async (name: string, format: WholeFormat, text: string): Promise<string> => {
      const options = { format, file: name, recipients: [recipient], now: new Date() };
      const path = join(folder, name);
      await writeFile(path, await encryptFile(Buffer.from(text), options));
      return path;
    };
    const open = async (path: string, format: WholeFormat): Promise<void> => {
      using _ = await decryptFile(await readFile(path, 'utf8'), format, path, identities);
    };
    const stock = (path: string): Promise<Run> => runDecrypt([tools.sops], path, identity);
    const sotto = (path: string): Promise<Run> => runDecrypt([process.execPath, program.path], path, identity);
    const small: string[] = [];
    for (let at = 0; at < files; at += 1) small.push(await seal(`f${at}.yaml`, 'yaml', smallText(at)));
    await open(small[0] ?? '', 'yaml');
    const ours = await timed(async () => {
      for (const path of small) await open(path, 'yaml');
    });
    const peak = process.resourceUsage().maxRSS;
    const some = small.slice(0, STOCK_FILES);
    const theirs = await timed(async () => {
      for (const path of some) await stock(path);
    });
    const rows = [row(`${files} files of ${VALUES} values, each file`, ours / files, theirs / some.length)];
    const large: readonly (readonly [string, WholeFormat, string])[] = [
      [`${largest} values in one YAML file`, 'yaml', yamlText(largest)],
      [`${largest} values in one JSON file`, 'json', jsonText(largest)],
      [`${largest} values in one dotenv file`, 'dotenv', envText(largest)],
    ];
    for (const [what, format, text] of large) {
      const path = await seal(`large.${format === 'dotenv' ? 'env' : format}`, format, text);
      const here = await sotto(path);
      const there = await stock(path);
      rows.push(row(what, here.ms, there.ms));
      rows.push(`    highest memory: ${mebibytes(here.peakKib)}, sops ${mebibytes(there.peakKib)}\n`);
    }
    rows.push(`  highest memory of the process with the small files: ${mebibytes(peak)} (writing them included)\n`);
    return `Decrypting SOPS files (one process; stock sops: one process for each file)\n${rows.join('')}`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

interface Run {
  readonly ms: number;
  /** As the kernel counts it, looked at until the process has ended. */
  readonly peakKib: number;
}

async function runDecrypt(command: readonly string[], path: string, identity: string): Promise<Run> {
  const [program = '', ...args] = command;
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', SOPS_AGE_KEY: identity };
  const start = performance.now();
  const child = spawn(program, [...args, 'decrypt', path], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  let peakKib = 0;
  const look = setInterval(() => (peakKib = Math.max(peakKib, highWaterKib(child.pid))), 20);
  try {
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) throw new Error(`${program} ended with ${String(code)}`);
  } finally {
    clearInterval(look);
  }
  return { ms: performance.now() - start, peakKib };
}

/** 0 where the kernel does not tell. */
function highWaterKib(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function smallText(file: number): string {
  return Array.from({ length: VALUES }, (_, at) => `key${at}: value ${at} of file ${file}\n`).join('');
}

function yamlText(values: number): string {
  return Array.from({ length: values }, (_, at) => `key${at}: value number ${at}\n`).join('');
}

function envText(values: number): string {
  return Array.from({ length: values }, (_, at) => `KEY_${at}=value number ${at}\n`).join('');
}

function jsonText(values: number): string {
  return JSON.stringify({ list: Array.from({ length: values }, (_, at) => `value number ${at}`) }, undefined, 1);
}

function row(what: string, oursMs: number, theirsMs: number): string {
  const ratio = `${(theirsMs / oursMs).toFixed(2)} times as fast`;
  return `  ${what.padEnd(40)} ${oursMs.toFixed(1).padStart(10)} ms   sops ${theirsMs.toFixed(1).padStart(10)} ms   ${ratio}\n`;
}

function mebibytes(kibibytes: number): string {
  return `${(kibibytes / 1024).toFixed(0)} MiB`;
}
