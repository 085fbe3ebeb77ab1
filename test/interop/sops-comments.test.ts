import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { type AgeIdentity, parseAgeIdentities } from '../../src/sops/age.ts';
import { decryptFile, openForChange } from '../../src/sops/change.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { listValues } from '../../src/sops/list-values.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, runStock, stockOutput } from '../harness/stock.ts';

const KINDS = ['encrypted_comment_regex', 'unencrypted_comment_regex'] as const;

/** Every layout in which it is certain what a comment is for. */
const LAYOUTS = `# head

# not a marker
a: 1
# MARK
b: 2
# MARK above another

# plain
c: 3

# MARK with a blank line below

d: 4
e: 5 # MARK beside
f: # MARK behind a key
  g: 6
  h: [7, {i: 8}]
j:
  # MARK in a mapping
  k: 9
  l: 10
  # MARK at the end of a mapping
m: 11
n: # MARK behind the key of a list
  - 12
o:
  # MARK in a list
  - 13
  - 14 # MARK beside an element
  - 15
  # MARK before an element
  - p: 16
    q: 17
  - 18
r: | # MARK behind a block
  two
  lines
s: 19 # no marker
# MARK around all of it
t:
  u:
    v: 20
  # within
  w: {x: 21, z: ~, e: ""}
y: 22
---
a: 23 # MARK
b: 24
# MARK at the end
---
c: 25
`;

const ENV = '# MARK\nA=1\nB=2\n# note\n# MARK\n# after it\nC=\nD=3\n#\n\nE=4\n';

const CASES: readonly (readonly [WholeFormat, string, string])[] = [
  ['yaml', 'f.yaml', LAYOUTS],
  ['dotenv', 'f.env', ENV],
  ['json', 'f.json', '{\n\t"a": 1,\n\t"b": "x"\n}\n'],
];

/** As in the whole files, with markers among the comments. */
const ANY_LAYOUT: fc.Arbitrary<string> = fc
  .array(
    fc.record({
      depth: fc.integer({ min: 0, max: 2 }),
      kind: fc.constantFrom('value', 'value', 'list', 'block', 'comment', 'comment', 'deep comment', 'blank'),
      beside: fc.constantFrom('', '', '', ' # beside', ' # MARK'),
      text: fc.constantFrom('MARK', 'note'),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((lines) => {
    const out: string[] = [];
    let depth = 0;
    lines.forEach(({ depth: wanted, kind, beside, text }, at) => {
      const level = Math.min(wanted, depth);
      const margin = '  '.repeat(level);
      if (kind === 'blank') out.push('');
      else if (kind === 'comment') out.push(`${margin}# ${text}`);
      else if (kind === 'deep comment') out.push(`${margin}  # ${text}`);
      else if (kind === 'list') {
        out.push(`${margin}k${at}:${text === 'MARK' ? beside : ''}`, `${margin}- a${beside}`, `${margin}- k: v`);
        out.push(`${margin}  # ${text}`, `${margin}  l: w`, `${margin}# ${text}`, `${margin}- b`);
      } else if (kind === 'block') out.push(`${margin}k${at}: |`, `${margin}  text`, `${margin}  more`);
      else if (at % 3 === 0) {
        out.push(`${margin}k${at}:${text === 'MARK' ? beside : ''}`, `${margin}  in: x${beside}`);
        depth = level + 1;
        return;
      } else out.push(`${margin}k${at}: v${beside}`);
      if (kind !== 'blank' && !kind.endsWith('comment')) depth = level;
    });
    return `first: x\n${out.join('\n')}\nlast: x\n`;
  });

/** Documents and paths of what is encrypted. */
const chosen = (sealed: string, format: WholeFormat): string[] =>
  listValues(sealed, format, 'f').flatMap(({ document, path, encrypted }) =>
    encrypted ? [`${document} ${path.join('.')}`] : [],
  );

/** A block with a comment behind its header comes back in quotes: the comment takes the room of the block. */
function asBlocks(text: string): string {
  return text.replace(/^( *)(\w+): "(\w+)\\n(\w+)\\n"( #.*)$/gm, '$1$2: |$5\n$1  $3\n$1  $4');
}

describeReal('values chosen by their comments', ['sops', 'age-keygen'], () => {
  let folder: string;
  let recipient: string;
  let env: Record<string, string>;
  let identities: readonly AgeIdentity[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-comments-'));
    const pair = await newAgeKeyPair();
    recipient = pair.recipient;
    env = { HOME: folder, SOPS_AGE_KEY: pair.identity, PATH: process.env['PATH'] ?? '' };
    identities = parseAgeIdentities(Buffer.from(pair.identity));
    for (const kind of KINDS) {
      writeFileSync(join(folder, `${kind}.yaml`), `creation_rules: [{${kind}: MARK, age: ${recipient}}]\n`);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const stock = async (...args: readonly string[]): Promise<string> =>
    (await stockOutput('sops', args, { env, cwd: folder })).toString();

  function byStock(kind: string, name: string, text: string): Promise<string> {
    writeFileSync(join(folder, name), text);
    return stock('--config', `${kind}.yaml`, 'encrypt', name);
  }

  function bySotto(kind: (typeof KINDS)[number], format: WholeFormat, file: string, text: string): Promise<string> {
    const selector = { kind, value: 'MARK' } as const;
    return encryptFile(Buffer.from(text), { format, file, recipients: [recipient], selector, now: new Date() });
  }

  async function openedByStock(name: string, sealed: string): Promise<string> {
    writeFileSync(join(folder, name), sealed);
    const run = await runStock('sops', ['decrypt', name], { env, cwd: folder });
    expect(run.stderr).toBe('');
    return run.stdout.toString();
  }

  async function openedBySotto(sealed: string, format: WholeFormat, file: string): Promise<string> {
    using clear = await decryptFile(sealed, format, file, identities);
    return Buffer.from(clear.reveal()).toString();
  }

  for (const kind of KINDS) {
    it.each(CASES)(`are the same for both, whoever encrypted the file, by ${kind}: %s`, async (format, file, text) => {
      const stocks = await byStock(kind, file, text);
      const sottos = await bySotto(kind, format, file, text);
      expect(chosen(sottos, format)).toEqual(chosen(stocks, format));
      expect(asBlocks(await openedBySotto(sottos, format, file))).toBe(text);
      const clear = await openedByStock(file, stocks);
      expect(await openedByStock(file, sottos)).toBe(clear);
      expect(await openedByStock(file, await byStock(kind, file, await openedBySotto(stocks, format, file)))).toBe(
        clear,
      );
      // And stock goes on with what sotto made.
      writeFileSync(join(folder, file), sottos);
      await stock('rotate', '-i', file);
      expect(await stock('decrypt', file)).toBe(clear);
    });

    it(`change alone when they are changed, by ${kind}`, async () => {
      const sealed = await byStock(kind, 'f.yaml', LAYOUTS);
      using open = await openForChange(sealed, 'yaml', 'f.yaml', identities);
      const clear = Buffer.from(open.clear.reveal()).toString();
      const changed = await open.sealed(Buffer.from(clear.replace('b: 2', 'b: 3')), new Date());
      const lines = changed.split('\n').filter((line) => !sealed.split('\n').includes(line));
      expect(lines.map((line) => line.replace(/:.*/, ''))).toEqual(
        // The time may be of the same second.
        [
          'b',
          ...Array<string[]>(3).fill(
            lines.some((line) => line.includes('lastmodified')) ? ['    lastmodified', '    mac'] : ['    mac'],
          ),
        ].flat(),
      );
      const before = await openedByStock('f.yaml', sealed);
      expect(await openedByStock('f.yaml', changed)).toBe(before.replace('b: 2', 'b: 3'));
    });

    it(`are encrypted once the marker is there, by ${kind}`, async () => {
      const sealed = await byStock(kind, 'g.yaml', 'a: x\nb: z\n');
      using open = await openForChange(sealed, 'yaml', 'g.yaml', identities);
      const changed = await open.sealed(Buffer.from('a: x\n# MARK\nb: z\n'), new Date());
      const isMatched = kind === 'encrypted_comment_regex';
      expect(chosen(changed, 'yaml')).toEqual([isMatched ? '1 b' : '1 a']);
      expect(await openedByStock('g.yaml', changed)).toBe('a: x\n# MARK\nb: z\n');
    });

    it(`are the same in any layout, or the file is refused, by ${kind}`, async () => {
      let same = 0;
      await fc.assert(
        fc.asyncProperty(ANY_LAYOUT, async (clear) => {
          const stocks = await byStock(kind, 'any.yaml', clear);
          try {
            const sottos = await bySotto(kind, 'yaml', 'any.yaml', clear);
            expect(chosen(sottos, 'yaml')).toEqual(chosen(stocks, 'yaml'));
            expect(await openedByStock('any.yaml', sottos)).toBe(await openedByStock('any.yaml', stocks));
            expect(await openedBySotto(sottos, 'yaml', 'any.yaml')).toBe(clear);
            await openedBySotto(stocks, 'yaml', 'any.yaml');
            same += 1;
          } catch (thrown) {
            if (!(thrown instanceof SottoError)) throw thrown;
            expect(thrown.code).toBe('SOTTO-SOPS-009');
          }
        }),
        { numRuns: 60 },
      );

      expect(same).toBeGreaterThan(15);
    });
  }

  it('are refused where sops could not open its own file again', async () => {
    const clear = 'a:\n  # MARK\n  # second\n  - x\n';
    const kind = 'encrypted_comment_regex';
    const sealed = await byStock(kind, 'lost.yaml', clear);
    writeFileSync(join(folder, 'lost.yaml'), sealed);
    expect((await runStock('sops', ['decrypt', 'lost.yaml'], { env, cwd: folder })).code).toBe(51);
    await expect(bySotto(kind, 'yaml', 'lost.yaml', clear)).rejects.toMatchObject({
      code: 'SOTTO-SOPS-009',
      place: { line: 3 },
    });
  });

  it('are refused where the ciphertext of a comment would be taken for a marker', async () => {
    const selector = { kind: 'unencrypted_comment_regex', value: 'ENC' } as const;
    const options = { format: 'yaml' as const, file: 'f', recipients: [recipient], selector, now: new Date() };
    const rule = `creation_rules: [{unencrypted_comment_regex: ENC, age: ${recipient}}]\n`;
    writeFileSync(join(folder, 'enc.yaml'), rule);
    writeFileSync(join(folder, 'n.yaml'), '# note\na: x\n');
    expect((await runStock('sops', ['--config', 'enc.yaml', 'encrypt', 'n.yaml'], { env, cwd: folder })).code).not.toBe(
      0,
    );
    await expect(encryptFile(Buffer.from('# note\na: x\n'), options)).rejects.toMatchObject({ code: 'SOTTO-SOPS-009' });
  });
});
