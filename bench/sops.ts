import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAgeIdentities } from '../src/sops/age.ts';
import { decryptFile } from '../src/sops/change.ts';
import { encryptFile } from '../src/sops/encrypt-file.ts';
import type { WholeFormat } from '../src/sops/scalar.ts';
import { newAgeKeyPair, type SopsTools } from './repository.ts';

const VALUES = 20;
/** Stock starts a process for each file, which takes the same time for each: a part of them tells. */
const STOCK_FILES = 100;

/** Decrypting against stock sops in one run: many small files, and one large one. A table of times and ratios. */
export async function benchSops(tools: SopsTools, files: number, largest: number): Promise<string> {
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
    const stock = (path: string): Promise<void> => runStock(tools.sops, path, identity);
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
      [`${largest / 2} values in one YAML file`, 'yaml', yamlText(largest / 2)],
      [`${largest} values in one JSON file`, 'json', jsonText(largest)],
    ];
    for (const [what, format, text] of large) {
      const path = await seal(`large.${format}`, format, text);
      rows.push(row(what, await timed(() => open(path, format)), await timed(() => stock(path))));
    }
    const highest = process.resourceUsage().maxRSS;
    rows.push(
      `  highest memory: small files ${mebibytes(peak)}, large ones ${mebibytes(highest)} (writing them included)\n`,
    );
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

function runStock(program: string, path: string, identity: string): Promise<void> {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', SOPS_AGE_KEY: identity };
  const child = spawn(program, ['decrypt', path], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`sops ended with ${String(code)}`))));
  });
}

function smallText(file: number): string {
  return Array.from({ length: VALUES }, (_, at) => `key${at}: value ${at} of file ${file}\n`).join('');
}

function yamlText(values: number): string {
  return Array.from({ length: values }, (_, at) => `key${at}: value number ${at}\n`).join('');
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
