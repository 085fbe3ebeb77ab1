import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unwrapDataKey } from '../../src/sops/data-key.ts';
import { parseSopsFile } from '../../src/sops/file.ts';
import { encrypted, newKeyPair, refusal } from './fixtures.ts';

const pair = await newKeyPair();
const selector = { kind: 'encrypted_regex', value: '^password$' } as const;
const GOOD = await encrypted('password: hunter2\n', pair.recipient, { selector });

const unwrap = async (text: string): Promise<void> =>
  (await unwrapDataKey(parseSopsFile(text, 'yaml', 'f.yaml'), pair.identities))[Symbol.dispose]();
const withoutAge = (by: string): string => GOOD.replace(/ {4}age:\n(?: {8,}.*\n)*/, by);

/** Stands in for every service that a file may name. */
describe('a key service named in a file', () => {
  let service: Server;
  let address: string;
  let connections = 0;

  beforeAll(async () => {
    service = createServer((socket) => {
      connections += 1;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(service, 'listening');
    address = `http://127.0.0.1:${String((service.address() as AddressInfo).port)}`;
  });
  afterAll(() => void service.close());

  const vault = (): string =>
    `    hc_vault: [{vault_address: "${address}", engine_path: transit, key_name: k, created_at: "2026-01-02T03:04:05Z", enc: "vault:v1:x"}]\n`;
  const azure = (): string =>
    `    azure_kv: [{vault_url: "${address}", name: k, version: v, created_at: "2026-01-02T03:04:05Z", enc: x}]\n`;

  const aws = (): string =>
    `    kms: [{arn: "arn:aws:kms:eu-central-1:1:key/a?${address}", role: "${address}", created_at: "2026-01-02T03:04:05Z", enc: x}]\n`;
  const gcp = (): string => `    gcp_kms: [{resource_id: "${address}", created_at: "2026-01-02T03:04:05Z", enc: x}]\n`;

  const huawei = (): string => `    hckms: [{key_id: "${address}", created_at: "2026-01-02T03:04:05Z", enc: x}]\n`;

  it.each([
    ['Vault', vault, 'SOTTO-SOPS-070'],
    ['AWS KMS', aws, 'SOTTO-SOPS-070'],
    ['Google Cloud KMS', gcp, 'SOTTO-SOPS-070'],
    ['Azure Key Vault', azure, 'SOTTO-SOPS-070'],
    ['Huawei Cloud', huawei, 'SOTTO-SOPS-011'],
  ])('is refused by code and gets no connection: %s', async (_name, list, code) => {
    const error: unknown = await unwrap(withoutAge(list())).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, why: expect.stringContaining(address) as unknown });
    expect(connections).toBe(0);
  });

  it('is passed over when another key of the file opens it', async () => {
    await unwrap(GOOD.replace('sops:\n', `sops:\n${vault()}${azure()}`));
    expect(connections).toBe(0);
  });

  it('is not called for a share of the data key either', async () => {
    const groups = `    key_groups:\n    - {${vault().trim()}}\n    - {${azure().trim()}}\n`;
    expect((await refusal(() => unwrap(withoutAge(groups)))).code).toBe('SOTTO-SOPS-030');
    expect(connections).toBe(0);
  });

  it('would have been seen here', async () => {
    await once(connect((service.address() as AddressInfo).port, '127.0.0.1').resume(), 'close');
    expect(connections).toBe(1);
  });
});
