import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AgeIdentity, parseAgeIdentities } from '../../src/sops/age.ts';
import { unwrapDataKey } from '../../src/sops/data-key.ts';
import { verifyMac } from '../../src/sops/mac.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { openWhole, SopsWhole } from '../../src/sops/whole.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { WHOLE_FILES } from '../sops/whole-files.ts';

// A file that is one secret as a whole is handed out exactly as `sops -d` writes it.
describeReal('a whole file', ['sops', 'age-keygen'], () => {
  let folder: string;
  let recipient: string;
  let env: Record<string, string>;
  let identities: readonly AgeIdentity[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-whole-'));
    const pair = await newAgeKeyPair();
    recipient = pair.recipient;
    env = { SOPS_AGE_KEY: pair.identity, HOME: folder };
    identities = parseAgeIdentities(Buffer.from(pair.identity));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function both(name: string, clear: Uint8Array, args: readonly string[]) {
    writeFileSync(join(folder, name), clear);
    const sealed = await stockOutput('sops', ['encrypt', '--age', recipient, ...args, name], { env, cwd: folder });
    writeFileSync(join(folder, name), sealed);
    const stock = await stockOutput('sops', ['decrypt', name], { env, cwd: folder });
    const format: WholeFormat = name.endsWith('.yaml')
      ? 'yaml'
      : name.endsWith('.json')
        ? 'json'
        : name.endsWith('.env')
          ? 'dotenv'
          : 'binary';
    const whole = new SopsWhole(sealed.toString(), format, name);
    using dataKey = await unwrapDataKey(whole, identities);
    await verifyMac(whole, dataKey);
    using opened = await openWhole(whole, dataKey);
    return { stock: Buffer.from(stock), sotto: Buffer.from(opened.reveal()) };
  }

  it.each(WHOLE_FILES)('is what sops writes: $name', async ({ file, text, args = [] }) => {
    const { stock, sotto } = await both(file, Buffer.from(text), args);
    expect(sotto.toString()).toBe(stock.toString());
    expect(sotto.equals(stock)).toBe(true);
  });

  it('of bytes that are no text is kept to the byte', async () => {
    const bytes = Buffer.from([0xef, 0xbb, 0xbf, 0, 255, 254, 10, 13, 128]);
    const { stock, sotto } = await both('blob.bin', bytes, []);
    expect([sotto, stock]).toEqual([bytes, bytes]);
  });
});
