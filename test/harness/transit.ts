import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createAuthority } from '../../src/demo/certificates.ts';
import { toolPath } from './real.ts';

/** The transit engine of Vault at loopback, with one key. */
export interface Transit extends Disposable {
  readonly address: string;
  /** The URI of the key. */
  readonly uri: string;
  /** A line for every request since the key was made. */
  readonly seen: readonly string[];
}

export async function startTransit(token: string, args: readonly string[] = []): Promise<Transit> {
  const { server, listening, seen } = await run(token, args);
  const address = `http://${listening}`;
  const made = await fetch(`${address}/v1/transit/keys/app`, { method: 'POST', headers: { 'X-Vault-Token': token } });
  if (!made.ok) throw new Error(`the transit engine made no key: ${made.status}`);
  seen.length = 0;
  return { address, uri: `${address}/v1/transit/keys/app`, seen, [Symbol.dispose]: () => void server.kill() };
}

/** The same behind TLS and a door that counts who comes after its key was made. */
export interface GuardedTransit extends AsyncDisposable {
  readonly address: string;
  readonly uri: string;
  /** The authority of its certificate. */
  readonly caPem: string;
  /** How often somebody came to the door, whatever was said then. */
  connections(): number;
}

export async function startGuardedTransit(token: string): Promise<GuardedTransit> {
  const folder = await mkdtemp(join(tmpdir(), 'sotto-transit-'));
  const authority = await createAuthority('sotto test vault');
  const issued = await authority.issue({ commonName: 'vault', hosts: ['127.0.0.1'] });
  const [certificate, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  await writeFile(certificate, issued.certificatePem);
  await writeFile(key, issued.privateKeyPem, { mode: 0o600 });
  const { server, listening } = await run(token, ['-tls-cert', certificate, '-tls-key', key]);
  await makeKey(`https://${listening}`, token, authority.certificatePem);
  let connections = 0;
  const door = createServer((socket) => {
    connections += 1;
    const inside = connect(Number(listening.split(':').at(-1)), '127.0.0.1');
    socket.on('error', () => inside.destroy()).pipe(inside);
    inside.on('error', () => socket.destroy()).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(door, 'listening');
  const address = `https://127.0.0.1:${String((door.address() as AddressInfo).port)}`;
  return {
    address,
    uri: `${address}/v1/transit/keys/app`,
    caPem: authority.certificatePem,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      door.close();
      server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Nobody comes through the door for this. */
async function makeKey(address: string, token: string, ca: string): Promise<void> {
  const headers = { 'x-vault-token': token };
  const asked = request(`${address}/v1/transit/keys/app`, { method: 'POST', headers, ca }).end();
  const status = await new Promise<number | undefined>((resolve, reject) => {
    asked.once('error', reject).once('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
  });
  if (status !== 200 && status !== 204) throw new Error(`the transit engine made no key: ${String(status)}`);
}

async function run(token: string, args: readonly string[]) {
  const env = { PATH: process.env['PATH'], TRANSIT_TOKEN: token };
  const server = spawn(toolPath('transit'), args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const seen: string[] = [];
  const listening = await new Promise<string>((resolve, reject) => {
    server.once('exit', () => reject(new Error('the transit engine ended')));
    createInterface({ input: server.stdout }).on('line', (line) => {
      if (line.startsWith('listening ')) resolve(line.slice('listening '.length));
      else seen.push(line);
    });
  });
  return { server, listening, seen };
}
