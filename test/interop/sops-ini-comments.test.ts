import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { openForChange } from '../../src/sops/change.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { listValues } from '../../src/sops/list-values.ts';
import { withValue } from '../../src/sops/value-edit.ts';
import { describeReal } from '../harness/real.ts';
import { stockOutput } from '../harness/stock.ts';
import { INI_TEXT } from '../sops/ini-files.ts';
import { type IniSides, iniSides } from './ini-sides.ts';

const KINDS = ['encrypted_comment_regex', 'unencrypted_comment_regex'] as const;
type Kind = (typeof KINDS)[number];

/** Everywhere a comment may stand; `d`, `g` and `l` are read alike by sops and by people. */
const LAYOUTS = `; MARK
a = 1
b = 2
c = 3
; MARK
[s]
d = 4 ; note
e = 5

; note
# MARK on a second line
f =
[t] ; MARK beside
; MARK
g = 6
h = 7 # MARK
[s]
; note
i = 8
[MARK]
j = 9
; MARK of nothing
[empty]
[u]
;; # MARK with other markers
k = \`x
y\`
l = 10
; MARK, which is dropped
`;

/** Where nobody is deceived: a comment says the same to sops and to people, or less to people. */
const SEALABLE: Readonly<Record<Kind, readonly string[]>> = {
  encrypted_comment_regex: [
    'a = 1\n[s]\n; note\nb = 2\n',
    '; MARK\n[s]\na = 1\n',
    '; MARK\n[s]\n; MARK\na = 1\n; MARK\nb = 2\n; note\nc =\n[t]\nd = 3\n',
    '[s] ; MARK beside\n; MARK\na = 1\nb = `x\ny`\n[s]\na = 1\n',
    '[s]\n; MARK\na =\nb = 2\n',
  ],
  unencrypted_comment_regex: [
    'a = 1\n[s]\n; note\nb = 2 # another\n',
    '; MARK\n[s]\na = 1\nb = 2\n; note\nc = 3\n',
    '; note\n[s]\n; MARK\na = 1\n; MARK\nb = 2\n; MARK\nc = 3\n[t]\n; note\nd = 3\n',
  ],
};

const MARKED = fc
  .tuple(INI_TEXT, fc.array(fc.tuple(fc.nat(12), fc.constantFrom('; MARK', '# MARK', ';# MARK #')), { maxLength: 4 }))
  .map(([text, marks]) => {
    const lines = text.split('\n');
    for (const [at, mark] of marks) lines.splice(at % lines.length, 0, mark);
    return lines.join('\n');
  });

/** Texts in which both readings often meet. */
const PLAIN = fc
  .array(
    fc.record({
      head: fc.constantFrom('', '', '; MARK\n', '; note\n'),
      name: fc.constantFrom('s', 't', 'MARK'),
      keys: fc.array(
        fc.tuple(fc.constantFrom('', '; MARK\n', '; note\n', '; note\n# MARK\n'), fc.constantFrom('1', '', 'x y')),
        { maxLength: 3 },
      ),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((sections) =>
    sections
      .map(
        ({ head, name, keys }) =>
          `${head}[${name}]\n${keys.map(([mark, value], at) => `${mark}k${at} = ${value}\n`).join('')}`,
      )
      .join(''),
  );

describeReal('values of an INI file chosen by comments', ['sops', 'age-keygen'], () => {
  let sides: IniSides;

  beforeAll(async () => {
    sides = await iniSides();
    for (const kind of KINDS) {
      const rule = (pattern: string): string =>
        `creation_rules: [{${kind}: '${pattern}', age: ${sides.pair.recipient}}]\n`;
      writeFileSync(join(sides.folder, `${kind}.yaml`), rule('MARK'));
      writeFileSync(join(sides.folder, `${kind}-other.yaml`), rule('^$|#M'));
      writeFileSync(join(sides.folder, `${kind}-enc.yaml`), rule('ENC'));
    }
  });
  afterAll(() => sides[Symbol.dispose]());

  const stockSeal = (rule: string, text: string): Promise<string | undefined> =>
    sides.stock(['--config', `${rule}.yaml`, 'encrypt'], text);

  function sottoSeal(kind: Kind, text: string, value = 'MARK'): Promise<string> {
    const selector = { kind, value };
    const recipients = [sides.pair.recipient];
    return encryptFile(Buffer.from(text), { format: 'ini', file: 'a.ini', recipients, selector, now: new Date() });
  }

  async function changed(sealed: string, edit: (clear: string) => string): Promise<string> {
    using open = await openForChange(sealed, 'ini', 'a.ini', sides.identities);
    return await open.sealed(Buffer.from(edit(Buffer.from(open.clear.reveal()).toString())), new Date());
  }

  it.each(KINDS)('are opened as stock opens them, and change alone, by %s', async (kind) => {
    const sealed = (await stockSeal(kind, LAYOUTS)) ?? '';
    const truth = (await sides.stock(['decrypt'], sealed)) ?? '';
    expect(await sides.sottoOpen(sealed)).toBe(truth);
    expect(chosen(sealed)).toEqual(
      kind === 'encrypted_comment_regex' ? ['DEFAULT.b', 's.d', 't.g', 't.h', 'u.l'] : OTHERS,
    );
    const after = await changed(sealed, (clear) => clear.replace('= 2', '= new').replace('= 9', '= old'));
    expect(await sides.stock(['decrypt'], after)).toBe(truth.replace('= 2', '= new').replace('= 9', '= old'));
    expect(chosen(after)).toEqual(chosen(sealed));
    const lines = after.split('\n').filter((line) => !sealed.split('\n').includes(line));
    expect(lines.map((line) => line.replace(/ *=.*/, '')).filter((name) => name !== 'lastmodified')).toEqual([
      'b',
      'j',
      'mac',
    ]);
    writeFileSync(join(sides.folder, 'a.ini'), after);
    await stockOutput('sops', ['rotate', '-i', 'a.ini'], sides.options);
    await stockOutput('sops', ['set', 'a.ini', '["s"]["d"]', '"v"'], sides.options);
  });

  for (const kind of KINDS) {
    it.each(SEALABLE[kind])(`are sealed as stock seals them, by ${kind}: %j`, async (text) => {
      const sealed = await sottoSeal(kind, text);
      const ofStock = (await stockSeal(kind, text)) ?? '';
      expect(shape(sealed)).toBe(shape(ofStock));
      expect(await sides.stock(['decrypt'], sealed)).toBe(await sides.stock(['decrypt'], ofStock));
    });

    it(`of any text that stock seals are opened as stock opens them, by ${kind}`, async () => {
      let same = 0;
      await fc.assert(
        fc.asyncProperty(MARKED, fc.constantFrom('', '-other'), async (text, rule) => {
          const sealed = await stockSeal(kind + rule, text);
          if (sealed === undefined) return;
          const opened = await sides.stock(['decrypt'], sealed);
          expect((await answer(() => sides.sottoOpen(sealed))).text).toBe(opened);
          if (opened !== undefined) same += 1;
        }),
        { numRuns: 80 },
      );
      expect(same).toBeGreaterThan(20);
    });

    it(`of any text are sealed as stock seals them, or the file is refused, by ${kind}`, async () => {
      let same = 0;
      await fc.assert(
        fc.asyncProperty(fc.oneof(MARKED, PLAIN, PLAIN), async (text) => {
          const { text: sealed, code } = await answer(() => sottoSeal(kind, text));
          if (sealed === undefined) {
            expect(code).toMatch(/^SOTTO-SOPS-0(09|40|41|42)$/);
            return;
          }
          const ofStock = (await stockSeal(kind, text)) ?? '';
          expect(chosen(sealed)).toEqual(chosen(ofStock));
          expect(await sides.stock(['decrypt'], sealed)).toBe(await sides.stock(['decrypt'], ofStock));
          same += 1;
        }),
        { numRuns: 100 },
      );
      expect(same).toBeGreaterThan(20);
    });

    it(`of any text are such that a change leaves nothing in clear that was not, by ${kind}`, async () => {
      let same = 0;
      const key = fc.constantFrom('k0', 'k1', 'new');
      await fc.assert(
        fc.asyncProperty(PLAIN, fc.constantFrom('s', 't'), key, async (text, section, name) => {
          const sealed = (await stockSeal(kind, text)) ?? '';
          const bytes = Buffer.from('v');
          const set = (clear: string): string =>
            withValue({ text: clear, format: 'ini', file: 'a.ini', document: 1 }, [section, name], {
              kind: 'text',
              bytes,
            });
          const { text: after, code } = await answer(() => changed(sealed, set));
          if (after === undefined) {
            expect(code).toBe('SOTTO-SOPS-009');
            return;
          }
          expect(await sides.sottoOpen(after)).toBe(await sides.stock(['decrypt'], after));
          const still = chosen(after);
          expect(still.filter((path) => path !== `${section}.${name}`)).toEqual(
            chosen(sealed).filter((path) => path !== `${section}.${name}`),
          );
          same += 1;
        }),
        { numRuns: 60 },
      );
      expect(same).toBeGreaterThan(20);
    });
  }

  it.each([
    ['a marked key, whose value sops leaves in clear', 'encrypted_comment_regex', '; MARK\na = 1\nb = 2\n'],
    ['a marked section, of which sops takes the first key', 'encrypted_comment_regex', '; MARK\n[s]\na = 1\nb = 2\n'],
    ['a key behind one that may stay in clear', 'unencrypted_comment_regex', '; MARK\na = 1\nb = 2\n'],
  ] as const)('are refused where a value would stay in clear by mistake: %s', async (_, kind, text) => {
    const sealed = (await stockSeal(kind, text)) ?? '';
    expect(sealed).toMatch(/= [12]\n/);
    expect(await sides.stock(['decrypt'], sealed)).toBeDefined();
    await expect(sottoSeal(kind, text)).rejects.toMatchObject({ code: 'SOTTO-SOPS-009' });
  });

  it.each([
    ['the blanks of a second line change', 'encrypted_comment_regex', '; x\n#M\na =\nb = 2\n'],
    ['the blanks of a second line change', 'unencrypted_comment_regex', '; x\n#M\na = 1\n; x\n#M\nb = 2\n'],
    ['an empty comment is dropped', 'encrypted_comment_regex', '[s]\n;\na =\nb = 2\n'],
    ['an empty comment is dropped', 'unencrypted_comment_regex', '[s]\n;\na = 1\n;\nb = 2\n'],
  ] as const)('are refused where sops could not open its own file: %s, %s', async (_, kind, text) => {
    const sealed = (await stockSeal(`${kind}-other`, text)) ?? '';
    expect(sealed).toContain('[sops]');
    expect(await sides.stock(['decrypt'], sealed)).toBeUndefined();
    const why: unknown = expect.stringContaining('once it is written');
    await expect(sottoSeal(kind, text, '^$|#M')).rejects.toMatchObject({ code: 'SOTTO-SOPS-009', why });
  });

  it('are refused where the ciphertext of a comment would be taken for a marker', async () => {
    const text = '; note\na = 1\n';
    expect(await stockSeal('unencrypted_comment_regex-enc', text)).toBeUndefined();
    const refused = sottoSeal('unencrypted_comment_regex', text, 'ENC');
    await expect(refused).rejects.toMatchObject({ code: 'SOTTO-SOPS-009' });
  });

  it('are refused where a change would bring an encrypted value into the clear', async () => {
    const sealed = (await stockSeal('encrypted_comment_regex', '[s]\n; MARK\na = 1\nb = 2\nc = 3\n')) ?? '';
    expect(chosen(sealed)).toEqual(['s.b']);
    const without = async (clear: string): Promise<string> => changed(sealed, (text) => text.replace(clear, ''));
    await expect(without('; MARK\na = 1\n')).rejects.toMatchObject({ code: 'SOTTO-SOPS-009', place: { key: 's.b' } });
    await expect(without('; MARK\n')).rejects.toMatchObject({ code: 'SOTTO-SOPS-009' });
    expect(chosen(await without('c = 3\n'))).toEqual(['s.b']);
    const marked = changed(sealed, (text) => text.replace('c = 3', '; MARK\nc = 3'));
    await expect(marked).rejects.toMatchObject({ code: 'SOTTO-SOPS-009', place: { key: 's.c' } });
  });
});

const OTHERS = ['DEFAULT.a', 'DEFAULT.c', 's.e', 's.i', 'MARK.j', 'u.k'];

function chosen(sealed: string): string[] {
  return listValues(sealed, 'ini', 'a.ini').flatMap(({ path, encrypted }) => (encrypted ? [path.join('.')] : []));
}

/** Without ciphertext and time. */
function shape(sealed: string): string {
  return sealed.replace(/ENC\[[^\]]*,type:|(?<=__map_enc +=).*|\d{4}-.*Z/g, '');
}

/** What sotto answers, or the code with which it refuses. */
async function answer(attempt: () => Promise<string>): Promise<{ text?: string; code?: string }> {
  try {
    return { text: await attempt() };
  } catch (thrown) {
    if (!(thrown instanceof SottoError)) throw thrown;
    return { code: thrown.code };
  }
}
