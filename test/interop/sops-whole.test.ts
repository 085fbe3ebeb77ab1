import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { type AgeIdentity, parseAgeIdentities } from '../../src/sops/age.ts';
import { unwrapDataKey } from '../../src/sops/data-key.ts';
import { verifyMac } from '../../src/sops/mac.ts';
import { encryptSops } from '../../src/sops/encrypt.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { openWhole, SopsWhole } from '../../src/sops/whole.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { INI_FILES } from '../sops/ini-files.ts';
import { WHOLE_FILES } from '../sops/whole-files.ts';

const ODD = Array.from(' \n\t\r\'":#-{}[],&*!|>%@`\\?~=<ab01é😀\u0085\ufeff');
const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A mapping with nested ones, lists, and comments in all kinds of places. */
const LAYOUT: fc.Arbitrary<string> = fc
  .array(
    fc.record({
      depth: fc.integer({ min: 0, max: 2 }),
      kind: fc.constantFrom('value', 'value', 'list', 'block', 'comment', 'comment', 'deep comment', 'blank'),
      beside: fc.constantFrom('', '', '', ' # beside'),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((lines) => {
    const out: string[] = [];
    let depth = 0;
    lines.forEach(({ depth: wanted, kind, beside }, at) => {
      const level = Math.min(wanted, depth);
      const margin = '  '.repeat(level);
      if (kind === 'blank') out.push('');
      else if (kind === 'comment') out.push(`${margin}# comment ${at}`);
      else if (kind === 'deep comment') out.push(`${margin}  # deep ${at}`);
      else if (kind === 'list')
        out.push(`${margin}k${at}:`, `${margin}- a${beside}`, `${margin}- k: v`, `${margin}  l: w`);
      else if (kind === 'block') out.push(`${margin}k${at}: |`, `${margin}  text`, `${margin}  more`);
      else if (at % 3 === 0) {
        out.push(`${margin}k${at}:`, `${margin}  in: x${beside}`);
        depth = level + 1;
        return;
      } else out.push(`${margin}k${at}: v${beside}`);
      if (kind !== 'blank' && !kind.endsWith('comment')) depth = level;
    });
    return `first: x\n${out.join('\n')}\n`;
  });

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
    return opened(name, sealed);
  }

  /** As stock sops opens it, and as sotto does. */
  async function opened(name: string, sealed: Uint8Array) {
    writeFileSync(join(folder, name), sealed);
    const stock = await stockOutput('sops', ['decrypt', name], { env, cwd: folder });
    const whole = new SopsWhole(Buffer.from(sealed).toString(), formatOf(name), name);
    using dataKey = await unwrapDataKey(whole, identities);
    await verifyMac(whole, dataKey);
    using clear = await openWhole(whole, dataKey);
    return { stock: Buffer.from(stock), sotto: Buffer.from(clear.reveal()) };
  }

  it.each([...WHOLE_FILES, ...INI_FILES])('is what sops writes: $name', async ({ file, text, args = [] }) => {
    const { stock, sotto } = await both(file, Buffer.from(text), args);
    expect(sotto.toString()).toBe(stock.toString());
    expect(sotto.equals(stock)).toBe(true);
  });

  it('is what sops writes: any strings, in YAML and in JSON', async () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom(...ODD), maxLength: 8 }),
      fc.string({ unit: fc.constantFrom(...Array.from('0123456789+-._:eExobTZ')), maxLength: 12 }),
      fc.string({ unit: 'grapheme-composite', maxLength: 12 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 100, maxLength: 200 }), async (strings) => {
        const clear = strings.filter(
          (each) => !/[\u2028\u2029]|^\t[^]*\n/.test(each) && Buffer.from(each).toString() === each,
        );
        const tree = { list: clear, map: Object.fromEntries(clear.map((each, at) => [`k${at}`, each])) };
        const json = Buffer.from(JSON.stringify(tree).replace(/[\u007f-\ud7ff\ue000-\uffff]/g, escaped));
        for (const name of ['any.json', 'any.yaml']) {
          const { stock, sotto } = await both(name, json, []);
          expect(sotto.toString()).toBe(stock.toString());
        }
      }),
      { numRuns: 10 },
    );
  });

  it('is what sops writes: any layout of comments, or is refused', async () => {
    let same = 0;
    await fc.assert(
      fc.asyncProperty(LAYOUT, async (clear) => {
        const bySotto = await encryptSops(clear, {
          format: 'yaml',
          file: 'f',
          recipients: [recipient],
          now: new Date(),
        });
        for (const attempt of [
          () => both('layout.yaml', Buffer.from(clear), []),
          () => opened('layout.yaml', Buffer.from(bySotto)),
        ]) {
          try {
            const { stock, sotto } = await attempt();
            expect(sotto.toString()).toBe(stock.toString());
            same += 1;
          } catch (thrown) {
            if (!(thrown instanceof SottoError)) throw thrown;
            expect(thrown.code).toBe('SOTTO-SOPS-021');
          }
        }
      }),
      { numRuns: 40 },
    );
    expect(same).toBeGreaterThan(10);
  });

  it('of bytes that are no text is kept to the byte', async () => {
    const bytes = Buffer.from([0xef, 0xbb, 0xbf, 0, 255, 254, 10, 13, 128]);
    const { stock, sotto } = await both('blob.bin', bytes, []);
    expect([sotto, stock]).toEqual([bytes, bytes]);
  });
});

function formatOf(name: string): WholeFormat {
  if (name.endsWith('.yaml')) return 'yaml';
  if (name.endsWith('.json')) return 'json';
  if (name.endsWith('.ini')) return 'ini';
  return name.endsWith('.env') ? 'dotenv' : 'binary';
}
