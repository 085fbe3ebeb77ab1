import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { openForChange } from '../../src/sops/change.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { parseIni } from '../../src/sops/ini.ts';
import type { KeyPath } from '../../src/sops/key-path.ts';
import { listValues } from '../../src/sops/list-values.ts';
import { withValue } from '../../src/sops/value-edit.ts';
import { describeReal } from '../harness/real.ts';
import { stockOutput } from '../harness/stock.ts';
import { INI_FILES, INI_TEXT } from '../sops/ini-files.ts';
import { type IniSides, iniSides } from './ini-sides.ts';

// INI has no standard but its library: what stock sops makes of a text is the specification.
describeReal('an INI file', ['sops', 'age-keygen'], () => {
  let sides: IniSides;

  beforeAll(async () => {
    sides = await iniSides();
  });

  afterAll(() => sides[Symbol.dispose]());

  const stockSeal = (text: string, args: readonly string[] = []): Promise<string | undefined> =>
    sides.stock(['encrypt', '--age', sides.pair.recipient, ...args], text);

  async function changedBy(sealed: string, path: KeyPath, value: string): Promise<string> {
    using open = await openForChange(sealed, 'ini', 'a.ini', sides.identities);
    const text = Buffer.from(open.clear.reveal()).toString();
    const clear = { text, format: 'ini', file: 'a.ini', document: 1 } as const;
    const bytes = Buffer.from(value);
    return await open.sealed(Buffer.from(withValue(clear, path, { kind: 'text', bytes })), new Date());
  }

  const sottoSeal = (text: string): Promise<string> =>
    encryptFile(Buffer.from(text), {
      format: 'ini',
      file: 'a.ini',
      recipients: [sides.pair.recipient],
      now: new Date(),
    });

  it('of any text that stock seals is opened as stock opens it', async () => {
    let same = 0;
    await fc.assert(
      fc.asyncProperty(INI_TEXT, fc.constantFrom([], ['--encrypted-regex', '^a']), async (text, args) => {
        const sealed = await stockSeal(text, args);
        if (sealed === undefined) return;
        const opened = await sides.stock(['decrypt'], sealed);
        expect(await sotto(() => sides.sottoOpen(sealed))).toBe(opened);
        if (opened !== undefined) same += 1;
      }),
      { numRuns: 150 },
    );
    expect(same).toBeGreaterThan(40);
  });

  it('of any text is sealed so that stock opens it as it opens its own, or is refused where stock fails or loses a name', async () => {
    let same = 0;
    await fc.assert(
      fc.asyncProperty(INI_TEXT, async (text) => {
        const byStock = await stockSeal(text);
        const truth = byStock === undefined ? undefined : await sides.stock(['decrypt'], byStock);
        const sealed = await sotto(() => sottoSeal(text));
        const opened = sealed === undefined ? undefined : await sides.stock(['decrypt'], sealed);
        // Of a key without a value sops loses the name unnoticed, if no quotes keep it.
        if (sealed === undefined && truth !== undefined) expect(namesIn(truth)).not.toEqual(namesIn(text));
        else expect(opened).toBe(truth);
        if (truth !== undefined) same += 1;
      }),
      { numRuns: 150 },
    );
    expect(same).toBeGreaterThan(40);
  });

  it('of any text has other bytes only where a value was set, and stock opens it', async () => {
    let same = 0;
    const value = fc.string({ unit: fc.constantFrom(...Array.from('ab \'"`;#\\=\n')), maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(INI_TEXT, fc.nat(), value, async (text, nth, content) => {
        const sealed = await stockSeal(text);
        if (sealed === undefined) return;
        const paths = listValues(sealed, 'ini', 'a.ini').map(({ path }) => path);
        const [section = 'new', key = 'key'] = paths[nth % Math.max(1, paths.length)] ?? [];
        const changed = await sotto(() => changedBy(sealed, [section, key], content));
        if (changed === undefined) return;
        expect(await sides.sottoOpen(changed)).toBe(await sides.stock(['decrypt'], changed));
        const old = new Set(sealed.split('\n'));
        const touched = changed.split('\n').filter((line) => !old.has(line) && !/^(?:mac|lastmodified) /.test(line));
        expect(touched.length).toBeLessThanOrEqual(paths.length === 0 ? 2 : 1);
        same += 1;
      }),
      { numRuns: 100 },
    );
    expect(same).toBeGreaterThan(25);
  });

  it.each(INI_FILES)('is sealed as stock seals it: $name', async ({ text, args = [] }) => {
    if (args.length > 0) return;
    const sealed = await sottoSeal(text);
    const ofStock = (await stockSeal(text)) ?? '';
    expect(shape(sealed)).toBe(shape(ofStock));
    expect(await sides.stock(['decrypt'], sealed)).toBe(await sides.stock(['decrypt'], ofStock));
  });

  it('that is laid out by hand keeps its layout when it is changed, and stock goes on with it', async () => {
    const sealed = (await stockSeal('top=1\n[s]\n; c\nlong_name=x\nb=y\n[s]\nb=z\n')) ?? '';
    const lines = sealed.replace('[s]', '\n  [s]  ; note').replace(/^b +=/m, '   b:');
    const byHand = `# by hand\n\n${lines}\n; the end\n`;
    using open = await openForChange(byHand, 'ini', 'a.ini', sides.identities);
    const clear = Buffer.from(open.clear.reveal()).toString();
    const changed = await open.sealed(Buffer.from(clear.replace('= y', '= new')), new Date());
    const old = new Set(byHand.split('\n'));
    const touched = changed.split('\n').filter((line) => !old.has(line));
    expect(
      touched.map((line) => line.replace(/[:=].*/, '').trimEnd()).filter((name) => name !== 'lastmodified'),
    ).toEqual(['   b', 'mac']);
    expect(await sides.stock(['decrypt'], changed)).toBe(clear.replace('= y', '= new'));
    writeFileSync(join(sides.folder, 'a.ini'), changed);
    await stockOutput('sops', ['rotate', '-i', 'a.ini'], sides.options);
    await stockOutput('sops', ['set', 'a.ini', '["s"]["n"]', '"v"'], sides.options);
  });

  it('made of YAML has the texts that stock gives its numbers', async () => {
    const yaml = 's: {i: 7, n: -12, b: true, f: 1.5, g: 2.0, h: 1234567.5, k: 1e-7, t: 2024-01-02T03:04:05Z, u: x}\n';
    writeFileSync(join(sides.folder, 'a.yaml'), yaml);
    const args = ['encrypt', '--age', sides.pair.recipient, '--input-type', 'yaml', '--output-type', 'ini', 'a.yaml'];
    const sealed = (await stockOutput('sops', args, sides.options)).toString();
    const truth = await sides.stock(['decrypt'], sealed);
    expect(await sides.sottoOpen(sealed)).toBe(truth);
    using open = await openForChange(sealed, 'ini', 'a.ini', sides.identities);
    const changed = await open.sealed(Buffer.from((truth ?? '').replace('= x', '= y')), new Date());
    expect(await sides.stock(['decrypt'], changed)).toBe((truth ?? '').replace('= x', '= y'));
  });
});

/** What sotto answers; undefined where it refuses by name. */
async function sotto(attempt: () => Promise<string>): Promise<string | undefined> {
  try {
    return await attempt();
  } catch (thrown) {
    if (!(thrown instanceof SottoError)) throw thrown;
    return undefined;
  }
}

function namesIn(text: string): unknown {
  return parseIni(text, 'a.ini').map(({ name, keys }) => [name, keys.map((key) => key.name)]);
}

/** Without ciphertext and time. */
function shape(sealed: string): string {
  return sealed.replace(/ENC\[[^\]]*,type:|(?<=__map_enc +=).*|\d{4}-.*Z/g, '');
}
