/**
 * A process that sends and reads Secrets through the door and then is quiet, so that its memory can be searched. The
 * bodies come from a file of `length, body` records whose bytes are inverted: what is read is not what is looked for.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { systemClock } from '../../src/core/clock.ts';
import { ownedBytes } from '../../src/core/sensitive.ts';
import { loadConnection } from '../../src/kube/connection.ts';
import { applyObject } from '../../src/kube/objects.ts';
import { SECRETS } from '../../src/kube/resource.ts';
import { readSecret } from '../../src/kube/secret-reader.ts';
import { Transport } from '../../src/kube/transport.ts';

const [kubeconfig = '', namespace = '', bodiesFile = '', keep = ''] = process.argv.slice(2);
const LANES = 4;

const bodies = readBodies(bodiesFile);
const connection = await loadConnection({ kubeconfig, env: {}, clock: systemClock });
const transport = new Transport(connection, { clock: systemClock, maxSockets: 3 });
await Promise.all(Array.from({ length: LANES }, (_, lane) => sendLane(lane)));
for (const [index] of bodies.entries()) {
  const content = await readSecret(transport, namespace, `s${index}`);
  for (const value of content?.entries.values() ?? []) value.wipe();
}
transport.close();
const kept = keep === 'keep' ? bodies.map((body) => filled(body)) : [];
process.stdout.write(`quiet ${bodies.length} ${kept.length}\n`);
setInterval(() => kept.length, 60_000);

async function sendLane(lane: number): Promise<void> {
  for (let index = lane; index < bodies.length; index += LANES) {
    const body = filled(bodies[index] ?? ownedBytes(0));
    const target = { resource: SECRETS, namespace, name: `s${index}` };
    const outcome = await applyObject(transport, { ...target, force: true, body });
    if (!outcome.ok) throw new Error(`${outcome.failure.kind} ${outcome.failure.status}`);
  }
}

function filled(inverted: Uint8Array): Uint8Array {
  const body = ownedBytes(inverted.length);
  for (const [index, byte] of inverted.entries()) body[index] = byte ^ 0xff;
  return body;
}

function readBodies(path: string): Uint8Array[] {
  const file = openSync(path, 'r');
  const bytes = ownedBytes(fstatSync(file).size);
  readSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
  const view = new DataView(bytes.buffer);
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 4 + view.getUint32(at)) {
    found.push(bytes.subarray(at + 4, at + 4 + view.getUint32(at)));
  }
  return found;
}
