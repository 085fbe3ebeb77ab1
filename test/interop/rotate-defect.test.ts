import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Defect } from '../harness/planted-defect.ts';
import { describeReal } from '../harness/real.ts';
import {
  commitAll,
  identityIn,
  openedByStock,
  type Rotating,
  rotating,
  SEALED_NAME,
  sealByStock,
  SOPS_NAMES,
} from '../harness/rotation.ts';
import { newAgeKeyPair } from '../harness/stock.ts';

// What is made of a file is opened again and compared. As nothing that is written right can show that, the program runs
// with a defect in what writes.

const VALUES = 'sops/reseal-values.ts';
const SEALED = 'authoring/reseal-sealed.ts';

const SOPS_DEFECTS: Readonly<Record<string, Defect>> = {
  'a value is another': {
    file: VALUES,
    from: 'sealEnc(opened, value.enc.type, aad, newKey.key)',
    to: 'sealEnc(opened.map((byte) => byte ^ 1), value.enc.type, aad, newKey.key)',
  },
  'a value is bound to another place': {
    file: VALUES,
    from: 'sealEnc(opened, value.enc.type, aad, newKey.key)',
    to: "sealEnc(opened, value.enc.type, pathAad(['elsewhere']), newKey.key)",
  },
  'a comment is another': {
    file: VALUES,
    from: "sealEnc(opened, 'comment', pathAad(path), newKey.key)",
    to: "sealEnc(opened.map((byte) => byte ^ 1), 'comment', pathAad(path), newKey.key)",
  },
  'comments stay for the old data key': {
    file: VALUES,
    from: 'if (by !== undefined) splices.push',
    to: 'if (by === null) splices.push',
  },
  'what is not encrypted is changed': {
    file: 'sops/rekey.ts',
    from: 'return spliceText(text, [...values.filter((splice) => !isInBlock(splice)), ...blocks]);',
    to: "return `${kind === 'yaml' ? 'more: 1\\n' : ''}${spliceText(text, [...values.filter((splice) => !isInBlock(splice)), ...blocks])}`;",
  },
  'the MAC is of something else': {
    file: 'sops/rekey.ts',
    from: 'sealEnc(mac, ',
    to: 'sealEnc(mac.map((byte) => byte ^ 1), ',
  },
  'another data key is wrapped': {
    file: 'sops/wrap.ts',
    from: 'wrapDataKey(secret, ageOf(group))',
    to: 'wrapDataKey(secret.map((byte) => byte ^ 1), ageOf(group))',
  },
  'a recipient is added': {
    file: 'sops/wrap.ts',
    from: 'wrapDataKey(secret, ageOf(group))',
    to: "wrapDataKey(secret, [...ageOf(group), 'STRANGER'])",
  },
};

const SEALED_DEFECTS: Readonly<Record<string, Defect>> = {
  'the values of two items are exchanged': {
    file: SEALED,
    from: 'sealValue(value, resealing',
    to: 'sealValue([...opened].find(([other]) => other !== key)[1].value, resealing',
  },
  'a value is bound to another place': {
    file: SEALED,
    from: 'resealing.certificate, sealed.label)',
    to: 'resealing.certificate, Buffer.from("elsewhere"))',
  },
  'an item is left as it was': {
    file: SEALED,
    from: 'of opened)\n        splices',
    to: 'of [...opened].slice(1))\n        splices',
  },
};

describeReal('sotto rotate with a defect', ['sops', 'age-keygen', 'kubeseal'], () => {
  let at: Rotating;
  let before: string;
  beforeEach(async () => {
    at = await rotating();
    await sealByStock(at);
    before = commitAll(at);
  });
  afterEach(() => at[Symbol.dispose]());

  const age = (): string[] => ['--key-file', at.outside('old.txt'), '--new-key', at.outside('new.txt')];
  const sealing = (): string[] => ['--key-file', at.outside('sealing.json'), '--cert', at.outside('new.pem')];

  /** The program of src with the defects. */
  async function rotate(defects: readonly Defect[], flags: readonly string[]): Promise<{ exit: number; said: string }> {
    const { recipient } = await newAgeKeyPair();
    const planted = defects.map((defect) => ({ ...defect, to: defect.to.replace('STRANGER', recipient) }));
    writeFileSync(at.outside('defects.json'), JSON.stringify(planted));
    const args = ['--import', resolve('test/harness/planted-defect.ts'), resolve('src/main.ts'), 'rotate', ...flags];
    const env = { ...at.env, SOTTO_TEST_DEFECTS: at.outside('defects.json') };
    return new Promise((settle) => {
      const child = execFile(
        process.execPath,
        [...args, '--push', '--yes'],
        { cwd: at.root, env },
        (_, stdout, stderr) => settle({ exit: child.exitCode ?? -1, said: stdout + stderr }),
      );
    });
  }

  function expectNothingWritten({ exit, said }: { readonly exit: number; readonly said: string }): void {
    expect({ exit, said }).toMatchObject({ exit: 2, said: expect.stringContaining('SOTTO-CLI-210') as string });
    expect(said).not.toMatch(/hunter2|correct horse|of one|\n\s+at /);
    expect(at.git('rev-parse', 'HEAD', 'origin/main')).toBe(`${before}\n${before}\n`);
    expect(at.gitIn(at.remote, 'rev-parse', 'main').trim()).toBe(before);
    expect(at.git('status', '--porcelain')).toBe('');
  }

  it.each(Object.entries(SOPS_DEFECTS))('writes nothing where %s in a SOPS file', async (_, defect) => {
    expectNothingWritten(await rotate([defect], age()));
  });

  it.each(Object.entries(SEALED_DEFECTS))('writes nothing where %s in a SealedSecret', async (_, defect) => {
    expectNothingWritten(await rotate([defect], sealing()));
  });

  it('goes through without one, so that it is the defect that is noticed', async () => {
    expect(await rotate([], [...sealing(), ...age()])).toMatchObject({ exit: 0 });
    const made = await openedByStock(at.root, SOPS_NAMES, identityIn(at.outside('new.txt')));
    expect([...made.values()]).not.toContain(undefined);
  });

  it('would write the wrong thing if it did not compare: nothing else notices', async () => {
    const clear = await openedByStock(at.root, SOPS_NAMES, at.old.identity);
    const unseen = [
      SOPS_DEFECTS['a comment is another'],
      { file: 'sops/rekey.ts', from: 'await proveSame(old, oldKey', to: 'void (0, old, oldKey' },
      SEALED_DEFECTS['the values of two items are exchanged'],
      { file: SEALED, from: 'await prove(old, ', to: 'void (0, old, ' },
    ].flatMap((defect) => defect ?? []);
    const text = at.read(SEALED_NAME);
    expect(await rotate(unseen, [...sealing(), ...age()])).toMatchObject({ exit: 0 });
    expect(at.read(SEALED_NAME)).not.toBe(text);
    expect(await openedByStock(at.root, SOPS_NAMES, identityIn(at.outside('new.txt')))).not.toEqual(clear);
  });
});
