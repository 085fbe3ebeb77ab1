import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgeIdentity, parseAgeIdentities } from '../../src/sops/age.ts';
import { decryptFile } from '../../src/sops/change.ts';
import { type AgeKeyPair, newAgeKeyPair, runStock } from '../harness/stock.ts';

/** Stock sops and sotto with the same key, on the same INI file. */
export interface IniSides extends Disposable {
  readonly folder: string;
  readonly pair: AgeKeyPair;
  readonly identities: readonly AgeIdentity[];
  readonly options: { readonly env: Record<string, string>; readonly cwd: string };
  /** What stock sops answers; undefined where it fails. */
  stock(args: readonly string[], text: string): Promise<string | undefined>;
  sottoOpen(text: string): Promise<string>;
}

export async function iniSides(): Promise<IniSides> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-ini-'));
  const pair = await newAgeKeyPair();
  const identities = parseAgeIdentities(Buffer.from(pair.identity));
  const env = { SOPS_AGE_KEY: pair.identity, HOME: folder, PATH: process.env['PATH'] ?? '' };
  const options = { env, cwd: folder };
  return {
    folder,
    pair,
    identities,
    options,
    async stock(args, text) {
      writeFileSync(join(folder, 'a.ini'), text);
      const { code, stdout } = await runStock('sops', [...args, 'a.ini'], options);
      return code === 0 ? stdout.toString() : undefined;
    },
    async sottoOpen(text) {
      using clear = await decryptFile(text, 'ini', 'a.ini', identities);
      return Buffer.from(clear.reveal()).toString();
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
