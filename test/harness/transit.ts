import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { toolPath } from './real.ts';

/** The transit engine of Vault at loopback, with one key. */
export interface Transit extends Disposable {
  readonly address: string;
  /** The URI of the key. */
  readonly uri: string;
  /** A line for every request since the key was made. */
  readonly seen: readonly string[];
}

export async function startTransit(token: string): Promise<Transit> {
  const env = { PATH: process.env['PATH'], TRANSIT_TOKEN: token };
  const server = spawn(toolPath('transit'), [], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const seen: string[] = [];
  const address = await new Promise<string>((resolve, reject) => {
    server.once('exit', () => reject(new Error('the transit engine ended')));
    createInterface({ input: server.stdout }).on('line', (line) => {
      if (line.startsWith('listening ')) resolve(`http://${line.slice('listening '.length)}`);
      else seen.push(line);
    });
  });
  const made = await fetch(`${address}/v1/transit/keys/app`, { method: 'POST', headers: { 'X-Vault-Token': token } });
  if (!made.ok) throw new Error(`the transit engine made no key: ${made.status}`);
  seen.length = 0;
  return { address, uri: `${address}/v1/transit/keys/app`, seen, [Symbol.dispose]: () => void server.kill() };
}
