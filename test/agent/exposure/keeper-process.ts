import { once } from 'node:events';
import { tidier } from '../../../src/agent/collect-garbage.ts';
import { type ExposureRecord, exposureKey, openRecord, sealRecord } from '../../../src/agent/exposure/stored.ts';
import { Sensitive } from '../../../src/core/sensitive.ts';
import { fingerprintKey, keyedValueDigest } from '../../../src/keys/fingerprint.ts';

// Reads what is exposed, uses its keys and writes it again as an agent does in its passes, and is quiet. When it is told
// so, everything is closed. Input: JSON with the fingerprint key in hex and the sealed record in base64.

interface Input {
  readonly fingerprint: string;
  readonly sealed: string;
}

const PASSES = 3;

const [line] = (await once(process.stdin, 'data')) as [Buffer];
const { fingerprint, sealed } = JSON.parse(line.toString()) as Input;
const key = exposureKey(fingerprintKey(Sensitive.copyOf(Buffer.from(fingerprint, 'hex'))), 'team');
const tidy = tidier();
let record = await openRecord(Buffer.from(sealed, 'base64'), key);
for (let pass = 0; pass < PASSES; pass += 1) {
  record = record && (await pastPass(record));
  await tidy();
}
process.stdout.write(`kept ${record?.exposures.length}\n`);
await once(process.stdin, 'data');
record = undefined;
await tidy();
process.stdout.write('closed\n');
await once(process.stdin, 'data');

function pastPass(before: ExposureRecord): Promise<ExposureRecord | undefined> {
  for (const { digestKey } of before.exposures) {
    using value = Sensitive.copyOf(Buffer.from('a value'));
    keyedValueDigest(digestKey, 'exposure', [], value);
  }
  return openRecord(sealRecord({ ...before, serial: before.serial + 1 }, key), key);
}
