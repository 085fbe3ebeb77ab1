import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { fileFormat } from '../../src/cli/file-format.ts';
import { type CallService, callService } from '../../src/services/call.ts';
import type { KeyServices } from '../../src/services/key-services.ts';
import { type AzureKeyVaultRule, NO_SERVICES } from '../../src/services/rules.ts';
import { decryptFile } from '../../src/sops/change.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import type { AzureKey } from '../../src/sops/service-key.ts';
import {
  type Azure,
  AZURE_CLIENT,
  AZURE_NAME,
  AZURE_SECRET,
  AZURE_TENANT,
  AZURE_VAULT,
  AZURE_VERSION,
  startAzure,
} from '../harness/azure.ts';
import { describeReal } from '../harness/real.ts';
import { azureCredential, CLEARS, keyServices, openedText, refusalOf, serviceRecipient } from '../harness/services.ts';
import { stockOutput } from '../harness/stock.ts';

const KEY: AzureKey = { kind: 'azure_kv', vaultUrl: AZURE_VAULT, name: AZURE_NAME, version: AZURE_VERSION };
const RULE: AzureKeyVaultRule = { vaultUrl: AZURE_VAULT, loginEndpoint: undefined };
const ORIGINS = [AZURE_VAULT, 'https://login.microsoftonline.com'];

describeReal('Azure Key Vault', ['sops'], () => {
  let folder: string;
  let azure: Azure;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-azure-'));
    azure = await startAzure();
    writeFileSync(join(folder, 'ca.crt'), azure.caPem);
  });
  afterAll(async () => {
    await azure[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    azure.seen.length = 0;
    azure.troubles.length = 0;
  });

  /** The listener under the names of Azure: no name but these two is ever called. */
  const atListener: CallService = (call) => {
    if (!ORIGINS.includes(call.origin)) throw new Error(`called ${call.origin}`);
    return callService({ ...call, origin: azure.address, ca: Buffer.from(azure.caPem) });
  };
  const services = (rules: readonly AzureKeyVaultRule[], file = {}): KeyServices =>
    keyServices({ ...NO_SERVICES, azureKeyVault: rules }, [azureCredential(file)], atListener);
  const stock = () => ({
    env: {
      HOME: folder,
      AZURE_TENANT_ID: AZURE_TENANT,
      AZURE_CLIENT_ID: AZURE_CLIENT,
      AZURE_CLIENT_SECRET: AZURE_SECRET,
      HTTPS_PROXY: azure.proxy,
      SSL_CERT_FILE: join(folder, 'ca.crt'),
    },
    cwd: folder,
  });
  const byStock = async (): Promise<string> => {
    writeFileSync(join(folder, 'f.yaml'), CLEARS.yaml);
    const url = `${AZURE_VAULT}/keys/${AZURE_NAME}/${AZURE_VERSION}`;
    await stockOutput('sops', ['encrypt', '-i', '--azure-kv', url, 'f.yaml'], stock());
    azure.seen.length = 0;
    return readFileSync(join(folder, 'f.yaml'), 'utf8');
  };

  it('opens what stock sops wrote, and keeps its token for the next file', async () => {
    const text = await byStock();
    const by = services([RULE]);
    expect(await openedText(text, by)).toBe(CLEARS.yaml);
    expect(await openedText(text, by)).toBe(CLEARS.yaml);
    expect(azure.seen).toEqual(['token', 'decrypt', 'decrypt']);
  });

  it.each(['yaml', 'json', 'ini', 'env', 'txt'])(
    'wraps what stock sops opens, and what it rotated opens again: %s',
    async (ending) => {
      const by = services([RULE]);
      const file = `g.${ending}`;
      const format = fileFormat(file, {});
      const recipients = { groups: [[serviceRecipient(KEY, by)]], threshold: 1 };
      const clear = Buffer.from(CLEARS[format]);
      writeFileSync(join(folder, file), await encryptFile(clear, { format, file, recipients, now: new Date() }));
      expect((await stockOutput('sops', ['decrypt', file], stock())).toString()).toBe(CLEARS[format]);
      await stockOutput('sops', ['rotate', '-i', file], stock());
      using again = await decryptFile(readFileSync(join(folder, file), 'utf8'), format, file, [by]);
      expect(Buffer.from(again.reveal()).toString()).toBe(CLEARS[format]);
    },
  );

  it('is asked for the newest version of a key that is named without one, as by stock sops', async () => {
    const by = services([RULE]);
    expect(await by.newest({ ...KEY, version: '' })).toEqual(KEY);
    expect(await by.newest(KEY)).toEqual(KEY);
    expect(azure.seen).toEqual(['token', `${AZURE_NAME}/`]);
    writeFileSync(join(folder, 'f.yaml'), CLEARS.yaml);
    const url = `${AZURE_VAULT}/keys/${AZURE_NAME}`;
    await stockOutput('sops', ['encrypt', '-i', '--azure-kv', url, 'f.yaml'], stock());
    expect(azure.seen).toContain(`${AZURE_NAME}/`);
    expect(await openedText(readFileSync(join(folder, 'f.yaml'), 'utf8'), by)).toBe(CLEARS.yaml);
    await expect(services([]).newest({ ...KEY, version: '' })).rejects.toMatchObject({ code: 'SOTTO-SOPS-070' });
  });

  it('is not connected to for another vault, or one that is not of Azure', async () => {
    const text = await byStock();
    for (const rules of [[], [{ ...RULE, vaultUrl: 'https://team2.vault.azure.net' }]]) {
      const error = await refusalOf(openedText(text, services(rules)));
      expect(error).toMatchObject({ code: 'SOTTO-SOPS-070', place: { file: 'f.yaml', line: 4, key: 'sops.azure_kv' } });
      expect(error.text()).toContain(`decryption: { azureKeyVault: [ { vaultUrl: "${AZURE_VAULT}" } ] }`);
    }
    for (const vaultUrl of ['https://team.vault.azure.net.example.com', 'https://vault.azure.net']) {
      const named = text.replace(AZURE_VAULT, vaultUrl);
      const error = await refusalOf(openedText(named, services([{ ...RULE, vaultUrl }])));
      expect(error.code).toBe('SOTTO-SOPS-074');
    }
    for (const [from, to] of [
      [AZURE_NAME, '../secrets'],
      [AZURE_VERSION, 'x/sign?'],
      [AZURE_VERSION, '""'],
    ] as const) {
      const error = await refusalOf(openedText(text.replace(from, to), services([RULE])));
      expect(error.code).toBe('SOTTO-SOPS-074');
    }
    expect(azure.seen).toEqual([]);
  });

  it('gets no token from another server than that of its cloud, whatever the file of the credential says', async () => {
    const text = await byStock();
    const error = await refusalOf(openedText(text, services([RULE], { authorityHost: 'https://login.example.com' })));
    expect(error).toMatchObject({ code: 'SOTTO-KEYS-051' });
    expect(azure.seen).toEqual([]);
    const same = services([RULE], { authorityHost: 'https://login.microsoftonline.com/' });
    expect(await openedText(text, same)).toBe(CLEARS.yaml);
  });

  it('is said to refuse, to be busy, or to give no token, without a word of what it wrote', async () => {
    const text = await byStock();
    const denied = await refusalOf(openedText(text, services([RULE], { clientSecret: 'wrong' })));
    expect(denied).toMatchObject({ code: 'SOTTO-SOPS-075', place: { line: 4, key: 'sops.azure_kv' } });
    expect(denied.text()).toContain('the client secret is wrong or has expired');
    const errors = [denied];
    for (const [of, status, body, code] of [
      ['login', 503, 'hunter2', 'SOTTO-SOPS-075'],
      ['login', 200, '{"access_token":"hun\\u0074er2","expires_in":"3599"}', 'SOTTO-SOPS-075'],
      ['login', 200, '{"access_token":"hunter2"}', 'SOTTO-SOPS-075'],
      ['vault', 403, 'hunter2', 'SOTTO-SOPS-072'],
      ['vault', 429, 'hunter2', 'SOTTO-SOPS-071'],
      ['vault', 200, '{"value":"hunter2="}', 'SOTTO-SOPS-073'],
    ] as const) {
      azure.troubles.push({ of, status, body });
      const error = await refusalOf(openedText(text, services([RULE])));
      expect(error.code).toBe(code);
      errors.push(error);
    }
    for (const error of errors) expect(error.text()).not.toMatch(/hunter2|a8Q~|wrong,/);
  });
});
