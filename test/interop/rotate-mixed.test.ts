import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type MixedRepository, mixedRepository } from '../harness/mixed-repository.ts';
import { describeReal } from '../harness/real.ts';
import { commitAll, identityIn, openedByStock } from '../harness/rotation.ts';
import type { SealingKeySecret } from '../harness/sealing-key.ts';
import { stockOutput } from '../harness/stock.ts';

describeReal('a rotation of hundreds of files in all formats', ['sops', 'age-keygen', 'kubeseal'], () => {
  let repository: MixedRepository;
  let before: string;
  let clear: ReadonlyMap<string, string | undefined>;
  let unsealed: ReadonlyMap<string, string | undefined>;
  let made: string;

  beforeAll(async () => {
    repository = await mixedRepository();
    const { at, sops, sealed, second } = repository;
    expect(sops.length).toBeGreaterThan(300);
    before = commitAll(at);
    clear = await openedByStock(at.root, sops, `${at.old.identity}\n${second.identity}`);
    unsealed = await unsealedByStock(at.oldSealing);
    expect([...clear.values(), ...unsealed.values()]).not.toContain(undefined);
    expect(new Set(unsealed.values()).size).toBe(sealed.length * 1.5);
    writeFileSync(at.outside('second.txt'), `${second.identity}\n`);
    const keys = ['old.txt', 'second.txt', 'sealing.json'].flatMap((name) => ['--key-file', at.outside(name)]);
    const args = [
      '--old',
      at.old.recipient,
      '--new-key',
      at.outside('new.txt'),
      '--cert',
      at.outside('new.pem'),
      '--yes',
    ];
    const { exit, stderr } = await at.run('rotate', ...keys, ...args);
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    made = identityIn(at.outside('new.txt'));
  }, 300_000);
  afterAll(() => repository[Symbol.dispose]());

  /** By stock kubeseal with one sealing key alone, by file and document. */
  async function unsealedByStock(sealing: SealingKeySecret): Promise<Map<string, string | undefined>> {
    const { at, sealed } = repository;
    const found = new Map<string, string | undefined>();
    writeFileSync(at.outside('tls.key'), String((sealing.secret['stringData'] as Record<string, string>)['tls.key']));
    const args = ['--recovery-unseal', '--recovery-private-key', at.outside('tls.key')];
    for (const path of sealed) {
      for (const [index, document] of at
        .read(path)
        .split(/^---\r?\n/m)
        .entries()) {
        const opened = await stockOutput('kubeseal', args, { stdin: document }).catch(() => undefined);
        found.set(`${path} ${index}`, opened?.toString());
      }
    }
    return found;
  }

  it('leaves every value as it was, to stock sops and stock kubeseal with the new keys', async () => {
    const { at, sops, second } = repository;
    expect(await openedByStock(at.root, sops, `${made}\n${second.identity}`)).toEqual(clear);
    expect(await unsealedByStock(at.newSealing)).toEqual(unsealed);
  });

  it('leaves nothing that stock tools open with the old keys', async () => {
    const { at, sops, sealed, second } = repository;
    const old = await openedByStock(at.root, sops, `${at.old.identity}\n${second.identity}`);
    expect([...old].filter(([, text]) => text !== undefined)).toEqual([]);
    const byOldKey = await unsealedByStock(at.oldSealing);
    expect([...byOldKey].filter(([, text]) => text !== undefined)).toEqual([]);
    for (const name of [...sops, ...sealed]) expect(at.read(name)).not.toContain(at.old.recipient);
  });

  it('leaves whoever else could open a file able to, and everybody else not', async () => {
    const { at, sops, reader, second } = repository;
    const paths = sops.filter((name) => name.startsWith('paths/'));
    for (const [name, text] of await openedByStock(at.root, paths, reader.identity))
      expect(text, name).toBe(clear.get(name));
    const groups = sops.filter((name) => name.startsWith('groups/'));
    for (const [name, text] of await openedByStock(at.root, groups, `${reader.identity}\n${second.identity}`))
      expect(text, name).toBe(clear.get(name));
    for (const text of (await openedByStock(at.root, groups, `${reader.identity}\n${made}`)).values())
      expect(text).toBeUndefined();
  });

  it('changes in each line ciphertext, recipient, mac and lastmodified, and nothing else', () => {
    const { at, sops, sealed, policies } = repository;
    const recipient = /# public key: (age1\w+)/.exec(readFileSync(at.outside('new.txt'), 'utf8'))?.[1] ?? '';
    const changed = at.git('diff', '--name-only', before, 'HEAD').trim().split('\n');
    // The rules at the top speak of no file; they name the old key all the same.
    expect(changed.toSorted()).toEqual([...sops, ...sealed, ...policies].toSorted());
    expect(at.git('diff', '--summary', before, 'HEAD')).toBe('');
    const differing: string[] = [];
    for (const path of [...sops, ...sealed, ...policies]) {
      const was = at.git('show', `${before}:${path}`).split('\n');
      const is = at.read(path).split('\n');
      expect(is.length, path).toBe(was.length);
      for (const [index, line] of was.entries()) {
        const now = is[index] ?? '';
        if (line !== now && bare(line.replaceAll(at.old.recipient, recipient)) !== bare(now))
          differing.push(`${path}:${index + 1}: ${line.slice(0, 80)} => ${now.slice(0, 80)}`);
      }
    }
    expect(differing).toEqual([]);
  });

  it('is what the review without a key and the rules find in order', async () => {
    const { at, sops, sealed, policies } = repository;
    const reviewed = await at.run('check', '--rotation', 'HEAD', '-o', 'json');
    expect(reviewed).toMatchObject({ exit: 0 });
    const { receipts } = JSON.parse(reviewed.stdout) as { receipts: { file: string }[] };
    const files = receipts.map(({ file }) => file);
    expect(files.toSorted()).toEqual([...sops, ...sealed, ...policies].toSorted());
    expect((await at.run('recipients', 'check')).exit).toBe(0);
    expect(at.git('status', '--porcelain', '--ignored')).toBe('');
  });
});

/** A line without what a rotation changes in it: length and type of each value stay in it. */
function bare(line: string): string {
  return line
    .replaceAll(
      /ENC\[AES256_GCM,data:([^,]*),iv:[^,]*,tag:[^,]*,type:(\w+)\]/g,
      (_, data: string, type: string) => `ENC(${data.length} ${type})`,
    )
    .replaceAll(/A[gQ][A-D][A-Za-z0-9+/=]{300,}/g, ({ length }) => `SEALED(${length})`)
    .replaceAll(
      /-----BEGIN AGE ENCRYPTED FILE-----.*-----END AGE ENCRYPTED FILE-----/g,
      ({ length }) => `AGE(${length})`,
    )
    .replace(
      /^(\s*)[A-Za-z0-9+/=]{8,64}(\r?)$/,
      ({ length }, space: string, end: string) => `${space}ARMOUR(${length})${end}`,
    )
    .replace(/^(.*lastmodified.*)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/, '$1TIME');
}
