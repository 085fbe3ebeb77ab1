import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { fileFormat } from '../../src/cli/file-format.ts';
import type { KeyServices } from '../../src/services/key-services.ts';
import { type GcpKmsRule, NO_SERVICES } from '../../src/services/rules.ts';
import { decryptFile } from '../../src/sops/change.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { type Gcp, GCP_KEY, startGcp } from '../harness/gcp.ts';
import { describeReal } from '../harness/real.ts';
import { CLEARS, gcpCredential, keyServices, openedText, refusalOf, serviceRecipient } from '../harness/services.ts';
import { stockOutput } from '../harness/stock.ts';

describeReal('Google Cloud KMS', ['sops'], () => {
  let folder: string;
  let gcp: Gcp;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-gcp-'));
    gcp = await startGcp();
  });
  afterAll(async () => {
    await gcp[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => void (gcp.seen.length = 0));

  const allowed = (): GcpKmsRule => ({ resourceId: GCP_KEY, endpoint: gcp.address });
  const services = (gcpKms: readonly GcpKmsRule[], file = gcp.account): KeyServices =>
    keyServices({ ...NO_SERVICES, gcpKms }, [gcpCredential(file)]);
  const stock = () => ({
    env: {
      HOME: folder,
      GOOGLE_CREDENTIALS: gcp.account,
      SOPS_GCP_KMS_CLIENT_TYPE: 'rest',
      SOPS_GCP_KMS_ENDPOINT: gcp.address,
    },
    cwd: folder,
  });
  const byStock = async (): Promise<string> => {
    writeFileSync(join(folder, 'f.yaml'), CLEARS.yaml);
    await stockOutput('sops', ['encrypt', '-i', '--gcp-kms', GCP_KEY, 'f.yaml'], stock());
    return readFileSync(join(folder, 'f.yaml'), 'utf8');
  };

  it('opens what stock sops wrote', async () => {
    expect(await openedText(await byStock(), services([allowed()]))).toBe(CLEARS.yaml);
    expect(gcp.seen).toEqual(['encrypt', 'decrypt']);
  });

  it.each(['yaml', 'json', 'ini', 'env', 'txt'])(
    'wraps what stock sops opens, and what it rotated opens again: %s',
    async (ending) => {
      const by = services([allowed()]);
      const file = `g.${ending}`;
      const format = fileFormat(file, {});
      const recipients = { groups: [[serviceRecipient({ kind: 'gcp_kms', resourceId: GCP_KEY }, by)]], threshold: 1 };
      const clear = Buffer.from(CLEARS[format]);
      writeFileSync(join(folder, file), await encryptFile(clear, { format, file, recipients, now: new Date() }));
      expect((await stockOutput('sops', ['decrypt', file], stock())).toString()).toBe(CLEARS[format]);
      await stockOutput('sops', ['rotate', '-i', file], stock());
      using again = await decryptFile(readFileSync(join(folder, file), 'utf8'), format, file, [by]);
      expect(Buffer.from(again.reveal()).toString()).toBe(CLEARS[format]);
    },
  );

  it('is not connected to for another key, or one whose name is the path of something else', async () => {
    const text = await byStock();
    const before = gcp.connections();
    for (const rules of [[], [{ ...allowed(), resourceId: `${GCP_KEY}2` }]]) {
      const error = await refusalOf(openedText(text, services(rules)));
      expect(error).toMatchObject({ code: 'SOTTO-SOPS-070', place: { file: 'f.yaml', line: 4, key: 'sops.gcp_kms' } });
      expect(error.text()).toContain(`decryption: { gcpKms: [ { resourceId: "${GCP_KEY}" } ] }`);
    }
    const odd = `${GCP_KEY}/../other`;
    const error = await refusalOf(
      openedText(text.replace(GCP_KEY, odd), services([{ ...allowed(), resourceId: odd }])),
    );
    expect(error.code).toBe('SOTTO-SOPS-074');
    expect(gcp.connections()).toBe(before);
  });

  it('is said to refuse or to be busy, without a word of what it wrote', async () => {
    const text = await byStock();
    const cases = [
      [401, 'SOTTO-SOPS-072'],
      [403, 'SOTTO-SOPS-072'],
      [302, 'SOTTO-SOPS-072'],
      [429, 'SOTTO-SOPS-071'],
      [503, 'SOTTO-SOPS-071'],
    ] as const;
    for (const [status, code] of cases) {
      gcp.troubles.push(status);
      const error = await refusalOf(openedText(text, services([allowed()])));
      expect(error.code).toBe(code);
      expect(error.text()).not.toContain('hunter2');
    }
    expect((await refusalOf(openedText(text, services([allowed()], gcp.impostor)))).code).toBe('SOTTO-SOPS-072');
  });
});
