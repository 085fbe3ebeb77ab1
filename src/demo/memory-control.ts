import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { CanarySet, Needles, ScanResult } from './memory-scan.ts';
import { scanProcess } from './memory-scan.ts';

/** Keeps each line of its input, which is hex of the reversed bytes: a form that the scan does not know. */
const HOLDER = `
const held = [];
let input = '';
process.stdin.setEncoding('latin1').on('data', (piece) => { input += piece; }).on('end', () => {
  for (const line of input.split('\\n')) held.push(Buffer.from(Buffer.from(line, 'hex').toReversed()));
  process.stdout.write('holding');
  setInterval(() => held.length, 60000);
});`;

/** The scan of a process that does hold the values. */
export async function scanHolder({ values }: CanarySet, needles: Needles): Promise<ScanResult> {
  const holder = spawn(process.execPath, ['-e', HOLDER], { stdio: ['pipe', 'pipe', 'ignore'], env: {} });
  const gone = once(holder, 'exit');
  try {
    holder.stdin.end(values.map((value) => Buffer.from(Buffer.from(value).toReversed()).toString('hex')).join('\n'));
    await once(holder.stdout, 'data');
    return scanProcess(holder.pid ?? 0, needles, { freeze: true });
  } finally {
    holder.kill('SIGKILL');
    await gone;
  }
}
