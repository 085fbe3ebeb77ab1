import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { tidier } from '../../src/agent/collect-garbage.ts';
import { exposureKey } from '../../src/agent/exposure/stored.ts';
import { lastKeys } from '../../src/agent/last-parts.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { type FingerprintKey, fingerprintKey } from '../../src/keys/fingerprint.ts';
import { receiptSigner } from '../../src/keys/receipt-key.ts';

// Makes what is derived from a fingerprint key, as an agent does that writes, and is quiet. When it is told so, it drops it.
// Input: the key in hex, then how often.

const [line] = (await once(process.stdin, 'data')) as [Buffer];
const [hex = '', times = ''] = line.toString().split(' ');
const held: KeyObject[] = [];
derive(fingerprintKey(Sensitive.copyOf(Buffer.from(hex, 'hex'))), Number(times));
process.stdout.write('made\n');
await once(process.stdin, 'data');
held.length = 0;
await tidier()();
process.stdout.write('dropped\n');
await once(process.stdin, 'data');

function derive(fingerprint: FingerprintKey, count: number): void {
  for (let at = 0; at < count; at += 1) {
    held.push(exposureKey(fingerprint, 'team'), lastKeys(fingerprint, 'team').key);
    receiptSigner(fingerprint).sign(Buffer.from('a receipt'));
  }
}
