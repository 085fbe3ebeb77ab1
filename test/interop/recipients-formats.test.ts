import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type CliResult, sotto } from '../cli/session.ts';
import { describeReal } from '../harness/real.ts';
import { CLEAR_FILES, encryptByStock, openByStock, writeAll } from '../harness/sealed-repository.ts';
import { type AgeKeyPair, newAgeKeyPair, runStock, stockOutput } from '../harness/stock.ts';

const NAMES = Object.keys(CLEAR_FILES);
/** Whoever has the data key reads nothing in a file that has no value. */
const WITH_VALUES = NAMES.filter((name) => name !== 'deploy/empty.bin');
const WRAPPED = /-----BEGIN AGE ENCRYPTED FILE-----[\s\S]*?-----END AGE ENCRYPTED FILE-----/g;

describeReal('sotto recipients in files of every format', ['sops', 'age-keygen'], () => {
  let folder: string;
  let ours: AgeKeyPair;
  let leaving: AgeKeyPair;
  let third: AgeKeyPair;

  beforeAll(async () => {
    [ours, leaving, third] = [await newAgeKeyPair(), await newAgeKeyPair(), await newAgeKeyPair()];
  });
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-recipients-'));
    writeFileSync(join(folder, 'keys.txt'), `${ours.identity}\n`);
    const rules = `creation_rules:\n- age: ${ours.recipient},${leaving.recipient}\n`;
    writeAll(folder, { ...CLEAR_FILES, '.sops.yaml': rules });
    await encryptByStock(folder, NAMES);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  /** Without any key: no home and no variable has one. */
  const run = (...argv: readonly string[]): Promise<CliResult> =>
    sotto(['recipients', ...argv], { cwd: folder, env: { HOME: '/nonexistent' } });
  const change = async (...argv: readonly string[]): Promise<void> => {
    const { exit, stderr } = await run(...argv, '--key-file', 'keys.txt', '--yes');
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
  };
  const sops = (...args: readonly string[]) => {
    const env = { HOME: folder, SOPS_AGE_KEY: ours.identity };
    return stockOutput('sops', args, { cwd: folder, env });
  };
  const findings = async (): Promise<{ exit: number; findings: { file: string; message: string }[] }> => {
    const { exit, stdout } = await run('check', '-o', 'json');
    return { exit, findings: (JSON.parse(stdout) as { findings: { file: string; message: string }[] }).findings };
  };

  /** Whoever kept the data key of before puts it, wrapped for them, into the file of now. By file, what sops opens. */
  async function openedWithKeptKey(before: ReadonlyMap<string, string>): Promise<Map<string, boolean>> {
    const opened = new Map<string, boolean>();
    for (const name of WITH_VALUES) {
      const old = before.get(name) ?? '';
      const at = [...old.matchAll(/age1[0-9a-z]{58}/g)].findIndex(([text]) => text === leaving.recipient);
      const kept = old.match(WRAPPED)?.[at] ?? '';
      expect(kept, name).not.toBe('');
      let isFirst = true;
      const forged = read(name)
        .replaceAll(WRAPPED, (text) => (isFirst ? ((isFirst = false), kept) : text))
        .replace(ours.recipient, leaving.recipient);
      writeAll(folder, { [`kept/${name}`]: forged });
      const env = { HOME: '/nonexistent', SOPS_AGE_KEY: leaving.identity };
      const { code } = await runStock('sops', ['decrypt', '--ignore-mac', `kept/${name}`], { cwd: folder, env });
      opened.set(name, code === 0);
    }
    rmSync(join(folder, 'kept'), { recursive: true });
    return opened;
  }

  it('remove: the data key that somebody has kept opens no value any more; after add alone it does', async () => {
    const before = new Map(NAMES.map((name) => [name, read(name)]));
    await change('add', third.recipient);
    expect([...(await openedWithKeptKey(before)).values()]).toEqual(WITH_VALUES.map(() => true));
    await change('remove', leaving.recipient);
    expect([...(await openedWithKeptKey(before)).values()]).toEqual(WITH_VALUES.map(() => false));
    for (const name of NAMES) {
      expect(await openByStock(folder, name, third.identity), name).toBeDefined();
      expect(await openByStock(folder, name, leaving.identity), name).toBeUndefined();
    }
    expect(await findings()).toEqual({ exit: 0, findings: [] });
  });

  it.each(NAMES)(
    'check: finds without a key whoever is too many or missing in %s, and writes nothing',
    async (name) => {
      expect(await findings()).toEqual({ exit: 0, findings: [] });
      const text = read(name);
      await sops('rotate', '-i', '--add-age', third.recipient, name);
      expect(await findings()).toMatchObject({
        exit: 1,
        findings: [{ file: name, message: `is encrypted for ${third.recipient}, which rule 1 does not name` }],
      });
      writeFileSync(join(folder, name), text);
      await sops('rotate', '-i', '--rm-age', leaving.recipient, name);
      const changed = read(name);
      expect(await findings()).toMatchObject({
        exit: 1,
        findings: [{ file: name, message: `is not encrypted for ${leaving.recipient}, which rule 1 names` }],
      });
      expect(read(name)).toBe(changed);
    },
  );

  it('check: finds other key groups than those of the rule', async () => {
    const groups = `  key_groups:\n  - age: [${ours.recipient}]\n  - age: [${leaving.recipient}]\n`;
    writeFileSync(join(folder, '.sops.yaml'), `creation_rules:\n- shamir_threshold: 2\n${groups}`);
    const { exit, findings: found } = await findings();
    expect(exit).toBe(1);
    expect(found.map(({ file }) => file).toSorted()).toEqual(NAMES.toSorted());
  });

  it('list: counts without a key, files of every format, and whoever only files name', async () => {
    const listed = async (): Promise<unknown> => {
      const { exit, stdout } = await run('list', '-o', 'json');
      expect(exit).toBe(0);
      return (JSON.parse(stdout) as { recipients: unknown }).recipients;
    };
    const of = NAMES.length;
    const all = [ours, leaving].map(({ recipient }) => ({ recipient, rule: 1, pathRegex: '', files: of, of }));
    expect(await listed()).toEqual(all);
    for (const name of NAMES) await sops('rotate', '-i', '--add-age', third.recipient, name);
    expect(await listed()).toEqual([...all, { recipient: third.recipient, pathRegex: '', files: of, of }]);
    const { stdout } = await run('list');
    expect(stdout).toMatch(new RegExp(`^1 +every file +${of} of ${of} +${ours.recipient}$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^none +- +${of} of ${of} +${third.recipient}$`, 'm'));
  });
});
