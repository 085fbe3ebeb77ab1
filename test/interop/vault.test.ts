import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fileFormat } from '../../src/cli/file-format.ts';
import { SottoError } from '../../src/core/errors.ts';
import type { KeyServices } from '../../src/services/key-services.ts';
import { NO_SERVICES } from '../../src/services/rules.ts';
import { decryptFile } from '../../src/sops/change.ts';
import { decryptSops } from '../../src/sops/decrypt.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { encryptSops } from '../../src/sops/encrypt.ts';
import type { ServiceRecipient } from '../../src/sops/service-recipient.ts';
import { describeReal } from '../harness/real.ts';
import { CLEARS, keyServices, openedText, serviceRecipient, vaultCredential } from '../harness/services.ts';
import { stockOutput } from '../harness/stock.ts';
import { startTransit, type Transit } from '../harness/transit.ts';
import { newKeyPair } from '../sops/fixtures.ts';

const CLEAR = CLEARS.yaml;
const TOKEN = 'hvs.interop-token';

const services = (allowed: readonly string[], token = TOKEN): KeyServices =>
  keyServices({ ...NO_SERVICES, vault: allowed }, [vaultCredential(token)]);
const opened = openedText;

describeReal('the transit engine of Vault', ['sops', 'transit'], () => {
  let folder: string;
  let transit: Transit;
  let address: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-vault-'));
    transit = await startTransit(TOKEN);
    ({ address } = transit);
  });
  afterAll(() => {
    transit[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const env = (): Record<string, string> => ({ HOME: folder, VAULT_TOKEN: TOKEN });
  const byStock = async (): Promise<string> => {
    writeFileSync(join(folder, 'f.yaml'), CLEAR);
    await stockOutput('sops', ['encrypt', '-i', '--hc-vault-transit', transit.uri, 'f.yaml'], {
      env: env(),
      cwd: folder,
    });
    return readFileSync(join(folder, 'f.yaml'), 'utf8');
  };

  it('opens what stock sops wrote', async () => {
    expect(await opened(await byStock(), services([address]))).toBe(CLEAR);
  });

  const recipient = (by: KeyServices): ServiceRecipient =>
    serviceRecipient({ kind: 'vault', address, enginePath: 'transit', keyName: 'app' }, by);

  it.each(['yaml', 'json', 'ini', 'env', 'txt'])(
    'wraps what stock sops opens, and what it rotated opens again: %s',
    async (ending) => {
      const by = services([address]);
      const file = `g.${ending}`;
      const recipients = { groups: [[recipient(by)]], threshold: 1 };
      const format = fileFormat(file, {});
      const clear = Buffer.from(CLEARS[format]);
      const encrypted = await encryptFile(clear, { format, file, recipients, now: new Date() });
      writeFileSync(join(folder, file), encrypted);
      const stock = { env: env(), cwd: folder };
      expect((await stockOutput('sops', ['decrypt', file], stock)).toString()).toBe(CLEARS[format]);
      await stockOutput('sops', ['rotate', '-i', file], stock);
      using again = await decryptFile(readFileSync(join(folder, file), 'utf8'), format, file, [by]);
      expect(Buffer.from(again.reveal()).toString()).toBe(CLEARS[format]);
    },
  );

  it('holds a share of the data key beside another key group, both of which are needed', async () => {
    const by = services([address]);
    const pair = await newKeyPair();
    const groups = [[recipient(by)], [{ kind: 'age' as const, recipient: pair.recipient }]];
    const recipients = { groups, threshold: 2 };
    const text = await encryptSops(CLEAR, { format: 'yaml', file: 's.yaml', recipients, now: new Date() });
    writeFileSync(join(folder, 's.yaml'), text);
    const stock = { env: { ...env(), SOPS_AGE_KEY: pair.identity }, cwd: folder };
    expect((await stockOutput('sops', ['decrypt', 's.yaml'], stock)).toString()).toBe(CLEAR);
    using clear = await decryptSops(text, 'yaml', 's.yaml', [...pair.identities, by]);
    expect(Buffer.from(clear.reveal()).toString()).toBe(CLEAR);
    await expect(opened(text, by)).rejects.toMatchObject({ code: 'SOTTO-SOPS-030' });
  });

  it('sees nothing of a file when another address is allowed', async () => {
    const text = await byStock();
    const before = transit.seen.length;
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
    expect(transit.seen.length).toBe(before);
  });

  it('that refuses the token is told as such, without the token', async () => {
    const error: unknown = await opened(await byStock(), services([address], 'hvs.wrong')).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'SOTTO-SOPS-072' });
    expect((error as SottoError).text()).not.toContain('hvs.');
  });
});
