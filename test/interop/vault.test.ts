import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { callService } from '../../src/services/call.ts';
import { KeyServices } from '../../src/services/key-services.ts';
import { Patience } from '../../src/services/patience.ts';
import { NO_SERVICES } from '../../src/services/rules.ts';
import { decryptSops } from '../../src/sops/decrypt.ts';
import { encryptSops } from '../../src/sops/encrypt.ts';
import { settingsLine } from '../../src/sops/service-errors.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { stockOutput } from '../harness/stock.ts';

const CLEAR = 'password: hunter2\n';
const TOKEN = 'hvs.interop-token';

const services = (allowed: readonly string[], token = TOKEN): KeyServices =>
  new KeyServices({
    rules: { ...NO_SERVICES, vault: allowed },
    credentials: () =>
      Promise.resolve([
        { kind: 'vault', token: Sensitive.copyOf(Buffer.from(token)), ca: undefined, address: undefined },
      ]),
    toAllow: settingsLine,
    toGive: 'vault login',
    call: callService,
    patience: new Patience(),
    now: () => new Date(),
  });

const opened = async (text: string, by: KeyServices): Promise<string> => {
  using clear = await decryptSops(text, 'yaml', 'f.yaml', [by]);
  return Buffer.from(clear.reveal()).toString();
};

describeReal('the transit engine of Vault', ['sops', 'transit'], () => {
  let folder: string;
  let address: string;
  let stop: () => void;
  const seen: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-vault-'));
    const env = { PATH: process.env['PATH'], TRANSIT_TOKEN: TOKEN };
    const server = spawn(toolPath('transit'), [], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    stop = () => void server.kill();
    const lines = createInterface({ input: server.stdout });
    address = await new Promise((resolve) =>
      lines.on('line', (line) => {
        if (line.startsWith('listening ')) resolve(`http://${line.slice('listening '.length)}`);
        else seen.push(line);
      }),
    );
    const made = await fetch(`${address}/v1/transit/keys/app`, { method: 'POST', headers: { 'X-Vault-Token': TOKEN } });
    expect(made.ok).toBe(true);
    seen.length = 0;
  });
  afterAll(() => {
    stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const uri = (): string => `${address}/v1/transit/keys/app`;
  const env = (): Record<string, string> => ({ HOME: folder, VAULT_TOKEN: TOKEN });
  const byStock = async (): Promise<string> => {
    writeFileSync(join(folder, 'f.yaml'), CLEAR);
    await stockOutput('sops', ['encrypt', '-i', '--hc-vault-transit', uri(), 'f.yaml'], { env: env(), cwd: folder });
    return readFileSync(join(folder, 'f.yaml'), 'utf8');
  };

  it('opens what stock sops wrote', async () => {
    expect(await opened(await byStock(), services([address]))).toBe(CLEAR);
  });

  it('wraps what stock sops opens, and what it rotated opens again', async () => {
    const key = { kind: 'vault', address, enginePath: 'transit', keyName: 'app' } as const;
    const by = services([address]);
    const wrap = by.wrap.bind(by);
    const options = { format: 'yaml' as const, file: 'g.yaml', recipients: [], services: { keys: [key], wrap } };
    writeFileSync(join(folder, 'g.yaml'), await encryptSops(CLEAR, { ...options, now: new Date() }));
    const stock = { env: env(), cwd: folder };
    expect((await stockOutput('sops', ['decrypt', 'g.yaml'], stock)).toString()).toBe(CLEAR);
    await stockOutput('sops', ['rotate', '-i', 'g.yaml'], stock);
    expect(await opened(readFileSync(join(folder, 'g.yaml'), 'utf8'), by)).toBe(CLEAR);
  });

  it('sees nothing of a file when another address is allowed', async () => {
    const text = await byStock();
    const before = seen.length;
    for (const allowed of [[], ['https://vault.example.com'], [address.replace(/\d+$/, '1')], [`${address}0`]]) {
      const error: unknown = await opened(text, services(allowed)).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'SOTTO-SOPS-070' });
      expect((error as SottoError).text()).toContain(`decryption: { vault: [ { address: "${address}" } ] }`);
      expect((error as SottoError).text()).not.toContain(TOKEN);
    }
    // A path that would be another part of Vault.
    const error: unknown = await opened(
      text.replace(/engine_path: .*/, 'engine_path: ../sys'),
      services([address]),
    ).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SOTTO-SOPS-074' });
    expect(seen.length).toBe(before);
  });

  it('that refuses the token is told as such, without the token', async () => {
    const error: unknown = await opened(await byStock(), services([address], 'hvs.wrong')).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'SOTTO-SOPS-072' });
    expect((error as SottoError).text()).not.toContain('hvs.');
  });
});
