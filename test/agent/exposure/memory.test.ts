import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exposureKey, sealRecord } from '../../../src/agent/exposure/stored.ts';
import { Sensitive } from '../../../src/core/sensitive.ts';
import { createCanaries, needlesOf, scanProcess } from '../../../src/demo/memory-scan.ts';
import { fingerprintKey } from '../../../src/keys/fingerprint.ts';
import { keyNeedles } from '../../harness/key-needles.ts';

const KEYS = 20;
const CHUNKS = 2;

test('the keys of exposures are in memory once, in their key objects, as no text, and not at all once they are closed', async () => {
  const canaries = createCanaries(KEYS, CHUNKS);
  const fingerprint = randomBytes(32);
  const exposures = canaries.values.map((value) => ({
    key: 'age1',
    since: '',
    reason: '',
    by: '',
    total: 1,
    accepted: 0,
    values: [],
    digestKey: fingerprintKey(Sensitive.copyOf(Buffer.from(`..${value}`))),
  }));
  const key = exposureKey(fingerprintKey(Sensitive.copyOf(fingerprint)), 'team');
  const sealed = sealRecord({ serial: 1, exposures }, key).toString('base64');
  const keeper = spawn(process.execPath, [join(import.meta.dirname, 'keeper-process.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const told = async (line: string): Promise<string> => {
    keeper.stdin.write(line);
    const [said] = (await once(keeper.stdout, 'data')) as [Buffer];
    return said.toString();
  };
  try {
    expect(await told(JSON.stringify({ fingerprint: fingerprint.toString('hex'), sealed }))).toBe(`kept ${KEYS}\n`);
    if (keeper.pid === undefined) throw new Error('the keeper did not start');
    const kept = scanProcess(keeper.pid, needlesOf(canaries), { freeze: true });
    expect(kept.hits).toEqual({ utf8: KEYS * CHUNKS, utf16le: 0, base64: 0, 'base64-utf16le': 0, hex: 0 });
    expect(kept.partials).toBe(0);
    // What seals them, made from the fingerprint key: its key object has it, and what it was made in has not.
    const sealing = keyNeedles(key.export());
    expect(scanProcess(keeper.pid, sealing, { freeze: true })).toMatchObject({ hits: { utf8: 1 }, partials: 0 });
    expect(await told('close')).toBe('closed\n');
    expect(scanProcess(keeper.pid, needlesOf(canaries), { freeze: true })).toMatchObject({
      valuesFound: 0,
      partials: 0,
    });
  } finally {
    keeper.kill('SIGKILL');
    await once(keeper, 'exit');
  }
}, 60_000);
